// Resizing and cropping, byte for byte as Pillow and torchvision do it, so that a network sees the
// pixels that its published accuracy was measured with.
#pragma once

#include <lumbar/image/image.hpp>
#include <lumbar/image/resample.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

LUMBAR_NAMESPACE_BEGIN

/// The size to resize to, in pixels, and the filter.
struct ResizeOptions {
    int width = 0;
    int height = 0;
    Interpolation interpolation = Interpolation::bilinear;
};

namespace detail {

/// What a single call may produce: beyond it lies a slip or a hostile picture, not a photo.
inline constexpr std::int64_t kMaxResizedPixels = std::int64_t{1} << 28;

inline Status check_resize(const Image& image, std::int64_t height, std::int64_t width) {
    if (image.empty()) return Error(Error::Code::argument, "cannot resize an empty image");
    if (height <= 0 || width <= 0)
        return Error(Error::Code::argument, "cannot resize to " + std::to_string(width) + " x " +
                                                std::to_string(height) + " pixels");
    if (height > kMaxResizedPixels / width)
        return Error(Error::Code::argument, "resizing " + std::to_string(image.width()) + " x " +
                                                std::to_string(image.height()) + " pixels to " +
                                                std::to_string(width) + " x " +
                                                std::to_string(height) + " gives too many of them");
    return Success{};
}

struct ResizedSize {
    std::int64_t height = 0;
    std::int64_t width = 0;
};

/// torchvision's Resize(n): the short side becomes n, the long one is cut to an integer.
inline ResizedSize short_side_size(const Image& image, int n) {
    const std::int64_t height = image.height();
    const std::int64_t width = image.width();
    const auto scaled = [n](std::int64_t long_side, std::int64_t short_side) {
        return static_cast<std::int64_t>(static_cast<double>(n * long_side) /
                                         static_cast<double>(short_side));
    };
    if (width <= height) return {scaled(height, width), n};
    return {n, scaled(width, height)};
}

/// Where a centred window of `size` lies along one axis of `length` pixels. torchvision rounds the
/// margin half to even; where the axis is too short the picture is centred in zeros instead.
struct CenterWindow {
    std::int64_t begin = 0;  ///< first pixel of the picture that is in the window
    int count = 0;           ///< how many are
    int offset = 0;          ///< where the first of them lies in the window
};
inline CenterWindow center_window(std::int64_t length, int size) {
    if (size > length) return {0, static_cast<int>(length), static_cast<int>((size - length) / 2)};
    const std::int64_t margin = length - size;
    const std::int64_t half = margin / 2;
    return {margin % 2 == 0 ? half : half + half % 2, size, 0};
}

}  // namespace detail

/// The image at another size, through Pillow's antialiased filters: the bytes that
/// `Image.resize((width, height), BILINEAR or BICUBIC)` gives for modes RGB and L. Fails for an
/// empty image and for a size without pixels.
inline Result<Image> try_resize(const Image& image, const ResizeOptions& options) {
    if (Status ok = detail::check_resize(image, options.height, options.width); !ok)
        return ok.error();
    return detail::resample(image,
                            {.vertical = {.length = options.height, .count = options.height},
                             .horizontal = {.length = options.width, .count = options.width}},
                            options.interpolation);
}
/// The same; throws the Error.
inline Image resize(const Image& image, const ResizeOptions& options) {
    return try_resize(image, options).value();
}

/// The image with its shorter side at n pixels and the other in proportion, cut to an integer, as
/// torchvision's Resize(n) does on a PIL image.
inline Result<Image> try_resize_short_side(const Image& image, int n,
                                           Interpolation interpolation = Interpolation::bilinear) {
    if (image.empty() || n <= 0) return detail::check_resize(image, n, n).error();
    const detail::ResizedSize size = detail::short_side_size(image, n);
    if (Status ok = detail::check_resize(image, size.height, size.width); !ok) return ok.error();
    return try_resize(image, {.width = static_cast<int>(size.width),
                              .height = static_cast<int>(size.height),
                              .interpolation = interpolation});
}
/// The same; throws the Error.
inline Image resize_short_side(const Image& image, int n,
                               Interpolation interpolation = Interpolation::bilinear) {
    return try_resize_short_side(image, n, interpolation).value();
}

/// The middle of the image, height x width pixels, as torchvision's CenterCrop: the margin is
/// rounded half to even, and what the image lacks is black.
inline Result<Image> try_center_crop(const Image& image, int height, int width) {
    if (Status ok = detail::check_resize(image, height, width); !ok) return ok.error();
    const detail::CenterWindow rows = detail::center_window(image.height(), height);
    const detail::CenterWindow columns = detail::center_window(image.width(), width);
    Image cropped(ImageShape{.height = height, .width = width, .channels = image.channels()});
    const auto bytes_of = [&image](std::int64_t pixels) {
        return static_cast<std::size_t>(pixels) * static_cast<std::size_t>(image.channels());
    };
    for (int y = 0; y < rows.count; ++y)
        std::memcpy(cropped.row(rows.offset + y) + bytes_of(columns.offset),
                    image.row(static_cast<int>(rows.begin) + y) + bytes_of(columns.begin),
                    bytes_of(columns.count));
    return cropped;
}
/// The same; throws the Error.
inline Image center_crop(const Image& image, int height, int width) {
    return try_center_crop(image, height, width).value();
}

LUMBAR_NAMESPACE_END
