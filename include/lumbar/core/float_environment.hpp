// The floating-point environment that a run needs, for as long as it needs it.
#pragma once

#include <lumbar/config/config.hpp>

#include <atomic>
#include <cstdint>

#if defined(__SSE__) || defined(_M_X64)
#define LUMBAR_FLOAT_ENVIRONMENT_MXCSR 1
#include <xmmintrin.h>
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
#define LUMBAR_FLOAT_ENVIRONMENT_FPCR 1
#endif

LUMBAR_NAMESPACE_BEGIN

/// While it lives, this thread treats denormal numbers as zero, as operands and as results (they
/// cost over a hundred cycles each on many processors), rounds to nearest and raises no trap. The
/// last two are the defaults; they are set as well because threads inherit whatever their creator
/// had, and a result must not depend on which thread computed it. The destructor restores the
/// state that the constructor found, its exception flags included. Does nothing on processors
/// other than x86 with SSE and AArch64.
///
/// Cheap enough for every task (two reads of the register where it is set already), and nestable.
class FlushDenormals {
   public:
#if defined(LUMBAR_FLOAT_ENVIRONMENT_MXCSR)
    FlushDenormals() noexcept : saved_(_mm_getcsr()) {
        if ((saved_ & ~kFlags) != kControl) _mm_setcsr(kControl);
        order();
    }
    ~FlushDenormals() {
        order();
        if (_mm_getcsr() != saved_) _mm_setcsr(saved_);
    }
#elif defined(LUMBAR_FLOAT_ENVIRONMENT_FPCR)
    FlushDenormals() noexcept {
        __asm__ __volatile__("mrs %0, fpcr" : "=r"(saved_));
        __asm__ __volatile__("mrs %0, fpsr" : "=r"(saved_flags_));
        if (saved_ != kControl) __asm__ __volatile__("msr fpcr, %0" ::"r"(kControl));
        order();
    }
    ~FlushDenormals() {
        order();
        if (saved_ != kControl) __asm__ __volatile__("msr fpcr, %0" ::"r"(saved_));
        __asm__ __volatile__("msr fpsr, %0" ::"r"(saved_flags_));
    }
#else
    FlushDenormals() noexcept {}
    ~FlushDenormals() {}
#endif
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;

   private:
    // Compilers do not know that arithmetic depends on the register; they may not move loads and
    // stores across this, though, and arithmetic between a load and a store stays between them.
    static void order() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

#if defined(LUMBAR_FLOAT_ENVIRONMENT_MXCSR)
    static constexpr unsigned kFlags = 0x003f;    // the sticky exception flags
    static constexpr unsigned kControl = 0x9fc0;  // flush (15), traps masked (12-7), daz (6)
    unsigned saved_;
#elif defined(LUMBAR_FLOAT_ENVIRONMENT_FPCR)
    static constexpr std::uint64_t kControl = std::uint64_t{1} << 24;  // flush to zero
    std::uint64_t saved_ = 0;
    std::uint64_t saved_flags_ = 0;
#endif
};

LUMBAR_NAMESPACE_END
