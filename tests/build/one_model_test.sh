#!/bin/sh
# One model compiles in under 10 s and 1 GB with g++ -O2, on a machine that compiles yardstick.cpp in
# 3.13 s; on others in 3.2 times as long as the yardstick does there (measure.cpp).
set -eu
[ -f "$SOURCE_DIR/include/lumbar/lumbar.hpp" ] || { echo "skipped: no lumbar.hpp"; exit 77; }
[ "$CXX_ID" = GNU ] || { echo "skipped: the limit is for g++"; exit 77; }
mkdir -p "$SCRATCH"
# shellcheck disable=SC2086  # the flags are words
"$MEASURE" 10 3.13 1024 \
    "$CXX" -std=c++20 -O2 -c "$SOURCE_DIR/tests/build/yardstick.cpp" -o "$SCRATCH/yardstick.o" -- \
    "$CXX" -std=c++20 -O2 $INCLUDES -c "$SOURCE_DIR/tests/build/one_model.cpp" \
    -o "$SCRATCH/one_model.o"
