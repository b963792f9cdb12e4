// The door to xsimd: everything the kernels need from a vector of floats, for every architecture
// tag, from xsimd 8.1 (Debian 12) to the newest. Kernels dispatch on `lanes` and `registers`, never
// on an architecture's name.
//
// What the door hides:
//  - xsimd 8.1 has no fused multiply-add for AVX-512 (it hopes that the compiler contracts x*y + z,
//    which clang 14 does not);
//  - hadd (8.1) became reduce_add (9 and later);
//  - max(x, 0) emits its operands in an order that differs between versions, which decides what
//    becomes of NaN: clamp here compares and selects, so NaN stays NaN everywhere;
//  - a one-lane architecture, which 8.1 has not.
#pragma once

#include <lumbar/config/config.hpp>

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the "undefined" operands of its own AVX-512 intrinsics for uninitialised variables
// (PR 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <xsimd/xsimd.hpp>
#pragma GCC diagnostic pop
#else
#include <xsimd/xsimd.hpp>
#endif

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

LUMBAR_NAMESPACE_BEGIN
namespace simd {

/// One lane: plain float, for CPUs without vectors and for tests.
struct Scalar {};

/// The architecture of the including file's flags.
#if defined(__SSE2__) || defined(__ARM_NEON) || defined(__aarch64__) || defined(_M_X64) || \
    (defined(XSIMD_WITH_WASM) && XSIMD_WITH_WASM)
using Native = xsimd::default_arch;
#else
using Native = Scalar;
#endif

namespace detail {
template <class Arch>
struct Register {
    using type = xsimd::batch<float, Arch>;
    static constexpr int lanes = static_cast<int>(type::size);
    static constexpr bool wide = sizeof(type) == 64;
#if defined(__aarch64__)
    static constexpr int registers = 32;
#else
    static constexpr int registers = wide ? 32 : 16;
#endif
};
template <>
struct Register<Scalar> {
    using type = float;
    static constexpr int lanes = 1;
    static constexpr int registers = 16;
};
}  // namespace detail

/// A vector register of floats.
template <class Arch>
using Vector = typename detail::Register<Arch>::type;

/// Floats in a vector.
template <class Arch>
inline constexpr int lanes = detail::Register<Arch>::lanes;

/// Architectural vector registers: what a tile of accumulators has to fit into.
template <class Arch>
inline constexpr int registers = detail::Register<Arch>::registers;

/// lanes<Arch> floats from an address aligned to the vector's size.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> load(const float* p) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        return *p;
    } else {
        return Vector<Arch>::load_aligned(p);
    }
}

template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> load_unaligned(const float* p) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        return *p;
    } else {
        return Vector<Arch>::load_unaligned(p);
    }
}

template <class Arch>
LUMBAR_ALWAYS_INLINE void store(float* p, const Vector<Arch>& v) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        *p = v;
    } else {
        v.store_aligned(p);
    }
}

template <class Arch>
LUMBAR_ALWAYS_INLINE void store_unaligned(float* p, const Vector<Arch>& v) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        *p = v;
    } else {
        v.store_unaligned(p);
    }
}

/// All lanes equal to x.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> broadcast(float x) {
    return Vector<Arch>(x);
}

/// Minus infinity in all lanes; compilers do not see that it is (see core/non_finite.hpp).
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> negative_infinity() {
    std::uint32_t bits = 0xFF800000;
#if defined(__GNUC__) || defined(__clang__)
    asm("" : "+r"(bits));
#endif
    return broadcast<Arch>(std::bit_cast<float>(bits));
}

/// Puts variables into memory until they are used next: what loops in between need has their
/// registers. (g++ 12 and clang 14 otherwise reload pointers within hot loops, for want of
/// registers.)
template <class... T>
LUMBAR_ALWAYS_INLINE void park([[maybe_unused]] T&... variables) {
#if defined(__GNUC__)
    ([](auto& v) LUMBAR_LAMBDA_INLINE { asm volatile("" : "+m"(v)); }(variables), ...);
#endif
}

/// Asks for the cache line of an address, which need not be valid, to be brought into L2.
LUMBAR_ALWAYS_INLINE void prefetch([[maybe_unused]] const float* p) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(p, 0, 2);
#endif
}

/// Has a vector in a register here, and compilers take its value for a new one. (x86-64 only.)
template <class Arch>
LUMBAR_ALWAYS_INLINE void pin([[maybe_unused]] Vector<Arch>& v) {
#if defined(__GNUC__) && defined(__x86_64__)
    if constexpr (!std::is_same_v<Arch, Scalar>) asm volatile("" : "+x"(v.data));
#endif
}

/// The first `count` floats (0 to lanes), zero in the other lanes; reads nothing beyond them.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> load_tail(const float* p, int count) {
    alignas(64) float lane[static_cast<std::size_t>(lanes<Arch>)] = {};
    for (int i = 0; i < count; ++i) lane[i] = p[i];
    return load<Arch>(lane);
}

/// Stores the first `count` lanes; writes nothing beyond them.
template <class Arch>
LUMBAR_ALWAYS_INLINE void store_tail(float* p, const Vector<Arch>& v, int count) {
    alignas(64) float lane[static_cast<std::size_t>(lanes<Arch>)];
    simd::store<Arch>(lane, v);
    for (int i = 0; i < count; ++i) p[i] = lane[i];
}

/// v with zeros in the lanes from `count` on.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> keep_first(const Vector<Arch>& v, int count) {
    alignas(64) float lane[static_cast<std::size_t>(lanes<Arch>)];
    simd::store<Arch>(lane, v);
    return load_tail<Arch>(lane, count);
}

/// a * b + c, fused where the CPU can.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> fma(const Vector<Arch>& a, const Vector<Arch>& b,
                                      const Vector<Arch>& c) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        return a * b + c;
    } else {
#if defined(__AVX512F__)
        // Without this clang 14 emits a multiply and an add with xsimd 8.1: other rounding, and
        // half the speed on CPUs whose adders share the multipliers' ports.
        if constexpr (sizeof(Vector<Arch>) == 64) return _mm512_fmadd_ps(a, b, c);
#endif
        return xsimd::fma(a, b, c);
    }
}

namespace detail {
template <class Arch>
using Bits = xsimd::batch<std::uint32_t, Arch>;
template <class Arch>
LUMBAR_ALWAYS_INLINE Bits<Arch> bits_of(const Vector<Arch>& v) {
#if XSIMD_VERSION_MAJOR < 9
    return xsimd::bitwise_cast<Bits<Arch>>(v);
#else
    return xsimd::bitwise_cast<std::uint32_t>(v);
#endif
}
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> floats_of(const Bits<Arch>& bits) {
#if XSIMD_VERSION_MAJOR < 9
    return xsimd::bitwise_cast<Vector<Arch>>(bits);
#else
    return xsimd::bitwise_cast<float>(bits);
#endif
}
}  // namespace detail

/// The low and the high half of every lane, each the upper half of a float: two bfloat16 as floats.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> low_halves(const Vector<Arch>& v) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(v) << 16);
    } else {
        return detail::floats_of<Arch>(detail::bits_of<Arch>(v) << 16);
    }
}
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> high_halves(const Vector<Arch>& v) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(v) & 0xFFFF0000);
    } else {
        return detail::floats_of<Arch>(detail::bits_of<Arch>(v) &
                                       detail::Bits<Arch>(std::uint32_t{0xFFFF0000}));
    }
}

/// Whether the CPU multiplies bfloat16 by itself.
template <class Arch>
inline constexpr bool has_bfloat16 =
#if defined(__AVX512BF16__)
    sizeof(Vector<Arch>) == 64;
#else
    false;
#endif

/// c + low(a) * low(b) + high(a) * high(b), of pairs of bfloat16; denormals may count as zero.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> fma_pairs(const Vector<Arch>& a, const Vector<Arch>& b,
                                            const Vector<Arch>& c) {
#if defined(__AVX512BF16__)
    // Twice the multiply-adds of float32 per cycle (Zen 4: 235 GFLOP/s beside 117); what stands
    // below it takes six instructions.
    if constexpr (has_bfloat16<Arch>) {
        return _mm512_dpbf16_ps(c, std::bit_cast<__m512bh>(static_cast<__m512>(a)),
                                std::bit_cast<__m512bh>(static_cast<__m512>(b)));
    }
#endif
    return fma<Arch>(high_halves<Arch>(a), high_halves<Arch>(b),
                     fma<Arch>(low_halves<Arch>(a), low_halves<Arch>(b), c));
}

#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ && defined(__SSE2__)
/// Under -ffast-math compilers take max(a, b) for max(b, a), which decides what becomes of NaN: so
/// the instruction itself, of registers of any width.
template <bool Greatest, class Register>
LUMBAR_ALWAYS_INLINE Register extreme_instruction(const Register& a, const Register& b) {
#if defined(__AVX__)
    Register r;
    if constexpr (Greatest) {
        asm("vmaxps {%2, %1, %0|%0, %1, %2}" : "=x"(r) : "x"(a), "x"(b));
    } else {
        asm("vminps {%2, %1, %0|%0, %1, %2}" : "=x"(r) : "x"(a), "x"(b));
    }
#else
    Register r = a;
    if constexpr (Greatest) {
        asm("maxps {%1, %0|%0, %1}" : "+x"(r) : "x"(b));
    } else {
        asm("minps {%1, %0|%0, %1}" : "+x"(r) : "x"(b));
    }
#endif
    return r;
}
#endif

/// a > b ? a : b, lane by lane; b where either is NaN.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> greater_or_second(const Vector<Arch>& a, const Vector<Arch>& b) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        return a > b ? a : b;
    } else {
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ && defined(__SSE2__)
        return extreme_instruction<true>(a.data, b.data);
#else
        // One instruction on x86, defined as just this; xsimd::max has its operands in an order
        // that differs between versions, and g++ 12 makes two instructions of the selection (2 to
        // 5 % of MobileNet V2's expansions).
#if defined(__AVX512F__)
        if constexpr (sizeof(Vector<Arch>) == 64) return _mm512_max_ps(a, b);
#endif
#if defined(__AVX__)
        if constexpr (sizeof(Vector<Arch>) == 32) return _mm256_max_ps(a, b);
#endif
#if defined(__SSE2__)
        if constexpr (sizeof(Vector<Arch>) == 16) return _mm_max_ps(a, b);
#endif
        return xsimd::select(a > b, a, b);
#endif
    }
}

/// a < b ? a : b, lane by lane; b where either is NaN.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> less_or_second(const Vector<Arch>& a, const Vector<Arch>& b) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        return a < b ? a : b;
    } else {
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ && defined(__SSE2__)
        return extreme_instruction<false>(a.data, b.data);
#else
#if defined(__AVX512F__)
        if constexpr (sizeof(Vector<Arch>) == 64) return _mm512_min_ps(a, b);
#endif
#if defined(__AVX__)
        if constexpr (sizeof(Vector<Arch>) == 32) return _mm256_min_ps(a, b);
#endif
#if defined(__SSE2__)
        if constexpr (sizeof(Vector<Arch>) == 16) return _mm_min_ps(a, b);
#endif
        return xsimd::select(a < b, a, b);
#endif
    }
}

/// The larger of x and low; NaN stays NaN.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> at_least(const Vector<Arch>& x, const Vector<Arch>& low) {
    return greater_or_second<Arch>(low, x);
}

/// The smaller of x and high; NaN stays NaN.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> at_most(const Vector<Arch>& x, const Vector<Arch>& high) {
    return less_or_second<Arch>(high, x);
}

/// x limited to [low, high]; NaN stays NaN.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> clamp(const Vector<Arch>& x, const Vector<Arch>& low,
                                        const Vector<Arch>& high) {
    return at_most<Arch>(at_least<Arch>(x, low), high);
}

/// The larger of the two; NaN where either is NaN (max pooling).
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> max_or_nan(const Vector<Arch>& running, const Vector<Arch>& x) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        return running >= x || running != running ? running : x;
    } else {
        // Equal where neither is NaN (zeros may differ in sign); one of them is NaN where either
        // is, and stays NaN with more bits set. No comparison, which -ffast-math would remove.
        return greater_or_second<Arch>(x, running) | greater_or_second<Arch>(running, x);
    }
}

/// The sum of all lanes, in an order fixed for the architecture.
template <class Arch>
LUMBAR_ALWAYS_INLINE float reduce_add(const Vector<Arch>& v) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        return v;
    } else {
#if XSIMD_VERSION_MAJOR < 9
        return xsimd::hadd(v);
#else
        return xsimd::reduce_add(v);
#endif
    }
}

// Where xsimd's functions of these have to stand back for the C library's.
#if defined(__clang__) && defined(__FAST_MATH__) && defined(__SSE2__) && !defined(__SSE4_1__)
// Without an instruction for it, xsimd rounds by x + 2^23 - 2^23, which clang's -ffast-math undoes.
#define LUMBAR_SCALAR_EXP 1
#define LUMBAR_SCALAR_POW 1
#elif defined(__AVX512F__) && !defined(__OPTIMIZE__)
// xsimd 8.1's pow does not compile for AVX-512 without optimisation.
#define LUMBAR_SCALAR_POW 1
#endif

/// exp(x), a few units in the last place.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> exp(const Vector<Arch>& x) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        return std::exp(x);
    } else {
#if defined(LUMBAR_SCALAR_EXP)
        alignas(64) float a[static_cast<std::size_t>(lanes<Arch>)];
        simd::store<Arch>(a, x);
        for (int i = 0; i < lanes<Arch>; ++i) a[i] = std::exp(a[i]);
        return simd::load<Arch>(a);
#else
        return xsimd::exp(x);
#endif
    }
}

/// x ^ p for positive x.
template <class Arch>
LUMBAR_ALWAYS_INLINE Vector<Arch> pow(const Vector<Arch>& x, const Vector<Arch>& p) {
    if constexpr (std::is_same_v<Arch, Scalar>) {
        return std::pow(x, p);
    } else {
#if defined(LUMBAR_SCALAR_POW)
        alignas(64) float a[static_cast<std::size_t>(lanes<Arch>)],
            b[static_cast<std::size_t>(lanes<Arch>)];
        simd::store<Arch>(a, x);
        simd::store<Arch>(b, p);
        for (int i = 0; i < lanes<Arch>; ++i) a[i] = std::pow(a[i], b[i]);
        return simd::load<Arch>(a);
#else
        return xsimd::pow(x, p);
#endif
    }
}

#undef LUMBAR_SCALAR_EXP
#undef LUMBAR_SCALAR_POW

}  // namespace simd
LUMBAR_NAMESPACE_END
