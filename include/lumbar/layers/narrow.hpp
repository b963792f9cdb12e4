// Activations as bfloat16: a copy with pairs of channels in the places of floats, for the
// convolutions of kernels/bfloat16_table.hpp. The border is copied with the image.
#pragma once

#include <lumbar/core/view.hpp>
#include <lumbar/kernels/bfloat16_table.hpp>

#include <cstddef>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

namespace detail {
/// From the start of a plane, its border included, to pixel (0, 0).
inline std::ptrdiff_t plane_origin(const BlockedView& v) {
    return v.border.top * v.row + std::ptrdiff_t{v.border.left} * v.lanes;
}
}  // namespace detail

/// Floats that the copy of `v` takes.
inline std::size_t narrow_size(const BlockedView& v) {
    return static_cast<std::size_t>(v.shape.n * v.groups() * v.group / 2);
}

/// The copy of `v` in `memory` (none: the layout alone): without the other slices of a
/// concatenation.
inline BlockedView narrow_view(BlockedView v, float* memory) {
    v.data = memory ? memory + detail::plane_origin(v) / 2 : nullptr;
    v.image = v.groups() * v.group / 2;
    v.lanes /= 2;
    v.row /= 2;
    v.group /= 2;
    return v;
}

/// Copies planes [begin, end) of all images' groups of channels.
inline void narrow_planes(NarrowFunction narrow, const BlockedView& from, float* memory,
                          std::int64_t begin, std::int64_t end) noexcept {
    const int groups = from.groups();
    for (std::int64_t i = begin; i < end; ++i) {
        const float* const pixel =
            from.pixel(static_cast<int>(i / groups), static_cast<int>(i % groups), 0, 0);
        narrow(pixel - detail::plane_origin(from), memory + i * from.group / 2, from.group);
    }
}

LUMBAR_NAMESPACE_END
