// MobileNet V3: Howard et al., "Searching for MobileNetV3", arXiv:1905.02244, tables 1 and 2. Names
// and numerics of torchvision.
//
//   network                       parameters    MACs at 224    the paper's table 3
//   mobilenet_v3_large            5,483,032     217 M          5.4 M, 219 M, top-1 75.2
//   mobilenet_v3_small            2,542,856      57 M          2.5 M,  56 M, top-1 67.4
//   mobilenet_v3_large_minimal    3,924,288     209 M
//   mobilenet_v3_small_minimal    2,044,736      52 M
//
// The minimal networks, which TensorFlow published, have 3x3 kernels and ReLU alone, and no
// squeeze-and-excite. Their MACs are counted here. (TensorFlow prints 209 M, and for the small one
// 65 M, as it prints 66 M for mobilenet_v3_small, against the paper. Where 0.66 and 0.16 billion
// operations are given for large and small, neither table 3 nor any count of multiply-adds agrees.)
//
// Deviations from the paper, both torchvision's: a squeeze-and-excite block squeezes to a quarter
// of its channels, rounded to a multiple of 8; the small network's last convolution before the
// pooling has no such block (table 2 ticks it).
//
// Weights: torchvision's mobilenet_v3_large-8738ca79.pth (presets::imagenet), timm's
// mobilenetv3_large_100.ra_in1k (other names; they bring timm's epsilon, 1e-5, along;
// presets::timm), Keras's (with TensorFlow's numerics; presets::tensorflow). timm's
// tf_mobilenetv3_* have timm's names but TensorFlow's numerics: {.numerics = Numerics::tf}. timm's
// mobilenetv3_rw and narrow stems of 0.75 and below are its own; the latter's widths are the
// file's.
#pragma once

#include <lumbar/models/numerics.hpp>

#include <array>
#include <span>
#include <string>
#include <utility>

LUMBAR_NAMESPACE_BEGIN

/// A "bneck" row of tables 1 and 2, in their order of columns: the depthwise kernel, "exp size",
/// "#out", "SE", "NL" and the stride.
struct MobileNetV3Row {
    int kernel;
    int expanded;
    int c;
    bool squeeze_excite;
    Activation activation;
    int s;
};

/// Table 1 or 2: a 3x3 convolution of stride 2, the rows, a 1x1 convolution to six times the last
/// row's channels; then pooling and two layers on one pixel.
struct MobileNetV3Table {
    const char* name;
    int stem_channels;
    std::span<const MobileNetV3Row> rows;
    int classifier_channels;
    Activation activation = Activation::hard_swish;  ///< outside the rows
};

namespace detail {
inline constexpr bool kSe = true, kNoSe = false;
inline constexpr Activation kRe = Activation::relu, kHs = Activation::hard_swish;
}  // namespace detail

inline constexpr std::array<MobileNetV3Row, 15> kMobileNetV3LargeRows{{
    {3, 16, 16, detail::kNoSe, detail::kRe, 1},   // 112
    {3, 64, 24, detail::kNoSe, detail::kRe, 2},   // 56
    {3, 72, 24, detail::kNoSe, detail::kRe, 1},   // 56
    {5, 72, 40, detail::kSe, detail::kRe, 2},     // 28
    {5, 120, 40, detail::kSe, detail::kRe, 1},    // 28
    {5, 120, 40, detail::kSe, detail::kRe, 1},    // 28
    {3, 240, 80, detail::kNoSe, detail::kHs, 2},  // 14
    {3, 200, 80, detail::kNoSe, detail::kHs, 1},  // 14
    {3, 184, 80, detail::kNoSe, detail::kHs, 1},  // 14
    {3, 184, 80, detail::kNoSe, detail::kHs, 1},  // 14
    {3, 480, 112, detail::kSe, detail::kHs, 1},   // 14
    {3, 672, 112, detail::kSe, detail::kHs, 1},   // 14
    {5, 672, 160, detail::kSe, detail::kHs, 2},   // 7
    {5, 960, 160, detail::kSe, detail::kHs, 1},   // 7
    {5, 960, 160, detail::kSe, detail::kHs, 1},   // 7
}};
inline constexpr std::array<MobileNetV3Row, 11> kMobileNetV3SmallRows{{
    {3, 16, 16, detail::kSe, detail::kRe, 2},    // 56
    {3, 72, 24, detail::kNoSe, detail::kRe, 2},  // 28
    {3, 88, 24, detail::kNoSe, detail::kRe, 1},  // 28
    {5, 96, 40, detail::kSe, detail::kHs, 2},    // 14
    {5, 240, 40, detail::kSe, detail::kHs, 1},   // 14
    {5, 240, 40, detail::kSe, detail::kHs, 1},   // 14
    {5, 120, 48, detail::kSe, detail::kHs, 1},   // 14
    {5, 144, 48, detail::kSe, detail::kHs, 1},   // 14
    {5, 288, 96, detail::kSe, detail::kHs, 2},   // 7
    {5, 576, 96, detail::kSe, detail::kHs, 1},   // 7
    {5, 576, 96, detail::kSe, detail::kHs, 1},   // 7
}};
inline constexpr MobileNetV3Table kMobileNetV3Large{"mobilenet_v3_large", 16, kMobileNetV3LargeRows,
                                                    1280};
inline constexpr MobileNetV3Table kMobileNetV3Small{"mobilenet_v3_small", 16, kMobileNetV3SmallRows,
                                                    1024};

namespace detail {
/// The rows of a minimal network.
template <std::size_t N>
constexpr std::array<MobileNetV3Row, N> minimal(std::array<MobileNetV3Row, N> rows) {
    for (MobileNetV3Row& row : rows) {
        row = {3, row.expanded, row.c, kNoSe, kRe, row.s};
    }
    return rows;
}
}  // namespace detail

inline constexpr auto kMobileNetV3LargeMinimalRows = detail::minimal(kMobileNetV3LargeRows);
inline constexpr auto kMobileNetV3SmallMinimalRows = detail::minimal(kMobileNetV3SmallRows);
inline constexpr MobileNetV3Table kMobileNetV3LargeMinimal{
    "mobilenet_v3_large_minimal", 16, kMobileNetV3LargeMinimalRows, 1280, Activation::relu};
inline constexpr MobileNetV3Table kMobileNetV3SmallMinimal{
    "mobilenet_v3_small_minimal", 16, kMobileNetV3SmallMinimalRows, 1024, Activation::relu};

struct MobileNetV3Options {
    int classes = 1000;
    int input_channels = 3;
    /// Of all channels, which are rounded to multiples of 8. The paper's narrow networks keep the
    /// classifier's width: a weight file's widths win.
    double width = 1.0;
    Numerics numerics = Numerics::torch;
};

namespace detail {

constexpr double mobilenet_v3_epsilon(Numerics n) { return n == Numerics::timm ? 1e-5 : 1e-3; }

inline constexpr int kMobileNetV3LargeStages[] = {1, 2, 3, 4, 2, 3};
inline constexpr int kMobileNetV3SmallStages[] = {1, 2, 3, 2, 3};
// The first block does not expand, and only the small network's has squeeze-and-excite.
inline constexpr NameRule kMobileNetV3TimmRules[] = {
    {"features.0.0", "conv_stem"},
    {"features.0.1", "bn1"},
    {"features.1.block.0.0", "blocks.0.0.conv_dw"},
    {"features.1.block.0.1", "blocks.0.0.bn1"},
    {"features.1.block.1.fc1", "blocks.0.0.se.conv_reduce"},
    {"features.1.block.1.fc2", "blocks.0.0.se.conv_expand"},
    {"features.1.block.#.0", "blocks.0.0.conv_pw"},
    {"features.1.block.#.1", "blocks.0.0.bn2"},
    {"features.#.block.0.0", "blocks.@.conv_pw"},
    {"features.#.block.0.1", "blocks.@.bn1"},
    {"features.#.block.1.0", "blocks.@.conv_dw"},
    {"features.#.block.1.1", "blocks.@.bn2"},
    {"features.#.block.2.fc1", "blocks.@.se.conv_reduce"},
    {"features.#.block.2.fc2", "blocks.@.se.conv_expand"},
    {"features.#.block.#.0", "blocks.@.conv_pwl"},
    {"features.#.block.#.1", "blocks.@.bn3"},
    {"features.#.0", "blocks.@.conv"},
    {"features.#.1", "blocks.@.bn1"},
    {"classifier.0", "conv_head"},
    {"classifier.3", "classifier"},
};
inline constexpr NameRule kMobileNetV3KerasRules[] = {
    {"features.0.0", "conv"},
    {"features.0.1", "conv_bn"},
    {"features.1.block.0.0", "expanded_conv_depthwise"},
    {"features.1.block.0.1", "expanded_conv_depthwise_bn"},
    {"features.1.block.1.fc1", "expanded_conv_squeeze_excite_conv"},
    {"features.1.block.1.fc2", "expanded_conv_squeeze_excite_conv_1"},
    {"features.1.block.#.0", "expanded_conv_project"},
    {"features.1.block.#.1", "expanded_conv_project_bn"},
    {"features.#.block.0.0", "expanded_conv_-_expand"},
    {"features.#.block.0.1", "expanded_conv_-_expand_bn"},
    {"features.#.block.1.0", "expanded_conv_-_depthwise"},
    {"features.#.block.1.1", "expanded_conv_-_depthwise_bn"},
    {"features.#.block.2.fc1", "expanded_conv_-_squeeze_excite_conv"},
    {"features.#.block.2.fc2", "expanded_conv_-_squeeze_excite_conv_1"},
    {"features.#.block.#.0", "expanded_conv_-_project"},
    {"features.#.block.#.1", "expanded_conv_-_project_bn"},
    {"features.#.0", "conv_1"},
    {"features.#.1", "conv_1_bn"},
    {"classifier.0", "conv_2"},
    {"classifier.3", "logits"},
};
/// timm's names do not tell its own networks from TensorFlow's: who says Numerics::tf does. Its
/// minimal ones are all TensorFlow's.
template <const auto& Stages, bool TensorFlow>
inline constexpr Dialect kMobileNetV3Dialects[] = {
    {.name = "timm",
     .rules = kMobileNetV3TimmRules,
     .stages = Stages,
     .style = TensorStyle::torch,
     .epsilon = TensorFlow ? 1e-3 : 1e-5,
     .same_padding = TensorFlow,
     .preset = TensorFlow ? "tensorflow" : "timm"},
    {.name = "Keras",
     .rules = kMobileNetV3KerasRules,
     .stages = {},
     .style = TensorStyle::keras,
     .epsilon = 1e-3,
     .same_padding = true,
     .preset = "tensorflow"},
};
LUMBAR_COLD inline std::span<const Dialect> mobilenet_v3_dialects(const MobileNetV3Table& table,
                                                                  Numerics n) {
    const bool large = table.rows.size() == kMobileNetV3LargeRows.size();
    const bool minimal = table.activation == Activation::relu;
    const bool tf = n == Numerics::tf || minimal;
    return large
               ? tf ? std::span<const Dialect>(kMobileNetV3Dialects<kMobileNetV3LargeStages, true>)
                    : kMobileNetV3Dialects<kMobileNetV3LargeStages, false>
           : tf ? std::span<const Dialect>(kMobileNetV3Dialects<kMobileNetV3SmallStages, true>)
                : kMobileNetV3Dialects<kMobileNetV3SmallStages, false>;
}

/// Expand 1x1 -> depthwise -> squeeze-and-excite -> project 1x1 without activation; with a shortcut
/// where nothing changes its shape (figure 4).
LUMBAR_COLD inline Value mobilenet_v3_block(Value x, const std::string& name,
                                            const MobileNetV3Row& row, Numerics numerics) {
    int part = 0;
    const auto next = [&] { return cat({name, ".block.", part++}); };
    const auto norm = [&](Value v, const std::string& unit) {
        return batch_norm(v, unit + ".1", mobilenet_v3_epsilon(numerics));
    };
    Value y = x;
    if (row.expanded != x.channels()) {
        const std::string expand = next();
        y = conv<1>(y, expand + ".0", {.out_channels = row.expanded});
        y = activate(norm(y, expand), row.activation);
    }
    const std::string filter = next();
    y = depthwise_conv(y, filter + ".0", row.kernel,
                       {.stride = row.s, .mode = padding_mode(numerics)});
    y = activate(norm(y, filter), row.activation);
    if (row.squeeze_excite) {
        y = squeeze_excite(y, next(),
                           {.squeezed_channels = make_divisible(row.expanded / 4),
                            .activation = Activation::relu,
                            .gate = Activation::hard_sigmoid});
    }
    const std::string project = next();
    y = norm(conv<1>(y, project + ".0", {.out_channels = row.c}), project);
    return row.s == 1 ? shortcut_where_equal(x, y) : y;
}

}  // namespace detail

/// The network of a table, from the image to the logits. Any input size. A table of one's own makes
/// a network of one's own.
LUMBAR_COLD inline Graph mobilenet_v3(const MobileNetV3Table& table,
                                      const MobileNetV3Options& options = {}) {
    Graph graph(table.name);
    const auto channels = [&](int c) { return make_divisible(c * options.width); };
    graph.set_dialects(detail::mobilenet_v3_dialects(table, options.numerics));
    const double epsilon = detail::mobilenet_v3_epsilon(options.numerics);
    const auto norm = [&](Value v, std::string name) {
        return activate(batch_norm(v, std::move(name), epsilon), table.activation);
    };
    Value x = graph.input(options.input_channels);
    x = conv<3>(x, "features.0.0",
                {.out_channels = channels(table.stem_channels),
                 .stride = 2,
                 .mode = padding_mode(options.numerics)});
    x = norm(x, "features.0.1");
    int index = 1;
    for (MobileNetV3Row row : table.rows) {
        row.expanded = channels(row.expanded);
        row.c = channels(row.c);
        x = detail::mobilenet_v3_block(x, detail::cat({"features.", index++}), row,
                                       options.numerics);
    }
    const std::string head = detail::cat({"features.", index});
    x = norm(conv<1>(x, head + ".0", {.out_channels = 6 * x.channels()}), head + ".1");
    x = linear(global_avg_pool(x), "classifier.0",
               {.outputs = channels(table.classifier_channels)});
    graph.output(
        linear(activate(x, table.activation), "classifier.3", {.outputs = options.classes}));
    return graph;
}

inline Graph mobilenet_v3_large(const MobileNetV3Options& options = {}) {
    return mobilenet_v3(kMobileNetV3Large, options);
}
inline Graph mobilenet_v3_small(const MobileNetV3Options& options = {}) {
    return mobilenet_v3(kMobileNetV3Small, options);
}

LUMBAR_NAMESPACE_END
