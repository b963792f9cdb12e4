// Pooling: one row of outputs of one group of channels. Windows come as spans that are clipped to
// the image beforehand, so padding never takes part, and maximum, average, adaptive and global
// pooling are the same loops: first the rows of all windows are pooled, column by column, into a
// strip that stays in L1; then each output pools its columns, which windows that overlap share.
#pragma once

#include <lumbar/core/memory.hpp>
#include <lumbar/kernels/epilogue.hpp>
#include <lumbar/simd/simd.hpp>

#include <algorithm>
#include <cstddef>

LUMBAR_NAMESPACE_BEGIN

/// The input positions that one output position pools over, along one dimension:
/// begin, begin + dilation, ... (count of them, all inside the image).
struct PoolSpan {
    int begin = 0;
    int count = 0;
    int counted = 0;  ///< positions that an average divides by (may include padding)
};

/// One row of outputs. Distances are in floats.
struct PoolRow {
    const float* in = nullptr;  ///< pixel (rows.begin, 0) of the group
    float* out = nullptr;
    const PoolSpan* columns = nullptr;
    PoolSpan rows;
    int width = 0;  ///< output pixels
    std::ptrdiff_t tap_row = 0;
    std::ptrdiff_t tap_col = 0;
    const float* bias = nullptr;  ///< added to averages; may be null
    Epilogue epilogue;            ///< of averages
};

using PoolRowFunction = void (*)(const PoolRow&);

namespace detail {

/// Pools `count` vectors, at least one, `step` floats apart, from each of the starts.
template <class Arch, class Pool, int Width>
LUMBAR_ALWAYS_INLINE void pool_vectors(const float* const (&starts)[Width], int count,
                                       std::ptrdiff_t step, simd::Vector<Arch> (&pools)[Width]) {
    LUMBAR_UNROLL
    for (int k = 0; k < Width; ++k) pools[k] = simd::load<Arch>(starts[k]);
    std::ptrdiff_t at = step;
    for (int i = 1; i < count; ++i, at += step) {
        LUMBAR_UNROLL
        for (int k = 0; k < Width; ++k) {
            pools[k] = Pool::template add<Arch>(pools[k], simd::load<Arch>(starts[k] + at));
        }
    }
}

/// Pools the rows of `width` columns into `strip`.
template <class Arch, class Pool>
LUMBAR_ALWAYS_INLINE void pool_columns(const PoolRow& r, const float* in, int width, float* strip) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    int x = 0;
    for (; x + 4 <= width; x += 4, in += 4 * L, strip += 4 * L) {
        V pools[4];
        const float* const columns[4] = {in, in + L, in + 2 * L, in + 3 * L};
        pool_vectors<Arch, Pool>(columns, r.rows.count, r.tap_row, pools);
        LUMBAR_UNROLL
        for (int k = 0; k < 4; ++k) simd::store<Arch>(strip + k * L, pools[k]);
    }
    for (; x < width; ++x, in += L, strip += L) {
        V pool[1];
        const float* const column[1] = {in};
        pool_vectors<Arch, Pool>(column, r.rows.count, r.tap_row, pool);
        simd::store<Arch>(strip, pool[0]);
    }
}

/// One output whose window is too wide for the strip.
template <class Arch, class Pool>
LUMBAR_ALWAYS_INLINE simd::Vector<Arch> pool_wide_window(const PoolRow& r, const PoolSpan& span) {
    using V = simd::Vector<Arch>;
    V pool = Pool::template none<Arch>();
    const float* column = r.in + std::ptrdiff_t{span.begin} * simd::lanes<Arch>;
    int i = 0;
    for (; i + 4 <= span.count; i += 4, column += 4 * r.tap_col) {
        V pools[4];
        const float* const columns[4] = {column, column + r.tap_col, column + 2 * r.tap_col,
                                         column + 3 * r.tap_col};
        pool_vectors<Arch, Pool>(columns, r.rows.count, r.tap_row, pools);
        LUMBAR_UNROLL
        for (int k = 0; k < 4; ++k) pool = Pool::template add<Arch>(pool, pools[k]);
    }
    for (; i < span.count; ++i, column += r.tap_col) {
        V pools[1];
        const float* const columns[1] = {column};
        pool_vectors<Arch, Pool>(columns, r.rows.count, r.tap_row, pools);
        pool = Pool::template add<Arch>(pool, pools[0]);
    }
    return pool;
}

/// One row of outputs, as many at a time as the strip has columns for.
template <class Arch, class Pool>
LUMBAR_ALWAYS_INLINE void pool_row(const PoolRow& r) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>, kColumns = 64;
    alignas(kAlignment) float strip[kColumns * L];
    const auto end_of = [&](const PoolSpan& s) {
        return s.begin + std::max(s.count - 1, 0) * static_cast<int>(r.tap_col / L) + 1;
    };
    const V none = Pool::template none<Arch>();
    const auto store = [&](int x, const V& pool) LUMBAR_LAMBDA_INLINE {
        const int counted = r.rows.counted * r.columns[x].counted;
        simd::store<Arch>(r.out + std::ptrdiff_t{x} * L,
                          Pool::template result<Arch>(r, pool, std::max(counted, 1)));
    };
    for (int x = 0; x < r.width;) {
        if (r.columns[x].count == 0 || r.rows.count == 0) {
            store(x++, none);
            continue;
        }
        // The outputs whose windows fit into the strip. (With dilation, one that starts in the
        // padding may begin after the next.)
        int last = x, first = r.columns[x].begin, end = first;
        for (; last < r.width && r.columns[last].count > 0; ++last) {
            const int low = std::min(first, r.columns[last].begin);
            const int high = std::max(end, end_of(r.columns[last]));
            if (high - low > kColumns) break;
            first = low;
            end = high;
        }
        if (last == x) {
            store(x, pool_wide_window<Arch, Pool>(r, r.columns[x]));
            ++x;
            continue;
        }
        pool_columns<Arch, Pool>(r, r.in + std::ptrdiff_t{first} * L, end - first, strip);
        const auto columns_of = [&](int output) {
            return strip + std::ptrdiff_t{r.columns[output].begin - first} * L;
        };
        for (; x < last;) {
            const int count = r.columns[x].count;
            if (x + 4 <= last && r.columns[x + 1].count == count &&
                r.columns[x + 2].count == count && r.columns[x + 3].count == count) {
                V pools[4];
                const float* const columns[4] = {columns_of(x), columns_of(x + 1),
                                                 columns_of(x + 2), columns_of(x + 3)};
                pool_vectors<Arch, Pool>(columns, count, r.tap_col, pools);
                LUMBAR_UNROLL
                for (int k = 0; k < 4; ++k) store(x + k, pools[k]);
                x += 4;
            } else {
                V pool[1];
                const float* const columns[1] = {columns_of(x)};
                pool_vectors<Arch, Pool>(columns, count, r.tap_col, pool);
                store(x, pool[0]);
                ++x;
            }
        }
    }
}

/// NaN stays, as in PyTorch; an empty window gives minus infinity.
struct MaxPool {
    template <class Arch>
    static LUMBAR_ALWAYS_INLINE simd::Vector<Arch> none() {
        return simd::negative_infinity<Arch>();
    }
    template <class Arch>
    static LUMBAR_ALWAYS_INLINE simd::Vector<Arch> add(const simd::Vector<Arch>& pool,
                                                       const simd::Vector<Arch>& x) {
        return simd::max_or_nan<Arch>(pool, x);
    }
    template <class Arch>
    static LUMBAR_ALWAYS_INLINE simd::Vector<Arch> result(const PoolRow&,
                                                          const simd::Vector<Arch>& pool, int) {
        return pool;
    }
};

/// Sums each column of a window, adds the columns in order, divides once. An empty window gives
/// zero, before bias and activation.
struct AveragePool {
    template <class Arch>
    static LUMBAR_ALWAYS_INLINE simd::Vector<Arch> none() {
        return simd::broadcast<Arch>(0.0f);
    }
    template <class Arch>
    static LUMBAR_ALWAYS_INLINE simd::Vector<Arch> add(const simd::Vector<Arch>& pool,
                                                       const simd::Vector<Arch>& x) {
        return pool + x;
    }
    template <class Arch>
    static LUMBAR_ALWAYS_INLINE simd::Vector<Arch> result(const PoolRow& r,
                                                          const simd::Vector<Arch>& pool,
                                                          int counted) {
        simd::Vector<Arch> x = pool / simd::broadcast<Arch>(static_cast<float>(counted));
        if (r.bias) x = x + simd::load<Arch>(r.bias);
        activate_sums<Arch>(r.epilogue,
                            [&](auto activation) LUMBAR_LAMBDA_INLINE { x = activation(x); });
        return x;
    }
};

}  // namespace detail

template <class Arch>
LUMBAR_NEVER_INLINE void max_pool_row(const PoolRow& r) {
    detail::pool_row<Arch, detail::MaxPool>(r);
}

template <class Arch>
LUMBAR_NEVER_INLINE void average_pool_row(const PoolRow& r) {
    detail::pool_row<Arch, detail::AveragePool>(r);
}

LUMBAR_NAMESPACE_END
