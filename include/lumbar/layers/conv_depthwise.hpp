// A pointwise convolution and the depthwise convolution that alone reads its result, as one layer:
// the wide tensor between them, which in a MobileNet does not fit into L2, is never stored.
//
// A unit of work is a block of channels and a strip of the result's rows. The pointwise convolution
// writes the rows that the strip needs, of the block's channels only, into scratch that stays in
// the cache; the depthwise convolution reads them there. Neighbouring strips compute the rows again
// that both need, so that units are independent.
#pragma once

#include <lumbar/core/view.hpp>
#include <lumbar/layers/depthwise_conv.hpp>
#include <lumbar/layers/direct_conv.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

/// What one run works on: the input of the pointwise, the output of the depthwise convolution.
struct ConvDepthwiseCall {
    BlockedView in{};
    BlockedView out{};
    Epilogue middle{};  ///< of the pointwise convolution
    Epilogue last{};    ///< of the depthwise convolution
};

class ConvDepthwise {
   public:
    ConvDepthwise() = default;
    /// `middle`: the shape between the two; `out`: of the result. No window of `depthwise` lies
    /// above or below the image altogether. `threads`: that will share the work. `bfloat16`: of the
    /// pointwise convolution (DirectConv::Options).
    LUMBAR_COLD ConvDepthwise(const KernelTable& kernels, const ConvGeometry& conv,
                              const ConvGeometry& depthwise, const Shape& middle, const Shape& out,
                              int threads, const Bfloat16Kernels* bfloat16 = nullptr)
        : conv_(kernels, conv,
                {.plain_input = false,
                 .row_pixels = static_cast<int>(middle.pixels()),
                 .destinations = {},
                 .bands = 1,
                 .bfloat16 = bfloat16}),
          depthwise_(kernels, depthwise),
          middle_(middle),
          border_(border_read(depthwise, middle)),
          lanes_(kernels.lanes) {
        row_ = std::ptrdiff_t{middle.w + border_.left + border_.right} * lanes_;
        constexpr std::ptrdiff_t kMostFloats = std::ptrdiff_t{448} * 1024 / sizeof(float);
        const int stride = depthwise.stride.h;
        const auto floats = [&](int strips) {
            const int rows = std::min(ceil_div(out.h, strips) * stride + extra_rows(),
                                      middle.h + border_.top + border_.bottom);
            return conv_.tile_groups() * rows * row_;
        };
        int strips = 1;
        while (floats(strips) > kMostFloats && ceil_div(out.h, strips) > 4) ++strips;
        // As many for each thread, so that it finds the rows that it has written itself in its own
        // cache; where that leaves it few rows, those that are computed twice cost more (two
        // threads, MobileNet V3 Large 0.91, V1 0.94, V2 1.00 of the time with 20 in place of 6).
        if (threads > 1 && out.h >= 20 * threads) strips = round_up(strips, threads);
        // Pairs of rows stay together.
        const int strip_rows = round_up(ceil_div(out.h, strips), 2);
        strip_rows_ = strip_rows;
        strips_ = ceil_div(out.h, strip_rows);
        scratch_size_ = static_cast<std::size_t>(
            conv_.tile_groups() *
            std::min(strip_rows * stride + extra_rows(), middle.h + border_.top + border_.bottom) *
            row_);
    }

    const DirectConv& conv() const { return conv_; }
    const DepthwiseConv& depthwise() const { return depthwise_; }

    /// Floats of scratch that one thread needs.
    std::size_t scratch_size() const { return scratch_size_; }

    std::int64_t units(const ConvDepthwiseCall& call) const {
        return std::int64_t{call.out.shape.n} * conv_.blocks() * strips_;
    }

    /// `conv_packed` and `depthwise_packed`: as conv() and depthwise() pack them.
    void run(const ConvDepthwiseCall& call, const float* conv_packed, const float* depthwise_packed,
             std::int64_t begin, std::int64_t end, float* scratch) const noexcept {
        int cleared = -1;  // the strip whose borders are zero in the scratch
        for (std::int64_t unit = begin; unit < end; ++unit) {
            const int block = static_cast<int>(unit % conv_.blocks());
            const int strip = static_cast<int>(unit / conv_.blocks() % strips_);
            const int n = static_cast<int>(unit / conv_.blocks() / strips_);
            const int first_row = strip * strip_rows_;
            const int last_row = std::min(first_row + strip_rows_, call.out.shape.h);
            const Rows held = rows_read(first_row, last_row);

            // A view of which only these rows, and this block's groups, are there.
            BlockedView wide;
            wide.shape = middle_;
            wide.lanes = lanes_;
            wide.border = border_;
            wide.row = row_;
            wide.group = (held.end - held.begin) * row_;
            wide.data = scratch + std::ptrdiff_t{border_.left} * lanes_ - held.begin * row_;
            const int first = std::max(held.begin, 0), last = std::min(held.end, middle_.h);
            // Once: what the convolution writes lies between. (Before each block it takes 3 % of
            // the time of most such layers.)
            if (strip != cleared) clear_borders(wide, first, last);
            cleared = strip;
            wide.data -= conv_.first_group(block) * wide.group;

            BlockedView inner = wide;
            inner.border = {};
            ConvCall conv;
            conv.in = call.in;
            conv.out = {&inner, 1};
            conv.epilogue = call.middle;
            conv_.run_rows(conv, conv_packed, block, n, first, last);
            const DepthwiseCall depthwise{wide, call.out, call.last};
            for (int g = 0; g < conv_.groups(block); ++g) {
                depthwise_.run_rows(depthwise, depthwise_packed, n, conv_.first_group(block) + g,
                                    first_row, last_row);
            }
        }
    }

   private:
    struct Rows {
        int begin = 0;
        int end = 0;
    };

    void clear_borders(const BlockedView& wide, int first, int last) const noexcept {
        for (int g = 0; g < conv_.tile_groups(); ++g) {
            for (int y = first; y < last; ++y) clear_border_of_row(wide, 0, g, y);
        }
    }

    /// Rows that a strip reads beyond `stride` for each of its own.
    int extra_rows() const {
        const ConvGeometry& g = depthwise_.geometry();
        return (g.kernel.h - 1) * g.dilation.h + border_.top + border_.bottom;
    }

    /// The rows of the wide tensor that rows [first, last) of the result need; with all of the
    /// border where they touch it, for the row beside it writes all its zeros.
    Rows rows_read(int first, int last) const {
        const ConvGeometry& g = depthwise_.geometry();
        Rows r{first * g.stride.h - g.padding.top,
               (last - 1) * g.stride.h - g.padding.top + (g.kernel.h - 1) * g.dilation.h + 1};
        if (r.begin <= 0) r.begin = -border_.top;
        if (r.end >= middle_.h) r.end = middle_.h + border_.bottom;
        return r;
    }

    DirectConv conv_;
    DepthwiseConv depthwise_;
    Shape middle_;
    Padding border_;
    int lanes_ = 1;
    std::ptrdiff_t row_ = 0;
    int strips_ = 1;
    int strip_rows_ = 1;
    std::size_t scratch_size_ = 0;
};

LUMBAR_NAMESPACE_END
