// BN-Inception (Inception V2): Ioffe & Szegedy, "Batch Normalization: Accelerating Deep Network
// Training by Reducing Internal Covariate Shift", arXiv:1502.03167, figure 5. Names and numerics of
// pretrainedmodels (bninception).
//
//   network         parameters      MACs at 224
//   bn_inception    11,295,240      2.033 G      (counted here: nobody publishes them)
//
// As in pretrainedmodels' Caffe weights: convolutions have biases although batch normalisations
// follow, and pictures come as BGR, 0 to 255 (presets::bn_inception). Deviations from the paper:
// the first convolution is an ordinary one (there: separable), and the pooled branches of 4c and 4d
// have 128 channels (figure 5: 96).
//
// Weights: pretrainedmodels' bn_inception-52deb4733.pth. torchvision, timm and Keras have none.
#pragma once

#include <lumbar/graph/build.hpp>

#include <array>
#include <string>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// The pooling of a block: before a 1x1 projection at stride 1, or "pass through" at stride 2.
enum class InceptionPool { average, max, max_pass_through };

/// An "inception" row of figure 5, in its order of columns. A row that passes through has stride 2
/// and no 1x1 branch.
struct InceptionV2Row {
    const char* name;
    int c1x1;
    int c3x3_reduce;
    int c3x3;
    int double_3x3_reduce;
    int double_3x3;
    InceptionPool pool;
    int pool_projection;
};

inline constexpr std::array<InceptionV2Row, 10> kInceptionV2Rows{{
    {"3a", 64, 64, 64, 64, 96, InceptionPool::average, 32},             // 28
    {"3b", 64, 64, 96, 64, 96, InceptionPool::average, 64},             // 28
    {"3c", 0, 128, 160, 64, 96, InceptionPool::max_pass_through, 0},    // 14
    {"4a", 224, 64, 96, 96, 128, InceptionPool::average, 128},          // 14
    {"4b", 192, 96, 128, 96, 128, InceptionPool::average, 128},         // 14
    {"4c", 160, 128, 160, 128, 160, InceptionPool::average, 128},       // 14
    {"4d", 96, 128, 192, 160, 192, InceptionPool::average, 128},        // 14
    {"4e", 0, 128, 192, 192, 256, InceptionPool::max_pass_through, 0},  // 7
    {"5a", 352, 192, 320, 160, 224, InceptionPool::average, 128},       // 7
    {"5b", 352, 192, 320, 192, 224, InceptionPool::max, 128},           // 7
}};

struct BnInceptionOptions {
    int classes = 1000;
    int input_channels = 3;
};

namespace detail {

/// Convolution with bias -> batch normalisation -> ReLU, with the names NAME and NAME_bn.
LUMBAR_COLD inline Value bn_inception_unit(Value x, const std::string& name, int kernel,
                                           int channels, int stride = 1) {
    x = conv(x, name, kernel, {.out_channels = channels, .stride = stride, .bias = true});
    return relu(batch_norm(x, name + "_bn"));
}

/// 1x1, 3x3, two 3x3 and a pooled branch side by side.
LUMBAR_COLD inline Value inception_v2_block(Value x, const InceptionV2Row& row) {
    const bool pass = row.pool == InceptionPool::max_pass_through;
    const int stride = pass ? 2 : 1;
    const auto name = [&](const char* part) { return cat({"inception_", row.name, "_", part}); };
    std::vector<Value> branches;
    if (row.c1x1 > 0) branches.push_back(bn_inception_unit(x, name("1x1"), 1, row.c1x1));
    Value y = bn_inception_unit(x, name("3x3_reduce"), 1, row.c3x3_reduce);
    branches.push_back(bn_inception_unit(y, name("3x3"), 3, row.c3x3, stride));
    y = bn_inception_unit(x, name("double_3x3_reduce"), 1, row.double_3x3_reduce);
    y = bn_inception_unit(y, name("double_3x3_1"), 3, row.double_3x3);
    branches.push_back(bn_inception_unit(y, name("double_3x3_2"), 3, row.double_3x3, stride));
    if (pass) {
        branches.push_back(max_pool(x, {.kernel = 3, .stride = 2, .ceil_mode = true}));
    } else {
        const SquarePool window{.kernel = 3, .stride = 1, .padding = 1, .count_include_pad = true};
        y = row.pool == InceptionPool::max ? max_pool(x, window) : avg_pool(x, window);
        branches.push_back(bn_inception_unit(y, name("pool_proj"), 1, row.pool_projection));
    }
    return concat(branches);
}

}  // namespace detail

/// The network from the image to the logits. Height and width are 32 k - 1 to 32 k + 6: elsewhere
/// the branches of 3c and 4e differ in size (convolutions are padded there, the pooling is not).
LUMBAR_COLD inline Graph bn_inception(const BnInceptionOptions& options = {}) {
    Graph graph("bn_inception");
    const auto pool = [](Value v) {
        return max_pool(v, {.kernel = 3, .stride = 2, .ceil_mode = true});
    };
    Value x = graph.input(options.input_channels);
    x = pool(detail::bn_inception_unit(x, "conv1_7x7_s2", 7, 64, 2));  // 56
    x = detail::bn_inception_unit(x, "conv2_3x3_reduce", 1, 64);
    x = pool(detail::bn_inception_unit(x, "conv2_3x3", 3, 192));  // 28
    for (const InceptionV2Row& row : kInceptionV2Rows) x = detail::inception_v2_block(x, row);
    graph.output(linear(global_avg_pool(x), "last_linear", {.outputs = options.classes}));
    return graph;
}

LUMBAR_NAMESPACE_END
