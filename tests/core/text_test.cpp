#include <lumbar/core/sorted_order.hpp>
#include <lumbar/core/text.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace text_test {

using lumbar::detail::cat;
using lumbar::detail::Piece;

TEST_CASE("cat joins texts and whole numbers of any width and sign") {
    const std::string name = "conv1";
    CHECK(cat({}).empty());
    CHECK(cat({"tensor ", name, std::string_view(".weight"), " has ", 12, " values"}) ==
          "tensor conv1.weight has 12 values");
    CHECK(cat({std::numeric_limits<std::int64_t>::min(), " ",
               std::numeric_limits<std::uint64_t>::max(), " ", std::int16_t{-1}, " ", 0u}) ==
          "-9223372036854775808 18446744073709551615 -1 0");
}

TEST_CASE("cat takes no bool and no single character: they would be printed as numbers") {
    CHECK(!std::is_convertible_v<bool, Piece>);
    CHECK(!std::is_convertible_v<char, Piece>);
    CHECK(!std::is_convertible_v<double, Piece>);
}

TEST_CASE("sorted_order and sort_by follow the comparison") {
    std::vector<std::string> words{"pool", "conv", "", "norm", "add"};
    const auto shorter_first = [](const std::string& a, const std::string& b) {
        return a.size() != b.size() ? a.size() < b.size() : a < b;
    };
    CHECK(lumbar::detail::sorted_order(words, shorter_first) ==
          std::vector<std::size_t>{2, 4, 1, 3, 0});
    lumbar::detail::sort_by(words, shorter_first);
    CHECK(words == std::vector<std::string>{"", "add", "conv", "norm", "pool"});
    std::vector<std::string> none;
    lumbar::detail::sort_by(none, shorter_first);
    CHECK(none.empty());
}

}  // namespace text_test
