#!/bin/sh
# Every set of -m flags for which xsimd takes another architecture has a namespace of its own.
set -eu
case $(uname -m) in x86_64) ;; *) echo "skipped: not x86-64"; exit 77 ;; esac
mkdir -p "$SCRATCH"
cd "$SCRATCH"
cat >tag.cpp <<'TEXT'
#include <lumbar/config/config.hpp>
#include <xsimd/xsimd.hpp>
#include <cstdio>
#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)
int main() { std::printf("%s %s\n", xsimd::default_arch::name(), TEXT_OF(LUMBAR_ABI)); }
TEXT
: >tags
for flags in -msse2 -msse3 -mssse3 -msse4.1 -msse4.2 "-msse4.2 -mfma" -mavx "-mavx -mfma" -mavx2 \
    -march=x86-64-v2 -march=x86-64-v3 -march=x86-64-v4 "-mavx512f -mavx512cd" \
    "-mavx512f -mavx512cd -mavx512dq"; do
    # Only compiled for it, and run for the names.
    # shellcheck disable=SC2086  # the flags are words
    "$CXX" -std=c++20 -O0 $INCLUDES $flags tag.cpp -o tag 2>err || { cat err; exit 1; }
    ./tag >>tags || echo "skipped: this CPU cannot run $flags"
done
sort -u tags -o tags
cat tags
[ "$(cut -d ' ' -f 2 tags | sort -u | wc -l)" -eq "$(wc -l <tags)" ] || {
    echo "one namespace for two architectures of xsimd"
    exit 1
}
