"""Writes a convolutional network from ONNX (batch 1, NCHW) as a TFLite flatbuffer (NHWC), which is
what XNNPACK is reached through. Knows the operators of the networks that are compared, no others.
"""

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as tfl
from onnx import numpy_helper, shape_inference

OPERATOR = tfl.BuiltinOperator
ACTIVATION = tfl.ActivationFunctionType
# What an activation can be fused into.
FUSIBLE = {"Conv", "Add", "Gemm", "Mul"}
MAX_CONCAT = 5  # inputs, for XNNPACK's delegate


def same_padding(size, out, kernel, stride):
    """TFLite's SAME padding along one axis."""
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Converter:
    def __init__(self, model):
        self.graph = shape_inference.infer_shapes(model).graph
        self.constants = {t.name: numpy_helper.to_array(t) for t in self.graph.initializer}
        for node in self.graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        values = [*self.graph.value_info, *self.graph.input, *self.graph.output]
        self.shapes = {
            v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values
        }
        self.readers = {}
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.tensors, self.operators, self.buffers = [], [], [tfl.BufferT()]
        self.codes = []  # of operators, in the order in which they were first used
        self.index = {}  # of the tensor of an ONNX value
        self.done = set()  # activations that were fused into what is before them

    # --- Pieces of a TFLite model ---

    def tensor(self, name, shape, data=None, kind=tfl.TensorType.FLOAT32):
        t = tfl.TensorT()
        t.name, t.shape, t.type, t.buffer = name, [int(s) for s in shape], kind, 0
        if data is not None:
            buffer = tfl.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            t.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(t)
        return len(self.tensors) - 1

    def constant(self, name, data):
        kind = tfl.TensorType.INT32 if data.dtype == np.int32 else tfl.TensorType.FLOAT32
        return self.tensor(name, data.shape, np.ascontiguousarray(data), kind)

    def operator(self, code, inputs, output, options=None):
        """Appends an operator; its options are named as in the schema, without the T."""
        if code not in self.codes:
            self.codes.append(code)
        o = tfl.OperatorT()
        o.opcodeIndex, o.inputs, o.outputs = self.codes.index(code), inputs, [output]
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            o.builtinOptionsType = getattr(tfl.BuiltinOptions, kind)
            o.builtinOptions = options
        self.operators.append(o)

    def channels_last(self, shape):
        return [shape[0], *shape[2:], shape[1]] if len(shape) == 4 else shape

    def result(self, node):
        """The tensor of a node's result, and the activation fused into it."""
        name, fused = node.output[0], ACTIVATION.NONE
        readers = self.readers.get(name, [])
        if node.op_type in FUSIBLE and len(readers) == 1:
            fused = self.activation(readers[0])
            if fused != ACTIVATION.NONE:
                self.done.add(readers[0].output[0])
                name = readers[0].output[0]
        shape = self.channels_last(self.shapes[name])
        self.index[name] = self.tensor(name, shape)
        return self.index[name], fused

    def activation(self, node):
        if node.op_type == "Relu":
            return ACTIVATION.RELU
        if node.op_type == "Clip":
            low, high = (float(self.constants[name]) for name in node.input[1:3])
            if (low, high) == (0.0, 6.0):
                return ACTIVATION.RELU6
            raise ValueError(f"{node.name}: Clip to [{low}, {high}]")
        return ACTIVATION.NONE

    # --- Windows ---

    @staticmethod
    def attributes(node):
        return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

    def window(self, node, kernel, same=True, zeros=True):
        """The input, padded if TFLite has no name for the padding; the name; strides; dilations.

        same, zeros: whether TFLite's SAME, and zeros around the image, do what the node does.
        """
        a = self.attributes(node)
        strides, pads = a.get("strides", [1, 1]), a.get("pads", [0, 0, 0, 0])
        dilations = a.get("dilations", [1, 1])
        size, out = self.shapes[node.input[0]][2:], self.shapes[node.output[0]][2:]
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
        # What the windows reach beyond the image: less than `pads`, or more with ceil_mode.
        wanted = [
            (pads[i], max((out[i] - 1) * strides[i] + reach[i] - size[i] - pads[i], 0))
            for i in range(2)
        ]
        named = [same_padding(size[i], out[i], reach[i], strides[i]) for i in range(2)]
        source = self.index[node.input[0]]
        if wanted == [(0, 0), (0, 0)]:
            return source, tfl.Padding.VALID, strides, dilations
        if wanted == named and same:
            return source, tfl.Padding.SAME, strides, dilations
        if not zeros:
            raise ValueError(f"{node.name}: a padding that TFLite cannot leave out of the window")
        shape = self.channels_last(self.shapes[node.input[0]])
        shape = [shape[0], shape[1] + sum(wanted[0]), shape[2] + sum(wanted[1]), shape[3]]
        padded = self.tensor(f"{node.output[0]} padded", shape)
        self.zeros_around(source, wanted, padded, node.output[0])
        return padded, tfl.Padding.VALID, strides, dilations

    def zeros_around(self, source, amounts, target, name):
        """PAD with (before, after) of rows and of columns."""
        amounts = self.constant(f"{name} pads", np.array([[0, 0], *amounts, [0, 0]], np.int32))
        self.operator(OPERATOR.PAD, [source, amounts], target, tfl.PadOptionsT())

    def pad(self, node):
        pads = [int(p) for p in self.constants[node.input[1]]]  # all before, then all after
        fill = self.constants[node.input[2]] if len(node.input) > 2 and node.input[2] else 0.0
        mode = self.attributes(node).get("mode", b"constant")
        if mode != b"constant" or fill != 0.0 or any(pads[:2]) or any(pads[4:6]):
            raise ValueError(f"{node.name}: padding with something but zeros around the image")
        self.zeros_around(self.index[node.input[0]], [(pads[2], pads[6]), (pads[3], pads[7])],
                          self.result(node)[0], node.output[0])

    def conv(self, node):
        weights = self.constants[node.input[1]]  # [out, in / groups, H, W]
        outputs, groups = weights.shape[0], self.attributes(node).get("group", 1)
        depthwise = groups == self.shapes[node.input[0]][1] and groups == outputs > 1
        if groups != 1 and not depthwise:
            raise ValueError(f"{node.name}: grouped convolution")
        source, padding, strides, dilations = self.window(node, weights.shape[2:])
        bias = self.constants[node.input[2]] if len(node.input) > 2 else np.zeros(
            outputs, np.float32)
        options = tfl.DepthwiseConv2DOptionsT() if depthwise else tfl.Conv2DOptionsT()
        options.padding, (options.strideH, options.strideW) = padding, strides
        options.dilationHFactor, options.dilationWFactor = dilations
        if depthwise:
            options.depthMultiplier = 1
            filters = weights.transpose(1, 2, 3, 0)
        else:
            filters = weights.transpose(0, 2, 3, 1)
        inputs = [source, self.constant(node.input[1], filters),
                  self.constant(f"{node.output[0]} bias", bias)]
        target, options.fusedActivationFunction = self.result(node)
        code = OPERATOR.DEPTHWISE_CONV_2D if depthwise else OPERATOR.CONV_2D
        self.operator(code, inputs, target, options)

    def pool(self, node):
        a = self.attributes(node)
        average = node.op_type == "AveragePool"
        if average and a["kernel_shape"] == [1, 1]:  # adaptive pooling of what has the size already
            self.index[node.output[0]] = self.index[node.input[0]]
            return
        if average:  # SAME leaves the padding out of the mean
            counts = bool(a.get("count_include_pad", 0))
            same, zeros = not counts, counts
        else:
            same, zeros = True, self.is_non_negative(node.input[0])
        source, padding, strides, _ = self.window(node, a["kernel_shape"], same, zeros)
        options = tfl.Pool2DOptionsT()
        options.padding, (options.strideH, options.strideW) = padding, strides
        options.filterHeight, options.filterWidth = a["kernel_shape"]
        target, _ = self.result(node)
        code = OPERATOR.AVERAGE_POOL_2D if average else OPERATOR.MAX_POOL_2D
        self.operator(code, [source], target, options)

    def producer(self, name):
        return next((node for node in self.graph.node if name in node.output), None)

    def is_non_negative(self, name):
        node = self.producer(name)
        if node is None:
            return False
        if node.op_type in ("MaxPool", "AveragePool", "Concat", "Identity", "Dropout"):
            return all(self.is_non_negative(source) for source in node.input)
        return self.activation(node) != ACTIVATION.NONE

    # --- The rest ---

    def mean(self, node):
        options = tfl.ReducerOptionsT()
        options.keepDims = len(self.shapes[node.output[0]]) == 4
        axes = self.constant(f"{node.output[0]} axes", np.array([1, 2], np.int32))
        self.operator(OPERATOR.MEAN, [self.index[node.input[0]], axes], self.result(node)[0],
                      options)

    def flatten(self, node):
        shape = self.shapes[node.output[0]]
        if len(shape) != 2:
            raise ValueError(f"{node.name}: reshaping to {shape}")
        options = tfl.ReshapeOptionsT()
        options.newShape = shape
        target = self.constant(f"{node.output[0]} shape", np.array(shape, np.int32))
        self.operator(OPERATOR.RESHAPE, [self.index[node.input[0]], target], self.result(node)[0],
                      options)

    def gemm(self, node):
        a = self.attributes(node)
        if a.get("transB", 0) != 1 or a.get("transA", 0) or a.get("alpha", 1.0) != 1.0:
            raise ValueError(f"{node.name}: a Gemm that is no fully connected layer")
        weights = self.constants[node.input[1]]
        before = self.producer(node.input[0])
        while before.op_type in ("Identity", "Dropout"):
            before = self.producer(before.input[0])
        if before.op_type in ("Flatten", "Reshape"):  # pixels of channels, not channels of pixels
            _, c, h, w = self.shapes[before.input[0]]
            weights = weights.reshape(-1, c, h, w).transpose(0, 2, 3, 1).reshape(len(weights), -1)
        inputs = [self.index[node.input[0]], self.constant(node.input[1], weights),
                  self.constant(f"{node.output[0]} bias", self.constants[node.input[2]])]
        options = tfl.FullyConnectedOptionsT()
        target, options.fusedActivationFunction = self.result(node)
        self.operator(OPERATOR.FULLY_CONNECTED, inputs, target, options)

    def binary(self, node):
        code, options = {
            "Add": (OPERATOR.ADD, tfl.AddOptionsT), "Mul": (OPERATOR.MUL, tfl.MulOptionsT),
        }[node.op_type]
        options = options()
        inputs = [self.index[name] for name in node.input]
        target, options.fusedActivationFunction = self.result(node)
        self.operator(code, inputs, target, options)

    def concat(self, node):
        pieces = [(self.index[name], self.shapes[name][1]) for name in node.input]
        _, _, height, width = self.shapes[node.output[0]]
        while len(pieces) > MAX_CONCAT:  # joins the two neighbours with the fewest channels
            i = min(range(len(pieces) - 1), key=lambda i: pieces[i][1] + pieces[i + 1][1])
            channels = pieces[i][1] + pieces[i + 1][1]
            joined = self.tensor(f"{node.output[0]} part {i}", [1, height, width, channels])
            self.concatenate(pieces[i : i + 2], joined)
            pieces[i : i + 2] = [(joined, channels)]
        self.concatenate(pieces, self.result(node)[0])

    def concatenate(self, pieces, target):
        options = tfl.ConcatenationOptionsT()
        options.axis = 3
        self.operator(OPERATOR.CONCATENATION, [index for index, _ in pieces], target, options)

    def activate(self, node):
        codes = {ACTIVATION.RELU: OPERATOR.RELU, ACTIVATION.RELU6: OPERATOR.RELU6}
        self.operator(codes[self.activation(node)], [self.index[node.input[0]]],
                      self.result(node)[0])

    def hard_swish(self, node):
        self.operator(OPERATOR.HARD_SWISH, [self.index[node.input[0]]], self.result(node)[0],
                      tfl.HardSwishOptionsT())

    def hard_sigmoid(self, node):
        """relu6(x + 3) / 6, as TensorFlow's models have it."""
        name, shape = node.output[0], self.channels_last(self.shapes[node.output[0]])
        between = self.tensor(f"{name} times 6", shape)
        options = tfl.AddOptionsT()
        options.fusedActivationFunction = ACTIVATION.RELU6
        three = self.constant(f"{name} 3", np.array([3.0], np.float32))
        sixth = self.constant(f"{name} 1/6", np.array([1.0 / 6.0], np.float32))
        self.operator(OPERATOR.ADD, [self.index[node.input[0]], three], between, options)
        self.operator(OPERATOR.MUL, [between, sixth], self.result(node)[0], tfl.MulOptionsT())

    def alias(self, node):
        self.index[node.output[0]] = self.index[node.input[0]]
        self.shapes.setdefault(node.output[0], self.shapes[node.input[0]])

    HANDLERS = {
        "Conv": conv, "Pad": pad, "MaxPool": pool, "AveragePool": pool, "GlobalAveragePool": mean,
        "ReduceMean": mean, "Flatten": flatten, "Reshape": flatten, "Gemm": gemm, "Add": binary,
        "Mul": binary, "Concat": concat, "Relu": activate, "Clip": activate,
        "HardSwish": hard_swish, "HardSigmoid": hard_sigmoid, "Identity": alias, "Dropout": alias,
    }

    def model(self):
        source = next(i for i in self.graph.input if i.name not in self.constants)
        shape = self.channels_last(self.shapes[source.name])
        self.index[source.name] = self.tensor(source.name, shape)
        for node in self.graph.node:
            if node.op_type == "Constant" or node.output[0] in self.done:
                continue
            if node.op_type not in self.HANDLERS:
                raise ValueError(f"{node.name}: no rule for {node.op_type}")
            self.HANDLERS[node.op_type](self, node)
        graph = tfl.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs = [self.index[source.name]]
        graph.outputs = [self.index[self.graph.output[0].name]]
        model = tfl.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [graph], self.buffers
        model.operatorCodes = [self.code(code) for code in self.codes]
        return model

    @staticmethod
    def code(builtin):
        code = tfl.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, builtin, 1
        return code


def convert(source, target):
    model = Converter(onnx.load(source)).model()
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    with open(target, "wb") as file:
        file.write(builder.Output())
