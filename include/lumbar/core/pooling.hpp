// Pooling windows with PyTorch's semantics.
#pragma once

#include <lumbar/core/geometry.hpp>

#include <algorithm>

LUMBAR_NAMESPACE_BEGIN

/// A pooling window, as torch.nn.MaxPool2d and AvgPool2d take it.
struct PoolGeometry {
    enum class Kind { max, average };
    Kind kind = Kind::max;
    Extent kernel{2, 2};
    Extent stride{2, 2};
    Extent dilation{};              ///< maximum only
    Padding padding{};              ///< never part of a maximum
    bool ceil_mode = false;         ///< a last, partial window counts
    bool count_include_pad = true;  ///< an average divides by padding too
    Extent adaptive{0, 0};          ///< nonzero: the output's size, as torch.nn.AdaptiveAvgPool2d
};

/// Number of windows along one dimension (ATen, Pool.h: in ceil_mode the last window has to start
/// inside the image or the padding before it, and a first window may be larger than the image, by
/// less than a stride).
constexpr int pool_positions(int input, int before, int after, int kernel, int stride, int dilation,
                             bool ceil_mode) {
    const int span = (kernel - 1) * dilation + 1;
    const int room = input + before + after - span;
    if (room < 0) return ceil_mode && room > -stride && input > 0 ? 1 : 0;
    int positions = (ceil_mode ? ceil_div(room, stride) : room / stride) + 1;
    if (ceil_mode && (positions - 1) * stride >= input + before) --positions;
    return positions;
}

constexpr Shape output_shape(const PoolGeometry& g, const Shape& in) {
    if (g.adaptive.h > 0) return {in.n, in.c, g.adaptive.h, g.adaptive.w};
    return {in.n, in.c,
            pool_positions(in.h, g.padding.top, g.padding.bottom, g.kernel.h, g.stride.h,
                           g.dilation.h, g.ceil_mode),
            pool_positions(in.w, g.padding.left, g.padding.right, g.kernel.w, g.stride.w,
                           g.dilation.w, g.ceil_mode)};
}

LUMBAR_NAMESPACE_END
