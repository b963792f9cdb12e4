// MobileNet V1: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile
// Vision Applications", arXiv:1704.04861, table 1. Names of timm (mobilenetv1_*).
//
//   width    parameters    MACs at 224
//   1.0      4,231,976     569 M        (the paper's table 8: 4.2 million, 569 million)
//   0.75     2,585,560     325 M
//   0.5      1,331,592     149 M
//   0.25       470,072      41 M
//
// Deviations from the paper: the activation is ReLU6, as in both reference implementations. The
// table's last depthwise layer is printed with stride 2; it is 1, or the shapes would not fit.
//
// Weights: timm's mobilenetv1_100.ra4_e3600_r224_in1k (presets::timm_half); Keras's MobileNet
// (presets::tensorflow), recognised by its names, which bring TensorFlow's numerics along; other
// files from TensorFlow need {.numerics = Numerics::tf}. At odd sizes Keras pads stride 2 by one
// pixel less than TensorFlow's SAME, which is taken here. timm's mobilenetv1_100h has another head.
#pragma once

#include <lumbar/models/numerics.hpp>

#include <array>
#include <string>

LUMBAR_NAMESPACE_BEGIN

/// Rows of table 1: n times "Conv dw / sS, Conv 1x1 / s1" with c output channels; the stride S is
/// that of the first.
struct SeparableRow {
    int c;
    int n;
    int s;
};

inline constexpr std::array<SeparableRow, 5> kMobileNetV1Rows{{
    {64, 1, 1},    // 112
    {128, 2, 2},   // 56
    {256, 2, 2},   // 28
    {512, 6, 2},   // 14
    {1024, 2, 2},  // 7
}};
inline constexpr int kMobileNetV1Stem = 32;

namespace detail {
inline constexpr int kMobileNetV1Stages[] = {1, 2, 2, 6, 2};
inline constexpr NameRule kMobileNetV1KerasRules[] = {
    {"conv_stem", "conv1"},
    {"bn1", "conv1_bn"},
    {"blocks.#.#.conv_dw", "conv_dw_*"},
    {"blocks.#.#.bn1", "conv_dw_*_bn"},
    {"blocks.#.#.conv_pw", "conv_pw_*"},
    {"blocks.#.#.bn2", "conv_pw_*_bn"},
    {"classifier", "conv_preds"},
};
inline constexpr Dialect kMobileNetV1Dialects[] = {{.name = "Keras",
                                                    .rules = kMobileNetV1KerasRules,
                                                    .stages = kMobileNetV1Stages,
                                                    .style = TensorStyle::keras,
                                                    .epsilon = 1e-3,
                                                    .same_padding = true,
                                                    .preset = "tensorflow"}};
}  // namespace detail

struct MobileNetV1Options {
    int classes = 1000;
    int input_channels = 3;
    double width = 1.0;  ///< the paper's alpha; rounded to multiples of 8
    Numerics numerics = Numerics::torch;
};

/// The network from the image to the logits. Any input size (the paper's rho).
LUMBAR_COLD inline Graph mobilenet_v1(const MobileNetV1Options& options = {}) {
    Graph graph("mobilenet_v1");
    graph.set_dialects(detail::kMobileNetV1Dialects);
    const PaddingMode mode = padding_mode(options.numerics);
    const auto channels = [&](int c) { return make_divisible(c * options.width); };
    const auto norm = [&](Value x, const std::string& name) {
        return relu6(batch_norm(x, name, batch_norm_epsilon(options.numerics)));
    };
    Value x = graph.input(options.input_channels);
    x = conv<3>(x, "conv_stem",
                {.out_channels = channels(kMobileNetV1Stem), .stride = 2, .mode = mode});
    x = norm(x, "bn1");
    int stage = 0;
    for (const SeparableRow& row : kMobileNetV1Rows) {
        for (int i = 0; i < row.n; ++i) {
            const std::string block = "blocks." + std::to_string(stage) + "." + std::to_string(i);
            x = depthwise_conv<3>(x, block + ".conv_dw",
                                  {.stride = i == 0 ? row.s : 1, .mode = mode});
            x = norm(x, block + ".bn1");
            x = conv<1>(x, block + ".conv_pw", {.out_channels = channels(row.c)});
            x = norm(x, block + ".bn2");
        }
        ++stage;
    }
    graph.output(linear(global_avg_pool(x), "classifier", {.outputs = options.classes}));
    return graph;
}

LUMBAR_NAMESPACE_END
