#!/bin/sh
# embedded: a classifier that needs no file beside it; with weights of half the size it sees the same.
set -eu
full=$BUILD_DIR/examples/embedded
half=$BUILD_DIR/examples/embedded_half
[ -x "$full" ] && [ -x "$half" ] || { echo "skipped: the examples are not built"; exit 77; }
mkdir -p "$SCRATCH"
cd "$SCRATCH"
cp "$full" full
cp "$half" half
for picture in "$SOURCE_DIR"/examples/fashion_mnist/images/*.png; do
    label=$(basename "$picture" .png | cut -d - -f 2-)
    for program in ./full ./half; do
        $program "$picture" >out
        grep -qF ": $label (" out || { echo "FAILED: $program: $(cat out)"; exit 1; }
    done
done
if grep -q 'fashion_mnist\.safetensors' full; then
    echo "FAILED: the program names the file of weights"
    exit 1
fi
# What the two differ by is what the weights do: nearly half of the file.
weights=$(wc -c <"$SOURCE_DIR/examples/fashion_mnist/fashion_mnist.safetensors")
saved=$(($(wc -c <full) - $(wc -c <half)))
[ $((saved * 5)) -gt $((weights * 2)) ] || { echo "FAILED: only $saved bytes of $weights saved"; exit 1; }
