"""Writes what the tests of .pth files read.

    python3 make_torch_weights.py CASE FILE   the reference's weights of a case of make_goldens.py,
                                              by torch.save, as their publishers save them
    python3 make_torch_weights.py             narrow.pth and narrow.json: a MobileNetV1 of width 1/16
                                              for four classes, in float16, under DataParallel's
                                              names in a training's dict; and its logits

Needs what make_goldens.py needs; ends with 3 where that is not installed.
"""

import json
import pathlib
import sys

try:
    import torch

    import make_goldens
    import synthetic
except ImportError as error:
    print(error)
    sys.exit(3)

HERE = pathlib.Path(__file__).resolve().parent


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
def write_narrow():
    case = make_goldens.Case("mobilenet_v1", 64, 64, width=0.0625, classes=4)
    network = make_goldens.reference_network(case)
    synthetic.fill_model(network, make_goldens.SEED)
    network.half()
    state = torch.nn.DataParallel(network).state_dict()
    torch.save({"epoch": 1, "state_dict": state}, HERE / "narrow.pth")
    image = torch.from_numpy(synthetic.synthetic_input(case.input_shape, make_goldens.SEED))
    logits = network.double()(image.double())[0].tolist()
    (HERE / "narrow.json").write_text(
        json.dumps({"input": case.input_shape, "seed": make_goldens.SEED, "logits": logits}) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        write_case(*sys.argv[1:])
    else:
        write_narrow()
