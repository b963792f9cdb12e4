"""Writes a network of torchvision, timm or pretrainedmodels with Lumbar's synthetic weights.

    python3 export.py MODELS NAME SIZE

makes MODELS/NAME.onnx, NAME.pt (traced TorchScript), NAME.shape (of the input, JSON), NAME.input
and NAME.reference (PyTorch's float32 logits; both raw float32).
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests" / "goldens"))

import make_goldens  # noqa: E402
import synthetic  # noqa: E402
import torch  # noqa: E402


def main():
    models, name, size = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    case = make_goldens.Case(name, size, size)
    network = make_goldens.reference_network(case)
    synthetic.fill_model(network, make_goldens.SEED)
    image = torch.from_numpy(synthetic.synthetic_input(case.input_shape, make_goldens.SEED))
    stem = models / name
    with torch.no_grad():
        network(image).numpy().tofile(f"{stem}.reference")
        torch.jit.trace(network, image).save(f"{stem}.pt")
        torch.onnx.export(
            network, image, f"{stem}.onnx", opset_version=14,
            input_names=["input"], output_names=["logits"],
        )
    image.numpy().tofile(f"{stem}.input")
    pathlib.Path(f"{stem}.shape").write_text(json.dumps(list(image.shape)).replace(" ", ""))


if __name__ == "__main__":
    main()
