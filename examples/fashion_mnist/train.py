#!/usr/bin/env python3
"""Trains the demo network: a small MobileNet V2 (arXiv 1801.04381) for Fashion-MNIST.

    python3 train.py --help
    python3 train.py                 # trains, then writes everything listed below
    python3 train.py --evaluate      # only evaluates fashion_mnist.safetensors again

Needs PyTorch and the four idx files of Fashion-MNIST (Debian: python3-torch and
dataset-fashion-mnist), nothing else. Writes into the folder of this file:

    fashion_mnist.safetensors   the weights, float32, under torchvision's parameter names
    expected.json               what PyTorch answers with these weights, to compare with
    labels.txt                  the ten class names, one a line
    images/                     eight test pictures, 28 x 28 greyscale PNG
    train.log                   appended: versions, size, then a line per epoch

The input is N x 1 x 28 x 28, (pixel / 255 - MEAN) / STD. The shipped weights are the moving average
after the last epoch; the test accuracy is only printed along the way and selects nothing.

Fashion-MNIST is (c) 2017 Zalando SE, under the MIT licence (arXiv 1708.07747).
"""

import argparse
import copy
import gzip
import json
import math
import platform
import struct
import time
import zlib
from pathlib import Path

import numpy
import torch
from torch import nn
from torch.nn import functional

HERE = Path(__file__).resolve().parent
DATA = "/usr/share/datasets/fashion-mnist"  # where Debian's package puts the idx files
LABELS = ["t_shirt", "trouser", "pullover", "dress", "coat",
          "sandal", "shirt", "sneaker", "bag", "ankle_boot"]
MEAN, STD = 0.2860, 0.3530  # of the training images

# ---------------------------------------------------------------------------------------- network

STEM = 16
STEM_STRIDE = 1  # the paper's is 2; 28 x 28 is small enough already
ROWS = [
    # expansion, channels, repeats, stride     # shape after the row; the stem leaves 16 x 28 x 28
    (1, 16, 1, 1),                             # 16 x 28 x 28
    (4, 32, 2, 2),                             # 32 x 14 x 14
    (4, 48, 3, 2),                             # 48 x  7 x  7
    (4, 80, 2, 1),                             # 80 x  7 x  7
]
HEAD = 320
DROPOUT = 0.1


def conv_norm(inputs, outputs, kernel, stride=1, groups=1):
    """Convolution, batch norm and ReLU6; `0` and `1` in the parameter names."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-5),
        nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """Widen by 1 x 1, 3 x 3 per channel, narrow by 1 x 1 without activation (figure 4 d)."""

    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        widen = [conv_norm(inputs, hidden, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *widen,
            conv_norm(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-5))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """Table 2 of the paper with the rows above; parameter names as in torchvision."""

    def __init__(self):
        super().__init__()
        blocks = [conv_norm(1, STEM, 3, STEM_STRIDE)]
        width = STEM
        for expansion, channels, repeats, stride in ROWS:
            for i in range(repeats):
                first = i == 0
                blocks.append(InvertedResidual(width, channels, stride if first else 1, expansion))
                width = channels
        blocks.append(conv_norm(width, HEAD, 1))
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(HEAD, len(LABELS)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0.0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def count_macs(model):
    """Multiply-accumulates of convolutions and linear layers for one image."""
    macs = 0

    def count(module, _, output):
        nonlocal macs
        macs += output.numel() * module.weight[0].numel()

    hooks = [module.register_forward_hook(count) for module in model.modules()
             if isinstance(module, (nn.Conv2d, nn.Linear))]
    predict(model, torch.zeros(1, 1, 28, 28))
    for hook in hooks:
        hook.remove()
    return macs

# ------------------------------------------------------------------------------------------- data


def read_idx(path):
    """An idx file: two zero bytes, type 8 (bytes), number of axes, big-endian extents, data."""
    raw = gzip.open(path).read()
    axes = raw[3]
    shape = struct.unpack(f">{axes}I", raw[4:4 + 4 * axes])
    return numpy.frombuffer(raw, numpy.uint8, offset=4 + 4 * axes).reshape(shape).copy()


def read_split(folder, prefix):
    """Images as N x 1 x 28 x 28 bytes and their labels; prefix `train` or `t10k`."""
    images = read_idx(Path(folder) / f"{prefix}-images-idx3-ubyte.gz")
    labels = read_idx(Path(folder) / f"{prefix}-labels-idx1-ubyte.gz")
    return torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long()


def normalise(pixels):
    return (pixels.float() / 255 - MEAN) / STD


def augment(pixels, shift=2, erase=0.25):
    """Shifts by up to `shift` pixels, mirrors every other image, greys out a box in some."""
    n, edge = len(pixels), pixels.shape[-1]
    padded = functional.pad(pixels, [shift] * 4)
    windows = padded.unfold(2, edge, 1).unfold(3, edge, 1)  # a view: every possible shift
    top, left = torch.randint(0, 2 * shift + 1, (2, n))
    x = normalise(windows[torch.arange(n), :, top, left])
    x = torch.where(torch.rand(n, 1, 1, 1) < 0.5, x.flip(3), x)

    extent = torch.randint(4, 12, (2, n, 1))
    begin = (torch.rand(2, n, 1) * (edge + 1 - extent)).long()
    inside = (torch.arange(edge) >= begin) & (torch.arange(edge) < begin + extent)
    box = inside[0].unsqueeze(2) & inside[1].unsqueeze(1)
    box &= torch.rand(n, 1, 1) < erase
    return x.masked_fill(box.unsqueeze(1), 0.0)

# --------------------------------------------------------------------------------------- training


def keep_freed_memory():
    """Stops glibc from returning large blocks to the kernel.

    A step of 256 images fell from 231 to 146 ms; one of 128 images gained nothing.
    """
    import ctypes
    trim_threshold, mmap_max = -1, -4  # malloc.h: M_TRIM_THRESHOLD, M_MMAP_MAX
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)
    except (OSError, AttributeError):
        pass  # another libc: slower, no less correct


def predict(model, images, dtype=torch.float32):
    """Logits in evaluation mode, N x 10."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(normalise(batch).to(dtype)) for batch in images.split(500)])


def learning_rate(progress, peak, warm_up):
    """Linear to `peak` over the first `warm_up` of the steps, then half a cosine to zero."""
    if progress < warm_up:
        return peak * progress / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def make_optimiser(model, options):
    """SGD with Nesterov momentum; biases and batch norms do not decay."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    return torch.optim.SGD([{"params": matrices, "weight_decay": options.weight_decay},
                            {"params": vectors, "weight_decay": 0.0}],
                           lr=options.learning_rate, momentum=0.9, nesterov=True)


def follow(average, model, step, decay):
    """Moving average of parameters and batch-norm statistics; quicker during the first steps."""
    weight = 1 - min(decay, (1 + step) / (10 + step))
    for slow, fast in zip(average.state_dict().values(), model.state_dict().values()):
        if slow.is_floating_point():
            slow.lerp_(fast, weight)


def train(options, log):
    """Returns the averaged model after the last epoch."""
    images, labels = read_split(options.data, "train")
    test_images, test_labels = read_split(options.data, "t10k")
    model = MobileNetV2().to(memory_format=torch.channels_last)  # twice as fast as NCHW
    average = copy.deepcopy(model)
    optimiser = make_optimiser(model, options)
    steps_per_epoch = len(images) // options.batch
    steps = options.epochs * steps_per_epoch
    log(f"rows: stem {STEM} stride {STEM_STRIDE}, "
        + ", ".join(str(row).replace(" ", "") for row in ROWS) + f", head {HEAD}")
    log(f"parameters {sum(p.numel() for p in model.parameters())}, MACs {count_macs(average)}")

    step = 0
    for epoch in range(options.epochs):
        began, total = time.time(), 0.0
        model.train()
        order = torch.randperm(len(images))
        for chosen in order[:steps_per_epoch * options.batch].split(options.batch):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate((step + 1) / steps, options.learning_rate,
                                            options.warm_up / options.epochs)
            x = augment(images[chosen]).contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(model(x), labels[chosen],
                                            label_smoothing=options.label_smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            follow(average, model, step, options.average)
            total += loss.item()
            step += 1
        correct = int((predict(average, test_images).argmax(1) == test_labels).sum())
        log(f"epoch {epoch + 1:2d}/{options.epochs}  loss {total / steps_per_epoch:.4f}  "
            f"test {correct / 100:.2f} %  {time.time() - began:.0f} s")
    return average

# ------------------------------------------------------------------------------------------ files


def named_tensors(model):
    """The state dict without the batch norms' step counters, which inference does not need."""
    return {name: tensor for name, tensor in model.state_dict().items()
            if not name.endswith("num_batches_tracked")}


def write_safetensors(path, tensors, metadata):
    """u64 length of the header, JSON header padded with spaces to 8 bytes, little-endian data."""
    header, blobs, offset = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        blob = tensor.contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read_safetensors(path):
    raw = path.read_bytes()
    data = 8 + struct.unpack("<Q", raw[:8])[0]
    tensors = {}
    for name, entry in json.loads(raw[8:data]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = numpy.frombuffer(raw[data + begin:data + end], "<f4").astype(numpy.float32)
            tensors[name] = torch.from_numpy(values.reshape(entry["shape"]))
    return tensors


def write_png(path, pixels):
    """Greyscale, 8 bits, no filter."""
    def chunk(kind, body):
        return (struct.pack(">I", len(body)) + kind + body
                + struct.pack(">I", zlib.crc32(kind + body)))

    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    path.write_bytes(b"\x89PNG\r\n\x1a\n"
                     + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def choose_pictures(answers, labels, margins, count=8, margin=3.5):
    """The first clearly and correctly classified test image of each of `count` classes."""
    chosen = {}
    for index, label in enumerate(labels.tolist()):
        clear = answers[index] == label and margins[index] >= margin
        if clear and label not in chosen and len(chosen) < count:
            chosen[label] = index
    return sorted(chosen.values())


def evaluate(options, log):
    """Reads the shipped weights back, runs the test images, writes expected.json and images/."""
    model = MobileNetV2()
    missing, unexpected = model.load_state_dict(
        read_safetensors(options.output / "fashion_mnist.safetensors"), strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    images, labels = read_split(options.data, "t10k")
    logits = predict(model, images)
    answers = logits.argmax(1)
    best = logits.topk(2).values
    margins = best[:, 0] - best[:, 1]
    correct = int((answers == labels).sum())
    doubles = predict(copy.deepcopy(model).double(), images, torch.float64)
    agree = int((doubles.argmax(1) == answers).sum())
    difference = float((doubles - logits).abs().max())
    log(f"shipped weights: {correct} of {len(labels)} test images correct")
    log(f"double precision gives {agree} equal answers, logits differ by at most {difference:.1e}")

    (options.output / "images").mkdir(exist_ok=True)
    for old in (options.output / "images").glob("*.png"):
        old.unlink()
    pictures = []
    for index in choose_pictures(answers, labels, margins):
        name = f"{index:04d}-{LABELS[labels[index]]}.png"
        write_png(options.output / "images" / name, images[index, 0].numpy())
        pictures.append({"file": name, "index": index, "label": int(labels[index]),
                         "logits": [float(f"{value:.9g}") for value in logits[index].tolist()]})

    (options.output / "labels.txt").write_text("\n".join(LABELS) + "\n")
    near_ties = (margins < 1e-3).nonzero().flatten().tolist()
    lines = {  # one entry a line, so that a change shows in a diff
        "model": "fashion_mnist",
        "mean": MEAN,
        "std": STD,
        "count": len(labels),
        "correct": correct,
        "double_precision_difference": float(f"{difference:.1e}"),
        "smallest_margin": float(f"{float(margins.min()):.3g}"),
        "near_ties": near_ties,
        "predictions": "".join(map(str, answers.tolist())),
    }
    text = ",\n".join(f'  {json.dumps(key)}: {json.dumps(value)}' for key, value in lines.items())
    text += ',\n  "images": [\n' + ",\n".join("    " + json.dumps(p) for p in pictures) + "\n  ]"
    (options.output / "expected.json").write_text("{\n" + text + "\n}\n")


def parse_options():
    parser = argparse.ArgumentParser(
        description="Trains a small MobileNet V2 for Fashion-MNIST and writes the weights as "
                    "safetensors, with PyTorch's answers to compare with.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--data", default=DATA, help="folder of the four idx .gz files")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--evaluate", action="store_true",
                        help="do not train; rewrite expected.json and images/ from the weights")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the 60,000 images")
    parser.add_argument("--batch", type=int, default=128, help="images per step")
    parser.add_argument("--learning-rate", type=float, default=0.15, help="peak of the schedule")
    parser.add_argument("--warm-up", type=float, default=2.0, help="epochs up to the peak")
    parser.add_argument("--weight-decay", type=float, default=5e-4, help="for matrices only")
    parser.add_argument("--label-smoothing", type=float, default=0.1, help="share spread evenly")
    parser.add_argument("--average", type=float, default=0.998, help="decay of the moving average")
    parser.add_argument("--threads", type=int, default=1,
                        help="of PyTorch; more only where the cores are idle")
    parser.add_argument("--seed", type=int, default=1, help="of weights, order and augmentation")
    return parser.parse_args()


def main():
    options = parse_options()
    options.output.mkdir(parents=True, exist_ok=True)
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    def log(line):
        print(line, flush=True)
        with open(options.output / "train.log", "a") as file:
            file.write(line + "\n")

    if not options.evaluate:
        log(f"python {platform.python_version()}, torch {torch.__version__}, "
            f"numpy {numpy.__version__}, threads {options.threads}, {platform.machine()}")
        log(", ".join(f"{key} {value}" for key, value in vars(options).items()
                      if key not in ("data", "output", "evaluate", "threads")))
        model = train(options, log)
        logits = predict(model, read_split(options.data, "t10k")[0])
        labels = read_split(options.data, "t10k")[1]
        write_safetensors(options.output / "fashion_mnist.safetensors", named_tensors(model),
                          {"model": "fashion_mnist", "classes": ",".join(LABELS),
                           "accuracy": f"{(logits.argmax(1) == labels).float().mean():.4f}"})
    evaluate(options, log)


if __name__ == "__main__":
    main()
