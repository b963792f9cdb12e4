// Benchmarks of the layers that are no convolutions, at shapes of the networks; most move bytes.
#pragma once

#include "conv_cases.hpp"

#include <lumbar/layers/across_channels.hpp>
#include <lumbar/layers/linear.hpp>
#include <lumbar/layers/pixelwise.hpp>
#include <lumbar/layers/pooling.hpp>

#include <string>
#include <vector>

namespace bench {

/// An activation with values in it.
inline lumbar::BlockedTensor activation(const lumbar::Shape& shape,
                                        const lumbar::KernelTable& kernels) {
    lumbar::BlockedTensor tensor(shape, kernels.lanes);
    const lumbar::AlignedBuffer values = filled(static_cast<std::size_t>(shape.size()));
    to_blocked({values.data(), shape}, tensor);
    return tensor;
}

struct PoolCase {
    const char* name = "";
    lumbar::Shape in;
    lumbar::PoolGeometry geometry;
};

inline std::vector<PoolCase> pool_cases() {
    const auto pool = [](lumbar::PoolGeometry::Kind kind, int kernel, int stride, bool padded) {
        lumbar::PoolGeometry g;
        g.kind = kind;
        g.kernel = lumbar::Extent::square(kernel);
        g.stride = lumbar::Extent::square(stride);
        if (padded) g.padding = lumbar::Padding::all(kernel / 2);
        return g;
    };
    lumbar::PoolGeometry global;
    global.kind = lumbar::PoolGeometry::Kind::average;
    global.adaptive = {1, 1};
    constexpr auto max = lumbar::PoolGeometry::Kind::max,
                   average = lumbar::PoolGeometry::Kind::average;
    return {
        {"max_pool2x2s2", {1, 64, 224, 224}, pool(max, 2, 2, false)},
        {"max_pool3x3s2", {1, 64, 112, 112}, pool(max, 3, 2, true)},
        {"max_pool3x3", {1, 192, 28, 28}, pool(max, 3, 1, true)},
        {"average_pool3x3", {1, 192, 35, 35}, pool(average, 3, 1, true)},
        {"global_pool", {1, 2048, 7, 7}, global},
        {"global_pool", {1, 1280, 7, 7}, global},
        {"global_pool", {1, 120, 28, 28}, global},
    };
}

inline void pooling(benchmark::State& state, Isa& isa, const PoolCase& c) {
    const lumbar::Shape out = output_shape(c.geometry, c.in);
    lumbar::BlockedTensor from = activation(c.in, isa.kernels()), to(out, isa.kernels().lanes);
    const lumbar::Pooling layer(isa.kernels(), c.geometry, c.in);
    const lumbar::PoolCall call{from, to};
    const Work work{.bytes = bytes_of(c.in) + bytes_of(out), .memory_bound = true};
    run(state, isa, work, [&] { layer.run(call, 0, layer.units(call)); });
}

inline void linear(benchmark::State& state, Isa& isa, const LinearCase& c) {
    const lumbar::KernelTable& kernels = isa.kernels();
    const lumbar::LinearLayer layer(kernels, c.in, c.outputs);
    const lumbar::AlignedBuffer packed = filled(layer.packed_size(), 0.01f);
    lumbar::BlockedTensor from = activation(c.in, kernels), to({.c = c.outputs}, kernels.lanes);
    const lumbar::LinearCall call{from, to, {}};
    const double weights = static_cast<double>(c.in.size()) * c.outputs;
    Work work;
    work.flops = 2 * weights;
    work.bytes = 4 * (weights + static_cast<double>(c.in.size()) + 2.0 * c.outputs);
    work.memory_bound = true;
    run(state, isa, work, [&] { layer.run(call, packed.data(), 0, layer.units(call)); });
}

struct PixelwiseCase {
    const char* name = "";
    lumbar::Shape shape;
    bool affine = false;
    bool addend = false;
    bool gate = false;
    lumbar::Activation activation = lumbar::Activation::none;
};
inline constexpr PixelwiseCase kPixelwise[] = {
    {.name = "batch_norm", .shape = {.c = 64, .h = 112, .w = 112}, .affine = true},
    {.name = "batch_norm", .shape = {.c = 256, .h = 56, .w = 56}, .affine = true},
    {.name = "hard_swish",
     .shape = {.c = 240, .h = 28, .w = 28},
     .activation = lumbar::Activation::hard_swish},
    {.name = "hard_swish",
     .shape = {.c = 672, .h = 14, .w = 14},
     .activation = lumbar::Activation::hard_swish},
    {.name = "add_relu",
     .shape = {.c = 256, .h = 56, .w = 56},
     .addend = true,
     .activation = lumbar::Activation::relu},
    {.name = "add", .shape = {.c = 24, .h = 56, .w = 56}, .addend = true},
    {.name = "excite", .shape = {.c = 120, .h = 28, .w = 28}, .gate = true},
    {.name = "excite", .shape = {.c = 672, .h = 14, .w = 14}, .gate = true},
};

inline void pixelwise(benchmark::State& state, Isa& isa, const PixelwiseCase& c) {
    const lumbar::KernelTable& kernels = isa.kernels();
    lumbar::BlockedTensor from = activation(c.shape, kernels), other = activation(c.shape, kernels);
    lumbar::BlockedTensor gates = activation({.c = c.shape.c}, kernels);
    lumbar::BlockedTensor to(c.shape, kernels.lanes);
    const lumbar::AlignedBuffer scale =
        filled(static_cast<std::size_t>(lumbar::round_up(c.shape.c, kernels.lanes)));
    const lumbar::BlockedView addend = other, gate = gates;
    lumbar::PixelwiseCall call;
    call.in = from;
    call.out = to;
    if (c.affine) call.scale = call.shift = scale.data();
    if (c.addend) call.addend = &addend;
    if (c.gate) call.gate = &gate;
    call.epilogue = lumbar::Epilogue::of(c.activation);
    const lumbar::Pixelwise layer(kernels);
    const Work work{.bytes = (c.addend ? 3 : 2) * bytes_of(c.shape), .memory_bound = true};
    run(state, isa, work, [&] { layer.run(call, 0, layer.units(call)); });
}

struct ConcatCase {
    lumbar::Shape in;
    int total = 0;
    int first = 0;
};
inline constexpr ConcatCase kConcats[] = {
    {{.c = 128, .h = 28, .w = 28}, 256, 64},  // whole vectors
    {{.c = 24, .h = 28, .w = 28}, 256, 88},   // a slice that begins and ends within a vector
};

inline void concat(benchmark::State& state, Isa& isa, const ConcatCase& c) {
    lumbar::Shape whole = c.in;
    whole.c = c.total;
    lumbar::BlockedTensor from = activation(c.in, isa.kernels()), to(whole, isa.kernels().lanes);
    const lumbar::ChannelCopyCall call{from, to, c.first};
    const lumbar::ChannelCopy layer;
    const Work work{.bytes = 2 * bytes_of(c.in), .memory_bound = true};
    run(state, isa, work, [&] { layer.run(call, 0, layer.units(call)); });
}

inline void across_channels(benchmark::State& state, Isa& isa, const lumbar::Shape& shape,
                            const lumbar::AcrossChannels& layer) {
    lumbar::BlockedTensor from = activation(shape, isa.kernels()), to(shape, isa.kernels().lanes);
    const lumbar::ChannelsCall call{from, to};
    const Work work{.bytes = 2 * bytes_of(shape), .memory_bound = true};
    run(state, isa, work, [&] { layer.run(call, 0, layer.units(call)); });
}

inline void add_linear(Isa& isa, const LinearCase& c) {
    add(c.name(), "linear", [which = &isa, c](benchmark::State& s) {
        linear(s, *which, c);
        s.SetLabel(c.origin.label());
    });
}

/// The layers that only move bytes.
inline void add_movers(Isa& isa) {
    using benchmark::State;
    Isa* const which = &isa;
    for (const PoolCase& c : pool_cases()) {
        add(std::string(c.name) + "/" + dims(c.in), "pooling",
            [which, c](State& s) { pooling(s, *which, c); });
    }
    for (const PixelwiseCase& c : kPixelwise) {
        add(std::string(c.name) + "/" + dims(c.shape), "pixelwise",
            [which, c](State& s) { pixelwise(s, *which, c); });
    }
    for (const ConcatCase& c : kConcats) {
        add("concat/" + dims(c.in) + "@" + std::to_string(c.first), "concatenation",
            [which, c](State& s) { concat(s, *which, c); });
    }
    const auto softmax = lumbar::AcrossChannels::softmax(isa.kernels());
    const auto lrn = lumbar::AcrossChannels::local_response_norm(isa.kernels(), {});
    add("softmax/1000", "across channels",
        [which, softmax](State& s) { across_channels(s, *which, {.c = 1000}, softmax); });
    for (const int channels : {64, 192}) {
        const lumbar::Shape shape{.c = channels, .h = 56, .w = 56};
        add("local_response_norm/" + dims(shape), "across channels",
            [which, lrn, shape](State& s) { across_channels(s, *which, shape, lrn); });
    }
}

}  // namespace bench
