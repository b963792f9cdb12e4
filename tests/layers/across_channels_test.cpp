#include "layer_cases.hpp"
#include <oracle/kernel_tables.hpp>

#include <lumbar/layers/across_channels.hpp>

#include <doctest/doctest.h>

namespace across_channels_test {

using namespace layer_cases;
using lumbar::AcrossChannels;
using lumbar::ChannelsCall;
using lumbar::KernelTable;
using lumbar::LrnParameters;

namespace {

constexpr Shape kShapes[] = {{1, 1, 1, 1},  {2, 3, 1, 9},  {1, 5, 3, 7},   {3, 8, 2, 2},
                             {1, 13, 2, 3}, {1, 17, 4, 3}, {2, 24, 3, 5},  {1, 33, 2, 6},
                             {2, 10, 1, 1}, {1, 64, 2, 2}, {1, 1000, 1, 1}};

std::string check(const KernelTable& kernels, const AcrossChannels& layer, const lumbar::Tensor& x,
                  const Array& want, bool in_place, double relative) {
    Guarded in(x.shape(), kernels.lanes, {.border = {1, 0, 0, 1}});
    Guarded separate(x.shape(), kernels.lanes, {.border = {1, 2, 3, 4}, .extra_columns = 1});
    Guarded& out = in_place ? in : separate;
    const ChannelsCall call{.in = in.view(), .out = out.view()};
    const std::string wrong = oracle::run_both_ways(
        {&out}, layer.units(call),
        [&] {
            separate.poison();
            in.fill(x, in_place ? 0.0f : 3.0f);
        },
        [&](std::int64_t begin, std::int64_t end) { layer.run(call, begin, end); });
    if (!wrong.empty()) return wrong;
    return oracle::mismatch(want, out.values(), [&](std::size_t i) {
        return relative * std::abs(want.values[i]) + 1e-37;
    });
}

}  // namespace

TEST_CASE("softmax agrees with the definition, also in place, and adds up to 1") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const AcrossChannels layer = AcrossChannels::softmax(*kernels);
        for (const Shape& shape : kShapes) {
            CAPTURE(to_string(shape));
            for (const float range : {1.0f, 20.0f}) {
                const lumbar::Tensor x = oracle::random_tensor(shape, 1, -range, range);
                const Array want = oracle::softmax(Array{x.view()});
                // The rounding of x - max is stretched by exp.
                const double relative = (2 * static_cast<double>(range) + 40) * oracle::kRounding;
                CHECK(check(*kernels, layer, x, want, false, relative) == "");
                CHECK(check(*kernels, layer, x, want, true, relative) == "");
            }
        }
    }
}

TEST_CASE("softmax takes logits whose exponentials would overflow") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        lumbar::Tensor x({1, 5, 1, 1});
        const float logits[] = {1000, 999, -1000, 1000, 0};
        std::copy(std::begin(logits), std::end(logits), x.data());
        CHECK(check(*kernels, AcrossChannels::softmax(*kernels), x,
                    oracle::softmax(Array{x.view()}), false, 1e-6) == "");
    }
}

TEST_CASE("softmax of a pixel with NaN is NaN, in all channels") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const int at : {0, 4, 12}) {
            lumbar::Tensor x = oracle::random_tensor({1, 13, 1, 2}, 1);
            Array want = oracle::softmax(Array{x.view()});
            x(0, at, 0, 1) = oracle::kNan;
            for (int c = 0; c < 13; ++c) want(0, c, 0, 1) = static_cast<double>(oracle::kNan);
            CHECK(check(*kernels, AcrossChannels::softmax(*kernels), x, want, false, 1e-5) == "");
        }
    }
}

TEST_CASE("local response normalisation agrees with the definition") {
    // GoogLeNet's and AlexNet's, an even window, one wider than the channels, none at all.
    constexpr LrnParameters kParameters[] = {{5, 1e-4f, 0.75f, 1.0f},
                                             {5, 0.5f, 0.75f, 2.0f},
                                             {4, 0.3f, 0.5f, 1.0f},
                                             {64, 0.9f, 1.0f, 0.5f},
                                             {1, 0.2f, 2.0f, 1.0f}};
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const LrnParameters& p : kParameters) {
            CAPTURE(p.size);
            for (const Shape& shape : kShapes) {
                CAPTURE(to_string(shape));
                const lumbar::Tensor x = oracle::random_tensor(shape, 1, -3, 3);
                const Array want = oracle::local_response_norm(
                    Array{x.view()}, p.size, static_cast<double>(p.alpha),
                    static_cast<double>(p.beta), static_cast<double>(p.k));
                CHECK(check(*kernels, AcrossChannels::local_response_norm(*kernels, p), x, want,
                            false, 40 * oracle::kRounding) == "");
            }
        }
    }
}

}  // namespace across_channels_test
