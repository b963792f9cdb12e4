"""Synthetic weights and inputs: every element is a formula of its tensor's name and its index.

The golden logits are those of networks that nobody trained, so that no weight file has to be
shipped or downloaded: the C++ tests fill the same tensors with the same numbers. The formula, and
`batch_norm_gain` below, are therefore a contract between this file and its C++ twin.
`synthetic.json` holds a few exact values for the twin to check itself against.

One element, in 64-bit integers that wrap around:

    base = fnv1a_64(name) ^ (seed * GOLDEN_RATIO)
    z    = splitmix64_finaliser(base + (i + 1) * GOLDEN_RATIO)       i: flat index, C order
    u    = (z >> 40) * 2^-23 - 1                                     24 bits, in [-1, 1), exact
    x    = float32(centre + amplitude * u)                           in double, rounded once

Centre and amplitude depend on what the tensor is (`range_of_parameter`). They keep the signal's
size from layer to layer: weights have He's variance, 2 / fan_in for a uniform distribution.

Needs numpy; `synthetic_state` needs torch too.
"""

import math
import operator

import numpy as np

MASK = (1 << 64) - 1
GOLDEN_RATIO = 0x9E3779B97F4A7C15
CHUNK = 1 << 20  # elements made at once; bounds the temporaries of VGG's 103 M-element tensor


def fnv1a_64(text):
    """The FNV-1a hash of the UTF-8 bytes of `text`."""
    value = 14695981039346656037
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * 1099511628211) & MASK
    return value


def unit_values(name, count, seed, first=0):
    """Elements first .. first + count - 1 of tensor `name`, uniform in [-1, 1), as float64."""
    base = fnv1a_64(name) ^ ((seed * GOLDEN_RATIO) & MASK)
    index = np.arange(first + 1, first + 1 + count, dtype=np.uint64)
    z = np.uint64(base) + index * np.uint64(GOLDEN_RATIO)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0


def synthetic_tensor(name, shape, centre, amplitude, seed):
    """The float32 array of `shape` whose elements are centre + amplitude * u."""
    values = np.empty(math.prod(shape), dtype=np.float32)
    for first in range(0, values.size, CHUNK):
        count = min(CHUNK, values.size - first)
        values[first : first + count] = centre + amplitude * unit_values(name, count, seed, first)
    return values.reshape(shape)


def synthetic_input(shape, seed):
    """The input image: the tensor called "input", uniform in [-1, 1)."""
    return synthetic_tensor("input", shape, 0.0, 1.0, seed)


def range_of_parameter(role, shape, gain=1.0):
    """(centre, amplitude) of a parameter.

    role: "weight" of a convolution or a fully connected layer, "branch.weight" of one in a network
    that joins branches, "logits.weight" of the layer that produces the logits, "bias" of either, or
    "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var". gain: see `batch_norm_gain`; used
    by "bn.weight" only.

    Branches have no shortcuts around them that would keep a trace of the input, and averages of
    many positive values make one image like another. Filters whose sum is below zero work against
    that: they take away a part of what all values have in common.
    """
    if role == "branch.weight":
        fan_in = math.prod(shape[1:])
        return -0.3 * math.sqrt(6.0) / fan_in, math.sqrt(6.0 / fan_in)
    if role == "weight":
        return 0.0, math.sqrt(6.0 / math.prod(shape[1:]))
    if role == "logits.weight":
        return 0.0, math.sqrt(3.0 / math.prod(shape[1:]))
    return {
        "bias": (0.0, 0.1),
        "bn.weight": (gain, 0.2 * gain),
        "bn.bias": (0.0, 0.1),
        "bn.running_mean": (0.0, 0.1),
        "bn.running_var": (1.0, 0.2),
    }[role]


# --- What a tensor is: read from the network's graph, so that a new family needs no new rule -----


def _trace(model):
    """The network as torch.fx nodes: layers are leaves, blocks are opened, no-ops remain."""
    import torch
    from torch import nn

    class Tracer(torch.fx.Tracer):
        def is_leaf_module(self, module, qualified_name):
            layers = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)  # timm subclasses them
            return isinstance(module, layers) or super().is_leaf_module(module, qualified_name)

    return Tracer().trace(model)


def _layer(node, modules):
    return modules[node.target] if node.op == "call_module" else None


def _is_no_op(node, modules):
    from torch import nn

    return isinstance(_layer(node, modules), (nn.Identity, nn.Dropout))


def _is_product(node):
    import torch

    return node.op == "call_function" and node.target in (operator.mul, torch.mul)


def _is_addition(node):
    import torch

    return node.op == "call_function" and node.target in (operator.add, operator.iadd, torch.add)


def _joins_branches(graph):
    import torch

    return any(node.op == "call_function" and node.target is torch.cat for node in graph.nodes)


def _consumers(node, modules):
    """The nodes that read `node`, looking through inference no-ops."""
    for user in node.users:
        if _is_no_op(user, modules):
            yield from _consumers(user, modules)
        else:
            yield user


def _producer(node, modules):
    """`node`, or what it stands for if it is an inference no-op."""
    while _is_no_op(node, modules):
        node = node.all_input_nodes[0]
    return node


def _is_plain_batch_norm(node, modules):
    """A batch norm without an activation of its own (timm's BatchNormAct2d may have one)."""
    from torch import nn

    layer = _layer(node, modules)
    return isinstance(layer, nn.BatchNorm2d) and isinstance(
        getattr(layer, "act", nn.Identity()), nn.Identity
    )


def _activation_after(node, modules):
    """The class name of the activation that reads a batch norm's output, or None."""
    from torch import nn
    from torch.nn import functional as F

    if not _is_plain_batch_norm(node, modules):
        return type(_layer(node, modules).act).__name__
    functions = {F.relu: "ReLU", F.relu6: "ReLU6", F.hardswish: "Hardswish", F.silu: "SiLU"}
    for consumer in _consumers(node, modules):
        if isinstance(_layer(consumer, modules), (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU)):
            return type(_layer(consumer, modules)).__name__
        if consumer.op == "call_function" and consumer.target in functions:
            return functions[consumer.target]
    return None


def batch_norm_gain(node, modules):
    """The factor on a batch norm's weight: keeps the signal's size, and its trace of the input.

    - The output goes into an addition: 0.0625 if the addition's other operand is not a batch
      norm's output (identity shortcut), sqrt(0.5) if it is (projection shortcut: both get it; also
      the first block with a shortcut in each stage of MobileNet V2, whose other operand is the
      linear bottleneck before it). This rule comes first where a value has several readers.
      Larger identity gains made ResNet-152's logits grow, and forget the input.
    - The output goes into an activation: 1 for ReLU, 1.125 for any other. ReLU6 and h-swish lose
      some of the signal at each layer, until the biases outweigh it.
    - Neither (a linear bottleneck that no addition reads): sqrt(0.5).

    What a squeeze-and-excite block has scaled counts as a batch norm's output in an addition.

    Times 1.5 if its convolution reads a product (squeeze-and-excite: gates are about a half), 0.25
    if it reads an addition itself (pre-activation: or every block would double the signal), and
    1.15 in a network that joins branches, whose filters sum up to less than zero.
    """
    convolution = _producer(node.all_input_nodes[0], modules)
    gain = _gain_by_reader(node, modules)
    if convolution.all_input_nodes and _is_product(convolution.all_input_nodes[0]):
        gain *= 1.5
    if _is_addition(convolution):
        gain *= 0.25
    if _joins_branches(node.graph):
        gain *= 1.15
    return gain


def _gain_by_reader(node, modules):
    consumers = list(_consumers(node, modules))
    gains = []
    for addition in filter(_is_addition, consumers):
        operands = [_producer(operand, modules) for operand in addition.all_input_nodes]
        others = [operand for operand in operands if operand is not node]
        both = all(
            _is_plain_batch_norm(other, modules) or _is_product(other) for other in others
        )
        gains.append(math.sqrt(0.5) if both else 0.0625)
    if gains and _is_plain_batch_norm(node, modules):
        return min(gains)
    activation = _activation_after(node, modules)
    return {None: math.sqrt(0.5), "ReLU": 1.0}.get(activation, 1.125)


def _layer_of_the_logits(graph, modules):
    """The name of the fully connected layer (or 1x1 convolution) that produces the output."""
    from torch import nn

    node = next(node for node in reversed(graph.nodes) if node.op == "output")
    while not isinstance(_layer(node, modules), (nn.Linear, nn.Conv2d)):
        (node,) = node.all_input_nodes
    return node.target


def parameter_roles(model):
    """{tensor name: (role, gain)} for all tensors of `model` that a forward pass reads."""
    from torch import nn

    graph, modules = _trace(model), dict(model.named_modules())
    logits = _layer_of_the_logits(graph, modules)
    filters = "branch.weight" if _joins_branches(graph) else "weight"
    roles = {}
    for node in graph.nodes:
        layer = _layer(node, modules)
        if isinstance(layer, nn.BatchNorm2d):
            gain = batch_norm_gain(node, modules)
            for tensor in ("weight", "bias", "running_mean", "running_var"):
                if getattr(layer, tensor) is not None:
                    roles[f"{node.target}.{tensor}"] = (f"bn.{tensor}", gain)
        elif isinstance(layer, (nn.Conv2d, nn.Linear)):
            role = "logits.weight" if node.target == logits else filters
            roles[f"{node.target}.weight"] = (role, 1.0)
            if layer.bias is not None:
                roles[f"{node.target}.bias"] = ("bias", 1.0)
    return roles


def fill_model(model, seed):
    """Writes the synthetic weights into `model`, in place; refuses tensors without a role."""
    import torch

    roles = parameter_roles(model)
    for name, tensor in model.state_dict().items():  # these share the model's memory
        if name.endswith("num_batches_tracked"):
            continue
        if name not in roles:
            raise ValueError(f"{name}: no role, so no formula; teach parameter_roles about it")
        role, gain = roles[name]
        centre, amplitude = range_of_parameter(role, tuple(tensor.shape), gain)
        values = synthetic_tensor(name, tuple(tensor.shape), centre, amplitude, seed)
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(values))
