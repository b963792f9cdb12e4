// A network as data: nodes in topological order, each yielding one value. A graph knows channels
// but no image size, so one graph serves any input. Its nodes' names are those of the checkpoint.
#pragma once

#include <lumbar/core/activation.hpp>
#include <lumbar/core/error.hpp>
#include <lumbar/core/geometry.hpp>
#include <lumbar/core/pooling.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/graph/dialect.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// How a window is padded: as the numbers say, or as TensorFlow's SAME (which depends on the
/// input's size, and is asymmetric at stride 2).
enum class PaddingMode { given, same };

namespace op {

struct Input {};

/// Parameters: NAME.weight [out, in / groups, h, w] and, with `bias`, NAME.bias [out].
struct Conv {
    int out_channels = 0;
    Extent kernel;
    Extent stride;
    Extent dilation;
    Padding padding;
    PaddingMode mode = PaddingMode::given;
    int groups = 1;
    bool bias = false;
};

/// Parameters: NAME.{weight, bias, running_mean, running_var} [channels].
struct BatchNorm {
    double epsilon = 1e-5;
};

struct Activate {
    Activation function = Activation::relu;
};

struct Pool {
    PoolGeometry geometry;
    PaddingMode mode = PaddingMode::given;
};

/// Flattens channels, rows and columns in this order. Parameters: NAME.weight [out, in] and, with
/// `bias`, NAME.bias [out]. `pixels`: the image size that the weights were made for.
struct Linear {
    int outputs = 0;
    int pixels = 1;
    bool bias = true;
};

/// The sum of two values of one shape. `where_equal`: a shortcut that is there only where both have
/// as many channels (the widths of a weight file decide); without it the value is the second input.
struct Add {
    bool where_equal = false;
};
struct Concat {};

/// Channels of zeros before and after those of the input.
struct PadChannels {
    int before = 0;
    int after = 0;
};
struct ScaleChannels {};  ///< the first input times the second, which has one pixel
struct Softmax {};

/// As torch.nn.LocalResponseNorm.
struct LocalResponseNorm {
    int size = 5;
    float alpha = 1e-4f;
    float beta = 0.75f;
    float k = 1.0f;
};

}  // namespace op

using Operation = std::variant<op::Input, op::Conv, op::BatchNorm, op::Activate, op::Pool,
                               op::Linear, op::Add, op::Concat, op::PadChannels, op::ScaleChannels,
                               op::Softmax, op::LocalResponseNorm>;

/// A batch normalisation that a pass has moved into the convolution before it.
struct FoldedBatchNorm {
    std::string name;
    double epsilon = 1e-5;
};

/// A slice of a concatenation: where a value lives that a pass has taken the copy from.
struct Slice {
    int concat = -1;
    int first_channel = 0;
};

struct Node {
    Operation operation;
    std::string name;
    std::vector<int> inputs;  ///< nodes whose values it reads, all before it
    int channels = 0;

    // Written by passes.
    std::optional<FoldedBatchNorm> batch_norm;
    bool residual = false;    ///< the last input is added before the activation
    bool bias_later = false;  ///< the pooling that alone reads it adds its bias
    Activation activation = Activation::none;
    std::optional<Slice> slice;

    template <class Op>
    const Op* as() const {
        return std::get_if<Op>(&operation);
    }
    template <class Op>
    Op* as() {
        return std::get_if<Op>(&operation);
    }
};

class Graph;

/// A node's output while a graph is being built. A handle: valid while the Graph object lives.
class Value {
   public:
    Value(Graph& graph, int id) : graph_(&graph), id_(id) {}
    Graph& graph() const { return *graph_; }
    int id() const { return id_; }
    inline int channels() const;

   private:
    Graph* graph_;
    int id_;
};

class Graph {
   public:
    Graph() = default;
    explicit Graph(std::string name) : name_(std::move(name)) {}
    // Out of line: copies are many in the code, and few in a run.
    LUMBAR_COLD Graph(const Graph&) = default;
    LUMBAR_COLD Graph(Graph&&) noexcept = default;
    LUMBAR_COLD Graph& operator=(const Graph&) = default;
    LUMBAR_COLD Graph& operator=(Graph&&) noexcept = default;
    LUMBAR_COLD ~Graph() = default;

    const std::string& name() const { return name_; }
    const std::vector<Node>& nodes() const { return nodes_; }
    std::vector<Node>& nodes() { return nodes_; }
    const Node& node(int id) const { return nodes_[static_cast<std::size_t>(id)]; }
    Node& node(int id) { return nodes_[static_cast<std::size_t>(id)]; }
    int size() const { return static_cast<int>(nodes_.size()); }

    /// The values that running the network yields, by node.
    const std::vector<int>& outputs() const { return outputs_; }
    std::vector<int>& outputs() { return outputs_; }

    /// Prefixes of tensors that a checkpoint may hold and inference does not need (auxiliary
    /// heads).
    const std::vector<std::string>& ignored() const { return ignored_; }
    void ignore(std::string prefix) { ignored_.push_back(std::move(prefix)); }

    /// Whose names its weights may have, beside its own; the rules have static storage.
    std::span<const Dialect> dialects() const { return dialects_; }
    void set_dialects(std::span<const Dialect> dialects) { dialects_ = dialects; }

    /// The first mistake in building it, if any: `compile` reports it.
    const std::optional<Error>& error() const { return error_; }
    void fail(const std::string& node, const std::string& what) {
        if (!error_)
            error_ = Error(Error::Code::graph, detail::cat({name_, ": ", node, ": ", what}));
    }

    Value add(Node node) {
        nodes_.push_back(std::move(node));
        return {*this, size() - 1};
    }

    /// The image. A graph has one input, and it comes first.
    LUMBAR_COLD Value input(int channels) {
        if (!nodes_.empty()) fail("input", "a graph has one input, and it comes first");
        if (channels < 1) fail("input", "an image has at least one channel");
        return add({.operation = op::Input{},
                    .name = "input",
                    .inputs = {},
                    .channels = channels,
                    .batch_norm = {},
                    .residual = false,
                    .activation = Activation::none,
                    .slice = {}});
    }

    void output(Value v) { outputs_.push_back(v.id()); }

   private:
    std::string name_;
    std::vector<Node> nodes_;
    std::vector<int> outputs_;
    std::vector<std::string> ignored_;
    std::span<const Dialect> dialects_;
    std::optional<Error> error_;
};

inline int Value::channels() const { return graph_->node(id_).channels; }

/// A shortcut that is not there: its operands have different numbers of channels.
inline bool is_idle_shortcut(const Graph& graph, const Node& node) {
    const auto* add = node.as<op::Add>();
    return add && add->where_equal &&
           graph.node(node.inputs[0]).channels != graph.node(node.inputs[1]).channels;
}

LUMBAR_NAMESPACE_END
