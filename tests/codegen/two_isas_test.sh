#!/bin/sh
# Files compiled for different instruction sets live in one program: each keeps its own kernels in
# either link order, and no function of the library exists in both (the linker would keep one of
# them: a crash on the older CPU, silent slowness on the newer).
set -eu
[ -f "$SOURCE_DIR/include/lumbar/lumbar.hpp" ] || { echo "skipped: no lumbar.hpp"; exit 77; }
case $(uname -m) in x86_64) ;; *) echo "skipped: not x86-64"; exit 77 ;; esac
grep -qw avx2 /proc/cpuinfo || { echo "skipped: no AVX2"; exit 77; }

here=$SOURCE_DIR/tests/codegen
mkdir -p "$SCRATCH"
cd "$SCRATCH"
# shellcheck disable=SC2086  # the flags are words
compile() { "$CXX" -std=c++20 $INCLUDES "$@"; }
# Weak symbols are the ones that the linker merges. Nothing is promised for templates of the standard
# library on types of neither.
defined() { nm -C --defined-only "$1" | grep -E ' [VWuw] .*(lumbar|xsimd)::' | cut -d ' ' -f 3- | sort -u; }
# Without optimisation these of xsimd's are not inlined, and have no tag (they do the same, in the
# instructions of the half that the linker took them from): its numbers, and what wraps SSE's vectors.
harmless='^([a-z]+|xsimd::as_integer<float>::type) xsimd::(bit_cast|constants::[a-z_0-9]+)<|^xsimd::(batch|batch_bool|types::simd_register)<int, xsimd::s?sse[0-9_]+>::'

case " $CXX_FLAGS " in *" -O3 "*) levels="O2 O0" ;; *) levels=O2 ;; esac
for level in $levels; do
    compile -$level -march=x86-64-v2 -DPART=older -c "$here/two_isas_part.cpp" -o older.o
    compile -$level -march=x86-64-v3 -DPART=newer -c "$here/two_isas_part.cpp" -o newer.o
    compile -$level -c "$here/two_isas_main.cpp" -o main.o

    for order in "older.o newer.o" "newer.o older.o"; do
        # shellcheck disable=SC2086
        "$CXX" main.o $order -o program -pthread
        ./program
    done

    defined older.o >older.txt
    defined newer.o >newer.txt
    if [ ! -s older.txt ] || [ ! -s newer.txt ]; then
        echo "nm finds no function of the library"
        exit 1
    fi
    comm -12 older.txt newer.txt >shared.txt
    [ $level = O2 ] || sed -i -E "/$(echo "$harmless" | sed 's,/,\\/,g')/d" shared.txt
    if grep . shared.txt; then
        echo "-$level: the functions above are defined in both halves"
        exit 1
    fi
    echo "-$level: $(wc -l <older.txt) and $(wc -l <newer.txt) functions, none shared"
done
