// An application that includes the library first and stb_image afterwards, its functions being
// implemented in another file (stb_before_test.cpp).
#if __has_include(<stb_image.h>) || __has_include(<stb/stb_image.h>)
#include <lumbar/image.hpp>

#if defined(STBI_INCLUDE_STB_IMAGE_H) || defined(STB_IMAGE_IMPLEMENTATION) ||  \
    defined(STB_IMAGE_STATIC) || defined(STBIDEF) || defined(STBI_ONLY_PNG) || \
    defined(STBI_NO_STDIO) || defined(STBI_MALLOC) || defined(STBI_ASSERT)
#error "the library leaks its configuration of stb_image"
#endif

#if __has_include(<stb_image.h>)
#include <stb_image.h>
#else
#include <stb/stb_image.h>
#endif

#include <doctest/doctest.h>

#include <string>

TEST_CASE("an application's stb_image in another file is the one it calls") {
    const std::string path = LUMBAR_SOURCE_DIR "/tests/image/data/palette.bmp";
    int width = 0, height = 0, channels = 0;
    // File access is compiled out of the library's own copy.
    CHECK(stbi_info(path.c_str(), &width, &height, &channels) == 1);
    const lumbar::Image image = lumbar::read_image(path);
    CHECK(image.width() == width);
    CHECK(image.height() == height);
}
#endif
