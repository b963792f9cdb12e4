"""Makes logits.json and synthetic.json: what the reference implementations compute from synthetic
weights and inputs.

    python3 make_goldens.py                          every case; about ten minutes on one core
    python3 make_goldens.py --models vgg11,resnet18  these networks; other cases are kept
    python3 make_goldens.py --check                  compares with the stored file, writes nothing

Needs torch, torchvision, timm >= 1.0.10 and pretrainedmodels; what none of them has is in
paper_networks.py. Made with torch 1.13, torchvision 0.14.1 (Debian 12's python3-torch and
python3-torchvision), timm 1.0.31 and pretrainedmodels 0.7.4 (the oldest cases with timm 1.0.9).
Nothing is downloaded: Debian's torch and the others without their
dependencies go together like this:

    python3 -m pip install --target DIR --no-deps timm==1.0.31 'huggingface_hub<0.26' safetensors \
        pyyaml filelock fsspec tqdm packaging requests typing_extensions urllib3 idna certifi \
        charset_normalizer pretrainedmodels==0.7.4 munch
    PYTHONPATH=DIR python3 make_goldens.py

logits.json is an object; "cases" is a list of objects:

    name      the case
    model     the network, named as in models/registry.hpp; its parameters' names are those of
              include/lumbar/models
    width     the width multiplier
    numerics  "pytorch", or "tensorflow": SAME padding, which is asymmetric at stride 2, batch
              norm's epsilon 1e-3, averages that do not count padding; or "timm": epsilon 1e-5
    dialect   whose names the tensors have where they are not the library's own; see Lumbar's
              graph/dialect.hpp
    classes   the number of logits
    input     [N, C, H, W]
    seed      of the weights and of the input
    e32       max |float32 - float64| / max |float64|: the reference's own rounding error; it moves
              by a third with torch's threads and the CPU's vector width
    max_abs   max |float64|, over the whole batch
    step      of the logits every step-th is kept, from the first one on
    logits    of the float64 run: N lists of numbers with 9 significant digits

The weights are float32 in both runs. See synthetic.py for how they are made.
"""

import argparse
import functools
import json
import pathlib
import sys
import time
from dataclasses import dataclass, field

import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torchvision.models.googlenet import BasicConv2d as google_unit
from torchvision.models.inception import BasicConv2d as inception_unit

import synthetic

HERE = pathlib.Path(__file__).resolve().parent
SEED = 1


@dataclass(frozen=True)
class Case:
    """One network on one input size; `width` is the width multiplier, `width_px` the image's."""

    model: str
    height: int = 224
    width_px: int = 224
    batch: int = 1
    width: float = 1.0
    numerics: str = "pytorch"
    classes: int = 1000
    dialect: str = ""
    step: int = 1

    @property
    def name(self):
        parts = [self.model]
        if self.width != 1.0:
            parts.append(f"w{self.width:g}")
        if self.numerics != "pytorch":
            parts.append({"tensorflow": "tf"}.get(self.numerics, self.numerics))
        if self.dialect:
            parts.append(f"in_{self.dialect}")
        parts.append(f"{self.height}x{self.width_px}")
        if self.batch != 1:
            parts.append(f"b{self.batch}")
        return "_".join(parts)

    @property
    def input_shape(self):
        return (self.batch, 3, self.height, self.width_px)


VGGS = [f"vgg{depth}{bn}" for bn in ("", "_bn") for depth in (11, 13, 16, 19)]
RESNETS = [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)]
RESNET_VARIANTS = [
    "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2",
    "wide_resnet101_2", "resnet18d", "resnet34d", "resnet50d", "resnet101d", "resnet152d",
    "seresnet50", "seresnext50_32x4d", "resnet50_v1", "resnet101_v1", "resnet152_v1",
    "cafferesnet101", *(f"resnetv2_{depth}" for depth in (18, 34, 50, 101, 152)),
]
CIFAR_RESNETS = [f"resnet{depth}_cifar" for depth in (20, 32, 44, 56, 110)]
DENSENETS = [f"densenet{depth}" for depth in (121, 169, 201, 161)]
MINIMAL = ["mobilenet_v3_large_minimal", "mobilenet_v3_small_minimal"]
MOBILENETS = ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"]
INCEPTIONS = ("googlenet", "inception_v3")
TENSORFLOW = {"numerics": "tensorflow", "classes": 1001}  # its class 0 is the background
FEW = {"step": 20}  # keeps logits.json small: a wrong layer changes all of them

CASES = [
    *(Case(model) for model in VGGS + RESNETS),
    *(Case(model, width=width) for model in MOBILENETS for width in (1.0, 0.5)),
    Case("googlenet"),
    Case("bn_inception"),
    Case("inception_v3", 299, 299),
    # Sizes that are odd, not square, or small, and batches.
    Case("resnet18", 97, 131, batch=3),
    Case("mobilenet_v1", 128, 128),
    Case("mobilenet_v2", 96, 128, batch=2),
    Case("mobilenet_v3_large", 97, 131),
    Case("mobilenet_v3_small", 97, 131, batch=2, width=0.75),
    Case("googlenet", 97, 131, batch=2),
    Case("bn_inception", 97, 131, batch=2),
    Case("inception_v3", 97, 131),
    Case("vgg11_bn", 64, 80),  # 2x2 features: the adaptive pooling repeats them
    # SAME padding at stride 2 is lopsided where the size is even: at 224 always, at 97x131 rarely.
    *(Case(model, *size, **TENSORFLOW) for model in MOBILENETS for size in ((224, 224), (97, 131))),
    # The rest of the zoo, at small and odd sizes: the large ones take their time.
    *(Case(model, 97, 131, **FEW) for model in RESNET_VARIANTS + DENSENETS + MINIMAL),
    *(Case(model, 32, 32, classes=10) for model in CIFAR_RESNETS),
    Case("inception_v1", **FEW),
    Case("inception_v2", 147, 131, **FEW),
    # One of each family: 32x32, oblong, and a batch of three.
    *(
        Case(model, *size, **FEW)
        for model in ("vgg11", "resnet50d", "resnetv2_50", "densenet121", "mobilenet_v1",
                      "mobilenet_v3_small", "inception_v1")
        for size in ((32, 32), (320, 240))
    ),
    *(
        Case(model, 65, 79, batch=3, **FEW)
        for model in ("vgg11", "resnext50_32x4d", "seresnet50", "resnetv2_18", "densenet121",
                      "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "inception_v1")
    ),
    Case("resnet20_cifar", 33, 47, batch=3, classes=10),
    Case("inception_v2", 97, 131, batch=3, **FEW),
    Case("inception_v3", 97, 131, numerics="tensorflow", **FEW),
    # The sizes of BN-Inception are 32 k - 1 to 32 k + 6, those of Inception V3 at least 75.
    *(Case("mobilenet_v2", *size, **FEW) for size in ((32, 32), (320, 240))),
    Case("bn_inception", 32, 32, batch=3, **FEW),
    Case("bn_inception", 320, 256, **FEW),
    Case("inception_v3", 75, 79, batch=3, **FEW),
    Case("inception_v3", 320, 240, **FEW),
    # timm's numerics, and the same networks under other names than the library's.
    *(Case(f"mobilenet_v3_{size}", numerics="timm", **FEW) for size in ("large", "small")),
    *(Case(model, 97, 131, dialect="timm", **FEW)
      for model in ("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small")),
    *(Case(f"{model}_minimal", 97, 131, dialect="timm", numerics="tensorflow", **FEW)
      for model in ("mobilenet_v3_large", "mobilenet_v3_small")),
]


# --- The reference networks -----------------------------------------------------------------------


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding: where it is odd, the far side gets more."""

    def forward(self, x):
        pads = []
        for axis in (1, 0):  # F.pad wants the last axis first
            size, stride = x.shape[2 + axis], self.stride[axis]
            reach = (self.kernel_size[axis] - 1) * self.dilation[axis] + 1
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
            pads += [total // 2, total - total // 2]
        x = F.pad(x, pads)
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def use_tensorflow_numerics(module):
    """Makes every convolution of `module` a SameConv2d and sets batch norm's epsilon to 1e-3."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            child.eps = 1e-3
        if isinstance(child, nn.Conv2d):
            same = SameConv2d(
                child.in_channels, child.out_channels, child.kernel_size, child.stride,
                dilation=child.dilation, groups=child.groups, bias=child.bias is not None,
            )
            setattr(module, name, same)
        else:
            use_tensorflow_numerics(child)


TIMM_NAMES = {
    "mobilenet_v2": "mobilenetv2_100",
    "mobilenet_v3_large": "mobilenetv3_large_100",
    "mobilenet_v3_small": "mobilenetv3_small_100",
    "mobilenet_v3_large_minimal": "tf_mobilenetv3_large_minimal_100",
    "mobilenet_v3_small_minimal": "tf_mobilenetv3_small_minimal_100",
}


def resnet_v1(depth, classes):
    """The paper's placement of the stride, with the biases and epsilon of Keras."""
    network = getattr(torchvision.models, f"resnet{depth}")(num_classes=classes)
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1.001e-5
        if isinstance(module, nn.Conv2d):
            stride = 2 if name in ("conv1", *(f"layer{i}.0.conv1" for i in (2, 3, 4))) else 1
            if "downsample" in name:
                stride = module.stride
            *path, last = name.split(".")
            parent = network.get_submodule(".".join(path))
            setattr(parent, last, nn.Conv2d(module.in_channels, module.out_channels,
                                            module.kernel_size, stride, module.padding))
    return network


def minimal_mobilenet_v3(case):
    """torchvision's network with rows of 3x3 kernels, ReLU and no squeeze-and-excite."""
    from torchvision.models.mobilenetv3 import MobileNetV3, _mobilenet_v3_conf

    rows, last_channel = _mobilenet_v3_conf(case.model.removesuffix("_minimal"))
    for row in rows:
        row.kernel, row.use_se, row.use_hs = 3, False, False
    network = MobileNetV3(rows, last_channel, num_classes=case.classes)
    network.features[0][2] = network.features[-1][2] = network.classifier[1] = nn.ReLU()
    return network


def uncount_padding(module, inputs):
    """Before a convolution that reads 3x3 averages: makes them averages over the image alone."""
    if isinstance(inputs[0], torch.fx.Proxy):
        return None
    inside = F.avg_pool2d(torch.ones_like(inputs[0][:1, :1]), 3, 1, 1)
    return inputs[0] / inside


def reference_network(case):
    """The reference implementation's module, with its random weights, in inference mode."""
    import timm

    import paper_networks

    if case.dialect == "timm":
        name = TIMM_NAMES.get(case.model, case.model)
        return timm.create_model(name, num_classes=case.classes).eval()
    if case.model in timm.list_models() and not hasattr(torchvision.models, case.model):
        network = timm.create_model(case.model, num_classes=case.classes)
    elif case.model.endswith("_cifar"):
        depth = int(case.model.removeprefix("resnet").removesuffix("_cifar"))
        network = paper_networks.CifarResNet((depth - 2) // 6, case.classes)
    elif case.model == "inception_v1":
        network = paper_networks.InceptionV1(case.classes)
    elif case.model == "inception_v2":
        network = paper_networks.FactorisedInceptionV2(case.classes)
    elif case.model.endswith("_v1") and case.model.startswith("resnet"):
        network = resnet_v1(case.model.removeprefix("resnet").removesuffix("_v1"), case.classes)
    elif case.model == "cafferesnet101":
        network = torchvision.models.resnet101(num_classes=case.classes)
        network.maxpool = nn.MaxPool2d(3, 2, 0, ceil_mode=True)
        for layer in (network.layer2, network.layer3, network.layer4):
            layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    elif case.model in MINIMAL:
        network = minimal_mobilenet_v3(case)
    elif case.model == "mobilenet_v1":
        from timm.models.efficientnet import _gen_mobilenet_v1

        network = _gen_mobilenet_v1(
            "mobilenetv1_100", channel_multiplier=case.width, num_classes=case.classes
        )
    elif case.model == "mobilenet_v2":
        network = torchvision.models.mobilenet_v2(width_mult=case.width, num_classes=case.classes)
    elif case.model.startswith("mobilenet_v3"):
        from torchvision.models.mobilenetv3 import MobileNetV3, _mobilenet_v3_conf

        rows, last_channel = _mobilenet_v3_conf(case.model, width_mult=case.width)
        network = MobileNetV3(rows, last_channel, num_classes=case.classes)
    elif case.model == "bn_inception":
        import pretrainedmodels

        network = pretrainedmodels.bninception(num_classes=case.classes, pretrained=None)
        network.global_pool = nn.AdaptiveAvgPool2d(1)  # for other sizes than 224: it is 7x7
    else:
        # The weights are overwritten: the slow initialisation of some would be wasted.
        options = {"init_weights": False} if case.model.startswith(("vgg", *INCEPTIONS)) else {}
        if case.model in INCEPTIONS:
            options.update(aux_logits=False, transform_input=False)
        network = getattr(torchvision.models, case.model)(num_classes=case.classes, **options)
    if case.numerics == "tensorflow" and case.model == "inception_v3":
        for name, module in network.named_modules():
            if name.endswith("branch_pool"):
                module.register_forward_pre_hook(uncount_padding)
    elif case.numerics == "tensorflow":
        use_tensorflow_numerics(network)
    if case.numerics == "timm":
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 1e-5
    return network.eval()


# --- Running them ---------------------------------------------------------------------------------

# These end in a ReLU that is a function, no module.
CONV_UNITS = (google_unit, inception_unit)


@dataclass
class Health:
    """What may be wrong with the signal inside a network, gathered while it runs."""

    clipped: float = 0.0  # the largest share of an activation's outputs at its upper bound
    silent: float = 0.0  # the largest share of an activation's outputs at its lower bound
    largest: float = 0.0  # the largest activation
    handles: list = field(default_factory=list)

    def watch(self, network):
        for module in network.modules():
            if isinstance(module, (nn.ReLU, nn.ReLU6, nn.Hardsigmoid, *CONV_UNITS)):
                self.handles.append(module.register_forward_hook(self.record))

    def record(self, module, inputs, output):
        self.silent = max(self.silent, (output == 0).float().mean().item())
        self.largest = max(self.largest, output.abs().max().item())
        top = {nn.ReLU6: 6, nn.Hardsigmoid: 1}.get(type(module))
        if top is not None:
            self.clipped = max(self.clipped, (output == top).float().mean().item())

    def stop(self):
        for handle in self.handles:
            handle.remove()


@dataclass
class Result:
    logits: torch.Tensor  # float64
    e32: float
    sensitivity: float
    health: Health

    @property
    def max_abs(self):
        return self.logits.abs().max().item()

    @property
    def warnings(self):
        """Reasons not to trust this case as a golden."""
        checks = {
            "logits not finite": not bool(torch.isfinite(self.logits).all()),
            "insensitive to the input": self.sensitivity < 0.01,
            "e32 unusual": not 3e-8 < self.e32 < 4e-6,
            "logits' size unusual": not 0.2 < self.max_abs < 100,
            "clipped": self.health.clipped > 0.5,
            "silent": self.health.silent > 0.9,
        }
        return ", ".join(reason for reason, found in checks.items() if found)


@torch.no_grad()
def run_case(case):
    """The case's logits in float64, and how they compare with other runs."""
    network = reference_network(case)
    synthetic.fill_model(network, SEED)
    image = torch.from_numpy(synthetic.synthetic_input(case.input_shape, SEED))
    other = torch.from_numpy(synthetic.synthetic_input(case.input_shape, SEED + 1))
    health = Health()
    health.watch(network)
    single = network(image).double()
    health.stop()
    single_other = network(other).double()
    exact = network.double()(image.double())
    scale = exact.abs().max()
    return Result(
        logits=exact,
        e32=((single - exact).abs().max() / scale).item(),
        sensitivity=((single_other - single).abs().max() / scale).item(),
        health=health,
    )


# --- The files ------------------------------------------------------------------------------------


def lines_of_numbers(values, per_line=8):
    """The inside of a JSON list: 9 significant digits, a few to a line so that diffs are short."""
    texts = [f"{value:.9g}" for value in values]
    return ",\n".join(",".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line))


def as_json(case, result):
    head = {
        "name": case.name,
        "model": case.model,
        "width": case.width,
        "numerics": case.numerics,
        "classes": case.classes,
        "dialect": case.dialect,
        "step": case.step,
        "input": list(case.input_shape),
        "seed": SEED,
        "e32": float(f"{result.e32:.3g}"),
        "max_abs": float(f"{result.max_abs:.9g}"),
    }
    kept = result.logits[:, :: case.step]
    images = ",\n".join(f"[{lines_of_numbers(image.tolist())}]" for image in kept)
    return json.dumps(head)[:-1] + f', "logits": [\n{images}]}}'


def stored_cases(path):
    """{name: the case's text} of an existing logits.json, for runs that make only some cases."""
    if not path.exists():
        return {}
    texts = {}
    for case in json.loads(path.read_text())["cases"]:
        images = ",\n".join(f"[{lines_of_numbers(image)}]" for image in case.pop("logits"))
        texts[case["name"]] = json.dumps(case)[:-1] + f', "logits": [\n{images}]}}'
    return texts


def write_logits(path, results):
    texts = stored_cases(path)
    texts.update({case.name: as_json(case, result) for case, result in results.items()})
    ordered = [texts[case.name] for case in CASES if case.name in texts]
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    head = json.dumps({"made_by": "tests/goldens/make_goldens.py", "versions": versions})
    path.write_text(head[:-1] + ', "cases": [\n' + ",\n".join(ordered) + "\n]}\n")


def check_logits(path, results):
    """True if the results agree with the stored file to its nine digits, and nothing is missing."""
    stored = {case["name"]: case for case in json.loads(path.read_text())["cases"]}
    agree = True
    for case, result in results.items():
        if case.name not in stored:
            print(f"{case.name}: not in {path.name}")
            agree = False
            continue
        kept = torch.tensor(stored[case.name]["logits"], dtype=torch.float64)
        error = ((kept - result.logits[:, :: case.step]).abs().max() / result.max_abs).item()
        if not error < 1e-8:
            print(f"{case.name}: differs from {path.name} by {error:.1e} of the largest logit")
            agree = False
    return agree


def write_synthetic(path):
    """The first values of some tensors, exactly: u, and the element after centre and amplitude."""
    samples = [
        ("features.0.weight", "weight", (64, 3, 3, 3), 1.0),
        ("features.0.0.weight", "weight", (32, 3, 3, 3), 1.0),
        ("conv1.weight", "weight", (64, 3, 7, 7), 1.0),
        ("layer1.0.bn2.weight", "bn.weight", (64,), 0.0625),
        ("layer2.0.downsample.1.weight", "bn.weight", (128,), 0.5**0.5),
        ("features.0.1.weight", "bn.weight", (32,), 1.125),
        ("layer1.0.bn1.running_mean", "bn.running_mean", (64,), 1.0),
        ("layer1.0.bn1.running_var", "bn.running_var", (64,), 1.0),
        ("Mixed_6b.branch7x7_2.conv.weight", "branch.weight", (128, 128, 1, 7), 1.0),
        ("Mixed_6b.branch7x7_2.bn.weight", "bn.weight", (128,), 1.15),
        ("features.4.block.3.1.weight", "bn.weight", (40,), 0.5**0.5 * 1.5),
        ("classifier.6.weight", "logits.weight", (1000, 4096), 1.0),
        ("classifier.6.bias", "bias", (1000,), 1.0),
    ]
    tensors = [
        exact_sample(name, role, shape, seed, *synthetic.range_of_parameter(role, shape, gain))
        for name, role, shape, gain in samples
        for seed in ((1, 2) if name == "features.0.weight" else (1,))
    ]
    tensors.append(exact_sample("input", "input", (1, 3, 224, 224), 1, 0.0, 1.0))
    lines = ",\n".join(json.dumps(tensor) for tensor in tensors)
    path.write_text('{"tensors": [\n' + lines + "\n]}\n")


def exact_sample(name, role, shape, seed, centre, amplitude, count=8):
    values = synthetic.synthetic_tensor(name, (count,), centre, amplitude, seed)
    return {
        "name": name,
        "role": role,
        "shape": list(shape),
        "seed": seed,
        "fnv1a_64": f"0x{synthetic.fnv1a_64(name):016x}",
        "centre": float(centre).hex(),
        "amplitude": float(amplitude).hex(),
        "u": [value.hex() for value in synthetic.unit_values(name, count, seed).tolist()],
        "values": [value.hex() for value in values.tolist()],
    }


# --- The command ----------------------------------------------------------------------------------

COLUMNS = "{:<36}{:>9}{:>8}{:>9}{:>9}{:>9}{:>8}{:>8}{:>6}  {}"


def print_row(case, result, seconds):
    health = result.health
    cells = (f"{result.e32:.2e}", f"{result.max_abs:.3f}", f"{result.logits.std().item():.3f}",
             f"{result.sensitivity:.3f}", f"{health.largest:.3g}", f"{health.clipped:.3f}",
             f"{health.silent:.3f}", f"{seconds:.0f}")
    print(COLUMNS.format(case.name, *cells, result.warnings or "ok"), flush=True)


def main():
    about = __doc__.split("\n\n")[0]
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--models", metavar="A,B", help="only the cases of these networks")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    parser.add_argument("--threads", type=int, default=2, help="for torch (default: 2)")
    arguments = parser.parse_args()
    known = {case.model for case in CASES}
    models = set(arguments.models.split(",")) if arguments.models else known
    if unknown := sorted(models - known):
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    torch.set_num_threads(arguments.threads)

    titles = "case", "e32", "max", "std", "sensit.", "largest", "clipped", "silent", "s", ""
    print(COLUMNS.format(*titles))
    results = {}
    for case in CASES:
        if case.model in models:
            start = time.monotonic()
            results[case] = run_case(case)
            print_row(case, results[case], time.monotonic() - start)

    if arguments.check:
        return 0 if check_logits(HERE / "logits.json", results) else 1
    write_logits(HERE / "logits.json", results)
    write_synthetic(HERE / "synthetic.json")
    return 1 if any(result.warnings for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
