// What happens to an accumulator before it is stored: activation, with the bounds of a clamp as
// run-time values, so that inner loops need no instance per activation.
#pragma once

#include <lumbar/core/activation.hpp>
#include <lumbar/core/non_finite.hpp>
#include <lumbar/simd/simd.hpp>

LUMBAR_NAMESPACE_BEGIN

/// An activation as kernels take it.
struct Epilogue {
    enum class Kind { none, relu, clamp, hard_swish, hard_sigmoid, sigmoid };
    Kind kind = Kind::none;
    float low = kNegativeInfinity;
    float high = kPositiveInfinity;

    /// No activation, ReLU or ReLU6: no more than the two bounds.
    constexpr bool is_clamp() const {
        return kind == Kind::none || kind == Kind::relu || kind == Kind::clamp;
    }

    static constexpr Epilogue of(Activation a) {
        switch (a) {
            case Activation::none: return {};
            case Activation::relu: return {Kind::relu, 0.0f, kPositiveInfinity};
            case Activation::relu6: return {Kind::clamp, 0.0f, 6.0f};
            case Activation::hard_swish: return {Kind::hard_swish, 0.0f, 6.0f};
            case Activation::hard_sigmoid: return {Kind::hard_sigmoid, 0.0f, 6.0f};
            case Activation::sigmoid: return {Kind::sigmoid, kNegativeInfinity, kPositiveInfinity};
        }
        return {};
    }
};

/// The activation of a tile's sums, one that fits_sums: calls each(f), where each puts f of it in
/// the place of every sum. Minima and maxima share the multipliers' ports, so bounds that are
/// infinite are left out (AVX2, Zen 1: GoogLeNet 0.985 of the time).
template <class Arch, class Each>
LUMBAR_ALWAYS_INLINE void activate_sums(const Epilogue& e, Each&& each) {
    using V = simd::Vector<Arch>;
    if (e.kind == Epilogue::Kind::none) return;
    const V low = simd::broadcast<Arch>(e.low), high = simd::broadcast<Arch>(e.high);
    if (e.kind == Epilogue::Kind::hard_swish) {
        const V three = simd::broadcast<Arch>(3.0f), sixth = simd::broadcast<Arch>(1.0f / 6);
        each([&](const V& x) LUMBAR_LAMBDA_INLINE -> V {
            return x * (simd::clamp<Arch>(x + three, low, high) * sixth);
        });
        return;
    }
    if (e.kind == Epilogue::Kind::relu) {
        each([&](const V& x) LUMBAR_LAMBDA_INLINE { return simd::at_least<Arch>(x, low); });
    } else {
        each([&](const V& x) LUMBAR_LAMBDA_INLINE { return simd::clamp<Arch>(x, low, high); });
    }
}

/// Calls apply(f) once, where f maps a vector to its activation, whichever it is.
template <class Arch, class Apply>
LUMBAR_ALWAYS_INLINE void with_activation(const Epilogue& e, Apply&& apply) {
    using V = simd::Vector<Arch>;
    const V low = simd::broadcast<Arch>(e.low);
    const V high = simd::broadcast<Arch>(e.high);
    const V three = simd::broadcast<Arch>(3.0f), sixth = simd::broadcast<Arch>(1.0f / 6);
    switch (e.kind) {
        case Epilogue::Kind::none: apply([](const V& x) { return x; }); break;
        case Epilogue::Kind::relu:
        case Epilogue::Kind::clamp:
            apply([&](const V& x) { return simd::clamp<Arch>(x, low, high); });
            break;
        case Epilogue::Kind::hard_swish:
            apply([&](const V& x) -> V {
                return x * (simd::clamp<Arch>(x + three, low, high) * sixth);
            });
            break;
        case Epilogue::Kind::hard_sigmoid:
            apply([&](const V& x) -> V { return simd::clamp<Arch>(x + three, low, high) * sixth; });
            break;
        case Epilogue::Kind::sigmoid: {
            const V one = simd::broadcast<Arch>(1.0f), zero = simd::broadcast<Arch>(0.0f);
            apply([&](const V& x) -> V { return one / (one + simd::exp<Arch>(zero - x)); });
            break;
        }
    }
}

LUMBAR_NAMESPACE_END
