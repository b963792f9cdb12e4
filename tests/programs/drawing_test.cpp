// What the programs draw with: text stays where there is room for it.
#include "../../examples/drawing.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace drawing_test {

using namespace drawing;

namespace {

constexpr int kWidth = 400, kHeight = 80;

/// The columns that hold ink: the first, and the one behind the last.
struct Columns {
    int first = kWidth, end = 0;
};

Columns inked(const Canvas& canvas) {
    Columns c;
    for (int x = 0; x < kWidth; ++x) {
        for (int y = 0; y < kHeight; ++y) {
            if (canvas.get(x, y) == kPaper) continue;
            c.first = std::min(c.first, x);
            c.end = x + 1;
        }
    }
    return c;
}

Columns inked_by(const Font& font, const std::string& words, const TextStyle& style, int x) {
    Canvas canvas(kWidth, kHeight, font);
    canvas.text(x, 50, words, style);
    return inked(canvas);
}

}  // namespace

TEST_CASE("text that would be wider than its room is written smaller, other text is not") {
    const Font font = Font::load("");
    if (font.empty()) {
        MESSAGE("skipped: no font is found");
        return;
    }
    const std::string words = "features.denseblock2.denselayer12.conv2";
    REQUIRE(font.width(words, 32) > 300);
    const Columns wide = inked_by(font, words, {.size = 32}, 20);
    CHECK(wide.end == kWidth);  // cut off at the edge
    for (const double most : {300.0, 120.0}) {
        CAPTURE(most);
        const Columns left = inked_by(font, words, {.size = 32, .most = most}, 20);
        CHECK(left.first >= 20 - 1);
        CHECK(left.end <= 20 + most + 1);
        CHECK(left.end > 20 + 0.9 * most);
        const Columns right =
            inked_by(font, words, {.size = 32, .align = Align::right, .most = most}, 380);
        CHECK(right.first >= 380 - most - 1);
        CHECK(right.end > 380 - 10);
    }
    const Columns free = inked_by(font, "conv1", {.size = 32}, 20);
    const Columns roomy = inked_by(font, "conv1", {.size = 32, .most = 300}, 20);
    CHECK(free.first == roomy.first);
    CHECK(free.end == roomy.end);
}

}  // namespace drawing_test
