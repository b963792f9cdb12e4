#!/bin/sh
# convert and classify: a converted file names its model, and its probe verifies.
set -eu
classify=$BUILD_DIR/examples/classify
convert=$BUILD_DIR/examples/convert
[ -x "$classify" ] && [ -x "$convert" ] || { echo "skipped: the examples are not built"; exit 77; }
shipped=$SOURCE_DIR/examples/fashion_mnist/fashion_mnist.safetensors
picture=$SOURCE_DIR/examples/fashion_mnist/images/0000-ankle_boot.png
mkdir -p "$SCRATCH"
cd "$SCRATCH"
. "$SOURCE_DIR/tests/programs/checks.sh"

"$convert" "$shipped" plain.safetensors | grep -q "127 tensors of no known model" || bad "a strange model"
"$classify" --weights plain.safetensors "$picture" | grep -q ankle_boot || bad "the copy classifies otherwise"
"$convert" "$shipped" half.safetensors --half >/dev/null
[ $(($(wc -c <half.safetensors) * 5)) -lt $(($(wc -c <plain.safetensors) * 3)) ] || bad "half is not half"
"$classify" --weights half.safetensors "$picture" | grep -q ankle_boot || bad "the half classifies otherwise"
onnx=$SOURCE_DIR/tests/weights/data/onnx/kept.onnx
"$convert" "$onnx" onnx.safetensors | grep -q "tensors of no known model" || bad "ONNX is not read"
# Whatever they are called.
cp "$onnx" misnamed.pth
"$convert" misnamed.pth onnx.safetensors | grep -q "tensors of no known model" || bad "a misnamed ONNX is not read"
cp "$SOURCE_DIR/tests/weights/data/numpy/stored.npz" misnamed.pth
"$convert" misnamed.pth numpy.safetensors | grep -q "tensors of no known model" || bad "a misnamed .npz is not read"
refuse "needs --model" "$convert" "$shipped" out.safetensors --probe
refuse "does not fit vgg11" "$convert" "$shipped" out.safetensors --model vgg11
refuse "no model is named" "$convert" "$shipped" out.safetensors --model nope
refuse "missing.safetensors" "$convert" missing.safetensors out.safetensors
refuse "cannot be created" "$convert" "$shipped" missing/out.safetensors
refuse "OUT is required" "$convert" "$shipped"

narrow=$SOURCE_DIR/tests/goldens/narrow
"$convert" "$narrow/mobilenet_v2.F32.legacy" v2.safetensors --half --probe --size 64 |
    grep -q "314 tensors of mobilenet_v2, filters as F16, with a probe" || bad "convert v2"
"$classify" --weights v2.safetensors --size 64 --verify |
    grep -q "^mobilenet_v2: verified: logits are off by" || bad "the probe does not verify"
"$convert" v2.safetensors again.safetensors | grep -q "314 tensors of mobilenet_v2$" || bad "convert again"
refuse "holds no probe" "$classify" --weights again.safetensors --size 64 --verify
refuse "WRONG NUMBERS" "$classify" --weights v2.safetensors --size 64 --verify --numerics tf

weights=$SOURCE_DIR/../shared/models/mobilenet_v1_0.25_128.safetensors
if [ -e "$weights" ]; then
    "$convert" "$weights" v1.safetensors --half --probe --size 128 |
        grep -q "mobilenet_v1, TensorFlow's numerics, filters as F16, with a probe" || bad "convert v1"
    "$classify" --weights v1.safetensors --size 128 --verify |
        grep -q "^mobilenet_v1: verified: logits are off by" || bad "the probe does not verify"
    refuse "WRONG NUMBERS" "$classify" --weights v1.safetensors --size 128 --verify --numerics torch
    refuse "the file says that it is for 'mobilenet_v1'" "$classify" --model resnet50 \
        --weights v1.safetensors "$picture"
else
    echo "no ../shared/models: without a model of the registry"
fi
[ "$failures" -eq 0 ]
