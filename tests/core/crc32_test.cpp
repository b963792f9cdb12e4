#include <lumbar/core/crc32.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

namespace crc32_test {

using namespace lumbar;

namespace {

std::uint32_t crc_of(const std::string& text) {
    return detail::crc32(std::as_bytes(std::span(text)));
}

}  // namespace

TEST_CASE("checksums are those of the standard, at any length") {
    CHECK(crc_of("") == 0);
    CHECK(crc_of("123456789") == 0xCBF43926u);  // the check value of all descriptions
    std::string text;
    for (int i = 0; i < 100; ++i) {
        std::uint32_t crc = ~0u;  // bit by bit
        for (const char c : text) {
            crc ^= static_cast<unsigned char>(c);
            for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
        }
        CHECK(crc_of(text) == ~crc);
        text += static_cast<char>(i * 37);
    }
}

}  // namespace crc32_test
