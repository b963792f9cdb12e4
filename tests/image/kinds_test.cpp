// Pictures of kinds that go wrong elsewhere, held against what Pillow sees in the same files
// (make_pillow_values.py); and which way up they are.
#if __has_include(<stb_image.h>) || __has_include(<stb/stb_image.h>)
#include <lumbar/image/read.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace kinds_test {

using namespace lumbar;

namespace {

const std::string kKinds = LUMBAR_SOURCE_DIR "/tests/image/data/kinds/";

/// A line of values.txt.
struct Seen {
    std::string file;
    bool turned = false;
    int width = 0, height = 0;
    std::vector<std::uint8_t> rgb;
};

std::vector<Seen> all_seen() {
    std::vector<Seen> result;
    std::ifstream lines(kKinds + "values.txt");
    Seen seen;
    for (std::string hex; lines >> seen.file >> seen.turned >> seen.width >> seen.height >> hex;) {
        seen.rgb.clear();
        for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
            seen.rgb.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
        }
        result.push_back(seen);
    }
    return result;
}

std::vector<std::uint8_t> bytes_of(const std::string& name) {
    const auto file = try_read_file(kKinds + name, 1 << 20).value();
    const auto* first = reinterpret_cast<const std::uint8_t*>(file->span().data());
    return {first, first + file->size()};
}

/// Where the orientation's value stands in a file of make_pillow_values.py.
std::size_t orientation_at(const std::vector<std::uint8_t>& file) {
    for (std::size_t i = 0; i + 10 < file.size(); ++i) {
        if (file[i] == 0x12 && file[i + 1] == 0x01 && file[i + 2] == 3 && file[i + 4] == 1) {
            return i + 8;
        }
    }
    FAIL("no little-endian orientation");
    return 0;
}

}  // namespace

TEST_CASE("pictures are as Pillow sees them") {
    const std::vector<Seen> cases = all_seen();
    REQUIRE(cases.size() == 20);
    for (const Seen& seen : cases) {
        CAPTURE(seen.file);
        const Result<Image> image = try_read_image(kKinds + seen.file, {.orient = seen.turned});
        if (!image) FAIL(image.error().message());
        CHECK(image->shape() == ImageShape{.height = seen.height, .width = seen.width});
        REQUIRE(image->pixels().size() == seen.rgb.size());
        // JPEG's inverse transform may round otherwise.
        const int tolerance = seen.file.ends_with(".jpg") ? 3 : 0;
        int off = 0;
        for (std::size_t i = 0; i < seen.rgb.size(); ++i) {
            off = std::max(off, std::abs(int{image->pixels()[i]} - int{seen.rgb[i]}));
        }
        CHECK(off <= tolerance);
    }
}

TEST_CASE("a picture is turned only where that is asked for") {
    const std::string file = kKinds + "turned6.png";
    CHECK(read_image(file).width() == 9);
    CHECK(read_image(file, {.orient = true}).width() == 7);
    CHECK(read_image(file, {.channels = 1, .orient = true}) ==
          to_grey(read_image(file, {.orient = true})));
}

TEST_CASE("an orientation that is nonsense or damaged leaves the picture as it is") {
    const std::vector<std::uint8_t> whole = bytes_of("turned6.jpg");
    const Image stored = read_image(whole);
    const std::size_t value = orientation_at(whole);
    struct Change {
        std::size_t at;
        std::uint8_t to;
    };
    // Values 0, 9 and 262; a tag, a type and a count that are others; a directory outside.
    for (const Change& c :
         {Change{value, 0}, Change{value, 9}, Change{value + 1, 1}, Change{value - 8, 0x13},
          Change{value - 6, 4}, Change{value - 4, 2}, Change{value - 16, 0xFF}}) {
        std::vector<std::uint8_t> file = whole;
        file[c.at] = c.to;
        const bool is_turned = read_image(file, {.orient = true}) != stored;
        CAPTURE(c.at - value);
        CHECK(is_turned == (c.at == value - 16));  // a byte of the stranger before it
    }
}

TEST_CASE("any prefix or damage of EXIF is read within its bytes") {
    const std::vector<std::uint8_t> file = bytes_of("turned6.jpg");
    const std::size_t value = orientation_at(file);
    const std::vector<std::uint8_t> exif(file.begin() + static_cast<long>(value) - 36,
                                         file.begin() + static_cast<long>(value) + 8);
    CHECK(detail::exif_orientation(exif) == 6);
    for (std::size_t size = 0; size <= exif.size(); ++size) {
        const std::vector<std::uint8_t> part(exif.begin(), exif.begin() + static_cast<long>(size));
        const int orientation = detail::exif_orientation(part);
        CHECK((orientation == 1 || orientation == 6));
    }
    for (std::size_t at = 0; at < exif.size(); ++at) {
        for (int byte = 0; byte < 256; ++byte) {
            std::vector<std::uint8_t> damaged = exif;
            damaged[at] = static_cast<std::uint8_t>(byte);
            const int orientation = detail::exif_orientation(damaged);
            CHECK((orientation >= 1 && orientation <= 8));
        }
    }
}

TEST_CASE("a kind that is not read is refused by its name") {
    struct Case {
        std::string file;
        const char* words;
    };
    for (const Case& c : {Case{"animated.gif", "a GIF"}, Case{"picture.webp", "a WebP"},
                          Case{"picture.tif", "a TIFF"}, Case{"values.txt", ""}}) {
        CAPTURE(c.file);
        const Result<Image> image = try_read_image(kKinds + c.file);
        REQUIRE_FALSE(image);
        const std::string expected = "cannot read '" + kKinds + c.file +
                                     "': it is not a JPEG, PNG, BMP or PNM image" +
                                     (*c.words ? "; it seems to be " : "") + c.words;
        CHECK(image.error().message() == expected);
    }
}

}  // namespace kinds_test
#endif
