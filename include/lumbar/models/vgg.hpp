// VGG: Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
// arXiv:1409.1556, table 1. Names and numerics of torchvision.
//
//   configuration   weight layers   parameters (torchvision)        MACs at 224
//   A  vgg11        11              132,863,336 (bn 132,868,840)     7.609 G
//   B  vgg13        13              133,047,848 (bn 133,053,736)    11.308 G
//   D  vgg16        16              138,357,544 (bn 138,365,992)    15.470 G
//   E  vgg19        19              143,667,240 (bn 143,678,248)    19.632 G
//
// Batch normalisation is torchvision's addition, not the paper's. The paper says 133, 133, 138 and
// 144 million parameters; "15.5 billion" operations are vgg16's 15.470 G.
//
// Weights: torchvision's (vgg16-397923af.pth, presets::imagenet); timm's vgg16.tv_in1k are the same
// under other names; Keras's VGG16 and VGG19 are Caffe's (presets::caffe). All names are
// understood.
#pragma once

#include <lumbar/models/numerics.hpp>

#include <array>
#include <string>

LUMBAR_NAMESPACE_BEGIN

/// One column of table 1: how many 3x3 convolutions each of the five stages has. Every stage ends
/// with 2x2 maximum pooling.
struct VggTable {
    const char* name;
    std::array<int, 5> convolutions;
};

inline constexpr VggTable kVgg11{"vgg11", {1, 1, 2, 2, 2}};  // A
inline constexpr VggTable kVgg13{"vgg13", {2, 2, 2, 2, 2}};  // B
inline constexpr VggTable kVgg16{"vgg16", {2, 2, 3, 3, 3}};  // D
inline constexpr VggTable kVgg19{"vgg19", {2, 2, 4, 4, 4}};  // E
inline constexpr std::array<int, 5> kVggChannels{64, 128, 256, 512, 512};

struct VggOptions {
    int classes = 1000;
    int input_channels = 3;
    bool batch_norm = false;
};

namespace detail {

inline constexpr NameRule kVggTimmRules[] = {
    {"classifier.0", "pre_logits.fc1"},
    {"classifier.3", "pre_logits.fc2"},
    {"classifier.6", "head.fc"},
};
inline constexpr NameRule kVggPretrainedRules[] = {
    {"features.#", "_features.#"},
    {"classifier.0", "linear0"},
    {"classifier.3", "linear1"},
    {"classifier.6", "last_linear"},
};
// Keras names convolutions by stage, torchvision by their place among all layers.
inline constexpr NameRule kVgg16KerasRules[] = {
    {"features.0", "block1_conv1"},  {"features.2", "block1_conv2"},
    {"features.5", "block2_conv1"},  {"features.7", "block2_conv2"},
    {"features.10", "block3_conv1"}, {"features.12", "block3_conv2"},
    {"features.14", "block3_conv3"}, {"features.17", "block4_conv1"},
    {"features.19", "block4_conv2"}, {"features.21", "block4_conv3"},
    {"features.24", "block5_conv1"}, {"features.26", "block5_conv2"},
    {"features.28", "block5_conv3"}, {"classifier.0", "fc1"},
    {"classifier.3", "fc2"},         {"classifier.6", "predictions"}};
inline constexpr NameRule kVgg19KerasRules[] = {
    {"features.0", "block1_conv1"},  {"features.2", "block1_conv2"},
    {"features.5", "block2_conv1"},  {"features.7", "block2_conv2"},
    {"features.10", "block3_conv1"}, {"features.12", "block3_conv2"},
    {"features.14", "block3_conv3"}, {"features.16", "block3_conv4"},
    {"features.19", "block4_conv1"}, {"features.21", "block4_conv2"},
    {"features.23", "block4_conv3"}, {"features.25", "block4_conv4"},
    {"features.28", "block5_conv1"}, {"features.30", "block5_conv2"},
    {"features.32", "block5_conv3"}, {"features.34", "block5_conv4"},
    {"classifier.0", "fc1"},         {"classifier.3", "fc2"},
    {"classifier.6", "predictions"}};
template <const auto& KerasRules>
inline constexpr Dialect kVggDialects[] = {
    {"timm", kVggTimmRules},
    {"pretrainedmodels", kVggPretrainedRules},
    {.name = "Keras",
     .rules = KerasRules,
     .stages = {},
     .style = TensorStyle::keras,
     .preset = "caffe"},
};

}  // namespace detail

/// The network of one column, from the image to the logits. Any input of at least 32x32: the
/// features are averaged to 7x7 before the classifier, as torchvision does (nothing changes at
/// 224).
LUMBAR_COLD inline Graph vgg(const VggTable& table, const VggOptions& options = {}) {
    Graph graph(std::string(table.name) + (options.batch_norm ? "_bn" : ""));
    graph.set_dialects(
        table.convolutions[2] == 4
            ? std::span<const Dialect>(detail::kVggDialects<detail::kVgg19KerasRules>)
            : detail::kVggDialects<detail::kVgg16KerasRules>);
    Value x = graph.input(options.input_channels);
    int index = 0;  // of torchvision's nn.Sequential, which counts activations and pools too
    for (std::size_t stage = 0; stage < kVggChannels.size(); ++stage) {
        for (int i = 0; i < table.convolutions[stage]; ++i) {
            const auto layer = [&] { return "features." + std::to_string(index++); };
            x = conv<3>(x, layer(), {.out_channels = kVggChannels[stage], .bias = true});
            if (options.batch_norm) x = batch_norm(x, layer());
            x = relu(x);
            ++index;
        }
        x = max_pool(x, {.kernel = 2, .stride = 2});  // 112, 56, 28, 14, 7
        ++index;
    }
    x = adaptive_avg_pool(x, {7, 7});
    x = relu(linear(x, "classifier.0", {.outputs = 4096, .pixels = 7 * 7}));
    x = relu(linear(x, "classifier.3", {.outputs = 4096}));
    graph.output(linear(x, "classifier.6", {.outputs = options.classes}));
    return graph;
}

inline Graph vgg11(const VggOptions& options = {}) { return vgg(kVgg11, options); }
inline Graph vgg13(const VggOptions& options = {}) { return vgg(kVgg13, options); }
inline Graph vgg16(const VggOptions& options = {}) { return vgg(kVgg16, options); }
inline Graph vgg19(const VggOptions& options = {}) { return vgg(kVgg19, options); }

LUMBAR_NAMESPACE_END
