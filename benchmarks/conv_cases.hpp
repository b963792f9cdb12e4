// Benchmarks of convolutions, by algorithm: direct, each Winograd tile that serves, depthwise.
#pragma once

#include "layer_results.hpp"
#include "network_layers.hpp"

#include <lumbar/layers/depthwise_conv.hpp>
#include <lumbar/layers/direct_conv.hpp>
#include <lumbar/layers/gathered.hpp>
#include <lumbar/layers/winograd_conv.hpp>
#include <lumbar/runtime/algorithm.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace bench {

inline double bytes_of(const lumbar::Shape& s) { return 4.0 * static_cast<double>(s.size()); }

inline Work work_of(const ConvLayer& layer) {
    const lumbar::ConvGeometry& g = layer.geometry;
    Work work;
    work.flops = layer.flops();
    work.bytes = bytes_of(layer.in) + bytes_of(layer.out()) +
                 4.0 * static_cast<double>(g.out_channels * (g.filter_size() + 1));
    // Below some 8 operations a byte it is memory that a core waits for, where data come from
    // there.
    work.memory_bound = work.flops < 8 * work.bytes;
    return work;
}

/// The values and weights that a convolution works on. The output has the border that a layer like
/// this one would read.
class ConvData {
   public:
    ConvData(const ConvLayer& layer, const lumbar::KernelTable& kernels, std::size_t packed,
             std::size_t scratch)
        : image_(filled(static_cast<std::size_t>(layer.in.size()))),
          in_(layer.first ? lumbar::Shape{} : layer.in, kernels.lanes,
              border_read(layer.geometry, layer.in)),
          out_(layer.out(), kernels.lanes,
               layer.first || layer.depthwise() ? lumbar::Padding{} : layer.geometry.padding),
          packed_(filled(packed, 0.1f)),
          scratch_(scratch),
          to_(out_) {
        call_.plain = {image_.data(), layer.in};
        call_.in = in_;
        call_.out = {&to_, 1};
        call_.epilogue = lumbar::Epilogue::of(lumbar::Activation::relu);
        if (!layer.first) to_blocked(call_.plain, call_.in);
    }
    ConvData(const ConvData&) = delete;
    ConvData& operator=(const ConvData&) = delete;

    /// DirectConv or WinogradConv, on one thread.
    template <class Conv>
    void run(const Conv& conv) const {
        conv.run(call_, packed_.data(), 0, conv.units(call_), scratch_.data());
    }
    /// What a strided pointwise convolution reads, side by side; `conv` is the one without a
    /// stride.
    void run_gathered(const lumbar::DirectConv& conv, const lumbar::Extent& stride) const {
        const lumbar::Extent size{to_.shape.h, to_.shape.w};
        lumbar::ConvCall call = call_;
        call.in = gathered_layout(call_.in, size).view(scratch_.data());
        gather_planes(call_.in, stride, call.in, 0, call_.in.shape.n * call_.in.groups());
        conv.run(call, packed_.data(), 0, conv.units(call), nullptr);
    }
    void run(const lumbar::DepthwiseConv& conv) const {
        const lumbar::DepthwiseCall call{call_.in, to_, call_.epilogue};
        conv.run(call, packed_.data(), 0, conv.units(call));
    }

   private:
    lumbar::AlignedBuffer image_;
    lumbar::BlockedTensor in_;
    lumbar::BlockedTensor out_;
    lumbar::AlignedBuffer packed_;
    mutable lumbar::AlignedBuffer scratch_;
    lumbar::BlockedView to_;
    lumbar::ConvCall call_;
};

inline void direct_conv(benchmark::State& state, Isa& isa, const ConvLayer& layer) {
    const lumbar::KernelTable& kernels = isa.kernels();
    lumbar::ConvGeometry g = layer.geometry;
    const lumbar::Shape out = layer.out();
    const bool gathered = !layer.first && gather_pays(kernels, g);
    if (gathered) g.stride = {};
    const int row_pixels = g.pointwise() ? static_cast<int>(out.pixels()) : out.w;
    const lumbar::DirectConv conv(
        kernels, g, {.plain_input = layer.first, .row_pixels = row_pixels, .destinations = {}});
    const lumbar::BlockedLayout copy{{1, g.in_channels, out.h, out.w}, kernels.lanes, {}};
    const ConvData data(layer, kernels, conv.packed_size(),
                        gathered ? static_cast<std::size_t>(copy.size()) : conv.scratch_size(out));
    Work work = work_of(layer);
    const double biases = lumbar::round_up(g.out_channels, kernels.lanes);
    work.padded_flops = 2.0 * static_cast<double>(out.pixels()) *
                        (static_cast<double>(conv.packed_size()) - biases);
    run(state, isa, work, [&] {
        if (gathered)
            data.run_gathered(conv, layer.geometry.stride);
        else
            data.run(conv);
    });
}

inline void winograd_conv(benchmark::State& state, Isa& isa, const ConvLayer& layer,
                          const lumbar::WinogradTile& tile) {
    const lumbar::KernelTable& kernels = isa.kernels();
    const lumbar::WinogradConv conv(kernels, tile, layer.geometry, layer.out(), 1);
    const ConvData data(layer, kernels, conv.packed_size(), conv.scratch_size());
    run(state, isa, work_of(layer), [&] { data.run(conv); });
}

inline void depthwise_conv(benchmark::State& state, Isa& isa, const ConvLayer& layer) {
    const lumbar::KernelTable& kernels = isa.kernels();
    const lumbar::DepthwiseConv conv(kernels, layer.geometry);
    const ConvData data(layer, kernels, conv.packed_size(), 0);
    Work work = work_of(layer);
    work.padded_flops = work.flops * lumbar::round_up(layer.in.c, kernels.lanes) / layer.in.c;
    work.memory_bound = true;
    run(state, isa, work, [&] { data.run(conv); });
}

/// The rows of the summary.
inline std::string direct_class(const ConvLayer& layer) {
    if (layer.first) return "first layer";
    if (layer.geometry.groups > 1) return "grouped";
    if (layer.out().pixels() == 1) return "dense, direct, one pixel";
    if (layer.origin.networks == 0) return "dense, direct, in no network";
    return layer.flops() >= 20e6 ? "dense, direct, 20 MFLOP and more" : "dense, direct, smaller";
}

/// All algorithms of one layer. `suffix` goes to the end of names and classes.
inline void add_convolution(Isa& isa, const ConvLayer& layer, const std::string& suffix) {
    using benchmark::State;
    Isa* const which = &isa;
    const auto register_as = [&](const std::string& algorithm, const std::string& layer_class,
                                 auto&& measure) {
        add(layer.name() + "/" + algorithm + suffix, layer_class + suffix,
            [layer, measure](State& state) {
                measure(state);
                state.SetLabel(layer.origin.label());
            });
    };
    if (layer.depthwise()) {
        register_as("depthwise", "depthwise",
                    [which, layer](State& s) { depthwise_conv(s, *which, layer); });
        return;
    }
    register_as("direct", direct_class(layer),
                [which, layer](State& s) { direct_conv(s, *which, layer); });
    if (layer.first) return;
    for (const lumbar::WinogradTile& tile : isa.kernels().winograd) {
        if (!lumbar::WinogradConv::serves(tile, layer.geometry)) continue;
        using lumbar::detail::cat;
        const std::string algorithm = cat({"winograd", tile.out_rows, "x", tile.out_columns});
        const std::string kernel = cat({" for ", tile.taps_h, "x", tile.taps_w});
        register_as(algorithm, algorithm + kernel,
                    [which, layer, &tile](State& s) { winograd_conv(s, *which, layer, tile); });
    }
}

}  // namespace bench
