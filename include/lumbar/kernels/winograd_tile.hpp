// The transforms of Winograd convolution: tiles of one group of channels, one after another.
// Between them stand multiplications of matrices, one for each of a tile's points, which conv_tile
// does.
//
//     input tile         points                                       output tile
//     (mh + rh - 1)      V[point][group][tile][lane]                   mh x mw
//   x (mw + rw - 1) -->  for each point: V x weights = M          -->
//
// Each function works along rows, then along columns; all channels of a vector side by side.
#pragma once

#include <lumbar/kernels/epilogue.hpp>
#include <lumbar/kernels/winograd_matrices.hpp>
#include <lumbar/simd/simd.hpp>

#include <array>
#include <cstddef>

// clang gives up unrolling the largest tiles with some versions of xsimd, and says so.
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

LUMBAR_NAMESPACE_BEGIN

/// Transforms one filter of taps_h x taps_w weights into its points, in double.
using WinogradFilterFunction = void (*)(const float* filter, double* points);

/// Transforms `tiles` input tiles, `next` floats apart: `in` is the first pixel of the first, `row`
/// the distance of its rows; its point i goes to `points + i * step`, and those of the other tiles
/// beside it.
using WinogradInputFunction = void (*)(const float* in, std::ptrdiff_t row, std::ptrdiff_t next,
                                       float* points, std::ptrdiff_t step, int tiles);

/// Where an output tile goes. Distances are in floats.
struct WinogradOutput {
    const float* bias = nullptr;      ///< of this group of channels
    const float* residual = nullptr;  ///< added before the activation; may be null
    std::ptrdiff_t residual_row = 0;
    float* out = nullptr;
    std::ptrdiff_t out_row = 0;
    std::ptrdiff_t next = 0;  ///< from one tile to the next
    int rows = 0;             ///< as many as lie inside the image; the rest is not written
    int columns = 0;
    Epilogue epilogue;  ///< a clamp (Epilogue::is_clamp)
};

/// Transforms the points of `tiles` tiles, point i of the first at `points + i * step` and those of
/// the others beside it, into their outputs.
using WinogradOutputFunction = void (*)(const float* points, std::ptrdiff_t step,
                                        const WinogradOutput& to, int tiles);

namespace detail {

/// B^T x: `Inputs` values, `step` apart, in place.
template <class Arch, int Inputs, int Step>
LUMBAR_ALWAYS_INLINE void winograd_input_line(simd::Vector<Arch>* x) {
    using V = simd::Vector<Arch>;
    if constexpr (Inputs > 1) {
        constexpr auto points = winograd_points<Inputs>();
        constexpr int pairs = points.pairs;
        // Sums of every other input, weighted by a product's coefficients (the last is 1).
        const auto sum = [&](const auto& c, int first, int terms) LUMBAR_LAMBDA_INLINE {
            V s = x[(first + 2 * terms) * Step];
            LUMBAR_UNROLL
            for (int i = terms - 1; i >= 0; --i) {
                const float weight = static_cast<float>(c[static_cast<std::size_t>(i)]);
                const V& term = x[(first + 2 * i) * Step];
                if (weight == -1.0f) {
                    s = s - term;
                } else if (weight == 1.0f) {
                    s = s + term;
                } else {
                    s = simd::fma<Arch>(simd::broadcast<Arch>(weight), term, s);
                }
            }
            return s;
        };
        V y[Inputs];
        constexpr auto all = points.product(-1);
        y[0] = sum(all, 0, pairs);
        LUMBAR_UNROLL
        for (int pair = 0; pair < pairs; ++pair) {
            const auto others = points.product(pair);
            const V even = sum(others, 2, pairs - 1);
            const V odd = sum(others, 1, pairs - 1);
            const float p = static_cast<float>(points.point[static_cast<std::size_t>(pair)]);
            const V scaled = p == 1.0f ? odd : odd * simd::broadcast<Arch>(p);
            y[1 + 2 * pair] = even + scaled;
            y[2 + 2 * pair] = even - scaled;
        }
        y[Inputs - 1] = sum(all, 1, pairs);
        LUMBAR_UNROLL
        for (int i = 0; i < Inputs; ++i) x[i * Step] = y[i];
    }
}

/// A^T x: `Outputs` values from `Inputs`; `step` apart, into the first of them.
template <class Arch, int Inputs, int Outputs, int Step>
LUMBAR_ALWAYS_INLINE void winograd_output_line(simd::Vector<Arch>* x) {
    using V = simd::Vector<Arch>;
    if constexpr (Inputs > 1) {
        constexpr auto points = winograd_points<Inputs>();
        constexpr int pairs = points.pairs;
        V even[pairs], odd[pairs];
        LUMBAR_UNROLL
        for (int pair = 0; pair < pairs; ++pair) {
            const V& plus = x[(1 + 2 * pair) * Step];
            const V& minus = x[(2 + 2 * pair) * Step];
            even[pair] = plus + minus;
            odd[pair] = plus - minus;
        }
        V y[Outputs];
        LUMBAR_UNROLL
        for (int t = 0; t < Outputs; ++t) {
            V s = x[(t == 0 ? 0 : Inputs - 1) * Step];
            bool empty = t != 0 && t != Outputs - 1;
            LUMBAR_UNROLL
            for (int pair = 0; pair < pairs; ++pair) {
                double power = 1.0;
                for (int i = 0; i < t; ++i) power *= points.point[static_cast<std::size_t>(pair)];
                const float weight = static_cast<float>(power);
                const V& term = t % 2 ? odd[pair] : even[pair];
                if (empty) {
                    s = weight == 1.0f ? term : term * simd::broadcast<Arch>(weight);
                } else {
                    s = weight == 1.0f ? s + term
                                       : simd::fma<Arch>(simd::broadcast<Arch>(weight), term, s);
                }
                empty = false;
            }
            y[t] = s;
        }
        LUMBAR_UNROLL
        for (int t = 0; t < Outputs; ++t) x[t * Step] = y[t];
    }
}

}  // namespace detail

template <class Arch, int Rows, int TapsH, int Columns, int TapsW>
LUMBAR_HOT LUMBAR_NEVER_INLINE void winograd_filter_tile(const float* filter, double* points) {
    double x[TapsH * TapsW], lines[Rows * TapsW];
    for (int i = 0; i < TapsH * TapsW; ++i) x[i] = static_cast<double>(filter[i]);
    for (int c = 0; c < TapsW; ++c) {
        winograd_filter<Rows, TapsH>(x + c, TapsW, lines + c, TapsW);
    }
    for (int r = 0; r < Rows; ++r) {
        winograd_filter<Columns, TapsW>(lines + r * TapsW, 1, points + r * Columns, 1);
    }
}

/// Rows x Columns: the inputs of a tile, 1 where there is no transform along an axis.
template <class Arch, int Rows, int Columns>
LUMBAR_NEVER_INLINE void winograd_input(const float* in, std::ptrdiff_t row, std::ptrdiff_t next,
                                        float* points, std::ptrdiff_t step, int tiles) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    for (; tiles > 0; --tiles, in += next, points += L) {
        V x[Rows * Columns];
        const float* from = in;
        LUMBAR_UNROLL
        for (int r = 0; r < Rows; ++r, from += row) {
            LUMBAR_UNROLL
            for (int c = 0; c < Columns; ++c) x[r * Columns + c] = simd::load<Arch>(from + c * L);
            detail::winograd_input_line<Arch, Columns, 1>(x + r * Columns);
        }
        LUMBAR_UNROLL
        for (int c = 0; c < Columns; ++c) {
            detail::winograd_input_line<Arch, Rows, Columns>(x + c);
            float* to = points + c * step;
            LUMBAR_UNROLL
            for (int r = 0; r < Rows; ++r, to += Columns * step) {
                simd::store<Arch>(to, x[r * Columns + c]);
            }
        }
    }
}

/// Outputs x OutColumns outputs from Rows x Columns points.
template <class Arch, int Rows, int OutRows, int Columns, int OutColumns>
LUMBAR_NEVER_INLINE void winograd_output(const float* points, std::ptrdiff_t step,
                                         const WinogradOutput& to, int tiles) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    const float* residual = to.residual;
    float* first = to.out;
    for (; tiles > 0; --tiles, points += L, first += to.next) {
        V x[Rows * Columns];
        LUMBAR_UNROLL
        for (int c = 0; c < Columns; ++c) {
            const float* from = points + c * step;
            LUMBAR_UNROLL
            for (int r = 0; r < Rows; ++r, from += Columns * step) {
                x[r * Columns + c] = simd::load<Arch>(from);
            }
            detail::winograd_output_line<Arch, Rows, OutRows, Columns>(x + c);
        }
        const V bias = simd::load<Arch>(to.bias);
        LUMBAR_UNROLL
        for (int r = 0; r < OutRows; ++r) {
            detail::winograd_output_line<Arch, Columns, OutColumns, 1>(x + r * Columns);
            LUMBAR_UNROLL
            for (int c = 0; c < OutColumns; ++c) x[r * Columns + c] = x[r * Columns + c] + bias;
        }
        if (residual) {
            LUMBAR_UNROLL
            for (int r = 0; r < OutRows; ++r) {
                LUMBAR_UNROLL
                for (int c = 0; c < OutColumns; ++c) {
                    if (r < to.rows && c < to.columns) {
                        x[r * Columns + c] =
                            x[r * Columns + c] +
                            simd::load<Arch>(residual + r * to.residual_row + c * L);
                    }
                }
            }
            residual += to.next;
        }
        if (to.epilogue.kind == Epilogue::Kind::clamp) {
            const V high = simd::broadcast<Arch>(to.epilogue.high);
            LUMBAR_UNROLL
            for (int r = 0; r < OutRows; ++r) {
                LUMBAR_UNROLL
                for (int c = 0; c < OutColumns; ++c) {
                    x[r * Columns + c] = simd::at_most<Arch>(x[r * Columns + c], high);
                }
            }
        }
        // The sums lie in memory here, more than there are registers: minus infinity costs less
        // than another pass.
        const V low = simd::broadcast<Arch>(to.epilogue.low);
        float* out = first;
        LUMBAR_UNROLL
        for (int r = 0; r < OutRows; ++r, out += to.out_row) {
            if (r >= to.rows) continue;  // not a break: the newest clang would not unroll
            LUMBAR_UNROLL
            for (int c = 0; c < OutColumns; ++c) {
                if (c < to.columns) {
                    simd::store<Arch>(out + c * L, simd::at_least<Arch>(x[r * Columns + c], low));
                }
            }
        }
    }
}

/// One algorithm: the outputs of a tile, the taps of its filter, and its functions. Those of a tile
/// along a row are those of a column: whoever calls them passes the distance between pixels as that
/// between rows, and columns as rows.
struct WinogradTile {
    int out_rows = 0;
    int out_columns = 0;
    int taps_h = 0;
    int taps_w = 0;
    WinogradFilterFunction filter = nullptr;
    WinogradInputFunction input = nullptr;
    WinogradOutputFunction output = nullptr;

    constexpr int in_rows() const { return out_rows + taps_h - 1; }
    constexpr int in_columns() const { return out_columns + taps_w - 1; }
    constexpr bool along_row() const { return taps_h == 1; }
    constexpr int points() const { return in_rows() * in_columns(); }
};

namespace detail {
template <class Arch, int Rows, int Columns, int Taps>
constexpr WinogradTile winograd_tile() {
    constexpr int h = Rows + Taps - 1, w = Columns + Taps - 1;
    return {Rows,
            Columns,
            Taps,
            Taps,
            &winograd_filter_tile<Arch, h, Taps, w, Taps>,
            &winograd_input<Arch, h, w>,
            &winograd_output<Arch, h, Rows, w, Columns>};
}

/// Along a row (`taps_h` is 1) or a column: the same functions.
template <class Arch, int Outputs, int Taps>
constexpr WinogradTile linear_winograd_tile(bool column) {
    constexpr int n = Outputs + Taps - 1;
    return {column ? Outputs : 1,
            column ? 1 : Outputs,
            column ? Taps : 1,
            column ? 1 : Taps,
            &winograd_filter_tile<Arch, n, Taps, 1, 1>,
            &winograd_input<Arch, n, 1>,
            &winograd_output<Arch, n, Outputs, 1, 1>};
}
}  // namespace detail

/// F(4x4, 3x3), F(2x2, 3x3), F(4x6, 3x3), F(2x2, 5x5); along one axis F(4, 7) and F(4, 3). Without
/// the last six, which are null, for SSE and the scalar type: what they are worth there is not
/// worth compiling.
using WinogradTileTable = std::array<WinogradTile, 8>;

template <class Arch>
constexpr WinogradTileTable winograd_tiles() {
    WinogradTileTable table{detail::winograd_tile<Arch, 4, 4, 3>(),
                            detail::winograd_tile<Arch, 2, 2, 3>()};
    if constexpr (simd::lanes < Arch >> 4 || simd::registers<Arch> >= 32) {
        table[2] = detail::winograd_tile<Arch, 4, 6, 3>();
        table[3] = detail::winograd_tile<Arch, 2, 2, 5>();
        table[4] = detail::linear_winograd_tile<Arch, 4, 7>(false);
        table[5] = detail::linear_winograd_tile<Arch, 4, 7>(true);
        table[6] = detail::linear_winograd_tile<Arch, 4, 3>(false);
        table[7] = detail::linear_winograd_tile<Arch, 4, 3>(true);
    }
    return table;
}

LUMBAR_NAMESPACE_END

#if defined(__clang__)
#pragma clang diagnostic pop
#endif
