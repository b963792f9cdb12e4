#include "layer_cases.hpp"
#include <oracle/kernel_tables.hpp>

#include <lumbar/layers/depthwise_conv.hpp>

#include <doctest/doctest.h>

namespace depthwise_conv_test {

using namespace layer_cases;
using lumbar::DepthwiseCall;
using lumbar::DepthwiseConv;
using lumbar::Epilogue;
using lumbar::Extent;
using lumbar::KernelTable;

namespace {

struct Case {
    Shape in;
    Extent kernel;
    Extent stride{1, 1};
    Padding padding{};
    Extent dilation{1, 1};
};

std::string describe(const Case& c) {
    return to_string(c.in) + ", kernel " + std::to_string(c.kernel.h) + "x" +
           std::to_string(c.kernel.w) + ", stride " + std::to_string(c.stride.h) + "x" +
           std::to_string(c.stride.w);
}

std::string check_depthwise(const KernelTable& kernels, const Case& c, Activation activation,
                            Padding out_border) {
    const ConvGeometry g{.in_channels = c.in.c,
                         .out_channels = c.in.c,
                         .kernel = c.kernel,
                         .stride = c.stride,
                         .dilation = c.dilation,
                         .padding = c.padding,
                         .groups = c.in.c};
    const lumbar::Tensor x = oracle::random_tensor(c.in, 1);
    const Filters filters(g, 2);
    const DepthwiseConv conv(kernels, g);
    const lumbar::AlignedBuffer packed = pack(conv, filters.reader());
    Guarded in(c.in, kernels.lanes, {.border = border_read(g, c.in)});
    Guarded out(output_shape(g, c.in), kernels.lanes, {.border = out_border});
    in.fill(x, 1e30f);
    const DepthwiseCall call{
        .in = in.view(), .out = out.view(), .epilogue = Epilogue::of(activation)};
    const std::string wrong = oracle::run_both_ways(
        {&out}, conv.units(call),
        [&](std::int64_t begin, std::int64_t end) { conv.run(call, packed.data(), begin, end); });
    if (!wrong.empty()) return wrong;
    return expect_conv(Array{x.view()}, filters, g, nullptr, activation).mismatch(out);
}

constexpr Case kCases[] = {
    {{1, 1, 1, 1}, {3, 3}, {1, 1}, {1, 1, 1, 1}},
    {{2, 3, 13, 17}, {3, 3}, {1, 1}, {1, 1, 1, 1}},
    {{1, 5, 13, 17}, {3, 3}, {2, 2}, {1, 1, 1, 1}},
    {{1, 8, 14, 14}, {3, 3}, {2, 2}, {0, 0, 1, 1}},
    {{3, 13, 2, 2}, {3, 3}, {1, 1}, {1, 1, 1, 1}},
    {{1, 17, 1, 33}, {3, 3}, {1, 2}, {1, 1, 1, 1}},
    {{1, 24, 7, 7}, {5, 5}, {1, 1}, {2, 2, 2, 2}},
    // pairs of rows: every width of a tile, an odd row left over, and none
    {{1, 16, 4, 2}, {3, 3}, {1, 1}, {1, 1, 1, 1}},
    {{1, 16, 4, 3}, {5, 5}, {1, 1}, {2, 2, 2, 2}},
    {{2, 17, 5, 4}, {3, 3}, {1, 1}, {1, 1, 1, 1}},
    {{1, 5, 6, 5}, {5, 5}, {1, 1}, {2, 2, 2, 2}},
    {{1, 16, 2, 11}, {3, 3}, {1, 1}, {0, 0, 1, 1}},
    {{1, 33, 7, 19}, {5, 5}, {1, 1}, {4, 0, 2, 1}},
    {{1, 33, 9, 8}, {5, 5}, {2, 2}, {2, 2, 2, 2}},
    {{2, 16, 8, 8}, {5, 5}, {2, 2}, {1, 1, 2, 2}},
    {{1, 5, 9, 9}, {7, 7}, {1, 1}, {3, 3, 3, 3}},
    {{1, 9, 6, 10}, {1, 1}},
    {{1, 9, 6, 10}, {1, 1}, {2, 3}},
    {{1, 9, 6, 10}, {1, 7}, {1, 1}, {0, 3, 0, 3}},
    {{1, 9, 10, 6}, {7, 1}, {1, 1}, {3, 0, 3, 0}},
    {{1, 17, 5, 12}, {2, 4}, {3, 5}},
    {{1, 4, 2, 3}, {2, 2}, {1, 1}, {2, 3, 4, 2}},
    // dilated: along one dimension (unrolled taps need dense columns only) and along both
    {{1, 13, 11, 9}, {3, 3}, {1, 1}, {2, 1, 2, 1}, {2, 1}},
    {{1, 13, 9, 11}, {3, 3}, {1, 1}, {1, 2, 1, 2}, {1, 2}},
    {{1, 13, 12, 13}, {5, 5}, {2, 1}, {4, 4, 4, 4}, {2, 2}},
};

}  // namespace

TEST_CASE("depthwise convolution agrees with the definition for every geometry") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Case& c : kCases) {
            CAPTURE(describe(c));
            CHECK(check_depthwise(*kernels, c, Activation::none, {}) == "");
            CHECK(check_depthwise(*kernels, c, Activation::relu6, {1, 2, 3, 4}) == "");
        }
    }
}

TEST_CASE("depthwise convolution applies every activation that can be fused") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Activation activation : fusable_activations()) {
            CAPTURE(to_string(activation));
            CHECK(check_depthwise(*kernels, {{2, 11, 5, 19}, {3, 3}, {1, 1}, {1, 1, 1, 1}},
                                  activation, Padding::all(1)) == "");
        }
    }
}

}  // namespace depthwise_conv_test
