// The one micro-kernel of dense convolution: pointwise, spatial, strided, dilated, grouped and
// first-layer convolutions are all this tile, with other strides.
//
// Algorithm: a tile of Pixels x Groups accumulators, each one vector of output channels. For every
// tap and every input channel it loads Groups weight vectors (packed in exactly this order, read
// once from front to back), broadcasts the channel of each pixel and uses it Groups times.
//
//     input, one tap            weights                       accumulators
//     pixel 0: c0 c1 c2 ...     c0: [g0: L lanes][g1: ...]    acc[0][g0] acc[0][g1]
//     pixel 1: c0 c1 c2 ...     c1: [g0        ][g1      ]    acc[1][g0] acc[1][g1]
//
// Registers: Pixels * Groups accumulators + Groups weights + 1 broadcast. The tiles that reach 95 %
// of the FMA peak have 12 accumulators or more; below 8 the FMA's latency shows. Squarer tiles load
// less for each multiply-add, which counts where another thread runs on the same core (Emerald
// Rapids: 9 x 3 and 6 x 4 take 0.87 to 0.9 of the time of 14 x 2 then, as much when alone).
//
// With 8 lanes all channels of a tap are one run of instructions, without a loop: each of them then
// reads at one distance after another, from group to group of a pointwise convolution, which the
// CPU notices and fetches ahead. (AVX2, Zen 3: 0.6 to 0.85 of the time of 1x1 from 256 channels and
// more, whose input comes from L2 or L3. In a loop, even one of two rounds, an instruction goes on
// by a channel and then by a group.) Not measured with 4 and 16 lanes; 16 would take 4 KB of code
// for a tile.
//
// A call computes several tiles side by side: the call itself takes some 40 cycles, which sums over
// few channels would feel (16: 250 cycles).
//
// The distance between pixels (stride * lanes; 1 * stride for a first layer, whose input is plain)
// is a run-time value. Measured against a compile-time distance the difference is below 1 %, with
// g++ 12 and clang 14, because pixels share an address register (base, +d, +2d, +3d, +4d are
// addressing modes on x86); it saves an instance per stride.
#pragma once

#include <lumbar/core/memory.hpp>
#include <lumbar/kernels/epilogue.hpp>
#include <lumbar/simd/simd.hpp>

#include <array>
#include <cstddef>
#include <limits>
#include <type_traits>

LUMBAR_NAMESPACE_BEGIN

/// No tile of any instruction set is larger.
inline constexpr int kMaxTileGroups = 4;
inline constexpr int kMaxTilePixels = 14;

/// What all tiles of one block of output channels share. Distances are in floats.
struct ConvTile {
    const float* weights = nullptr;  ///< [in group][tap row][tap col][in lane][out group][lanes]
    const float* bias = nullptr;     ///< [out group][lanes]
    int in_groups = 0;  ///< groups of input channels to sum over, at least 1; pointwise: 1
    int kernel_h = 1;
    int kernel_w = 1;   ///< pointwise: the groups of input channels
    int full_taps = 0;  ///< taps that have in_lanes channels, counted over all groups
    int in_lanes = 0;
    int last_lanes = 0;            ///< channels of each tap after those
    std::ptrdiff_t in_lane = 1;    ///< from one channel of a group to the next
    std::ptrdiff_t in_group = 0;   ///< from one group of input channels to the next
    std::ptrdiff_t tap_row = 0;    ///< from one row of taps to the next (dilation * row)
    std::ptrdiff_t tap_col = 0;    ///< from one tap to the next
    std::ptrdiff_t step = 0;       ///< from the first tap of a pixel to that of the next pixel
    std::ptrdiff_t out_group = 0;  ///< from one group of output channels to the next
    std::ptrdiff_t residual_group = 0;
    /// Pixels before the end of a row of the output, and in every later row; `row_gap` floats lie
    /// between two.
    int row_end = std::numeric_limits<int>::max();
    int row_width = 0;
    std::ptrdiff_t row_gap = 0;
    /// What to bring into L2 meanwhile, so many lines at each tap: the weights of later tiles;
    /// null: nothing.
    const float* fetch = nullptr;
    int fetch_lines = 0;
    Epilogue epilogue;

    /// One tap, and `channels` input channels in groups of `lanes`, `group` floats apart: the
    /// groups take the place of a row of taps, whose loop is the inner one.
    void set_pointwise(int channels, int lanes, std::ptrdiff_t group) {
        in_groups = kernel_h = 1;
        kernel_w = (channels + lanes - 1) / lanes;
        full_taps = channels / lanes;
        in_lanes = lanes;
        last_lanes = channels % lanes;
        in_group = tap_row = 0;
        tap_col = group;
    }
};

/// Computes `tiles` times Pixels neighbouring output pixels of Groups groups of channels. `in` is
/// the first tap of the first pixel in the first input group; `residual` (laid out as `out`, but
/// without ends of rows; added before the activation) may be null. Rounding: taps and channels are
/// summed in the weights' order.
using ConvTileFunction = void (*)(const ConvTile&, const float* in, float* out,
                                  const float* residual, int tiles);

/// How a tile multiplies: floats.
struct FloatProduct {
    template <class Arch, class V>
    static LUMBAR_ALWAYS_INLINE V add(const V& a, const V& b, const V& c) {
        return simd::fma<Arch>(a, b, c);
    }
};

template <class Arch, int Pixels, int Groups, class Product = FloatProduct>
LUMBAR_NEVER_INLINE void conv_tile(const ConvTile& t, const float* in, float* out,
                                   const float* residual, int tiles) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    constexpr std::ptrdiff_t kLine = kAlignment / sizeof(float);
    constexpr bool kUnrolled = L == 8 && std::is_same_v<Product, FloatProduct>;
    // Sums, weights and a value leave at most one register over.
    constexpr bool kFull = kUnrolled && (Pixels + 1) * Groups + 2 >= simd::registers<Arch>;
    const std::ptrdiff_t step = t.step, in_lane = t.in_lane;
    // Pixels `i` (0 to 4) further, in one addressing mode.
    std::ptrdiff_t once = step * static_cast<std::ptrdiff_t>(sizeof(float));
    std::ptrdiff_t thrice = 3 * once;
#if defined(__GNUC__)
    asm("" : "+r"(thrice));
#endif
    const auto pixel = [&](const float* first, int i) LUMBAR_LAMBDA_INLINE {
        const std::ptrdiff_t bytes = i == 3 ? thrice : i * once;
        return reinterpret_cast<const float*>(reinterpret_cast<const char*>(first) + bytes);
    };
    const float* fetch = t.fetch;
    int row_end = t.row_end;
    for (; tiles > 0; --tiles, in += Pixels * step) {
        V acc[Pixels][Groups];
        LUMBAR_UNROLL
        for (int g = 0; g < Groups; ++g) {
            const V bias = simd::load<Arch>(t.bias + g * L);
            LUMBAR_UNROLL
            for (int p = 0; p < Pixels; ++p) acc[p][g] = bias;
        }

        if constexpr (L < 16) {
            // Near when the sums are done: ResNet-50's 1x1 with a residual 0.95 to 0.97 of the time
            // with AVX2. (With AVX-512 0.98 to 1.02 on a Zen 4, ResNet-50 1.013 on an Emerald
            // Rapids.)
            if (residual) {
                LUMBAR_UNROLL
                for (int g = 0; g < Groups; ++g) {
                    LUMBAR_UNROLL
                    for (int i = 0; i < Pixels * L; i += kLine) {
                        simd::prefetch(residual + g * t.residual_group + i);
                    }
                }
            }
        }

        const float* weights = t.weights;
        // Adds the products of one input channel, whose value of pixel 0 is at `channel`. `fourth`:
        // that of pixel 4, where the channels of a tap share its address; else nullptr.
        const auto add_channel = [&](const float* channel, auto fourth) LUMBAR_LAMBDA_INLINE {
            V w[Groups];
            LUMBAR_UNROLL
            for (int g = 0; g < Groups; ++g) w[g] = simd::load<Arch>(weights + g * L);
            weights += Groups * L;
#if defined(__clang__)
            // Keeps clang from loading the next channel's weights before this one's are done with:
            // the 14 x 2 tile has no register for them (48 moves and a spill in two iterations,
            // with clang 14).
            asm volatile("" : : : "memory");
#endif
#if defined(__GNUC__)
            // Keeps the compiler from holding its multiples, where there is no register left for
            // them.
            if constexpr (Pixels * Groups > 24) asm("" : "+r"(once));
#endif
            const float* four = channel;
            LUMBAR_UNROLL
            for (int p = 0; p < Pixels; ++p) {
                if constexpr (Pixels > 5) {
                    if (p > 1 && p % 4 == 1) {
                        if (p == 5 && !std::is_same_v<decltype(fourth), std::nullptr_t>) {
                            four = fourth;
                        } else {
                            four = pixel(four, 4);
#if defined(__GNUC__)
                            // Keeps the compiler from holding a pointer per pixel.
                            asm("" : "+r"(four));
#endif
                        }
                    }
                }
#if defined(__GNUC__)
                // Nothing moves across a pixel: g++ would load weights once more for each, as
                // operands of the multiply-adds (1.3 times the time).
                if constexpr (kUnrolled) asm volatile("" : "+r"(once) : : "memory");
#endif
                V value = simd::broadcast<Arch>(*pixel(four, p == 0 ? 0 : (p - 1) % 4 + 1));
                LUMBAR_UNROLL
                for (int g = 0; g < Groups; ++g) {
                    acc[p][g] = Product::template add<Arch>(value, w[g], acc[p][g]);
                }
                // Keeps g++ from moving sums on into the registers of what they are made of, for
                // it spills them in the end.
                if constexpr (kFull) simd::pin<Arch>(value);
            }
            if constexpr (kFull) {
                LUMBAR_UNROLL
                for (int g = 0; g < Groups; ++g) simd::pin<Arch>(w[g]);
            }
        };
        // Before a tap's last channel (g++ 12 otherwise spills one there).
        const auto pin_sums = [&]() LUMBAR_LAMBDA_INLINE {
            LUMBAR_UNROLL
            for (int p = 0; p < Pixels; ++p) {
                LUMBAR_UNROLL
                for (int g = 0; g < Groups; ++g) simd::pin<Arch>(acc[p][g]);
            }
        };
        const float* taps = in;
        int whole_taps = kUnrolled && in_lane == 1 && t.in_lanes == L ? t.full_taps : 0;
        int full_taps = t.full_taps - whole_taps;
        simd::park(in, out, residual, tiles, row_end, full_taps);
        for (int group = 0; group < t.in_groups; ++group, taps += t.in_group) {
            const float* row = taps;
            for (int y = 0; y < t.kernel_h; ++y, row += t.tap_row) {
                const float* tap = row;
                for (int x = 0; x < t.kernel_w; ++x, tap += t.tap_col) {
                    if (fetch) {
                        for (int i = t.fetch_lines; i > 0; --i, fetch += kLine) {
                            simd::prefetch(fetch);
                        }
                    }
#if defined(__GNUC__)
                    // Makes the compiler read the loops' bounds again from `t`: held in registers
                    // they push each other out, and g++ 12 moves six of them through vector
                    // registers at every tap. Worth 1 % of the peak at 1x1 with AVX2; with 16
                    // lanes, whose taps take twice as long, it costs 1 %.
                    if constexpr (L < 16) asm volatile("" : : : "memory");
#endif
                    simd::park(fetch);
                    if (kUnrolled && whole_taps > 0) {
                        --whole_taps;
                        const float* fourth = pixel(tap, 4);
#if defined(__GNUC__)
                        asm("" : "+r"(fourth));
#endif
                        LUMBAR_UNROLL
                        for (int c = 0; c < L; ++c) {
                            if (kFull && c == L - 1) pin_sums();
                            add_channel(tap + c, fourth + c);
                        }
                    } else {
                        const int channels = full_taps-- > 0 ? t.in_lanes : t.last_lanes;
                        const float* channel = tap;
#if defined(__clang__)
#pragma clang loop unroll_count(2)
#elif defined(__GNUC__)
#pragma GCC unroll 2
#endif
                        for (int c = 0; c < channels; ++c, channel += in_lane) {
                            add_channel(channel, nullptr);
                        }
                    }
                }
            }
        }

        if (residual) {
            LUMBAR_UNROLL
            for (int g = 0; g < Groups; ++g) {
                LUMBAR_UNROLL
                for (int p = 0; p < Pixels; ++p) {
                    acc[p][g] =
                        acc[p][g] + simd::load<Arch>(residual + g * t.residual_group + p * L);
                }
            }
            residual += Pixels * L;
        }
        // Read before the first store, which might be one to them as far as the compiler knows.
        const std::ptrdiff_t out_group = t.out_group, row_gap = t.row_gap;
        const int row_width = t.row_width;
        activate_sums<Arch>(t.epilogue, [&](auto activation) LUMBAR_LAMBDA_INLINE {
            LUMBAR_UNROLL
            for (int g = 0; g < Groups; ++g) {
                LUMBAR_UNROLL
                for (int p = 0; p < Pixels; ++p) acc[p][g] = activation(acc[p][g]);
            }
        });
        LUMBAR_UNROLL
        for (int p = 0; p < Pixels; ++p) {
            float* const to = out + p * L;
            LUMBAR_UNROLL
            for (int g = 0; g < Groups; ++g) {
                simd::store<Arch>(to + g * out_group, acc[p][g]);
            }
            if (p + 1 == row_end) {
                row_end += row_width;
                out += row_gap;
            }
        }
        row_end -= Pixels;
        out += Pixels * L;
    }
}

/// The shapes of the tiles, by the register file: at most this many pixels for so many groups.
/// Zero: no such tile. More groups need fewer broadcasts, more pixels fewer weight loads; both
/// matter little once there are 12 accumulators.
template <class Arch>
constexpr int max_tile_pixels(int groups) {
    // Fewer groups have at least as many pixels: the last block of a layer runs the tiles of the
    // rest.
    if (simd::registers<Arch> >= 32) return groups <= 2 ? 14 : groups == 3 ? 9 : 6;
    return groups == 1 ? 8 : groups == 2 ? 6 : groups == 3 ? 4 : 0;
}

using ConvTileTable = std::array<std::array<ConvTileFunction, kMaxTilePixels>, kMaxTileGroups>;

namespace detail {
template <class Arch, class Product, int Groups, int Pixels>
constexpr void add_conv_tiles(ConvTileTable& table) {
    if constexpr (Pixels <= max_tile_pixels<Arch>(Groups)) {
        table[Groups - 1][Pixels - 1] = &conv_tile<Arch, Pixels, Groups, Product>;
        add_conv_tiles<Arch, Product, Groups, Pixels + 1>(table);
    } else if constexpr (Groups < kMaxTileGroups) {
        add_conv_tiles<Arch, Product, Groups + 1, 1>(table);
    }
}
}  // namespace detail

/// [groups - 1][pixels - 1]
template <class Arch, class Product = FloatProduct>
constexpr ConvTileTable conv_tiles() {
    ConvTileTable table{};
    detail::add_conv_tiles<Arch, Product, 1, 1>(table);
    return table;
}

LUMBAR_NAMESPACE_END
