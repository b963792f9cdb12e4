// ResNet for CIFAR-10: He, Zhang, Ren & Sun, arXiv:1512.03385, section 4.2 and table 6: 6 n + 2
// layers, three stages of n basic blocks with 16, 32 and 64 channels, shortcuts without parameters.
//
//   network           n     parameters (table 6)     MACs at 32    error in table 6
//   resnet20_cifar    3       269,722  (0.27 M)       40.6 M        8.75 %
//   resnet32_cifar    5       464,154  (0.46 M)       68.9 M        7.51 %
//   resnet44_cifar    7       658,586  (0.66 M)       97.2 M        7.17 %
//   resnet56_cifar    9       853,018  (0.85 M)      125.5 M        6.97 %
//   resnet110_cifar   18    1,727,962  (1.7 M)       252.9 M        6.43 %
//
// Where a stage begins, the shortcut takes every second pixel and pads with channels of zeros
// (option A): half of them before and half after, as in the weights below; the paper does not say
// where.
//
// Weights: no library has these networks. Those of Idelbayev's pytorch_resnet_cifar10
// (resnet20-12fca82f.th, resnet44-014dd654.th, ...) are a training's dict of these names (conv1,
// layer1.0.conv1, linear) behind "module.", which is understood; their pictures of 32x32
// are used as they are, with ImageNet's mean and deviation. The MACs are counted here.
#pragma once

#include <lumbar/graph/build.hpp>

#include <array>
#include <string>

LUMBAR_NAMESPACE_BEGIN

inline constexpr std::array<int, 3> kCifarChannels{16, 32, 64};  // 32, 16, 8

struct CifarResNetOptions {
    int classes = 10;
    int input_channels = 3;
};

namespace detail {
LUMBAR_COLD inline Value cifar_block(Value x, const std::string& name, int channels) {
    const int stride = channels == x.channels() ? 1 : 2;
    Value y = conv<3>(x, name + ".conv1", {.out_channels = channels, .stride = stride});
    y = relu(batch_norm(y, name + ".bn1"));
    y = batch_norm(conv<3>(y, name + ".conv2", {.out_channels = channels}), name + ".bn2");
    if (stride > 1) {
        const int missing = channels - x.channels();
        x = pad_channels(max_pool(x, {.kernel = 1, .stride = stride}),
                         {.before = missing / 2, .after = missing - missing / 2});
    }
    return relu(y + x);
}
}  // namespace detail

/// The network of 6 n + 2 layers, from the image to the logits. Any input size.
LUMBAR_COLD inline Graph resnet_cifar(int n, const CifarResNetOptions& options = {}) {
    Graph graph(detail::cat({"resnet", 6 * n + 2, "_cifar"}));
    Value x = graph.input(options.input_channels);
    x = relu(batch_norm(conv<3>(x, "conv1", {.out_channels = kCifarChannels[0]}), "bn1"));
    for (std::size_t stage = 0; stage < kCifarChannels.size(); ++stage) {
        for (int i = 0; i < n; ++i) {
            x = detail::cifar_block(x, detail::cat({"layer", stage + 1, ".", i}),
                                    kCifarChannels[stage]);
        }
    }
    graph.output(linear(global_avg_pool(x), "linear", {.outputs = options.classes}));
    return graph;
}

LUMBAR_NAMESPACE_END
