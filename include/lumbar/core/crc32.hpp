// The checksum of zip archives and of PNG.
#pragma once

#include <lumbar/config/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// Remainders of a byte that is followed by 0 to 7 zeros.
inline constexpr auto kCrcTables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t r = i;
        for (int bit = 0; bit < 8; ++bit) r = (r >> 1) ^ ((r & 1) != 0 ? 0xEDB88320u : 0u);
        tables[0][i] = r;
    }
    for (std::size_t zeros = 1; zeros < 8; ++zeros) {
        for (std::size_t i = 0; i < 256; ++i) {
            const std::uint32_t r = tables[zeros - 1][i];
            tables[zeros][i] = (r >> 8) ^ tables[0][r & 0xFF];
        }
    }
    return tables;
}();

/// CRC-32 (polynomial 0xEDB88320, bits reversed), eight bytes at once: Kounavis and Berry, "A
/// systematic approach to building high performance software-based CRC generators" (2005).
LUMBAR_HOT LUMBAR_NEVER_INLINE inline std::uint32_t crc32(std::span<const std::byte> bytes) {
    const auto& t = kCrcTables;
    std::uint32_t crc = 0xFFFFFFFFu;
    const auto take = [&](std::byte b) {
        crc = (crc >> 8) ^ t[0][(crc ^ static_cast<std::uint32_t>(b)) & 0xFF];
    };
    std::size_t at = 0;
    for (; bytes.size() - at >= 8; at += 8) {
        std::uint32_t low = 0, high = 0;  // little-endian, as all machines that are served
        std::memcpy(&low, bytes.data() + at, sizeof low);
        std::memcpy(&high, bytes.data() + at + 4, sizeof high);
        low ^= crc;
        crc = t[7][low & 0xFF] ^ t[6][(low >> 8) & 0xFF] ^ t[5][(low >> 16) & 0xFF] ^
              t[4][low >> 24] ^ t[3][high & 0xFF] ^ t[2][(high >> 8) & 0xFF] ^
              t[1][(high >> 16) & 0xFF] ^ t[0][high >> 24];
    }
    for (; at < bytes.size(); ++at) take(bytes[at]);
    return ~crc;
}

}  // namespace detail
LUMBAR_NAMESPACE_END
