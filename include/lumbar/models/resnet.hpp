// ResNet: He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition", arXiv:1512.03385,
// table 1. Names and numerics of torchvision; resnet_variants.hpp has what became of it.
//
//   network      blocks             parameters     MACs at 224
//   resnet18     basic 2 2 2 2      11,689,512      1.814 G
//   resnet34     basic 3 4 6 3      21,797,672      3.664 G
//   resnet50     bottle 3 4 6 3     25,557,032      4.089 G
//   resnet101    bottle 3 4 23 3    44,549,160      7.801 G
//   resnet152    bottle 3 8 36 3    60,192,808     11.514 G
//
// Deviation from the paper: a bottleneck's stride is on its 3x3 convolution (torchvision, "v1.5"),
// not on its first 1x1. That is why table 1 says 3.8 G for resnet50, which also leaves out the
// shortcuts' projections. The usual "25.5 M parameters" are the 25,557,032.
//
// Weights: torchvision's (resnet50-0676ba61.pth, presets::imagenet) or timm's, whose names are the
// same (resnet50.a1_in1k; its training resolution and interpolation differ). pretrainedmodels calls
// the classifier last_linear, which is understood. Keras's are of the paper's network: resnet50_v1.
#pragma once

#include <lumbar/models/numerics.hpp>

#include <array>
#include <string>

LUMBAR_NAMESPACE_BEGIN

enum class ResNetBlock {
    basic,       ///< 3x3, 3x3
    bottleneck,  ///< 1x1, 3x3, 1x1 with four times the channels
};

/// One column of table 1: the block, and how often it is repeated in conv2_x to conv5_x; then what
/// later networks changed.
struct ResNetTable {
    const char* name;
    ResNetBlock block;
    std::array<int, 4> blocks;
    int groups = 1;                 ///< of the 3x3 convolutions (ResNeXt's cardinality)
    int group_width = 64;           ///< their channels per group in conv2_x, doubled in every stage
    bool stride_on_3x3 = true;      ///< false: the paper's placement
    bool deep_stem = false;         ///< three 3x3 convolutions in place of the 7x7
    bool average_shortcut = false;  ///< average pooling, not stride, before a projection
    bool squeeze_excite = false;
    bool stem_pool_padded = true;  ///< false: Caffe's, whose last window may be partial
    bool bias = false;             ///< of the convolutions
    double epsilon = 1e-5;
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

inline constexpr NameRule kResNetLastLinear[] = {{"fc", "last_linear"}};
inline constexpr Dialect kResNetDialects[] = {{"pretrainedmodels", kResNetLastLinear}};
inline constexpr NameRule kResNetKerasRules[] = {
    {"conv1", "conv1_conv"},
    {"bn1", "conv1_bn"},
    {"layer#.#.downsample.0", "conv+_block+_0_conv"},
    {"layer#.#.downsample.1", "conv+_block+_0_bn"},
    {"layer#.#.conv#", "conv+_block+_#_conv"},
    {"layer#.#.bn#", "conv+_block+_#_bn"},
    {"fc", "predictions"},
};
/// Only of networks whose stride is the paper's: the tensors' shapes do not tell.
inline constexpr Dialect kResNetV1Dialects[] = {
    {"pretrainedmodels", kResNetLastLinear},
    {.name = "Keras",
     .rules = kResNetKerasRules,
     .stages = {},
     .style = TensorStyle::keras,
     .epsilon = 1.001e-5,
     .preset = "caffe"},
};

/// Writes the blocks of one network.
class ResNetWriter {
   public:
    explicit ResNetWriter(const ResNetTable& table) : table_(table) {}

    /// To a quarter of the image's size.
    LUMBAR_COLD Value stem(Value x) const {
        if (table_.deep_stem) {  // torch.nn.Sequential: 2 and 5 are activations
            x = relu(unit(x, "conv1.0", "conv1.1", 3, {.out_channels = 32, .stride = 2}));
            x = relu(unit(x, "conv1.3", "conv1.4", 3, {.out_channels = 32}));
            x = relu(unit(x, "conv1.6", "bn1", 3, {.out_channels = 64}));
        } else {
            x = relu(unit(x, "conv1", "bn1", 7, {.out_channels = 64, .stride = 2}));
        }
        return table_.stem_pool_padded ? max_pool(x, {.kernel = 3, .stride = 2, .padding = 1})
                                       : max_pool(x, {.kernel = 3, .stride = 2, .ceil_mode = true});
    }

    /// `channels`: of table 1, before a bottleneck's last convolution multiplies them by four.
    LUMBAR_COLD Value block(Value x, const std::string& name, int channels, int stride) const {
        const auto part = [&](Value v, int i, int kernel, const SquareConv& c) {
            return unit(v, cat({name, ".conv", i}), cat({name, ".bn", i}), kernel, c);
        };
        const bool basic = table_.block == ResNetBlock::basic;
        const int out = basic ? channels : 4 * channels;
        Value y = x;
        if (basic) {
            y = relu(part(y, 1, 3, {.out_channels = channels, .stride = stride}));
            y = part(y, 2, 3, {.out_channels = channels});
        } else {
            const int middle = channels * table_.group_width / 64 * table_.groups;
            const int first = table_.stride_on_3x3 ? 1 : stride;
            y = relu(part(y, 1, 1, {.out_channels = middle, .stride = first}));
            y = relu(
                part(y, 2, 3,
                     {.out_channels = middle, .stride = stride / first, .groups = table_.groups}));
            y = part(y, 3, 1, {.out_channels = out});
        }
        if (table_.squeeze_excite) {
            y = squeeze_excite(y, name + ".se", {.squeezed_channels = make_divisible(out / 16.0)});
        }
        return relu(y + shortcut(x, name + ".downsample", out, stride));
    }

   private:
    /// Identity, or a projection where size or channels change (the paper's option B).
    LUMBAR_COLD Value shortcut(Value x, const std::string& name, int channels, int stride) const {
        if (stride == 1 && x.channels() == channels) return x;
        if (!table_.average_shortcut) {
            return unit(x, name + ".0", name + ".1", 1,
                        {.out_channels = channels, .stride = stride});
        }
        if (stride > 1) {
            x = avg_pool(x, {.kernel = stride,
                             .stride = stride,
                             .ceil_mode = true,
                             .count_include_pad = false});
        }
        return unit(x, name + ".1", name + ".2", 1, {.out_channels = channels});
    }

    LUMBAR_COLD Value unit(Value x, std::string conv_name, std::string norm_name, int kernel,
                           SquareConv c) const {
        c.bias = table_.bias;
        return batch_norm(conv(x, std::move(conv_name), kernel, c), std::move(norm_name),
                          table_.epsilon);
    }

    const ResNetTable& table_;
};

}  // namespace detail

/// The network of one column, from the image to the logits. Any input size.
LUMBAR_COLD inline Graph resnet(const ResNetTable& table, const ResNetOptions& options = {}) {
    Graph graph(table.name);
    graph.set_dialects(table.stride_on_3x3 ? std::span<const Dialect>(detail::kResNetDialects)
                                           : detail::kResNetV1Dialects);
    const detail::ResNetWriter writer(table);
    Value x = writer.stem(graph.input(options.input_channels));          // 56
    for (std::size_t stage = 0; stage < table.blocks.size(); ++stage) {  // 56, 28, 14, 7
        for (int i = 0; i < table.blocks[stage]; ++i) {
            x = writer.block(x, detail::cat({"layer", stage + 1, ".", i}), kResNetChannels[stage],
                             stage > 0 && i == 0 ? 2 : 1);
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
