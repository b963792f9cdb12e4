// What happens to an accumulator before it is stored: activation, with the bounds of a clamp as
// run-time values (none, ReLU and ReLU6 are one clamp), so that inner loops need no instance per
// activation.
#pragma once

#include <lumbar/core/activation.hpp>
#include <lumbar/core/non_finite.hpp>
#include <lumbar/simd/simd.hpp>

LUMBAR_NAMESPACE_BEGIN

/// An activation as kernels take it.
struct Epilogue {
    enum class Kind { none, clamp, hard_swish, hard_sigmoid, sigmoid };
    Kind kind = Kind::none;
    float low = kNegativeInfinity;
    float high = kPositiveInfinity;

    /// No activation, ReLU or ReLU6: no more than the two bounds.
    constexpr bool is_clamp() const { return kind == Kind::none || kind == Kind::clamp; }

    static constexpr Epilogue of(Activation a) {
        switch (a) {
            case Activation::none: return {};
            case Activation::relu: return {Kind::clamp, 0.0f, kPositiveInfinity};
            case Activation::relu6: return {Kind::clamp, 0.0f, 6.0f};
            case Activation::hard_swish: return {Kind::hard_swish, 0.0f, 6.0f};
            case Activation::hard_sigmoid: return {Kind::hard_sigmoid, 0.0f, 6.0f};
            case Activation::sigmoid: return {Kind::sigmoid, kNegativeInfinity, kPositiveInfinity};
        }
        return {};
    }
};

/// The activations that a kernel has code for, which costs a user time to compile: those of `sums`
/// (fits_sums; no activation is a clamp between infinities), or all.
enum class ActivationSet { sums, all };

/// Calls apply(f), where f maps a vector to its activation. The branch is taken once per tile, not
/// once per vector.
template <class Arch, ActivationSet Set = ActivationSet::sums, class Apply>
LUMBAR_ALWAYS_INLINE void with_activation(const Epilogue& e, Apply&& apply) {
    using V = simd::Vector<Arch>;
    const V low = simd::broadcast<Arch>(e.low);
    const V high = simd::broadcast<Arch>(e.high);
    switch (e.kind) {
        case Epilogue::Kind::none:
            if constexpr (Set == ActivationSet::all) {
                apply([](const V& x) { return x; });
                break;
            }
            [[fallthrough]];
        case Epilogue::Kind::clamp:
            apply([&](const V& x) { return simd::clamp<Arch>(x, low, high); });
            break;
        case Epilogue::Kind::hard_swish: {
            const V three = simd::broadcast<Arch>(3.0f), sixth = simd::broadcast<Arch>(1.0f / 6);
            apply([&](const V& x) -> V {
                return x * (simd::clamp<Arch>(x + three, low, high) * sixth);
            });
            break;
        }
        case Epilogue::Kind::hard_sigmoid:
            if constexpr (Set == ActivationSet::all) {
                const V three = simd::broadcast<Arch>(3.0f),
                        sixth = simd::broadcast<Arch>(1.0f / 6);
                apply([&](const V& x) -> V {
                    return simd::clamp<Arch>(x + three, low, high) * sixth;
                });
            }
            break;
        case Epilogue::Kind::sigmoid:
            if constexpr (Set == ActivationSet::all) {
                const V one = simd::broadcast<Arch>(1.0f), zero = simd::broadcast<Arch>(0.0f);
                apply([&](const V& x) -> V { return one / (one + simd::exp<Arch>(zero - x)); });
            }
            break;
    }
}

LUMBAR_NAMESPACE_END
