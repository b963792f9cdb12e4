"""Makes features.json: feature maps of the reference implementations, from synthetic weights.

    python3 make_features.py            every case; about two minutes
    python3 make_features.py --models densenet121,vgg11    these networks; other cases are kept
    python3 make_features.py --check    compares with the stored file, writes nothing

Needs what make_goldens.py needs. Maps are taken by hooks on modules, by torchvision's
create_feature_extractor, and by timm's features_only; the output strides of 8 and 16 are
torchvision's replace_stride_with_dilation and timm's output_stride.

features.json is an object; "cases" is a list of objects:

    name           the case
    model          the network, named as in models/registry.hpp
    input          [N, C, H, W]
    output_stride  0, or what the network was limited to
    expanded       whether the maps are those that the next reduction reads (FeatureTap::expanded)
    strides        what to ask for; or
    layers         modules to ask for
    maps           of the float64 run, one for each of them:
        shape      [N, C, H, W]
        e32        max |float32 - float64| / max |float64|
        max_abs    max |float64|
        norm       the root of the sum of all squares
        samples    SAMPLES elements, evenly spaced: element (2 k + 1) size / (2 SAMPLES) in C order
"""

import argparse
import json
import sys

import torch
import torchvision
from torchvision.models.feature_extraction import create_feature_extractor

import make_goldens
import synthetic

SAMPLES = 16
STRIDES = [2, 4, 8, 16, 32]


# --- Ways of taking maps: each makes of a filled network a function to a list of tensors ----------


def extractor(*names):
    def make(network):
        extract = create_feature_extractor(network, list(names))
        return extract, lambda x: [extract(x)[name] for name in names]

    return make


def taken(*names):
    """What these modules give, or read, where a name begins with "<"."""

    def make(network):
        values = {}
        for name in names:
            module = network.get_submodule(name.removeprefix("<"))
            if name.startswith("<"):
                module.register_forward_pre_hook(
                    lambda _, inputs, name=name: values.__setitem__(name, inputs[0].clone())
                )
            else:
                module.register_forward_hook(
                    lambda _, inputs, output, name=name: values.__setitem__(name, output.clone())
                )

        def run(x):
            network(x)
            return [values[name] for name in names]

        return network, run

    return make


def before_pools(network):
    """What VGG's poolings read, and what the last one gives."""
    pools = [name for name, m in network.named_modules() if isinstance(m, torch.nn.MaxPool2d)]
    return taken(*("<" + name for name in pools[1:]), pools[-1])(network)


def after_stem(network):
    """A residual network's activation after its first layers, and its four stages."""
    return taken("act1" if hasattr(network, "act1") else "relu",
                 "layer1", "layer2", "layer3", "layer4")(network)


def timm_features(name, indices, output_stride=32):
    """timm's network of that name with the weights of the one that is given, tensor by tensor."""

    def make(network):
        import timm

        features = timm.create_model(
            name, features_only=True, out_indices=indices, output_stride=output_stride
        )
        for module in features.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eps = next(
                    m.eps for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)
                )
        source = [(k, v) for k, v in network.state_dict().items() if "num_batches" not in k]
        target = [(k, v) for k, v in features.state_dict().items() if "num_batches" not in k]
        for (from_name, value), (to_name, place) in zip(source, target):
            assert value.shape == place.shape, (from_name, to_name)
            with torch.no_grad():
                place.copy_(value)
        features.eval()
        return features, features

    return make


def dilated(build, *names):
    """Another network's modules, with the weights of the one that is given."""

    def make(network):
        other = build()
        other.load_state_dict(network.state_dict())
        return taken(*names)(other.eval())

    return make


def dilated_torchvision():
    return torchvision.models.resnet50(replace_stride_with_dilation=[False, True, True])


def dilated_timm(name, output_stride):
    import timm

    return lambda: timm.create_model(name, output_stride=output_stride)


def case(model, take, height=97, width=131, batch=1, **what):
    size = "x".join(map(str, (height, width)))
    extra = "".join(f"_{key}" if value is True else f"_os{value}" for key, value in what.items()
                    if key in ("expanded", "output_stride"))
    if "layers" not in what:
        what.setdefault("strides", STRIDES)
    return {"name": f"{model}{extra}_{size}", "model": model, "input": [batch, 3, height, width],
            "output_stride": 0, "expanded": False, **what}, take


STAGES = ["layer1", "layer2", "layer3", "layer4"]
CASES = [
    *(case(f"vgg{depth}{norm}", before_pools, 64, 96)
      for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
    case("resnet18", taken("layer1", "layer2", "layer3", "layer4"), batch=2, strides=STRIDES[1:]),
    *(case(model, after_stem) for model in make_goldens.RESNETS[1:] + make_goldens.RESNET_VARIANTS
      if not model.startswith("resnetv2")),
    *(case(f"resnetv2_{depth}", taken("stem.conv", *(f"stages.{i}" for i in range(4))))
      for depth in (18, 34, 50, 101, 152)),
    *(case(model, taken("layer1", "layer2", "layer3"), 33, 47, strides=[1, 2, 4])
      for model in make_goldens.CIFAR_RESNETS),
    case("resnet50", dilated(dilated_torchvision, *STAGES[1:]), output_stride=8, layers=STAGES[1:]),
    case("seresnet50", dilated(dilated_timm("seresnet50", 16), *STAGES[2:]), output_stride=16,
         layers=STAGES[2:]),
    *(case(model, dilated(dilated_timm(model, stride), *STAGES[2:]), output_stride=stride,
           layers=STAGES[2:])
      for model in ("resnet18d", "resnet50d") for stride in (8, 16)),
    *(case("resnetv2_50", dilated(dilated_timm("resnetv2_50", stride), "stages.2", "stages.3"),
           output_stride=stride, layers=["stages.2", "stages.3"]) for stride in (8, 16)),
    case("resnext50_32x4d", dilated(dilated_timm("resnext50_32x4d", 16), *STAGES[2:]),
         output_stride=16, layers=STAGES[2:]),
    *(case(model, extractor("features.relu0",
                            *(f"features.denseblock{i}.cat" for i in (1, 2, 3)), "relu"))
      for model in make_goldens.DENSENETS),
    case("mobilenet_v1", timm_features("mobilenetv1_100", (0, 1, 2, 3, 4))),
    case("mobilenet_v1", timm_features("mobilenetv1_100", (2, 3, 4), 8), output_stride=8,
         layers=["blocks.2", "blocks.3", "blocks.4"]),
    case("mobilenet_v1", timm_features("mobilenetv1_100", (3, 4), 16), output_stride=16,
         layers=["blocks.3", "blocks.4"]),
    case("mobilenet_v2", timm_features("mobilenetv2_100", (0, 1, 2, 3, 4)), 96, 160),
    case("mobilenet_v2", extractor(*(f"features.{i}.conv.0" for i in (2, 4, 7, 14)), "features.18"),
         expanded=True),
    case("mobilenet_v2", timm_features("mobilenetv2_100", (3, 4), 16), output_stride=16,
         layers=["features.13", "features.17"]),
    case("mobilenet_v2", timm_features("mobilenetv2_100", (2, 3, 4), 8), output_stride=8,
         layers=["features.6", "features.13", "features.17"]),
    *(case(f"mobilenet_v3_large{rows}", taken(*(f"features.{i}" for i in (1, 3, 6, 12, 15))))
      for rows in ("", "_minimal")),
    *(case(f"mobilenet_v3_small{rows}", taken(*(f"features.{i}" for i in (0, 1, 3, 8, 11))))
      for rows in ("", "_minimal")),
    case("mobilenet_v3_large", extractor(*(f"features.{i}.block.0" for i in (2, 4, 7, 13)),
                                         "features.16"), expanded=True),
    case("mobilenet_v3_large", timm_features("mobilenetv3_large_100", (3, 4), 8), output_stride=8,
         layers=["features.12", "features.16"]),
    case("mobilenet_v3_small", timm_features("mobilenetv3_small_100", (3, 4), 16), output_stride=16,
         layers=["features.8", "features.12"]),
    case("googlenet", taken("conv1", "conv3", "inception3b", "inception4e", "inception5b")),
    case("inception_v1", extractor("relu", "local_response_norm_1", "cat_1",
                                       "cat_6", "cat_8")),
    case("inception_v2", taken("Conv2d_2b_3x3", "Conv2d_3b_3x3", "Mixed_5d", "Mixed_6f",
                               "Mixed_7c"), 107, 139),
    case("bn_inception", taken("<pool1_3x3_s2", "<pool2_3x3_s2", "<inception_3c_pool",
                               "<inception_4e_pool", "<global_pool")),
    case("inception_v3", taken("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e",
                               "Mixed_7c"), 107, 139),
]


@torch.no_grad()
def run_case(what, take):
    network = make_goldens.reference_network(make_goldens.Case(what["model"]))
    synthetic.fill_model(network, make_goldens.SEED)
    image = torch.from_numpy(synthetic.synthetic_input(tuple(what["input"]), make_goldens.SEED))
    module, run = take(network)
    single = [value.double() for value in run(image)]
    module.double()
    exact = run(image.double())
    return [as_json(*pair) for pair in zip(single, exact, strict=True)]


def as_json(single, exact):
    flat, largest = exact.flatten(), exact.abs().max().item()
    places = [(2 * k + 1) * flat.numel() // (2 * SAMPLES) for k in range(SAMPLES)]
    return {
        "shape": list(exact.shape),
        "e32": float(f"{(single - exact).abs().max().item() / largest:.3g}"),
        "max_abs": float(f"{largest:.9g}"),
        "norm": float(f"{flat.norm().item():.9g}"),
        "samples": [float(f"{flat[i].item():.9g}") for i in places],
    }


def agree(name, stored, made):
    """True where all numbers of two lists of maps agree to the digits that are stored."""
    for old, new in zip(stored, made, strict=True):
        if old["shape"] != new["shape"]:
            print(f"{name}: {new['shape']} instead of {old['shape']}")
            return False
        pairs = zip(old["samples"] + [old["norm"]], new["samples"] + [new["norm"]])
        if not all(abs(a - b) < 1e-8 * max(new["max_abs"], abs(a)) for a, b in pairs):
            print(f"{name}: differs from the stored file")
            return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    parser.add_argument("--models", help="these alone, separated by commas; other cases are kept")
    arguments = parser.parse_args()
    path = make_goldens.HERE / "features.json"
    stored = {entry["name"]: entry for entry in json.loads(path.read_text())["cases"]}
    made = {}
    for what, take in CASES:
        if arguments.models and what["model"] not in arguments.models.split(","):
            made[what["name"]] = stored[what["name"]]
            continue
        made[what["name"]] = {**what, "maps": run_case(what, take)}
        print(what["name"], *(f"{m['shape']} {m['e32']:.1e}" for m in made[what["name"]]["maps"]),
              flush=True)
    if arguments.check:
        return 0 if all([name in stored and agree(name, stored[name]["maps"], entry["maps"])
                         for name, entry in made.items()]) else 1
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    head = json.dumps({"made_by": "tests/goldens/make_features.py", "versions": versions})
    lines = []
    for entry in made.values():
        maps = entry.pop("maps")
        inside = ",\n".join(json.dumps(one) for one in maps)
        lines.append(json.dumps(entry)[:-1] + f', "maps": [\n{inside}]}}')
    path.write_text(head[:-1] + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
