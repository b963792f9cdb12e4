// An application's own stb_image, implemented in a file that includes it before the library. With
// stb_after_test.cpp, which does it the other way round, this is linked into one program.
#if __has_include(<stb_image.h>) || __has_include(<stb/stb_image.h>)
#define STB_IMAGE_IMPLEMENTATION
#define STBI_MAX_DIMENSIONS 5000
#if __has_include(<stb_image.h>)
#include <stb_image.h>
#else
#include <stb/stb_image.h>
#endif

#include <lumbar/image.hpp>

#if !defined(STB_IMAGE_IMPLEMENTATION) || STBI_MAX_DIMENSIONS != 5000 || \
    defined(STB_IMAGE_STATIC) || defined(STBI_NO_GIF) || !defined(STBI_MALLOC)
#error "the library changed the application's macros of stb_image"
#endif

#include <doctest/doctest.h>

#include <string>

TEST_CASE("an application's stb_image and the library's live in one file") {
    const std::string path = LUMBAR_SOURCE_DIR "/tests/image/data/rgb.png";
    int width = 0, height = 0, channels = 0;
    stbi_uc* pixels = stbi_load(path.c_str(), &width, &height, &channels, 3);
    REQUIRE(pixels != nullptr);
    const auto copy = lumbar::Image::copy({pixels, static_cast<std::size_t>(width * height * 3)},
                                          {.height = height, .width = width});
    stbi_image_free(pixels);
    CHECK(copy == lumbar::read_image(path));
}
#endif
