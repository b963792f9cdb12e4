#include "bounded.hpp"
#include "torch_bytes.hpp"

#include <lumbar/weights/numpy.hpp>
#if __has_include(<zlib.h>) && defined(LUMBAR_TEST_ZLIB)
#include <lumbar/zlib.hpp>
#define HAS_ZLIB 1
#else
#define HAS_ZLIB 0
#endif

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

namespace numpy_test {

using namespace lumbar;
using namespace lumbar_test;
using namespace std::string_literals;

namespace {

const std::string kData = LUMBAR_SOURCE_DIR "/tests/weights/data/numpy/";

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string read(const std::string& name) {
    const auto file = try_read_file(kData + name).value();
    return std::string(reinterpret_cast<const char*>(file->span().data()), file->size());
}

/// What is wrong with a file in memory.
std::string problem(const std::string& file, const LoadLimits& limits = {},
                    Inflate inflate = nullptr) {
    // Deflate makes of a byte at most 1032.
    const std::size_t times = inflate ? 16 + 1032 : 16;
    const auto weights =
        lumbar_test::load_bounded(file, times, [&](std::span<const std::byte> bytes) {
            return try_read_numpy(bytes, nullptr, "w", limits, inflate);
        });
    return weights ? "" : weights.error().message();
}

/// A .npy file of version 1 with this header and so many bytes of data.
std::string npy(const std::string& header, std::size_t data = 0) {
    std::string file = "\x93NUMPY\x01\x00"s;
    file += static_cast<char>(header.size() & 0xFF);
    file += static_cast<char>(header.size() >> 8);
    return file + header + std::string(data, '\0');
}

void check_values(const Weights& weights) {
    for (const TensorData& tensor : weights) {
        CAPTURE(std::string(tensor.name));
        if (!is_readable_float(tensor.dtype)) {
            CHECK(tensor.name.substr(0, 6) == "whole.");
            continue;
        }
        std::vector<float> values(static_cast<std::size_t>(tensor.size()));
        REQUIRE(try_read_floats(tensor, 0, values));
        for (std::size_t i = 0; i < values.size(); ++i) {
            CHECK(values[i] == static_cast<float>(i) / 4 - 1);
        }
    }
}

}  // namespace

TEST_CASE("an archive of NumPy's gives its arrays by their names, in either order of elements") {
    const Weights weights = load_numpy(kData + "stored.npz");
    CHECK(weights.size() == 16);
    CHECK(weights.find("conv1.weight")->shape == Dims{4, 3, 2, 2});
    CHECK(weights.find("conv1.weight")->is_contiguous());
    CHECK(weights.find("conv1.fortran")->shape == Dims{4, 3, 2, 2});
    CHECK_FALSE(weights.find("conv1.fortran")->is_contiguous());
    CHECK_FALSE(weights.find("fc.weight")->is_contiguous());
    CHECK(weights.find("fc.weight")->dtype == Dtype::f64);
    CHECK(weights.find("fc.half")->dtype == Dtype::f16);
    CHECK(weights.find("scalar")->shape == Dims{});
    CHECK(weights.find("empty")->shape == Dims{0, 3});
    CHECK(weights.find("whole.int64")->dtype == Dtype::i64);
    CHECK(weights.find("whole.bool")->dtype == Dtype::boolean);
    CHECK(weights.find("whole.uint8")->dtype == Dtype::u8);
    check_values(weights);
}

TEST_CASE("a single array is arr_0") {
    const Weights weights = load_numpy(kData + "single.npy");
    CHECK(weights.size() == 1);
    REQUIRE(weights.find("arr_0"));
    check_values(weights);
}

TEST_CASE("a compressed archive needs the unpacker, and says so") {
    const std::string message = problem(read("deflated.npz"));
    CHECK(contains(message, "is compressed; save it with numpy.savez, or load it with"));
#if HAS_ZLIB
    const Weights weights = load_numpy(kData + "deflated.npz", {}, inflate_with_zlib);
    CHECK(weights.size() == 17);
    CHECK(weights.find("big")->shape == Dims{100, 100});
    check_values(weights);
    CHECK(contains(problem(read("deflated.npz"), {.bytes = 1000}, inflate_with_zlib),
                   "LoadLimits::bytes"));
#else
    MESSAGE("skipped: no zlib");
#endif
}

#if HAS_ZLIB
TEST_CASE("damaged compressed data are an error or other numbers, never worse") {
    const std::string whole = read("deflated.npz");
    const std::size_t end = whole.find("PK\x01\x02");
    std::size_t refused = 0;
    for (std::size_t at = 0; at < end; ++at) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
        refused += problem(damaged, {}, inflate_with_zlib).empty() ? 0 : 1;
    }
    CHECK(refused > end / 2);
    // Data that end early or go on: the sizes no longer match.
    std::vector<std::byte> out(100);
    CHECK_FALSE(inflate_with_zlib({}, out));
    const std::byte empty_block[] = {std::byte{3}, std::byte{0}};
    CHECK(inflate_with_zlib(empty_block, {}));
    CHECK_FALSE(inflate_with_zlib(empty_block, out));
    // A stored block of one byte, for nothing, for one, and for two.
    const std::byte one[] = {std::byte{1},    std::byte{1},    std::byte{0},
                             std::byte{0xFE}, std::byte{0xFF}, std::byte{'x'}};
    CHECK_FALSE(inflate_with_zlib(one, {}));
    CHECK(inflate_with_zlib(one, std::span(out).first(1)));
    CHECK(out[0] == std::byte{'x'});
    CHECK_FALSE(inflate_with_zlib(one, std::span(out).first(2)));
}
#endif

TEST_CASE("what is not numbers is refused with what to do") {
    struct Case {
        std::string file;
        std::string words;
    };
    for (const Case& c :
         {Case{"big_endian.npz", "'>f4' (big-endian); save them as float32: array.astype('<f4')"},
          Case{"objects.npz", "'|O' (Python objects)"},
          Case{"records.npz", "are records, not numbers"}}) {
        CAPTURE(c.file);
        const std::string message = problem(read(c.file));
        CAPTURE(message);
        CHECK(message.find("w: its entry 'w.npy': not a valid NumPy array: its header: its "
                           "elements ") == 0);
        CHECK(contains(message, c.words));
    }
}

TEST_CASE("a header is read as its one form, whatever the order and the spaces") {
    for (const std::string header :
         {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n",
          "{'shape':(2,),'descr':'<f4','fortran_order':True}",
          "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (2L,)}   \n"}) {
        CAPTURE(header);
        CHECK(problem(npy(header, 8)) == "");
    }
    // Versions 2 and 3 have a length of four bytes.
    const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
    for (const char version : {'\x02', '\x03'}) {
        std::string file = "\x93NUMPY"s + version + '\0';
        file += static_cast<char>(header.size());
        CHECK(problem(file + "\0\0\0"s + header + std::string(8, '\0')) == "");
    }
}

TEST_CASE("forged arrays are refused") {
    const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
    struct Case {
        std::string from, to, words;
    };
    const Case cases[] = {
        {"(2,)", "(2)", "tuple of whole numbers"},
        {"(2,)", "(-1,)", "tuple of whole numbers"},
        {"(2,)", "(True,)", "tuple of whole numbers"},
        {"(2,)", "[2]", "tuple of whole numbers"},
        {"(2,)", "(2.0,)", "tuple of whole numbers"},
        {"(2,)", "(2", "tuple of whole numbers"},
        {"(2,)", "(,)", "tuple of whole numbers"},
        {"(2,)", "(18446744073709551616,)", "an extent above 10^18"},
        {"(2,)", "(999999999999999999,999999999999999999)", "impossible"},
        {"(2,)", "(1,1,1,1,1,1,1,1,1)", "more than 8 dimensions"},
        {"(2,), ", std::string(9900, '(') + "2,), ", "tuple of whole numbers"},
        {"(2,)", "(3,)", "needs 12 bytes, and 8 follow the header; fetch it again"},
        {"(2,)", "(1,)", "needs 4 bytes, and 8 follow the header"},
        {"(2,)", "(0,)", "needs 0 bytes, and 8"},
        {"(2,)", std::string(5000, '('), "tuple of whole numbers"},
        {"False", "0", "fortran_order is True or False"},
        {"'descr'", "'desc'", "has the key 'desc'"},
        {"'descr': '<f4', ", "", "needs the keys"},
        {"'descr'", "'shape': (2,), 'descr'", "the key 'shape' twice"},
        {"'<f4'", "'<f5'", "elements are '<f5'"},
        {"'<f4'", "'|V2'", "perhaps bfloat16"},
        {"'<f4'", "('<f4', (2,))", "records"},
        {"'<f4'", "__import__('os')", "records"},
        {"'<f4'", "'<f4", "its elements are"},
        {"'<f4',", "'<f4'", "',' or '}' is expected"},
        {", }", ", } x", "something follows"},
        {"{", "", "begin with '{'"},
        {"}", "", "'KEY': is expected"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.to);
        std::string header = good;
        header.replace(header.find(c.from), c.from.size(), c.to);
        const std::string message = problem(npy(header, 8));
        CAPTURE(message);
        CHECK(message.find("w: not a valid NumPy array: ") == 0);
        CHECK(contains(message, c.words));
    }
    CHECK(
        contains(problem(npy(good, 7)), "needs 8 bytes, and 7 follow the header; fetch it again"));
    CHECK(contains(problem(npy(good, 9)), "needs 8 bytes, and 9 follow the header"));
    CHECK(contains(problem(npy(good).substr(0, 40)), "it is cut off within its header"));
    CHECK(contains(problem("\x93NUMPY\x01\x00\x10"s), "it is cut off"));
    CHECK(contains(problem("\x93NUMPX\x01\x00"s + std::string(20, ' ')), "neither .npz nor .npy"));
    CHECK(contains(problem("\x93NUMPY\x04\x00"s + std::string(20, ' ')), "versions 1.0"));
    CHECK(contains(problem("\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF"s), "claims a header of 4294967295"));
    const std::string nested(100'000, '(');
    CHECK(problem("\x93NUMPY\x02\x00\xA0\x86\x01\x00"s + nested) ==
          "w: not a valid NumPy array: it claims a header of 100000 bytes");
    CHECK(contains(problem("nothing of NumPy's"), "neither .npz nor .npy"));
    CHECK(contains(problem(""), "neither .npz nor .npy"));
}

TEST_CASE("an archive is refused where an entry is not what its directory says") {
    const std::string array = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", 8);
    const auto one = [](const ZipMember& member) { return problem(zip_of({member})); };
    CHECK(one({"w.npy", array}) == "");
    CHECK(one({.name = "w.npy", .data = array, .crc = 1}) ==
          "w: its entry 'w.npy': its checksum does not match its bytes; fetch the file again");
    CHECK(one({"w.txt", array}) ==
          "w: its entry 'w.txt': is no array; .npz holds .npy entries alone");
    CHECK(one({.name = "w.npy", .data = array, .method = 12}) ==
          "w: its entry 'w.npy': is compressed by method 12; stored and deflated entries are read");
    CHECK(one({.name = "w.npy", .data = array, .method = 9}) ==
          "w: its entry 'w.npy': is compressed by method 9; stored and deflated entries are read");
    CHECK(problem(zip_of({{"w.npy", array}, {"w.npy", array}})) ==
          "w: not a valid .npz archive: it has two entries named 'w.npy'");
    CHECK(problem(zip_of({{"w.npy", array}}) + "x") ==
          "w: not a valid .npz archive: it does not end with a zip archive's end record; it may be "
          "cut off, or something was added to it: fetch it again");
#if HAS_ZLIB
    const std::string large =
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000,), }\n", 4'000'000);
    uLongf size = compressBound(static_cast<uLong>(large.size()));
    std::string packed(size, '\0');
    REQUIRE(compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                      reinterpret_cast<const Bytef*>(large.data()),
                      static_cast<uLong>(large.size()), 9) == Z_OK);
    packed = packed.substr(2, size - 6);  // without zlib's header and checksum
    CHECK(large.size() / packed.size() > 1000);
    const auto deflated = [&](std::size_t claim, const LoadLimits& limits = {}) {
        return problem(zip_of({{.name = "w.npy",
                                .data = packed,
                                .method = 8,
                                .unpacked_size = static_cast<std::uint32_t>(claim),
                                .crc = detail::crc32(as_bytes(large))}}),
                       limits, inflate_with_zlib);
    };
    const std::string damaged =
        "w: its entry 'w.npy': its compressed data are damaged; fetch it again";
    const std::string from = std::to_string(packed.size());
    const std::string left =
        " are left of 16 times the file, at least 64 MiB, at most LoadLimits::bytes";
    CHECK(deflated(large.size()) == "");
    CHECK(deflated(large.size() - 1) == damaged);
    CHECK(deflated(large.size() + 1) == damaged);
    CHECK(deflated(0xFFFFFFFE) == "w: its entry 'w.npy': is said to unpack from " + from +
                                      " to 4294967294 bytes; 67108864" + left);
    CHECK(deflated(large.size(), {.bytes = 1 << 20}) ==
          "w: its entry 'w.npy': is said to unpack from " + from + " to " +
              std::to_string(large.size()) + " bytes; 1048576" + left);
#endif
}

TEST_CASE("a cut-off or damaged archive is refused") {
    for (const std::string name : {"stored.npz", "single.npy"}) {
        CAPTURE(name);
        const std::string whole = read(name);
        for (std::size_t size = 0; size < whole.size(); ++size) {
            CHECK_FALSE(problem(whole.substr(0, size)).empty());
        }
        // What may be changed: the arrays of a lone file, and versions, times and attributes.
        std::size_t unseen = 0;
        for (std::size_t at = 0; at < whole.size(); ++at) {
            std::string damaged = whole;
            damaged[at] = static_cast<char>(damaged[at] ^ 0xFF);
            unseen += problem(damaged).empty();
        }
        CAPTURE(unseen);
        CHECK(unseen < whole.size() / 4);
    }
    CHECK(contains(problem(read("stored.npz"), {.tensors = 15}),
                   "has 16 arrays; at most 15 are read (LoadLimits::tensors)"));
}

}  // namespace numpy_test
