// Microbenchmarks of every layer type at the shapes of the networks that use it, on one thread.
//
//     layers --benchmark_filter='conv3x3/'
//
// Names: layer/HxWxIN->OUT of the input. `%peak` compares the multiply-adds of the layer's
// definition with the peak of this run; `%peak_padded` counts those that fill up vectors too;
// `%read` compares the useful bytes with the bandwidth of reading as many bytes. One layer repeated
// finds its weights in cache: in a network the large ones come from memory.
#include "harness.hpp"

#include <lumbar/layers/across_channels.hpp>
#include <lumbar/layers/depthwise_conv.hpp>
#include <lumbar/layers/direct_conv.hpp>
#include <lumbar/layers/linear.hpp>
#include <lumbar/layers/pixelwise.hpp>
#include <lumbar/layers/pooling.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace {

using namespace lumbar;

// ---------------------------------------------------------------- shapes

struct ConvCase {
    int size = 0;  ///< height and width of the input
    int in = 0;
    int out = 0;
    Extent kernel{1, 1};
    int stride = 1;
    int groups = 1;
    bool padded = true;  ///< as far as keeps the size (at stride 1)

    ConvGeometry geometry() const {
        ConvGeometry g{.in_channels = in, .out_channels = out, .kernel = kernel};
        g.stride = Extent::square(stride);
        if (padded) g.padding = Padding::symmetric(kernel.h / 2, kernel.w / 2);
        g.groups = groups;
        return g;
    }
    std::string name(const std::string& layer) const {
        const auto number = [](const char* before, int value) {
            return std::string(before) + std::to_string(value);
        };
        std::string n = layer + number("", kernel.h) + number("x", kernel.w);
        if (stride > 1) n += number("s", stride);
        if (groups > 1 && groups < in) n += number("g", groups);
        n += number("/", size) + number("x", size) + number("x", in);
        return groups == in ? n : n + number("->", out);
    }
};

constexpr ConvCase kConvolutions[] = {
    // ResNet's and VGG's 3x3
    {.size = 224, .in = 64, .out = 64, .kernel = {3, 3}},
    {.size = 56, .in = 64, .out = 64, .kernel = {3, 3}},
    {.size = 28, .in = 128, .out = 128, .kernel = {3, 3}},
    {.size = 14, .in = 256, .out = 256, .kernel = {3, 3}},
    {.size = 14, .in = 512, .out = 512, .kernel = {3, 3}},
    {.size = 7, .in = 512, .out = 512, .kernel = {3, 3}},
    {.size = 56, .in = 128, .out = 128, .kernel = {3, 3}, .stride = 2},
    {.size = 28, .in = 256, .out = 256, .kernel = {3, 3}, .stride = 2},
    {.size = 14, .in = 512, .out = 512, .kernel = {3, 3}, .stride = 2},
    // square 1x1, ResNet-50's bottlenecks, its projections
    {.size = 56, .in = 64, .out = 64},
    {.size = 28, .in = 128, .out = 128},
    {.size = 14, .in = 256, .out = 256},
    {.size = 7, .in = 512, .out = 512},
    {.size = 56, .in = 64, .out = 256},
    {.size = 56, .in = 256, .out = 64},
    {.size = 28, .in = 128, .out = 512},
    {.size = 28, .in = 512, .out = 128},
    {.size = 14, .in = 256, .out = 1024},
    {.size = 14, .in = 1024, .out = 256},
    {.size = 7, .in = 512, .out = 2048},
    {.size = 7, .in = 2048, .out = 512},
    {.size = 56, .in = 256, .out = 512, .stride = 2},
    {.size = 14, .in = 1024, .out = 2048, .stride = 2},
    // MobileNet V2
    {.size = 112, .in = 32, .out = 16},
    {.size = 56, .in = 24, .out = 144},
    {.size = 56, .in = 144, .out = 24},
    {.size = 28, .in = 192, .out = 32},
    {.size = 14, .in = 576, .out = 96},
    {.size = 7, .in = 320, .out = 1280},
    // Inception
    {.size = 28, .in = 32, .out = 96, .kernel = {5, 5}},
    {.size = 35, .in = 48, .out = 64, .kernel = {5, 5}},
    {.size = 17, .in = 192, .out = 192, .kernel = {7, 7}},
    {.size = 17, .in = 192, .out = 192, .kernel = {1, 7}},
    {.size = 17, .in = 192, .out = 192, .kernel = {7, 1}},
    {.size = 8, .in = 384, .out = 384, .kernel = {1, 3}},
    {.size = 8, .in = 384, .out = 384, .kernel = {3, 1}},
    // ResNeXt-50 32x4d
    {.size = 56, .in = 128, .out = 128, .kernel = {3, 3}, .groups = 32},
    {.size = 28, .in = 256, .out = 256, .kernel = {3, 3}, .groups = 32},
    {.size = 14, .in = 512, .out = 512, .kernel = {3, 3}, .groups = 32},
    {.size = 7, .in = 1024, .out = 1024, .kernel = {3, 3}, .groups = 32},
};

constexpr ConvCase kFirstLayers[] = {
    {.size = 224, .in = 3, .out = 64, .kernel = {7, 7}, .stride = 2},                   // ResNet
    {.size = 224, .in = 3, .out = 32, .kernel = {3, 3}, .stride = 2},                   // MobileNet
    {.size = 299, .in = 3, .out = 32, .kernel = {3, 3}, .stride = 2, .padded = false},  // Inception
    {.size = 224, .in = 3, .out = 64, .kernel = {3, 3}},                                // VGG
};

constexpr ConvCase kDepthwise[] = {
    {.size = 112, .in = 32, .kernel = {3, 3}},
    {.size = 112, .in = 96, .kernel = {3, 3}, .stride = 2},
    {.size = 56, .in = 144, .kernel = {3, 3}},
    {.size = 56, .in = 144, .kernel = {3, 3}, .stride = 2},
    {.size = 28, .in = 192, .kernel = {3, 3}},
    {.size = 28, .in = 192, .kernel = {3, 3}, .stride = 2},
    {.size = 14, .in = 576, .kernel = {3, 3}},
    {.size = 14, .in = 576, .kernel = {3, 3}, .stride = 2},
    {.size = 7, .in = 960, .kernel = {3, 3}},
    {.size = 56, .in = 72, .kernel = {5, 5}, .stride = 2},
    {.size = 28, .in = 120, .kernel = {5, 5}},
    {.size = 14, .in = 672, .kernel = {5, 5}},
    {.size = 14, .in = 672, .kernel = {5, 5}, .stride = 2},
    {.size = 7, .in = 960, .kernel = {5, 5}},
};

// ---------------------------------------------------------------- convolutions

double bytes_of(const Shape& s) { return 4.0 * static_cast<double>(s.size()); }

bench::Work work_of(const ConvGeometry& g, const Shape& in) {
    const Shape out = output_shape(g, in);
    bench::Work work;
    work.flops = 2.0 * static_cast<double>(out.size() * g.filter_size());
    work.bytes = bytes_of(in) + bytes_of(out) +
                 4.0 * static_cast<double>(g.out_channels * (g.filter_size() + 1));
    return work;
}

void conv(benchmark::State& state, bench::Isa& isa, const ConvCase& c, bool first_layer) {
    const KernelTable& kernels = isa.kernels();
    const ConvGeometry g = c.geometry();
    const Shape in{1, g.in_channels, c.size, c.size}, out = output_shape(g, in);
    const bool dense = g.pointwise();
    const DirectConv layer(kernels, g,
                           {.plain_input = first_layer,
                            .row_pixels = dense ? static_cast<int>(out.pixels()) : out.w,
                            .destinations = {}});
    const AlignedBuffer packed = bench::filled(layer.packed_size(), 0.1f);
    AlignedBuffer scratch(layer.scratch_size(out));
    // The output has the border that a layer like this one would read.
    BlockedTensor blocked(first_layer ? Shape{} : in, kernels.lanes, border_read(g, in));
    BlockedTensor result(out, kernels.lanes, first_layer ? Padding{} : g.padding);
    const AlignedBuffer image = bench::filled(static_cast<std::size_t>(in.size()));
    const BlockedView to = result;
    ConvCall call;
    call.plain = {image.data(), in};
    call.in = blocked;
    call.out = {&to, 1};
    call.epilogue = Epilogue::of(Activation::relu);
    if (!first_layer) to_blocked(call.plain, call.in);

    bench::Work work = work_of(g, in);
    const double biases = round_up(g.out_channels, kernels.lanes);
    work.padded_flops = 2.0 * static_cast<double>(out.pixels()) *
                        (static_cast<double>(layer.packed_size()) - biases);
    bench::run(state, isa, work,
               [&] { layer.run(call, packed.data(), 0, layer.units(call), scratch.data()); });
}

void depthwise(benchmark::State& state, bench::Isa& isa, const ConvCase& c) {
    const KernelTable& kernels = isa.kernels();
    ConvGeometry g = c.geometry();
    g.out_channels = g.groups = g.in_channels;
    const Shape in{1, g.in_channels, c.size, c.size}, out = output_shape(g, in);
    const DepthwiseConv layer(kernels, g);
    const AlignedBuffer packed = bench::filled(layer.packed_size(), 0.1f);
    BlockedTensor blocked(in, kernels.lanes, border_read(g, in)), result(out, kernels.lanes);
    DepthwiseCall call{blocked, result, Epilogue::of(Activation::relu6)};
    const AlignedBuffer image = bench::filled(static_cast<std::size_t>(in.size()));
    to_blocked({image.data(), in}, call.in);

    bench::Work work = work_of(g, in);
    work.padded_flops = work.flops * round_up(in.c, kernels.lanes) / in.c;
    work.memory_bound = true;
    bench::run(state, isa, work, [&] { layer.run(call, packed.data(), 0, layer.units(call)); });
}

void register_convolutions(bench::Isa& isa, const std::string& suffix) {
    bench::Isa* const which = &isa;
    for (const ConvCase& c : kConvolutions) {
        bench::add(c.name("conv") + suffix,
                   [which, c](benchmark::State& s) { conv(s, *which, c, false); });
    }
    for (const ConvCase& c : kFirstLayers) {
        bench::add(c.name("first") + suffix,
                   [which, c](benchmark::State& s) { conv(s, *which, c, true); });
    }
    for (ConvCase c : kDepthwise) {
        c.out = c.groups = c.in;
        bench::add(c.name("depthwise") + suffix,
                   [which, c](benchmark::State& s) { depthwise(s, *which, c); });
    }
}

// ---------------------------------------------------------------- everything else

std::string dims(const Shape& s) {
    return std::to_string(s.h) + "x" + std::to_string(s.w) + "x" + std::to_string(s.c);
}

/// An activation with values in it.
BlockedTensor activation(const Shape& shape, const KernelTable& kernels) {
    BlockedTensor tensor(shape, kernels.lanes);
    const AlignedBuffer values = bench::filled(static_cast<std::size_t>(shape.size()));
    to_blocked({values.data(), shape}, tensor);
    return tensor;
}

struct PoolCase {
    const char* name = "";
    Shape in;
    PoolGeometry geometry;
};

std::vector<PoolCase> pool_cases() {
    const auto pool = [](PoolGeometry::Kind kind, int kernel, int stride, bool padded) {
        PoolGeometry g;
        g.kind = kind;
        g.kernel = Extent::square(kernel);
        g.stride = Extent::square(stride);
        if (padded) g.padding = Padding::all(kernel / 2);
        return g;
    };
    PoolGeometry global;
    global.kind = PoolGeometry::Kind::average;
    global.adaptive = {1, 1};
    constexpr auto max = PoolGeometry::Kind::max, average = PoolGeometry::Kind::average;
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

void pooling(benchmark::State& state, bench::Isa& isa, const PoolCase& c) {
    const Shape out = output_shape(c.geometry, c.in);
    BlockedTensor from = activation(c.in, isa.kernels()), to(out, isa.kernels().lanes);
    const Pooling layer(isa.kernels(), c.geometry, c.in);
    const PoolCall call{from, to};
    const bench::Work work{.bytes = bytes_of(c.in) + bytes_of(out), .memory_bound = true};
    bench::run(state, isa, work, [&] { layer.run(call, 0, layer.units(call)); });
}

struct LinearCase {
    Shape in;
    int outputs = 0;
};
constexpr LinearCase kLinear[] = {
    {{.c = 512, .h = 7, .w = 7}, 4096},
    {{.c = 4096}, 4096},
    {{.c = 2048}, 1000},
    {{.c = 1280}, 1000},
};

void linear(benchmark::State& state, bench::Isa& isa, const LinearCase& c) {
    const KernelTable& kernels = isa.kernels();
    const LinearLayer layer(kernels, c.in, c.outputs);
    const AlignedBuffer packed = bench::filled(layer.packed_size(), 0.01f);
    BlockedTensor from = activation(c.in, kernels), to({.c = c.outputs}, kernels.lanes);
    const LinearCall call{from, to, {}};
    const double weights = static_cast<double>(c.in.size()) * c.outputs;
    bench::Work work;
    work.flops = 2 * weights;
    work.bytes = 4 * (weights + static_cast<double>(c.in.size()) + 2.0 * c.outputs);
    work.memory_bound = true;
    bench::run(state, isa, work, [&] { layer.run(call, packed.data(), 0, layer.units(call)); });
}

struct PixelwiseCase {
    const char* name = "";
    Shape shape;
    bool affine = false;
    bool addend = false;
    bool gate = false;
    Activation activation = Activation::none;
};
constexpr PixelwiseCase kPixelwise[] = {
    {.name = "batch_norm", .shape = {.c = 64, .h = 112, .w = 112}, .affine = true},
    {.name = "batch_norm", .shape = {.c = 256, .h = 56, .w = 56}, .affine = true},
    {.name = "hard_swish",
     .shape = {.c = 240, .h = 28, .w = 28},
     .activation = Activation::hard_swish},
    {.name = "hard_swish",
     .shape = {.c = 672, .h = 14, .w = 14},
     .activation = Activation::hard_swish},
    {.name = "add_relu",
     .shape = {.c = 256, .h = 56, .w = 56},
     .addend = true,
     .activation = Activation::relu},
    {.name = "add", .shape = {.c = 24, .h = 56, .w = 56}, .addend = true},
    {.name = "excite", .shape = {.c = 120, .h = 28, .w = 28}, .gate = true},
    {.name = "excite", .shape = {.c = 672, .h = 14, .w = 14}, .gate = true},
};

void pixelwise(benchmark::State& state, bench::Isa& isa, const PixelwiseCase& c) {
    const KernelTable& kernels = isa.kernels();
    BlockedTensor from = activation(c.shape, kernels), other = activation(c.shape, kernels);
    BlockedTensor gates = activation({.c = c.shape.c}, kernels);
    BlockedTensor to(c.shape, kernels.lanes);
    const AlignedBuffer scale =
        bench::filled(static_cast<std::size_t>(round_up(c.shape.c, kernels.lanes)));
    const BlockedView addend = other, gate = gates;
    PixelwiseCall call;
    call.in = from;
    call.out = to;
    if (c.affine) call.scale = call.shift = scale.data();
    if (c.addend) call.addend = &addend;
    if (c.gate) call.gate = &gate;
    call.epilogue = Epilogue::of(c.activation);
    const Pixelwise layer(kernels);
    const bench::Work work{.bytes = (c.addend ? 3 : 2) * bytes_of(c.shape), .memory_bound = true};
    bench::run(state, isa, work, [&] { layer.run(call, 0, layer.units(call)); });
}

struct ConcatCase {
    Shape in;
    int total = 0;
    int first = 0;
};
constexpr ConcatCase kConcats[] = {
    {{.c = 128, .h = 28, .w = 28}, 256, 64},  // whole vectors
    {{.c = 24, .h = 28, .w = 28}, 256, 88},   // a slice that begins and ends within a vector
};

void concat(benchmark::State& state, bench::Isa& isa, const ConcatCase& c) {
    Shape whole = c.in;
    whole.c = c.total;
    BlockedTensor from = activation(c.in, isa.kernels()), to(whole, isa.kernels().lanes);
    const ChannelCopyCall call{from, to, c.first};
    const ChannelCopy layer;
    const bench::Work work{.bytes = 2 * bytes_of(c.in), .memory_bound = true};
    bench::run(state, isa, work, [&] { layer.run(call, 0, layer.units(call)); });
}

void across_channels(benchmark::State& state, bench::Isa& isa, const Shape& shape,
                     const AcrossChannels& layer) {
    BlockedTensor from = activation(shape, isa.kernels()), to(shape, isa.kernels().lanes);
    const ChannelsCall call{from, to};
    const bench::Work work{.bytes = 2 * bytes_of(shape), .memory_bound = true};
    bench::run(state, isa, work, [&] { layer.run(call, 0, layer.units(call)); });
}

void register_the_rest(bench::Isa& isa) {
    using benchmark::State;
    bench::Isa* const which = &isa;
    for (const PoolCase& c : pool_cases()) {
        bench::add(std::string(c.name) + "/" + dims(c.in),
                   [which, c](State& s) { pooling(s, *which, c); });
    }
    for (const LinearCase& c : kLinear) {
        bench::add(
            std::string("linear/") + std::to_string(c.in.size()) + "->" + std::to_string(c.outputs),
            [which, c](State& s) { linear(s, *which, c); });
    }
    for (const PixelwiseCase& c : kPixelwise) {
        bench::add(std::string(c.name) + "/" + dims(c.shape),
                   [which, c](State& s) { pixelwise(s, *which, c); });
    }
    for (const ConcatCase& c : kConcats) {
        bench::add(std::string("concat/") + dims(c.in) + "@" + std::to_string(c.first),
                   [which, c](State& s) { concat(s, *which, c); });
    }
    const AcrossChannels softmax = AcrossChannels::softmax(isa.kernels());
    const AcrossChannels lrn = AcrossChannels::local_response_norm(isa.kernels(), {});
    bench::add("softmax/1000",
               [which, softmax](State& s) { across_channels(s, *which, {.c = 1000}, softmax); });
    for (const int channels : {64, 192}) {
        const Shape shape{.c = channels, .h = 56, .w = 56};
        bench::add(std::string("local_response_norm/") + dims(shape),
                   [which, lrn, shape](State& s) { across_channels(s, *which, shape, lrn); });
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (!bench::initialize(argc, argv)) return 1;
    bench::Isa& native = bench::Isa::of<simd::Native>();
    bench::add_context(native);
    bench::add_bandwidth_context();
    register_convolutions(native, "");
    register_the_rest(native);
#if defined(__AVX512F__)
    bench::Isa& avx2 = bench::Isa::of<xsimd::fma3<xsimd::avx2>>();
    bench::add_context(avx2);
    register_convolutions(avx2, "/avx2");
#endif
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
