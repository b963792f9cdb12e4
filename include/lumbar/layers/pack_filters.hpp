// How filters become packed weights: those of a few neighbouring output channels are read one after
// another and written side by side, so that neither reading nor writing jumps through memory.
#pragma once

#include <lumbar/kernels/bfloat16_table.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// The filters of `count` output channels from `first` on, one after another; their biases go to
/// bias[0 .. count). read_filter(channel, span) fills a filter and returns its bias.
template <class ReadFilter>
std::vector<float> read_filters(ReadFilter& read_filter, int first, int count, std::int64_t size,
                                float* bias) {
    const std::size_t length = static_cast<std::size_t>(size);
    std::vector<float> filters(length * static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        const std::size_t at = length * static_cast<std::size_t>(i);
        bias[i] = read_filter(first + i, std::span<float>(filters).subspan(at, length));
    }
    return filters;
}

/// Writes weight `at` of each of `count` filters, which are `size` apart, side by side.
LUMBAR_ALWAYS_INLINE void write_side_by_side(const float* filters, std::int64_t size, int count,
                                             std::int64_t at, float* to) {
    for (int i = 0; i < count; ++i) to[i] = filters[i * size + at];
}

/// Puts every two of `count` (even) rows of `width` weights together, as the kernels of bfloat16
/// read them.
LUMBAR_HOT inline void pair_rows(const float* rows, std::ptrdiff_t count, std::ptrdiff_t width,
                                 float* to) {
    for (std::ptrdiff_t i = 0; i < count; i += 2, rows += 2 * width) {
        for (std::ptrdiff_t k = 0; k < width; ++k) *to++ = bfloat16_pair(rows[k], rows[width + k]);
    }
}

LUMBAR_NAMESPACE_END
