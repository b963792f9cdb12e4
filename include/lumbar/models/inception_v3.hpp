// Inception V3, and V2 with factorised convolutions: Szegedy et al., "Rethinking the Inception
// Architecture for Computer Vision", arXiv:1512.00567, table 1 and figures 5 to 7, 10. Names and
// numerics of torchvision.
//
//   network         parameters      MACs at 299
//   inception_v3    23,834,568      5.713 G      (27,161,264 parameters with the auxiliary head)
//   inception_v2    25,954,248      6.353 G      table 1 (counted here)
//
// inception_v3 is the network of the weights that TensorFlow published. It deviates from table 1:
// the stem ends in a 1x1 and a 3x3 convolution and a pooling, where the paper has three 3x3
// convolutions; figure 5's branch with one 3x3 convolution has a 5x5; there are four blocks of
// figure 6, not five. The auxiliary head (AuxLogits) serves training only: files may hold it.
// inception_v2 is table 1 as printed. The paper prints no widths of branches: V3's are taken, which
// yield the printed channels between the blocks (288, 768, 1280, 2048). Its table 3 says 3.8
// billion operations for the first version and 4.8 for the last, which is less than
// inception_v3's 5.7 too; so its widths were narrower, or it counts otherwise. Nobody published
// weights.
//
// Weights: torchvision's inception_v3_google-0cc3c7bd.pth (presets::inception_v3), timm's
// inception_v3.* (the same names; bicubic), pretrainedmodels' inceptionv3 (last_linear). TensorFlow
// itself does not count padding in averages ({.average_counts_padding = false}); all PyTorch
// weights are used with it counted. Keras's files cannot be bound: their layers are numbered, not
// named.
#pragma once

#include <lumbar/models/conv_unit.hpp>

#include <array>
#include <span>
#include <string>

LUMBAR_NAMESPACE_BEGIN

enum class InceptionV3Block {
    figure5,     ///< 1x1, 5x5, two 3x3; width: channels of the pooled branch
    reduction,   ///< to half the size, before the blocks of figure 6
    figure6,     ///< 7x7 as 1x7 and 7x1; width: channels within
    reduction2,  ///< to half the size, before the blocks of figure 7
    figure7,     ///< 3x3 as 1x3 beside 3x1
};

/// A block, and the one number by which blocks of a kind differ.
struct InceptionV3Row {
    const char* name;
    InceptionV3Block block;
    int width = 0;
};

/// Table 1: the stem, the rows of blocks.
struct InceptionV3Table {
    const char* name;
    bool stem_of_3x3;    ///< table 1's; false: with a 1x1 and a second pooling
    int figure5_kernel;  ///< of the branch with one wide convolution: 3 in figure 5
    std::span<const InceptionV3Row> rows;
};

inline constexpr std::array<InceptionV3Row, 11> kInceptionV3Rows{{
    {"Mixed_5b", InceptionV3Block::figure5, 32},   // 35
    {"Mixed_5c", InceptionV3Block::figure5, 64},   // 35
    {"Mixed_5d", InceptionV3Block::figure5, 64},   // 35
    {"Mixed_6a", InceptionV3Block::reduction},     // 17
    {"Mixed_6b", InceptionV3Block::figure6, 128},  // 17
    {"Mixed_6c", InceptionV3Block::figure6, 160},  // 17
    {"Mixed_6d", InceptionV3Block::figure6, 160},  // 17
    {"Mixed_6e", InceptionV3Block::figure6, 192},  // 17
    {"Mixed_7a", InceptionV3Block::reduction2},    // 8
    {"Mixed_7b", InceptionV3Block::figure7},       // 8
    {"Mixed_7c", InceptionV3Block::figure7},       // 8
}};

inline constexpr std::array<InceptionV3Row, 12> kFactorisedInceptionV2Rows{{
    {"Mixed_5b", InceptionV3Block::figure5, 64},   // 35
    {"Mixed_5c", InceptionV3Block::figure5, 64},   // 35
    {"Mixed_5d", InceptionV3Block::figure5, 64},   // 35
    {"Mixed_6a", InceptionV3Block::reduction},     // 17
    {"Mixed_6b", InceptionV3Block::figure6, 128},  // 17
    {"Mixed_6c", InceptionV3Block::figure6, 160},  // 17
    {"Mixed_6d", InceptionV3Block::figure6, 160},  // 17
    {"Mixed_6e", InceptionV3Block::figure6, 160},  // 17
    {"Mixed_6f", InceptionV3Block::figure6, 192},  // 17
    {"Mixed_7a", InceptionV3Block::reduction2},    // 8
    {"Mixed_7b", InceptionV3Block::figure7},       // 8
    {"Mixed_7c", InceptionV3Block::figure7},       // 8
}};
inline constexpr InceptionV3Table kInceptionV3{"inception_v3", false, 5, kInceptionV3Rows};
inline constexpr InceptionV3Table kFactorisedInceptionV2{"inception_v2", true, 3,
                                                         kFactorisedInceptionV2Rows};

struct InceptionV3Options {
    int classes = 1000;
    int input_channels = 3;
    bool average_counts_padding = true;  ///< false: TensorFlow's average pooling
};

namespace detail {

inline constexpr NameRule kInceptionV3LastLinear[] = {{"fc", "last_linear"}};
inline constexpr Dialect kInceptionV3Dialects[] = {{"pretrainedmodels", kInceptionV3LastLinear}};

/// Writes the blocks of one network.
class InceptionV3Writer {
   public:
    InceptionV3Writer(int figure5_kernel, bool average_counts_padding)
        : figure5_kernel_(figure5_kernel), average_counts_padding_(average_counts_padding) {}

    /// From 299 to 35.
    LUMBAR_COLD static Value stem(Value x, bool of_3x3) {
        x = valid_3x3(x, "Conv2d_1a_3x3", 32, 2);       // 149
        x = valid_3x3(x, "Conv2d_2a_3x3", 32, 1);       // 147
        x = conv_unit(x, "Conv2d_2b_3x3", 64, {3, 3});  // 147
        x = halve(x);                                   // 73
        if (of_3x3) {
            x = valid_3x3(x, "Conv2d_3b_3x3", 80, 1);           // 71
            x = valid_3x3(x, "Conv2d_4a_3x3", 192, 2);          // 35
            return conv_unit(x, "Conv2d_4b_3x3", 288, {3, 3});  // 35
        }
        x = conv_unit(x, "Conv2d_3b_1x1", 80, {1, 1});  // 73
        x = valid_3x3(x, "Conv2d_4a_3x3", 192, 1);      // 71
        return halve(x);                                // 35
    }

    LUMBAR_COLD Value block(Value x, const InceptionV3Row& row) {
        block_ = row.name;
        switch (row.block) {
            case InceptionV3Block::figure5: return figure5(x, row.width);
            case InceptionV3Block::reduction: return reduction(x);
            case InceptionV3Block::figure6: return figure6(x, row.width);
            case InceptionV3Block::reduction2: return reduction2(x);
            case InceptionV3Block::figure7: return figure7(x);
        }
        return x;
    }

    /// 3x3 without padding.
    static Value valid_3x3(Value x, const std::string& name, int channels, int stride) {
        return conv_unit(x, name,
                         {.out_channels = channels,
                          .kernel = Extent::square(3),
                          .stride = Extent::square(stride),
                          .dilation = {},
                          .padding = {}});
    }
    static Value halve(Value x) { return max_pool(x, {.kernel = 3, .stride = 2}); }

   private:
    Value figure5(Value x, int width) {
        const Value one = unit(x, "branch1x1", 64, {1, 1});
        Value five = unit(x, "branch5x5_1", 48, {1, 1});
        five = unit(five, "branch5x5_2", 64, Extent::square(figure5_kernel_));
        Value twice = unit(x, "branch3x3dbl_1", 64, {1, 1});
        twice = unit(twice, "branch3x3dbl_2", 96, {3, 3});
        twice = unit(twice, "branch3x3dbl_3", 96, {3, 3});
        return concat({one, five, twice, pooled(x, width)});
    }

    Value reduction(Value x) {
        const Value three = valid_3x3(x, name("branch3x3"), 384, 2);
        Value twice = unit(x, "branch3x3dbl_1", 64, {1, 1});
        twice = unit(twice, "branch3x3dbl_2", 96, {3, 3});
        twice = valid_3x3(twice, name("branch3x3dbl_3"), 96, 2);
        return concat({three, twice, halve(x)});
    }

    Value figure6(Value x, int width) {
        const Value one = unit(x, "branch1x1", 192, {1, 1});
        Value seven = unit(x, "branch7x7_1", width, {1, 1});
        seven = unit(seven, "branch7x7_2", width, {1, 7});
        seven = unit(seven, "branch7x7_3", 192, {7, 1});
        Value twice = unit(x, "branch7x7dbl_1", width, {1, 1});
        twice = unit(twice, "branch7x7dbl_2", width, {7, 1});
        twice = unit(twice, "branch7x7dbl_3", width, {1, 7});
        twice = unit(twice, "branch7x7dbl_4", width, {7, 1});
        twice = unit(twice, "branch7x7dbl_5", 192, {1, 7});
        return concat({one, seven, twice, pooled(x, 192)});
    }

    Value reduction2(Value x) {
        Value three = unit(x, "branch3x3_1", 192, {1, 1});
        three = valid_3x3(three, name("branch3x3_2"), 320, 2);
        Value seven = unit(x, "branch7x7x3_1", 192, {1, 1});
        seven = unit(seven, "branch7x7x3_2", 192, {1, 7});
        seven = unit(seven, "branch7x7x3_3", 192, {7, 1});
        seven = valid_3x3(seven, name("branch7x7x3_4"), 192, 2);
        return concat({three, seven, halve(x)});
    }

    Value figure7(Value x) {
        const Value one = unit(x, "branch1x1", 320, {1, 1});
        Value three = unit(x, "branch3x3_1", 384, {1, 1});
        three = concat(
            {unit(three, "branch3x3_2a", 384, {1, 3}), unit(three, "branch3x3_2b", 384, {3, 1})});
        Value twice = unit(x, "branch3x3dbl_1", 448, {1, 1});
        twice = unit(twice, "branch3x3dbl_2", 384, {3, 3});
        twice = concat({unit(twice, "branch3x3dbl_3a", 384, {1, 3}),
                        unit(twice, "branch3x3dbl_3b", 384, {3, 1})});
        return concat({one, three, twice, pooled(x, 192)});
    }

    std::string name(const char* part) const { return cat({block_, ".", part}); }
    LUMBAR_COLD Value unit(Value x, const char* part, int channels, Extent kernel) const {
        return conv_unit(x, name(part), channels, kernel);
    }
    LUMBAR_COLD Value pooled(Value x, int channels) const {
        const Value y = avg_pool(
            x,
            {.kernel = 3, .stride = 1, .padding = 1, .count_include_pad = average_counts_padding_});
        return unit(y, "branch_pool", channels, {1, 1});
    }

    const char* block_ = "";
    int figure5_kernel_;
    bool average_counts_padding_;
};

}  // namespace detail

/// The network of a table, from the image to the logits, for any input of at least 75x75.
LUMBAR_COLD inline Graph inception_v3(const InceptionV3Table& table,
                                      const InceptionV3Options& options = {}) {
    Graph graph(table.name);
    graph.ignore("AuxLogits.");
    graph.set_dialects(detail::kInceptionV3Dialects);
    detail::InceptionV3Writer writer(table.figure5_kernel, options.average_counts_padding);
    Value x = writer.stem(graph.input(options.input_channels), table.stem_of_3x3);
    for (const InceptionV3Row& row : table.rows) x = writer.block(x, row);
    graph.output(linear(global_avg_pool(x), "fc", {.outputs = options.classes}));
    return graph;
}

LUMBAR_COLD inline Graph inception_v3(const InceptionV3Options& options = {}) {
    return inception_v3(kInceptionV3, options);
}

LUMBAR_NAMESPACE_END
