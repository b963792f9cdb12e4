#!/bin/sh
# features and explain: the pictures they write can be read again, and mistakes cost one line and
# exit code 1.
set -eu
programs=$BUILD_DIR/examples
[ -x "$programs/features" ] && [ -x "$programs/explain" ] || { echo "skipped: the examples are not built"; exit 77; }
pictures=$SOURCE_DIR/examples/fashion_mnist/images
boot=$pictures/0000-ankle_boot.png
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
cd "$SCRATCH"
if ! "$programs/explain" "$boot" --out boot.png >out 2>err; then
    grep -q "no font" err && { echo "skipped: $(cat err)"; exit 77; }
fi
. "$SOURCE_DIR/tests/programs/checks.sh"

# picture FILE WIDTH HEIGHT: a PNG of that size, from its header.
picture() {
    found=$(od -A n -t u1 -N 24 "$1" | tr -s ' \n' ' ')
    expected=" 137 80 78 71 13 10 26 10 0 0 0 13 73 72 68 82 0 0 $(($2 / 256)) $(($2 % 256)) 0 0 $(($3 / 256)) $(($3 % 256)) "
    [ "$found" = "$expected" ] || [ "$found " = "$expected" ] || bad "$1 is no PNG of $2 x $3:$found"
}

"$programs/explain" "$boot" --out boot.png | grep -q "ankle_boot" || bad "the boot is not found"
picture boot.png 1172 628
"$programs/explain" "$boot" --class 2 --out other.png | grep -q "pullover" || bad "--class"
cmp -s boot.png other.png && bad "another class has the same map"

"$programs/features" "$boot" --strides 1,2,4 --out maps >out
[ "$(wc -l <out)" -eq 3 ] || bad "a line for each sheet: $(cat out)"
for stride in 1 2 4; do [ -s "maps/fashion_mnist_stride_$stride.png" ] || bad "no sheet of stride $stride"; done
"$programs/features" "$boot" --layers features.3,features.5 --maps 5 --out maps | grep -q features.5.png || bad "--layers"
"$programs/features" "$boot" --strides 4 --expanded --output-stride 16 --out maps >/dev/null || bad "--expanded"

echo "not a picture" >text.png
echo "not a font" >text.ttf
: >file
for program in features explain; do
    refuse "text.png" "$programs/$program" text.png --out x
    refuse "IMAGE is required" "$programs/$program" --out x
    refuse "--out is required" "$programs/$program" "$boot"
    refuse "needs --weights" "$programs/$program" "$boot" --model resnet18 --out x
    refuse "no model is named 'nope'" "$programs/$program" "$boot" --model nope --weights x --out x
    refuse "missing.safetensors" "$programs/$program" "$boot" --model resnet18 --weights missing.safetensors --out x
    refuse "text.ttf is no TrueType font" "$programs/$program" "$boot" --font text.ttf --out x
done
refuse "no feature map of stride 64" "$programs/features" "$boot" --strides 64 --out x
refuse "no layer is named 'nope'" "$programs/features" "$boot" --layers nope --out x
refuse "file" "$programs/features" "$boot" --strides 2 --out file/below
refuse "cannot be written" "$programs/explain" "$boot" --out missing/x.png
refuse "--class is 0 to 9" "$programs/explain" "$boot" --class 10 --out x.png
[ "$failures" -eq 0 ]
