// Inception V2, the network of Ioffe & Szegedy, "Batch Normalization", arXiv:1502.03167, figure 5
// ("BN-Inception"). Names and numerics of pretrainedmodels (bninception, converted from Caffe).
//
//   network         parameters     MACs at 224
//   bn_inception    11,295,240     2.033 G
//
// As that checkpoint has it: convolutions have biases beside their batch normalisation, poolings
// round up, average poolings count the padding, and 5b pools the maximum.
#pragma once

#include <lumbar/models/numerics.hpp>

#include <array>
#include <string>

LUMBAR_NAMESPACE_BEGIN

enum class InceptionV2Pool { average, max, pass_through };

/// A row "inception" of figure 5. A row without 1x1 has stride 2 in its last convolutions, and
/// passes its pooling through without a projection.
struct InceptionV2Row {
    const char* name;
    int c1x1;
    int c3x3_reduce;
    int c3x3;
    int double_3x3_reduce;
    int double_3x3;
    InceptionV2Pool pool;
    int pool_proj;
};

inline constexpr std::array<InceptionV2Row, 10> kInceptionV2Rows{{
    {"3a", 64, 64, 64, 64, 96, InceptionV2Pool::average, 32},         // 28
    {"3b", 64, 64, 96, 64, 96, InceptionV2Pool::average, 64},         // 28
    {"3c", 0, 128, 160, 64, 96, InceptionV2Pool::pass_through, 0},    // 14
    {"4a", 224, 64, 96, 96, 128, InceptionV2Pool::average, 128},      // 14
    {"4b", 192, 96, 128, 96, 128, InceptionV2Pool::average, 128},     // 14
    {"4c", 160, 128, 160, 128, 160, InceptionV2Pool::average, 128},   // 14
    {"4d", 96, 128, 192, 160, 192, InceptionV2Pool::average, 128},    // 14
    {"4e", 0, 128, 192, 192, 256, InceptionV2Pool::pass_through, 0},  // 7
    {"5a", 352, 192, 320, 160, 224, InceptionV2Pool::average, 128},   // 7
    {"5b", 352, 192, 320, 192, 224, InceptionV2Pool::max, 128},       // 7
}};

struct InceptionV2Options {
    int classes = 1000;
    int input_channels = 3;
    double bn_eps = 1e-5;
};

namespace detail {

struct InceptionV2Builder {
    const InceptionV2Options& options;

    LUMBAR_COLD Value unit(Value x, const std::string& name, int channels, int kernel,
                           int stride = 1) const {
        const op::Conv c{.out_channels = channels,
                         .kernel = Extent::square(kernel),
                         .stride = Extent::square(stride),
                         .dilation = {},
                         .padding = Padding::all(kernel / 2),
                         .bias = true};
        return relu(batch_norm(conv(x, name, c), name + "_bn", options.bn_eps));
    }

    LUMBAR_COLD Value module(Value x, const std::string& name, const InceptionV2Row& row) const {
        const int stride = row.pool == InceptionV2Pool::pass_through ? 2 : 1;
        std::vector<Value> branches;
        if (row.c1x1 > 0) branches.push_back(unit(x, name + "_1x1", row.c1x1, 1));
        const Value narrow = unit(x, name + "_3x3_reduce", row.c3x3_reduce, 1);
        branches.push_back(unit(narrow, name + "_3x3", row.c3x3, 3, stride));
        Value twice = unit(x, name + "_double_3x3_reduce", row.double_3x3_reduce, 1);
        twice = unit(twice, name + "_double_3x3_1", row.double_3x3, 3);
        branches.push_back(unit(twice, name + "_double_3x3_2", row.double_3x3, 3, stride));
        const SquarePool pool{
            .kernel = 3, .stride = stride, .padding = stride == 1 ? 1 : 0, .ceil_mode = true};
        const Value pooled =
            row.pool == InceptionV2Pool::average ? avg_pool(x, pool) : max_pool(x, pool);
        branches.push_back(row.pool_proj > 0 ? unit(pooled, name + "_pool_proj", row.pool_proj, 1)
                                             : pooled);
        return concat(branches);
    }
};

}  // namespace detail

/// The network from the image to the logits. Input sizes from 15 pixels whose images of 1/8 and
/// 1/16 have even heights and widths: others do not fit together where the network halves them.
LUMBAR_COLD inline Graph inception_v2(const InceptionV2Options& options = {}) {
    Graph graph("bn_inception");
    const detail::InceptionV2Builder build{options};
    const SquarePool halve{.kernel = 3, .stride = 2, .ceil_mode = true};
    Value x = graph.input(options.input_channels);
    x = max_pool(build.unit(x, "conv1_7x7_s2", 64, 7, 2), halve);
    x = build.unit(x, "conv2_3x3_reduce", 64, 1);
    x = max_pool(build.unit(x, "conv2_3x3", 192, 3), halve);
    for (const InceptionV2Row& row : kInceptionV2Rows) {
        x = build.module(x, std::string("inception_") + row.name, row);
    }
    graph.output(linear(global_avg_pool(x), "last_linear", {.outputs = options.classes}));
    return graph;
}

LUMBAR_NAMESPACE_END
