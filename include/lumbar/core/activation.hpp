// Activation functions: their names and their formulas. The formulas are written once, for any
// floating-point type, so that kernels, oracles and documentation agree on them.
#pragma once

#include <lumbar/core/non_finite.hpp>

#include <cmath>

LUMBAR_NAMESPACE_BEGIN

enum class Activation {
    none,
    relu,          ///< max(x, 0)
    relu6,         ///< min(max(x, 0), 6)                    MobileNet V1, arXiv:1704.04861
    hard_swish,    ///< x * relu6(x + 3) / 6                 MobileNet V3, arXiv:1905.02244
    hard_sigmoid,  ///< relu6(x + 3) / 6
    sigmoid,       ///< 1 / (1 + exp(-x))
};

constexpr const char* to_string(Activation a) {
    switch (a) {
        case Activation::none: return "none";
        case Activation::relu: return "relu";
        case Activation::relu6: return "relu6";
        case Activation::hard_swish: return "hard_swish";
        case Activation::hard_sigmoid: return "hard_sigmoid";
        case Activation::sigmoid: return "sigmoid";
    }
    return "?";
}

/// Whether layers that sum (convolutions, linear layers) apply it to their accumulators: not the
/// gates, which stand behind layers of one pixel, and would be compiled into every tile.
constexpr bool fits_sums(Activation a) {
    return a != Activation::sigmoid && a != Activation::hard_sigmoid;
}

/// x limited to [low, high]; NaN stays NaN, as in PyTorch.
template <class T>
constexpr T clamp_nan(T x, T low, T high) {
    return x < low ? low : (x > high ? high : x);
}

template <class T>
T activate(Activation a, T x) {
    switch (a) {
        case Activation::none: return x;
        case Activation::relu: return clamp_nan(x, T(0), T(kPositiveInfinity));
        case Activation::relu6: return clamp_nan(x, T(0), T(6));
        case Activation::hard_swish: return x * clamp_nan(x + T(3), T(0), T(6)) / T(6);
        case Activation::hard_sigmoid: return clamp_nan(x + T(3), T(0), T(6)) / T(6);
        case Activation::sigmoid: return T(1) / (T(1) + std::exp(-x));
    }
    return x;
}

LUMBAR_NAMESPACE_END
