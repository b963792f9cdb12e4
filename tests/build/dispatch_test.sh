#!/bin/sh
# lumbar_add_dispatch: one program has the kernels of every instruction set, in either link order, and
# each CPU gets its own: no function of the library exists in two of its object files, so that the
# linker has nothing to choose between.
set -eu
case $(uname -m) in x86_64) ;; *) echo "skipped: not x86-64"; exit 77 ;; esac
command -v qemu-x86_64 >/dev/null 2>&1 || { echo "skipped: no qemu-x86_64"; exit 77; }
consumer=$SOURCE_DIR/tests/build/consumer
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
cd "$SCRATCH"
cmake -S "$consumer" -B build -D CMAKE_CXX_COMPILER="$CXX" -D way=add_subdirectory -D dispatch=ON \
    -D lumbar_source="$SOURCE_DIR" -D CMAKE_CXX_FLAGS= -D CMAKE_BUILD_TYPE=Release -D CMAKE_CXX_FLAGS_RELEASE=-O2 \
    -D weights="$SOURCE_DIR/examples/fashion_mnist/fashion_mnist.safetensors" >cmake.log
cmake --build build --parallel 2 >build.log || { tail -n 50 build.log; exit 1; }
built=build/CMakeFiles/consumer.dir
sources=build/lumbar_dispatch/consumer

# shellcheck disable=SC2086  # the flags are words
compile() { "$CXX" -std=c++20 -DLUMBAR_DISPATCH $INCLUDES "$@"; }
# What nm calls weak: what the linker keeps one of. (The runtime's own apart.)
weak() {
    nm -C --defined-only "$1" | sed -n 's/^[^ ]* [VWuw] //p' |
        grep -vE '^(DW\.ref\.|__clang_call_terminate)' | sort -u
}
rest="$built/other.cpp.o $built/lumbar_dispatch/consumer/dispatch.cpp.o \
      $built/lumbar_embedded/consumer/weights.cpp.o"

for level in O2 O0; do
    # Optimised, as CMake builds them; otherwise by hand, since CMake always optimises the kernels.
    if [ $level = O0 ]; then
        compile -O0 -c "$consumer/main.cpp" -o $built/main.cpp.o
    fi
    objects=
    for kernels in sse2: sse42:-msse4.2 avx2:-mavx2:-mfma \
        avx512:-mavx512f:-mavx512cd:-mavx512dq:-mavx512bw:-mfma; do
        name=${kernels%%:*}
        if [ $level = O2 ]; then
            cp $built/lumbar_dispatch/consumer/kernels_$name.cpp.o $name.o
        else
            # shellcheck disable=SC2046  # the flags are words
            compile -O0 $(echo "${kernels#*:}" | tr : ' ') -c $sources/kernels_$name.cpp -o $name.o
        fi
        weak $name.o >$name.weak
        [ -s $name.weak ] || { echo "nm finds no kernel in $name.o"; exit 1; }
        objects="$objects $name.o"
    done
    weak $built/main.cpp.o >main.weak
    [ $level = O2 ] && shared=. || shared=lumbar::

    # Everything that the kernels consist of has the tag of its architecture; without optimisation
    # these small functions have not, which are the same whatever they are compiled for.
    for name in sse2 sse42 avx2 avx512; do
        grep -vE 'xsimd::(sse|ssse|avx|fma3)' $name.weak >untagged || true
        if [ $level = O0 ]; then
            sed -i -E -e '/^(float const& |int const& |float |unsigned int )?std::(min|max|pow|bit_cast)[<(]/d' \
                -e '/^std::(array|__array_traits|numeric_limits)</d' \
                -e '/^[a-z ]*(xsimd::as_integer<float>::type )?xsimd::(bit_cast|constants::[a-z_0-9]+)</d' \
                -e '/^xsimd::kernel::detail::(merge_sse|split_avx)\(/d' \
                -e '/^xsimd::types::simd_avx512_bool_register</d' untagged
        fi
        if [ -s untagged ]; then
            echo "-$level: functions of $name.o without a tag:"
            cat untagged
            exit 1
        fi
        for other in main sse2 sse42 avx2 avx512; do
            [ $other != $name ] || continue
            if comm -12 $name.weak $other.weak | grep -E "$shared"; then
                echo "-$level: the functions above are in $name.o and $other.o"
                exit 1
            fi
        done
    done

    backwards=$(echo "$objects" | tr ' ' '\n' | tac | tr '\n' ' ')
    # shellcheck disable=SC2086
    "$CXX" $built/main.cpp.o $rest $objects -o forwards-$level -pthread
    # shellcheck disable=SC2086
    "$CXX" $backwards $rest $built/main.cpp.o -o backwards-$level -pthread
    for program in ./forwards-$level ./backwards-$level; do
        $program >out || { echo "$program failed"; exit 1; }
        sed -n 2p out
        if grep -qw avx2 /proc/cpuinfo && ! grep -qE '^(fma3\+avx2|avx512)' out; then
            echo "$program does not use what this CPU can"
            exit 1
        fi
    done
done

# CPUs without AVX, and without SSE4.2: what was compiled for a newer one is never run.
for cpu in Nehalem:sse4.2 core2duo:sse2; do
    for program in ./forwards-O2 ./backwards-O2; do
        qemu-x86_64 -cpu ${cpu%:*} $program >out || { echo "$program failed on ${cpu%:*}"; exit 1; }
        sed -n 2p out
        grep -q "^${cpu#*:}" out || { echo "$program is wrong about ${cpu%:*}"; exit 1; }
    done
done

# The program itself must not be for a newer CPU.
if compile -march=x86-64-v3 -E "$consumer/main.cpp" >/dev/null 2>err; then
    echo "a program for x86-64-v3 was accepted"
    exit 1
fi
grep -q "compile the target without -march" err
