// Resizing and cropping against bytes that Pillow and torchvision give.
#include "data/resize_goldens.hpp"

#include <lumbar/image/resize.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>

namespace resize_test {

using namespace lumbar;

namespace {

/// The noise of make_resize_goldens.py.
Image noise(ImageShape shape) {
    Image image(shape);
    std::uint32_t state = 1;
    for (std::uint8_t& value : image.pixels()) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<std::uint8_t>(state >> 24);
    }
    return image;
}

std::uint64_t fnv1a(const Image& image) {
    std::uint64_t value = 0xCBF29CE484222325u;
    for (const std::uint8_t byte : image.pixels()) value = (value ^ byte) * 0x100000001B3u;
    return value;
}

/// One grey row with the values 1 to n.
Image ramp(int n) {
    Image image({.height = 1, .width = n, .channels = 1});
    for (int x = 0; x < n; ++x) image.data()[x] = static_cast<std::uint8_t>(x + 1);
    return image;
}

}  // namespace

TEST_CASE("a resized picture equals Pillow's byte for byte") {
    for (const ResizeGolden& golden : kResizeGoldens) {
        CAPTURE(golden.height);
        CAPTURE(golden.width);
        CAPTURE(golden.channels);
        CAPTURE(golden.to_height);
        CAPTURE(golden.to_width);
        CAPTURE(golden.bicubic);
        const Image image =
            noise({.height = golden.height, .width = golden.width, .channels = golden.channels});
        const Image resized = resize(
            image,
            {.width = golden.to_width,
             .height = golden.to_height,
             .interpolation = golden.bicubic ? Interpolation::bicubic : Interpolation::bilinear});
        CHECK(resized.shape() == ImageShape{.height = golden.to_height,
                                            .width = golden.to_width,
                                            .channels = golden.channels});
        CHECK(fnv1a(resized) == golden.hash);
    }
}

TEST_CASE("the pixels of a small resized picture are Pillow's") {
    const Image image = noise({.height = 17, .width = 13, .channels = 1});
    const Image bilinear = resize(image, {.width = 7, .height = 5});
    const Image bicubic =
        resize(image, {.width = 7, .height = 5, .interpolation = Interpolation::bicubic});
    for (int i = 0; i < 35; ++i) {
        CAPTURE(i);
        CHECK(int{bilinear.data()[i]} == int{kSmallBilinear[i]});
        CHECK(int{bicubic.data()[i]} == int{kSmallBicubic[i]});
    }
}

TEST_CASE("a window of a resized picture equals the same window cut out of all of it") {
    const Image image = noise({.height = 41, .width = 53, .channels = 3});
    for (const Interpolation interpolation : {Interpolation::bilinear, Interpolation::bicubic}) {
        const Image whole =
            resize(image, {.width = 29, .height = 97, .interpolation = interpolation});
        const Image window =
            detail::resample(image,
                             {.vertical = {.length = 97, .begin = 38, .count = 20},
                              .horizontal = {.length = 29, .begin = 10, .count = 10}},
                             interpolation);
        CHECK(window == center_crop(whole, 20, 10));
    }
}

TEST_CASE("the short side is exact and the long side is cut, as in torchvision") {
    struct Case {
        int height, width, n, to_height, to_width;
    };
    constexpr Case cases[] = {
        {480, 640, 256, 256, 341}, {640, 480, 256, 341, 256}, {333, 500, 232, 232, 348},
        {500, 500, 224, 224, 224}, {7, 9, 3, 3, 3},           {1, 10, 2, 2, 20},
        {9, 7, 7, 9, 7},
    };
    for (const Case& c : cases) {
        CAPTURE(c.height);
        CAPTURE(c.width);
        const Image resized =
            resize_short_side(Image({.height = c.height, .width = c.width, .channels = 1}), c.n);
        CHECK(resized.height() == c.to_height);
        CHECK(resized.width() == c.to_width);
    }
}

TEST_CASE("the margin of a centred crop is rounded half to even, as in Python") {
    struct Case {
        int length, size, first;
    };
    constexpr Case cases[] = {
        {10, 4, 4}, {9, 4, 3}, {11, 4, 5}, {13, 4, 5}, {7, 4, 3}, {5, 4, 1}, {4, 4, 1}, {7, 7, 1},
    };
    for (const Case& c : cases) {
        CAPTURE(c.length);
        CAPTURE(c.size);
        const Image cropped = center_crop(ramp(c.length), 1, c.size);
        CHECK(cropped.width() == c.size);
        CHECK(int{cropped.data()[0]} == c.first);
        CHECK(int{cropped.data()[c.size - 1]} == c.first + c.size - 1);
    }
}

TEST_CASE("a crop larger than the picture puts it into the middle of black") {
    const Image cropped = center_crop(ramp(2), 2, 5);
    const std::uint8_t expected[] = {0, 1, 2, 0, 0, 0, 0, 0, 0, 0};
    CHECK(std::equal(std::begin(expected), std::end(expected), cropped.data()));
}

TEST_CASE("a size without pixels and an empty picture are errors") {
    const Image image({.height = 2, .width = 3});
    CHECK_FALSE(try_resize(image, {.width = 0, .height = 4}));
    CHECK_FALSE(try_resize(image, {.width = 4, .height = -1}));
    CHECK_FALSE(try_resize(image, {.width = 1 << 20, .height = 1 << 20}));
    CHECK_FALSE(try_resize(Image(), {.width = 4, .height = 4}));
    CHECK_FALSE(try_resize_short_side(image, 0));
    CHECK_FALSE(try_resize_short_side(Image(), 4));
    CHECK_FALSE(try_center_crop(image, 0, 2));
    const Image thread({.height = 1, .width = 60000, .channels = 1});
    const auto wide = try_resize_short_side(thread, 224);
    REQUIRE_FALSE(wide);
    CHECK(wide.error().message().find("13440000 x 224") != std::string::npos);
}

TEST_CASE("pixels in memory become a picture where their number fits") {
    const std::uint8_t pixels[] = {1, 2, 3, 4, 5, 6};
    CHECK(Image::copy(pixels, {.height = 1, .width = 2}).row(0)[5] == 6);
    CHECK_FALSE(Image::try_copy(pixels, {.height = 2, .width = 2}));
    CHECK_FALSE(Image::try_copy(pixels, {.height = 1, .width = 3, .channels = 2}));
    CHECK_FALSE(Image::try_copy({}, {.height = -1, .width = -1}));
}

}  // namespace resize_test
