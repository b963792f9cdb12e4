// MobileNet V3: Howard et al., "Searching for MobileNetV3", arXiv:1905.02244, tables 1 and 2. Names
// and numerics of torchvision.
//
//   network                parameters    MACs at 224
//   mobilenet_v3_large     5,483,032     217 M
//   mobilenet_v3_small     2,542,856      57 M
//
// As torchvision, and TensorFlow's reference: the squeeze-excite layers have biases, a ReLU between
// them and a hard sigmoid after; batch norm's epsilon is 1e-3; the last two layers are linear.
#pragma once

#include <lumbar/models/numerics.hpp>

#include <array>
#include <span>
#include <string>

LUMBAR_NAMESPACE_BEGIN

/// A row "bneck, k x k" of tables 1 and 2. NL: RE is ReLU, HS h-swish.
struct MobileNetV3Row {
    int k;
    int exp_size;
    int out;
    bool se;
    Activation nl;
    int s;
};

/// Tables 1 and 2: a 3x3 convolution, the rows, a 1x1 convolution; then pooling and two layers.
struct MobileNetV3Table {
    const char* name;
    int stem_channels;
    std::span<const MobileNetV3Row> rows;
    int head_outputs;  ///< of the linear layer before the logits
};

namespace detail {
inline constexpr Activation RE = Activation::relu, HS = Activation::hard_swish;
}

inline constexpr std::array<MobileNetV3Row, 15> kMobileNetV3LargeRows{{
    {3, 16, 16, false, detail::RE, 1},   // 112
    {3, 64, 24, false, detail::RE, 2},   // 56
    {3, 72, 24, false, detail::RE, 1},   // 56
    {5, 72, 40, true, detail::RE, 2},    // 28
    {5, 120, 40, true, detail::RE, 1},   // 28
    {5, 120, 40, true, detail::RE, 1},   // 28
    {3, 240, 80, false, detail::HS, 2},  // 14
    {3, 200, 80, false, detail::HS, 1},  // 14
    {3, 184, 80, false, detail::HS, 1},  // 14
    {3, 184, 80, false, detail::HS, 1},  // 14
    {3, 480, 112, true, detail::HS, 1},  // 14
    {3, 672, 112, true, detail::HS, 1},  // 14
    {5, 672, 160, true, detail::HS, 2},  // 7
    {5, 960, 160, true, detail::HS, 1},  // 7
    {5, 960, 160, true, detail::HS, 1},  // 7
}};
inline constexpr std::array<MobileNetV3Row, 11> kMobileNetV3SmallRows{{
    {3, 16, 16, true, detail::RE, 2},   // 56
    {3, 72, 24, false, detail::RE, 2},  // 28
    {3, 88, 24, false, detail::RE, 1},  // 28
    {5, 96, 40, true, detail::HS, 2},   // 14
    {5, 240, 40, true, detail::HS, 1},  // 14
    {5, 240, 40, true, detail::HS, 1},  // 14
    {5, 120, 48, true, detail::HS, 1},  // 14
    {5, 144, 48, true, detail::HS, 1},  // 14
    {5, 288, 96, true, detail::HS, 2},  // 7
    {5, 576, 96, true, detail::HS, 1},  // 7
    {5, 576, 96, true, detail::HS, 1},  // 7
}};
inline constexpr MobileNetV3Table kMobileNetV3Large{"mobilenet_v3_large", 16, kMobileNetV3LargeRows,
                                                    1280};
inline constexpr MobileNetV3Table kMobileNetV3Small{"mobilenet_v3_small", 16, kMobileNetV3SmallRows,
                                                    1024};

struct MobileNetV3Options {
    int classes = 1000;
    int input_channels = 3;
    double width = 1.0;  ///< all channels are rounded to multiples of 8
    Numerics numerics = Numerics::torch;
    double bn_eps = 1e-3;
};

namespace detail {

/// Expand 1x1 -> depthwise -> squeeze-excite -> project 1x1 without activation; a shortcut where
/// nothing changes its shape (figure 4). A row that does not expand has no first layer.
LUMBAR_COLD inline Value bneck(Value x, const std::string& name, const MobileNetV3Row& row,
                               const MobileNetV3Options& o) {
    int part = 0;
    const auto next = [&] { return cat({name, ".block.", part++}); };
    const auto norm = [&](Value v, const std::string& layer) {
        return batch_norm(v, layer + ".1", o.bn_eps);
    };
    Value y = x;
    if (row.exp_size != x.channels()) {
        const std::string expand = next();
        y = conv<1>(y, expand + ".0", {.out_channels = row.exp_size});
        y = activate(norm(y, expand), row.nl);
    }
    const std::string filter = next();
    const SquareConv depthwise{.stride = row.s, .mode = padding_mode(o.numerics)};
    y = row.k == 3 ? depthwise_conv<3>(y, filter + ".0", depthwise)
                   : depthwise_conv<5>(y, filter + ".0", depthwise);
    y = activate(norm(y, filter), row.nl);
    if (row.se) {
        y = squeeze_excite(y, next(),
                           {.squeezed_channels = make_divisible(row.exp_size / 4),
                            .gate = Activation::hard_sigmoid});
    }
    const std::string project = next();
    y = norm(conv<1>(y, project + ".0", {.out_channels = row.out}), project);
    return row.s == 1 ? shortcut_where_equal(x, y) : y;
}

}  // namespace detail

/// The network of a table, from the image to the logits. Any input size.
LUMBAR_COLD inline Graph mobilenet_v3(const MobileNetV3Table& table,
                                      const MobileNetV3Options& options = {}) {
    Graph graph(table.name);
    const auto channels = [&](int c) { return make_divisible(c * options.width); };
    const auto wide = [&](Value x, const std::string& name) {
        return hard_swish(batch_norm(x, name + ".1", options.bn_eps));
    };
    Value x = graph.input(options.input_channels);
    x = conv<3>(x, "features.0.0",
                {.out_channels = channels(table.stem_channels),
                 .stride = 2,
                 .mode = padding_mode(options.numerics)});
    x = wide(x, "features.0");
    int index = 1;
    for (MobileNetV3Row row : table.rows) {
        row.exp_size = channels(row.exp_size);
        row.out = channels(row.out);
        x = detail::bneck(x, detail::cat({"features.", index++}), row, options);
    }
    const std::string head = detail::cat({"features.", index});
    x = wide(conv<1>(x, head + ".0", {.out_channels = 6 * x.channels()}), head);
    x = linear(global_avg_pool(x), "classifier.0", {.outputs = channels(table.head_outputs)});
    graph.output(linear(hard_swish(x), "classifier.3", {.outputs = options.classes}));
    return graph;
}

inline Graph mobilenet_v3_large(const MobileNetV3Options& options = {}) {
    return mobilenet_v3(kMobileNetV3Large, options);
}
inline Graph mobilenet_v3_small(const MobileNetV3Options& options = {}) {
    return mobilenet_v3(kMobileNetV3Small, options);
}

LUMBAR_NAMESPACE_END
