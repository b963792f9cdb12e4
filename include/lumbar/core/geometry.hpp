// The geometry of convolution and pooling windows, with all padding resolved to numbers.
#pragma once

#include <lumbar/core/shape.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// A two-dimensional convolution. Filters are [out_channels][in_channels / groups][h][w].
struct ConvGeometry {
    int in_channels = 0;
    int out_channels = 0;
    Extent kernel{};
    Extent stride{};
    Extent dilation{};
    Padding padding{};
    int groups = 1;

    constexpr bool pointwise() const {
        return kernel == Extent{1, 1} && stride == Extent{1, 1} && padding == Padding{};
    }
    constexpr bool depthwise() const { return groups == in_channels && groups == out_channels; }
    /// Weights of one output channel.
    constexpr std::int64_t filter_size() const {
        return std::int64_t{in_channels} / groups * kernel.h * kernel.w;
    }
};

/// The output of a window operation along both dimensions; a value below 1 where it does not fit.
constexpr Extent output_extent(Extent in, Extent kernel, Extent stride, Extent dilation,
                               Padding padding) {
    return {window_positions(in.h, padding.top, padding.bottom, kernel.h, stride.h, dilation.h),
            window_positions(in.w, padding.left, padding.right, kernel.w, stride.w, dilation.w)};
}

constexpr Shape output_shape(const ConvGeometry& g, const Shape& in) {
    const Extent out = output_extent({in.h, in.w}, g.kernel, g.stride, g.dilation, g.padding);
    return {in.n, g.out_channels, out.h, out.w};
}

/// The border that a convolution reads around an input of this shape: its padding, as far as a
/// window really reaches into it (a stride may leave the last columns unread).
constexpr Padding border_read(const ConvGeometry& g, const Shape& in) {
    const Shape out = output_shape(g, in);
    const int bottom =
        (out.h - 1) * g.stride.h + (g.kernel.h - 1) * g.dilation.h + 1 - g.padding.top - in.h;
    const int right =
        (out.w - 1) * g.stride.w + (g.kernel.w - 1) * g.dilation.w + 1 - g.padding.left - in.w;
    return {g.padding.top, g.padding.left, std::max(bottom, 0), std::max(right, 0)};
}

constexpr Padding widest(const Padding& a, const Padding& b) {
    return {std::max(a.top, b.top), std::max(a.left, b.left), std::max(a.bottom, b.bottom),
            std::max(a.right, b.right)};
}

/// A row of `length` pixels cut into as few runs of at most `longest` as possible, all nearly equal
/// (17 = 9 + 8, 35 = 12 + 12 + 11): run i starts at start(i).
struct EvenSplit {
    int length = 0;
    int runs = 0;
    int shorter = 0;      ///< pixels of a run
    int longer_runs = 0;  ///< as many runs, the first ones, have one pixel more

    constexpr EvenSplit() = default;
    /// `runs`: at least 1.
    constexpr EvenSplit(int pixels, int number)
        : length(pixels), runs(number), shorter(pixels / number), longer_runs(pixels % number) {}

    static constexpr EvenSplit at_most(int length, int longest) {
        return {length, ceil_div(length, longest)};
    }
    constexpr int start(int i) const { return i * shorter + std::min(i, longer_runs); }
};

LUMBAR_NAMESPACE_END
