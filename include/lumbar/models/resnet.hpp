// ResNet: He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition", arXiv:1512.03385,
// table 1. Names and numerics of torchvision.
//
//   network      blocks             parameters     MACs at 224
//   resnet18     basic 2 2 2 2      11,689,512      1.814 G
//   resnet34     basic 3 4 6 3      21,797,672      3.664 G
//   resnet50     bottle 3 4 6 3     25,557,032      4.089 G
//   resnet101    bottle 3 4 23 3    44,549,160      7.801 G
//   resnet152    bottle 3 8 36 3    60,192,808     11.514 G
//
// Deviation from the paper: a bottleneck's stride is on its 3x3 convolution (torchvision, "v1.5"),
// not on its first 1x1.
#pragma once

#include <lumbar/models/numerics.hpp>

#include <array>
#include <string>

LUMBAR_NAMESPACE_BEGIN

enum class ResNetBlock {
    basic,       ///< 3x3, 3x3
    bottleneck,  ///< 1x1, 3x3, 1x1 with four times the channels
};

/// One column of table 1: the block, and how often it is repeated in conv2_x to conv5_x.
struct ResNetTable {
    const char* name;
    ResNetBlock block;
    std::array<int, 4> blocks;
    bool stride_on_3x3 = true;  ///< false: the paper's placement
};

inline constexpr ResNetTable kResNet18{"resnet18", ResNetBlock::basic, {2, 2, 2, 2}};
inline constexpr ResNetTable kResNet34{"resnet34", ResNetBlock::basic, {3, 4, 6, 3}};
inline constexpr ResNetTable kResNet50{"resnet50", ResNetBlock::bottleneck, {3, 4, 6, 3}};
inline constexpr ResNetTable kResNet101{"resnet101", ResNetBlock::bottleneck, {3, 4, 23, 3}};
inline constexpr ResNetTable kResNet152{"resnet152", ResNetBlock::bottleneck, {3, 8, 36, 3}};
inline constexpr std::array<int, 4> kResNetChannels{64, 128, 256, 512};

struct ResNetOptions {
    int classes = 1000;
    int input_channels = 3;
};

namespace detail {

/// The shortcut of a block: identity, or a 1x1 convolution where size or channels change.
LUMBAR_COLD inline Value shortcut(Value x, const std::string& name, int channels, int stride) {
    if (stride == 1 && x.channels() == channels) return x;
    return batch_norm(
        conv<1>(x, name + ".downsample.0", {.out_channels = channels, .stride = stride}),
        name + ".downsample.1");
}

LUMBAR_COLD inline Value basic_block(Value x, const std::string& name, int channels, int stride) {
    Value y = conv<3>(x, name + ".conv1", {.out_channels = channels, .stride = stride});
    y = relu(batch_norm(y, name + ".bn1"));
    y = batch_norm(conv<3>(y, name + ".conv2", {.out_channels = channels}), name + ".bn2");
    return relu(y + shortcut(x, name, channels, stride));
}

LUMBAR_COLD inline Value bottleneck(Value x, const std::string& name, int channels, int stride,
                                    bool stride_on_3x3) {
    const int first = stride_on_3x3 ? 1 : stride, second = stride_on_3x3 ? stride : 1;
    Value y = conv<1>(x, name + ".conv1", {.out_channels = channels, .stride = first});
    y = relu(batch_norm(y, name + ".bn1"));
    y = conv<3>(y, name + ".conv2", {.out_channels = channels, .stride = second});
    y = relu(batch_norm(y, name + ".bn2"));
    y = batch_norm(conv<1>(y, name + ".conv3", {.out_channels = 4 * channels}), name + ".bn3");
    return relu(y + shortcut(x, name, 4 * channels, stride));
}

}  // namespace detail

/// The network of one column, from the image to the logits. Any input size.
LUMBAR_COLD inline Graph resnet(const ResNetTable& table, const ResNetOptions& options = {}) {
    Graph graph(table.name);
    Value x = graph.input(options.input_channels);
    x = relu(batch_norm(conv<7>(x, "conv1", {.out_channels = 64, .stride = 2}), "bn1"));  // 112
    x = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});                            // 56
    for (std::size_t stage = 0; stage < table.blocks.size(); ++stage) {  // 56, 28, 14, 7
        for (int i = 0; i < table.blocks[stage]; ++i) {
            const std::string name = "layer" + std::to_string(stage + 1) + "." + std::to_string(i);
            const int stride = stage > 0 && i == 0 ? 2 : 1;
            x = table.block == ResNetBlock::basic
                    ? detail::basic_block(x, name, kResNetChannels[stage], stride)
                    : detail::bottleneck(x, name, kResNetChannels[stage], stride,
                                         table.stride_on_3x3);
        }
    }
    graph.output(linear(global_avg_pool(x), "fc", {.outputs = options.classes}));
    return graph;
}

inline Graph resnet18(const ResNetOptions& options = {}) { return resnet(kResNet18, options); }
inline Graph resnet34(const ResNetOptions& options = {}) { return resnet(kResNet34, options); }
inline Graph resnet50(const ResNetOptions& options = {}) { return resnet(kResNet50, options); }
inline Graph resnet101(const ResNetOptions& options = {}) { return resnet(kResNet101, options); }
inline Graph resnet152(const ResNetOptions& options = {}) { return resnet(kResNet152, options); }

LUMBAR_NAMESPACE_END
