// What differs between the frameworks that trained one and the same network.
#pragma once

#include <lumbar/graph/build.hpp>

LUMBAR_NAMESPACE_BEGIN

/// Named numerics of a model that exists in both worlds.
enum class Numerics {
    torch,  ///< symmetric padding, batch-norm epsilon 1e-5 (MobileNet V3: 1e-3)
    tf,     ///< TensorFlow: SAME padding (asymmetric at stride 2), batch-norm epsilon 1e-3
    timm,   ///< as torch, and batch-norm epsilon 1e-5 in MobileNet V3 too
};

constexpr double batch_norm_epsilon(Numerics n) { return n == Numerics::tf ? 1e-3 : 1e-5; }
constexpr PaddingMode padding_mode(Numerics n) {
    return n == Numerics::tf ? PaddingMode::same : PaddingMode::given;
}

/// `value` rounded to a multiple of `divisor`, at least `divisor`, and never more than 10 % below
/// `value` (the rule of the MobileNet reference implementations for width multipliers).
constexpr int make_divisible(double value, int divisor = 8) {
    const int rounded = static_cast<int>(value + divisor / 2.0) / divisor * divisor;
    const int result = rounded < divisor ? divisor : rounded;
    return result < 0.9 * value ? result + divisor : result;
}

LUMBAR_NAMESPACE_END
