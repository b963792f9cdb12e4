// GoogLeNet (Inception V1): Szegedy et al., "Going Deeper with Convolutions", arXiv:1409.4842,
// table 1; as torchvision has it, and as the paper does.
//
//   network         parameters     MACs at 224    names and numerics
//   googlenet        6,624,904      1.498 G       torchvision (13,004,888 with the heads)
//   inception_v1     6,998,552      1.583 G       the paper; Caffe (bvlc_googlenet)
//
// The first row is what torchvision publishes, the second's MACs are counted here.
// Table 1's columns add up to 6.8 M parameters and 1.5 G operations: it counts thousands of 1024,
// no biases, and 2.7 K for the first convolution, which has 9.4 K. (Its rows 3a to 4e are these.)
//
// torchvision's, from TensorFlow: batch normalisation after every convolution, and neither biases
// nor local response normalisation; the "5x5" convolutions are 3x3; the last maximum pooling is
// 2x2. The auxiliary heads serve training only: files may hold them (aux1, aux2; loss1, loss2).
//
// Weights: torchvision's googlenet-1378be20.pth (presets::googlenet, which does what its
// transform_input does); of Caffe's bvlc_googlenet.caffemodel what a converter made that kept the
// names of the layers (presets::bvlc: BGR, 0 to 255). timm and Keras have no such network.
#pragma once

#include <lumbar/models/conv_unit.hpp>

#include <array>
#include <string>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN

/// An "inception" row of table 1, in its order of columns.
struct InceptionV1Row {
    const char* name;
    int c1x1;
    int c3x3_reduce;
    int c3x3;
    int c5x5_reduce;
    int c5x5;
    int pool_projection;
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

struct GoogLeNetOptions {
    int classes = 1000;
    int input_channels = 3;
    int branch3_kernel = 3;    ///< of the "5x5" convolutions; 5: the paper's
    int last_pool_kernel = 2;  ///< of the maximum pooling before 5a; 3: the paper's
};

struct InceptionV1Options {
    int classes = 1000;
    int input_channels = 3;
};

namespace detail {

/// What torchvision and the paper have in common, written once: the layers' names, in the order of
/// the rows' columns, and what a convolution comes with.
struct InceptionV1Style {
    bool original;  ///< biases and local response normalisation, no batch normalisation
    int branch3_kernel;
    int last_pool_kernel;
    std::array<const char*, 3> stem;
    const char* block;
    const char* separator;
    std::array<const char*, 6> parts;
    const char* classifier;
};

/// Writes one network.
class InceptionV1Writer {
   public:
    explicit InceptionV1Writer(const InceptionV1Style& style) : style_(style) {}

    LUMBAR_COLD Value logits(Value x, int classes) const {
        x = unit(x, style_.stem[0], 64, 7, 2);  // 112
        x = normalised(halved(x, 3));           // 56
        x = unit(x, style_.stem[1], 64, 1);
        x = halved(normalised(unit(x, style_.stem[2], 192, 3)), 3);  // 28
        for (const InceptionV1Row& row : kInceptionV1Rows) {
            const std::string_view name = row.name;
            if (name == "4a") x = halved(x, 3);                        // 14
            if (name == "5a") x = halved(x, style_.last_pool_kernel);  // 7
            x = block(x, row);
        }
        return linear(global_avg_pool(x), style_.classifier, {.outputs = classes});
    }

   private:
    /// Figure 2b: 1x1, 3x3, "5x5" and a pooled branch side by side.
    LUMBAR_COLD Value block(Value x, const InceptionV1Row& row) const {
        const auto part = [&](Value v, std::size_t i, int channels, int kernel) {
            return unit(v, cat({style_.block, row.name, style_.separator, style_.parts[i]}),
                        channels, kernel);
        };
        const Value pooled = max_pool(x, {.kernel = 3, .stride = 1, .padding = 1});
        const Value one = part(x, 0, row.c1x1, 1);
        const Value three = part(part(x, 1, row.c3x3_reduce, 1), 2, row.c3x3, 3);
        const Value five = part(part(x, 3, row.c5x5_reduce, 1), 4, row.c5x5, style_.branch3_kernel);
        return concat({one, three, five, part(pooled, 5, row.pool_projection, 1)});
    }

    LUMBAR_COLD Value unit(Value x, const std::string& name, int channels, int kernel,
                           int stride = 1) const {
        if (style_.original) {
            return relu(
                conv(x, name, kernel, {.out_channels = channels, .stride = stride, .bias = true}));
        }
        x = conv(x, name + ".conv", kernel, {.out_channels = channels, .stride = stride});
        return relu(batch_norm(x, name + ".bn", kTensorFlowEpsilon));
    }

    Value normalised(Value x) const { return style_.original ? local_response_norm(x, {}) : x; }

    /// Without padding: a last, partial window counts instead.
    static Value halved(Value x, int kernel) {
        return max_pool(x, {.kernel = kernel, .stride = 2, .ceil_mode = true});
    }

    const InceptionV1Style& style_;
};

}  // namespace detail

/// torchvision's network from the image to the logits, for any input of at least 15x15.
LUMBAR_COLD inline Graph googlenet(const GoogLeNetOptions& options = {}) {
    const detail::InceptionV1Style style{
        .original = false,
        .branch3_kernel = options.branch3_kernel,
        .last_pool_kernel = options.last_pool_kernel,
        .stem = {"conv1", "conv2", "conv3"},
        .block = "inception",
        .separator = ".",
        .parts = {"branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1"},
        .classifier = "fc"};
    Graph graph("googlenet");
    graph.ignore("aux1.");
    graph.ignore("aux2.");
    const Value x = graph.input(options.input_channels);
    graph.output(detail::InceptionV1Writer(style).logits(x, options.classes));
    return graph;
}

/// The paper's network from the image to the logits, for any input of at least 15x15. Local
/// response normalisation over 5 channels with alpha 1e-4, beta 0.75 and k 1, which are Caffe's.
LUMBAR_COLD inline Graph inception_v1(const InceptionV1Options& options = {}) {
    static constexpr detail::InceptionV1Style kStyle{
        .original = true,
        .branch3_kernel = 5,
        .last_pool_kernel = 3,
        .stem = {"conv1/7x7_s2", "conv2/3x3_reduce", "conv2/3x3"},
        .block = "inception_",
        .separator = "/",
        .parts = {"1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj"},
        .classifier = "loss3/classifier"};
    Graph graph("inception_v1");
    graph.ignore("loss1/");
    graph.ignore("loss2/");
    const Value x = graph.input(options.input_channels);
    graph.output(detail::InceptionV1Writer(kStyle).logits(x, options.classes));
    return graph;
}

LUMBAR_NAMESPACE_END
