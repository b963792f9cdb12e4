#include <lumbar/core/half.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace half_test {

using namespace lumbar;

namespace {

// By the definition of the format, in double: sign * mantissa * 2^exponent.
double half_by_definition(std::uint16_t bits) {
    const double sign = (bits >> 15) != 0 ? -1.0 : 1.0;
    const int exponent = (bits >> 10) & 31;
    const int mantissa = bits & 1023;
    if (exponent == 31) {
        return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                             : sign * std::numeric_limits<double>::infinity();
    }
    if (exponent == 0) return sign * std::ldexp(mantissa, -24);
    return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

bool same_bits(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

}  // namespace

TEST_CASE("every half becomes the float of the same value") {
    int wrong = 0;
    for (std::uint32_t i = 0; i < 65536; ++i) {
        const auto bits = static_cast<std::uint16_t>(i);
        const double expected = half_by_definition(bits);
        const float got = half_to_float(bits);
        if (std::isnan(expected)) {
            // The payload is kept in the upper bits of the mantissa, and the sign too.
            wrong += std::bit_cast<std::uint32_t>(got) !=
                     (((i & 0x8000) << 16) | 0x7F800000 | ((i & 0x3FF) << 13));
        } else {
            wrong += !same_bits(got, static_cast<float>(expected));
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("every half survives the way to float and back") {
    int wrong = 0;
    for (std::uint32_t i = 0; i < 65536; ++i) {
        const bool is_nan = (i & 0x7C00) == 0x7C00 && (i & 0x3FF) != 0;
        const std::uint32_t expected = is_nan ? (i | 0x0200) : i;  // NaN becomes quiet
        wrong += float_to_half(half_to_float(static_cast<std::uint16_t>(i))) != expected;
    }
    CHECK(wrong == 0);
}

TEST_CASE(
    "between two halves a float goes to the nearer one, and to the even one from the middle") {
    int wrong = 0;
    for (std::uint32_t i = 0; i < 0x7BFF; ++i) {  // neighbours i and i + 1, all finite
        const auto low = static_cast<std::uint16_t>(i);
        const auto high = static_cast<std::uint16_t>(i + 1);
        const auto even = (i & 1) == 0 ? low : high;
        // Exact: both have at most 11 significant bits and the same or neighbouring exponents.
        const float middle = (half_to_float(low) + half_to_float(high)) / 2;
        wrong += float_to_half(middle) != even;
        wrong += float_to_half(std::nextafter(middle, 0.0f)) != low;
        wrong += float_to_half(std::nextafter(middle, 1e9f)) != high;
        wrong += float_to_half(-middle) != (even | 0x8000);
    }
    CHECK(wrong == 0);
}

TEST_CASE("floats beyond the halves become infinity, zero or NaN") {
    const float infinity = std::numeric_limits<float>::infinity();
    struct Case {
        float value;
        std::uint16_t half;
    };
    const Case cases[] = {
        {65504.0f, 0x7BFF},
        {std::nextafter(65520.0f, 0.0f), 0x7BFF},
        {65520.0f, 0x7C00},
        {1e30f, 0x7C00},
        {infinity, 0x7C00},
        {-infinity, 0xFC00},
        {0.0f, 0x0000},
        {-0.0f, 0x8000},
        {0x1p-25f, 0x0000},  // halfway between zero and the smallest: to even
        {std::nextafter(0x1p-25f, 1.0f), 0x0001},
        {std::numeric_limits<float>::denorm_min(), 0x0000},
        {std::bit_cast<float>(0x7F800001u), 0x7E00},
        {std::bit_cast<float>(0xFFFFFFFFu), 0xFFFF},
    };
    for (const Case& c : cases) {
        CAPTURE(c.value);
        CHECK(float_to_half(c.value) == c.half);
    }
}

TEST_CASE("every bfloat16 is the upper half of its float, both ways") {
    int wrong = 0;
    for (std::uint32_t i = 0; i < 65536; ++i) {
        const float value = bfloat16_to_float(static_cast<std::uint16_t>(i));
        wrong += std::bit_cast<std::uint32_t>(value) != i << 16;
        const bool is_nan = (i & 0x7F80) == 0x7F80 && (i & 0x7F) != 0;
        wrong += float_to_bfloat16(value) != (is_nan ? i | 0x40 : i);
        if ((i & 0x7FFF) >= 0x7F80) continue;
        // The middle to the next goes to the even one; a bit on either side decides otherwise.
        const std::uint32_t middle = (i << 16) | 0x8000;
        wrong += float_to_bfloat16(std::bit_cast<float>(middle)) != i + (i & 1);
        wrong += float_to_bfloat16(std::bit_cast<float>(middle - 1)) != i;
        wrong += float_to_bfloat16(std::bit_cast<float>(middle + 1)) != i + 1;
    }
    CHECK(wrong == 0);
}

TEST_CASE("the conversions are constant expressions") {
    static_assert(half_to_float(0x3C00) == 1.0f);
    static_assert(half_to_float(0x0001) == 0x1p-24f);
    static_assert(float_to_half(-2.0f) == 0xC000);
    static_assert(float_to_half(0x1p-24f) == 1);
    static_assert(bfloat16_to_float(0x3F80) == 1.0f);
    static_assert(float_to_bfloat16(1.0f) == 0x3F80);
}

}  // namespace half_test
