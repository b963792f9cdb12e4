// Direct convolution of any geometry on blocked activations, or on a plain NCHW image (a first
// layer). The plan depends on geometry and kernels alone; packed weights depend on the plan;
// running takes views. Units of work are independent of each other and may run in any order on any
// thread.
//
// Order of the loops: band of rows, block of output channels, piece of the sums, row, tile. A
// block's weights stay in L2 while the rows it reads pass through L1; where they are too many, a
// piece of them stays in L1, and sums wait in the output between pieces. Over a whole network one
// band is as fast as many; threads share the work by rows where there are several, so that each
// finds what it has written itself in its own cache. A first layer turns this around: it copies the
// few input rows that an output row needs into a padded strip, and uses them for all channels.
#pragma once

#include <lumbar/core/geometry.hpp>
#include <lumbar/core/view.hpp>
#include <lumbar/kernels/table.hpp>
#include <lumbar/layers/pack_filters.hpp>
#include <lumbar/layers/tile_cost.hpp>
#include <lumbar/layers/tile_run.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// What one run of a convolution works on.
struct ConvCall {
    BlockedView in{};         ///< with a border of at least border_read(); unused by a first layer
    ConstTensorView plain{};  ///< the input of a first layer
    std::span<const BlockedView> out{};     ///< the destinations, in the plan's order
    const BlockedView* residual = nullptr;  ///< added before the activation; one destination only
    Epilogue epilogue{};
    /// From one image's weights to the next; 0: all have the same. Not with a plain input.
    std::size_t image_weights = 0;
};

class DirectConv {
   public:
    struct Options {
        bool plain_input = false;  ///< the input is NCHW, with few channels
        int row_pixels = 14;  ///< pixels in an output row; pointwise: all, where the input's planes
                              ///< are dense
        std::vector<int> destinations{};  ///< output channels of each; empty: one for all
        /// Bands of rows in the order of the units: with one, threads divide the output channels
        /// among them; with one for each thread, the rows.
        int bands = 1;
        /// Input and weights are bfloat16, in pairs (kernels/bfloat16_table.hpp): views of the
        /// input have half as many lanes. Null: floats. Not with a plain input.
        const Bfloat16Kernels* bfloat16 = nullptr;
    };

    DirectConv() = default;
    LUMBAR_COLD DirectConv(const KernelTable& kernels, const ConvGeometry& geometry,
                           const Options& options)
        : kernels_(&kernels),
          tiles_(options.bfloat16 ? &options.bfloat16->conv : &kernels.conv),
          geometry_(geometry),
          plain_(options.plain_input),
          halves_(options.bfloat16 ? 2 : 1),
          bands_(options.bands) {
        assert(!options.bfloat16 || (!options.plain_input && kernels.lanes > 1));
        std::vector<int> destinations = options.destinations;
        if (destinations.empty()) destinations = {geometry.out_channels};
        tile_groups_ = choose_groups(kernels, geometry, destinations, options.row_pixels);
        int channel = 0;
        for (std::size_t d = 0; d < destinations.size(); ++d) {
            // Evenly: a single group left over would have too few sums to hide the latency of
            // multiply-adds.
            const EvenSplit split =
                EvenSplit::at_most(ceil_div(destinations[d], kernels.lanes), tile_groups_);
            for (int i = 0; i < split.runs; ++i) {
                const int g = split.start(i), width = split.start(i + 1) - g;
                const int first = g * kernels.lanes;
                add_block({.destination = static_cast<int>(d), .first_group = g, .groups = width},
                          channel + first,
                          std::min(destinations[d] - first, width * kernels.lanes));
            }
            channel += destinations[d];
        }
    }

    const ConvGeometry& geometry() const { return geometry_; }

    /// Groups of output channels in a tile: with the geometry, the format of the packed weights.
    int tile_groups() const { return tile_groups_; }

    /// Floats of packed weights and biases.
    std::size_t packed_size() const { return packed_size_; }

    /// Packs the filters. read_filter(channel, span) fills geometry().filter_size() weights in the
    /// order [in channel][row][column] and returns the bias; `packed` is zero-filled.
    template <class ReadFilter>
    LUMBAR_HOT void pack(ReadFilter&& read_filter, float* packed) const {
        const int taps = geometry_.kernel.h * geometry_.kernel.w;
        const int group_in = geometry_.in_channels / geometry_.groups;
        const int group_out = geometry_.out_channels / geometry_.groups;
        const std::int64_t size = geometry_.filter_size();
        std::vector<float> rows;
        for (const Block& b : blocks_) {
            const std::ptrdiff_t stride = std::ptrdiff_t{b.groups} * kernels_->lanes;
            const std::ptrdiff_t row_count = channels_of(b, b.in_groups) * halves_;
            float* to = packed + b.weights;
            if (halves_ == 2) {
                rows.assign(static_cast<std::size_t>(row_count * stride), 0.0f);
                to = rows.data();
            }
            for (int i = 0; i < b.channels;) {
                // Channels that read the same inputs.
                const int channel = b.first_channel + i;
                const int count =
                    std::min({b.channels - i, kernels_->lanes, group_out - channel % group_out});
                const std::vector<float> filters =
                    read_filters(read_filter, channel, count, size, packed + b.bias + i);
                const int first_in = channel / group_out * group_in - b.first_in_group * in_lanes();
                for (int c = 0; c < group_in; ++c) {
                    const int at = first_in + c;
                    for (int t = 0; t < taps; ++t) {
                        write_side_by_side(filters.data(), size, count, std::int64_t{c} * taps + t,
                                           to + weight_row(b, at, t) * stride + i);
                    }
                }
                i += count;
            }
            if (halves_ == 2) pair_rows(to, row_count, stride, packed + b.weights);
        }
    }

    /// Floats of scratch that one thread needs.
    std::size_t scratch_size(const Shape& out) const {
        if (!plain_) return 0;
        return static_cast<std::size_t>(geometry_.in_channels * geometry_.kernel.h *
                                        strip_width(out.w));
    }

    /// Independent pieces of work in a call.
    std::int64_t units(const ConvCall& call) const {
        const Shape& out = call.out[0].shape;
        if (plain_) return std::int64_t{out.n} * out.h;
        const Rows rows = rows_of(call);
        return static_cast<std::int64_t>(blocks_.size()) * out.n * rows.count * rows.runs;
    }

    /// Does units [begin, end). `scratch` is this thread's own.
    void run(const ConvCall& call, const float* packed, std::int64_t begin, std::int64_t end,
             float* scratch) const noexcept {
        if (plain_) {
            run_plain(call, packed, begin, end, scratch);
        } else {
            run_blocked(call, packed, begin, end);
        }
    }

    /// Blocks of output channels, and the groups of channels that are block `b`'s. For layers that
    /// are not plain, with one destination.
    int blocks() const { return static_cast<int>(blocks_.size()); }
    int first_group(int b) const { return blocks_[static_cast<std::size_t>(b)].first_group; }
    int groups(int b) const { return blocks_[static_cast<std::size_t>(b)].groups; }

    /// Computes rows [begin, end) of one image for one block; at least one row. Preconditions: a
    /// pointwise convolution with one band, no residual, the same weights for all images, and an
    /// output without a border (the caller's zeros stay).
    void run_rows(const ConvCall& call, const float* packed, int block, int image, int begin,
                  int end) const noexcept {
        assert(begin < end && call.out[0].border == Padding{});
        BlockedView out = call.out[0];
        out.data = out.pixel(image, 0, begin, 0);
        out.shape.n = 1;
        out.shape.h = end - begin;
        ConvCall part = call;
        part.in.data = call.in.pixel(image, 0, begin, 0);
        part.out = {&out, 1};
        const Rows rows = rows_of(part);
        const std::int64_t units = std::int64_t{rows.count} * rows.runs;
        run_blocked(part, packed, block * units, (block + 1) * units);
    }

    /// Of a pointwise convolution of floats: writes weights for each image, packed as `packed`,
    /// that make of the image what these make of the image times its `gate` (1x1); see
    /// ConvCall::image_weights. Units: blocks of all images.
    std::int64_t scale_units(const BlockedView& gate) const {
        return std::int64_t{gate.shape.n} * blocks();
    }
    void scale_inputs(const float* packed, const BlockedView& gate, float* to, std::int64_t begin,
                      std::int64_t end) const noexcept {
        for (std::int64_t unit = begin; unit < end; ++unit) {
            const Block& b = blocks_[static_cast<std::size_t>(unit % blocks())];
            const int n = static_cast<int>(unit / blocks());
            float* const of_image = to + static_cast<std::size_t>(n) * packed_size_;
            const std::ptrdiff_t width = std::ptrdiff_t{b.groups} * kernels_->lanes;
            std::ptrdiff_t at = b.weights;
            for (int c = 0; c < geometry_.in_channels; ++c) {
                const float factor = gate.at(n, c, 0, 0);
                const std::ptrdiff_t next = at + width;
                // By four: g++ -O2 vectorises no loop of another length.
                for (; at + 4 <= next; at += 4) {
                    for (int i = 0; i < 4; ++i) of_image[at + i] = packed[at + i] * factor;
                }
                for (; at < next; ++at) of_image[at] = packed[at] * factor;
            }
            std::copy_n(packed + b.bias, width, of_image + b.bias);
        }
    }

   private:
    struct Block {
        int destination = 0;
        int first_group = 0;  ///< of the destination
        int groups = 0;
        int first_channel = 0;  ///< of the filters
        int channels = 0;
        int first_in_group = 0;
        int in_groups = 0;
        int last_lanes = 0;
        int pieces = 1;  ///< of the groups of input channels
        std::ptrdiff_t weights = 0;
        std::ptrdiff_t bias = 0;
        std::ptrdiff_t end = 0;
    };
    /// How tiles go over an image: along its rows, or across their ends.
    struct Rows {
        bool flat = false;  ///< planes of the input are runs of pixels: one row
        int count = 0;
        int width = 0;
        int runs = 0;  ///< tiles of most blocks in a row
    };

    int in_lanes() const { return plain_ ? 1 : kernels_->lanes; }

    int strip_width(int out_w) const {
        return (out_w - 1) * geometry_.stride.w + (geometry_.kernel.w - 1) * geometry_.dilation.w +
               1;
    }

    LUMBAR_COLD void add_block(Block b, int first_channel, int channels) {
        const int group_in = geometry_.in_channels / geometry_.groups;
        const int group_out = geometry_.out_channels / geometry_.groups;
        const int first_in = first_channel / group_out * group_in;
        const int last_in = ((first_channel + channels - 1) / group_out + 1) * group_in;
        b.first_channel = first_channel;
        b.channels = channels;
        b.first_in_group = first_in / in_lanes();
        b.in_groups = ceil_div(last_in, in_lanes()) - b.first_in_group;
        b.last_lanes = last_in - (b.first_in_group + b.in_groups - 1) * in_lanes();
        b.last_lanes = round_up(b.last_lanes, halves_);
        const std::ptrdiff_t inputs = std::ptrdiff_t{b.in_groups - 1} * in_lanes() + b.last_lanes;
        const std::ptrdiff_t width = std::ptrdiff_t{b.groups} * kernels_->lanes;
        b.weights = static_cast<std::ptrdiff_t>(packed_size_);
        b.bias = b.weights + inputs / halves_ * geometry_.kernel.h * geometry_.kernel.w * width;
        b.end = b.bias + width;
        // 3x3 with 512 channels to 7x7: 0.75 of the time (AVX-512, Emerald Rapids), with 256 to
        // 14x14 0.95; nothing where the weights are fewer.
        constexpr std::ptrdiff_t kMostFloats = 384 * 1024 / sizeof(float);
        constexpr std::ptrdiff_t kPieceFloats = 30 * 1024 / sizeof(float);
        const std::ptrdiff_t floats = b.bias - b.weights;
        if (!plain_ && floats > kMostFloats) {
            b.pieces = ceil_div(b.in_groups,
                                std::max(1, static_cast<int>(kPieceFloats * b.in_groups / floats)));
        }
        packed_size_ = static_cast<std::size_t>(b.end);
        blocks_.push_back(b);
    }

    /// The groups per tile that cost least.
    LUMBAR_COLD static int choose_groups(const KernelTable& kernels, const ConvGeometry& geometry,
                                         const std::vector<int>& destinations, int row_pixels) {
        const int group_in = geometry.in_channels / geometry.groups;
        const int group_out = geometry.out_channels / geometry.groups;
        int best = 1;
        double best_cost = 0;
        for (int groups = 1; groups <= kernels.max_groups(); ++groups) {
            if (kernels.max_pixels(groups) == 0) continue;
            double cost = 0;
            for (const int channels : destinations) {
                cost +=
                    tile_rows_cost(kernels, row_pixels, ceil_div(channels, kernels.lanes), groups);
            }
            // Grouped: a block multiplies the zeros between the groups of channels that it spans.
            const int spanned = ceil_div(groups * kernels.lanes, group_out) * group_in;
            cost *= std::min(spanned, geometry.in_channels);
            if (groups == 1 || cost < best_cost) {
                best = groups;
                best_cost = cost;
            }
        }
        return best;
    }

    Rows rows_of(const ConvCall& call) const {
        const Shape& out = call.out[0].shape;
        const int longest = kernels_->max_pixels(tile_groups_);
        bool dense = true;
        for (const BlockedView& o : call.out) dense = dense && o.dense();
        // Else where it makes fewer tiles: on 14x14 49 of at most 4 pixels in place of 56, on 7x7 4
        // of at most 14 in place of 7. (See ConvTile::row_end.)
        const bool pays = ceil_div(out.h * out.w, longest) < out.h * ceil_div(out.w, longest);
        const bool flat = geometry_.pointwise() && call.in.dense() &&
                          (!call.residual || call.residual->dense()) && (dense || pays);
        Rows rows{flat, flat ? 1 : out.h, flat ? out.h * out.w : out.w, 0};
        rows.runs = ceil_div(rows.width, longest);
        return rows;
    }

    /// Where tap t of the block's input channel `at` stands among its weights: [in
    /// group][tap][lane]; in a first layer, whose tiles walk through columns last,
    /// [column][channel][row].
    std::ptrdiff_t weight_row(const Block& b, int at, int t) const {
        const Extent& kernel = geometry_.kernel;
        if (plain_) {
            return std::ptrdiff_t{t % kernel.w * b.in_groups + at} * kernel.h + t / kernel.w;
        }
        // All groups before this one are full.
        const int group = at / in_lanes(), lane = at % in_lanes();
        const int lanes = group + 1 < b.in_groups ? in_lanes() : b.last_lanes;
        return std::ptrdiff_t{group} * in_lanes() * kernel.h * kernel.w + t * lanes + lane;
    }

    /// The sums of a block over its groups [first, end) of blocked input.
    ConvTile tile_of(const Block& b, const float* packed, const BlockedView& in, int first,
                     int end) const {
        ConvTile t;
        t.bias = packed + b.bias;
        const int lanes = in_lanes() / halves_, groups = end - first;
        const int last = end == b.in_groups ? b.last_lanes / halves_ : lanes;
        const int taps = geometry_.kernel.h * geometry_.kernel.w;
        t.weights =
            packed + b.weights + std::ptrdiff_t{first} * lanes * taps * b.groups * kernels_->lanes;
        if (geometry_.kernel == Extent{1, 1}) {  // whatever the stride and the padding
            t.set_pointwise((groups - 1) * lanes + last, lanes, in.group);
        } else {
            t.in_groups = groups;
            t.kernel_h = geometry_.kernel.h;
            t.kernel_w = geometry_.kernel.w;
            t.full_taps = (last == lanes ? groups : groups - 1) * taps;
            t.in_lanes = lanes;
            t.last_lanes = last;
            t.in_group = in.group;
            t.tap_row = geometry_.dilation.h * in.row;
            t.tap_col = std::ptrdiff_t{geometry_.dilation.w} * in.lanes;
        }
        t.step = std::ptrdiff_t{geometry_.stride.w} * in.lanes;
        return t;
    }

    /// The sums of a block over a strip of a first layer, `width` floats wide. The rows of all
    /// channels lie in it at equal distances: they are the lanes of one group, and the inner loop
    /// runs over all of them.
    ConvTile strip_tile_of(const Block& b, const float* packed, int width) const {
        ConvTile t;
        t.weights = packed + b.weights;
        t.bias = packed + b.bias;
        t.in_groups = 1;
        t.kernel_w = geometry_.kernel.w;
        t.last_lanes = b.in_groups * geometry_.kernel.h;
        t.in_lane = width;
        t.tap_col = geometry_.dilation.w;
        t.step = geometry_.stride.w;
        return t;
    }

    /// Weight vectors, or groups of them, that a tile of the block reads for its first groups of
    /// input channels.
    std::ptrdiff_t channels_of(const Block& b, int in_groups) const {
        const std::ptrdiff_t all =
            (b.bias - b.weights) / (std::ptrdiff_t{b.groups} * kernels_->lanes);
        const int taps = geometry_.kernel.h * geometry_.kernel.w;
        return std::min(all, std::ptrdiff_t{in_groups} * (in_lanes() / halves_) * taps);
    }

    ConvTileFunction tile_function(int groups, int pixels) const {
        return (
            *tiles_)[static_cast<std::size_t>(groups - 1)][static_cast<std::size_t>(pixels - 1)];
    }

    void run_blocked(const ConvCall& call, const float* packed, std::int64_t begin,
                     std::int64_t end) const noexcept {
        const Rows rows = rows_of(call);
        const EvenSplit bands = bands_of(call, rows);
        const std::int64_t blocks = static_cast<std::int64_t>(blocks_.size());
        // Where the first unit lies.
        std::int64_t unit = begin, before = 0;
        int band = 0;
        const auto tiles_in = [&](int i) { return bands.start(i + 1) - bands.start(i); };
        while (before + blocks * tiles_in(band) <= begin) before += blocks * tiles_in(band++);
        std::size_t block = static_cast<std::size_t>((begin - before) / tiles_in(band));
        int tile = bands.start(band) + static_cast<int>((begin - before) % tiles_in(band));
        while (unit < end) {
            const Block& b = blocks_[block];
            const BlockedView& out = call.out[static_cast<std::size_t>(b.destination)];
            const int last = bands.start(band + 1);
            const int stop = static_cast<int>(std::min<std::int64_t>(last, tile + (end - unit)));
            // Sums are read again as residuals are, without ends of rows.
            const EvenSplit pieces{b.in_groups, rows.flat && !out.dense() ? 1 : b.pieces};
            for (int i = 0; i < pieces.runs; ++i) {
                run_tiles(call, packed, rows, b, {pieces.start(i), pieces.start(i + 1)},
                          {tile, stop}, {bands.start(band), last});
            }
            unit += stop - tile;
            if (++block == blocks_.size()) {
                block = 0;
                ++band;
            }
            if (unit < end) tile = bands.start(band);
        }
    }

    struct Range {
        int begin = 0;
        int end = 0;
    };
    /// Adds the products with some groups of input channels to the sums of some tiles of a block
    /// and a band.
    void run_tiles(const ConvCall& call, const float* packed, const Rows& rows, const Block& b,
                   const Range& inputs, const Range& tiles, const Range& band) const noexcept {
        alignas(kAlignment) static constexpr float
            kZeros[kMaxTileGroups * kAlignment / sizeof(float)] = {};
        const int lanes = kernels_->lanes;
        const BlockedView& out = call.out[static_cast<std::size_t>(b.destination)];
        const bool starts = inputs.begin == 0, ends = inputs.end == b.in_groups;
        const BlockedView* const before = starts ? call.residual : &out;
        const EvenSplit split{rows.width, rows.runs};
        ConvTile t = tile_of(b, packed, call.in, inputs.begin, inputs.end);
        t.out_group = out.group;
        t.row_width = out.shape.w;
        t.row_gap = rows.flat ? out.row - std::ptrdiff_t{out.shape.w} * lanes : 0;
        t.residual_group = before ? before->group : 0;
        if (ends) t.epilogue = call.epilogue;
        const float* const weights = t.weights;
        const float* const bias = starts ? t.bias : kZeros;
        const std::ptrdiff_t channels = channels_of(b, inputs.end) - channels_of(b, inputs.begin);
        const float* next = weights + channels * b.groups * lanes;
        if (ends) next = &b == &blocks_.back() ? nullptr : packed + b.end;
        const TileFetch fetch = TileFetch::of(next, channels, in_lanes() / halves_,
                                              b.groups * lanes, band.end - band.begin);
        t.fetch_lines = fetch.lines;
        for (int tile = tiles.begin; tile < tiles.end;) {
            const int n = tile / rows.runs / rows.count, y = tile / rows.runs % rows.count;
            const std::size_t of_image = static_cast<std::size_t>(n) * call.image_weights;
            t.weights = weights + of_image;
            t.bias = starts ? bias + of_image : bias;
            const float* const in = call.in.pixel(n, b.first_in_group + inputs.begin,
                                                  y * geometry_.stride.h - geometry_.padding.top,
                                                  -geometry_.padding.left);
            const float* const residual = before ? before->pixel(n, b.first_group, y, 0) : nullptr;
            // The row's runs, as far as they are among the tiles.
            const int run = tile % rows.runs;
            const int runs = std::min(rows.runs - run, tiles.end - tile);
            const int to_band =
                band.begin - tile + run;  // from a run of the row to one of the band
            // Where the next tile's first pixel goes.
            int row = rows.flat ? split.start(run) / out.shape.w : y;
            int column = split.start(run) - (row - y) * out.shape.w;
            for_alike_tiles(split, run, run + runs, fetch.first + to_band,
                            [&](int i, int x, int pixels, int alike) {
                                t.fetch = fetch.at(i - to_band);
                                t.row_end = out.shape.w - column;
                                const ConvTileFunction compute = tile_function(b.groups, pixels);
                                float* const to = out.pixel(n, b.first_group, row, column);
                                compute(t, in + x * t.step, to,
                                        residual ? residual + std::ptrdiff_t{x} * lanes : nullptr,
                                        alike);
                                for (column += alike * pixels; column >= out.shape.w;
                                     column -= out.shape.w, ++row) {
                                    if (ends) clear_borders(out, b, n, row);
                                }
                            });
            tile += runs;
        }
    }

    /// All tiles of all images, cut into bands of rows, each of which is done for all blocks before
    /// the next.
    EvenSplit bands_of(const ConvCall& call, const Rows& rows) const {
        const int tiles = call.out[0].shape.n * rows.count * rows.runs;
        return {tiles, std::min(bands_, tiles)};
    }

    void run_plain(const ConvCall& call, const float* packed, std::int64_t begin, std::int64_t end,
                   float* strip) const noexcept {
        const int lanes = kernels_->lanes;
        const Shape& shape = call.out[0].shape;
        const int width = strip_width(shape.w);
        for (std::int64_t unit = begin; unit < end; ++unit) {
            const int n = static_cast<int>(unit / shape.h), y = static_cast<int>(unit % shape.h);
            fill_strip(call.plain, n, y, width, strip);
            for (const Block& b : blocks_) {
                const BlockedView& out = call.out[static_cast<std::size_t>(b.destination)];
                ConvTile t = strip_tile_of(b, packed, width);
                t.out_group = out.group;
                t.residual_group = call.residual ? call.residual->group : 0;
                t.epilogue = call.epilogue;
                const float* const in =
                    strip + std::ptrdiff_t{b.first_in_group} * geometry_.kernel.h * width;
                float* const to = out.pixel(n, b.first_group, y, 0);
                const float* const residual =
                    call.residual ? call.residual->pixel(n, b.first_group, y, 0) : nullptr;
                const EvenSplit split = EvenSplit::at_most(shape.w, kernels_->max_pixels(b.groups));
                for_alike_tiles(
                    split, 0, split.runs, split.runs, [&](int, int x, int pixels, int tiles) {
                        const std::ptrdiff_t at = std::ptrdiff_t{x} * lanes;
                        tile_function(b.groups, pixels)(t, in + x * t.step, to + at,
                                                        residual ? residual + at : nullptr, tiles);
                    });
                clear_borders(out, b, n, y);
            }
        }
    }

    /// The input rows that output row y reads, zero-padded: [in channel][kernel row][width].
    void fill_strip(const ConstTensorView& plain, int n, int y, int width,
                    float* strip) const noexcept {
        const Shape& in = plain.shape;
        const int left = std::min(geometry_.padding.left, width);
        const int inside = std::clamp(in.w, 0, width - left);
        for (int c = 0; c < geometry_.in_channels; ++c) {
            for (int i = 0; i < geometry_.kernel.h; ++i, strip += width) {
                const int row =
                    y * geometry_.stride.h - geometry_.padding.top + i * geometry_.dilation.h;
                if (row < 0 || row >= in.h) {
                    std::fill_n(strip, width, 0.0f);
                    continue;
                }
                std::fill_n(strip, left, 0.0f);
                std::copy_n(&plain(n, c, row, 0), inside, strip + left);
                std::fill_n(strip + left + inside, width - left - inside, 0.0f);
            }
        }
    }

    static void clear_borders(const BlockedView& out, const Block& b, int n, int y) {
        for (int g = b.first_group; g < b.first_group + b.groups; ++g) {
            clear_border_of_row(out, n, g, y);
        }
    }

    const KernelTable* kernels_ = nullptr;
    const ConvTileTable* tiles_ = nullptr;
    ConvGeometry geometry_;
    bool plain_ = false;
    int halves_ = 1;  ///< input channels in the place of a float
    int bands_ = 1;
    int tile_groups_ = 1;
    std::vector<Block> blocks_;
    std::size_t packed_size_ = 0;
};

LUMBAR_NAMESPACE_END
