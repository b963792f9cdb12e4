"""Makes parameter_names.txt: the tensors of the reference implementations' checkpoints, in the
library's own names and in the dialects that it knows.

    python3 make_parameter_names.py            writes parameter_names.txt beside this file
    python3 make_parameter_names.py DIALECT    only the lines of "own", "timm", "pretrainedmodels"
                                               or "Keras" (which may want a newer numpy)

Needs what ../goldens/make_goldens.py needs (which has the networks), and Keras 3 for the dialect of
that name (made with 3.5.0; any backend, since only the variables' names are read). Nothing is
downloaded: names and shapes do not depend on weights.

One line per model and dialect: the model's name, the dialect's ("own": the library's), the number
of tensors, and the 64-bit FNV-1a hash of the sorted lines "NAME EXTENT EXTENT ...\\n", one per
tensor ("NAME\\n" alone in a dialect). Counters (num_batches_tracked) are left out.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "goldens"))

TIMM = {
    "vgg11": "vgg11", "vgg16_bn": "vgg16_bn", "mobilenet_v2": "mobilenetv2_100",
    "mobilenet_v3_large": "mobilenetv3_large_100", "mobilenet_v3_small": "mobilenetv3_small_100",
    "mobilenet_v3_large_minimal": "tf_mobilenetv3_large_minimal_100",
    "mobilenet_v3_small_minimal": "tf_mobilenetv3_small_minimal_100",
}
PRETRAINED = {
    "vgg16": "vgg16", "vgg19_bn": "vgg19_bn", "resnet50": "resnet50",
    "cafferesnet101": "cafferesnet101", "densenet161": "densenet161",
    "inception_v3": "inceptionv3",
}
KERAS = {
    "vgg16": "VGG16", "vgg19": "VGG19", "resnet50_v1": "ResNet50", "resnet101_v1": "ResNet101",
    "resnet152_v1": "ResNet152", "densenet121": "DenseNet121", "densenet169": "DenseNet169",
    "densenet201": "DenseNet201", "mobilenet_v1": "MobileNet", "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3_large": "MobileNetV3Large", "mobilenet_v3_small": "MobileNetV3Small",
}


def torch_names(network):
    """Names and shapes; a classifier that is a 1x1 convolution counts as a matrix."""
    return {
        tensor: value.shape[:2] if tensor == "head.fc.weight" else value.shape
        for tensor, value in network.state_dict().items()
        if not tensor.endswith("num_batches_tracked")
    }


def own_lines(model):
    import make_goldens

    classes = 10 if model.endswith("_cifar") else 1000
    network = make_goldens.reference_network(make_goldens.Case(model, classes=classes))
    return [" ".join([name, *map(str, shape)]) for name, shape in torch_names(network).items()]


def timm_lines(model):
    import timm

    return list(torch_names(timm.create_model(TIMM[model])))


def pretrained_lines(model):
    import pretrainedmodels

    network = getattr(pretrainedmodels, PRETRAINED[model])(num_classes=1000, pretrained=None)
    return [name for name in torch_names(network) if not name.startswith("AuxLogits.")]


def keras_lines(model):
    import keras

    network = getattr(keras.applications, KERAS[model])(weights=None)
    return [
        f"{layer.name}/{variable.name}" for layer in network.layers for variable in layer.weights
    ]


def fnv1a_64(text):
    value = 14695981039346656037
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * 1099511628211) & ((1 << 64) - 1)
    return value


def models_of(dialect):
    if dialect != "own":
        return {"timm": TIMM, "pretrainedmodels": PRETRAINED, "Keras": KERAS}[dialect]
    import make_goldens

    return dict.fromkeys(case.model for case in make_goldens.CASES)


def main():
    path = HERE / "parameter_names.txt"
    stored = path.read_text().splitlines() if path.exists() else []
    lines = []
    for dialect, lines_of in LINES.items():
        if len(sys.argv) > 1 and dialect not in sys.argv[1:]:
            lines += [line for line in stored if line.split()[1] == dialect]
            continue
        for model in models_of(dialect):
            names = "".join(name + "\n" for name in sorted(lines_of(model)))
            count = names.count("\n")
            lines.append(f"{model} {dialect} {count} {fnv1a_64(names):016x}")
    path.write_text("\n".join(lines) + "\n")


LINES = {
    "own": own_lines,
    "timm": timm_lines,
    "pretrainedmodels": pretrained_lines,
    "Keras": keras_lines,
}

if __name__ == "__main__":
    main()
