#include "../../benchmarks/svg.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace svg_test {

TEST_CASE("numbers end where zeros would begin") {
    constexpr struct {
        double value;
        int digits;
        const char* text;
    } cases[] = {{1.5, 3, "1.5"}, {100, 0, "100"}, {0.25, 1, "0.2"}, {-0.001, 2, "0"}, {2, 2, "2"}};
    for (const auto& c : cases) {
        CAPTURE(c.value);
        CHECK(bench::number(c.value, c.digits) == c.text);
    }
}

TEST_CASE("texts of a drawing are escaped") {
    bench::Svg svg(10, 10);
    svg.text({1, 2}, "a<b & \"c\"");
    svg.rect({0, 0, 1, 1}, "#fff", "<tip>");
    const std::string file = svg.to_string();
    CHECK(file.find(">a&lt;b &amp; &quot;c&quot;</text>") != std::string::npos);
    CHECK(file.find("<title>&lt;tip&gt;</title></rect>") != std::string::npos);
}

TEST_CASE("a logarithmic axis gives equal factors equal room, and labels powers of ten") {
    const bench::LogAxis axis{0.5, 500, 0, 300};
    CHECK(axis.at(5) == doctest::Approx(100));
    CHECK(axis.at(50) == doctest::Approx(200));
    std::vector<double> labelled;
    for (const bench::LogAxis::Tick& t : axis.ticks()) {
        CHECK(axis.has(t.value));
        if (t.labelled) labelled.push_back(t.value);
    }
    REQUIRE(labelled.size() == 3);
    CHECK(labelled[0] == doctest::Approx(1));
    CHECK(labelled[2] == doctest::Approx(100));
}

TEST_CASE("the steps of a linear axis are round, and not too many") {
    constexpr struct {
        double high;
        double step;
    } cases[] = {{1, 0.2}, {1012, 200}, {4342, 1000}, {7, 2}, {0.3, 0.05}};
    for (const auto& c : cases) {
        CAPTURE(c.high);
        CHECK(bench::LinearAxis{c.high, 0, 1}.step(6) == doctest::Approx(c.step));
    }
}

}  // namespace svg_test
