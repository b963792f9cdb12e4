// Which kind of picture some bytes are, and whether they can be handed to a decoder. stb_image
// reads zeros past the end of a cut-off file and calls the result a success, ignores checksums, and
// some of its versions write past a Huffman table that a JPEG overfills; here these are errors.
#pragma once

#include <lumbar/core/crc32.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

enum class ImageContainer { unknown, jpeg, png, bmp, pnm };

inline ImageContainer container_of(std::span<const std::uint8_t> bytes) {
    const auto starts = [bytes](std::initializer_list<std::uint8_t> signature) {
        if (bytes.size() < signature.size()) return false;
        std::size_t i = 0;
        for (const std::uint8_t byte : signature)
            if (bytes[i++] != byte) return false;
        return true;
    };
    if (starts({0xFF, 0xD8, 0xFF})) return ImageContainer::jpeg;
    if (starts({0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'})) return ImageContainer::png;
    if (starts({'B', 'M'})) return ImageContainer::bmp;
    if (starts({'P', '5'}) || starts({'P', '6'})) return ImageContainer::pnm;
    return ImageContainer::unknown;
}

/// Whether a JPEG's DHT segment holds whole tables: a byte of name, 16 counts of codes of each
/// length, at most 256 in all, and a byte for each code.
inline bool huffman_tables_fit(std::span<const std::uint8_t> segment) {
    while (!segment.empty()) {
        if (segment.size() < 17) return false;
        std::size_t codes = 0;
        for (std::size_t i = 1; i <= 16; ++i) codes += segment[i];
        if (codes > 256 || codes > segment.size() - 17) return false;
        segment = segment.subspan(17 + codes);
    }
    return true;
}

/// What is wrong with a JPEG's chain of segments, or null. It must reach the end-of-image marker;
/// and the scans are counted, because a small progressive file may ask for any number of passes
/// over a large picture: 500, of which more than 32 over 2^31 pixels in all at most (two seconds).
inline const char* jpeg_defect(std::span<const std::uint8_t> bytes) {
    constexpr std::uint64_t kMaxScans = 500, kScansOfAnySize = 32;
    constexpr std::uint64_t kMaxScannedPixels = std::uint64_t{1} << 31;
    constexpr unsigned kEndOfImage = 0xD9;
    constexpr unsigned kStartOfScan = 0xDA;
    constexpr unsigned kHuffmanTables = 0xC4;
    const char* const truncated = "it is truncated (a JPEG without its end-of-image marker)";
    std::uint64_t scans = 0, pixels = 0;
    std::size_t at = 2;
    while (true) {
        // Forward to the next marker. Within entropy-coded data 0xFF is followed by 0, and restart
        // markers (D0 to D7) stand alone.
        while (at < bytes.size() && bytes[at] != 0xFF) ++at;
        while (at < bytes.size() && bytes[at] == 0xFF) ++at;
        if (at >= bytes.size()) return truncated;
        const unsigned marker = bytes[at++];
        if (marker == kEndOfImage) return nullptr;
        if (marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;
        if (marker == kStartOfScan) {
            if (++scans > kMaxScans)
                return "it has more than 500 scans, which no camera or program writes";
            if (scans > kScansOfAnySize && scans * pixels > kMaxScannedPixels)
                return "it has more scans than a picture of its size is read with";
        }
        if (bytes.size() - at < 2) return truncated;
        const std::size_t length = bytes[at] * std::size_t{256} + bytes[at + 1];
        if (length < 2) return "it is damaged (a JPEG segment of no length)";
        if (length > bytes.size() - at) return truncated;
        const bool frame = marker >= 0xC0 && marker <= 0xC2;
        if (frame && length >= 7) {
            const auto side = [&](std::size_t i) {
                return bytes[at + i] * std::uint64_t{256} + bytes[at + i + 1];
            };
            pixels = std::max(pixels, side(3) * side(5));
        }
        if (marker == kHuffmanTables && !huffman_tables_fit(bytes.subspan(at + 2, length - 2)))
            return "it is damaged (a JPEG Huffman table of the wrong size)";
        at += length;
    }
}

/// What is wrong with a PNG's chain of chunks, or null: it must reach IEND, and the chunks that
/// decoding depends on (their names begin with a capital) must match their checksums.
inline const char* png_defect(std::span<const std::uint8_t> bytes) {
    const auto u32 = [bytes](std::size_t at) {
        return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
               std::uint32_t{bytes[at + 2]} << 8 | std::uint32_t{bytes[at + 3]};
    };
    constexpr std::size_t kAround = 12;  // length, name, checksum
    constexpr std::uint32_t kEnd = 0x49454E44;
    std::size_t at = 8;
    while (true) {
        if (bytes.size() - at < kAround) return "it is truncated (a PNG without its IEND chunk)";
        const std::size_t length = u32(at);
        if (length > bytes.size() - at - kAround) return "it is truncated (a PNG chunk is cut off)";
        const bool critical = (bytes[at + 4] & 0x20) == 0;
        if (critical &&
            crc32(std::as_bytes(bytes.subspan(at + 4, length + 4))) != u32(at + 8 + length))
            return "it is damaged (a PNG chunk's checksum does not match)";
        if (u32(at + 4) == kEnd) return nullptr;
        at += kAround + length;
    }
}

/// What is wrong with a BMP's size, or null. Its pixels are not compressed (stb reads no other), so
/// the header tells where they end.
inline const char* bmp_defect(std::span<const std::uint8_t> bytes) {
    const auto u16 = [bytes](std::size_t at) {
        return std::uint32_t{bytes[at]} | std::uint32_t{bytes[at + 1]} << 8;
    };
    const auto u32 = [u16](std::size_t at) { return u16(at) | u16(at + 2) << 16; };
    const char* const truncated = "it is truncated (a BMP with less data than its header promises)";
    if (bytes.size() < 26) return truncated;
    const std::uint64_t offset = u32(10);
    const bool old = u32(14) == 12;  // OS/2's header, with 16-bit sizes
    if (!old && bytes.size() < 54) return truncated;
    const std::uint64_t width = old ? u16(18) : u32(18);
    const std::uint64_t signed_height = old ? u16(20) : u32(22);
    // A negative height means top row first.
    const std::uint64_t height =
        !old && signed_height > 0x7FFFFFFF ? 0x100000000 - signed_height : signed_height;
    const std::uint64_t bits = old ? u16(24) : u16(28);
    if (width == 0 || height == 0) return "it has no pixels";
    if (width > 0xFFFF || height > 0xFFFF || bits > 32) return "its header is damaged";
    const std::uint64_t row = (width * bits + 31) / 32 * 4;
    // The last row's padding is left out by some writers.
    if (offset + row * (height - 1) + (width * bits + 7) / 8 > bytes.size()) return truncated;
    return nullptr;
}

/// The header of a binary PNM: "P5" or "P6", width, height and greatest value as decimal numbers
/// between white space and # comments, one white-space byte, then the pixels.
struct PnmHeader {
    int channels = 0;
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    std::uint32_t greatest = 0;
    std::size_t pixels_at = 0;  ///< 0 where the header is damaged
};
inline PnmHeader pnm_header(std::span<const std::uint8_t> bytes) {
    PnmHeader header{.channels = bytes[1] == '6' ? 3 : 1};
    const auto space = [](std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    std::size_t at = 2;
    for (std::uint32_t* number : {&header.width, &header.height, &header.greatest}) {
        while (at < bytes.size() && (space(bytes[at]) || bytes[at] == '#')) {
            if (bytes[at] == '#')
                while (at < bytes.size() && bytes[at] != '\n' && bytes[at] != '\r') ++at;
            else
                ++at;
        }
        const std::size_t begin = at;
        for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9' && at - begin < 9; ++at)
            *number = *number * 10 + (bytes[at] - std::uint32_t{'0'});
        if (at == begin || at >= bytes.size()) return header;
    }
    if (space(bytes[at])) header.pixels_at = at + 1;
    return header;
}

}  // namespace detail
LUMBAR_NAMESPACE_END
