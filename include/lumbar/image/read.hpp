// Pictures from files and memory: JPEG, PNG, BMP (through stb_image) and binary PNM. A file is
// hostile until decoded: it is recognised by its signature, measured before anything is allocated
// for its pixels, and refused where it is cut off.
#pragma once

#include <lumbar/core/file.hpp>
#include <lumbar/image/container.hpp>
#include <lumbar/image/image.hpp>
#include <lumbar/image/orientation.hpp>
#include <lumbar/image/stb.hpp>

#include <algorithm>
#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// How to read a picture.
struct ReadOptions {
    /// 3: RGB, grey repeated. 1: grey, RGB weighted as Pillow's convert("L"). Alpha is dropped, not
    /// composited; 16-bit samples keep their upper 8 bits.
    int channels = 3;
    /// Larger pictures are refused. Decoding a progressive JPEG takes twelve bytes a pixel, a
    /// forged PNG up to about twenty, with 16 bits thirty.
    std::int64_t max_pixels = std::int64_t{1} << 26;
    /// Larger files are refused.
    std::uint64_t max_bytes = std::uint64_t{1} << 28;
    /// Turn a photo the right way up, as its EXIF data says. Off, because torchvision's evaluation
    /// does not either: the published accuracies are of pictures as they are stored.
    bool orient = false;
};

namespace detail {

/// A failure to read `name`, a quoted path or "an image in memory".
inline Error read_error(Error::Code code, const std::string& name, const std::string& why) {
    return Error(code, "cannot read " + name + ": " + why);
}

/// True where the size may be decoded; otherwise `why` says why not.
inline bool size_allowed(std::int64_t width, std::int64_t height, const ReadOptions& options,
                         std::string& why) {
    if (width <= 0 || height <= 0) {
        why = "it has no pixels";
        return false;
    }
    constexpr std::int64_t kMaxSide = 65535;
    if (width <= kMaxSide && height <= kMaxSide && width * height <= options.max_pixels)
        return true;
    why = "it has " + std::to_string(width) + " x " + std::to_string(height) +
          " pixels, more than the limit of " +
          (width > kMaxSide || height > kMaxSide
               ? std::to_string(kMaxSide) + " a side"
               : std::to_string(options.max_pixels) + " (ReadOptions::max_pixels)");
    return false;
}

/// What else it seems to be, for the message: "; it seems to be a GIF ...", or nothing.
inline std::string other_kind(std::span<const std::uint8_t> bytes) {
    struct Kind {
        std::size_t at;
        std::string_view magic;
        const char* name;
    };
    using namespace std::string_view_literals;
    constexpr Kind kinds[] = {{0, "GIF8"sv, "a GIF"},
                              {8, "WEBP"sv, "a WebP"},
                              {0, "II*\0"sv, "a TIFF"},
                              {0, "MM\0*"sv, "a TIFF"},
                              {4, "ftyp"sv, "a HEIC or AVIF"},
                              {0, "\xFF\x0A"sv, "a JPEG XL"},
                              {4, "JXL "sv, "a JPEG XL"},
                              {0, "8BPS"sv, "a Photoshop file"},
                              {0, "%PDF"sv, "a PDF"},
                              {0, "<"sv, "a web page or an SVG"},
                              {0, "version https://git-lfs"sv, "a Git LFS pointer, not the file"}};
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (const Kind& kind : kinds) {
        if (text.size() > kind.at && text.substr(kind.at).starts_with(kind.magic)) {
            return std::string("; it seems to be ") + kind.name;
        }
    }
    return "";
}

/// 1 or 3 channels of what has been decoded, as asked.
inline Image with_channels(Image image, int channels) {
    if (image.channels() == channels) return image;
    if (channels == 1) return to_grey(image);
    Image rgb(ImageShape{.height = image.height(), .width = image.width(), .channels = 3});
    std::uint8_t* to = rgb.data();
    for (const std::uint8_t grey : image.pixels()) {
        to[0] = to[1] = to[2] = grey;
        to += 3;
    }
    return rgb;
}

inline Result<Image> decode_pnm(std::span<const std::uint8_t> bytes, const std::string& name,
                                const ReadOptions& options) {
    const PnmHeader header = pnm_header(bytes);
    if (header.pixels_at == 0)
        return read_error(Error::Code::format, name, "its PNM header is damaged");
    std::string why;
    if (!size_allowed(header.width, header.height, options, why))
        return read_error(Error::Code::format, name, why);
    if (header.greatest != 255)
        return read_error(Error::Code::unsupported, name,
                          "its greatest value is " + std::to_string(header.greatest) +
                              "; only 8-bit PNM (255) is read");
    const ImageShape shape{.height = static_cast<int>(header.height),
                           .width = static_cast<int>(header.width),
                           .channels = header.channels};
    if (bytes.size() - header.pixels_at < shape.bytes())
        return read_error(Error::Code::format, name,
                          "it is truncated (a PNM with less data than its header promises)");
    return with_channels(Image::copy(bytes.subspan(header.pixels_at, shape.bytes()), shape),
                         options.channels);
}

/// Bounds every single allocation of the decoder. The largest that an honest file needs are a
/// progressive JPEG's coefficients (2 bytes, sides padded to 32); of a PNG the inflated rows, which
/// may double while they grow, and four channels of 8 or 16 bits.
inline std::size_t decoder_block_limit(const StbInfo& info, std::span<const std::uint8_t> bytes) {
    const auto padded = [](int side) { return static_cast<std::size_t>(side) + 32; };
    const std::size_t pixels = padded(info.width) * padded(info.height);
    const std::size_t others = bytes.size() * 2 + (std::size_t{1} << 20);
    if (container_of(bytes) != ImageContainer::png) return pixels * 20 + others;
    // Its first chunk, but for those of Apple's own variant: ..., bits, type of colour.
    const bool plain = bytes.size() > 25 && bytes[12] == 'I';
    constexpr std::array<std::size_t, 7> kChannels{1, 1, 3, 1, 2, 1, 4};
    const std::size_t bits = plain && bytes[24] <= 8 ? std::size_t{bytes[24]} : 16;
    const std::size_t channels = plain ? kChannels[bytes[25] % kChannels.size()] : 4;
    return std::max(pixels * 4 * (bits > 8 ? 2 : 1), pixels * channels * bits / 8 * 2) + others;
}

inline Result<Image> decode_with_stb(std::span<const std::uint8_t> bytes, const std::string& name,
                                     const ReadOptions& options) {
    if (bytes.size() > INT_MAX)
        return read_error(Error::Code::unsupported, name, "it is larger than 2 GiB");
    const int size = static_cast<int>(bytes.size());
    StbInfo info;
    // Its kind is known, so stb's "unknown image type" would mislead.
    if (!stb_info(bytes.data(), size, info))
        return read_error(Error::Code::format, name,
                          "its header is damaged, or of a variant that is not read (a JPEG of 12 "
                          "bits or arithmetic coding, a compressed BMP, a PNG above 2^30 bytes)");
    info.height = std::abs(info.height);  // a BMP whose top row comes first
    std::string why;
    if (!size_allowed(info.width, info.height, options, why))
        return read_error(Error::Code::format, name, why);

    // Colour is decoded as colour and weighted by us: stb's own luma differs from Pillow's.
    const int channels = info.channels <= 2 ? 1 : 3;
    StbInfo decoded;
    const std::unique_ptr<unsigned char, decltype(&std::free)> pixels(
        stb_decode(bytes.data(), size, channels, decoder_block_limit(info, bytes), decoded),
        &std::free);
    if (!pixels) return read_error(Error::Code::format, name, stb_failure());
    const ImageShape shape{.height = decoded.height, .width = decoded.width, .channels = channels};
    if (decoded.width != info.width || decoded.height != info.height)
        return read_error(Error::Code::format, name, "it contradicts its own header");
    return with_channels(Image::copy({pixels.get(), shape.bytes()}, shape), options.channels);
}

inline Result<Image> decode_image(std::span<const std::uint8_t> bytes, const std::string& name,
                                  const ReadOptions& options) {
    if (options.channels != 1 && options.channels != 3)
        return read_error(Error::Code::argument, name,
                          "an image has 1 or 3 channels, not " + std::to_string(options.channels));
    if (bytes.empty()) return read_error(Error::Code::format, name, "it is empty");
    const char* defect = nullptr;
    switch (container_of(bytes)) {
        case ImageContainer::unknown:
            return read_error(Error::Code::format, name,
                              "it is not a JPEG, PNG, BMP or PNM image" + other_kind(bytes));
        case ImageContainer::pnm: return decode_pnm(bytes, name, options);
        case ImageContainer::jpeg: defect = jpeg_defect(bytes); break;
        case ImageContainer::bmp: defect = bmp_defect(bytes); break;
        case ImageContainer::png: defect = png_defect(bytes); break;
    }
    if (defect) return read_error(Error::Code::format, name, defect);
    Result<Image> image = decode_with_stb(bytes, name, options);
    if (!image || !options.orient) return image;
    return oriented(std::move(*image), orientation_of(bytes));
}

}  // namespace detail

/// A picture from the bytes of a file. Of an animation, the first frame.
inline Result<Image> try_read_image(std::span<const std::uint8_t> bytes, ReadOptions options = {}) {
    return detail::decode_image(bytes, "an image in memory", options);
}
/// The same.
inline Result<Image> try_read_image(std::span<const std::byte> bytes, ReadOptions options = {}) {
    return try_read_image(std::span<const std::uint8_t>(
                              reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()),
                          options);
}

/// A picture from a file. The error names the path.
inline Result<Image> try_read_image(const std::string& path, ReadOptions options = {}) {
    const Result<std::shared_ptr<const Bytes>> file = try_read_file(path, options.max_bytes);
    if (!file) return file.error();
    const std::span<const std::byte> bytes = (*file)->span();
    return detail::decode_image({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                                "'" + detail::printable(path, 4096) + "'", options);
}

/// The same three; they throw the Error.
inline Image read_image(std::span<const std::uint8_t> bytes, ReadOptions options = {}) {
    return try_read_image(bytes, options).value();
}
inline Image read_image(std::span<const std::byte> bytes, ReadOptions options = {}) {
    return try_read_image(bytes, options).value();
}
inline Image read_image(const std::string& path, ReadOptions options = {}) {
    return try_read_image(path, options).value();
}

LUMBAR_NAMESPACE_END
