"""Makes parameter_names.txt: the tensors of the reference implementations' checkpoints.

    python3 make_parameter_names.py          writes parameter_names.txt beside this file
    python3 make_parameter_names.py MODEL    prints the lines that are hashed for one model

Needs torch, torchvision, timm (for MobileNet V1) and pretrainedmodels (for BN-Inception); see
../goldens/make_goldens.py for versions and how to get them. Nothing is downloaded: names and shapes
do not depend on weights.

One line per model: its name, the number of tensors, and the 64-bit FNV-1a hash of the sorted lines
"NAME EXTENT EXTENT ...\\n", one per tensor. Counters that inference never reads
(num_batches_tracked) are left out.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
MODELS = (
    "vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn "
    "resnet18 resnet34 resnet50 resnet101 resnet152 mobilenet_v1 mobilenet_v2 "
    "mobilenet_v3_large mobilenet_v3_small googlenet bn_inception inception_v3"
).split()


def reference(name):
    """The reference implementation of a model, with random weights."""
    if name == "mobilenet_v1":
        import timm

        return timm.create_model("mobilenetv1_100", pretrained=False)
    if name == "bn_inception":
        import pretrainedmodels

        return pretrainedmodels.bninception(pretrained=None)
    import torchvision

    # Auxiliary heads serve training only.
    inception = {"aux_logits": False, "init_weights": False}
    options = inception if name in ("googlenet", "inception_v3") else {}
    return getattr(torchvision.models, name)(weights=None, **options)


def lines_of(name):
    return sorted(
        " ".join([tensor, *map(str, value.shape)]) + "\n"
        for tensor, value in reference(name).state_dict().items()
        if not tensor.endswith("num_batches_tracked")
    )


def fnv1a_64(text):
    value = 14695981039346656037
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * 1099511628211) & ((1 << 64) - 1)
    return value


def main():
    if len(sys.argv) > 1:
        sys.stdout.writelines(lines_of(sys.argv[1]))
        return
    with open(HERE / "parameter_names.txt", "w", encoding="utf-8") as file:
        for name in MODELS:
            lines = lines_of(name)
            file.write(f"{name} {len(lines)} {fnv1a_64(''.join(lines)):016x}\n")


if __name__ == "__main__":
    main()
