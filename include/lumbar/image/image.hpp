// 8-bit pictures in memory: what decoders give and what preprocessing takes.
#pragma once

#include <lumbar/core/error.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// Height and width in pixels, and 1 channel (grey) or 3 (RGB).
struct ImageShape {
    int height = 0;
    int width = 0;
    int channels = 3;

    friend constexpr bool operator==(const ImageShape&, const ImageShape&) = default;

    constexpr bool valid() const {
        return height > 0 && width > 0 && (channels == 1 || channels == 3);
    }
    /// Bytes of the interleaved pixels.
    constexpr std::size_t bytes() const {
        return static_cast<std::size_t>(height) * static_cast<std::size_t>(width) *
               static_cast<std::size_t>(channels);
    }
};

/// An owned picture: 8 bits a channel, interleaved, top row first ([height][width][channels]).
class Image {
   public:
    /// No picture: 0 x 0 pixels.
    Image() = default;

    /// A black picture. Precondition: shape.valid().
    explicit Image(ImageShape shape) : shape_(shape), pixels_(shape.bytes()) {
        assert(shape.valid());
    }

    /// A copy of pixels that are in memory already (a camera's frame, another library's image).
    static Result<Image> try_copy(std::span<const std::uint8_t> pixels, ImageShape shape) {
        if (!shape.valid())
            return Error(
                Error::Code::argument,
                "an image has at least one pixel and 1 or 3 channels, not " + describe(shape));
        if (pixels.size() != shape.bytes())
            return Error(Error::Code::argument, "an image of " + describe(shape) + " takes " +
                                                    std::to_string(shape.bytes()) + " bytes, but " +
                                                    std::to_string(pixels.size()) + " were given");
        Image image;
        image.shape_ = shape;
        image.pixels_.assign(pixels.begin(), pixels.end());
        return image;
    }
    /// The same; throws the Error.
    static Image copy(std::span<const std::uint8_t> pixels, ImageShape shape) {
        return try_copy(pixels, shape).value();
    }

    int height() const { return shape_.height; }
    int width() const { return shape_.width; }
    int channels() const { return shape_.channels; }
    const ImageShape& shape() const { return shape_; }
    bool empty() const { return pixels_.empty(); }

    std::uint8_t* data() { return pixels_.data(); }
    const std::uint8_t* data() const { return pixels_.data(); }
    std::span<std::uint8_t> pixels() { return pixels_; }
    std::span<const std::uint8_t> pixels() const { return pixels_; }

    std::uint8_t* row(int y) { return data() + offset(y); }
    const std::uint8_t* row(int y) const { return data() + offset(y); }

    friend bool operator==(const Image&, const Image&) = default;

   private:
    std::size_t offset(int y) const {
        return static_cast<std::size_t>(y) * static_cast<std::size_t>(shape_.width) *
               static_cast<std::size_t>(shape_.channels);
    }
    static std::string describe(ImageShape s) {
        return std::to_string(s.width) + " x " + std::to_string(s.height) + " pixels with " +
               std::to_string(s.channels) + (s.channels == 1 ? " channel" : " channels");
    }

    ImageShape shape_{.height = 0, .width = 0, .channels = 3};
    std::vector<std::uint8_t> pixels_;
};

/// One grey channel from RGB: ITU-R 601-2 luma in 16-bit fixed point, as Pillow's convert("L")
/// rounds it. A grey picture is copied.
inline Image to_grey(const Image& image) {
    if (image.channels() == 1 || image.empty()) return image;
    Image grey(ImageShape{.height = image.height(), .width = image.width(), .channels = 1});
    const std::uint8_t* from = image.data();
    for (std::uint8_t& to : grey.pixels()) {
        const unsigned luma = from[0] * 19595u + from[1] * 38470u + from[2] * 7471u + 0x8000u;
        to = static_cast<std::uint8_t>(luma >> 16);
        from += 3;
    }
    return grey;
}

LUMBAR_NAMESPACE_END
