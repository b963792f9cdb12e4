// The words that networks are written in: functions from values to values.
//
//     Value x = graph.input(3);
//     x = relu(batch_norm(conv<7>(x, "conv1", {.out_channels = 64, .stride = 2}), "bn1"));
//     x = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
//
// A mistake (channels that do not match, groups that do not divide) is kept in the graph and
// reported by `compile`, with the node's name.
#pragma once

#include <lumbar/core/text.hpp>
#include <lumbar/graph/graph.hpp>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {
/// Numbers of a window that keep every product with an image's size within 32 bits.
inline bool within_limits(std::initializer_list<int> values) {
    for (const int v : values) {
        if (v < 0 || v > 1 << 15) return false;
    }
    return true;
}

LUMBAR_COLD inline Value add_node(Value x, std::string name, Operation operation,
                                  std::vector<int> inputs, int channels) {
    Node node;
    node.operation = std::move(operation);
    node.name = std::move(name);
    node.inputs = std::move(inputs);
    node.channels = channels;
    return x.graph().add(std::move(node));
}
}  // namespace detail

/// A convolution of any form. Its padding is as given.
LUMBAR_COLD inline Value conv(Value x, std::string name, const op::Conv& c) {
    Graph& graph = x.graph();
    const auto say = [&](const std::string& what) { graph.fail(name, what); };
    if (c.out_channels < 1 || c.kernel.h < 1 || c.kernel.w < 1 || c.stride.h < 1 ||
        c.stride.w < 1 || c.dilation.h < 1 || c.dilation.w < 1 || c.groups < 1) {
        say("channels, kernel, stride, dilation and groups must be at least 1");
    } else if (x.channels() % c.groups || c.out_channels % c.groups) {
        say(detail::cat({c.groups, " groups do not divide ", x.channels(), " input and ",
                         c.out_channels, " output channels"}));
    } else if (!detail::within_limits({c.kernel.h, c.kernel.w, c.stride.h, c.stride.w, c.dilation.h,
                                       c.dilation.w, c.padding.top, c.padding.left,
                                       c.padding.bottom, c.padding.right}) ||
               c.out_channels > (1 << 20)) {
        say("kernel, stride, dilation and padding are 0 to 32768, channels at most 2^20");
    }
    return detail::add_node(x, std::move(name), c, {x.id()}, c.out_channels);
}

/// The usual square convolution.
struct SquareConv {
    int out_channels = 0;
    int stride = 1;
    int padding = -1;  ///< below 0: half the (dilated) kernel, which keeps the size at stride 1
    int dilation = 1;
    int groups = 1;
    bool bias = false;
    PaddingMode mode = PaddingMode::given;
};

/// The usual square convolution, where the kernel's size is a row's of a table.
LUMBAR_COLD inline Value conv(Value x, std::string name, int kernel, const SquareConv& c) {
    // In 64 bits: what is absurd is refused below.
    const std::int64_t half = (std::int64_t{kernel} - 1) / 2 * c.dilation;
    const int padding =
        c.padding < 0 ? static_cast<int>(std::clamp<std::int64_t>(half, 0, 1 << 20)) : c.padding;
    return conv(x, std::move(name),
                op::Conv{.out_channels = c.out_channels,
                         .kernel = Extent::square(kernel),
                         .stride = Extent::square(c.stride),
                         .dilation = Extent::square(c.dilation),
                         .padding = c.mode == PaddingMode::same ? Padding{} : Padding::all(padding),
                         .mode = c.mode,
                         .groups = c.groups,
                         .bias = c.bias});
}
template <int Kernel>
Value conv(Value x, std::string name, const SquareConv& c) {
    return conv(x, std::move(name), Kernel, c);
}

/// The convolution that filters each channel on its own.
inline Value depthwise_conv(Value x, std::string name, int kernel, SquareConv c = {}) {
    c.out_channels = c.groups = x.channels();
    return conv(x, std::move(name), kernel, c);
}
template <int Kernel>
Value depthwise_conv(Value x, std::string name, const SquareConv& c = {}) {
    return depthwise_conv(x, std::move(name), Kernel, c);
}

inline Value batch_norm(Value x, std::string name, double epsilon = 1e-5) {
    return detail::add_node(x, std::move(name), op::BatchNorm{epsilon}, {x.id()}, x.channels());
}

LUMBAR_COLD inline Value activate(Value x, Activation function) {
    if (function == Activation::none) return x;
    return detail::add_node(x, to_string(function), op::Activate{function}, {x.id()}, x.channels());
}
inline Value relu(Value x) { return activate(x, Activation::relu); }
inline Value relu6(Value x) { return activate(x, Activation::relu6); }
inline Value hard_swish(Value x) { return activate(x, Activation::hard_swish); }

/// The usual square pooling.
struct SquarePool {
    int kernel = 2;
    int stride = 2;
    int padding = 0;
    bool ceil_mode = false;
    bool count_include_pad = true;
    PaddingMode mode = PaddingMode::given;
};

namespace detail {
LUMBAR_COLD inline Value pool(Value x, const SquarePool& p, PoolGeometry::Kind kind) {
    const bool max = kind == PoolGeometry::Kind::max;
    if (p.kernel < 1 || p.stride < 1 || !within_limits({p.kernel, p.stride, p.padding}) ||
        2 * p.padding > p.kernel) {
        x.graph().fail(max ? "max_pool" : "avg_pool",
                       "kernel and stride must be at least 1, padding at most half the kernel");
    }
    return add_node(x, max ? "max_pool" : "avg_pool",
                    op::Pool{.geometry = {.kind = kind,
                                          .kernel = Extent::square(p.kernel),
                                          .stride = Extent::square(p.stride),
                                          .dilation = {},
                                          .padding = Padding::all(p.padding),
                                          .ceil_mode = p.ceil_mode,
                                          .count_include_pad = p.count_include_pad,
                                          .adaptive = {0, 0}},
                             .mode = p.mode},
                    {x.id()}, x.channels());
}
}  // namespace detail

inline Value max_pool(Value x, const SquarePool& p) {
    return detail::pool(x, p, PoolGeometry::Kind::max);
}
inline Value avg_pool(Value x, const SquarePool& p) {
    return detail::pool(x, p, PoolGeometry::Kind::average);
}

/// The average over windows that divide the image into `out` parts, as
/// torch.nn.AdaptiveAvgPool2d.
LUMBAR_COLD inline Value adaptive_avg_pool(Value x, Extent out) {
    PoolGeometry g;
    g.kind = PoolGeometry::Kind::average;
    g.adaptive = out;
    if (out.h < 1 || out.w < 1) x.graph().fail("avg_pool", "the output must not be empty");
    const bool global = out == Extent{1, 1};
    return detail::add_node(x, global ? "global_avg_pool" : "adaptive_avg_pool",
                            op::Pool{g, PaddingMode::given}, {x.id()}, x.channels());
}
inline Value global_avg_pool(Value x) { return adaptive_avg_pool(x, {1, 1}); }

/// A fully connected layer on the flattened input. `pixels` is what the input's height times width
/// will be (1 after global pooling).
inline Value linear(Value x, std::string name, const op::Linear& l) {
    if (l.outputs < 1 || l.pixels < 1) x.graph().fail(name, "outputs and pixels must be positive");
    return detail::add_node(x, std::move(name), l, {x.id()}, l.outputs);
}

namespace detail {
/// Values of two graphs do not meet.
LUMBAR_COLD inline bool same_graph(const Value& a, const Value& b, const char* node) {
    if (&a.graph() == &b.graph()) return true;
    a.graph().fail(node, "its operands belong to different graphs");
    b.graph().fail(node, "its operands belong to different graphs");
    return false;
}
}  // namespace detail

LUMBAR_COLD inline Value operator+(Value a, Value b) {
    if (!detail::same_graph(a, b, "add")) return a;
    if (a.channels() != b.channels()) {
        a.graph().fail("add", detail::cat({"the operands have ", a.channels(), " and ",
                                           b.channels(), " channels"}));
    }
    return detail::add_node(a, "add", op::Add{}, {a.id(), b.id()}, a.channels());
}

/// x + y where both have as many channels, y alone where they have not: the shortcut of a block of
/// stride 1 whose widths may change (MobileNet V2).
inline Value shortcut_where_equal(Value x, Value y) {
    if (!detail::same_graph(x, y, "add")) return y;
    return detail::add_node(y, "add", op::Add{.where_equal = true}, {x.id(), y.id()}, y.channels());
}

/// All channels of all values, in this order. Precondition: there is at least one.
LUMBAR_COLD inline Value concat(const std::vector<Value>& values) {
    std::vector<int> inputs;
    int channels = 0;
    for (const Value& v : values) {
        if (!detail::same_graph(values[0], v, "concat")) return v;
        inputs.push_back(v.id());
        channels += v.channels();
    }
    return detail::add_node(values[0], "concat", op::Concat{}, std::move(inputs), channels);
}

/// x with channels of zeros before and after its own (the parameter-free shortcuts of the first
/// residual networks).
LUMBAR_COLD inline Value pad_channels(Value x, const op::PadChannels& p) {
    if (!detail::within_limits({p.before, p.after})) {
        x.graph().fail("pad_channels", "adds 0 to 32768 channels on each side");
    }
    return detail::add_node(x, "pad_channels", p, {x.id()}, p.before + x.channels() + p.after);
}

/// x times a gate of one pixel: a scale per image and channel.
LUMBAR_COLD inline Value scale_channels(Value x, Value gate) {
    if (!detail::same_graph(x, gate, "scale_channels")) return x;
    if (x.channels() != gate.channels()) {
        x.graph().fail("scale_channels", detail::cat({"the gate has ", gate.channels(),
                                                      " channels, the image ", x.channels()}));
    }
    return detail::add_node(x, "scale_channels", op::ScaleChannels{}, {x.id(), gate.id()},
                            x.channels());
}

/// A squeeze-and-excite block (arXiv:1709.01507): global average -> reduce -> activation -> expand
/// -> gate -> scale. The two layers are 1x1 convolutions with bias.
struct SqueezeExciteSpec {
    int squeezed_channels = 0;
    Activation activation = Activation::relu;
    Activation gate = Activation::sigmoid;
    std::string_view reduce = "fc1";
    std::string_view expand = "fc2";
};
LUMBAR_COLD inline Value squeeze_excite(Value x, const std::string& name,
                                        const SqueezeExciteSpec& s) {
    const auto layer = [&](Value v, std::string_view part, int channels) {
        return conv<1>(v, detail::cat({name, ".", part}), {.out_channels = channels, .bias = true});
    };
    Value squeezed =
        activate(layer(global_avg_pool(x), s.reduce, s.squeezed_channels), s.activation);
    return scale_channels(x, activate(layer(squeezed, s.expand, x.channels()), s.gate));
}

inline Value softmax(Value x) {
    return detail::add_node(x, "softmax", op::Softmax{}, {x.id()}, x.channels());
}

inline Value local_response_norm(Value x, const op::LocalResponseNorm& p) {
    return detail::add_node(x, "local_response_norm", p, {x.id()}, x.channels());
}

LUMBAR_NAMESPACE_END
