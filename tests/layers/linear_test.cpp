#include "layer_cases.hpp"
#include <oracle/kernel_tables.hpp>

#include <lumbar/layers/linear.hpp>

#include <doctest/doctest.h>

namespace linear_test {

using namespace layer_cases;
using lumbar::Epilogue;
using lumbar::KernelTable;
using lumbar::LinearCall;
using lumbar::LinearLayer;

namespace {

struct Case {
    Shape in;
    int outputs;
    Activation activation = Activation::none;
    Padding out_border{};
};

std::string check_linear(const KernelTable& kernels, const Case& c) {
    // A fully connected layer is a convolution of the whole image.
    const ConvGeometry g{
        .in_channels = c.in.c, .out_channels = c.outputs, .kernel = {c.in.h, c.in.w}};
    const lumbar::Tensor x = oracle::random_tensor(c.in, 1);
    const Filters filters(g, 2);
    const LinearLayer layer(kernels, c.in, c.outputs);
    if (layer.filter_size() != g.filter_size()) return "filter size";
    const lumbar::AlignedBuffer packed = pack(layer, filters.reader());
    Guarded in(c.in, kernels.lanes);
    Guarded out({c.in.n, c.outputs, 1, 1}, kernels.lanes, {.border = c.out_border});
    // Lanes beyond the last channel meet zero weights; with one pixel they are not read at all.
    in.fill(x, c.in.pixels() == 1 ? oracle::kNan : 1e30f);
    const LinearCall call{
        .in = in.view(), .out = out.view(), .epilogue = Epilogue::of(c.activation)};
    const std::string wrong = oracle::run_both_ways(
        {&out}, layer.units(call),
        [&](std::int64_t begin, std::int64_t end) { layer.run(call, packed.data(), begin, end); });
    if (!wrong.empty()) return wrong;
    return expect_conv(Array{x.view()}, filters, g, nullptr, c.activation).mismatch(out);
}

constexpr Case kCases[] = {
    {{1, 1, 1, 1}, 1},    {{1, 3, 1, 1}, 5},    {{2, 17, 1, 1}, 13},  {{1, 33, 1, 1}, 65},
    {{1, 512, 1, 1}, 10}, {{1, 24, 7, 7}, 33},  {{2, 13, 7, 7}, 130}, {{1, 5, 2, 3}, 64},
    {{1, 8, 1, 9}, 8},    {{1, 16, 13, 1}, 24}, {{1, 1, 7, 7}, 17},   {{1, 3, 4, 4}, 100},
};

}  // namespace

TEST_CASE("a fully connected layer agrees with the definition") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (Case c : kCases) {
            CAPTURE(to_string(c.in));
            CAPTURE(c.outputs);
            CHECK(check_linear(*kernels, c) == "");
            c.activation = Activation::relu;
            c.out_border = {1, 2, 3, 4};
            CHECK(check_linear(*kernels, c) == "");
        }
    }
}

TEST_CASE("a fully connected layer takes any number of images") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (int images = 1; images <= 9; ++images) {
            CAPTURE(images);
            CHECK(check_linear(*kernels, {{images, 13, 3, 2}, 21}) == "");
            CHECK(check_linear(*kernels, {{images, 40, 1, 1}, 70}) == "");
        }
    }
}

TEST_CASE("the results for an image do not depend on the others in the batch") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const ConvGeometry g{.in_channels = 37, .out_channels = 45};
        const Filters filters(g, 2);
        const LinearLayer layer(*kernels, {1, 37, 1, 1}, 45);
        const lumbar::AlignedBuffer packed = pack(layer, filters.reader());
        const lumbar::Tensor x = oracle::random_tensor({7, 37, 1, 1}, 1);
        const auto run = [&](const lumbar::ConstTensorView& part) {
            Guarded in(part.shape, kernels->lanes);
            Guarded out({part.shape.n, 45, 1, 1}, kernels->lanes);
            in.fill(part);
            const LinearCall call{.in = in.view(), .out = out.view()};
            layer.run(call, packed.data(), 0, layer.units(call));
            return out.values();
        };
        const lumbar::Tensor all = run(x);
        for (int n = 0; n < 7; ++n) {
            CAPTURE(n);
            const lumbar::Tensor one = run({&x(n, 0, 0, 0), {1, 37, 1, 1}});
            bool same = true;
            for (int o = 0; o < 45; ++o)
                same = same && oracle::same_bits(one(0, o, 0, 0), all(n, o, 0, 0));
            CHECK(same);
        }
    }
}

TEST_CASE("a fully connected layer applies every activation that can be fused") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Activation activation : fusable_activations()) {
            CAPTURE(to_string(activation));
            CHECK(check_linear(*kernels, {{2, 19, 1, 1}, 37, activation}) == "");
        }
    }
}

}  // namespace linear_test
