// An ONNX operator test as a graph of Lumbar's, with weights and an image. What cannot be said in
// Lumbar's operators is a Skip, with the reason.
//
// A graph has one input. Where a test has several operands (sums, products, concatenations), they
// are groups of channels of one image, taken apart by 1x1 convolutions whose weights are 0 and 1.
#pragma once

#include <lumbar/graph/build.hpp>
#include <lumbar/graph/shapes.hpp>
#include <lumbar/weights/weights.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <conformance/onnx_file.hpp>
#include <optional>
#include <string_view>
#include <utility>

namespace onnx {

struct Skip {
    std::string reason;
};

/// The operators that the graph's have a counterpart of.
inline constexpr std::string_view kOperators[] = {"Add",
                                                  "AveragePool",
                                                  "BatchNormalization",
                                                  "Clip",
                                                  "Concat",
                                                  "Constant",
                                                  "Conv",
                                                  "Gemm",
                                                  "Flatten",
                                                  "GlobalAveragePool",
                                                  "HardSigmoid",
                                                  "HardSwish",
                                                  "GlobalMaxPool",
                                                  "LRN",
                                                  "MatMul",
                                                  "MaxPool",
                                                  "Mul",
                                                  "Relu",
                                                  "Sigmoid",
                                                  "Softmax",
                                                  "Squeeze",
                                                  "Sum",
                                                  "Transpose",
                                                  "Unsqueeze"};

inline bool has_all_operators(const Model& model) {
    return std::all_of(model.nodes.begin(), model.nodes.end(), [](const Node& node) {
        return std::find(std::begin(kOperators), std::end(kOperators), node.type) !=
               std::end(kOperators);
    });
}

/// What a test becomes.
struct Translated {
    lumbar::Graph graph{"onnx"};
    std::vector<lumbar::NamedTensor> weights;
    lumbar::Tensor image;
};

class Translator {
   public:
    /// `data`: the test's inputs, in the order of the model's.
    Translator(const Model& model, const std::vector<Tensor>& data) : model_(model) {
        for (const Tensor& t : model.initializers) constants_[t.name] = t;
        std::size_t next = 0;
        for (const std::string& name : model.inputs) {
            if (!constants_.contains(name) && next < data.size()) inputs_[name] = data[next++];
        }
    }

    Translated translate() {
        if (model_.outputs.size() != 1) throw Skip{"more outputs than one (indices)"};
        for (const Node& node : model_.nodes) {
            layer_ = "layer" + std::to_string(counter_++);
            if (node.type == "Constant") {
                constants_[node.outputs[0]] = node.attributes.at("value").tensor;
            } else if (node.type == "Transpose" && constants_.contains(node.inputs[0])) {
                constants_[node.outputs[0]] = transposed(constants_.at(node.inputs[0]), node);
            } else {
                values_.insert_or_assign(node.outputs[0], apply(node).id());
            }
        }
        const auto last = values_.find(model_.outputs[0]);
        if (last == values_.end()) throw Skip{"the result is a constant"};
        result_.graph.output({result_.graph, last->second});
        return std::move(result_);
    }

   private:
    using Value = lumbar::Value;
    using Shape = lumbar::Shape;

    Value apply(const Node& node) {
        const std::string& t = node.type;
        if (t == "Conv") return conv(node);
        if (t == "MaxPool" || t == "AveragePool") return pool(node);
        if (t == "GlobalAveragePool") return global_avg_pool(value(node, natural));
        if (t == "GlobalMaxPool") return global_max_pool(node);
        if (t == "BatchNormalization") return batch_norm(node);
        if (t == "Gemm" || t == "MatMul") return linear(node);
        if (t == "Softmax") return softmax(node);
        if (t == "LRN") return normalise(node);
        if (t == "Add" || t == "Sum" || t == "Mul" || t == "Concat") return join(node);
        if (t == "Flatten" || t == "Squeeze" || t == "Unsqueeze") return reshape(node);
        if (t == "Transpose") throw Skip{"values have one order of dimensions"};
        return activation(node);
    }

    // ------------------------------------------------------------ values and constants
    static Shape shape(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
        return {static_cast<int>(n), static_cast<int>(c), static_cast<int>(h), static_cast<int>(w)};
    }
    /// Batch, channels, then the image, of up to four dimensions.
    static Shape natural(const std::vector<std::int64_t>& d) {
        switch (d.size()) {
            case 1: return shape(1, d[0], 1, 1);
            case 2: return shape(d[0], d[1], 1, 1);
            case 3: return shape(d[0], d[1], d[2], 1);
            case 4: return shape(d[0], d[1], d[2], d[3]);
            default: throw Skip{"values have one to four dimensions"};
        }
    }
    /// As natural, for what works element by element. A product is a gate's, of one pixel.
    Shape any(const std::vector<std::int64_t>& d) const {
        const bool gated = std::any_of(model_.nodes.begin(), model_.nodes.end(),
                                       [](const Node& node) { return node.type == "Mul"; });
        if (d.size() >= 1 && d.size() <= 4 && !gated) return natural(d);
        std::int64_t size = 1;
        for (const std::int64_t extent : d) size *= extent;
        return shape(1, size, 1, 1);
    }

    static void require_floats(const Tensor& tensor) {
        if (tensor.type != Tensor::kFloat) throw Skip{"values are float32"};
    }

    /// The value that a node reads; the image, arranged as the node wants it, where it is that.
    template <class Arrange>
    Value value(const Node& node, Arrange&& arrange, std::size_t i = 0) {
        const std::string& name = node.inputs[i];
        if (const auto at = values_.find(name); at != values_.end()) {
            return {result_.graph, at->second};
        }
        const auto input = inputs_.find(name);
        if (input == inputs_.end()) throw Skip{"no operand is a constant"};
        if (result_.graph.size() > 0) throw Skip{"a graph has one input"};
        require_floats(input->second);
        const Shape s = arrange(input->second.dims);
        if (std::max(s.h, s.w) > 1 << 15) throw Skip{"an image has at most 32768 rows"};
        result_.image = lumbar::Tensor(s);
        std::copy(input->second.values.begin(), input->second.values.end(), result_.image.data());
        const Value v = result_.graph.input(s.c);
        values_.insert_or_assign(name, v.id());
        return v;
    }

    const Tensor* constant(const Node& node, std::size_t i) const {
        if (i >= node.inputs.size() || node.inputs[i].empty()) return nullptr;
        for (const auto* known : {&constants_, &inputs_}) {
            const auto at = known->find(node.inputs[i]);
            if (at != known->end()) {
                require_floats(at->second);
                return &at->second;
            }
        }
        throw Skip{"weights are constants"};
    }

    void weight(const std::string& part, std::vector<std::int64_t> dims,
                std::vector<float> values) {
        lumbar::NamedTensor tensor;
        tensor.name = layer_ + "." + part;
        for (const std::int64_t d : dims) tensor.shape.push_back(d);
        tensor.values = std::move(values);
        result_.weights.push_back(std::move(tensor));
    }

    static Tensor transposed(const Tensor& t, const Node& node) {
        if (t.dims.size() != 2 || node.integers("perm", {1, 0}) != std::vector<std::int64_t>{1, 0})
            throw Skip{"values have one order of dimensions"};
        return transposed(t);
    }
    static Tensor transposed(const Tensor& t) {
        Tensor result = t;
        std::swap(result.dims[0], result.dims[1]);
        const std::size_t rows = static_cast<std::size_t>(t.dims[0]);
        const std::size_t columns = static_cast<std::size_t>(t.dims[1]);
        for (std::size_t i = 0; i < rows; ++i) {
            for (std::size_t j = 0; j < columns; ++j) {
                result.values[j * rows + i] = t.values[i * columns + j];
            }
        }
        return result;
    }

    // ------------------------------------------------------------ windows
    struct Window {
        lumbar::Extent kernel, stride, dilation;
        lumbar::Padding padding;
        lumbar::PaddingMode mode = lumbar::PaddingMode::given;
    };

    /// Two numbers of an attribute: one-dimensional images have one column.
    static lumbar::Extent extent(const std::vector<std::int64_t>& v) {
        if (v.size() > 2 || v.empty()) throw Skip{"windows have one or two dimensions"};
        return {static_cast<int>(v[0]), v.size() == 2 ? static_cast<int>(v[1]) : 1};
    }

    Window window(const Node& node, const std::vector<std::int64_t>& kernel, Value x) {
        const std::vector<std::int64_t> ones(kernel.size(), 1);
        Window w;
        w.kernel = extent(kernel);
        w.stride = extent(node.integers("strides", ones));
        w.dilation = extent(node.integers("dilations", ones));
        std::vector<std::int64_t> pads =
            node.integers("pads", std::vector<std::int64_t>(2 * kernel.size()));
        const std::string automatic = node.text("auto_pad", "NOTSET");
        if (kernel.size() == 1) pads = {pads[0], 0, pads[1], 0};
        const auto pad = [&](std::size_t i) { return static_cast<int>(pads[i]); };
        if (automatic == "SAME_UPPER") {
            w.mode = lumbar::PaddingMode::same;
        } else if (automatic == "SAME_LOWER") {
            const auto shapes =
                lumbar::try_infer_shapes(result_.graph, result_.image.shape().n,
                                         {result_.image.shape().h, result_.image.shape().w});
            const Shape in = (*shapes)[static_cast<std::size_t>(x.id())];
            const lumbar::Padding same =
                lumbar::detail::same_padding_of(in, w.kernel, w.stride, w.dilation);
            w.padding = {same.bottom, same.right, same.top, same.left};
        } else if (automatic == "NOTSET") {
            w.padding = {pad(0), pad(1), pad(2), pad(3)};
        }
        return w;
    }

    Value conv(const Node& node) {
        const Tensor* filters = constant(node, 1);
        const Tensor* bias = constant(node, 2);
        const Value x = value(node, natural);
        std::vector<std::int64_t> dims = filters->dims;
        const Window w = window(node, {dims.begin() + 2, dims.end()}, x);
        dims.resize(4, 1);
        weight("weight", dims, filters->values);
        if (bias) weight("bias", bias->dims, bias->values);
        return lumbar::conv(x, layer_,
                            {.out_channels = static_cast<int>(dims[0]),
                             .kernel = w.kernel,
                             .stride = w.stride,
                             .dilation = w.dilation,
                             .padding = w.padding,
                             .mode = w.mode,
                             .groups = static_cast<int>(node.integer("group", 1)),
                             .bias = bias != nullptr});
    }

    Value pool_node(Value x, const lumbar::PoolGeometry& geometry, lumbar::PaddingMode mode) {
        return lumbar::detail::add_node(x, layer_, lumbar::op::Pool{geometry, mode}, {x.id()},
                                        x.channels());
    }
    Value pool(const Node& node) {
        const bool max = node.type == "MaxPool";
        if (node.outputs.size() > 1) throw Skip{"more outputs than one (indices)"};
        const Value x = value(node, natural);
        const Window w = window(node, node.integers("kernel_shape", {}), x);
        if (!max && w.dilation != lumbar::Extent{1, 1}) throw Skip{"averages are not dilated"};
        return pool_node(
            x,
            {.kind = max ? lumbar::PoolGeometry::Kind::max : lumbar::PoolGeometry::Kind::average,
             .kernel = w.kernel,
             .stride = w.stride,
             .dilation = w.dilation,
             .padding = w.padding,
             .ceil_mode = node.integer("ceil_mode", 0) != 0,
             .count_include_pad = node.integer("count_include_pad", 0) != 0},
            w.mode);
    }
    Value global_max_pool(const Node& node) {
        const Value x = value(node, natural);
        lumbar::PoolGeometry geometry;
        geometry.kernel = {result_.image.shape().h, result_.image.shape().w};
        return pool_node(x, geometry, lumbar::PaddingMode::given);
    }

    // ------------------------------------------------------------ normalisation, activation
    Value batch_norm(const Node& node) {
        if (node.outputs.size() > 1 || node.integer("training_mode", 0) != 0) {
            throw Skip{"no operator trains"};
        }
        const Value x = value(node, natural);
        constexpr const char* kParts[] = {"weight", "bias", "running_mean", "running_var"};
        for (std::size_t i = 0; i < 4; ++i) {
            const Tensor* t = constant(node, i + 1);
            weight(kParts[i], t->dims, t->values);
        }
        return lumbar::batch_norm(x, layer_, static_cast<double>(node.real("epsilon", 1e-5f)));
    }

    Value activation(const Node& node) {
        using lumbar::Activation;
        const auto near = [](float a, float b) { return std::abs(a - b) < 1e-6f; };
        Activation function = Activation::relu;
        if (node.type == "Sigmoid") function = Activation::sigmoid;
        if (node.type == "HardSwish") function = Activation::hard_swish;
        if (node.type == "HardSigmoid") {
            function = Activation::hard_sigmoid;
            if (!near(node.real("alpha", 0.2f), 1.0f / 6.0f) ||
                !near(node.real("beta", 0.5f), 0.5f))
                throw Skip{"hard-sigmoid has the slope 1/6"};
        }
        if (node.type == "Clip") {
            const auto limit = [&](const char* name, std::size_t i) {
                const Tensor* t = constant(node, i);
                if (t) return std::optional<float>(t->values[0]);
                return node.has(name) ? std::optional<float>(node.real(name, 0)) : std::nullopt;
            };
            const auto low = limit("min", 1), high = limit("max", 2);
            if (!low || *low != 0.0f || (high && *high != 6.0f)) {
                throw Skip{"clipping is ReLU (from 0) or ReLU6 (0 to 6)"};
            }
            if (high) function = Activation::relu6;
        }
        return activate(value(node, [this](const auto& dims) { return any(dims); }), function);
    }

    Value softmax(const Node& node) {
        const bool since13 = model_.opset >= 13;
        return lumbar::softmax(value(node, [&](const std::vector<std::int64_t>& dims) {
            return along(dims, node.integer("axis", since13 ? -1 : 1), !since13);
        }));
    }
    /// The dimension `axis` as channels; `to_the_end`: with all after it.
    static Shape along(const std::vector<std::int64_t>& dims, std::int64_t axis,
                       bool to_the_end = false) {
        if (axis < 0) axis += static_cast<std::int64_t>(dims.size());
        std::array<std::int64_t, 3> part{1, 1, 1};
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(dims.size()); ++i) {
            const std::size_t at = i < axis ? 0 : i == axis || to_the_end ? 1 : 2;
            part[at] *= dims[static_cast<std::size_t>(i)];
        }
        return shape(part[0], part[1], part[2], 1);
    }

    Value normalise(const Node& node) {
        return local_response_norm(value(node, natural),
                                   {.size = static_cast<int>(node.integer("size", 5)),
                                    .alpha = node.real("alpha", 1e-4f),
                                    .beta = node.real("beta", 0.75f),
                                    .k = node.real("bias", 1.0f)});
    }

    // ------------------------------------------------------------ linear layers
    Value linear(const Node& node) {
        const bool gemm = node.type == "Gemm";
        if (gemm && node.integer("transA", 0) != 0) throw Skip{"values are not transposed"};
        const Tensor* given = constant(node, 1);
        if (given->dims.size() != 2) throw Skip{"a linear layer has a matrix"};
        const Value x = value(node, [](const std::vector<std::int64_t>& dims) {
            if (dims.size() != 2) throw Skip{"a linear layer takes a batch of vectors"};
            return natural(dims);
        });
        Tensor matrix = gemm && node.integer("transB", 0) != 0 ? *given : transposed(*given);
        for (float& v : matrix.values) v *= gemm ? node.real("alpha", 1.0f) : 1.0f;
        const std::int64_t outputs = matrix.dims[0];
        weight("weight", matrix.dims, matrix.values);
        const Tensor* bias = gemm ? constant(node, 2) : nullptr;
        if (bias) {
            std::vector<float> values = bias->values;
            if (values.size() == 1) values.resize(static_cast<std::size_t>(outputs), values[0]);
            if (static_cast<std::int64_t>(values.size()) != outputs) {
                throw Skip{"a bias is one number per output"};
            }
            for (float& v : values) v *= node.real("beta", 1.0f);
            weight("bias", {outputs}, std::move(values));
        }
        return lumbar::linear(
            x, layer_,
            {.outputs = static_cast<int>(outputs), .pixels = 1, .bias = bias != nullptr});
    }

    // ------------------------------------------------------------ several operands
    Value join(const Node& node) {
        std::vector<Value> parts = operands(node);
        if (node.type == "Concat") return concat(parts);
        Value result = parts[0];
        for (std::size_t i = 1; i < parts.size(); ++i) {
            if (result.channels() != parts[i].channels()) throw Skip{"nothing is broadcast"};
            result = node.type == "Mul" ? scale_channels(result, parts[i]) : result + parts[i];
        }
        return result;
    }

    std::vector<Value> operands(const Node& node) {
        std::vector<Value> parts;
        if (result_.graph.size() > 0) {
            for (std::size_t i = 0; i < node.inputs.size(); ++i) {
                parts.push_back(value(node, natural, i));
            }
            return parts;
        }
        std::vector<const Tensor*> tensors;
        for (const std::string& name : node.inputs) {
            const auto at = inputs_.find(name);
            if (at == inputs_.end()) throw Skip{"no operand is a constant"};
            require_floats(at->second);
            tensors.push_back(&at->second);
        }
        const std::int64_t axis = node.integer("axis", 1);
        const auto arrange = [&](const Tensor& t) {
            return node.type == "Concat" ? along(t.dims, axis) : any(t.dims);
        };
        Shape all = arrange(*tensors[0]);
        all.c = 0;
        for (const Tensor* t : tensors) {
            if (node.type != "Concat" && t->dims != tensors[0]->dims) {
                throw Skip{"nothing is broadcast"};
            }
            all.c += arrange(*t).c;
        }
        result_.image = lumbar::Tensor(all);
        const Value image = result_.graph.input(all.c);
        int first = 0;
        for (const Tensor* t : tensors) {
            const Shape s = arrange(*t);
            const std::int64_t block = s.size() / s.n;
            for (int n = 0; n < s.n; ++n) {
                std::copy_n(t->values.data() + n * block, block,
                            result_.image.data() + (n * all.size() / all.n) +
                                first * std::int64_t{s.h} * s.w);
            }
            parts.push_back(select(image, first, s.c));
            first += s.c;
        }
        return parts;
    }
    Value select(Value image, int first, int count) {
        layer_ += "_";
        std::vector<float> values(static_cast<std::size_t>(count * image.channels()));
        for (int i = 0; i < count; ++i) {
            values[static_cast<std::size_t>(i * image.channels() + first + i)] = 1.0f;
        }
        weight("weight", {count, image.channels(), 1, 1}, std::move(values));
        return lumbar::conv<1>(image, layer_, {.out_channels = count});
    }

    /// Dimensions of one, or all after the first: the same numbers in the same order.
    Value reshape(const Node& node) {
        if (model_.nodes.size() == 1) throw Skip{"values keep their dimensions"};
        if (node.type == "Unsqueeze" && node.integers("axes", {}) != std::vector<std::int64_t>{3}) {
            throw Skip{"values keep their dimensions"};
        }
        return value(node, natural);
    }

    const Model& model_;
    std::map<std::string, Tensor> constants_, inputs_;
    std::map<std::string, int> values_;
    Translated result_;
    std::string layer_;
    int counter_ = 0;
};

}  // namespace onnx
