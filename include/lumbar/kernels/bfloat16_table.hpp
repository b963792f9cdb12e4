// Kernels for weights of half the width, beside the KernelTable of the same instruction set: only
// programs that call bfloat16_kernels() contain them.
//
// Two bfloat16 (the upper halves of floats) lie in the place of a float: for each output channel
// the weights of two neighbouring input channels. So a pair of input channels is to these kernels
// what an input channel is to the others, and the micro-kernel of dense convolution is the same
// one, with another multiplication.
#pragma once

#include <lumbar/core/half.hpp>
#include <lumbar/kernels/conv_tile.hpp>
#include <lumbar/kernels/linear_tile.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

/// How a tile multiplies: pairs of bfloat16.
struct PairProduct {
    template <class Arch, class V>
    static LUMBAR_ALWAYS_INLINE V add(const V& a, const V& b, const V& c) {
        return simd::fma_pairs<Arch>(a, b, c);
    }
};

/// Two numbers, rounded to bfloat16, as the bits of a float; `low` lies first in memory.
inline float bfloat16_pair(float low, float high) {
    return std::bit_cast<float>(std::uint32_t{float_to_bfloat16(low)} |
                                std::uint32_t{float_to_bfloat16(high)} << 16);
}

/// Fully connected layers, as linear_tile: weights [pair of inputs][kLinearGroups][lanes]; `inputs`
/// is even. The inputs stay floats: the kernel waits for the weights.
template <class Arch, int Images>
LUMBAR_NEVER_INLINE void linear_pairs_tile(const LinearTile& t, const float* in, float* out) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    detail::LinearSums<Arch, Images> sums(t);
    const float* weights = t.weights;
    for (std::ptrdiff_t i = 0; i < t.inputs; i += 2, weights += kLinearGroups * L) {
        V low[Images], high[Images];
        LUMBAR_UNROLL
        for (int n = 0; n < Images; ++n) {
            low[n] = simd::broadcast<Arch>(in[i + n * t.in_image]);
            high[n] = simd::broadcast<Arch>(in[i + 1 + n * t.in_image]);
        }
        LUMBAR_UNROLL
        for (int g = 0; g < kLinearGroups; ++g) {
            const V w = simd::load<Arch>(weights + g * L);
            const V w_low = simd::low_halves<Arch>(w), w_high = simd::high_halves<Arch>(w);
            LUMBAR_UNROLL
            for (int n = 0; n < Images; ++n) {
                sums.acc[n][g] = simd::fma<Arch>(low[n], w_low, sums.acc[n][g]);
                sums.acc[n][g] = simd::fma<Arch>(high[n], w_high, sums.acc[n][g]);
            }
        }
    }
    sums.store(t, out);
}

/// Rounds `count` floats (a multiple of the lanes) to bfloat16; `to` has half as many.
using NarrowFunction = void (*)(const float* from, float* to, std::ptrdiff_t count);

template <class Arch>
LUMBAR_NEVER_INLINE void narrow_floats(const float* from, float* to, std::ptrdiff_t count) {
#if defined(__AVX512BF16__)
    // One instruction for what takes eight below. (Denormals become zero, as the multiplications
    // take them.)
    if constexpr (simd::has_bfloat16<Arch>) {
        for (std::ptrdiff_t i = 0; i < count; i += 16) {
            const __m256bh half = _mm512_cvtneps_pbh(_mm512_load_ps(from + i));
            _mm256_store_si256(reinterpret_cast<__m256i*>(to + i / 2),
                               std::bit_cast<__m256i>(half));
        }
        return;
    }
#endif
    for (std::ptrdiff_t i = 0; i < count; i += 2) to[i / 2] = bfloat16_pair(from[i], from[i + 1]);
}

struct Bfloat16Kernels {
    int lanes = 1;
    /// Whether convolutions gain: the CPU multiplies pairs by itself. Else only fully connected
    /// layers have narrow weights.
    bool convolutions = false;
    ConvTileTable conv{};
    LinearTileTable linear{};
    NarrowFunction narrow = nullptr;
};

template <class Arch>
constexpr Bfloat16Kernels make_bfloat16_kernels() {
    return {
        .lanes = simd::lanes<Arch>,
        .convolutions = simd::has_bfloat16<Arch>,
        .conv = conv_tiles<Arch, PairProduct>(),
        .linear = {&linear_pairs_tile<Arch, 1>, &linear_pairs_tile<Arch, 2>,
                   &linear_pairs_tile<Arch, 3>, &linear_pairs_tile<Arch, 4>},
        .narrow = &narrow_floats<Arch>,
    };
}

/// For CompileOptions::bfloat16. One lane per vector (simd::Scalar) has no pairs.
template <class Arch = simd::Native>
inline const Bfloat16Kernels& bfloat16_kernels() {
    static constexpr Bfloat16Kernels kernels = make_bfloat16_kernels<Arch>();
    return kernels;
}

LUMBAR_NAMESPACE_END
