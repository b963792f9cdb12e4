// Which algorithm computes a convolution: the one that costs the fewest cycles by a model of one
// core. The model knows nothing of threads and batches, so that results do not depend on them.
#pragma once

#include <lumbar/core/geometry.hpp>
#include <lumbar/kernels/table.hpp>
#include <lumbar/layers/tile_cost.hpp>
#include <lumbar/layers/winograd_conv.hpp>

#include <algorithm>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

/// Chooses in place of the cost model; see CompileOptions::chooser, and Tuner.
class AlgorithmChooser {
   public:
    virtual ~AlgorithmChooser() = default;

    /// A tile that WinogradConv::serves the geometry, or null for direct convolution. `out`: of one
    /// image. The same question has to get the same answer.
    virtual const WinogradTile* choose(const KernelTable& kernels, const ConvGeometry& g,
                                       const Shape& out) = 0;
};

/// What a core does in a cycle, roughly, on the CPUs of today: two multiply-adds, and bytes from
/// memory, where all weights of a network come from (they do not fit into the caches). Measured: 3
/// to 5 (Zen 3 and 1, Emerald Rapids), 6.5 (Zen 4), 13 (Zen 5). AVX2 takes F(2x2) at 7x7 from 6 on
/// downwards, as AVX-512 does with 11 already; with 5, AVX-512 would lose F(4x6) at 17x17.
inline constexpr double kWeightBytesPerCycle = 6.0;

/// What rounding a vector of floats to bfloat16 costs, on its way from and to L2.
inline constexpr double kNarrowCycles = 4.0;

/// Products in a sum of bfloat16, at least: in short sums the roundings do not even out. (MobileNet
/// V1 0.25 on photos: logits move by 2.9 % of the largest without a limit, 1.8 % with 128, 0.5 %
/// with 160.)
inline constexpr std::int64_t kLeastBfloat16Sums = 160;

/// Arithmetic and the reading of weights overlap, but not entirely.
inline double overlapped(double arithmetic, double reading) {
    return std::max(arithmetic, reading) + 0.2 * std::min(arithmetic, reading);
}

/// Cycles of a direct convolution (no groups) that yields one image of `out`.
LUMBAR_COLD inline double direct_cost(const KernelTable& kernels, const ConvGeometry& g,
                                      const Shape& out) {
    const int groups = ceil_div(out.c, kernels.lanes);
    double tiles = 0;
    for (int width = 1; width <= kernels.max_groups(); ++width) {
        if (kernels.max_pixels(width) == 0) continue;
        const double cost = tile_rows_cost(kernels, out.w, groups, width);
        if (width == 1 || cost < tiles) tiles = cost;
    }
    const double sums = static_cast<double>(g.filter_size());
    const double arithmetic = 0.5 * out.h * tiles * sums;
    return overlapped(arithmetic, 4.0 * sums * groups * kernels.lanes / kWeightBytesPerCycle);
}

/// Cycles of a Winograd convolution that yields one image of `out`.
LUMBAR_COLD inline double winograd_cost(const KernelTable& kernels, const WinogradTile& tile,
                                        const ConvGeometry& g, const Shape& out) {
    const int in_groups = ceil_div(g.in_channels, kernels.lanes);
    const int out_groups = ceil_div(out.c, kernels.lanes);
    const int tiles = ceil_div(out.h, tile.out_rows) * ceil_div(out.w, tile.out_columns);
    const double points = tile.points();
    // Measured: a point of a tile takes some five cycles on its way in and three on its way out.
    const double transforms = points * tiles * (5.0 * in_groups + 3.0 * out_groups);
    const WinogradConv plan(kernels, tile, g, {1, out.c, out.h, out.w}, 1);
    const double rows = plan.blocks() * tile_rows_cost(kernels, ceil_div(tiles, plan.blocks()),
                                                       out_groups, plan.tile_groups());
    const double products = points * rows * (0.5 * g.in_channels + 6.0);
    const double weights = 4.0 * points * g.in_channels * out_groups * kernels.lanes;
    return transforms + overlapped(products, weights / kWeightBytesPerCycle);
}

/// Cycles of a direct convolution of pairs of bfloat16, the rounding of its input included.
LUMBAR_COLD inline double bfloat16_cost(const KernelTable& kernels, const ConvGeometry& g,
                                        const Shape& in, const Shape& out) {
    ConvGeometry pairs = g;
    pairs.in_channels = ceil_div(g.in_channels, 2);
    const double vectors = static_cast<double>(ceil_div(in.c, kernels.lanes) * in.pixels());
    return direct_cost(kernels, pairs, out) + kNarrowCycles * vectors;
}

/// The Winograd algorithm that is faster, for one image, than direct convolution and all others;
/// null: none is.
LUMBAR_COLD inline const WinogradTile* choose_winograd(const KernelTable& kernels,
                                                       const ConvGeometry& g, Shape out) {
    out.n = 1;
    const WinogradTile* best = nullptr;
    // A tenth faster at least: it takes more memory, and rounds worse.
    double best_cost = 0.9 * direct_cost(kernels, g, out);
    for (const WinogradTile& tile : kernels.winograd) {
        if (!WinogradConv::serves(tile, g)) continue;
        const double cost = winograd_cost(kernels, tile, g, out);
        // More points are more weights from memory. (F(4x6) in place of F(4x4), Zen 1, by what the
        // model says: below 0.92 it takes 0.92 to 1.03 of the time, above 0.95 to 1.10.)
        const double worth = best && tile.points() > best->points() ? 0.92 : 1.0;
        if (cost < worth * best_cost) {
            best = &tile;
            best_cost = cost;
        }
    }
    return best;
}

/// Whether a strided pointwise convolution of floats reads a copy of its pixels
/// (layers/gathered.hpp): where pixels are less than a line, and many blocks of output channels
/// would fetch the others on it. Measured with AVX2 (Zen 1), in ResNets: 0.87 to 0.90 of the time
/// with 1024 and 2048 output channels, within 3 % with 256 and 512, 1.05 with 128.
inline bool gather_pays(const KernelTable& kernels, const ConvGeometry& g) {
    constexpr int kLine = kAlignment / sizeof(float);
    return g.kernel == Extent{1, 1} && g.padding == Padding{} && g.stride != Extent{1, 1} &&
           g.groups == 1 && kernels.lanes > 1 && kernels.lanes < kLine &&
           g.out_channels >= 32 * kernels.lanes;
}

LUMBAR_NAMESPACE_END
