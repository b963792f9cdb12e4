// What a strided pointwise convolution reads: every s-th pixel of every s-th row, copied side by
// side. Where a pixel is less than a cache line, the others on its line would come along each time
// that a block of output channels passes over the image.
#pragma once

#include <lumbar/core/geometry.hpp>
#include <lumbar/core/view.hpp>
#include <lumbar/kernels/table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

/// Whether the copy is worth it: pixels of less than a line, and many blocks of output channels
/// that would read them.
inline bool gather_pays(const KernelTable& kernels, const ConvGeometry& g) {
    constexpr int kLine = kAlignment / sizeof(float);
    return g.kernel == Extent{1, 1} && g.padding == Padding{} && g.stride != Extent{1, 1} &&
           g.groups == 1 && kernels.lanes > 1 && kernels.lanes < kLine &&
           g.out_channels >= 32 * kernels.lanes;
}

/// The copy of `v` in `memory`: `size` pixels, without a border.
inline BlockedView gathered_view(BlockedView v, const Extent& size, float* memory) {
    v.data = memory;
    v.shape.h = size.h;
    v.shape.w = size.w;
    v.border = {};
    v.row = std::ptrdiff_t{size.w} * v.lanes;
    v.group = size.h * v.row;
    v.image = v.groups() * v.group;
    return v;
}

/// Copies planes [begin, end) of all images' groups of channels.
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
