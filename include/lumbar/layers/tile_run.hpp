// The tiles that one block of output channels computes along a row: one call of the kernel for as
// many as are alike.
#pragma once

#include <lumbar/core/geometry.hpp>
#include <lumbar/core/memory.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>

LUMBAR_NAMESPACE_BEGIN

/// The tiles of a block read the same weights, one after another, and bring in those of the next
/// block meanwhile: as late as they can with one line at each tap, or evenly where there are few
/// tiles. (More lines at a time would wait for memory, and the tile with them.)
struct TileFetch {
    const float* weights = nullptr;                   ///< of the next block
    int lines = 0;                                    ///< at each tap (ConvTile::fetch_lines)
    std::ptrdiff_t each = 0;                          ///< floats that a tile brings in
    int first = std::numeric_limits<int>::max() / 2;  ///< the first tile that does

    /// For `tiles` tiles that sum over `channels` (times taps), `in_lanes` at a tap, with `width`
    /// weights for each; null: there is no next block.
    static TileFetch of(const float* next, std::ptrdiff_t channels, int in_lanes, int width,
                        int tiles) {
        if (!next) return {};
        const std::ptrdiff_t taps = (channels + in_lanes - 1) / in_lanes;
        const std::ptrdiff_t all = (channels * width + kLine - 1) / kLine;
        const std::ptrdiff_t lines = (all + taps * tiles - 1) / (taps * tiles);
        const std::ptrdiff_t each = taps * lines;
        return {next, static_cast<int>(lines), each * kLine,
                std::max(tiles - static_cast<int>((all + each - 1) / each), 0)};
    }
    /// What a tile fetches first (ConvTile::fetch).
    const float* at(int tile) const {
        return tile < first ? nullptr : weights + (tile - first) * each;
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
