// Depthwise convolution: every channel with its own filter. 3x3 and 5x5 have kernels with unrolled
// taps; any other kernel and any dilation take the generic one.
#pragma once

#include <lumbar/core/geometry.hpp>
#include <lumbar/core/view.hpp>
#include <lumbar/kernels/table.hpp>
#include <lumbar/layers/row_order.hpp>
#include <lumbar/layers/tile_run.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// What one run of a depthwise convolution works on. `in` has a border of at least border_read().
struct DepthwiseCall {
    BlockedView in{};
    BlockedView out{};
    Epilogue epilogue{};
};

class DepthwiseConv {
   public:
    DepthwiseConv() = default;
    /// Precondition: geometry.depthwise().
    LUMBAR_COLD DepthwiseConv(const KernelTable& kernels, const ConvGeometry& geometry)
        : kernels_(&kernels), geometry_(geometry), tiles_(&kernels.depthwise) {
        const auto is = [&](int k) {
            return geometry.kernel == Extent{k, k} && geometry.dilation.w == 1;
        };
        if (is(3)) tiles_ = &kernels.depthwise_3x3;
        if (is(5)) tiles_ = &kernels.depthwise_5x5;
        if (geometry.stride == Extent{1, 1} && geometry.dilation == Extent{1, 1}) {
            if (is(3)) pairs_ = &kernels.depthwise_pairs_3x3;
            if (is(5)) pairs_ = &kernels.depthwise_pairs_5x5;
        }
        tile_pixels_ = max_depthwise_pixels(tiles_ == &kernels.depthwise ? 0 : geometry.kernel.w);
        if (pairs_) {
            pair_pixels_ = kMaxPairPixels;
            while (pair_pixels_ > 0 && !pair_of(pair_pixels_)) --pair_pixels_;
            if (pair_pixels_ == 0) pairs_ = nullptr;
        }
    }

    const ConvGeometry& geometry() const { return geometry_; }

    /// Floats of packed weights and biases: per group, taps then bias.
    std::size_t packed_size() const {
        return static_cast<std::size_t>(ceil_div(geometry_.in_channels, kernels_->lanes)) *
               group_size();
    }

    /// As DirectConv::pack.
    template <class ReadFilter>
    LUMBAR_HOT void pack(ReadFilter&& read_filter, float* packed) const {
        const std::size_t lanes = static_cast<std::size_t>(kernels_->lanes);
        const std::size_t taps = static_cast<std::size_t>(geometry_.filter_size());
        std::vector<float> filter(taps);
        for (int c = 0; c < geometry_.in_channels; ++c) {
            const std::size_t channel = static_cast<std::size_t>(c);
            float* const to = packed + channel / lanes * group_size() + channel % lanes;
            to[taps * lanes] = read_filter(c, std::span<float>(filter));
            for (std::size_t t = 0; t < taps; ++t) to[t * lanes] = filter[t];
        }
    }

    std::int64_t units(const DepthwiseCall& call) const {
        return std::int64_t{call.out.shape.n} * call.out.groups() *
               ceil_div(call.out.shape.h, rows_in_unit(call));
    }

    void run(const DepthwiseCall& call, const float* packed, std::int64_t begin,
             std::int64_t end) const noexcept {
        const int rows = rows_in_unit(call), height = call.out.shape.h;
        const RowOrder order{call.out.groups(), ceil_div(height, rows)};
        for (std::int64_t unit = begin; unit < end;) {
            const RowOrder::Rows at = order.at(unit);
            const int count = static_cast<int>(std::min<std::int64_t>(at.count, end - unit));
            run_rows(call, packed, at.n, at.g, at.y * rows,
                     std::min((at.y + count) * rows, height));
            unit += count;
        }
    }

    /// Rows [begin, end) of one group of channels of one image.
    void run_rows(const DepthwiseCall& call, const float* packed, int n, int g, int begin,
                  int end) const noexcept {
        DepthwiseTile t;
        t.kernel_h = geometry_.kernel.h;
        t.kernel_w = geometry_.kernel.w;
        t.tap_row = geometry_.dilation.h * call.in.row;
        t.tap_col = std::ptrdiff_t{geometry_.dilation.w} * kernels_->lanes;
        t.step = std::ptrdiff_t{geometry_.stride.w} * kernels_->lanes;
        t.epilogue = call.epilogue;
        t.weights = packed + static_cast<std::size_t>(g) * group_size();
        t.bias = t.weights + geometry_.filter_size() * kernels_->lanes;
        t.in_row = geometry_.stride.h * call.in.row;
        t.out_row = call.out.row;
        const auto compute = [&](const DepthwiseTileFunction* tiles, int widest, int y, int times) {
            const float* const in = call.in.pixel(
                n, g, y * geometry_.stride.h - geometry_.padding.top, -geometry_.padding.left);
            float* const out = call.out.pixel(n, g, y, 0);
            const EvenSplit split = EvenSplit::at_most(call.out.shape.w, widest);
            for_alike_tiles(
                split, 0, split.runs, split.runs, [&](int, int x, int pixels, int count) {
                    tiles[pixels - 1](t, in + x * t.step, out + std::ptrdiff_t{x} * kernels_->lanes,
                                      count, times);
                });
        };
        const int pairs = rows_in_unit(call) == 2 ? (end - begin) / 2 : 0;
        const int single = begin + 2 * pairs;
        if (pairs > 0) compute(pairs_->data(), pair_pixels_, begin, pairs);
        if (single < end) compute(tiles_->data(), tile_pixels_, single, end - single);
        for (int y = begin; y < end; ++y) clear_border_of_row(call.out, n, g, y);
    }

   private:
    /// Two rows at a time where there is a kernel that is as narrow as they are.
    int rows_in_unit(const DepthwiseCall& call) const {
        if (!pairs_) return 1;
        const EvenSplit split = EvenSplit::at_most(call.out.shape.w, pair_pixels_);
        const int widest = split.shorter + (split.longer_runs > 0 ? 1 : 0);
        return pair_of(split.shorter) && pair_of(widest) ? 2 : 1;
    }
    DepthwiseTileFunction pair_of(int pixels) const {
        return (*pairs_)[static_cast<std::size_t>(pixels - 1)];
    }

    std::size_t group_size() const {
        return static_cast<std::size_t>((geometry_.filter_size() + 1) * kernels_->lanes);
    }

    const KernelTable* kernels_ = nullptr;
    ConvGeometry geometry_;
    const DepthwiseTileTable* tiles_ = nullptr;
    const DepthwisePairTable* pairs_ = nullptr;  ///< null: not for this geometry
    int tile_pixels_ = 1;                        ///< of the widest tile
    int pair_pixels_ = 0;                        ///< of the widest pair of rows
};

LUMBAR_NAMESPACE_END
