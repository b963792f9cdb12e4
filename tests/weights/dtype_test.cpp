#include <lumbar/core/text.hpp>
#include <lumbar/weights/dims.hpp>
#include <lumbar/weights/dtype.hpp>

#include <doctest/doctest.h>

#include <string>

namespace dtype_test {

using namespace lumbar;

TEST_CASE("every element type is found under the name that it prints") {
    for (const auto& info : detail::kDtypes) {
        CAPTURE(info.name);
        CHECK(parse_dtype(to_string(info.dtype)) == info.dtype);
        CHECK(size_in_bits(info.dtype) == info.bits);
    }
    CHECK_FALSE(parse_dtype("f32"));
    CHECK_FALSE(parse_dtype(""));
    CHECK_FALSE(parse_dtype("F128"));
}

TEST_CASE("only the four floating-point types of checkpoints are readable as numbers") {
    int readable = 0;
    for (const auto& info : detail::kDtypes) readable += is_readable_float(info.dtype);
    CHECK(readable == 4);
    CHECK(is_readable_float(Dtype::bf16));
    CHECK_FALSE(is_readable_float(Dtype::i64));
    CHECK(size_in_bytes(Dtype::f64) == 8);
    CHECK(size_in_bytes(Dtype::f4) == 0);
}

TEST_CASE("element counts of shapes are checked for overflow") {
    constexpr std::int64_t big = std::int64_t{1} << 32;
    CHECK(checked_element_count({}) == 1);
    CHECK(checked_element_count({2, 3, 4}) == 24);
    CHECK(checked_element_count({big, 0, big, big}) == 0);
    CHECK(checked_element_count({0, 5}) == 0);
    CHECK_FALSE(checked_element_count({big, big}));      // 2^64
    CHECK_FALSE(checked_element_count({big, big / 2}));  // 2^63: not an int64
    CHECK(checked_element_count({big, big / 4}) == std::int64_t{1} << 62);
    CHECK_FALSE(checked_element_count({-1, 4}));
    CHECK_FALSE(checked_element_count({0, -1}));
    CHECK(row_major_strides({2, 3, 4}) == Dims{12, 4, 1});
    CHECK(row_major_strides({big, 0, big, big}) == Dims{0, 0, 0, 0});
}

TEST_CASE("a ninth dimension is refused") {
    Dims dims;
    for (int i = 0; i < 8; ++i) CHECK(dims.push_back(i));
    CHECK_FALSE(dims.push_back(8));
    CHECK(dims.rank() == 8);
    CHECK(to_string(Dims{64, 3, 7, 7}) == "[64, 3, 7, 7]");
    CHECK(to_string(Dims{}) == "[]");
    CHECK_FALSE(Dims{1, 2} == Dims{1, 2, 3});
}

TEST_CASE("text from files is made harmless and short") {
    CHECK(detail::printable("conv1.weight") == "conv1.weight");
    CHECK(detail::printable("a\nb\x1B[31m\x7F") == "a\\x0ab\\x1b[31m\\x7f");
    CHECK(detail::printable(std::string(1000, 'x'), 5) == "xxxxx...");
    CHECK(detail::printable("\xE5\x9B\xBE.pth") == "\xE5\x9B\xBE.pth");
    CHECK(detail::printable("ab\xE5\x9B\xBE", 4) == "ab...");  // not in the middle of a character
    CHECK(detail::printable("\x80\x80\x80", 2) == "\\x80\\x80...");
    CHECK(detail::printable("caf\xE9") == "caf\\xe9");              // Latin-1
    CHECK(detail::printable("\xC0\x80") == "\\xc0\\x80");           // overlong
    CHECK(detail::printable("\xED\xA0\x80") == "\\xed\\xa0\\x80");  // a surrogate
    CHECK(detail::printable("\xC2\x9B"
                            "31m") ==
          "\\xc2\\x9b"
          "31m");  // a control character
    CHECK(detail::printable("\xF0\x9F\x98\x80") == "\xF0\x9F\x98\x80");
    CHECK(detail::printable("\xF0\x9F\x98") == "\\xf0\\x9f\\x98");
    CHECK(detail::in_quotes("a") == "'a'");
}

}  // namespace dtype_test
