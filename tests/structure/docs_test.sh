#!/bin/sh
# The reference (cmake/Doxyfile) is made without a warning.
set -eu
command -v doxygen >/dev/null || {
    echo "skipped: doxygen is not installed"
    exit 77
}
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
cd "$SOURCE_DIR"
{
    cat cmake/Doxyfile
    echo "OUTPUT_DIRECTORY = $SCRATCH"
} | doxygen -
# What users look for is in it.
for page in classlumbar_1_1Network structlumbar_1_1CompileOptions structlumbar_1_1ModelInfo; do
    [ -n "$(find "$SCRATCH/html" -name "$page.html")" ] ||
        { echo "the reference has no page $page" && exit 1; }
done
