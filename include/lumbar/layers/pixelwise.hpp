// Layers that work pixel by pixel: scale and shift per channel (batch normalisation), a scale per
// channel and image (squeeze-and-excite), addition, activation, copies into a slice of a
// concatenation.
#pragma once

#include <lumbar/core/view.hpp>
#include <lumbar/kernels/table.hpp>
#include <lumbar/layers/row_order.hpp>

#include <algorithm>
#include <cstddef>

LUMBAR_NAMESPACE_BEGIN

/// out = activation(in * scale + shift + addend), each optional. All views have one shape; `out`
/// may be `in` or `addend`.
struct PixelwiseCall {
    BlockedView in{};
    BlockedView out{};
    const BlockedView* addend = nullptr;
    const float* scale = nullptr;       ///< per channel, padded to whole groups
    const float* shift = nullptr;       ///< per channel, padded to whole groups
    const BlockedView* gate = nullptr;  ///< 1x1: a scale per image and channel; excludes `scale`
    Epilogue epilogue{};
};

class Pixelwise {
   public:
    Pixelwise() = default;
    explicit Pixelwise(const KernelTable& kernels) : kernels_(&kernels) {}

    std::int64_t units(const PixelwiseCall& call) const {
        return std::int64_t{call.out.shape.n} * call.out.groups() * call.out.shape.h;
    }

    void run(const PixelwiseCall& call, std::int64_t begin, std::int64_t end) const noexcept {
        const RowOrder order{call.out.groups(), call.out.shape.h};
        AffineRow row;
        row.width = call.out.shape.w;
        row.epilogue = call.epilogue;
        for (std::int64_t unit = begin; unit < end; ++unit) {
            const auto [n, g, y, count] = order.at(unit);
            const std::ptrdiff_t channel = std::ptrdiff_t{g} * call.out.lanes;
            row.a = call.in.pixel(n, g, y, 0);
            row.b = call.addend ? call.addend->pixel(n, g, y, 0) : nullptr;
            row.scale = call.gate    ? call.gate->pixel(n, g, 0, 0)
                        : call.scale ? call.scale + channel
                                     : nullptr;
            row.shift = call.shift ? call.shift + channel : nullptr;
            row.out = call.out.pixel(n, g, y, 0);
            kernels_->affine(row);
            clear_border_of_row(call.out, n, g, y);
        }
    }

   private:
    const KernelTable* kernels_ = nullptr;
};

/// Copies all channels of `in` to the channels of `out` that start at `first_channel`, which need
/// not be a multiple of the lanes. The copy that reaches the last channel zeroes the lanes beyond.
struct ChannelCopyCall {
    BlockedView in{};
    BlockedView out{};
    int first_channel = 0;
    bool zero_others = false;  ///< all channels of `out` that are not copied become zero
};

struct ChannelCopy {
    /// Pieces of work: rows of all images (lanes of one pixel are written by one thread only).
    std::int64_t units(const ChannelCopyCall& call) const {
        return std::int64_t{call.out.shape.n} * call.out.shape.h;
    }

    void run(const ChannelCopyCall& call, std::int64_t begin, std::int64_t end) const noexcept {
        const int lanes = call.out.lanes, height = call.out.shape.h, width = call.out.shape.w;
        const int channels = call.in.shape.c, first = call.first_channel;
        for (std::int64_t unit = begin; unit < end; ++unit) {
            const int y = static_cast<int>(unit % height), n = static_cast<int>(unit / height);
            if (call.zero_others) zero_row(call.out, n, y);
            for (int c = 0; c < channels;) {
                // The longest run that stays within a group on both sides.
                const int to = first + c;
                const int run = std::min({channels - c, lanes - c % lanes, lanes - to % lanes});
                const float* source = call.in.pixel(n, c / lanes, y, 0) + c % lanes;
                float* target = call.out.pixel(n, to / lanes, y, 0) + to % lanes;
                const int tail = to + run == call.out.shape.c
                                     ? round_up(call.out.shape.c, lanes) - call.out.shape.c
                                     : 0;
                for (int x = 0; x < width; ++x, source += lanes, target += lanes) {
                    std::copy_n(source, run, target);
                    std::fill_n(target + run, tail, 0.0f);
                }
                c += run;
            }
            const int last = (first + channels - 1) / lanes;
            for (int g = first / lanes; g <= last; ++g) clear_border_of_row(call.out, n, g, y);
        }
    }

   private:
    static void zero_row(const BlockedView& out, int n, int y) noexcept {
        for (int g = 0; g < out.groups(); ++g) {
            std::fill_n(out.pixel(n, g, y, 0), std::ptrdiff_t{out.shape.w} * out.lanes, 0.0f);
            clear_border_of_row(out, n, g, y);
        }
    }
};

LUMBAR_NAMESPACE_END
