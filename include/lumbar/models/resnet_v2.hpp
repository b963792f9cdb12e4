// ResNet V2: He, Zhang, Ren & Sun, "Identity Mappings in Deep Residual Networks", arXiv:1603.05027,
// figure 4e: normalisation and activation stand before each convolution, and nothing but an
// addition on the way from block to block. Names and numerics of timm (resnetv2_*, with batch
// normalisation).
//
//   network         blocks             parameters     MACs at 224    weights (timm)
//   resnetv2_18     basic 2 2 2 2      11,687,720      1.814 G resnetv2_18.ra4_e3600_r224_in1k
//   resnetv2_34     basic 3 4 6 3      21,795,880      3.664 G resnetv2_34.ra4_e3600_r224_in1k
//   resnetv2_50     bottle 3 4 6 3     25,549,352      4.089 G       resnetv2_50.a1h_in1k
//   resnetv2_101    bottle 3 4 23 3    44,541,480      7.801 G       resnetv2_101.a1h_in1k
//   resnetv2_152    bottle 3 8 36 3    60,185,128     11.514 G       none published
//
// The MACs are counted here. Pictures are scaled to [-1, 1] (presets::timm_half). The stride is on
// the 3x3 convolution. The paper has the stem's normalisation and activation before its pooling;
// here the pooling reads the bare convolution. Other networks of this name are no variants by a
// field: Keras's (ResNet50V2 has the stride in a stage's last block) and BiT (group normalisation,
// standardised weights).
#pragma once

#include <lumbar/models/resnet.hpp>

#include <string>

LUMBAR_NAMESPACE_BEGIN

inline constexpr ResNetTable kResNetV2x18{"resnetv2_18", ResNetBlock::basic, {2, 2, 2, 2}};
inline constexpr ResNetTable kResNetV2x34{"resnetv2_34", ResNetBlock::basic, {3, 4, 6, 3}};
inline constexpr ResNetTable kResNetV2x50{"resnetv2_50", ResNetBlock::bottleneck, {3, 4, 6, 3}};
inline constexpr ResNetTable kResNetV2x101{"resnetv2_101", ResNetBlock::bottleneck, {3, 4, 23, 3}};
inline constexpr ResNetTable kResNetV2x152{"resnetv2_152", ResNetBlock::bottleneck, {3, 8, 36, 3}};

namespace detail {

/// x + F(relu(norm(x))); a projection, where there is one, reads what F reads.
LUMBAR_COLD inline Value preactivated_block(Value x, const std::string& name, ResNetBlock kind,
                                            int channels, int stride) {
    const auto preactivated = [&](Value v, int i) {
        return relu(batch_norm(v, cat({name, ".norm", i})));
    };
    const auto filter = [&](Value v, int i, int kernel, const SquareConv& c) {
        return conv(v, cat({name, ".conv", i}), kernel, c);
    };
    const bool basic = kind == ResNetBlock::basic;
    const int out = basic ? channels : 4 * channels;
    const Value first = preactivated(x, 1);
    Value shortcut = x;
    if (stride > 1 || x.channels() != out) {
        shortcut =
            conv<1>(first, name + ".downsample.conv", {.out_channels = out, .stride = stride});
    }
    Value y = first;
    if (basic) {
        y = filter(y, 1, 3, {.out_channels = channels, .stride = stride});
        y = filter(preactivated(y, 2), 2, 3, {.out_channels = out});
    } else {
        y = filter(y, 1, 1, {.out_channels = channels});
        y = filter(preactivated(y, 2), 2, 3, {.out_channels = channels, .stride = stride});
        y = filter(preactivated(y, 3), 3, 1, {.out_channels = out});
    }
    return y + shortcut;
}

}  // namespace detail

/// The network of one column, from the image to the logits; of the table the blocks count. Any
/// input size.
LUMBAR_COLD inline Graph resnet_v2(const ResNetTable& table, const ResNetOptions& options = {}) {
    Graph graph(table.name);
    Value x = graph.input(options.input_channels);
    x = conv<7>(x, "stem.conv", {.out_channels = 64, .stride = 2});      // 112
    x = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});           // 56
    for (std::size_t stage = 0; stage < table.blocks.size(); ++stage) {  // 56, 28, 14, 7
        for (int i = 0; i < table.blocks[stage]; ++i) {
            x = detail::preactivated_block(x, detail::cat({"stages.", stage, ".blocks.", i}),
                                           table.block, kResNetChannels[stage],
                                           stage > 0 && i == 0 ? 2 : 1);
        }
    }
    x = relu(batch_norm(x, "norm"));
    graph.output(linear(global_avg_pool(x), "head.fc", {.outputs = options.classes}));
    return graph;
}

LUMBAR_NAMESPACE_END
