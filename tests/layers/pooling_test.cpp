#include "layer_cases.hpp"
#include <oracle/kernel_tables.hpp>

#include <lumbar/layers/pooling.hpp>

#include <doctest/doctest.h>

#include <limits>

namespace pooling_test {

using namespace layer_cases;
using lumbar::Extent;
using lumbar::KernelTable;
using lumbar::PoolCall;
using lumbar::PoolGeometry;
using lumbar::Pooling;

namespace {

constexpr PoolGeometry::Kind kMax = PoolGeometry::Kind::max;
constexpr PoolGeometry::Kind kAverage = PoolGeometry::Kind::average;
constexpr float kInf = std::numeric_limits<float>::infinity();

/// Pools with NaN in the border of the input, which must not matter.
std::string check_pool(const KernelTable& kernels, const PoolGeometry& g, const lumbar::Tensor& x,
                       Padding out_border = {}, bool biased = false,
                       Activation activation = Activation::none) {
    const Pooling pool(kernels, g, x.shape());
    Array want = oracle::pool(Array{x.view()}, g);
    lumbar::AlignedBuffer bias(
        static_cast<std::size_t>(lumbar::round_up(x.shape().c, kernels.lanes)));
    if (biased) {
        oracle::Random random(9);
        Array all(want.shape);
        for (int c = 0; c < want.shape.c; ++c) {
            bias.data()[c] = random.real(-1, 1);
            for (int n = 0; n < want.shape.n; ++n)
                for (int y = 0; y < want.shape.h; ++y)
                    for (int k = 0; k < want.shape.w; ++k)
                        all(n, c, y, k) = static_cast<double>(bias.data()[c]);
        }
        want = oracle::add(want, all);
    }
    want = oracle::activate(want, activation);
    if (output_shape(g, x.shape()) != want.shape)
        return "shape " + to_string(output_shape(g, x.shape())) + ", expected " +
               to_string(want.shape);
    Guarded in(x.shape(), kernels.lanes, {.border = {1, 2, 1, 3}, .extra_columns = 1});
    Guarded out(want.shape, kernels.lanes, {.border = out_border});
    in.fill(x);
    in.fill_border(oracle::kNan);
    const PoolCall call{.in = in.view(),
                        .out = out.view(),
                        .bias = biased ? bias.data() : nullptr,
                        .epilogue = lumbar::Epilogue::of(activation)};
    const std::string wrong = oracle::run_both_ways(
        {&out}, pool.units(call),
        [&](std::int64_t begin, std::int64_t end) { pool.run(call, begin, end); });
    if (!wrong.empty()) return wrong;
    // A maximum is exact; an average of n values in [-1, 1] has the error of a sum of n, over n.
    return oracle::mismatch(want, out.values(), [&](std::size_t i) {
        return g.kind == kMax ? 0.0
                              : oracle::sum_tolerance(want.values[i], 1, 4) +
                                    (biased ? 4 : 1) * oracle::kRounding;
    });
}

std::string describe(const Shape& in, const PoolGeometry& g) {
    return to_string(in) + ", kernel " + std::to_string(g.kernel.h) + "x" +
           std::to_string(g.kernel.w) + ", stride " + std::to_string(g.stride.h) + ", ceil_mode " +
           std::to_string(g.ceil_mode) + ", count_include_pad " +
           std::to_string(g.count_include_pad);
}

struct Case {
    Shape in;
    Extent kernel;
    Extent stride;
    Padding padding{};
    Extent dilation{1, 1};
};

constexpr Case kCases[] = {
    {{1, 1, 2, 2}, {2, 2}, {2, 2}},
    {{2, 3, 13, 17}, {2, 2}, {2, 2}},
    {{1, 5, 14, 15}, {3, 3}, {2, 2}, {1, 1, 1, 1}},
    {{1, 8, 13, 17}, {3, 3}, {2, 2}},
    {{1, 13, 12, 11}, {3, 3}, {2, 2}, {0, 0, 1, 1}},
    {{3, 17, 7, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1}},
    {{1, 24, 8, 8}, {5, 5}, {3, 3}},
    {{1, 33, 1, 9}, {1, 3}, {1, 2}, {0, 1, 0, 1}},
    {{1, 4, 1, 1}, {3, 3}, {1, 1}, {1, 1, 1, 1}},
    {{1, 4, 2, 2}, {3, 3}, {2, 2}, {1, 1, 1, 1}},
    {{1, 4, 9, 10}, {2, 2}, {3, 4}},
    {{1, 4, 7, 7}, {7, 7}, {1, 1}},
    {{1, 3, 9, 11}, {2, 3}, {1, 2}, {1, 0, 0, 1}},
    // Rows and windows wider than the strip of the kernel.
    {{1, 3, 4, 150}, {3, 3}, {1, 1}, {1, 1, 1, 1}},
    {{1, 3, 3, 160}, {2, 70}, {1, 9}, {1, 30, 1, 30}},
};

}  // namespace

TEST_CASE("pooling agrees with the definition for every geometry") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Case& c : kCases) {
            const lumbar::Tensor x = oracle::random_tensor(c.in, 3);
            for (const PoolGeometry::Kind kind : {kMax, kAverage})
                for (const bool ceil_mode : {false, true})
                    for (const bool count_include_pad : {false, true}) {
                        const PoolGeometry g{.kind = kind,
                                             .kernel = c.kernel,
                                             .stride = c.stride,
                                             .padding = c.padding,
                                             .ceil_mode = ceil_mode,
                                             .count_include_pad = count_include_pad};
                        CAPTURE(describe(c.in, g));
                        CHECK(check_pool(*kernels, g, x) == "");
                    }
        }
    }
}

TEST_CASE("pooling zeroes the border of its output and no more") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const lumbar::Tensor x = oracle::random_tensor({2, 13, 9, 8}, 3);
        for (const PoolGeometry::Kind kind : {kMax, kAverage}) {
            CHECK(check_pool(*kernels, {.kind = kind}, x, {1, 2, 3, 4}) == "");
        }
        CHECK(check_pool(*kernels, {.kind = kAverage, .adaptive = {1, 1}}, x, {1, 0, 2, 1}) == "");
    }
}

TEST_CASE("an average adds a bias and takes an activation, whatever its window holds") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const lumbar::Tensor x = oracle::random_tensor({2, 13, 9, 8}, 3);
        for (const bool counts : {false, true})
            for (const bool biased : {false, true})
                for (const Activation activation : fusable_activations()) {
                    CAPTURE(counts);
                    CAPTURE(biased);
                    CAPTURE(static_cast<int>(activation));
                    const PoolGeometry g{.kind = kAverage,
                                         .kernel = {3, 3},
                                         .stride = {1, 1},
                                         .padding = Padding::all(1),
                                         .count_include_pad = counts};
                    CHECK(check_pool(*kernels, g, x, {1, 2, 3, 4}, biased, activation) == "");
                }
    }
}

TEST_CASE("a window of ceil_mode may be larger than the image") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const PoolGeometry g{.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true};
        CHECK(output_shape(g, {1, 3, 2, 2}) == Shape{1, 3, 1, 1});
        CHECK(check_pool(*kernels, g, oracle::random_tensor({1, 3, 2, 2}, 1)) == "");
    }
}

TEST_CASE("maximum pooling may be dilated") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const lumbar::Tensor x = oracle::random_tensor({1, 5, 11, 13}, 3);
        for (const bool ceil_mode : {false, true}) {
            CHECK(check_pool(*kernels,
                             {.kernel = {3, 2},
                              .stride = {2, 1},
                              .dilation = {2, 3},
                              .padding = {1, 1, 1, 1},
                              .ceil_mode = ceil_mode},
                             x) == "");
        }
        CHECK(check_pool(*kernels, {.kernel = {2, 40}, .stride = {1, 3}, .dilation = {1, 2}},
                         oracle::random_tensor({1, 3, 4, 150}, 3)) == "");
    }
}

TEST_CASE("maximum pooling keeps NaN and infinities, and padding never wins") {
    const PoolGeometry g{.kernel = {3, 3}, .stride = {2, 2}, .padding = Padding::all(1)};
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        CHECK(check_pool(*kernels, g, oracle::random_tensor({1, 5, 9, 9}, 4, -3, -1)) == "");
        // A NaN in every position of a window: none may be lost, whatever comes after it.
        for (int at = 0; at < 9; ++at) {
            CAPTURE(at);
            lumbar::Tensor x = oracle::random_tensor({1, 5, 7, 7}, 5);
            x(0, at % 5, 2 + at / 3, 2 + at % 3) = oracle::kNan;
            x(0, (at + 1) % 5, 2 + at / 3, 2 + at % 3) = kInf;
            CHECK(check_pool(*kernels, g, x) == "");
        }
        lumbar::Tensor x({1, 5, 5, 5});
        std::fill_n(x.data(), x.values().size(), -kInf);
        CHECK(check_pool(*kernels, g, x) == "");
    }
}

TEST_CASE("average pooling keeps NaN where its window has one, and only there") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        lumbar::Tensor x = oracle::random_tensor({1, 5, 6, 6}, 5);
        x(0, 3, 2, 4) = oracle::kNan;
        CHECK(check_pool(*kernels, {.kind = kAverage}, x) == "");
    }
}

TEST_CASE("adaptive and global pooling agree with the definition") {
    struct Adaptive {
        Shape in;
        Extent out;
    };
    constexpr Adaptive kAdaptive[] = {{{1, 3, 7, 7}, {1, 1}},   {{2, 17, 13, 17}, {1, 1}},
                                      {{1, 8, 13, 17}, {7, 7}}, {{1, 5, 7, 7}, {7, 7}},
                                      {{1, 4, 3, 2}, {7, 7}},   {{1, 24, 10, 9}, {4, 2}},
                                      {{1, 1, 1, 1}, {1, 1}},   {{1, 2, 1, 1}, {6, 6}}};
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Adaptive& c : kAdaptive) {
            CAPTURE(to_string(c.in));
            const PoolGeometry g{.kind = kAverage, .adaptive = c.out};
            CHECK(check_pool(*kernels, g, oracle::random_tensor(c.in, 6)) == "");
        }
    }
}

}  // namespace pooling_test
