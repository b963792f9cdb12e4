#!/bin/sh
# summary: where its figures come from stands beside them, and only where they are the published ones.
set -eu
summary=$BUILD_DIR/examples/summary
[ -x "$summary" ] || { echo "skipped: the examples are not built"; exit 77; }
mkdir -p "$SCRATCH"
cd "$SCRATCH"
. "$SOURCE_DIR/tests/programs/checks.sh"

# says WORDS ARGUMENT...: the words are printed for these arguments. tells_not: they are not.
says() {
    words=$1
    shift
    "$summary" "$@" >printed
    grep -q -- "$words" printed || bad "no '$words' for: $*"
}
tells_not() {
    words=$1
    shift
    "$summary" "$@" >printed
    if grep -q -- "$words" printed; then bad "'$words' for: $*"; fi
}

says "published MACs  torchvision's: these" --model mobilenet_v2
says "the paper       3.4 M parameters do not count batch normalisation; 0.3 G MACs: these" --model mobilenet_v2
says "published MACs  the paper's: these" --model mobilenet_v1
says "parameters *4231976$" --model mobilenet_v1
says "published MACs  nobody's to three digits: counted here" --model mobilenet_v3_small_minimal
says "published MACs  nobody's" --model resnet20_cifar
tells_not "the paper \|published" --model mobilenet_v1 --width 0.25 --size 128
tells_not "the paper \|published" --model mobilenet_v1 --classes 10
tells_not "the paper \|published" --model mobilenet_v1 --size 192
says "MACs *41" --model mobilenet_v1 --width 0.25
refuse "no model is named 'nope'" "$summary" --model nope
refuse "vgg11 has no width multiplier" "$summary" --model vgg11 --width 0.5
[ "$failures" -eq 0 ]
