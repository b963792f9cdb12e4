// Inception V1, GoogLeNet: Szegedy et al., "Going Deeper with Convolutions", arXiv:1409.4842,
// table 1. Names and numerics of torchvision.
//
//   network      parameters    MACs at 224
//   googlenet    6,624,904     1.498 G
//
// Deviations from the paper, all of torchvision's network: batch normalisation (epsilon 1e-3)
// instead of biases and local response normalisation; the branch "5x5" is 3x3. The auxiliary
// classifiers are training's: a checkpoint may hold them.
#pragma once

#include <lumbar/models/numerics.hpp>

#include <array>
#include <string>

LUMBAR_NAMESPACE_BEGIN

/// A row "inception" of table 1: output channels of the four branches.
struct InceptionV1Row {
    const char* name;
    int c1x1;
    int c3x3_reduce;
    int c3x3;
    int c5x5_reduce;
    int c5x5;
    int pool_proj;
};

inline constexpr std::array<InceptionV1Row, 9> kInceptionV1Rows{{
    {"3a", 64, 96, 128, 16, 32, 32},      // 28
    {"3b", 128, 128, 192, 32, 96, 64},    // 28
    {"4a", 192, 96, 208, 16, 48, 64},     // 14
    {"4b", 160, 112, 224, 24, 64, 64},    // 14
    {"4c", 128, 128, 256, 24, 64, 64},    // 14
    {"4d", 112, 144, 288, 32, 64, 64},    // 14
    {"4e", 256, 160, 320, 32, 128, 128},  // 14
    {"5a", 256, 160, 320, 32, 128, 128},  // 7
    {"5b", 384, 192, 384, 48, 128, 128},  // 7
}};

struct InceptionV1Options {
    int classes = 1000;
    int input_channels = 3;
    double bn_eps = 1e-3;
    int branch5_kernel = 3;  ///< 3 or 5; the paper's is 5
};

namespace detail {

struct InceptionV1Builder {
    const InceptionV1Options& options;

    LUMBAR_COLD Value unit(Value x, const std::string& name, int channels, int kernel,
                           int stride = 1) const {
        const op::Conv c{.out_channels = channels,
                         .kernel = Extent::square(kernel),
                         .stride = Extent::square(stride),
                         .dilation = {},
                         .padding = Padding::all(kernel / 2)};
        return relu(batch_norm(conv(x, name + ".conv", c), name + ".bn", options.bn_eps));
    }

    LUMBAR_COLD Value module(Value x, const std::string& name, const InceptionV1Row& row) const {
        const Value a = unit(x, name + ".branch1", row.c1x1, 1);
        const Value b = unit(unit(x, name + ".branch2.0", row.c3x3_reduce, 1), name + ".branch2.1",
                             row.c3x3, 3);
        const Value c = unit(unit(x, name + ".branch3.0", row.c5x5_reduce, 1), name + ".branch3.1",
                             row.c5x5, options.branch5_kernel);
        const Value pooled =
            max_pool(x, {.kernel = 3, .stride = 1, .padding = 1, .ceil_mode = true});
        return concat({a, b, c, unit(pooled, name + ".branch4.1", row.pool_proj, 1)});
    }
};

}  // namespace detail

/// The network from the image to the logits. Any input size from 15 pixels.
LUMBAR_COLD inline Graph inception_v1(const InceptionV1Options& options = {}) {
    Graph graph("googlenet");
    graph.ignore("aux1.");
    graph.ignore("aux2.");
    const detail::InceptionV1Builder build{options};
    const SquarePool halve{.kernel = 3, .stride = 2, .ceil_mode = true};
    Value x = graph.input(options.input_channels);
    x = max_pool(build.unit(x, "conv1", 64, 7, 2), halve);
    x = max_pool(build.unit(build.unit(x, "conv2", 64, 1), "conv3", 192, 3), halve);
    for (const InceptionV1Row& row : kInceptionV1Rows) {
        const std::string name(row.name);
        if (name == "4a") x = max_pool(x, halve);
        if (name == "5a") x = max_pool(x, {.kernel = 2, .stride = 2, .ceil_mode = true});
        x = build.module(x, "inception" + name, row);
    }
    graph.output(linear(global_avg_pool(x), "fc", {.outputs = options.classes}));
    return graph;
}

LUMBAR_NAMESPACE_END
