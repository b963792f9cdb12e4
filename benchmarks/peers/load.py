"""From a weight file to the first result on one thread: Lumbar, PyTorch and ONNX Runtime.

    python3 load.py LOAD [--models resnet50,mobilenet_v2] [--rounds 5]

LOAD is the program benchmarks/load. Each network of torchvision is saved by torch.save and as ONNX;
each measurement is a process of its own, in turn with the others', and the medians are printed in
milliseconds. Lumbar: load_weights and compile. PyTorch: torch.load and load_state_dict into a
network that is there already. ONNX Runtime (where it is installed): the session's creation. What
the programs and their libraries take to start is not counted. Ends with 3 without torch and
torchvision.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time


def milliseconds(begin):
    return (time.perf_counter() - begin) * 1e3


def build(name):
    import torchvision

    return getattr(torchvision.models, name)(weights=None).eval()


def image(name):
    import numpy

    size = 299 if name == "inception_v3" else 224
    return numpy.random.default_rng(1).random((1, 3, size, size), dtype=numpy.float32)


def write(name, folder):
    """NAME.pth and NAME.onnx."""
    import torch

    torch.manual_seed(1)
    network = build(name)
    torch.save(network.state_dict(), folder / f"{name}.pth")
    torch.onnx.export(network, torch.from_numpy(image(name)), folder / f"{name}.onnx",
                      input_names=["input"])


def pytorch(name, folder):
    import torch

    torch.set_num_threads(1)
    network, picture = build(name), torch.from_numpy(image(name))
    begin = time.perf_counter()
    network.load_state_dict(torch.load(folder / f"{name}.pth", map_location="cpu"))
    loaded = milliseconds(begin)
    with torch.no_grad():
        network(picture)
    return loaded, milliseconds(begin)


def onnxruntime(name, folder):
    import onnxruntime as ort

    picture = image(name)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    begin = time.perf_counter()
    session = ort.InferenceSession(str(folder / f"{name}.onnx"), options,
                                   providers=["CPUExecutionProvider"])
    loaded = milliseconds(begin)
    session.run(None, {"input": picture})
    return loaded, milliseconds(begin)


PEERS = {"PyTorch": pytorch, "ONNX Runtime": onnxruntime}


def measure(title, name, folder, program):
    """Milliseconds until the network is ready, and until its first result; or None."""
    if title in PEERS:
        command = [sys.executable, __file__, "worker", title, name, folder]
    else:
        command = [program, "--model", name, "--weights", folder / f"{name}.pth"]
        command += ["--exact"] if title.endswith("exact") else []
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{title}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
        return None
    if title in PEERS:
        return tuple(map(float, done.stdout.split()[-2:]))
    times = re.search(r"load (\S+) ms, compile (\S+) ms, .* together (\S+) ms", done.stdout)
    return float(times[1]) + float(times[2]), float(times[3])


def main():
    if sys.argv[1:2] == ["worker"]:
        title, name, folder = sys.argv[2:]
        print(*PEERS[title](name, pathlib.Path(folder)))
        return
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("load", type=pathlib.Path, help="the program benchmarks/load")
    parser.add_argument("--models", default="resnet50,mobilenet_v2")
    parser.add_argument("--rounds", type=int, default=5)
    o = parser.parse_args()
    try:
        import torch  # noqa: F401
        import torchvision  # noqa: F401
    except ImportError as error:
        print(error)
        sys.exit(3)
    for name in o.models.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            write(name, folder)
            times = {title: [] for title in ("Lumbar", "Lumbar, exact", *PEERS)}
            for _ in range(o.rounds):
                for title in list(times):
                    if found := measure(title, name, folder, o.load.resolve()):
                        times[title].append(found)
                    else:
                        del times[title]
            for title, all_times in times.items():
                ready, first = (statistics.median(column) for column in zip(*all_times))
                print(f"{name:20} {title:14} ready {ready:7.1f} ms, first result {first:7.1f} ms",
                      flush=True)


if __name__ == "__main__":
    main()
