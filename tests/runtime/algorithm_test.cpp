#include <lumbar/runtime/algorithm.hpp>
#include <lumbar/runtime/tune.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace algorithm_test {

using namespace lumbar;

namespace {

struct Case {
    int size;
    int in;
    int out;
    Extent kernel{3, 3};
};

ConvGeometry geometry(const Case& c) {
    return {.in_channels = c.in,
            .out_channels = c.out,
            .kernel = c.kernel,
            .padding = Padding::symmetric(c.kernel.h / 2, c.kernel.w / 2)};
}
Shape output(const Case& c) { return {1, c.out, c.size, c.size}; }

[[maybe_unused]] double cost_of(const KernelTable& kernels, const WinogradTile* tile,
                                const Case& c) {
    return tile ? winograd_cost(kernels, *tile, geometry(c), output(c))
                : direct_cost(kernels, geometry(c), output(c));
}

// Layers of VGG, ResNet and the Inceptions.
constexpr Case kCases[] = {
    {112, 64, 128},         {56, 64, 64},          {56, 256, 256},       {28, 128, 128},
    {28, 16, 32},           {14, 256, 256},        {14, 512, 512},       {14, 96, 208},
    {7, 512, 512},          {7, 160, 320},         {35, 48, 64, {5, 5}}, {17, 192, 192, {1, 7}},
    {17, 128, 128, {7, 1}}, {8, 384, 384, {1, 3}},
};

}  // namespace

TEST_CASE("large 3x3 convolutions are Winograd's, and what it does not serve is direct") {
    const KernelTable& kernels = native_kernels();
    const auto chosen = [&](const ConvGeometry& g, const Shape& out) {
        return detail::algorithm_name(choose_winograd(kernels, g, out));
    };
    CHECK(chosen(geometry({56, 64, 64}), {1, 64, 56, 56}) == "winograd 4x4");
    CHECK(chosen(geometry({28, 128, 128}), {1, 128, 28, 28}) == "winograd 4x4");
    ConvGeometry g = geometry({56, 64, 64});
    g.stride = {2, 2};
    CHECK(chosen(g, {1, 64, 28, 28}) == "direct");
    g = geometry({56, 64, 64});
    g.dilation = {2, 2};
    CHECK(chosen(g, {1, 64, 54, 54}) == "direct");
    g = geometry({56, 64, 64});
    g.groups = 2;
    CHECK(chosen(g, {1, 64, 56, 56}) == "direct");
    CHECK(chosen(geometry({56, 64, 64, {1, 1}}), {1, 64, 56, 56}) == "direct");
    CHECK(chosen(geometry({1, 4, 4}), {1, 4, 1, 1}) == "direct");
}

TEST_CASE("the choice does not depend on the batch") {
    const KernelTable& kernels = native_kernels();
    for (const Case& c : kCases) {
        Shape out = output(c);
        const WinogradTile* const one = choose_winograd(kernels, geometry(c), out);
        out.n = 17;
        CHECK(choose_winograd(kernels, geometry(c), out) == one);
    }
}

#if defined(__OPTIMIZE__) && defined(NDEBUG)
TEST_SUITE("slow") {
    // Generous, for machines that do other things meanwhile; `profile` prints the model's numbers.
    TEST_CASE("what the cost model chooses is as fast as the best, and its ratios are measured") {
        const KernelTable& kernels = native_kernels();
        std::vector<double> errors;
        for (const Case& c : kCases) {
            detail::ConvTimer timer(kernels, geometry(c), output(c));
            std::vector<const WinogradTile*> candidates{nullptr};
            for (const WinogradTile& tile : kernels.winograd) {
                if (WinogradConv::serves(tile, geometry(c))) candidates.push_back(&tile);
            }
            // In turn, and the least of each: what else the machine does comes and goes.
            std::vector<double> seconds(candidates.size(), std::numeric_limits<double>::max());
            for (int round = 0; round < 3; ++round) {
                for (std::size_t i = 0; i < candidates.size(); ++i) {
                    seconds[i] = std::min(seconds[i], timer.seconds(candidates[i]));
                }
            }
            const WinogradTile* const chosen = choose_winograd(kernels, geometry(c), output(c));
            const double best = *std::min_element(seconds.begin(), seconds.end());
            double of_chosen = seconds[0];
            for (std::size_t i = 1; i < candidates.size(); ++i) {
                if (candidates[i] == chosen) of_chosen = seconds[i];
                const double measured = seconds[i] / seconds[0];
                const double modelled =
                    cost_of(kernels, candidates[i], c) / cost_of(kernels, nullptr, c);
                errors.push_back(std::abs(std::log(modelled / measured)));
            }
            CAPTURE(c.size);
            CAPTURE(c.in);
            CHECK(of_chosen <= 2.0 * best);
        }
        std::sort(errors.begin(), errors.end());
        CHECK(errors[errors.size() / 2] < std::log(1.5));
        CHECK(errors.back() < std::log(4.0));
    }
}
#endif

}  // namespace algorithm_test
