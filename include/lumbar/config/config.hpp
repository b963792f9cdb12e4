// The only macros of the library: version, the instruction set of the including file's flags, the
// namespace that carries both, and the handful of attributes that C++20 has no word for.
#pragma once

#define LUMBAR_VERSION_MAJOR 0
#define LUMBAR_VERSION_MINOR 1
#define LUMBAR_VERSION_PATCH 0

// The instruction set that this file is compiled for. It is part of every symbol's name (below), so
// that two files built with different -m flags cannot share an inline function by accident: at the
// border between them the program fails to link instead of crashing on the older CPU.
// It names what xsimd 8.1 distinguishes, fused multiply-adds included.
#if defined(__AVX512F__) && defined(__AVX512CD__) && defined(__AVX512DQ__) && defined(__AVX512BW__)
#define LUMBAR_VECTORS avx512
#elif defined(__AVX512F__) && defined(__AVX512CD__) && defined(__AVX512DQ__)
#define LUMBAR_VECTORS avx512dq
#elif defined(__AVX512F__) && defined(__AVX512CD__)
#define LUMBAR_VECTORS avx512cd
#elif defined(__AVX512F__)
#define LUMBAR_VECTORS avx512f
#elif defined(__AVX2__)
#define LUMBAR_VECTORS avx2
#elif defined(__AVX__)
#define LUMBAR_VECTORS avx
#elif defined(__SSE4_2__)
#define LUMBAR_VECTORS sse42
#elif defined(__SSE4_1__)
#define LUMBAR_VECTORS sse41
#elif defined(__SSSE3__)
#define LUMBAR_VECTORS ssse3
#elif defined(__SSE3__)
#define LUMBAR_VECTORS sse3
#elif defined(__SSE2__)
#define LUMBAR_VECTORS sse2
#elif defined(__aarch64__)
#define LUMBAR_VECTORS neon64
#elif defined(__wasm_simd128__)
#define LUMBAR_VECTORS wasm
#else
#define LUMBAR_VECTORS scalar
#endif
#if defined(__FMA__)
#define LUMBAR_FUSED _fma
#elif defined(__FMA4__)
#define LUMBAR_FUSED _fma4
#else
#define LUMBAR_FUSED
#endif
// Not xsimd's, but what kernels of bfloat16 consist of depends on it.
#if defined(__AVX512BF16__)
#define LUMBAR_PAIRS _bf16
#else
#define LUMBAR_PAIRS
#endif
#define LUMBAR_JOIN_(a, b, c, d) a##b##c##d
#define LUMBAR_JOIN(a, b, c, d) LUMBAR_JOIN_(a, b, c, d)
#if !defined(LUMBAR_DISPATCH)
#define LUMBAR_ABI LUMBAR_JOIN(v0_, LUMBAR_VECTORS, LUMBAR_FUSED, LUMBAR_PAIRS)
#else
// lumbar_add_dispatch (CMake): the kernels of several instruction sets in one program. They share
// the types of the rest, which is compiled for any x86-64; what they consist of is tagged by its
// xsimd architecture.
#define LUMBAR_ABI v0_dispatch
#if defined(__SSE3__) && !defined(LUMBAR_DISPATCH_KERNELS)
#error \
    "lumbar_add_dispatch chooses the instruction set: compile the target without -march and -m flags"
#endif
#endif

// clang-format off
#define LUMBAR_NAMESPACE_BEGIN namespace lumbar { inline namespace LUMBAR_ABI {
#define LUMBAR_NAMESPACE_END } }
// clang-format on

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define LUMBAR_HAS_EXCEPTIONS 1
#else
#define LUMBAR_HAS_EXCEPTIONS 0
#endif

#if defined(__GNUC__) || defined(__clang__)
#define LUMBAR_ALWAYS_INLINE inline __attribute__((always_inline))
#define LUMBAR_NEVER_INLINE __attribute__((noinline))
// Runs once per network: compiled for size, which saves a user seconds of compile time. Not under
// g++'s AddressSanitizer: g++ 12 loses the frame of a function that is compiled for size (with
// -march=x86-64-v3 those of 256 to 1024 bytes: their shadow is cleared by `rep stos`, and the frame
// is not given back), until each call looks through a full store of frames, which is 15 times as
// slow where a pickle has millions of operations. (No test builds it: those under AddressSanitizer
// are clang's.)
#if defined(__SANITIZE_ADDRESS__)
#define LUMBAR_COLD __attribute__((noinline))
#else
#define LUMBAR_COLD __attribute__((cold, noinline))
#endif
// Not so, though only cold functions call it: g++ would take it for cold too.
#define LUMBAR_HOT __attribute__((hot))
#define LUMBAR_LAMBDA_INLINE __attribute__((always_inline))
#else
#define LUMBAR_ALWAYS_INLINE inline
#define LUMBAR_NEVER_INLINE
#define LUMBAR_COLD
#define LUMBAR_HOT
#define LUMBAR_LAMBDA_INLINE
#endif

// Unrolls the next loop completely (its trip count is a compile-time constant of at most 32).
#if defined(__clang__)
#define LUMBAR_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define LUMBAR_UNROLL _Pragma("GCC unroll 32")
#else
#define LUMBAR_UNROLL
#endif
