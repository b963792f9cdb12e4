#!/bin/sh
# compiler.sh g++|clang++|newest_clang++|libc++: the library in programs of users whose compiler,
# language and flags are not ours, with their warnings as errors; tests/build/consumer/main.cpp
# knows whether what it computes is right.
set -eu
found() { command -v "$1" >/dev/null 2>&1; }
newest_clang() {
    for folder in $(echo "$PATH" | tr : ' '); do
        for path in "$folder"/clang++-[0-9]*; do [ ! -x "$path" ] || basename "$path"; done
    done | sort -V | tail -n 1
}
library=
case $1 in
    g++) compiler=g++-12 ;;
    clang++) compiler=clang++-14 ;;
    newest_clang++)
        compiler=$(newest_clang)
        [ "$compiler" != clang++-14 ] || { echo "skipped: no clang newer than 14"; exit 77; }
        ;;
    libc++) compiler=clang++-14 library=-stdlib=libc++ ;;
esac
found "$compiler" || { echo "skipped: no $compiler"; exit 77; }
mkdir -p "$SCRATCH"
cd "$SCRATCH"
if [ -n "$library" ]; then
    echo '#include <cstddef>' >library.cpp
    $compiler $library -E library.cpp 2>&1 | grep -q 'c++/v1' || { echo "skipped: no libc++"; exit 77; }
fi

# Every header, those apart whose libraries are not there.
here=$(pwd)
(cd "$SOURCE_DIR/include" && find lumbar -name '*.hpp' | LC_ALL=C sort) |
    while read -r header; do
        case $header in
            lumbar/eigen.hpp) needs="<Eigen/Core>" ;;
            lumbar/zlib.hpp) needs="<zlib.h>" ;;
            lumbar/image.hpp | lumbar/image/stb.hpp | lumbar/image/read.hpp) needs="<stb/stb_image.h>" ;;
            *) needs="<lumbar/lumbar.hpp>" ;;
        esac
        printf '#if __has_include(%s)\n#include <%s>\n#endif\n' "$needs" "$header"
    done >"$here/every_header.cpp"
printf '#include <cstddef>\nstd::size_t other() { return 48; }\nbool embedded_weights_load() { return true; }\n' >other.cpp

# shellcheck disable=SC2086  # the flags are words
compile() {
    echo "$compiler $library $*"
    $compiler $library -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror $INCLUDES "$@"
}
run() {
    compile "$@" "$SOURCE_DIR/tests/build/consumer/main.cpp" other.cpp -pthread -o program
    ./program
}

compile -std=c++20 -fsyntax-only every_header.cpp
compile -std=c++2b -fno-exceptions -fno-rtti -fsyntax-only every_header.cpp
case $1 in newest_clang++ | libc++)  # the other flags with clang++
    run -std=c++20 -O2 -march=native
    exit 0
    ;;
esac
run -std=c++2b -O2 -fno-exceptions -fno-rtti -ffast-math
run -std=c++20 -O0 -march=native
run -std=c++20 -O2 -march=native -ffast-math
# Without optimisation g++'s intrinsics are macros. Only compiled: not every CPU runs it.
if [ "$1" = g++ ] && [ "$(uname -m)" = x86_64 ]; then
    compile -std=c++20 -O0 -march=x86-64-v4 -c "$SOURCE_DIR/tests/build/consumer/main.cpp" -o /dev/null
fi
