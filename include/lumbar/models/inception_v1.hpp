// GoogLeNet (Inception V1): Szegedy et al., "Going Deeper with Convolutions", arXiv:1409.4842,
// table 1. Names and numerics of torchvision.
//
//   network      parameters     MACs at 224
//   googlenet    6,624,904      1.498 G      (13,004,888 parameters with the auxiliary heads)
//
// Deviations from the paper, all torchvision's: batch normalisation after every convolution, and
// neither biases nor local response normalisation; the "5x5" convolutions are 3x3; the last maximum
// pooling is 2x2. The auxiliary heads (aux1, aux2) serve training only: files may hold them.
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

namespace detail {

/// Figure 2b: 1x1, 3x3, "5x5" and a pooled branch side by side.
LUMBAR_COLD inline Value inception_v1_block(Value x, const InceptionV1Row& row,
                                            int branch3_kernel) {
    const auto unit = [&](Value v, const char* part, int channels, int kernel) {
        return conv_unit(v, cat({"inception", row.name, ".", part}), channels,
                         Extent::square(kernel));
    };
    const Value branch1 = unit(x, "branch1", row.c1x1, 1);
    const Value branch2 = unit(unit(x, "branch2.0", row.c3x3_reduce, 1), "branch2.1", row.c3x3, 3);
    const Value branch3 =
        unit(unit(x, "branch3.0", row.c5x5_reduce, 1), "branch3.1", row.c5x5, branch3_kernel);
    const Value branch4 = unit(max_pool(x, {.kernel = 3, .stride = 1, .padding = 1}), "branch4.1",
                               row.pool_projection, 1);
    return concat({branch1, branch2, branch3, branch4});
}

}  // namespace detail

/// The network from the image to the logits, for any input of at least 15x15.
LUMBAR_COLD inline Graph googlenet(const GoogLeNetOptions& options = {}) {
    Graph graph("googlenet");
    graph.ignore("aux1.");
    graph.ignore("aux2.");
    // Without padding: a last, partial window counts instead.
    const auto pool = [](Value v, int kernel) {
        return max_pool(v, {.kernel = kernel, .stride = 2, .ceil_mode = true});
    };
    Value x = graph.input(options.input_channels);
    x = detail::conv_unit(x, "conv1",
                          {.out_channels = 64,
                           .kernel = Extent::square(7),
                           .stride = Extent::square(2),
                           .dilation = {},
                           .padding = Padding::all(3)});  // 112
    x = pool(x, 3);                                       // 56
    x = detail::conv_unit(x, "conv2", 64, {1, 1});
    x = detail::conv_unit(x, "conv3", 192, {3, 3});
    x = pool(x, 3);  // 28
    for (const InceptionV1Row& row : kInceptionV1Rows) {
        const std::string_view name = row.name;
        if (name == "4a") x = pool(x, 3);                         // 14
        if (name == "5a") x = pool(x, options.last_pool_kernel);  // 7
        x = detail::inception_v1_block(x, row, options.branch3_kernel);
    }
    graph.output(linear(global_avg_pool(x), "fc", {.outputs = options.classes}));
    return graph;
}

LUMBAR_NAMESPACE_END
