#!/bin/sh
# Budgets: a classifier of pictures (the README's first lines) is under 1 MB, stripped, with g++ -O2;
# ResNet-50 needs less than 10 MB for its activations at 224.
set -eu
[ "$CXX_ID" = GNU ] || { echo "skipped: the limits are for g++"; exit 77; }
case " $CXX_FLAGS " in *" -O3 "*) ;; *) echo "skipped: the optimised build has this test"; exit 77 ;; esac
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
cd "$SCRATCH"

# under LIMIT BYTES WHAT
under() {
    echo "$3: $2 bytes (limit $1)"
    [ "$2" -gt 0 ] && [ "$2" -lt "$1" ] || exit 1
}

summary=$BUILD_DIR/examples/summary
[ -x "$summary" ] || { echo "skipped: the examples are not built"; exit 77; }
arena=$("$summary" --model resnet50 --size 224 | sed -nE 's/^ +arena +([0-9]+) bytes.*/\1/p')
under 10000000 "${arena:-0}" "ResNet-50's arena"

awk '$0 == "```cpp" { inside = 1; next } /^```/ { exit_after = inside; inside = 0; if (exit_after) exit } inside' \
    "$SOURCE_DIR/README.md" >snippet
{
    echo '#include <cstdio>'
    grep '^#include' snippet
    echo 'int main() {'
    grep -v '^#include' snippet
    echo '}'
} >classifier.cpp
# shellcheck disable=SC2086  # the flags are words
"$CXX" -std=c++20 -O2 $INCLUDES classifier.cpp -pthread -s -o classifier
under 1000000 "$(wc -c <classifier)" "the classifier"
