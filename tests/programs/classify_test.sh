#!/bin/sh
# classify: what a user gets wrong costs one line and exit code 1; what is right prints what it should.
set -eu
classify=$BUILD_DIR/examples/classify
[ -x "$classify" ] || { echo "skipped: the examples are not built"; exit 77; }
models=$SOURCE_DIR/examples/fashion_mnist
picture=$models/images/0000-ankle_boot.png
mkdir -p "$SCRATCH"
cd "$SCRATCH"
. "$SOURCE_DIR/tests/programs/checks.sh"

head -c 100 "$picture" >cut.png
echo "not a picture" >text.png
echo "not weights, and longer than eight bytes" >text.safetensors
head -c 5000 "$models/fashion_mnist.safetensors" >cut.safetensors
refuse "text.png" "$classify" text.png
refuse "cut.png" "$classify" cut.png
refuse "missing.png: the file cannot be opened: No such file" "$classify" missing.png
refuse "no model is named 'nope'" "$classify" --model nope "$picture"
refuse "needs --weights" "$classify" --model resnet18 "$picture"
refuse "missing.safetensors" "$classify" --model resnet18 --weights missing.safetensors "$picture"
refuse "text.safetensors" "$classify" --model resnet18 --weights text.safetensors "$picture"
refuse "cut.safetensors" "$classify" --weights cut.safetensors "$picture"
refuse "does not fit resnet18: 102 of 102 tensors are missing: conv1.weight, .* and 98 more; 127 tensors are not" "$classify" --model resnet18 --weights "$models/fashion_mnist.safetensors" "$picture"
refuse "labels" "$classify" --labels text.png "$picture"
refuse "no picture is given" "$classify"
refuse "holds no probe.*convert --probe" "$classify" --verify "$picture"
refuse "one number or three" "$classify" --mean 1,2 "$picture"
refuse "nonsense" "$classify" --nonsense "$picture"
refuse "sideways" "$classify" --crop sideways "$picture"

"$classify" "$picture" | grep -q "ankle_boot" || bad "the boot is not found"
"$classify" --json --top 2 "$picture" "$picture" >out
[ "$(wc -l <out)" -eq 2 ] || bad "--json: a line for each picture"
grep -q '^{"image":".*","top":\[{"class":9,"label":"ankle_boot","logit":.*,"probability":.*},{.*}\],"milliseconds":.*}$' out ||
    bad "--json: $(cat out)"
"$classify" --list-models | grep -q "^resnet152 " || bad "--list-models"
"$classify" --mean 0.5 --std 0.5 "$picture" >/dev/null || bad "--std swallows the picture"
status=0
"$classify" missing.png "$picture" >out 2>err || status=$?
[ "$status" -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q ankle_boot out ||
    bad "a picture that cannot be read costs more than its line: $(cat out err)"
[ "$failures" -eq 0 ]
