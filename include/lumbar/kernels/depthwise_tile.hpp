// Depthwise convolution: every channel with its own filter, so a vector of channels is multiplied
// by a vector of weights, and nothing is broadcast.
//
// Algorithm: a run of Pixels neighbouring outputs in registers; for each row of taps the K weights
// are loaded once and every input pixel is the memory operand of a fused multiply-add: one load per
// FMA. At stride 1, two rows of outputs at a time: an input vector is loaded once for all the
// outputs that it is part of, in both rows, so that the loads are no longer the bound.
//
// Registers: Pixels accumulators + K weights; in pairs of rows twice as many of each. Eight
// accumulators hide the FMA's latency.
#pragma once

#include <lumbar/kernels/epilogue.hpp>
#include <lumbar/simd/simd.hpp>

#include <array>
#include <cstddef>

LUMBAR_NAMESPACE_BEGIN

/// What all tiles of one group of channels share. Distances are in floats.
struct DepthwiseTile {
    const float* weights = nullptr;  ///< [tap row][tap col][lanes]
    const float* bias = nullptr;     ///< [lanes]
    int kernel_h = 1;
    int kernel_w = 1;
    std::ptrdiff_t tap_row = 0;  ///< from one row of taps to the next (dilation * row)
    std::ptrdiff_t tap_col = 0;  ///< from one tap to the next; `lanes` in the fixed-size kernels
    std::ptrdiff_t step = 0;     ///< from the first tap of a pixel to that of the next
    std::ptrdiff_t in_row = 0;   ///< from the first tap of a pixel to that of the one below
    std::ptrdiff_t out_row = 0;  ///< from one row of outputs to the next
    Epilogue epilogue;
};

/// Computes `rows` rows of `tiles` runs of Pixels neighbouring output pixels of one group; `in` is
/// the first tap of the first pixel.
using DepthwiseTileFunction = void (*)(const DepthwiseTile&, const float* in, float* out, int tiles,
                                       int rows);

/// Kernel: 3 or 5 (square, not dilated), or 0 for any.
template <class Arch, int Kernel, int Pixels>
LUMBAR_NEVER_INLINE void depthwise_tile(const DepthwiseTile& t, const float* in, float* out,
                                        int tiles, int rows) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    const std::ptrdiff_t step = t.step;
    for (; rows > 0; --rows, in += t.in_row, out += t.out_row) {
        const float* from = in;
        float* to = out;
        for (int tile = 0; tile < tiles; ++tile, from += Pixels * step, to += Pixels * L) {
            V acc[Pixels];
            const V bias = simd::load<Arch>(t.bias);
            LUMBAR_UNROLL
            for (int p = 0; p < Pixels; ++p) acc[p] = bias;

            const float* weights = t.weights;
            const float* row = from;
            simd::park(in, out, tiles, rows, from, to, tile);
            if constexpr (Kernel > 0) {
                for (int y = 0; y < Kernel; ++y, row += t.tap_row, weights += Kernel * L) {
                    V w[Kernel];
                    LUMBAR_UNROLL
                    for (int x = 0; x < Kernel; ++x) w[x] = simd::load<Arch>(weights + x * L);
                    const float* pixel = row;
                    LUMBAR_UNROLL
                    for (int p = 0; p < Pixels; ++p, pixel += step) {
                        LUMBAR_UNROLL
                        for (int x = 0; x < Kernel; ++x) {
                            acc[p] = simd::fma<Arch>(simd::load<Arch>(pixel + x * L), w[x], acc[p]);
                        }
                    }
                }
            } else {
                for (int y = 0; y < t.kernel_h; ++y, row += t.tap_row) {
                    const float* tap = row;
                    for (int x = 0; x < t.kernel_w; ++x, tap += t.tap_col, weights += L) {
                        const V w = simd::load<Arch>(weights);
                        LUMBAR_UNROLL
                        for (int p = 0; p < Pixels; ++p) {
                            acc[p] = simd::fma<Arch>(simd::load<Arch>(tap + p * step), w, acc[p]);
                        }
                    }
                }
            }
            activate_sums<Arch>(t.epilogue, [&](auto activation) LUMBAR_LAMBDA_INLINE {
                LUMBAR_UNROLL
                for (int p = 0; p < Pixels; ++p) acc[p] = activation(acc[p]);
            });
            LUMBAR_UNROLL
            for (int p = 0; p < Pixels; ++p) simd::store<Arch>(to + p * L, acc[p]);
        }
    }
}

/// The same for `pairs` pairs of rows, at stride 1: a row of inputs is loaded once and used for
/// both rows of outputs.
template <class Arch, int Kernel, int Pixels>
LUMBAR_NEVER_INLINE void depthwise_pair(const DepthwiseTile& t, const float* in, float* out,
                                        int tiles, int pairs) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    for (; pairs > 0; --pairs, in += 2 * t.in_row, out += 2 * t.out_row) {
        const float* from = in;
        float* to = out;
        for (int tile = 0; tile < tiles; ++tile, from += Pixels * L, to += Pixels * L) {
            V acc[2][Pixels];
            const V bias = simd::load<Arch>(t.bias);
            LUMBAR_UNROLL
            for (int p = 0; p < Pixels; ++p) acc[0][p] = acc[1][p] = bias;

            const float* weights = t.weights;
            const float* row = from;
            V w[2][Kernel];  // for the upper and the lower row of outputs
            LUMBAR_UNROLL
            for (int y = 0; y <= Kernel; ++y, row += t.tap_row, weights += Kernel * L) {
                LUMBAR_UNROLL
                for (int x = 0; x < Kernel; ++x) {
                    if (y > 0) w[1][x] = w[0][x];
                    if (y < Kernel) w[0][x] = simd::load<Arch>(weights + x * L);
                }
                LUMBAR_UNROLL
                for (int i = 0; i < Pixels + Kernel - 1; ++i) {
                    const V value = simd::load<Arch>(row + i * L);
                    LUMBAR_UNROLL
                    for (int x = 0; x < Kernel; ++x) {
                        const int p = i - x;
                        if (p < 0 || p >= Pixels) continue;
                        if (y < Kernel) acc[0][p] = simd::fma<Arch>(value, w[0][x], acc[0][p]);
                        if (y > 0) acc[1][p] = simd::fma<Arch>(value, w[1][x], acc[1][p]);
                    }
                }
            }
            activate_sums<Arch>(t.epilogue, [&](auto activation) LUMBAR_LAMBDA_INLINE {
                LUMBAR_UNROLL
                for (int p = 0; p < Pixels; ++p) {
                    acc[0][p] = activation(acc[0][p]);
                    acc[1][p] = activation(acc[1][p]);
                }
            });
            LUMBAR_UNROLL
            for (int p = 0; p < Pixels; ++p) {
                simd::store<Arch>(to + p * L, acc[0][p]);
                simd::store<Arch>(to + t.out_row + p * L, acc[1][p]);
            }
        }
    }
}

inline constexpr int kMaxDepthwisePixels = 8;
/// The widest tile of a kernel (0: the generic one, which is rare, and every width of it would be
/// code in every program).
constexpr int max_depthwise_pixels(int kernel) { return kernel > 0 ? kMaxDepthwisePixels : 4; }
using DepthwiseTileTable = std::array<DepthwiseTileFunction, kMaxDepthwisePixels>;

namespace detail {
template <class Arch, int Kernel, int Pixels = 1>
constexpr void add_depthwise_tiles(DepthwiseTileTable& table) {
    if constexpr (Pixels <= max_depthwise_pixels(Kernel)) {
        table[Pixels - 1] = &depthwise_tile<Arch, Kernel, Pixels>;
        add_depthwise_tiles<Arch, Kernel, Pixels + 1>(table);
    }
}
}  // namespace detail

/// The widest pair of rows: as many accumulators as fit beside the weights; 0: none.
template <class Arch>
constexpr int max_pair_pixels(int kernel) {
    if (simd::registers<Arch> >= 32) return 7;
    return kernel == 3 && simd::lanes<Arch> > 4 ? 4 : 0;
}
/// The narrowest: half as wide, for rows are cut evenly.
template <class Arch>
constexpr int min_pair_pixels(int kernel) {
    return (max_pair_pixels<Arch>(kernel) + 1) / 2;
}
inline constexpr int kMaxPairPixels = 7;
using DepthwisePairTable = std::array<DepthwiseTileFunction, kMaxPairPixels>;

namespace detail {
template <class Arch, int Kernel, int Pixels>
constexpr void add_depthwise_pairs(DepthwisePairTable& table) {
    if constexpr (Pixels > 0 && Pixels <= max_pair_pixels<Arch>(Kernel)) {
        table[Pixels - 1] = &depthwise_pair<Arch, Kernel, Pixels>;
        add_depthwise_pairs<Arch, Kernel, Pixels + 1>(table);
    }
}
}  // namespace detail

/// [pixels - 1]; null where there is none.
template <class Arch, int Kernel>
constexpr DepthwisePairTable depthwise_pairs() {
    DepthwisePairTable table{};
    detail::add_depthwise_pairs<Arch, Kernel, min_pair_pixels<Arch>(Kernel)>(table);
    return table;
}

/// [pixels - 1]; null beyond max_depthwise_pixels(Kernel)
template <class Arch, int Kernel>
constexpr DepthwiseTileTable depthwise_tiles() {
    DepthwiseTileTable table{};
    detail::add_depthwise_tiles<Arch, Kernel>(table);
    return table;
}

LUMBAR_NAMESPACE_END
