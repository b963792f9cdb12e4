// DenseNet: Huang, Liu, van der Maaten & Weinberger, "Densely Connected Convolutional Networks",
// arXiv:1608.06993, table 1. Names and numerics of torchvision.
//
//   network        growth    layers in the blocks    parameters     MACs at 224
//   densenet121    32        6 12 24 16               7,978,856      2.834 G
//   densenet169    32        6 12 32 32              14,149,480      3.360 G
//   densenet201    32        6 12 48 32              20,013,928      4.291 G
//   densenet161    48        6 12 36 24              28,681,000      7.728 G
//
// These are the paper's DenseNet-BC: bottlenecks of four times the growth, transitions that halve
// the channels. No library deviates; Keras counts 8,062,504 parameters for the first, with the
// running statistics.
//
// Weights: torchvision's (densenet121-a639ec97.pth, presets::imagenet), whose files have older
// names than its code (norm.1 for norm1); timm's have the code's; pretrainedmodels calls the
// classifier last_linear; Keras's network is the same, with epsilon 1.001e-5. All are understood.
#pragma once

#include <lumbar/graph/build.hpp>

#include <array>
#include <string>

LUMBAR_NAMESPACE_BEGIN

/// One column of table 1: the channels that a layer adds, and the layers of the four blocks.
/// (densenet161, of the paper's GitHub page, has a wider stem.)
struct DenseNetTable {
    const char* name;
    int growth;
    std::array<int, 4> layers;
    int stem_channels;
};

inline constexpr DenseNetTable kDenseNet121{"densenet121", 32, {6, 12, 24, 16}, 64};
inline constexpr DenseNetTable kDenseNet169{"densenet169", 32, {6, 12, 32, 32}, 64};
inline constexpr DenseNetTable kDenseNet201{"densenet201", 32, {6, 12, 48, 32}, 64};
inline constexpr DenseNetTable kDenseNet161{"densenet161", 48, {6, 12, 36, 24}, 96};

struct DenseNetOptions {
    int classes = 1000;
    int input_channels = 3;
};

namespace detail {

inline constexpr NameRule kDenseNetFileRules[] = {
    {"features.denseblock#.denselayer#.norm#", "features.denseblock#.denselayer#.norm.#"},
    {"features.denseblock#.denselayer#.conv#", "features.denseblock#.denselayer#.conv.#"},
};
inline constexpr NameRule kDenseNetLastLinear[] = {{"classifier", "last_linear"}};
inline constexpr NameRule kDenseNetKerasRules[] = {
    {"features.conv0", "conv1_conv"},
    {"features.norm0", "conv1_bn"},
    {"features.denseblock#.denselayer#.norm#", "conv+_block#_-_bn"},
    {"features.denseblock#.denselayer#.conv#", "conv+_block#_#_conv"},
    {"features.transition#.norm", "pool+_bn"},
    {"features.transition#.conv", "pool+_conv"},
    {"features.norm5", "bn"},
    {"classifier", "predictions"},
};
inline constexpr Dialect kDenseNetDialects[] = {
    {"torchvision's files", kDenseNetFileRules},
    {"pretrainedmodels", kDenseNetLastLinear},
    {.name = "Keras",
     .rules = kDenseNetKerasRules,
     .stages = {},
     .style = TensorStyle::keras,
     .epsilon = 1.001e-5,
     .preset = "imagenet"},
};

/// Normalise, activate, 1x1 to four times the growth; the same, 3x3 to the growth; what comes out
/// stands beside what went in.
LUMBAR_COLD inline Value dense_layer(Value x, const std::string& name, int growth) {
    Value y = relu(batch_norm(x, name + ".norm1"));
    y = conv<1>(y, name + ".conv1", {.out_channels = 4 * growth});
    y = relu(batch_norm(y, name + ".norm2"));
    return concat({x, conv<3>(y, name + ".conv2", {.out_channels = growth})});
}

}  // namespace detail

/// The network of one column, from the image to the logits. Any input of at least 29x29.
LUMBAR_COLD inline Graph densenet(const DenseNetTable& table, const DenseNetOptions& options = {}) {
    Graph graph(table.name);
    graph.set_dialects(detail::kDenseNetDialects);
    Value x = graph.input(options.input_channels);
    x = conv<7>(x, "features.conv0", {.out_channels = table.stem_channels, .stride = 2});  // 112
    x = relu(batch_norm(x, "features.norm0"));
    x = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});  // 56
    for (std::size_t block = 0; block < table.layers.size(); ++block) {
        if (block > 0) {
            const std::string name = detail::cat({"features.transition", block});
            x = relu(batch_norm(x, name + ".norm"));
            x = conv<1>(x, name + ".conv", {.out_channels = x.channels() / 2});
            x = avg_pool(x, {.kernel = 2, .stride = 2});  // 28, 14, 7
        }
        for (int i = 1; i <= table.layers[block]; ++i) {
            x = detail::dense_layer(
                x, detail::cat({"features.denseblock", block + 1, ".denselayer", i}), table.growth);
        }
    }
    x = relu(batch_norm(x, "features.norm5"));
    graph.output(linear(global_avg_pool(x), "classifier", {.outputs = options.classes}));
    return graph;
}

inline Graph densenet121(const DenseNetOptions& options = {}) {
    return densenet(kDenseNet121, options);
}

LUMBAR_NAMESPACE_END
