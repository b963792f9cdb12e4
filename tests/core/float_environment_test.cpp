#include <lumbar/core/float_environment.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cfenv>
#include <cmath>
#include <limits>
#include <thread>

namespace float_environment_test {

#if defined(LUMBAR_FLOAT_ENVIRONMENT_MXCSR) || defined(LUMBAR_FLOAT_ENVIRONMENT_FPCR)

namespace {

using lumbar::FlushDenormals;

constexpr float kTiny = std::numeric_limits<float>::min();             // the smallest normal
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();  // and the smallest at all

/// a * b at run time, whatever the compiler knows of a and b.
float multiply(float a, float b) {
    volatile float x = a;
    volatile float y = b;
    volatile float product = x * y;
    return product;
}

bool flushes_results() { return multiply(kTiny, 0.5f) == 0; }
bool flushes_operands() { return multiply(kDenormal, 0x1p+100f) == 0; }

}  // namespace

TEST_CASE("denormal operands and results are zero inside the guard, and not after it") {
    CHECK_FALSE(flushes_results());
    CHECK_FALSE(flushes_operands());
    {
        FlushDenormals guard;
        CHECK(flushes_results());
        CHECK(flushes_operands());
        CHECK(multiply(kTiny, 1) == kTiny);
        CHECK(std::signbit(multiply(-kTiny, 0.5f)));
    }
    CHECK_FALSE(flushes_results());
    CHECK_FALSE(flushes_operands());
}

TEST_CASE("guards nest") {
    FlushDenormals outer;
    {
        FlushDenormals inner;
        CHECK(flushes_results());
    }
    CHECK(flushes_results());
}

TEST_CASE("the guard rounds to nearest and gives the caller's rounding back") {
    REQUIRE(std::fesetround(FE_UPWARD) == 0);
    float inside = 0;
    {
        FlushDenormals guard;
        inside = multiply(1 + 0x1p-23f, 1 + 0x1p-23f);  // 1 + 2^-22 + 2^-46
    }
    const float after = multiply(1 + 0x1p-23f, 1 + 0x1p-23f);
    std::fesetround(FE_TONEAREST);
    CHECK(inside == 1 + 0x1p-22f);
    CHECK(after == 1 + 0x1p-22f + 0x1p-23f);
}

TEST_CASE("exception flags are after the guard what they were before") {
    std::feclearexcept(FE_ALL_EXCEPT);
    {
        FlushDenormals guard;
        CHECK(std::isinf(multiply(std::numeric_limits<float>::max(), 2)));
    }
    CHECK(std::fetestexcept(FE_OVERFLOW) == 0);

    std::feraiseexcept(FE_DIVBYZERO);
    {
        FlushDenormals guard;
        multiply(1, 3);
    }
    CHECK(std::fetestexcept(FE_DIVBYZERO) != 0);
    CHECK(std::fetestexcept(FE_OVERFLOW) == 0);
    std::feclearexcept(FE_ALL_EXCEPT);
}

TEST_CASE("the guard concerns its own thread alone") {
    std::atomic<int> step{0};
    bool flushes_there = false;
    std::thread other([&] {
        FlushDenormals guard;
        flushes_there = flushes_results();
        step = 1;
        while (step == 1) std::this_thread::yield();
    });
    while (step == 0) std::this_thread::yield();
    const bool flushes_here = flushes_results();
    step = 2;
    other.join();
    CHECK(flushes_there);
    CHECK_FALSE(flushes_here);
}

#if defined(LUMBAR_FLOAT_ENVIRONMENT_MXCSR)
TEST_CASE("the control register is restored to the bit") {
    const unsigned original = _mm_getcsr();
    constexpr unsigned states[] = {
        0x1f80,  // the default
        0x9fc0,  // as the guard sets it
        0x9fe5,  // the same with flags up
        0x1fa1,  // flags up
        0x7f80,  // rounding toward zero
        0x3f80,  // rounding down
        0x9f80,  // results flushed, operands not
        0x1fc0,  // operands flushed, results not
        0x1d80,  // traps on division by zero
    };
    for (unsigned state : states) {
        _mm_setcsr(state);
        unsigned inside = 0;
        {
            FlushDenormals guard;
            inside = _mm_getcsr();
            multiply(1, 3);
            multiply(kTiny, kTiny);
        }
        const unsigned after = _mm_getcsr();
        _mm_setcsr(original);
        CAPTURE(state);
        CHECK((inside & ~0x3fu) == 0x9fc0);
        CHECK(after == state);
    }
}
#endif

#else
TEST_CASE("the guard is harmless where the processor is not known") {
    lumbar::FlushDenormals guard;
    MESSAGE("skipped: neither SSE nor AArch64");
}
#endif

}  // namespace float_environment_test
