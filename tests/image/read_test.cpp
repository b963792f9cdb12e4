// Decoding: what is read, what is refused, and that hostile bytes do no harm.
#if __has_include(<stb_image.h>) || __has_include(<stb/stb_image.h>)
#include <lumbar/image/read.hpp>

#include <doctest/doctest.h>

#if defined(LUMBAR_TEST_ZLIB)
#include <zlib.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#if defined(__unix__)
#include <sys/mman.h>
#include <sys/stat.h>
#endif

namespace read_test {

using namespace lumbar;

namespace {

const std::string kData = LUMBAR_SOURCE_DIR "/tests/image/data/";

const std::string kOtherVariant =
    "its header is damaged, or of a variant that is not read (a JPEG of 12 bits or arithmetic "
    "coding, a compressed BMP, a PNG above 2^30 bytes)";

std::vector<std::uint8_t> bytes_of(const std::string& name) {
    const auto file = try_read_file(kData + name, 1 << 20).value();
    const auto* first = reinterpret_cast<const std::uint8_t*>(file->span().data());
    return {first, first + file->size()};
}

/// The greatest difference from the picture of make_test_images.py.
int distance(const Image& image, bool colour) {
    int greatest = 0;
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x) {
            const int grey = 10 * x + 20 * y;
            const int expected[] = {colour ? 28 * x : grey, colour ? 40 * y : grey,
                                    colour ? 7 * (x + y) : grey};
            for (int c = 0; c < image.channels(); ++c)
                greatest = std::max(greatest,
                                    std::abs(image.row(y)[x * image.channels() + c] - expected[c]));
        }
    return greatest;
}

std::string message_of(const Result<Image>& result) {
    return result ? "(no error)" : result.error().message();
}

std::vector<std::uint8_t> bytes(const std::string& text) { return {text.begin(), text.end()}; }

/// A BMP header for 24-bit pixels, without any.
std::vector<std::uint8_t> bmp(std::uint32_t width, std::uint32_t height) {
    std::vector<std::uint8_t> header(54);
    const auto put = [&header](std::size_t at, std::uint32_t value) {
        for (std::size_t i = 0; i < 4; ++i)
            header[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
    };
    put(0, 0x4D42);
    put(10, 54);
    put(14, 40);
    put(18, width);
    put(22, height);
    put(26, 1 | 24 << 16);
    return header;
}

/// Makes the checksums of a damaged PNG right again, so that the damage reaches the decoder.
void repair_checksums(std::vector<std::uint8_t>& png) {
    for (std::size_t at = 8; png[0] == 0x89 && png.size() - at >= 12;) {
        const std::size_t length = std::size_t{png[at + 2]} << 8 | png[at + 3];
        if (png[at] != 0 || png[at + 1] != 0 || length > png.size() - at - 12) return;
        const std::uint32_t crc =
            detail::crc32(std::as_bytes(std::span(png).subspan(at + 4, length + 4)));
        for (std::size_t i = 0; i < 4; ++i)
            png[at + 8 + length + i] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
        at += 12 + length;
    }
}

/// A folder for this process's files, removed at the end.
struct Scratch {
    std::filesystem::path folder;
    Scratch() {
        folder = std::filesystem::temp_directory_path() /
                 ("lumbar_read_test_" + std::to_string(reinterpret_cast<std::uintptr_t>(this)));
        std::filesystem::create_directories(folder);
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }
    std::string path(const char* name) const { return (folder / name).string(); }
};

}  // namespace

TEST_CASE("each kind of file decodes to its picture") {
    struct Case {
        std::string_view name;
        bool colour;
        int tolerance;
    };
    constexpr Case cases[] = {
        {"rgb.png", true, 0},     {"grey.png", false, 0},
        {"rgba.png", true, 0},    {"grey_alpha.png", false, 0},
        {"palette.png", true, 0}, {"palette_transparent.png", true, 0},
        {"rgb16.png", true, 0},   {"interlaced.png", true, 0},
        {"rgb.bmp", true, 0},     {"palette.bmp", true, 0},
        {"rgb.ppm", true, 0},     {"grey.pgm", false, 0},
        {"rgb.jpg", true, 6},     {"progressive.jpg", true, 6},
        {"grey.jpg", false, 4},
    };
    for (const Case& c : cases) {
        CAPTURE(c.name);
        const std::string path = kData + std::string(c.name);
        const Result<Image> image = try_read_image(path);
        CHECK(message_of(image) == "(no error)");
        if (!image) continue;
        CHECK(image->shape() == ImageShape{.height = 7, .width = 9, .channels = 3});
        CHECK(distance(*image, c.colour) <= c.tolerance);

        const Image grey = read_image(path, {.channels = 1});
        CHECK(grey.shape() == ImageShape{.height = 7, .width = 9, .channels = 1});
        if (c.colour)
            CHECK(grey == to_grey(*image));
        else
            CHECK(distance(grey, false) <= c.tolerance);
    }
}

TEST_CASE("a file in memory decodes like one on disk") {
    const std::vector<std::uint8_t> file = bytes_of("rgb.png");
    CHECK(read_image(file) == read_image(kData + "rgb.png"));
    CHECK(read_image(std::as_bytes(std::span(file))) == read_image(file));
}

TEST_CASE("one-bit pictures become black and white") {
    const Image image = read_image(kData + "one_bit.png", {.channels = 1});
    CHECK(int{image.row(0)[0]} == 255);
    CHECK(int{image.row(0)[1]} == 0);
    CHECK(int{image.row(1)[1]} == 255);
}

TEST_CASE("grey is Pillow's luma") {
    Image image({.height = 1, .width = 3});
    const std::uint8_t pixels[] = {255, 0, 0, 0, 255, 0, 12, 200, 77};
    std::copy(std::begin(pixels), std::end(pixels), image.data());
    const Image grey = to_grey(image);
    CHECK(int{grey.data()[0]} == 76);
    CHECK(int{grey.data()[1]} == 150);
    CHECK(int{grey.data()[2]} == 130);
}

TEST_CASE("what is not a readable file is refused in one line that names it") {
    const Scratch scratch;
    std::ofstream(scratch.path("empty.png")).close();
    std::ofstream(scratch.path("text.png")) << "this is no picture";
    std::vector<std::string> paths = {scratch.path("missing.png"), scratch.path("empty.png"),
                                      scratch.path("text.png"), scratch.folder.string(),
                                      scratch.path("text.png") + "/below.png"};
#if defined(__unix__)
    REQUIRE(mkfifo(scratch.path("fifo.png").c_str(), 0600) == 0);
    paths.push_back(scratch.path("fifo.png"));
    paths.push_back("/dev/zero");
#endif
    for (const std::string& path : paths) {
        CAPTURE(path);
        const Result<Image> image = try_read_image(path);
        REQUIRE_FALSE(image);
        CHECK(image.error().message().find(path) != std::string::npos);
        CHECK(image.error().message().find('\n') == std::string::npos);
    }
    CHECK_FALSE(try_read_image(std::string()));
    CHECK_FALSE(try_read_image(kData + "rgb.png", {.max_bytes = 10}));
    CHECK(message_of(try_read_image(scratch.folder.string())).find("directory") !=
          std::string::npos);
}

TEST_CASE("limits and options are checked before pixels are decoded") {
    CHECK(message_of(try_read_image(kData + "rgb.png", {.max_pixels = 62}))
              .find("9 x 7 pixels, more than the limit of 62") != std::string::npos);
    CHECK(try_read_image(kData + "rgb.png", {.max_pixels = 63}));
    CHECK_FALSE(try_read_image(kData + "rgb.ppm", {.max_pixels = 62}));
    CHECK_FALSE(try_read_image(kData + "rgb.jpg", {.max_pixels = 62}));
    CHECK_FALSE(try_read_image(kData + "rgb.png", {.channels = 2}));
    CHECK_FALSE(try_read_image(kData + "rgb.png", {.channels = 4}));
}

TEST_CASE("a cut-off file is an error wherever it ends") {
    for (const std::string name : {"rgb.png", "palette.png", "rgb.bmp", "palette.bmp", "rgb.ppm",
                                   "grey.pgm", "rgb.jpg", "progressive.jpg", "grey.jpg"}) {
        CAPTURE(name);
        const std::vector<std::uint8_t> whole = bytes_of(name);
        // The last padding bytes of a BMP's last row may be missing.
        const std::size_t spare = whole[0] == 'B' ? 3 : 0;
        for (std::size_t size = 0; size + spare < whole.size(); ++size) {
            CAPTURE(size);
            // A buffer of its own, so that a sanitizer sees a read past its end.
            const std::vector<std::uint8_t> part(whole.begin(),
                                                 whole.begin() + static_cast<std::ptrdiff_t>(size));
            CHECK_FALSE(try_read_image(part));
        }
    }
}

TEST_CASE("headers that promise too much are refused") {
    std::vector<std::uint8_t> png = bytes_of("rgb.png");
    png[16] = 0x00;
    png[17] = 0xFF;  // the width's upper bytes
    const std::uint32_t crc = detail::crc32(std::as_bytes(std::span(png).subspan(12, 17)));
    for (std::size_t i = 0; i < 4; ++i)
        png[29 + i] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
    CHECK(message_of(try_read_image(png)).find("checksum") == std::string::npos);
    CHECK_FALSE(try_read_image(png));
    std::vector<std::uint8_t> jpeg = bytes_of("rgb.jpg");
    for (std::size_t i = 0; i + 8 < jpeg.size(); ++i)
        if (jpeg[i] == 0xFF && jpeg[i + 1] == 0xC0) jpeg[i + 5] = jpeg[i + 7] = 0xFF;
    CHECK(message_of(try_read_image(jpeg)).find("more than the limit") != std::string::npos);
    CHECK(message_of(try_read_image(bytes_of("bomb.png"))) ==
          "cannot read an image in memory: it takes more memory to decode than there is, or than "
          "a picture of its size needs");

    struct Size {
        std::uint32_t width, height;
    };
    constexpr Size sizes[] = {{100000, 100000}, {0, 0},           {0, 1},        {1, 0},
                              {1, 0x80000000u}, {0x80000000u, 1}, {65535, 65535}};
    for (const Size& size : sizes) {
        CAPTURE(size.width);
        CAPTURE(size.height);
        CHECK_FALSE(try_read_image(bmp(size.width, size.height)));
        CHECK_FALSE(try_read_image(bytes("P6 " + std::to_string(size.width) + " " +
                                         std::to_string(size.height) + " 255\n")));
    }
    for (const char* header :
         {"P5", "P5 ", "P5 1", "P5 1 1", "P5 1 1 255", "P5 1 1 15\na", "P5 1 1 65535\nab",
          "P5 -1 1 255\na", "P5 99999999999999999999 1 255\na", "P5 1 # 1 255\na", "P5 a 1 255\na",
          "P5 1 1 255"}) {
        CAPTURE(header);
        CHECK_FALSE(try_read_image(bytes(header)));
    }
    CHECK(try_read_image(bytes("P5 # a comment\n1\t# another\n1\r\n255\na")));
}

TEST_CASE("headers that promise too much say so") {
    const auto message = [](const std::vector<std::uint8_t>& file) {
        std::string text = message_of(try_read_image(file));
        const std::string prefix = "cannot read an image in memory: ";
        CHECK(text.substr(0, prefix.size()) == prefix);
        return text.erase(0, prefix.size());
    };
    const std::string side = "it has 100000 x 100000 pixels, more than the limit of 65535 a side";
    CHECK(message(bytes("P6 100000 100000 255\n")) == side);
    CHECK(message(bytes("P5 0 0 255\n")) == "it has no pixels");
    CHECK(message(bytes("P5 9 9 255\n")) ==
          "it is truncated (a PNM with less data than its header promises)");
    CHECK(message(bmp(100000, 100000)) == "its header is damaged");
    CHECK(message(bmp(0, 0)) == "it has no pixels");
    CHECK(message(bmp(9, 9)) == "it is truncated (a BMP with less data than its header promises)");
    std::vector<std::uint8_t> png = bytes_of("rgb.png");
    for (std::size_t i = 16; i < 24; ++i) png[i] = i % 4 == 2 ? 0x30 : 0;  // 12288 x 12288
    repair_checksums(png);
    CHECK(message(png) ==
          "it has 12288 x 12288 pixels, more than the limit of 67108864 (ReadOptions::max_pixels)");
    constexpr std::uint8_t kHuge[] = {0x00, 0x01, 0x86, 0xA0};  // 100000 x 100000
    for (std::size_t i = 16; i < 24; ++i) png[i] = kHuge[i % 4];
    repair_checksums(png);
    CHECK(message(png) == kOtherVariant);
}

TEST_CASE("a picture may be a single pixel, a row or a column") {
    for (const ImageShape& shape : {ImageShape{.height = 1, .width = 1, .channels = 3},
                                    ImageShape{.height = 1, .width = 300, .channels = 3},
                                    ImageShape{.height = 300, .width = 1, .channels = 3}}) {
        CAPTURE(shape.height);
        CAPTURE(shape.width);
        const std::string size =
            std::to_string(shape.width) + " " + std::to_string(shape.height) + " 255\n";
        CHECK(read_image(bytes("P6 " + size + std::string(shape.bytes(), 'x'))).shape() == shape);
        std::vector<std::uint8_t> file =
            bmp(static_cast<std::uint32_t>(shape.width), static_cast<std::uint32_t>(shape.height));
        file.resize(file.size() + 1000 * 4, 'x');
        CHECK(read_image(file).shape() == shape);
        CHECK(int{read_image(file).data()[0]} == 'x');
    }
}

TEST_CASE("a BMP may begin with its top row, and is not read where it is compressed") {
    const std::vector<std::uint8_t> below = bytes_of("rgb.bmp");
    std::vector<std::uint8_t> file = below;
    for (std::size_t i = 22; i < 26; ++i) file[i] = i == 22 ? 0xF9 : 0xFF;  // -7
    const Image turned = read_image(file), whole = read_image(below);
    for (int y = 0; y < 7; ++y) {
        CHECK(std::equal(turned.row(y), turned.row(y) + 27, whole.row(6 - y)));
    }
    for (const auto compression :
         {std::uint8_t{1}, std::uint8_t{2}}) {  // runs of equal pixels, of 8 and 4 bits
        file = below;
        file[30] = compression;
        CHECK(message_of(try_read_image(file)) ==
              "cannot read an image in memory: " + kOtherVariant);
    }
}

TEST_CASE("what a PNG says beside its pixels may be long") {
    const std::vector<std::uint8_t> whole = bytes_of("rgb.png");
    for (const std::string kind : {"tEXt", "iCCP"}) {
        constexpr std::uint32_t size = 1 << 20;
        std::vector<std::uint8_t> file(whole.begin(), whole.begin() + 33);  // up to IHDR's end
        for (int i = 3; i >= 0; --i) file.push_back(static_cast<std::uint8_t>(size >> (8 * i)));
        file.insert(file.end(), kind.begin(), kind.end());
        file.insert(file.end(), size + 4, 'x');  // its checksum is not compared
        file.insert(file.end(), whole.begin() + 33, whole.end());
        CHECK(read_image(file) == read_image(whole));
    }
}

TEST_CASE("a JPEG of 12 bits or of arithmetic coding is refused") {
    std::vector<std::uint8_t> jpeg = bytes_of("rgb.jpg");
    std::size_t at = 0;
    while (jpeg[at] != 0xFF || jpeg[at + 1] != 0xC0) ++at;
    std::vector<std::uint8_t> deep = jpeg;
    deep[at + 4] = 12;
    CHECK(message_of(try_read_image(deep)) == "cannot read an image in memory: " + kOtherVariant);
    jpeg[at + 1] = 0xC9;
    CHECK(message_of(try_read_image(jpeg)) == "cannot read an image in memory: " + kOtherVariant);
}

TEST_CASE("other kinds of pictures are refused, however they begin") {
    for (const char* head : {"8BPS\0\1", "#?RADIANCE\n", "P3 1 1 255\n1 2 3", "\1\0\2"}) {
        CAPTURE(head);
        CHECK(
            message_of(try_read_image(bytes(head + std::string(100, ' '))))
                .find("cannot read an image in memory: it is not a JPEG, PNG, BMP or PNM image") ==
            0);
    }
}

#if defined(__unix__)
TEST_CASE("more bytes than the decoder can count are refused") {
    constexpr std::size_t size = std::size_t{1} << 31;
    void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        MESSAGE("skipped: no 2 GiB of addresses");
        return;
    }
    const std::vector<std::uint8_t> header = bmp(1, 1);
    std::copy(header.begin(), header.end(), static_cast<std::uint8_t*>(memory));
    const std::span<const std::uint8_t> file(static_cast<const std::uint8_t*>(memory), size);
    CHECK(message_of(try_read_image(file)) ==
          "cannot read an image in memory: it is larger than 2 GiB");
    munmap(memory, size);
}
#endif

TEST_CASE("a PNG whose checksum does not match is refused") {
    std::vector<std::uint8_t> png = bytes_of("rgb.png");
    png[45] ^= 1;
    CHECK(message_of(try_read_image(png)).find("checksum") != std::string::npos);
}

TEST_CASE("a JPEG whose Huffman table promises too many codes is refused") {
    for (const int count : {255, 30}) {
        CAPTURE(count);
        std::vector<std::uint8_t> jpeg = bytes_of("rgb.jpg");
        for (std::size_t i = 0; i + 21 < jpeg.size(); ++i)
            if (jpeg[i] == 0xFF && jpeg[i + 1] == 0xC4)
                jpeg[i + 20] = jpeg[i + 19] = static_cast<std::uint8_t>(count);
        CHECK(message_of(try_read_image(jpeg)).find("Huffman") != std::string::npos);
    }
}

TEST_CASE("a JPEG of more scans than anything writes is refused") {
    std::vector<std::uint8_t> jpeg = bytes_of("progressive.jpg");
    std::vector<std::uint8_t> scans;
    for (int i = 0; i < 501; ++i)
        scans.insert(scans.end(), {0xFF, 0xDA, 0x00, 0x08, 0x01, 0x01, 0x00, 0x01, 0x01, 0x10});
    jpeg.insert(jpeg.end() - 2, scans.begin(), scans.end());
    CHECK(message_of(try_read_image(jpeg)).find("scans") != std::string::npos);
}

TEST_CASE("the scans of a large JPEG are bounded") {
    std::vector<std::uint8_t> jpeg = bytes_of("progressive.jpg");
    constexpr std::uint8_t kFrame[] = {0xFF, 0xC2};
    const auto frame = std::search(jpeg.begin(), jpeg.end(), std::begin(kFrame), std::end(kFrame));
    REQUIRE(jpeg.end() - frame > 9);
    for (const int side : {5, 7}) frame[side] = 0x20;  // 8192 and some
    const auto has = [&](std::size_t scans) {
        auto many = jpeg;
        for (std::size_t i = 0; i < scans; ++i) {
            constexpr std::uint8_t kScan[] = {0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 1, 0x10};
            many.insert(many.end() - 2, std::begin(kScan), std::end(kScan));
        }
        const char* defect = detail::jpeg_defect(many);
        return std::string(defect ? defect : "");
    };
    CHECK(has(10) == "");
    CHECK(has(40) == "it has more scans than a picture of its size is read with");
}

TEST_CASE("what a PNG's rows are inflated to is bounded by its header") {
    const auto limit = [](std::uint8_t bits, std::uint8_t colour) {
        std::vector<std::uint8_t> png = bytes_of("rgb.png");
        png[24] = bits;
        png[25] = colour;
        detail::StbInfo info;
        info.width = info.height = 4096;
        return detail::decoder_block_limit(info, png) >> 24;  // bytes a pixel
    };
    CHECK(limit(1, 0) == 4);
    CHECK(limit(8, 3) == 4);
    CHECK(limit(8, 2) == 6);
    CHECK(limit(8, 6) == 8);
    CHECK(limit(16, 6) == 16);
#if defined(LUMBAR_TEST_ZLIB)
    // 2048 x 2048 pixels of a bit, and rows of them for a hundred such pictures.
    std::string rows(std::size_t{2048} * 257 * 100, '\0');
    uLongf size = compressBound(static_cast<uLong>(rows.size()));
    std::vector<std::uint8_t> packed(size);
    REQUIRE(compress2(packed.data(), &size, reinterpret_cast<const Bytef*>(rows.data()),
                      static_cast<uLong>(rows.size()), 1) == Z_OK);
    packed.resize(size);
    std::vector<std::uint8_t> png = bytes_of("rgb.png");
    png.resize(33);
    for (const std::size_t side : {18u, 22u}) png[side] = 8, png[side + 1] = 0;
    png[24] = 1;
    png[25] = 0;
    const auto put = [&](std::size_t value) {
        for (int shift = 24; shift >= 0; shift -= 8)
            png.push_back(static_cast<std::uint8_t>(value >> shift));
    };
    put(packed.size());
    png.insert(png.end(), {'I', 'D', 'A', 'T'});
    png.insert(png.end(), packed.begin(), packed.end());
    put(0);
    put(0);
    png.insert(png.end(), {'I', 'E', 'N', 'D'});
    put(0);
    const auto checksum = [&](std::size_t at, std::size_t length) {
        const std::uint32_t crc =
            detail::crc32(std::as_bytes(std::span(png).subspan(at + 4, length + 4)));
        for (std::size_t i = 0; i < 4; ++i)
            png[at + 8 + length + i] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
    };
    checksum(8, 13);
    checksum(33, packed.size());
    checksum(45 + packed.size(), 0);
    CHECK_FALSE(try_read_image(png));
#endif
}

TEST_CASE("damaged bytes give a picture or an error, never more") {
    std::uint32_t state = 7;
    const auto random = [&state] {
        state = state * 1664525u + 1013904223u;
        return state >> 8;
    };
    for (const std::string name :
         {"rgb.png", "palette_transparent.png", "interlaced.png", "rgb16.png", "rgb.bmp",
          "palette.bmp", "rgb.ppm", "rgb.jpg", "progressive.jpg"}) {
        CAPTURE(name);
        const std::vector<std::uint8_t> whole = bytes_of(name);
        for (int round = 0; round < 400; ++round) {
            CAPTURE(round);
            std::vector<std::uint8_t> damaged = whole;
            for (std::uint32_t hits = random() % 4 + 1; hits > 0; --hits)
                damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
            repair_checksums(damaged);
            const Result<Image> image = try_read_image(damaged, {.max_pixels = 1 << 16});
            if (image) CHECK(image->pixels().size() == image->shape().bytes());
        }
    }
}

TEST_CASE("photos of all kinds decode") {
    const std::string photos = LUMBAR_SOURCE_DIR "/../shared/images/";
    if (!std::filesystem::exists(photos)) {
        MESSAGE("skipped: no photos in ../shared/images");
        return;
    }
    for (const std::string name : {"bird.bmp", "grace_hopper.bmp", "hot_dog.jpg", "owl.jpg"}) {
        CAPTURE(name);
        CHECK(try_read_image(photos + name));
    }
}

}  // namespace read_test
#endif
