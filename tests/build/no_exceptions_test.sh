#!/bin/sh
# The library compiles with -fno-exceptions -fno-rtti.
set -eu
[ -f "$SOURCE_DIR/include/lumbar/lumbar.hpp" ] || { echo "skipped: no lumbar.hpp"; exit 77; }
# shellcheck disable=SC2086  # the flags are words
"$CXX" -std=c++20 $CXX_FLAGS -fno-exceptions -fno-rtti -fsyntax-only $INCLUDES \
    "$SOURCE_DIR/tests/build/no_exceptions.cpp"
