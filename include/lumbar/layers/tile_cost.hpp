// What tiles of dense convolution cost, as far as choices between them depend on it.
#pragma once

#include <lumbar/core/geometry.hpp>
#include <lumbar/kernels/table.hpp>

#include <algorithm>

LUMBAR_NAMESPACE_BEGIN

/// Half-cycles that the tiles of a row of `pixels` take per input channel and tap, `groups` groups
/// of output channels at a time: multiply-adds, with the latency that shows below 12 accumulators
/// (measured: 8 give 85 %, 10 give 94 % of the peak), and loads, which cost something even where
/// they are not the bound (4x3 beats 6x2 by 2 to 8 % on a Zen 1, by nothing on a Zen 3): weights,
/// which come from L2, by their size. `longest`: the pixels of the widest tile.
LUMBAR_COLD inline double tile_row_cost(const KernelTable& kernels, int pixels, int groups,
                                        int longest) {
    const EvenSplit split = EvenSplit::at_most(pixels, longest);
    const double weight = kernels.lanes / 16.0;
    double cost = 0;
    for (int i = 0; i < split.runs; ++i) {
        const double wide = split.start(i + 1) - split.start(i);
        const double accumulators = wide * groups, loads = wide + groups;
        cost += std::max(accumulators, loads) + 0.3 * std::max(0.0, 12.0 - accumulators) +
                0.5 * wide + weight * groups;
    }
    return cost;
}

/// The same for `total` groups, in even blocks of at most `groups`, whose tiles are as wide.
LUMBAR_COLD inline double tile_rows_cost(const KernelTable& kernels, int pixels, int total,
                                         int groups) {
    const EvenSplit blocks = EvenSplit::at_most(total, groups);
    double cost = 0;
    for (int i = 0; i < blocks.runs; ++i) {
        cost += tile_row_cost(kernels, pixels, blocks.start(i + 1) - blocks.start(i),
                              kernels.max_pixels(groups));
    }
    return cost;
}

LUMBAR_NAMESPACE_END
