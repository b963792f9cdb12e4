// Layers with weights of half the width. Filters and inputs are bfloat16 numbers already, so that
// the results are those of the definition but for the order of the sums.
#include "layer_cases.hpp"
#include <oracle/kernel_tables.hpp>

#include <lumbar/core/half.hpp>
#include <lumbar/kernels/bfloat16_table.hpp>
#include <lumbar/layers/direct_conv.hpp>
#include <lumbar/layers/linear.hpp>
#include <lumbar/layers/narrow.hpp>

#include <doctest/doctest.h>

namespace bfloat16_test {

using namespace layer_cases;
using lumbar::BlockedView;
using lumbar::ConvCall;
using lumbar::DirectConv;
using lumbar::Epilogue;
using lumbar::LinearCall;
using lumbar::LinearLayer;

namespace {

const lumbar::KernelTable& kernels() { return lumbar::kernel_table<lumbar::simd::Native>(); }
const lumbar::Bfloat16Kernels& narrow_kernels() { return lumbar::bfloat16_kernels(); }

float rounded(float x) { return lumbar::bfloat16_to_float(lumbar::float_to_bfloat16(x)); }

Filters rounded_filters(const ConvGeometry& g) {
    Filters filters(g, 11);
    for (float& w : filters.weights) w = rounded(w);
    return filters;
}

lumbar::Tensor rounded_tensor(const Shape& shape) {
    lumbar::Tensor x = oracle::random_tensor(shape, 7);
    for (std::int64_t i = 0; i < shape.size(); ++i) x.data()[i] = rounded(x.data()[i]);
    return x;
}

std::string check_conv(const Shape& in_shape, const ConvGeometry& g, int row_pixels,
                       bool with_residual) {
    const lumbar::Tensor x = rounded_tensor(in_shape);
    const Filters filters = rounded_filters(g);
    const Shape out_shape = output_shape(g, in_shape);
    const lumbar::Tensor residual = oracle::random_tensor(out_shape, 13);
    const Array residual_array{residual.view()};
    const Expected want = expect_conv(Array{x.view()}, filters, g,
                                      with_residual ? &residual_array : nullptr, Activation::relu);
    const DirectConv conv(kernels(), g, {.row_pixels = row_pixels, .bfloat16 = &narrow_kernels()});
    const lumbar::AlignedBuffer packed = pack(conv, filters.reader());

    // Finite numbers in the tail lanes: they meet zeros.
    Guarded in(in_shape, kernels().lanes, {.border = border_read(g, in_shape)});
    in.fill(x, 1e30f);
    lumbar::AlignedBuffer memory(lumbar::narrow_size(in.view()));
    lumbar::narrow_planes(narrow_kernels().narrow, in.view(), memory.data(), 0,
                          std::int64_t{in_shape.n} * in.view().groups());

    Guarded added(out_shape, kernels().lanes);
    added.fill(residual);
    Guarded out(out_shape, kernels().lanes, {.border = {1, 0, 2, 1}});
    const BlockedView out_view = out.view(), residual_view = added.view();
    ConvCall call;
    call.in = lumbar::narrow_view(in.view(), memory.data());
    call.out = {&out_view, 1};
    call.epilogue = Epilogue::of(Activation::relu);
    if (with_residual) call.residual = &residual_view;
    const std::string wrong =
        oracle::run_both_ways({&out}, conv.units(call), [&](std::int64_t begin, std::int64_t end) {
            conv.run(call, packed.data(), begin, end, nullptr);
        });
    return wrong.empty() ? want.mismatch(out) : wrong;
}

}  // namespace

TEST_CASE("convolutions of pairs of bfloat16 agree with the definition") {
    if (kernels().lanes == 1) return;
    const auto geometry = [](int in, int out, int kernel, int stride, int groups = 1) {
        return ConvGeometry{.in_channels = in,
                            .out_channels = out,
                            .kernel = {kernel, kernel},
                            .stride = {stride, stride},
                            .padding = Padding::all(kernel / 2),
                            .groups = groups};
    };
    // Odd channels, a group and one more, rows of every width of tile.
    for (const int in : {1, 2, 7, 16, 17, 33, 48}) {
        for (const int out : {5, 16, 40}) {
            CAPTURE(in);
            CAPTURE(out);
            CHECK(check_conv({1, in, 5, 7}, geometry(in, out, 1, 1), 35, false) == "");
            CHECK(check_conv({2, in, 6, 9}, geometry(in, out, 3, 2), 5, true) == "");
        }
    }
    for (int width = 1; width <= 29; ++width) {
        CAPTURE(width);
        CHECK(check_conv({1, 20, 2, width}, geometry(20, 33, 1, 1), 2 * width, true) == "");
        CHECK(check_conv({1, 9, 3, width}, geometry(9, 16, 3, 1), width, false) == "");
    }
    CHECK(check_conv({1, 24, 5, 5}, geometry(24, 36, 3, 1, 3), 5, false) == "");
    CHECK(check_conv({1, 64, 4, 4}, geometry(64, 64, 3, 1, 16), 4, false) == "");
}

TEST_CASE("fully connected layers with weights of bfloat16 agree with the definition") {
    if (kernels().lanes == 1) return;
    for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{1, 17, 1, 1}, Shape{3, 24, 7, 7},
                               Shape{5, 13, 3, 2}, Shape{4, 40, 1, 1}}) {
        for (const int outputs : {1, 10, 65, 130}) {
            CAPTURE(to_string(shape));
            CAPTURE(outputs);
            const ConvGeometry g{
                .in_channels = shape.c, .out_channels = outputs, .kernel = {shape.h, shape.w}};
            const lumbar::Tensor x = oracle::random_tensor(shape, 1);  // inputs stay floats
            const Filters filters = rounded_filters(g);
            const LinearLayer layer(kernels(), shape, outputs, &narrow_kernels());
            const lumbar::AlignedBuffer packed = pack(layer, filters.reader());
            Guarded in(shape, kernels().lanes);
            in.fill(x, 1e30f);
            Guarded out({shape.n, outputs, 1, 1}, kernels().lanes);
            const LinearCall call{.in = in.view(), .out = out.view()};
            CHECK(oracle::run_both_ways({&out}, layer.units(call),
                                        [&](std::int64_t begin, std::int64_t end) {
                                            layer.run(call, packed.data(), begin, end);
                                        }) == "");
            CHECK(
                expect_conv(Array{x.view()}, filters, g, nullptr, Activation::none).mismatch(out) ==
                "");
        }
    }
}

TEST_CASE("weights of bfloat16 take half the memory") {
    const ConvGeometry g{.in_channels = 256, .out_channels = 64};
    const DirectConv wide(kernels(), g, {}), narrow(kernels(), g, {.bfloat16 = &narrow_kernels()});
    CHECK(wide.packed_size() == 257 * 64);
    CHECK(narrow.packed_size() == 129 * 64);
}

TEST_CASE("floats are rounded to the nearest bfloat16") {
    if (kernels().lanes == 1) return;
    lumbar::AlignedBuffer from(64), to(32);
    oracle::Random random(3);
    for (std::size_t i = 0; i < 64; ++i) from.data()[i] = random.real(-300, 300);
    from.data()[5] = 0.0f;
    from.data()[6] = 1.00390625f;  // halfway: to even
    from.data()[7] = 1.01171875f;
    narrow_kernels().narrow(from.data(), to.data(), 64);
    for (std::size_t i = 0; i < 64; i += 2) {
        CAPTURE(i);
        CHECK(std::bit_cast<std::uint32_t>(to.data()[i / 2]) ==
              std::bit_cast<std::uint32_t>(
                  lumbar::bfloat16_pair(from.data()[i], from.data()[i + 1])));
    }
}

}  // namespace bfloat16_test
