// Shapes of activations, paddings, and the checked integer arithmetic that sizes depend on.
#pragma once

#include <lumbar/config/config.hpp>
#include <lumbar/core/text.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

LUMBAR_NAMESPACE_BEGIN

/// The shape of an activation: batch N, channels C, height H, width W.
struct Shape {
    int n = 1;
    int c = 0;
    int h = 1;
    int w = 1;

    friend constexpr bool operator==(const Shape&, const Shape&) = default;

    constexpr std::int64_t pixels() const { return std::int64_t{h} * w; }
    constexpr std::int64_t size() const { return std::int64_t{n} * c * h * w; }
};

/// "1x64x56x56".
inline std::string to_string(const Shape& s) {
    return detail::cat({s.n, "x", s.c, "x", s.h, "x", s.w});
}

/// Rows and columns added around an image, each side on its own.
struct Padding {
    int top = 0;
    int left = 0;
    int bottom = 0;
    int right = 0;

    friend constexpr bool operator==(const Padding&, const Padding&) = default;

    static constexpr Padding all(int p) { return {p, p, p, p}; }
    static constexpr Padding symmetric(int vertical, int horizontal) {
        return {vertical, horizontal, vertical, horizontal};
    }
};

/// Height and width of a kernel, a stride or a dilation.
struct Extent {
    int h = 1;
    int w = 1;

    friend constexpr bool operator==(const Extent&, const Extent&) = default;

    static constexpr Extent square(int e) { return {e, e}; }
};

constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }
constexpr int round_up(int a, int multiple) { return ceil_div(a, multiple) * multiple; }

/// TensorFlow's SAME padding along one dimension: the output is ceil(input / stride), and what is
/// odd of the padding comes after (so it is asymmetric at stride 2).
struct SamePadding {
    int before = 0;
    int after = 0;
};
constexpr SamePadding same_padding(int input, int kernel, int stride, int dilation) {
    const int total = (ceil_div(input, stride) - 1) * stride + (kernel - 1) * dilation + 1 - input;
    if (total <= 0) return {0, 0};
    return {total / 2, total - total / 2};
}

/// Number of positions of a window along one dimension, or a value below 1 where it does not fit.
constexpr int window_positions(int input, int before, int after, int kernel, int stride,
                               int dilation) {
    const int span = (kernel - 1) * dilation + 1;
    const int room = input + before + after - span;
    return room < 0 ? 0 : room / stride + 1;
}

/// a * b, or nothing where it would overflow.
constexpr std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) {
    if (a != 0 && b > std::numeric_limits<std::uint64_t>::max() / a) return std::nullopt;
    return a * b;
}

/// The number of values of a shape as a size, or the largest size where it cannot be counted.
constexpr std::size_t value_count(const Shape& s) {
    std::optional<std::uint64_t> count = 1;
    for (const int extent : {s.n, s.c, s.h, s.w}) {
        if (extent < 0) return std::numeric_limits<std::size_t>::max();
        if (count) count = checked_mul(*count, static_cast<std::uint64_t>(extent));
    }
    return count ? static_cast<std::size_t>(*count) : std::numeric_limits<std::size_t>::max();
}

/// a + b, or nothing where it would overflow.
constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
    if (b > std::numeric_limits<std::uint64_t>::max() - a) return std::nullopt;
    return a + b;
}

LUMBAR_NAMESPACE_END
