#!/bin/sh
# The library compiles without optimisation: with g++ 12 intrinsics are macros there.
set -eu
# shellcheck disable=SC2086  # the flags are words
"$CXX" -std=c++20 -O0 -march=native $INCLUDES -c "$SOURCE_DIR/tests/build/one_model.cpp" -o /dev/null
