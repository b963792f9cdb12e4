// Fully connected layers: every weight is used once per image, so at batch 1 the kernel is bound by
// reading the weights. They are packed in the order of use and read front to back, once for up to
// four images.
#pragma once

#include <lumbar/kernels/epilogue.hpp>
#include <lumbar/simd/simd.hpp>

#include <array>
#include <cstddef>

LUMBAR_NAMESPACE_BEGIN

/// Groups of outputs that a tile computes: four streams of multiply-adds hide enough latency to
/// outrun any memory.
inline constexpr int kLinearGroups = 4;
inline constexpr int kMaxLinearImages = 4;

struct LinearTile {
    const float* weights = nullptr;  ///< [input][kLinearGroups][lanes]
    const float* bias = nullptr;     ///< [kLinearGroups][lanes]
    std::ptrdiff_t inputs = 0;
    std::ptrdiff_t in_image = 0;  ///< floats from one image's inputs to the next
    std::ptrdiff_t out_image = 0;
    std::ptrdiff_t out_group = 0;
    int out_groups = kLinearGroups;  ///< groups to store (the last tile may have fewer)
    Epilogue epilogue;
};

using LinearTileFunction = void (*)(const LinearTile&, const float* in, float* out);

namespace detail {
/// The accumulators of a tile: what they begin with, and what becomes of them.
template <class Arch, int Images>
struct LinearSums {
    using V = simd::Vector<Arch>;
    static constexpr int L = simd::lanes<Arch>;
    V acc[Images][kLinearGroups];

    LUMBAR_ALWAYS_INLINE explicit LinearSums(const LinearTile& t) {
        LUMBAR_UNROLL
        for (int g = 0; g < kLinearGroups; ++g) {
            LUMBAR_UNROLL
            for (int n = 0; n < Images; ++n) acc[n][g] = simd::load<Arch>(t.bias + g * L);
        }
    }

    LUMBAR_ALWAYS_INLINE void store(const LinearTile& t, float* out) {
        activate_sums<Arch>(t.epilogue, [&](auto activation) LUMBAR_LAMBDA_INLINE {
            LUMBAR_UNROLL
            for (int g = 0; g < kLinearGroups; ++g) {
                LUMBAR_UNROLL
                for (int n = 0; n < Images; ++n) acc[n][g] = activation(acc[n][g]);
            }
        });
        LUMBAR_UNROLL
        for (int g = 0; g < kLinearGroups; ++g) {
            // Not a break: the newest clang would not unroll the loop.
            if (g >= t.out_groups) continue;
            LUMBAR_UNROLL
            for (int n = 0; n < Images; ++n) {
                simd::store<Arch>(out + g * t.out_group + n * t.out_image, acc[n][g]);
            }
        }
    }
};
}  // namespace detail

template <class Arch, int Images>
LUMBAR_NEVER_INLINE void linear_tile(const LinearTile& t, const float* in, float* out) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    detail::LinearSums<Arch, Images> sums(t);
    const float* weights = t.weights;
    const std::ptrdiff_t image = t.in_image;
    for (std::ptrdiff_t i = 0; i < t.inputs; ++i, weights += kLinearGroups * L) {
        V x[Images];
        LUMBAR_UNROLL
        for (int n = 0; n < Images; ++n) x[n] = simd::broadcast<Arch>(in[i + n * image]);
        LUMBAR_UNROLL
        for (int g = 0; g < kLinearGroups; ++g) {
            const V w = simd::load<Arch>(weights + g * L);
            LUMBAR_UNROLL
            for (int n = 0; n < Images; ++n)
                sums.acc[n][g] = simd::fma<Arch>(x[n], w, sums.acc[n][g]);
        }
    }
    sums.store(t, out);
}

using LinearTileTable = std::array<LinearTileFunction, kMaxLinearImages>;

/// [images - 1]
template <class Arch>
constexpr LinearTileTable linear_tiles() {
    return {&linear_tile<Arch, 1>, &linear_tile<Arch, 2>, &linear_tile<Arch, 3>,
            &linear_tile<Arch, 4>};
}

LUMBAR_NAMESPACE_END
