// Pooling: one row of outputs of one group of channels. Windows come as spans that are clipped to
// the image beforehand, so padding never takes part, and maximum, average, adaptive and global
// pooling are the same loop.
#pragma once

#include <lumbar/simd/simd.hpp>

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
};

using PoolRowFunction = void (*)(const PoolRow&);

/// NaN stays, as in PyTorch; an empty window gives minus infinity.
template <class Arch>
LUMBAR_NEVER_INLINE void max_pool_row(const PoolRow& r) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    const V none = simd::negative_infinity<Arch>();
    for (int x = 0; x < r.width; ++x) {
        const PoolSpan span = r.columns[x];
        V best = none;
        const float* row = r.in + std::ptrdiff_t{span.begin} * L;
        for (int i = 0; i < r.rows.count; ++i, row += r.tap_row) {
            const float* tap = row;
            for (int j = 0; j < span.count; ++j, tap += r.tap_col) {
                best = simd::max_or_nan<Arch>(best, simd::load<Arch>(tap));
            }
        }
        simd::store<Arch>(r.out + std::ptrdiff_t{x} * L, best);
    }
}

/// Sums each row of a window, adds the rows in order, divides once. An empty window gives zero.
template <class Arch>
LUMBAR_NEVER_INLINE void average_pool_row(const PoolRow& r) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    const V zero = simd::broadcast<Arch>(0.0f);
    for (int x = 0; x < r.width; ++x) {
        const PoolSpan span = r.columns[x];
        V sum = zero;
        const float* row = r.in + std::ptrdiff_t{span.begin} * L;
        for (int i = 0; i < r.rows.count; ++i, row += r.tap_row) {
            V partial = zero;
            const float* tap = row;
            for (int j = 0; j < span.count; ++j, tap += r.tap_col) {
                partial = partial + simd::load<Arch>(tap);
            }
            sum = sum + partial;
        }
        const int counted = r.rows.counted * span.counted;
        const V divisor = simd::broadcast<Arch>(static_cast<float>(counted > 0 ? counted : 1));
        simd::store<Arch>(r.out + std::ptrdiff_t{x} * L, sum / divisor);
    }
}

LUMBAR_NAMESPACE_END
