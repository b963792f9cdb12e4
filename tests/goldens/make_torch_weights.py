"""Writes what the tests of .pth files read.

    python3 make_torch_weights.py CASE FILE   the reference's weights of a case of make_goldens.py,
                                              by torch.save, as their publishers save them
    python3 make_torch_weights.py             narrow.json and narrow/: a network of every family, a
                                              few channels wide, as the three containers that are
                                              published, each of another type of elements, and
                                              ResNet-18 of all types; what is in them, and their
                                              logits

Needs what make_goldens.py needs, and safetensors; ends with 3 where that is not installed.
"""

import itertools
import json
import pathlib
import sys
import zlib

try:
    import torch
    from torch import nn

    import make_goldens
    import paper_networks
    import synthetic
    from check_torch_files import DTYPES, save
except ImportError as error:
    print(error)
    sys.exit(3)

HERE = pathlib.Path(__file__).resolve().parent
CLASSES = 4
CONTAINERS = ("zip", "legacy", "safetensors")
ALL_TYPES = "resnet18"
# The network, by what its widths are divided (so that no two that it tells apart become equal), and
# the size of its image.
NARROW = [("vgg11_bn", 32, 64), ("resnet18", 32, 64), ("resnet20_cifar", 4, 32),
          ("densenet121", 32, 64), ("mobilenet_v1", 16, 64), ("mobilenet_v2", 16, 64),
          ("mobilenet_v3_small", 16, 64), ("googlenet", 32, 64), ("bn_inception", 32, 64),
          ("inception_v3", 32, 97)]


def write_case(name, path):
    case = next(case for case in make_goldens.CASES if case.name == name)
    network = make_goldens.reference_network(case)
    synthetic.fill_model(network, make_goldens.SEED)
    # Files from before 1.6 are still published for some networks: VGG and MobileNetV2.
    legacy = case.model.startswith(("vgg", "mobilenet_v2"))
    state = network.state_dict()
    if case.model.endswith("_cifar"):  # of one's own: a training's dict, under DataParallel's names
        state = {"epoch": 1, "state_dict": torch.nn.DataParallel(network).state_dict()}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)


@torch.no_grad()
def narrow(network, divisor, image):
    """Makes every layer so much narrower, and as wide as what it reads, as an image goes through."""
    def resize(layer, inputs):
        channels = inputs[0].shape[1]
        if isinstance(layer, nn.BatchNorm2d):
            layer.__init__(channels, layer.eps)
        elif isinstance(layer, nn.Linear):
            outputs = layer.out_features
            # Those of VGG, between a picture and its classes, have most of the parameters.
            layer.__init__(channels, outputs if outputs == CLASSES else outputs // divisor // 8)
        else:
            depthwise = 1 < layer.groups == layer.in_channels
            outputs = channels if depthwise else max(1, layer.out_channels // divisor)
            layer.__init__(channels, outputs, layer.kernel_size, layer.stride, layer.padding,
                           groups=channels if depthwise else 1, bias=layer.bias is not None)
        layer.eval()

    for block in network.modules():
        if isinstance(block, paper_networks.CifarBlock):
            block.missing //= divisor
    hooks = [module.register_forward_pre_hook(resize) for module in network.modules()
             if isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear))]
    network(image)
    for hook in hooks:
        hook.remove()


def raw(tensor):
    view = tensor.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()])
    return view.numpy().tobytes()


@torch.no_grad()
def write_narrow():
    (HERE / "narrow").mkdir(exist_ok=True)
    texts = []
    for index, (model, divisor, size) in enumerate(NARROW):
        case = make_goldens.Case(model, size, size, classes=CLASSES)
        image, other = (torch.from_numpy(synthetic.synthetic_input(case.input_shape, seed))
                        for seed in (make_goldens.SEED, make_goldens.SEED + 1))
        network = make_goldens.reference_network(case)
        narrow(network, divisor, image)
        synthetic.fill_model(network, make_goldens.SEED)
        single = {key: t.clone() for key, t in network.state_dict().items()}
        files = zip(CONTAINERS, [*DTYPES, *DTYPES][index % 3:])
        if model == ALL_TYPES:
            files = itertools.product(CONTAINERS, DTYPES)
        for container, kind in files:
            network.float().load_state_dict(single)
            state = {key: t.clone() for key, t in network.to(DTYPES[kind]).state_dict().items()}
            logits, others = (network.double()(picture.double())[0] for picture in (image, other))
            # The picture counts for more than the tests allow for rounding.
            assert (logits - others).abs().max() > 1e-3 * logits.abs().max(), model
            path = f"narrow/{model}.{kind}.{container}"
            save(container, state, model.endswith("_cifar"), HERE / path)
            # Tensors are listed as their names sort.
            crc = zlib.crc32(b"".join(raw(state[key]) for key in sorted(state)))
            texts.append(json.dumps({"file": path, "model": model, "dtype": kind,
                                     "input": case.input_shape, "tensors": len(state), "crc": crc,
                                     "logits": logits.tolist()}))
    (HERE / "narrow.json").write_text("[\n" + ",\n".join(texts) + "\n]\n")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        write_case(*sys.argv[1:])
    else:
        write_narrow()
