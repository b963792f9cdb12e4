// What the oracles compute with: a plain NCHW array of doubles, deterministic fills, and the
// comparison of float32 results against it.
#pragma once

#include <lumbar/core/shape.hpp>
#include <lumbar/core/tensor.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace oracle {

using lumbar::Shape;

/// A dense NCHW array of doubles.
struct Array {
    Shape shape{.n = 0, .c = 0, .h = 0, .w = 0};
    std::vector<double> values;

    Array() = default;
    explicit Array(Shape s, double fill = 0)
        : shape(s), values(static_cast<std::size_t>(s.size()), fill) {}
    explicit Array(const lumbar::ConstTensorView& t)
        : shape(t.shape), values(t.values().begin(), t.values().end()) {}

    double& operator()(int n, int c, int h, int w) { return values[index(n, c, h, w)]; }
    double operator()(int n, int c, int h, int w) const { return values[index(n, c, h, w)]; }

   private:
    std::size_t index(int n, int c, int h, int w) const {
        return static_cast<std::size_t>(((std::int64_t{n} * shape.c + c) * shape.h + h) * shape.w +
                                        w);
    }
};

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// f applied to every value.
template <class F>
Array map(Array a, F&& f) {
    for (double& v : a.values) v = f(v);
    return a;
}

/// A small generator with the same values on every platform (splitmix64).
class Random {
   public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}

    std::uint64_t bits() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    /// In [low, high), a float with 24 random bits.
    float real(float low, float high) {
        return low + (high - low) * (static_cast<float>(bits() >> 40) * 0x1p-24f);
    }
    /// In [0, below).
    std::int64_t below(std::int64_t limit) {
        return static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(limit));
    }

   private:
    std::uint64_t state_;
};

inline std::vector<float> random_floats(std::size_t count, std::uint64_t seed, float low = -1,
                                        float high = 1) {
    Random random(seed);
    std::vector<float> values(count);
    for (float& v : values) v = random.real(low, high);
    return values;
}

/// Small integers: convolutions over them are exact in float32, whatever the order of the sums.
inline std::vector<float> random_integers(std::size_t count, std::uint64_t seed, int largest) {
    Random random(seed);
    std::vector<float> values(count);
    for (float& v : values) v = static_cast<float>(random.below(2 * largest + 1) - largest);
    return values;
}

inline lumbar::Tensor random_tensor(Shape shape, std::uint64_t seed, float low = -1,
                                    float high = 1) {
    lumbar::Tensor t(shape);
    Random random(seed);
    for (float& v : t.values()) v = random.real(low, high);
    return t;
}

/// Half the distance from 1 to the next float: the largest relative error of one rounding.
inline constexpr double kRounding = 0x1p-24;

/// The error allowed to a float32 sum of `terms` products whose squares add up to
/// `sum_of_squares`. Partial sums of k terms with random signs are about sqrt(k) terms in size,
/// those of equal signs grow to the result itself; every one is rounded once, and roundings add up
/// as a random walk: the deviation is below kRounding * sqrt(terms) * (root of the squares +
/// |result|). Four deviations are allowed, and two roundings for what follows the sum. A single
/// wrong term is larger than this by orders of magnitude.
inline double sum_tolerance(double result, double sum_of_squares, double terms) {
    return kRounding * (2 + 4 * std::sqrt(terms)) * (std::sqrt(sum_of_squares) + std::abs(result));
}

inline bool same_bits(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

/// The first value of `got` further from `want` than tolerance(index) allows, in words, or "".
/// Not-a-numbers have to meet each other, and so have infinities.
template <class Tolerance>
std::string mismatch(const Array& want, const lumbar::ConstTensorView& got, Tolerance&& tolerance) {
    std::ostringstream text;
    if (want.shape != got.shape) {
        text << "shape " << to_string(got.shape) << ", expected " << to_string(want.shape);
        return text.str();
    }
    for (std::size_t i = 0; i < want.values.size(); ++i) {
        const double w = want.values[i], g = static_cast<double>(got.data[i]);
        if (std::isnan(w) && std::isnan(g)) continue;
        const bool close = w == g || std::abs(w - g) <= tolerance(i);
        if (close) continue;
        const auto at = static_cast<std::int64_t>(i);
        const std::int64_t pixels = want.shape.pixels();
        text.precision(9);
        text << "image " << at / pixels / want.shape.c << ", channel " << at / pixels % want.shape.c
             << ", row " << at % pixels / want.shape.w << ", column " << at % want.shape.w << ": "
             << g << ", expected " << w << " +- " << tolerance(i);
        return text.str();
    }
    return "";
}

/// The same with a tolerance relative to the largest value, and for exact results.
inline std::string mismatch(const Array& want, const lumbar::ConstTensorView& got,
                            double relative = 0) {
    double largest = 0;
    for (const double v : want.values) {
        if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
    }
    return mismatch(want, got, [&](std::size_t) { return relative * largest; });
}

}  // namespace oracle
