// MobileNet V2: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
// arXiv:1801.04381, table 2. Names of torchvision.
//
//   width    parameters    MACs at 224
//   1.0      3,504,872     301 M        (the paper's table 4: 3.4 million, 300 million)
//   1.4      6,108,776     582 M        (6.9 million, 585 million)
//   0.75     2,636,424     209 M        (2.6 million, 209 million)
//   0.5      1,968,680      97 M
//
// The paper's 3.4 million are 3,470,760, cut off: it does not count batch normalisations.
//
// Weights: torchvision's mobilenet_v2-b0353104.pth (presets::imagenet), timm's
// mobilenetv2_100.ra_in1k (other names, presets::timm), Keras's MobileNetV2 (presets::tensorflow;
// its names bring TensorFlow's numerics along). Other files from TensorFlow need {.numerics =
// Numerics::tf}.
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

namespace detail {
inline constexpr int kMobileNetV2Stages[] = {1, 2, 3, 4, 3, 3, 1};
inline constexpr NameRule kMobileNetV2TimmRules[] = {
    {"features.0.0", "conv_stem"},
    {"features.0.1", "bn1"},
    {"features.1.conv.0.0", "blocks.0.0.conv_dw"},
    {"features.1.conv.0.1", "blocks.0.0.bn1"},
    {"features.1.conv.1", "blocks.0.0.conv_pw"},
    {"features.1.conv.2", "blocks.0.0.bn2"},
    {"features.#.conv.0.0", "blocks.@.conv_pw"},
    {"features.#.conv.0.1", "blocks.@.bn1"},
    {"features.#.conv.1.0", "blocks.@.conv_dw"},
    {"features.#.conv.1.1", "blocks.@.bn2"},
    {"features.#.conv.2", "blocks.@.conv_pwl"},
    {"features.#.conv.3", "blocks.@.bn3"},
    {"features.18.0", "conv_head"},
    {"features.18.1", "bn2"},
    {"classifier.1", "classifier"},
};
inline constexpr NameRule kMobileNetV2KerasRules[] = {
    {"features.0.0", "Conv1"},
    {"features.0.1", "bn_Conv1"},
    {"features.1.conv.0.0", "expanded_conv_depthwise"},
    {"features.1.conv.0.1", "expanded_conv_depthwise_BN"},
    {"features.1.conv.1", "expanded_conv_project"},
    {"features.1.conv.2", "expanded_conv_project_BN"},
    {"features.#.conv.0.0", "block_-_expand"},
    {"features.#.conv.0.1", "block_-_expand_BN"},
    {"features.#.conv.1.0", "block_-_depthwise"},
    {"features.#.conv.1.1", "block_-_depthwise_BN"},
    {"features.#.conv.2", "block_-_project"},
    {"features.#.conv.3", "block_-_project_BN"},
    {"features.18.0", "Conv_1"},
    {"features.18.1", "Conv_1_bn"},
    {"classifier.1", "predictions"},
};
inline constexpr Dialect kMobileNetV2Dialects[] = {
    {.name = "timm",
     .rules = kMobileNetV2TimmRules,
     .stages = kMobileNetV2Stages,
     .preset = "timm"},
    {.name = "Keras",
     .rules = kMobileNetV2KerasRules,
     .stages = {},
     .style = TensorStyle::keras,
     .epsilon = 1e-3,
     .same_padding = true,
     .preset = "tensorflow"},
};
}  // namespace detail

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
    graph.set_dialects(detail::kMobileNetV2Dialects);
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
