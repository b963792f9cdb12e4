// Inception V3: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
// arXiv:1512.00567. Names and numerics of torchvision (those of TensorFlow's published network).
//
//   network         parameters     MACs at 299
//   inception_v3    23,834,568     5.713 G
//
// The modules of the paper's figures 5 (A), 6 (C, factorised into 1x7 and 7x1) and 7 (E, with
// branches that fork into 1x3 and 3x1), and the reductions B and D between them. The auxiliary
// classifier is training's: a checkpoint may hold it.
#pragma once

#include <lumbar/models/numerics.hpp>

#include <array>
#include <string>

LUMBAR_NAMESPACE_BEGIN

/// Output channels of the branches that differ between modules of a kind.
struct InceptionV3A {
    const char* name;
    int pool_proj;
};
struct InceptionV3C {
    const char* name;
    int c7x7;  ///< within the factorised branches
};
inline constexpr std::array<InceptionV3A, 3> kInceptionV3A{
    {{"Mixed_5b", 32}, {"Mixed_5c", 64}, {"Mixed_5d", 64}}};  // 35x35
inline constexpr std::array<InceptionV3C, 4> kInceptionV3C{
    {{"Mixed_6b", 128}, {"Mixed_6c", 160}, {"Mixed_6d", 160}, {"Mixed_6e", 192}}};    // 17x17
inline constexpr std::array<const char*, 2> kInceptionV3E{{"Mixed_7b", "Mixed_7c"}};  // 8x8

struct InceptionV3Options {
    int classes = 1000;
    int input_channels = 3;
    double bn_eps = 1e-3;
    bool count_include_pad = true;  ///< of the average poolings; false: TensorFlow's
};

namespace detail {

struct InceptionV3Builder {
    const InceptionV3Options& options;

    /// `kernel` and, where it is padded, half of it.
    LUMBAR_COLD Value unit(Value x, const std::string& name, int channels, Extent kernel,
                           int stride = 1, bool padded = true) const {
        const op::Conv c{
            .out_channels = channels,
            .kernel = kernel,
            .stride = Extent::square(stride),
            .dilation = {},
            .padding = padded ? Padding::symmetric(kernel.h / 2, kernel.w / 2) : Padding{}};
        return relu(batch_norm(conv(x, name + ".conv", c), name + ".bn", options.bn_eps));
    }
    LUMBAR_COLD Value pool_branch(Value x, const std::string& name, int channels) const {
        const Value pooled = avg_pool(x, {.kernel = 3,
                                          .stride = 1,
                                          .padding = 1,
                                          .count_include_pad = options.count_include_pad});
        return unit(pooled, name + ".branch_pool", channels, {1, 1});
    }
    static Value halved(Value x) { return max_pool(x, {.kernel = 3, .stride = 2}); }

    LUMBAR_COLD Value a(Value x, const InceptionV3A& m) const {
        const std::string name(m.name);
        const Value one = unit(x, name + ".branch1x1", 64, {1, 1});
        Value five = unit(x, name + ".branch5x5_1", 48, {1, 1});
        five = unit(five, name + ".branch5x5_2", 64, {5, 5});
        Value three = unit(x, name + ".branch3x3dbl_1", 64, {1, 1});
        three = unit(three, name + ".branch3x3dbl_2", 96, {3, 3});
        three = unit(three, name + ".branch3x3dbl_3", 96, {3, 3});
        return concat({one, five, three, pool_branch(x, name, m.pool_proj)});
    }

    LUMBAR_COLD Value b(Value x) const {
        const std::string name = "Mixed_6a";
        const Value three = unit(x, name + ".branch3x3", 384, {3, 3}, 2, false);
        Value twice = unit(x, name + ".branch3x3dbl_1", 64, {1, 1});
        twice = unit(twice, name + ".branch3x3dbl_2", 96, {3, 3});
        twice = unit(twice, name + ".branch3x3dbl_3", 96, {3, 3}, 2, false);
        return concat({three, twice, halved(x)});
    }

    LUMBAR_COLD Value c(Value x, const InceptionV3C& m) const {
        const std::string name(m.name);
        constexpr Extent row{1, 7}, column{7, 1};
        const Value one = unit(x, name + ".branch1x1", 192, {1, 1});
        Value once = unit(x, name + ".branch7x7_1", m.c7x7, {1, 1});
        once = unit(once, name + ".branch7x7_2", m.c7x7, row);
        once = unit(once, name + ".branch7x7_3", 192, column);
        Value twice = unit(x, name + ".branch7x7dbl_1", m.c7x7, {1, 1});
        twice = unit(twice, name + ".branch7x7dbl_2", m.c7x7, column);
        twice = unit(twice, name + ".branch7x7dbl_3", m.c7x7, row);
        twice = unit(twice, name + ".branch7x7dbl_4", m.c7x7, column);
        twice = unit(twice, name + ".branch7x7dbl_5", 192, row);
        return concat({one, once, twice, pool_branch(x, name, 192)});
    }

    LUMBAR_COLD Value d(Value x) const {
        const std::string name = "Mixed_7a";
        Value three = unit(x, name + ".branch3x3_1", 192, {1, 1});
        three = unit(three, name + ".branch3x3_2", 320, {3, 3}, 2, false);
        Value seven = unit(x, name + ".branch7x7x3_1", 192, {1, 1});
        seven = unit(seven, name + ".branch7x7x3_2", 192, {1, 7});
        seven = unit(seven, name + ".branch7x7x3_3", 192, {7, 1});
        seven = unit(seven, name + ".branch7x7x3_4", 192, {3, 3}, 2, false);
        return concat({three, seven, halved(x)});
    }

    LUMBAR_COLD Value e(Value x, const std::string& name) const {
        const auto fork = [&](Value v, const std::string& layer) {
            return concat({unit(v, layer + "a", 384, {1, 3}), unit(v, layer + "b", 384, {3, 1})});
        };
        const Value one = unit(x, name + ".branch1x1", 320, {1, 1});
        const Value three = unit(x, name + ".branch3x3_1", 384, {1, 1});
        Value twice = unit(x, name + ".branch3x3dbl_1", 448, {1, 1});
        twice = unit(twice, name + ".branch3x3dbl_2", 384, {3, 3});
        return concat({one, fork(three, name + ".branch3x3_2"),
                       fork(twice, name + ".branch3x3dbl_3"), pool_branch(x, name, 192)});
    }
};

}  // namespace detail

/// The network from the image to the logits. Any input size from 75 pixels.
LUMBAR_COLD inline Graph inception_v3(const InceptionV3Options& options = {}) {
    Graph graph("inception_v3");
    graph.ignore("AuxLogits.");
    const detail::InceptionV3Builder build{options};
    Value x = graph.input(options.input_channels);
    x = build.unit(x, "Conv2d_1a_3x3", 32, {3, 3}, 2, false);
    x = build.unit(x, "Conv2d_2a_3x3", 32, {3, 3}, 1, false);
    x = build.halved(build.unit(x, "Conv2d_2b_3x3", 64, {3, 3}));
    x = build.unit(x, "Conv2d_3b_1x1", 80, {1, 1});
    x = build.halved(build.unit(x, "Conv2d_4a_3x3", 192, {3, 3}, 1, false));
    for (const InceptionV3A& m : kInceptionV3A) x = build.a(x, m);
    x = build.b(x);
    for (const InceptionV3C& m : kInceptionV3C) x = build.c(x, m);
    x = build.d(x);
    for (const char* name : kInceptionV3E) x = build.e(x, name);
    graph.output(linear(global_avg_pool(x), "fc", {.outputs = options.classes}));
    return graph;
}

LUMBAR_NAMESPACE_END
