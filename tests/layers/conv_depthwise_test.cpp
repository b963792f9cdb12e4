#include "layer_cases.hpp"
#include <oracle/kernel_tables.hpp>

#include <lumbar/layers/conv_depthwise.hpp>

#include <doctest/doctest.h>

#include <string>

namespace conv_depthwise_test {

using namespace layer_cases;
using lumbar::BlockedView;
using lumbar::ConvCall;
using lumbar::ConvDepthwise;
using lumbar::ConvDepthwiseCall;
using lumbar::DepthwiseCall;
using lumbar::DepthwiseConv;
using lumbar::DirectConv;
using lumbar::Epilogue;
using lumbar::KernelTable;

namespace {

struct Case {
    Shape in;
    int wide = 8;  ///< channels between the two convolutions
    int kernel = 3;
    int stride = 1;
    Padding padding = Padding::all(1);
    int threads = 1;
};

/// The fused layer against the two layers one after the other: bit by bit, for the sums are the
/// same. Returns what is wrong, or "".
std::string check(const KernelTable& kernels, const Case& c) {
    const ConvGeometry first{.in_channels = c.in.c, .out_channels = c.wide};
    const ConvGeometry second{.in_channels = c.wide,
                              .out_channels = c.wide,
                              .kernel = {c.kernel, c.kernel},
                              .stride = {c.stride, c.stride},
                              .padding = c.padding,
                              .groups = c.wide};
    const Shape middle = output_shape(first, c.in), result = output_shape(second, middle);
    const Filters first_filters(first, 3), second_filters(second, 5);
    const Epilogue relu6 = Epilogue::of(Activation::relu6),
                   swish = Epilogue::of(Activation::hard_swish);
    Guarded in(c.in, kernels.lanes);
    in.fill(oracle::random_tensor(c.in, 1), oracle::kNan);

    Guarded wide(middle, kernels.lanes, {.border = border_read(second, middle)});
    Guarded expected(result, kernels.lanes, {.border = {1, 2, 3, 4}});
    wide.poison();
    expected.poison();
    const BlockedView wide_view = wide.view();
    ConvCall conv_call;
    conv_call.in = in.view();
    conv_call.out = {&wide_view, 1};
    conv_call.epilogue = relu6;
    const DirectConv conv(kernels, first, {.row_pixels = static_cast<int>(middle.pixels())});
    conv.run(conv_call, pack(conv, first_filters.reader()).data(), 0, conv.units(conv_call),
             nullptr);
    const DepthwiseConv depthwise(kernels, second);
    const DepthwiseCall depthwise_call{wide_view, expected.view(), swish};
    depthwise.run(depthwise_call, pack(depthwise, second_filters.reader()).data(), 0,
                  depthwise.units(depthwise_call));

    const ConvDepthwise fused(kernels, first, second, middle, result, c.threads);
    const lumbar::AlignedBuffer conv_packed = pack(fused.conv(), first_filters.reader()),
                                depthwise_packed = pack(fused.depthwise(), second_filters.reader());
    Guarded out(result, kernels.lanes, {.border = {1, 2, 3, 4}});
    const ConvDepthwiseCall call{in.view(), out.view(), relu6, swish};
    // What lies around the scratch must not change.
    constexpr std::size_t kGuard = 64;
    lumbar::AlignedBuffer scratch(fused.scratch_size() + 2 * kGuard);
    std::string wrong =
        oracle::run_both_ways({&out}, fused.units(call), [&](std::int64_t begin, std::int64_t end) {
            std::fill_n(scratch.data(), scratch.size(), 1e30f);
            fused.run(call, conv_packed.data(), depthwise_packed.data(), begin, end,
                      scratch.data() + kGuard);
        });
    for (std::size_t i = 0; i < kGuard; ++i) {
        if (scratch.data()[i] != 1e30f || scratch.data()[scratch.size() - 1 - i] != 1e30f)
            return "wrote outside the scratch";
    }
    if (wrong.empty() && out.bits() != expected.bits()) wrong = "differs from the two layers";
    return wrong;
}

constexpr Case kCases[] = {
    {.in = {1, 1, 1, 1}, .wide = 2},
    {.in = {1, 5, 7, 7}, .wide = 40},
    {.in = {2, 17, 14, 14}, .wide = 70, .threads = 8},
    {.in = {1, 16, 15, 13}, .wide = 33, .stride = 2},
    {.in = {1, 8, 16, 16}, .wide = 24, .stride = 2, .padding = {0, 0, 1, 1}},
    {.in = {2, 8, 9, 12}, .wide = 24, .kernel = 5, .padding = Padding::all(2)},
    {.in = {1, 8, 28, 9},
     .wide = 16,
     .kernel = 5,
     .stride = 2,
     .padding = {1, 1, 2, 2},
     .threads = 6},
    {.in = {1, 3, 60, 5}, .wide = 8, .threads = 9},
    {.in = {1, 3, 61, 5}, .wide = 8, .kernel = 5, .padding = {4, 4, 4, 4}, .threads = 9},
    {.in = {1, 3, 6, 6}, .wide = 8, .padding = {}},
    // too many rows for one strip
    {.in = {1, 4, 50, 300}, .wide = 32},
    {.in = {1, 4, 51, 300}, .wide = 48, .stride = 2},
};

}  // namespace

TEST_CASE("a pointwise and a depthwise convolution in one give the bits of the two") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Case& c : kCases) {
            CAPTURE(to_string(c.in));
            CAPTURE(c.kernel);
            CAPTURE(c.stride);
            CHECK(check(*kernels, c) == "");
        }
    }
}

}  // namespace conv_depthwise_test
