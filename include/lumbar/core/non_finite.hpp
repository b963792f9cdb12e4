// Infinities and NaN by their bits: under -ffast-math compilers may take it that there are none,
// and the newest clang then has no code where it sees one.
#pragma once

#include <lumbar/config/config.hpp>

#include <bit>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

inline constexpr float kPositiveInfinity = std::bit_cast<float>(std::uint32_t{0x7F800000});
inline constexpr float kNegativeInfinity = std::bit_cast<float>(std::uint32_t{0xFF800000});

/// Neither infinite nor NaN. By reference: of a float that is passed by value clang believes it.
inline bool is_finite(const float& x) {
    return (std::bit_cast<std::uint32_t>(x) & 0x7F800000) != 0x7F800000;
}

LUMBAR_NAMESPACE_END
