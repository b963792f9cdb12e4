// The matrices of Winograd's minimal filtering F(m, r), which yields m outputs of a filter of r
// taps from n = m + r - 1 inputs with n multiplications, as constants (Toom and Cook's
// construction: Lavin & Gray, arXiv:1509.09308; Barabasz et al., arXiv:1803.10986):
//
//     outputs = A^T [ (G filter) * (B^T inputs) ]          (* element by element)
//
// They interpolate at 0, pairs of points +-p, and infinity. Pairs make half of the sums common to
// two rows; which pairs decides the rounding error: +-1/sqrt(2) and +-sqrt(2), which are one
// another's inverses, give a half to a fifth of the error of the usual +-1 and +-2.
#pragma once

#include <lumbar/config/config.hpp>

#include <array>
#include <cstddef>

LUMBAR_NAMESPACE_BEGIN

/// The transforms of n = `Inputs` (4, 6, 8 or 10). 1 stands for no transform along an axis.
template <int Inputs>
struct WinogradPoints {
    static constexpr int pairs = (Inputs - 2) / 2;
    std::array<double, static_cast<std::size_t>(pairs)> point{};

    LUMBAR_ALWAYS_INLINE constexpr double square(int pair) const {
        const double p = point[static_cast<std::size_t>(pair)];
        return p * p;
    }

    /// The coefficients, by rising powers of x^2, of the product of (x^2 - p^2) over all pairs but
    /// `without`; one more than factors, the last of them 1.
    LUMBAR_ALWAYS_INLINE constexpr std::array<double, static_cast<std::size_t>(pairs) + 1> product(
        int without) const {
        std::array<double, static_cast<std::size_t>(pairs) + 1> c{};
        c[0] = 1.0;
        std::size_t degree = 0;
        for (int pair = 0; pair < pairs; ++pair) {
            if (pair == without) continue;
            ++degree;
            for (std::size_t i = degree; i > 0; --i) c[i] = c[i - 1] - square(pair) * c[i];
            c[0] = -square(pair) * c[0];
        }
        return c;
    }

    /// The derivative of x * product(x^2) at a point of a pair: what G divides by.
    LUMBAR_ALWAYS_INLINE constexpr double divisor(int pair) const {
        const auto others = product(pair);
        double sum = 0.0, power = 1.0;
        for (int i = 0; i < pairs; ++i, power *= square(pair)) {
            sum += others[static_cast<std::size_t>(i)] * power;
        }
        return 2.0 * square(pair) * sum;
    }
};

template <int Inputs>
constexpr WinogradPoints<Inputs> winograd_points() {
    constexpr double root = 1.4142135623730951;
    if constexpr (Inputs == 4) {
        return {{1.0}};
    } else if constexpr (Inputs == 6) {
        return {{root / 2, root}};
    } else if constexpr (Inputs == 8) {
        return {{0.5, 1.0, 2.0}};  // within 3 % of the best triple (F(4x6, 3x3)), and exact
    } else {
        static_assert(Inputs == 10);
        return {{0.45, 0.8, 1.25, 2.4}};
    }
}

/// G filter for one row of `Taps` weights, `step` apart, into n values `to_step` apart. In double:
/// filters are transformed once, and rounded once.
template <int Inputs, int Taps>
LUMBAR_ALWAYS_INLINE void winograd_filter(const double* filter, std::ptrdiff_t step, double* to,
                                          std::ptrdiff_t to_step) {
    if constexpr (Inputs == 1) {
        to[0] = filter[0];
    } else {
        constexpr auto points = winograd_points<Inputs>();
        constexpr double first = 1.0 / points.product(-1)[0];
        to[0] = filter[0] * first;
        LUMBAR_UNROLL
        for (int pair = 0; pair < points.pairs; ++pair) {
            double even = 0.0, odd = 0.0, power = 1.0;
            for (int t = 0; t < Taps; ++t) {
                (t % 2 ? odd : even) += power * filter[t * step];
                power *= points.point[static_cast<std::size_t>(pair)];
            }
            const double factor = 1.0 / points.divisor(pair);
            to[(1 + 2 * pair) * to_step] = (even + odd) * factor;
            to[(2 + 2 * pair) * to_step] = (even - odd) * factor;
        }
        to[(Inputs - 1) * to_step] = filter[(Taps - 1) * step];
    }
}

LUMBAR_NAMESPACE_END
