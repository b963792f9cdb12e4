#!/bin/sh
# The README's figures (cmake/figures.py) are those of the folders and tables that it has now.
set -eu
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
PYTHONDONTWRITEBYTECODE=1 python3 "$SOURCE_DIR/cmake/figures.py" "$SCRATCH"
for figure in floors speed; do
    cmp "$SCRATCH/$figure.svg" "$SOURCE_DIR/.github/$figure.svg" ||
        { echo "make it again: python3 cmake/figures.py"; exit 1; }
    grep -q "(.github/$figure.svg)" "$SOURCE_DIR/README.md" || { echo "the README lacks $figure.svg"; exit 1; }
done
