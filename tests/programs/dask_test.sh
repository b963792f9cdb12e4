#!/bin/sh
# classify --stream under a real engine, Dask with two local worker processes; see dask_stream.py.
set -eu
classify=$BUILD_DIR/examples/classify
[ -x "$classify" ] || { echo "skipped: the examples are not built"; exit 77; }
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
for python in python3 /usr/bin/python3; do # Debian's need not be the first
    "$python" -c 'import dask, distributed' 2>/dev/null || continue
    exec timeout 600 "$python" "$SOURCE_DIR/tests/programs/dask_stream.py" "$classify" "$SCRATCH"
done
echo "skipped: Dask is not installed (Debian: python3-distributed)"
exit 77
