// Every way in which a safetensors file is known to be malformed, by hand or by malice.
#include "bounded.hpp"
#include "safetensors_bytes.hpp"

#include <lumbar/weights/safetensors.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace safetensors_malformed_test {

using namespace lumbar;
using namespace lumbar_test;
using namespace std::string_literals;

namespace {

struct Malformed {
    std::string what;
    std::string file;
    std::string message;  // a part of the error's
};

// A tensor of the shortest description has fifty bytes in the file and some two hundred here.
constexpr std::size_t kTimesTheFile = 16;

// Reads a file that must be refused, and gives the message: one line, of bounded length, that
// begins with the file's name.
std::string refusal(const std::string& file) {
    const auto result = load_bounded(file, kTimesTheFile, [](std::span<const std::byte> bytes) {
        return try_read_safetensors(bytes, nullptr, "bad.st");
    });
    REQUIRE_FALSE(result);
    const std::string& message = result.error().message();
    CHECK(message.size() < 600);
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.substr(0, 8) == "bad.st: ");
    return message;
}

void check_all(const std::vector<Malformed>& files) {
    for (const Malformed& file : files) {
        CAPTURE(file.what);
        const std::string message = refusal(file.file);
        CAPTURE(message);
        CHECK(message.find(file.message) != std::string::npos);
    }
}

// A file with one F32 tensor "a" of 4 bytes whose shape and offsets are as given.
std::string one(const std::string& shape, const std::string& offsets, std::size_t data = 4) {
    return file_of("{" + member("a", "F32", shape, offsets) + "}", std::string(data, '\0'));
}

std::string repeated(const std::string& text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
}

}  // namespace

TEST_CASE("a header length that cannot be is refused before anything is read") {
    const std::string rest = "{}" + std::string(100, '\0');
    check_all({
        {"an empty file", "", "has 0 bytes"},
        {"seven bytes", "1234567", "has 7 bytes"},
        {"no header", file_with_length(0, ""), "JSON"},
        {"no header, but data", file_with_length(0, rest), "JSON"},
        {"longer than the file", file_with_length(103, rest), "header of 103 bytes, but only 102"},
        {"longer than the file by far", file_with_length(99'999'999, rest), "but only 102"},
        {"2^64 - 1", file_with_length(~std::uint64_t{0}, rest), "at most 100000000"},
        {"2^63", file_with_length(std::uint64_t{1} << 63, rest), "at most 100000000"},
        {"N + 8 wraps to 2", file_with_length(std::uint64_t{0} - 6, rest), "at most 100000000"},
        {"one above the limit", file_with_length(100'000'001, rest), "header of 100000001 bytes"},
    });
}

TEST_CASE("a header that is not the JSON of one object is refused") {
    check_all({
        {"invalid UTF-8 in a name", file_of("{\"a\xFF\":{}}"), "not valid JSON near byte"},
        {"overlong UTF-8", file_of("{\"a\xC0\x80\":{}}"), "not valid JSON"},
        {"a UTF-8 surrogate", file_of("{\"a\xED\xA0\x80\":{}}"), "not valid JSON"},
        {"UTF-16", file_of("{\0\"\0a\0"s), "zero byte"},
        {"a list", file_of("[]"), "must be a JSON object; found a list"},
        {"a text", file_of("\"a\""), "must be a JSON object; found the text 'a'"},
        {"a number", file_of("7"), "must be a JSON object; found the number 7"},
        {"null", file_of("null"), "must be a JSON object; found null"},
        {"only blanks", file_of("        "), "not valid JSON"},
        {"text after the object", file_of("{}x"), "not valid JSON near byte 3"},
        {"a second object", file_of("{}{}"), "not valid JSON"},
        {"zero bytes as padding", file_of("{}\0\0\0\0\0\0"s), "zero byte at 2"},
        {"a zero byte first", file_of("\0{}"s), "zero byte at 0"},
        {"a zero byte in a name", file_of("{\"a\0b\":{}}"s), "zero byte"},
        {"a byte-order mark", file_of("\xEF\xBB\xBF{}"), "byte-order"},
        {"cut off", file_of("{\"a\":{\"dtype\":\"F3"), "not valid JSON"},
        {"a comment", file_of("{/* */}"), "not valid JSON"},
        {"a trailing comma", file_of("{" + member("a", "F32", "[]", "[0,4]") + ",}"),
         "not valid JSON"},
        {"single quotes", file_of("{'a':1}"), "not valid JSON"},
        {"a line break in a name", file_of("{\"a\nb\":{}}"), "not valid JSON"},
        {"100,000 lists in lists", file_of(repeated("[", 100'000)), "found a list"},
        {"100,000 objects in objects", file_of(repeated("{\"a\":", 100'000)), "unknown field 'a'"},
        {"100,000 objects in metadata",
         file_of("{\"__metadata__\":" + repeated("{\"a\":", 100'000)), "found an object"},
        {"100,000 lists for a shape", file_of("{\"a\":{\"shape\":" + repeated("[", 100'000)),
         "shape must be a list of whole numbers from 0; found a list"},
        {"a number of 100,000 digits", file_of(repeated("9", 100'000)), "found the number 9999"},
        {"a number of 300 digits", file_of(repeated("9", 300)), "found the number 9999"},
    });
}

TEST_CASE("a name or a field that comes twice is refused") {
    const std::string a = member("a", "F32", "[]", "[0,4]");
    const std::string data(8, '\0');
    check_all({
        {"a tensor twice, same place", file_of("{" + a + "," + a + "}", data),
         "two tensors are named 'a'"},
        {"a tensor twice, next to each other",
         file_of("{" + a + "," + member("a", "F32", "[]", "[4,8]") + "}", data),
         "two tensors are named 'a'"},
        {"a tensor twice, once escaped",
         file_of("{" + a + "," + member("\\u0061", "F32", "[]", "[4,8]") + "}", data),
         "two tensors are named 'a'"},
        {"__metadata__ twice", file_of("{\"__metadata__\":{},\"__metadata__\":{}}"),
         "__metadata__ twice"},
        {"a key of __metadata__ twice", file_of("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}"),
         "__metadata__ has the key 'k' twice"},
        {"dtype twice", file_of("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}"),
         "tensor 'a' has the field dtype twice"},
        {"shape twice", file_of("{\"a\":{\"shape\":[1],\"shape\":[1]}}"),
         "tensor 'a' has the field shape twice"},
        {"data_offsets twice", file_of("{\"a\":{\"data_offsets\":[0,4],\"data_offsets\":[0,4]}}"),
         "tensor 'a' has the field data_offsets twice"},
    });
}

TEST_CASE("numbers other than whole ones from zero are refused, and so are other types") {
    check_all({
        {"negative extent", one("[-1]", "[0,4]"), "shape must be a list of whole numbers from 0"},
        {"negative offset", one("[1]", "[-4,0]"), "data_offsets must be two whole numbers"},
        {"minus zero", one("[1]", "[-0,4]"), "found the number -0"},
        {"a fraction", one("[1.5]", "[0,4]"), "found the number 1.5"},
        {"a whole fraction", one("[1.0]", "[0,4]"), "found the number 1.0"},
        {"an exponent", one("[1e0]", "[0,4]"), "found the number 1e0"},
        {"infinite", one("[1e999]", "[0,4]"), "found the number 1e999"},
        {"a text", one("[\"1\"]", "[0,4]"), "found the text '1'"},
        {"true", one("[true]", "[0,4]"), "found true"},
        {"null", one("[null]", "[0,4]"), "found null"},
        {"2^64", one("[1]", "[0,18446744073709551616]"), "found the number 18446744073709551616"},
        {"2^64 as an extent", one("[18446744073709551616]", "[0,4]"),
         "found the number 1844674407"},
        {"NaN", one("[NaN]", "[0,4]"), "not valid JSON"},
        {"a leading zero", one("[01]", "[0,4]"), "not valid JSON"},
        {"hexadecimal", one("[0x1]", "[0,4]"), "not valid JSON"},
        {"a plus sign", one("[+1]", "[0,4]"), "not valid JSON"},
        {"one offset", one("[1]", "[4]"), "data_offsets has 1 numbers, not two"},
        {"no offset", one("[1]", "[]"), "data_offsets has 0 numbers, not two"},
        {"three offsets", one("[1]", "[0,4,4]"), "data_offsets has more than two numbers"},
        {"an offset that is a list", one("[1]", "[[0,4]]"), "found a list"},
        {"offsets as an object", one("[1]", "{\"a\":0}"), "data_offsets must be a list"},
        {"offsets as a number", one("[1]", "4"), "data_offsets must be a list; found the number 4"},
        {"a shape that is a number", one("1", "[0,4]"), "shape must be a list"},
        {"a shape that is null", one("null", "[0,4]"), "shape must be a list; found null"},
        {"nine dimensions", one("[1,1,1,1,1,1,1,1,1]", "[0,4]"), "more than 8 dimensions"},
        {"a million dimensions", one("[1" + repeated(",1", 999'999) + "]", "[0,4]"),
         "more than 8 dimensions"},
        {"a dtype that is a number", file_of("{\"a\":{\"dtype\":32}}"),
         "dtype must be a text; found the number 32"},
        {"a dtype that is a list", file_of("{\"a\":{\"dtype\":[]}}"), "dtype must be a text"},
        {"a tensor that is a text", file_of("{\"a\":\"F32\"}"),
         "tensor 'a' must be an object with dtype, shape and data_offsets; found the text 'F32'"},
        {"a tensor that is a list", file_of("{\"a\":[]}"), "must be an object"},
        {"a tensor that is null", file_of("{\"a\":null}"), "must be an object"},
        {"no dtype", file_of("{\"a\":{\"shape\":[],\"data_offsets\":[0,4]}}"), "'a' has no dtype"},
        {"no shape", file_of("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}"), "has no shape"},
        {"no offsets", file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}"), "has no data_offsets"},
        {"nothing", file_of("{\"a\":{}}"), "'a' has no dtype"},
        {"an unknown field", file_of("{\"a\":{\"strides\":[1]}}"), "unknown field 'strides'"},
    });
}

TEST_CASE("tensors must cover the data without gap, overlap or remainder") {
    const auto two = [](const std::string& a, const std::string& b, std::size_t data) {
        return file_of(
            "{" + member("a", "F32", "[1]", a) + "," + member("b", "F32", "[1]", b) + "}",
            std::string(data, '\0'));
    };
    std::string crowd = "{";
    for (int i = 0; i < 10'000; ++i) {
        crowd += (i > 0 ? "," : "") + member("t" + std::to_string(i), "F32", "[16]", "[0,64]");
    }
    crowd += "}";
    std::string throng = "{";
    for (int i = 0; i < 100'000; ++i) {
        throng += (i > 0 ? "," : "") + member("t" + std::to_string(i), "F32", "[16]", "[0,64]");
    }
    throng += "}";
    check_all({
        {"end before begin", one("[1]", "[4,0]"), "ends before it begins (bytes 4 to 0)"},
        {"end before begin, huge", one("[1]", "[18446744073709551615,3]"), "ends before it begins"},
        {"gap at the start", one("[1]", "[4,8]", 8), "no tensor covers the gap"},
        {"gap in the middle", two("[0,4]", "[8,12]", 12),
         "'b' begins at byte 8, but the data before it ends at 4"},
        {"gap far out", two("[0,4]", "[18446744073709551611,18446744073709551615]", 8), "the gap"},
        {"remainder", one("[1]", "[0,4]", 8), "4 bytes follow the last tensor"},
        {"one byte more", one("[1]", "[0,4]", 5), "1 bytes follow the last tensor"},
        {"data without tensors", file_of("{}", "x"), "1 bytes follow the last tensor"},
        {"a zip file appended", one("[1]", "[0,4]", 4) + "PK\x05\x06" + std::string(18, '\0'),
         "22 bytes follow"},
        {"same place twice", two("[0,4]", "[0,4]", 4), "'b' (bytes 0 to 4) overlaps"},
        {"partly the same place", two("[0,4]", "[2,6]", 6), "'b' (bytes 2 to 6) overlaps"},
        {"10,000 names for the same place", file_of(crowd, std::string(64, '\0')), "overlaps"},
        {"100,000 names for the same place", file_of(throng, std::string(64, '\0')),
         "more than 65536 tensors"},
        {"cut off by one byte", one("[1]", "[0,4]", 3), "cut off: its tensors need 4 bytes"},
        {"no data", one("[1]", "[0,4]", 0), "and 0 are there"},
        {"end far beyond the file", one("[1000000000000]", "[0,4000000000000]"), "cut off"},
        {"too few bytes for the shape", one("[2]", "[0,4]"),
         "[2] of F32 needs 8 bytes, but bytes 0 to 4"},
        {"4 MB of shape over 4 bytes", one("[1024,1024]", "[0,4]"), "needs 4194304 bytes"},
        {"too many bytes for the shape", one("[1]", "[0,8]", 8), "needs 4 bytes"},
        {"bytes for no element", one("[0]", "[0,4]"), "needs 0 bytes"},
        {"no bytes for a scalar", one("[]", "[0,0]", 0), "needs 4 bytes"},
    });
}

TEST_CASE("sizes that overflow are refused, not wrapped") {
    check_all({
        {"2 * 2^63 elements", one("[2,9223372036854775808]", "[0,0]", 0),
         "extent of 9223372036854775808"},
        {"2^32 * 2^32 elements", one("[4294967296,4294967296]", "[0,0]", 0), "impossible shape"},
        {"2^64 + 1 elements wrap to 1",  // 274177 * 67280421310721
         one("[274177,67280421310721]", "[0,4]"), "impossible shape"},
        {"the bytes wrap to 4", one("[4611686018427387905]", "[0,4]"), "extent of"},
        {"2^62 + 2^31 elements: the bits wrap", one("[2147483648,2147483649]", "[0,4]"),
         "impossible shape"},
        {"eight large extents",
         one("[65536,65536,65536,65536,65536,65536,65536,65536]", "[0,0]", 0), "impossible shape"},
        {"no elements, but an extent of 2^63", one("[0,9223372036854775808]", "[0,0]", 0),
         "at most 2^48 - 1"},
    });
}

TEST_CASE("element types that are unknown or end within a byte are refused") {
    const auto typed = [](const std::string& dtype, const std::string& shape) {
        return file_of("{" + member("a", dtype, shape, "[0,4]") + "}", std::string(4, '\0'));
    };
    check_all({
        {"a type of the future", typed("F128", "[1]"), "unknown dtype 'F128'; store it as F32"},
        {"lower case", typed("f32", "[1]"), "unknown dtype 'f32'"},
        {"empty", typed("", "[1]"), "unknown dtype ''"},
        {"a terminal escape", typed("\\u001b[2J", "[1]"), "unknown dtype '\\x1b[2J'"},
        {"an odd number of half bytes", typed("F4", "[7]"), "not a whole number of bytes"},
        {"five F6", typed("F6_E2M3", "[5]"), "not a whole number of bytes"},
        {"unknown, with offsets beyond the file",
         file_of("{" + member("a", "Q8", "[1]", "[0,4000]") + "}"), "unknown dtype 'Q8'"},
    });
    const std::string file = typed("F128", "[1]");
    const auto result = try_read_safetensors(as_bytes(file), nullptr, "new.st");
    REQUIRE_FALSE(result);
    CHECK(result.error().code() == Error::Code::unsupported);
}

TEST_CASE("names that are hostile, broken or too many are refused") {
    const auto named = [](const std::string& name) {
        return file_of("{" + member(name, "F32", "[1]", "[0,4]") + "}", std::string(4, '\0'));
    };
    std::string many = "{";
    for (int i = 0; i < 70'000; ++i) {
        many += (i > 0 ? "," : "") + member("t" + std::to_string(i), "F32", "[0]", "[0,0]");
    }
    many += "}";
    check_all({
        {"an escaped zero byte", named("a\\u0000b"), "'a\\x00b' holds a zero byte"},
        {"a lone high surrogate", named("\\ud800"), "not valid JSON"},
        {"a lone low surrogate", named("\\udc00"), "not valid JSON"},
        {"surrogates in the wrong order", named("\\udc00\\ud800"), "not valid JSON"},
        {"an unfinished escape", named("\\u12"), "not valid JSON"},
        {"a name of 1 MB", named(std::string(1'000'000, 'x')), "has 1000000 bytes; at most 1024"},
        {"a name one byte too long", named(std::string(1'025, 'x')), "has 1025 bytes"},
        {"70,000 tensors", file_of(many), "more than 65536 tensors"},
    });
}

TEST_CASE("metadata other than texts is refused") {
    check_all({
        {"a number", file_of("{\"__metadata__\":{\"k\":1}}"),
         "__metadata__ may hold only texts; found"},
        {"a negative number", file_of("{\"__metadata__\":{\"k\":-1}}"), "may hold only texts"},
        {"null", file_of("{\"__metadata__\":{\"k\":null}}"), "may hold only texts; found null"},
        {"an object", file_of("{\"__metadata__\":{\"k\":{}}}"),
         "may hold only texts; found an object"},
        {"a list", file_of("{\"__metadata__\":{\"k\":[]}}"), "may hold only texts; found a list"},
        {"metadata that is a text", file_of("{\"__metadata__\":\"k\"}"),
         "__metadata__ must be an object; found the text 'k'"},
        {"metadata that is a list", file_of("{\"__metadata__\":[]}"),
         "__metadata__ must be an object"},
        {"metadata that is null", file_of("{\"__metadata__\":null}"),
         "__metadata__ must be an object"},
        {"a tensor inside of it",
         file_of("{\"__metadata__\":{" + member("a", "F32", "[]", "[0,4]") + "}}", "1234"),
         "may hold only texts; found an object"},
    });
}

TEST_CASE("every prefix and every changed byte of a good file is read or refused, never worse") {
    const std::string good = file_of("{\"__metadata__\":{\"k\":\"v\\n\"}," +
                                         member("a\\u00e9", "F16", "[2,3]", "[0,12]") + "," +
                                         member("b", "F32", "[1]", "[12,16]") + "} ",
                                     std::string(16, '\x3c'));
    const auto read = [](const std::string& file) {
        const std::vector<char> exact(file.begin(), file.end());
        const auto result = try_read_safetensors(std::as_bytes(std::span(exact)), nullptr, "x");
        if (!result) return false;
        for (const TensorData& tensor : *result) {  // whatever was accepted can be read
            std::vector<float> values(static_cast<std::size_t>(tensor.size()));
            if (is_readable_float(tensor.dtype)) CHECK(try_read_floats(tensor, 0, values));
        }
        return true;
    };
    CHECK(read(good));
    for (std::size_t size = 0; size < good.size(); ++size) CHECK_FALSE(read(good.substr(0, size)));
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const char c :
             {'\0', ' ', '"', '0', '9', '-', '{', '}', '[', ']', ',', ':', '\\', '\xFF'}) {
            std::string changed = good;
            changed[i] = c;
            read(changed);
            std::string longer = good;
            longer.insert(i, 1, c);
            read(longer);
        }
    }
}

}  // namespace safetensors_malformed_test
