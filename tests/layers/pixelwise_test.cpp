#include "layer_cases.hpp"
#include <oracle/kernel_tables.hpp>

#include <lumbar/layers/pixelwise.hpp>

#include <doctest/doctest.h>

#include <limits>

namespace pixelwise_test {

using namespace layer_cases;
using lumbar::BlockedView;
using lumbar::ChannelCopy;
using lumbar::ChannelCopyCall;
using lumbar::Epilogue;
using lumbar::KernelTable;
using lumbar::Pixelwise;
using lumbar::PixelwiseCall;

namespace {

constexpr Shape kShapes[] = {{1, 1, 1, 1},  {2, 3, 1, 9},  {1, 5, 13, 17}, {3, 8, 2, 2},
                             {1, 13, 7, 7}, {1, 17, 4, 3}, {2, 24, 3, 5},  {1, 33, 2, 6}};

enum class Scale { none, channel, gate };

struct Options {
    Scale scale = Scale::none;
    bool shift = false;
    bool addend = false;
    Activation activation = Activation::none;
    bool in_place = false;  ///< onto the input
    bool onto_addend = false;
};

std::string check_pixelwise(const KernelTable& kernels, const Shape& shape, const Options& o) {
    const lumbar::Tensor x = oracle::random_tensor(shape, 1, -4, 4);
    const lumbar::Tensor b = oracle::random_tensor(shape, 2, -4, 4);
    const lumbar::Tensor gate = oracle::random_tensor({shape.n, shape.c, 1, 1}, 3);
    lumbar::AlignedBuffer scale(static_cast<std::size_t>(lumbar::round_up(shape.c, kernels.lanes)));
    lumbar::AlignedBuffer shift(scale.size());
    const auto scales = oracle::random_floats(static_cast<std::size_t>(shape.c), 4);
    const auto shifts = oracle::random_floats(static_cast<std::size_t>(shape.c), 5);
    std::copy(scales.begin(), scales.end(), scale.data());
    std::copy(shifts.begin(), shifts.end(), shift.data());

    Guarded in(shape, kernels.lanes, {.border = {0, 1, 1, 0}});
    Guarded added(shape, kernels.lanes, {.border = {1, 0, 0, 2}, .extra_columns = 1});
    Guarded gates({shape.n, shape.c, 1, 1}, kernels.lanes);
    Guarded separate(shape, kernels.lanes, {.border = {1, 2, 3, 4}});
    gates.fill(gate);
    Guarded& out = o.in_place ? in : o.onto_addend ? added : separate;
    const BlockedView addend_view = added.view(), gate_view = gates.view();

    PixelwiseCall call;
    call.in = in.view();
    call.out = out.view();
    if (o.addend || o.onto_addend) call.addend = &addend_view;
    if (o.scale == Scale::gate) call.gate = &gate_view;
    if (o.scale == Scale::channel) call.scale = scale.data();
    if (o.shift) call.shift = shift.data();
    call.epilogue = Epilogue::of(o.activation);
    const Pixelwise layer(kernels);
    const std::string wrong = oracle::run_both_ways(
        {&out}, layer.units(call),
        [&] {
            out.poison();
            in.fill(x);
            added.fill(b);
        },
        [&](std::int64_t begin, std::int64_t end) { layer.run(call, begin, end); });
    if (!wrong.empty()) return wrong;

    Array want{x.view()};
    if (o.scale == Scale::gate) want = oracle::scale_channels(want, Array{gate.view()});
    if (o.scale == Scale::channel) {
        want = oracle::map_channels(
            want, [&](double v, std::size_t c) { return v * static_cast<double>(scales[c]); });
    }
    if (o.shift) {
        want = oracle::map_channels(
            want, [&](double v, std::size_t c) { return v + static_cast<double>(shifts[c]); });
    }
    if (call.addend) want = oracle::add(want, Array{b.view()});
    want = oracle::activate(want, o.activation);
    // Values up to 9, times up to 9 / 6 in h-swish; a few roundings.
    return oracle::mismatch(want, out.values(),
                            [](std::size_t) { return 13 * 8 * oracle::kRounding; });
}

}  // namespace

TEST_CASE("pixelwise layers agree with the definition") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Shape& shape : kShapes) {
            CAPTURE(to_string(shape));
            for (const Scale scale : {Scale::none, Scale::channel, Scale::gate})
                for (const bool shift : {false, true})
                    for (const bool addend : {false, true}) {
                        CHECK(check_pixelwise(*kernels, shape,
                                              {.scale = scale, .shift = shift, .addend = addend}) ==
                              "");
                    }
        }
    }
}

TEST_CASE("pixelwise layers apply every activation, also in place") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Activation activation : kActivations) {
            CAPTURE(to_string(activation));
            const Shape shape{2, 19, 5, 7};
            CHECK(check_pixelwise(*kernels, shape, {.activation = activation}) == "");
            CHECK(check_pixelwise(*kernels, shape, {.activation = activation, .in_place = true}) ==
                  "");
            CHECK(check_pixelwise(*kernels, shape,
                                  {.scale = Scale::channel,
                                   .shift = true,
                                   .activation = activation,
                                   .onto_addend = true}) == "");
        }
    }
}

TEST_CASE("activations treat NaN and infinities as PyTorch does") {
    constexpr float kInf = std::numeric_limits<float>::infinity();
    constexpr float kValues[] = {oracle::kNan, kInf, -kInf,  0.0f, -0.0f, 3e38f, -3e38f,
                                 100,          -100, 1e-40f, 6,    -3,    3};
    constexpr int kWidth = static_cast<int>(std::size(kValues));
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const Shape shape{1, 3, 1, kWidth};
        lumbar::Tensor x(shape);
        for (int c = 0; c < 3; ++c)
            for (int i = 0; i < kWidth; ++i) x(0, c, 0, i) = kValues[(i + c) % kWidth];
        for (const Activation activation : kActivations) {
            CAPTURE(to_string(activation));
            Guarded view(shape, kernels->lanes);
            view.fill(x);
            const Pixelwise layer(*kernels);
            const PixelwiseCall call{
                .in = view.view(), .out = view.view(), .epilogue = Epilogue::of(activation)};
            layer.run(call, 0, layer.units(call));
            const Array want = oracle::activate(Array{x.view()}, activation);
            CHECK(oracle::mismatch(want, view.values(), [&](std::size_t i) {
                      return 8 * oracle::kRounding * std::max(1.0, std::abs(want.values[i]));
                  }) == "");
        }
    }
}

TEST_CASE("a channel copy puts slices anywhere, and zeroes what the last one leaves") {
    struct Case {
        std::vector<int> parts;
        int h, w;
    };
    const Case cases[] = {
        {{1}, 1, 1},          {{3, 5}, 2, 9},          {{16, 16, 32}, 3, 3}, {{13, 17, 1, 8}, 4, 5},
        {{24, 33, 24}, 2, 2}, {{1, 1, 1, 1, 1}, 1, 4}, {{40, 3}, 13, 1}};
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Case& c : cases) {
            CAPTURE(c.parts.size());
            CAPTURE(c.parts[0]);
            Shape shape{2, 0, c.h, c.w};
            std::vector<Guarded> ins;
            std::vector<Array> arrays;
            ins.reserve(c.parts.size());
            for (const int channels : c.parts) {
                const lumbar::Tensor x = oracle::random_tensor({2, channels, c.h, c.w},
                                                               static_cast<std::uint64_t>(shape.c));
                ins.emplace_back(x.shape(), kernels->lanes,
                                 Guarded::Options{.border = {0, 1, 0, 1}});
                ins.back().fill(x, oracle::kNan);
                arrays.emplace_back(x.view());
                shape.c += channels;
            }
            Guarded out(shape, kernels->lanes, {.border = {1, 2, 3, 4}});
            const ChannelCopy copy;
            // As a concatenation: each part is a step, units of a step run in pieces.
            const auto call_of = [&](std::size_t i) {
                int first = 0;
                for (std::size_t k = 0; k < i; ++k) first += c.parts[k];
                return ChannelCopyCall{
                    .in = ins[i].view(), .out = out.view(), .first_channel = first};
            };
            CHECK(oracle::run_both_ways({&out}, copy.units(call_of(0)),
                                        [&](std::int64_t begin, std::int64_t end) {
                                            for (std::size_t i = 0; i < ins.size(); ++i)
                                                copy.run(call_of(i), begin, end);
                                        }) == "");
            CHECK(oracle::mismatch(oracle::concat(arrays), out.values()) == "");
        }
    }
}

TEST_CASE("a channel copy may zero all that it does not write, border included") {
    struct Case {
        int channels, before, after;
    };
    constexpr Case kCases[] = {{16, 8, 8}, {3, 0, 0}, {5, 0, 7}, {1, 20, 0}, {13, 17, 40}};
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Case& c : kCases) {
            CAPTURE(c.channels);
            const lumbar::Tensor x = oracle::random_tensor({2, c.channels, 3, 5}, 7);
            Guarded in(x.shape(), kernels->lanes, {.border = {0, 1, 0, 1}});
            in.fill(x, oracle::kNan);
            Guarded out({2, c.before + c.channels + c.after, 3, 5}, kernels->lanes,
                        {.border = {1, 2, 3, 4}});
            const ChannelCopy copy;
            const ChannelCopyCall call{
                .in = in.view(), .out = out.view(), .first_channel = c.before, .zero_others = true};
            CHECK(oracle::run_both_ways({&out}, copy.units(call),
                                        [&](std::int64_t begin, std::int64_t end) {
                                            copy.run(call, begin, end);
                                        }) == "");
            CHECK(oracle::mismatch(oracle::pad_channels(Array(x.view()), c.before, c.after),
                                   out.values()) == "");
        }
    }
}

}  // namespace pixelwise_test
