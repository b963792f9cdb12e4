#include <lumbar/weights/synthetic.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace synthetic_test {

using namespace lumbar;

TEST_CASE("single elements are those that a program in another language computed") {
    struct Case {
        std::string name;
        std::uint64_t seed;
        std::uint64_t index;
        double unit;
    };
    const Case cases[] = {
        {"input", 0, 0, -0x1.9bd584p-1},
        {"input", 1, 7, -0x1.6307e8p-1},
        {"conv1.weight", 1, 0, -0x1.f9e4f4p-1},
        {"conv1.weight", 1, 1, 0x1.ef2fp-2},
        {"layer1.0.bn1.running_var", 42, 3, -0x1.e7f6bp-3},
        {"fc.weight", 0xFFFFFFFFFFFFFFFF, 1000000, -0x1.6df03p-3},
        {"", 0, 0, 0x1.0e05fp-1},
    };
    for (const Case& c : cases) {
        CAPTURE(c.name);
        CAPTURE(c.index);
        CHECK(detail::synthetic_unit(detail::synthetic_base(c.name, c.seed), c.index) == c.unit);
    }
    static_assert(detail::synthetic_unit(detail::synthetic_base("input", 0), 0) == -0x1.9bd584p-1);
}

TEST_CASE("filling a tensor scales the elements and rounds once") {
    std::vector<float> values(9, 1e9f);
    synthetic_fill(std::span(values).first(8), "layer1.0.bn1.running_var", 42,
                   {.centre = 1.0, .amplitude = 0.2});
    CHECK(values[3] == 0x1.e79a1p-1f);
    CHECK(values[8] == 1e9f);
    synthetic_fill(std::span(values).first(2), "conv1.weight", 1,
                   {.centre = 0.0, .amplitude = 0.1});
    CHECK(values[0] == -0x1.94b72ap-4f);
    CHECK(values[1] == 0x1.8c259ap-5f);
    synthetic_fill({}, "nothing", 0, {});
}

TEST_CASE("elements are uniform: mean zero, variance a third, all within the range") {
    std::vector<float> values(1 << 16);
    synthetic_fill(values, "uniform", 3, {.centre = 0.0, .amplitude = 1.0});
    double sum = 0;
    double squares = 0;
    for (const float value : values) {
        REQUIRE(value >= -1.0f);
        REQUIRE(value < 1.0f);
        sum += value;
        squares += double{value} * value;
    }
    const double count = static_cast<double>(values.size());
    // The mean's standard deviation is sqrt(1/3 / count) = 0.0023; that of the squares is 0.0012.
    CHECK(std::abs(sum / count) < 0.01);
    CHECK(std::abs(squares / count - 1.0 / 3.0) < 0.005);
}

TEST_CASE("the reference file of the Python twin holds the same numbers") {
    const std::string path = std::string(LUMBAR_SOURCE_DIR) + "/tests/goldens/synthetic.json";
    std::ifstream file(path);
    if (!file) {
        MESSAGE("skipped: no tests/goldens/synthetic.json");
        return;
    }
    const auto number = [](const nlohmann::json& hex) {
        return std::strtod(hex.get_ref<const std::string&>().c_str(), nullptr);
    };
    const auto root = nlohmann::json::parse(file, nullptr, false);
    REQUIRE(root.is_object());
    REQUIRE(root.contains("tensors"));
    CHECK(root["tensors"].size() >= 3);
    for (const auto& tensor : root["tensors"]) {
        const auto name = tensor["name"].get<std::string>();
        const auto seed = tensor["seed"].get<std::uint64_t>();
        CAPTURE(name);
        const std::uint64_t base = detail::synthetic_base(name, seed);
        std::uint64_t index = 0;
        for (const auto& unit : tensor["u"]) {
            CHECK(detail::synthetic_unit(base, index++) == number(unit));
        }
        std::vector<float> values(tensor["values"].size());
        synthetic_fill(
            values, name, seed,
            {.centre = number(tensor["centre"]), .amplitude = number(tensor["amplitude"])});
        for (std::size_t i = 0; i < values.size(); ++i) {
            CHECK(double{values[i]} == number(tensor["values"][i]));
        }
    }
}

}  // namespace synthetic_test
