"""Every file that PyTorch writes of torchvision's models, read by Lumbar: by hand, not in CI.

    python3 check_torch_files.py CONVERT FOLDER              all models; takes four minutes
    python3 check_torch_files.py CONVERT FOLDER vgg11 ...    these

CONVERT is the program examples/convert, FOLDER where files stand while they are compared (2 GB).
Each model's random weights are saved by torch.save as a zip archive and as the stream before it,
and by safetensors, in F32, F16 and BF16; the CIFAR networks in a training's dict, under
DataParallel's names. Lumbar must find the same tensors, bit by bit, and for F32 yield torchvision's
logits. Prints a line for each model; ends with 1 where one differs, with 3 where a package is
missing (torch, torchvision, safetensors, and what make_goldens.py needs).
"""

import json
import pathlib
import subprocess
import sys
import time

try:
    import safetensors.torch
    import torch
    import torchvision

    import make_goldens
    import paper_networks
    import synthetic
except ImportError as error:
    print(error)
    sys.exit(3)

SEED = 1
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
MODELS = [name for name in dict.fromkeys(case.model for case in make_goldens.CASES)
          if hasattr(torchvision.models, name)] + make_goldens.CIFAR_RESNETS


def random_network(name):
    torch.manual_seed(SEED)
    if name.endswith("_cifar"):
        depth = int(name.removeprefix("resnet").removesuffix("_cifar"))
        network = paper_networks.CifarResNet((depth - 2) // 6, 10)
    else:
        # Their own initial weights take minutes, and their transform belongs to the picture.
        slow = {"init_weights": False, "transform_input": False}
        network = getattr(torchvision.models, name)(
            weights=None, **(slow if name in ("googlenet", "inception_v3") else {}))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias.data):
                tensor.uniform_(-0.1, 0.1)
            for tensor in (module.running_var, module.weight.data):
                tensor.uniform_(0.5, 1.0)
    return network.eval()


def save(container, state, wrapped, path):
    if container == "safetensors":
        return safetensors.torch.save_file(state, path)
    if wrapped:
        state = {"epoch": 1, "state_dict": {f"module.{key}": t for key, t in state.items()}}
    torch.save(state, path, _use_new_zipfile_serialization=container == "zip")


def difference(expected, found):
    """The first tensor that is another, or nothing."""
    if expected.keys() != found.keys():
        return f"names: {sorted(expected.keys() ^ found.keys())[:4]}"
    for name, tensor in expected.items():
        other = found[name]
        if tensor.dtype != other.dtype or tensor.shape != other.shape:
            return name
        width = {2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
        if not torch.equal(tensor.view(width), other.view(width)):
            return name
    return ""


@torch.no_grad()
def check(name, convert, folder):
    begin = time.monotonic()
    network = random_network(name)
    size = {"inception_v3": 299}.get(name, 32 if name.endswith("_cifar") else 224)
    image = torch.from_numpy(synthetic.synthetic_input((1, 3, size, size), SEED))
    logits = network(image)[0]
    error, files = None, 0
    source, copy = folder / f"{name}.weights", folder / f"{name}.copy"
    for kind, dtype in DTYPES.items():
        state = {key: t.detach().to(dtype) if t.is_floating_point() else t
                 for key, t in network.state_dict().items()}
        for container in ("zip", "legacy", "safetensors"):
            try:
                save(container, state, name.endswith("_cifar"), source)
                # The same bytes have the same logits: once is enough.
                probe = ["--probe"] if (kind, container) == ("F32", "zip") else []
                done = subprocess.run([convert, source, copy, "--model", name, *probe],
                                      capture_output=True, text=True)
                if done.returncode != 0:
                    return f"{kind} {container}: {done.stderr.strip()}"
                found = safetensors.torch.load_file(copy)
                if differs := difference(state, found):
                    return f"{kind} {container}: {differs}"
                if probe:
                    with safetensors.safe_open(copy, "pt") as file:
                        answer = json.loads(file.metadata()["lumbar.probe"])["logits"]
                    error = ((torch.tensor(answer) - logits).abs().max() / logits.abs().max()).item()
                    if not error < 1e-4:
                        return f"logits are off by {error:.1e} of the largest"
                files += 1
            finally:
                source.unlink(missing_ok=True)
                copy.unlink(missing_ok=True)
    print(f"{name:24} {files} files, {len(state)} tensors the same; logits off by {error:.1e} of "
          f"the largest; {time.monotonic() - begin:.0f} s", flush=True)
    return ""


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    convert, folder = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    folder.mkdir(parents=True, exist_ok=True)
    bad = 0
    for name in sys.argv[3:] or MODELS:
        if problem := check(name, convert, folder):
            print(f"{name:24} DIFFERS: {problem}", flush=True)
            bad += 1
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
