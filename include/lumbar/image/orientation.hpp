// Which way up a picture is: the orientation that cameras note in EXIF, in a JPEG's APP1 segment or
// a PNG's eXIf chunk. Format: JEITA CP-3451, section 4.6.4 (tag 0x0112), which is TIFF's.
#pragma once

#include <lumbar/image/container.hpp>
#include <lumbar/image/image.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// The orientation in a block of EXIF: 1 to 8, and 1 where there is none that can be read.
inline int exif_orientation(std::span<const std::uint8_t> exif) {
    constexpr std::uint8_t kPrefix[] = {'E', 'x', 'i', 'f', 0, 0};
    if (exif.size() >= 6 && std::equal(kPrefix, kPrefix + 6, exif.begin())) exif = exif.subspan(6);
    if (exif.size() < 8 || exif[0] != exif[1] || (exif[0] != 'I' && exif[0] != 'M')) return 1;
    const bool big = exif[0] == 'M';
    const auto u16 = [exif, big](std::size_t at) {
        return std::uint32_t{exif[at + (big ? 1 : 0)]} | std::uint32_t{exif[at + (big ? 0 : 1)]}
                                                             << 8;
    };
    const auto u32 = [u16, big](std::size_t at) {
        return u16(at + (big ? 2 : 0)) | u16(at + (big ? 0 : 2)) << 16;
    };
    constexpr std::size_t kEntry = 12;
    constexpr std::uint32_t kOrientation = 0x0112, kShort = 3;
    std::size_t at = u32(4);
    if (u16(2) != 42 || at > exif.size() || exif.size() - at < 2) return 1;
    std::size_t entries = u16(at);
    at += 2;
    for (; entries > 0 && exif.size() - at >= kEntry; --entries, at += kEntry) {
        if (u16(at) != kOrientation || u16(at + 2) != kShort || u32(at + 4) != 1) continue;
        const std::uint32_t value = u16(at + 8);
        return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
    return 1;
}

/// The orientation of a file without defects (jpeg_defect, png_defect), 1 where it says none.
inline int orientation_of(std::span<const std::uint8_t> bytes) {
    const auto u16 = [bytes](std::size_t at) {
        return std::size_t{bytes[at]} << 8 | bytes[at + 1];
    };
    const ImageContainer container = container_of(bytes);
    if (container == ImageContainer::jpeg) {
        constexpr unsigned kApp1 = 0xE1, kStartOfScan = 0xDA;
        for (std::size_t at = 2; bytes.size() - at >= 4 && bytes[at] == 0xFF;) {
            const std::size_t length = u16(at + 2);
            if (bytes[at + 1] == kStartOfScan || length < 2 || length > bytes.size() - at - 2)
                break;
            const auto segment = bytes.subspan(at + 4, length - 2);
            if (bytes[at + 1] == kApp1 && segment.size() > 6 && segment[0] == 'E') {
                return exif_orientation(segment);
            }
            at += 2 + length;
        }
    } else if (container == ImageContainer::png) {
        constexpr std::size_t kExif = 0x65584966;
        for (std::size_t at = 8; bytes.size() - at >= 12;) {
            const std::size_t length = u16(at) << 16 | u16(at + 2);
            if (length > bytes.size() - at - 12) break;
            if ((u16(at + 4) << 16 | u16(at + 6)) == kExif) {
                return exif_orientation(bytes.subspan(at + 8, length));
            }
            at += 12 + length;
        }
    }
    return 1;
}

}  // namespace detail

/// The picture as it is to be seen, from one stored in an EXIF orientation: 1 as it is; 2 to 4
/// mirrored left to right, turned by 180 degrees, mirrored top to bottom; 5 to 8 transposed, turned
/// clockwise, transposed along the other diagonal, turned anticlockwise. Others count as 1.
inline Image oriented(Image image, int orientation) {
    if (orientation < 2 || orientation > 8 || image.empty()) return image;
    const bool swap = orientation >= 5;
    const bool flip_x = orientation == 2 || orientation == 3 || orientation >= 7;
    const bool flip_y =
        orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const int channels = image.channels();
    Image turned(ImageShape{.height = swap ? image.width() : image.height(),
                            .width = swap ? image.height() : image.width(),
                            .channels = channels});
    std::uint8_t* to = turned.data();
    for (int y = 0; y < turned.height(); ++y) {
        for (int x = 0; x < turned.width(); ++x) {
            const int row = swap ? x : y, column = swap ? y : x;
            const std::uint8_t* from = image.row(flip_y ? image.height() - 1 - row : row) +
                                       (flip_x ? image.width() - 1 - column : column) * channels;
            to = std::copy_n(from, channels, to);
        }
    }
    return turned;
}

LUMBAR_NAMESPACE_END
