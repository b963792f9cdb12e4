// MobileNet V2: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
// arXiv:1801.04381, table 2. Names of torchvision.
//
//   width    parameters    MACs at 224
//   1.0      3,504,872     301 M
#pragma once

#include <lumbar/models/numerics.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>

LUMBAR_NAMESPACE_BEGIN

/// A row of table 2: n inverted residuals with expansion t and c output channels; the first has
/// stride s.
struct InvertedResidualRow {
    int t;
    int c;
    int n;
    int s;
};

/// Table 2: a 3x3 convolution, the rows, a 1x1 convolution; then pooling and the classifier.
struct MobileNetV2Table {
    const char* name;
    int stem_channels;
    int stem_stride;
    std::span<const InvertedResidualRow> rows;
    int head_channels;
};

inline constexpr std::array<InvertedResidualRow, 7> kMobileNetV2Rows{{
    {1, 16, 1, 1},   // 112
    {6, 24, 2, 2},   // 56
    {6, 32, 3, 2},   // 28
    {6, 64, 4, 2},   // 14
    {6, 96, 3, 1},   // 14
    {6, 160, 3, 2},  // 7
    {6, 320, 1, 1},  // 7
}};
inline constexpr MobileNetV2Table kMobileNetV2{"mobilenet_v2", 32, 2, kMobileNetV2Rows, 1280};

struct MobileNetV2Options {
    int classes = 1000;
    int input_channels = 3;
    double width = 1.0;  ///< channels are rounded to multiples of 8; the head is never narrowed
    Numerics numerics = Numerics::torch;
};

namespace detail {

/// Expand 1x1 -> depthwise 3x3 -> project 1x1 without activation; with a shortcut where nothing
/// changes its shape (figure 3, table 1).
LUMBAR_COLD inline Value inverted_residual(Value x, const std::string& name,
                                           const InvertedResidualRow& row, int stride,
                                           Numerics numerics) {
    const double epsilon = batch_norm_epsilon(numerics);
    int part = 0;
    const auto next = [&] { return name + ".conv." + std::to_string(part++); };
    Value y = x;
    if (row.t != 1) {
        const std::string expand = next();
        y = conv<1>(y, expand + ".0", {.out_channels = x.channels() * row.t});
        y = relu6(batch_norm(y, expand + ".1", epsilon));
    }
    const std::string filter = next();
    y = depthwise_conv<3>(y, filter + ".0", {.stride = stride, .mode = padding_mode(numerics)});
    y = relu6(batch_norm(y, filter + ".1", epsilon));
    y = conv<1>(y, next(), {.out_channels = row.c});
    y = batch_norm(y, next(), epsilon);
    return stride == 1 ? shortcut_where_equal(x, y) : y;
}

}  // namespace detail

/// The network of a table, from the image to the logits. Any input size. A table of one's own makes
/// a network of one's own.
LUMBAR_COLD inline Graph mobilenet_v2(const MobileNetV2Table& table,
                                      const MobileNetV2Options& options = {}) {
    Graph graph(table.name);
    const double epsilon = batch_norm_epsilon(options.numerics);
    const auto channels = [&](int c) { return make_divisible(c * options.width); };
    Value x = graph.input(options.input_channels);
    x = conv<3>(x, "features.0.0",
                {.out_channels = channels(table.stem_channels),
                 .stride = table.stem_stride,
                 .mode = padding_mode(options.numerics)});
    x = relu6(batch_norm(x, "features.0.1", epsilon));
    int index = 1;
    for (InvertedResidualRow row : table.rows) {
        row.c = channels(row.c);
        for (int i = 0; i < row.n; ++i, ++index) {
            x = detail::inverted_residual(x, "features." + std::to_string(index), row,
                                          i == 0 ? row.s : 1, options.numerics);
        }
    }
    const std::string head = "features." + std::to_string(index);
    const int wide = make_divisible(table.head_channels * std::max(1.0, options.width));
    x = relu6(batch_norm(conv<1>(x, head + ".0", {.out_channels = wide}), head + ".1", epsilon));
    graph.output(linear(global_avg_pool(x), "classifier.1", {.outputs = options.classes}));
    return graph;
}

LUMBAR_COLD inline Graph mobilenet_v2(const MobileNetV2Options& options = {}) {
    return mobilenet_v2(kMobileNetV2, options);
}

LUMBAR_NAMESPACE_END
