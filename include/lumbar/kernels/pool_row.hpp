// Pooling: one row of outputs of one group of channels. Windows come as spans that are clipped to
// the image beforehand, so padding never takes part, and maximum, average, adaptive and global
// pooling are the same loops: first the rows of all windows are pooled, column by column, into a
// strip that stays in L1; then each output pools its columns, which windows that overlap share.
// What differs from window to window is settled once for all rows, when the layer is made.
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

/// Columns of the input that the strip holds at a time.
inline constexpr int kPoolColumns = 64;

/// Neighbouring outputs whose windows are alike. Distances are in columns of the input.
struct PoolRun {
    int outputs = 0;
    PoolSpan first{};  ///< the first window; the others have as many columns
    int step = 0;      ///< from one window to the next
    int strip = 0;     ///< the first column of the strip that holds them
    /// Columns of the strip that have to be pooled before this run; 0: an earlier run needed them.
    int columns = 0;
    bool wide = false;  ///< one window that is wider than the strip
};

/// One row of outputs. Distances are in floats.
struct PoolRow {
    const float* in = nullptr;  ///< pixel (rows.begin, 0) of the group
    float* out = nullptr;
    const PoolRun* runs = nullptr;  ///< all outputs of the row, in this many runs
    int run_count = 0;
    PoolSpan rows;
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

template <class Arch, class Pool>
LUMBAR_ALWAYS_INLINE void pool_row(const PoolRow& r) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    alignas(kAlignment) float strip[kPoolColumns * L];
    float* out = r.out;
    for (const PoolRun* at = r.runs; at != r.runs + r.run_count; ++at) {
        const PoolRun& run = *at;
        const int counted = std::max(r.rows.counted * run.first.counted, 1);
        const auto store = [&](const V& pool) LUMBAR_LAMBDA_INLINE {
            simd::store<Arch>(out, Pool::template result<Arch>(r, pool, counted));
            out += L;
        };
        if (run.first.count == 0 || r.rows.count == 0) {
            for (int i = 0; i < run.outputs; ++i) store(Pool::template none<Arch>());
            continue;
        }
        if (run.wide) {
            store(pool_wide_window<Arch, Pool>(r, run.first));
            continue;
        }
        pool_columns<Arch, Pool>(r, r.in + std::ptrdiff_t{run.strip} * L, run.columns, strip);
        const float* column = strip + std::ptrdiff_t{run.first.begin - run.strip} * L;
        const std::ptrdiff_t step = std::ptrdiff_t{run.step} * L;
        int i = 0;
        for (; i + 4 <= run.outputs; i += 4, column += 4 * step) {
            V pools[4];
            const float* const columns[4] = {column, column + step, column + 2 * step,
                                             column + 3 * step};
            pool_vectors<Arch, Pool>(columns, run.first.count, r.tap_col, pools);
            LUMBAR_UNROLL
            for (int k = 0; k < 4; ++k) store(pools[k]);
        }
        for (; i < run.outputs; ++i, column += step) {
            V pool[1];
            const float* const columns[1] = {column};
            pool_vectors<Arch, Pool>(columns, run.first.count, r.tap_col, pool);
            store(pool[0]);
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
