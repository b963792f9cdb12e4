// The two 16-bit floating-point formats that weight files use, one number at a time.
//
// Integer arithmetic and selects only, so that loops over arrays vectorise on any target, and so
// that the results do not depend on the processor's flush-to-zero flags.
#pragma once

#include <lumbar/config/config.hpp>

#include <bit>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

/// IEEE 754 binary16 (1 sign, 5 exponent, 10 mantissa bits) to float. Exact; NaN keeps its payload.
constexpr float half_to_float(std::uint16_t half) {
    const std::uint32_t sign = (half & std::uint32_t{0x8000}) << 16;
    const std::uint32_t magnitude = (half & std::uint32_t{0x7FFF}) << 13;
    const std::uint32_t exponent = magnitude & (std::uint32_t{0x1F} << 23);

    // Exponents are biased by 15 in a half and by 127 in a float; infinity and NaN have all bits
    // set.
    constexpr std::uint32_t kRebias = std::uint32_t{127 - 15} << 23;
    const std::uint32_t normal = magnitude + kRebias;
    const std::uint32_t special = normal + kRebias;

    // A subnormal half is m * 2^-24: put m into the mantissa of 2^-14 and take 2^-14 off again.
    // Both operands and the difference are normal floats.
    constexpr std::uint32_t kSmallest = std::uint32_t{127 - 14} << 23;
    const float difference = std::bit_cast<float>(kSmallest | (magnitude & 0x007FFFFF)) -
                             std::bit_cast<float>(kSmallest);
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(difference);

    const std::uint32_t finite = exponent == 0 ? subnormal : normal;
    const std::uint32_t result = exponent == (std::uint32_t{0x1F} << 23) ? special : finite;
    return std::bit_cast<float>(result | sign);
}

/// bfloat16 (the upper half of a float) to float. Exact.
constexpr float bfloat16_to_float(std::uint16_t value) {
    return std::bit_cast<float>(std::uint32_t{value} << 16);
}

/// Float to IEEE 754 binary16, rounded to nearest, ties to even. Values from 65520 on become
/// infinity; NaN becomes a quiet NaN with the upper bits of its payload.
constexpr std::uint16_t float_to_half(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000;
    const std::uint32_t magnitude = bits & 0x7FFFFFFF;

    std::uint32_t half = 0;
    if (magnitude > 0x7F800000) {
        half = 0x7E00 | ((magnitude >> 13) & 0x03FF);
    } else if (magnitude >= 0x477FF000) {  // 65520, halfway between 65504 and 65536
        half = 0x7C00;
    } else if (magnitude < 0x38800000) {
        // Below 2^-14: the unit in the last place of 0.5 is that of a subnormal half, 2^-24, so the
        // addition rounds at the right place.
        const float rounded = std::bit_cast<float>(magnitude) + 0.5f;
        half = std::bit_cast<std::uint32_t>(rounded) - std::bit_cast<std::uint32_t>(0.5f);
    } else {
        const std::uint32_t odd = (magnitude >> 13) & 1;
        half = (magnitude - (std::uint32_t{127 - 15} << 23) + 0x0FFF + odd) >> 13;
    }
    return static_cast<std::uint16_t>(half | sign);
}

/// Float to bfloat16, rounded to nearest, ties to even; NaN becomes a quiet NaN.
constexpr std::uint16_t float_to_bfloat16(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<std::uint16_t>((bits >> 16) | 0x0040);
    return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

LUMBAR_NAMESPACE_END
