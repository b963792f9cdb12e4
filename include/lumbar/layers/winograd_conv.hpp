// Winograd convolution: stride 1, no dilation, no groups, and no activation beyond a clamp. A block
// of tiles is transformed for all input channels; then, for a few groups of output channels at a
// time, one multiplication of matrices per point and the transform of the results.
//
//     for each block of tiles:                                      V: points x in channels x tiles
//         for each input group, tile:           input transform -> V
//         for each unit of output groups:
//             for each point, few groups:       V[point] x weights[point] -> M     (conv_tile)
//             for each tile:                    M -> output transform, bias, residual, activation
//
// A unit is those few groups, a block of output channels, where V stays in L2 while all units read
// it; else it is all groups, which read one point of V at a time.
//
// The tiles of all images are numbered row by row. Tiles that reach beyond the image read a copy
// that is filled up with zeros, so no value needs a wider border, and write no pixel outside it.
#pragma once

#include <lumbar/core/geometry.hpp>
#include <lumbar/core/view.hpp>
#include <lumbar/kernels/table.hpp>
#include <lumbar/layers/direct_conv.hpp>
#include <lumbar/layers/pack_filters.hpp>
#include <lumbar/layers/tile_cost.hpp>
#include <lumbar/layers/tile_run.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

class WinogradConv {
   public:
    /// True where there is such a tile, and it computes convolutions of that geometry.
    static bool serves(const WinogradTile& tile, const ConvGeometry& g) {
        return tile.input && g.kernel == Extent{tile.taps_h, tile.taps_w} &&
               g.stride == Extent{1, 1} && g.dilation == Extent{1, 1} && g.groups == 1;
    }

    WinogradConv() = default;
    /// `out`: the shape of the result. `threads`: how many blocks there should be at least, where
    /// the image is large enough.
    LUMBAR_COLD WinogradConv(const KernelTable& kernels, const WinogradTile& tile,
                             const ConvGeometry& geometry, const Shape& out, int threads)
        : kernels_(&kernels),
          tile_(&tile),
          geometry_(geometry),
          tiles_y_(ceil_div(out.h, tile.out_rows)),
          tiles_x_(ceil_div(out.w, tile.out_columns)) {
        const int lanes = kernels.lanes;
        out_groups_ = ceil_div(geometry.out_channels, lanes);
        in_groups_ = ceil_div(geometry.in_channels, lanes);
        const int tiles = out.n * tiles_y_ * tiles_x_;
        const int most = most_tiles(tile, geometry);
        double best = 0;
        for (int groups = 1; groups <= kernels.max_groups(); ++groups) {
            if (kernels.max_pixels(groups) == 0) continue;
            // Not the batch: it changes nothing about the weights.
            const double cost =
                tile_rows_cost(kernels, std::min(tiles / out.n, most), out_groups_, groups);
            if (groups == 1 || cost < best) {
                best = cost;
                tile_groups_ = groups;
            }
        }
        out_blocks_ = EvenSplit::at_most(out_groups_, tile_groups_);
        const int pixels = kernels.max_pixels(tile_groups_);
        int blocks = ceil_div(tiles, std::max(most / pixels * pixels, pixels));
        if (blocks < 4 * threads) blocks = round_up(blocks, threads);
        blocks_ = EvenSplit{tiles, std::min(blocks, tiles)};
        block_tiles_ = ceil_div(tiles, blocks_.runs);
        unit_blocks_ = 1;
        // Not where threads share the units. (Zen 1, L2 of 512 KiB, VGG-16: 0.86 to 0.98 of the
        // time by layer on one thread, 1.0 to 1.2 where two divide the groups. Not measured where
        // L2 is larger.)
        constexpr std::ptrdiff_t kMostFloats = std::ptrdiff_t{448} * 1024 / sizeof(float);
        if (threads == 1 &&
            std::ptrdiff_t{tile.points()} * in_groups_ * lanes * block_tiles_ > kMostFloats) {
            unit_blocks_ = out_blocks_.runs;
        }
        // One line more than a round number: points that are a multiple of 4 KiB apart would
        // compete for the same few lines of the cache.
        v_point_ = (std::ptrdiff_t{in_groups_} * block_tiles_ + 1) * lanes;
        const int unit_groups = unit_blocks_ == 1 ? tile_groups_ : out_groups_;
        m_point_ = (std::ptrdiff_t{unit_groups} * block_tiles_ + 1) * lanes;
    }

    const ConvGeometry& geometry() const { return geometry_; }
    int tile_groups() const { return tile_groups_; }
    /// Blocks of output channels in a unit of the multiplication: one, or all.
    int unit_blocks() const { return unit_blocks_; }
    int blocks() const { return blocks_.runs; }

    /// Floats of packed weights and biases: [block of output channels][point][in channel][lane of
    /// the block's groups], then the biases of all channels, then zeros.
    std::size_t packed_size() const {
        return static_cast<std::size_t>(bias_at() + round_up(geometry_.out_channels, lanes()) +
                                        std::ptrdiff_t{tile_groups_} * lanes());
    }

    /// Packs the filters; see DirectConv::pack.
    template <class ReadFilter>
    LUMBAR_HOT void pack(ReadFilter&& read_filter, float* packed) const {
        const int taps = tile_->taps_h * tile_->taps_w, points = tile_->points();
        const std::int64_t in_channels = geometry_.in_channels, size = geometry_.filter_size();
        for (int group = 0, block = 0; group < out_groups_; ++group) {
            if (group == out_blocks_.start(block + 1)) ++block;
            const int channel = group * lanes();
            const int count = std::min(lanes(), geometry_.out_channels - channel);
            const std::vector<float> filters =
                read_filters(read_filter, channel, count, size, packed + bias_at() + channel);
            const std::ptrdiff_t width = std::ptrdiff_t{groups_of(block)} * lanes();
            float* to =
                packed + weights_at(0, block) + (group - out_blocks_.start(block)) * lanes();
            for (std::int64_t c = 0; c < in_channels; ++c, to += width) {
                for (int i = 0; i < count; ++i) {
                    double transformed[kMaxPoints];
                    tile_->filter(filters.data() + i * size + c * taps, transformed);
                    for (int p = 0; p < points; ++p) {
                        to[p * in_channels * width + i] = static_cast<float>(transformed[p]);
                    }
                }
            }
        }
    }

    /// Floats of transformed tiles: one block's, or all blocks' where threads share them.
    std::size_t transformed_size() const {
        return static_cast<std::size_t>(tile_->points() * v_point_);
    }
    /// Floats of scratch for the products of one thread.
    std::size_t products_size() const {
        return static_cast<std::size_t>(tile_->points() * m_point_);
    }

    /// Blocks of tiles one after another: units are blocks.
    std::size_t scratch_size() const { return transformed_size() + products_size(); }
    std::int64_t units(const ConvCall&) const { return blocks_.runs; }
    void run(const ConvCall& call, const float* packed, std::int64_t begin, std::int64_t end,
             float* scratch) const noexcept {
        float* const products = scratch + transformed_size();
        for (int block = static_cast<int>(begin); block < static_cast<int>(end); ++block) {
            for (int g = 0; g < in_groups_; ++g) transform(call, block, g, scratch);
            for (int b = 0; b < out_blocks_.runs; b += unit_blocks_) {
                multiply(call, packed, block, b, scratch, products);
            }
        }
    }

    /// Two halves, for threads that share one image: first all units of transform_units, then those
    /// of multiply_units. `transformed` has blocks() * transformed_size() floats.
    std::int64_t transform_units() const { return std::int64_t{blocks_.runs} * in_groups_; }
    void run_transform(const ConvCall& call, std::int64_t begin, std::int64_t end,
                       float* transformed) const noexcept {
        for (std::int64_t unit = begin; unit < end; ++unit) {
            const int block = static_cast<int>(unit / in_groups_);
            transform(call, block, static_cast<int>(unit % in_groups_),
                      transformed + static_cast<std::size_t>(block) * transformed_size());
        }
    }
    std::int64_t multiply_units() const {
        return std::int64_t{ceil_div(out_blocks_.runs, unit_blocks_)} * blocks_.runs;
    }
    void run_multiply(const ConvCall& call, const float* packed, std::int64_t begin,
                      std::int64_t end, const float* transformed, float* products) const noexcept {
        for (std::int64_t unit = begin; unit < end; ++unit) {
            const int block = static_cast<int>(unit % blocks_.runs);
            multiply(call, packed, block, static_cast<int>(unit / blocks_.runs) * unit_blocks_,
                     transformed + static_cast<std::size_t>(block) * transformed_size(), products);
        }
    }

   private:
    static constexpr int kMaxPoints = 48;  ///< of all tiles

    /// Tiles of a block, as many as keep V, and M of one block of output channels, in half a
    /// megabyte; more where the weights are so many that reading them again for each block of tiles
    /// costs more than a larger V.
    static int most_tiles(const WinogradTile& tile, const ConvGeometry& g) {
        const double per_tile = 4.0 * tile.points() * (g.in_channels + 32);
        const double weights = 4.0 * tile.points() * g.in_channels * g.out_channels;
        const int least = weights > 8e6 ? 56 : 28;
        return std::clamp(static_cast<int>(0x1p19 / per_tile), least, 112);
    }

    int lanes() const { return kernels_->lanes; }
    /// Groups of output channels of a block of them.
    int groups_of(int block) const {
        return out_blocks_.start(block + 1) - out_blocks_.start(block);
    }
    /// Where the weights of a point stand for that block.
    std::ptrdiff_t weights_at(int point, int block) const {
        return (std::ptrdiff_t{out_blocks_.start(block)} * tile_->points() +
                std::ptrdiff_t{point} * groups_of(block)) *
               geometry_.in_channels * lanes();
    }
    std::ptrdiff_t bias_at() const { return weights_at(0, out_blocks_.runs); }

    /// What the tile's functions take as the distance between rows.
    std::ptrdiff_t row_of(std::ptrdiff_t row) const { return tile_->along_row() ? lanes() : row; }

    /// A tile: the image, and the first output pixel.
    struct Place {
        int n = 0;
        int y = 0;
        int x = 0;
    };
    Place place(int tile) const {
        const int row = tile / tiles_x_;
        return {row / tiles_y_, row % tiles_y_ * tile_->out_rows,
                tile % tiles_x_ * tile_->out_columns};
    }
    /// From one tile of a row to the next.
    std::ptrdiff_t next_tile() const { return std::ptrdiff_t{tile_->out_columns} * lanes(); }

    /// One group of input channels of a block of tiles.
    void transform(const ConvCall& call, int block, int group, float* transformed) const noexcept {
        const BlockedView& in = call.in;
        const int first = blocks_.start(block), count = blocks_.start(block + 1) - first;
        const int rows = tile_->in_rows(), columns = tile_->in_columns();
        float* to = transformed + std::ptrdiff_t{group} * block_tiles_ * lanes();
        for (int i = 0, tiles = 0; i < count; i += tiles, to += tiles * lanes()) {
            const Place at = place(first + i);
            const int y = at.y - geometry_.padding.top, x = at.x - geometry_.padding.left;
            const float* from = in.pixel(at.n, group, y, x);
            // Those that have all their inputs inside the image and its border.
            tiles = 0;
            if (y >= -in.border.top && x >= -in.border.left &&
                y + rows <= in.shape.h + in.border.bottom &&
                x + columns <= in.shape.w + in.border.right) {
                const int inside =
                    (in.shape.w + in.border.right - x - columns) / tile_->out_columns + 1;
                tiles = std::min({inside, tiles_x_ - at.x / tile_->out_columns, count - i});
                tile_->input(from, row_of(in.row), next_tile(), to, v_point_, tiles);
                continue;
            }
            tiles = 1;
            // Of what lies outside the image, nothing is read.
            alignas(kAlignment) float copy[kMaxPoints * kAlignment / sizeof(float)];
            std::fill_n(copy, rows * columns * lanes(), 0.0f);
            const int top = std::max(0, -y), bottom = std::min(rows, in.shape.h - y);
            const int left = std::max(0, -x), right = std::min(columns, in.shape.w - x);
            for (int r = top; r < bottom && left < right; ++r) {
                std::copy_n(from + r * in.row + std::ptrdiff_t{left} * lanes(),
                            (right - left) * lanes(), copy + (r * columns + left) * lanes());
            }
            tile_->input(copy, row_of(std::ptrdiff_t{columns} * lanes()), 0, to, v_point_, 1);
        }
    }

    /// The unit of output channels that starts with block `unit`, of a block of tiles.
    void multiply(const ConvCall& call, const float* packed, int block, int unit,
                  const float* transformed, float* products) const noexcept {
        const int first = blocks_.start(block), count = blocks_.start(block + 1) - first;
        const int end = unit + unit_blocks_;
        const int first_group = out_blocks_.start(unit);
        ConvTile t;
        t.bias = packed + bias_at() + round_up(geometry_.out_channels, lanes());
        t.set_pointwise(geometry_.in_channels, lanes(), std::ptrdiff_t{block_tiles_} * lanes());
        t.step = lanes();
        t.out_group = std::ptrdiff_t{block_tiles_} * lanes();
        const EvenSplit split = EvenSplit::at_most(count, kernels_->max_pixels(tile_groups_));
        for (int i = 0; i < tile_->points(); ++i) {
            for (int b = unit; b < end; ++b) {
                const int groups = groups_of(b);
                t.weights = packed + weights_at(i, b);
                const float* const next = packed + next_weights(i, b, unit, end);
                const bool last = b + 1 == out_blocks_.runs && i + 1 == tile_->points();
                const TileFetch fetch = TileFetch::of(last ? nullptr : next, geometry_.in_channels,
                                                      lanes(), groups * lanes(), split.runs);
                t.fetch_lines = fetch.lines;
                float* const to =
                    products + i * m_point_ + (out_blocks_.start(b) - first_group) * t.out_group;
                for_alike_tiles(
                    split, 0, split.runs, fetch.first, [&](int run, int x, int pixels, int tiles) {
                        t.fetch = fetch.at(run);
                        const std::ptrdiff_t at = std::ptrdiff_t{x} * lanes();
                        kernels_->conv[static_cast<std::size_t>(
                            groups - 1)][static_cast<std::size_t>(pixels - 1)](
                            t, transformed + i * v_point_ + at, to + at, nullptr, tiles);
                    });
            }
        }
        for (int g = first_group; g < out_blocks_.start(end); ++g, products += t.out_group) {
            store(call, packed + bias_at(), first, count, g, products);
        }
    }

    /// Where those weights stand that a unit reads after a point's and a block's; after its last,
    /// those of the next unit.
    std::ptrdiff_t next_weights(int point, int block, int unit, int end) const {
        if (block + 1 < end) return weights_at(point, block + 1);
        return point + 1 < tile_->points() ? weights_at(point + 1, unit) : weights_at(0, block + 1);
    }

    void store(const ConvCall& call, const float* biases, int first, int count, int group,
               const float* products) const noexcept {
        const BlockedView& out = call.out[0];
        WinogradOutput to;
        to.bias = biases + std::ptrdiff_t{group} * lanes();
        to.out_row = row_of(out.row);
        to.epilogue = call.epilogue;
        to.next = next_tile();
        for (int i = 0, tiles = 0; i < count; i += tiles, products += tiles * lanes()) {
            const Place at = place(first + i);
            const int rows = std::min(tile_->out_rows, out.shape.h - at.y);
            const int columns = std::min(tile_->out_columns, out.shape.w - at.x);
            // Those that lie inside the image, or the last of the row.
            tiles = std::clamp((out.shape.w - at.x) / tile_->out_columns, 1, count - i);
            to.rows = tile_->along_row() ? columns : rows;
            to.columns = tile_->along_row() ? rows : columns;
            to.out = out.pixel(at.n, group, at.y, at.x);
            if (call.residual) {
                to.residual = call.residual->pixel(at.n, group, at.y, at.x);
                to.residual_row = row_of(call.residual->row);
            }
            tile_->output(products, m_point_, to, tiles);
            if (at.x + tiles * tile_->out_columns < out.shape.w) continue;
            for (int r = 0; r < rows; ++r) clear_border_of_row(out, at.n, group, at.y + r);
        }
    }

    const KernelTable* kernels_ = nullptr;
    const WinogradTile* tile_ = nullptr;
    ConvGeometry geometry_;
    int tiles_y_ = 0;
    int tiles_x_ = 0;
    int in_groups_ = 0;
    int out_groups_ = 0;
    int tile_groups_ = 1;     ///< of output channels in a tile of the multiplication
    EvenSplit out_blocks_{};  ///< of groups of output channels
    int unit_blocks_ = 1;     ///< in a unit: one, or all
    EvenSplit blocks_{};
    int block_tiles_ = 0;
    std::ptrdiff_t v_point_ = 0;  ///< from one point to the next
    std::ptrdiff_t m_point_ = 0;
};

LUMBAR_NAMESPACE_END
