// MobileNet V3: Howard et al., "Searching for MobileNetV3", arXiv:1905.02244, tables 1 and 2. Names
// and numerics of torchvision.
//
//   network                  parameters    MACs at 224
//   mobilenet_v3_large       5,483,032     217 M
//   mobilenet_v3_small       2,542,856      57 M
//
// Deviations from the paper, both torchvision's: a squeeze-and-excite block squeezes to a quarter
// of its channels, rounded to a multiple of 8; the small network's last convolution before the
// pooling has no such block (table 2 ticks it).
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
inline constexpr double kMobileNetV3Epsilon = 1e-3;  // in both worlds

struct MobileNetV3Options {
    int classes = 1000;
    int input_channels = 3;
    /// Of all channels, which are rounded to multiples of 8. The paper's narrow networks keep the
    /// classifier's width: a weight file's widths win.
    double width = 1.0;
    Numerics numerics = Numerics::torch;
};

namespace detail {

/// Expand 1x1 -> depthwise -> squeeze-and-excite -> project 1x1 without activation; with a shortcut
/// where nothing changes its shape (figure 4).
LUMBAR_COLD inline Value mobilenet_v3_block(Value x, const std::string& name,
                                            const MobileNetV3Row& row, Numerics numerics) {
    int part = 0;
    const auto next = [&] { return cat({name, ".block.", part++}); };
    const auto norm = [&](Value v, const std::string& unit) {
        return batch_norm(v, unit + ".1", kMobileNetV3Epsilon);
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
    const auto norm = [](Value v, std::string name) {
        return hard_swish(batch_norm(v, std::move(name), kMobileNetV3Epsilon));
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
