#!/bin/sh
# A lower floor of the library never includes a higher one (floors.awk). The check is tried on trees
# that break the rule first: one that cannot fail proves nothing.
set -eu

check() { # check INCLUDE_DIR
    (cd "$1" && find lumbar -name '*.hpp' | LC_ALL=C sort | xargs awk -f "$SOURCE_DIR/tests/structure/floors.awk")
}

must_fail() { # must_fail HEADER LINE: in a tree of one header with this line
    rm -rf "$SCRATCH"
    mkdir -p "$SCRATCH/$(dirname "$1")"
    printf '#pragma once\n%s\n' "$2" >"$SCRATCH/$1"
    if check "$SCRATCH" >/dev/null; then
        echo "the check accepts $2 in $1"
        exit 1
    fi
}
must_fail lumbar/core/a.hpp '#include <lumbar/simd/simd.hpp>'
must_fail lumbar/kernels/a.hpp '#  include  <lumbar/layers/conv.hpp> // why'
must_fail lumbar/graph/a.hpp '#include <lumbar/kernels/direct.hpp>'
must_fail lumbar/models/a.hpp '#include <lumbar/weights/load.hpp>'
must_fail lumbar/weights/a.hpp '#include <lumbar/lumbar.hpp>'
must_fail lumbar/runtime/a.hpp '#include <lumbar/simd/simd.hpp>'
must_fail lumbar/runtime/a.hpp '#include <lumbar/kernels/direct.hpp>'
must_fail lumbar/layers/a.hpp '#include "conv.hpp"'
must_fail lumbar/attic/a.hpp '#include <lumbar/core/shape.hpp>'

check "$SOURCE_DIR/include"
echo "$(find "$SOURCE_DIR/include" -name '*.hpp' | wc -l) headers, none includes a floor above its own"
