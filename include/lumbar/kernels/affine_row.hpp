// Everything that works pixel by pixel: batch normalisation that could not be folded, activations,
// additions, the scaling of squeeze-and-excite, copies.
#pragma once

#include <lumbar/kernels/epilogue.hpp>
#include <lumbar/simd/simd.hpp>

#include <cstddef>

LUMBAR_NAMESPACE_BEGIN

/// out = activation(a * scale + shift + b) over a run of pixels of one group. Null: scale 1,
/// shift 0, b 0. `out` may be `a` or `b`.
struct AffineRow {
    const float* a = nullptr;
    const float* b = nullptr;
    const float* scale = nullptr;  ///< [lanes]
    const float* shift = nullptr;  ///< [lanes]
    float* out = nullptr;
    int width = 0;  ///< pixels
    Epilogue epilogue;
};

using AffineRowFunction = void (*)(const AffineRow&);

template <class Arch>
LUMBAR_NEVER_INLINE void affine_row(const AffineRow& r) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    const V scale = r.scale ? simd::load<Arch>(r.scale) : simd::broadcast<Arch>(1.0f);
    const V shift = r.shift ? simd::load<Arch>(r.shift) : simd::broadcast<Arch>(0.0f);
    const bool affine = r.scale || r.shift;
    with_activation<Arch>(r.epilogue, [&](auto activation) LUMBAR_LAMBDA_INLINE {
        for (std::ptrdiff_t i = 0; i < std::ptrdiff_t{r.width} * L; i += L) {
            V v = simd::load<Arch>(r.a + i);
            if (affine) v = simd::fma<Arch>(v, scale, shift);
            if (r.b) v = v + simd::load<Arch>(r.b + i);
            simd::store<Arch>(r.out + i, activation(v));
        }
    });
}

LUMBAR_NAMESPACE_END
