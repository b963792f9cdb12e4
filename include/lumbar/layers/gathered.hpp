// What a strided pointwise convolution reads: every s-th pixel of every s-th row, copied side by
// side. Where a pixel is less than a cache line, the others on its line would come along each time
// that a block of output channels passes over the image.
#pragma once

#include <lumbar/core/geometry.hpp>
#include <lumbar/core/view.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

/// Of the copy of `v`: `size` pixels, without a border.
inline BlockedLayout gathered_layout(const BlockedView& v, const Extent& size) {
    return {{v.shape.n, v.shape.c, size.h, size.w}, v.lanes, {}};
}

/// Copies planes [begin, end) of all images' groups of channels to a view of the gathered layout.
inline void gather_planes(const BlockedView& from, const Extent& stride, const BlockedView& to,
                          std::int64_t begin, std::int64_t end) noexcept {
    const std::ptrdiff_t step = std::ptrdiff_t{stride.w} * from.lanes;
    for (std::int64_t i = begin; i < end; ++i) {
        const int n = static_cast<int>(i / to.groups()), g = static_cast<int>(i % to.groups());
        for (int y = 0; y < to.shape.h; ++y) {
            const float* pixel = from.pixel(n, g, y * stride.h, 0);
            float* at = to.pixel(n, g, y, 0);
            for (int x = 0; x < to.shape.w; ++x, pixel += step, at += to.lanes) {
                std::copy_n(pixel, to.lanes, at);
            }
        }
    }
}

LUMBAR_NAMESPACE_END
