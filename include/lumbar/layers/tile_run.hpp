// The tiles that one block of output channels computes along a row: one call of the kernel for as
// many as are alike.
#pragma once

#include <lumbar/core/geometry.hpp>
#include <lumbar/core/memory.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>

LUMBAR_NAMESPACE_BEGIN

/// The tiles of a block read the same weights, one after another; the last of them bring in those
/// of the next block: as many tiles as a channel's weights have lines.
struct TileFetch {
    const float* weights = nullptr;                   ///< of the next block
    std::ptrdiff_t channels = 0;                      ///< times taps: what a tile sums over
    int first = std::numeric_limits<int>::max() / 2;  ///< the first tile that fetches

    /// For `tiles` tiles of `groups` groups; null: there is no next block.
    static TileFetch of(const float* next, std::ptrdiff_t channels, int groups, int lanes,
                        int tiles) {
        if (!next) return {};
        const int lines = ceil_div(groups * lanes, static_cast<int>(kLine));
        return {next, channels, std::max(tiles - lines, 0)};
    }
    /// What a tile fetches first (ConvTile::fetch).
    const float* at(int tile) const {
        return tile < first ? nullptr : weights + (tile - first) * channels * kLine;
    }

   private:
    static constexpr std::ptrdiff_t kLine = kAlignment / sizeof(float);
};

/// Calls compute(first, pixel, pixels, tiles) for the runs [begin, end) of a row that `split` cuts:
/// `tiles` tiles of `pixels` pixels each, of which the first is run `first` and starts at `pixel`.
/// Those before run `fetch` and those from it on come apart.
template <class Compute>
LUMBAR_ALWAYS_INLINE void for_alike_tiles(const EvenSplit& split, int begin, int end, int fetch,
                                          Compute&& compute) {
    for (int run = begin; run < end;) {
        const bool longer = run < split.longer_runs;
        int stop = longer ? std::min(split.longer_runs, end) : end;
        if (run < fetch) stop = std::min(stop, fetch);
        compute(run, split.start(run), split.shorter + (longer ? 1 : 0), stop - run);
        run = stop;
    }
}

LUMBAR_NAMESPACE_END
