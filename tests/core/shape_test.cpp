#include <lumbar/core/shape.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

namespace shape_test {

using lumbar::ceil_div;
using lumbar::checked_add;
using lumbar::checked_mul;
using lumbar::Extent;
using lumbar::Padding;
using lumbar::round_up;
using lumbar::same_padding;
using lumbar::SamePadding;
using lumbar::Shape;
using lumbar::window_positions;

TEST_CASE("a shape counts its pixels and values without overflow") {
    constexpr Shape shape{.n = 2, .c = 64, .h = 56, .w = 28};
    static_assert(shape.pixels() == 1568);
    static_assert(shape.size() == 200'704);
    static_assert(Shape{.n = 64, .c = 2048, .h = 1024, .w = 1024}.size() == std::int64_t{1} << 37);
    static_assert(Shape{.c = 0}.size() == 0);
    CHECK(to_string(shape) == "2x64x56x28");
    CHECK(to_string(Shape{.c = 1000}) == "1x1000x1x1");
}

TEST_CASE("shapes are equal where all four numbers are") {
    constexpr Shape shape{.n = 1, .c = 2, .h = 3, .w = 4};
    static_assert(shape == Shape{.n = 1, .c = 2, .h = 3, .w = 4});
    static_assert(shape != Shape{.n = 2, .c = 2, .h = 3, .w = 4});
    static_assert(shape != Shape{.n = 1, .c = 3, .h = 3, .w = 4});
    static_assert(shape != Shape{.n = 1, .c = 2, .h = 4, .w = 4});
    static_assert(shape != Shape{.n = 1, .c = 2, .h = 3, .w = 5});
}

TEST_CASE("paddings and extents have their short forms") {
    static_assert(Padding::all(3) == Padding{.top = 3, .left = 3, .bottom = 3, .right = 3});
    static_assert(Padding::symmetric(0, 3) ==
                  Padding{.top = 0, .left = 3, .bottom = 0, .right = 3});
    static_assert(Extent::square(2) == Extent{.h = 2, .w = 2});
}

TEST_CASE("ceil_div and round_up go up and stay on multiples") {
    static_assert(ceil_div(0, 8) == 0);
    static_assert(ceil_div(1, 8) == 1);
    static_assert(ceil_div(8, 8) == 1);
    static_assert(ceil_div(9, 8) == 2);
    static_assert(round_up(0, 16) == 0);
    static_assert(round_up(1, 16) == 16);
    static_assert(round_up(24, 16) == 32);
    static_assert(round_up(32, 16) == 32);
}

TEST_CASE("same padding is TensorFlow's") {
    struct Case {
        int input, kernel, stride, dilation;
        int before, after;
    };
    constexpr Case cases[] = {
        // Stride 1: (kernel - 1) * dilation in all.
        {224, 3, 1, 1, 1, 1},
        {7, 5, 1, 1, 2, 2},
        {14, 1, 1, 1, 0, 0},
        {13, 2, 1, 1, 0, 1},
        {10, 3, 1, 2, 2, 2},
        {10, 3, 1, 4, 4, 4},
        // Stride 2: nothing before an even input.
        {224, 3, 2, 1, 0, 1},
        {224, 7, 2, 1, 2, 3},
        {112, 5, 2, 1, 1, 2},
        {13, 6, 5, 1, 1, 2},  // the example of TensorFlow's guide: 13 wide, 6 wide filter, stride 5
        {225, 3, 2, 1, 1, 1},
        {7, 3, 2, 1, 1, 1},
        {299, 3, 2, 1, 1, 1},
        {1, 3, 2, 1, 1, 1},
        {2, 3, 2, 1, 0, 1},
        // A stride as wide as the kernel or wider, that needs none.
        {8, 2, 2, 1, 0, 0},
        {9, 2, 2, 1, 0, 1},
        {8, 1, 2, 1, 0, 0},
        {9, 1, 3, 1, 0, 0},
    };
    for (const Case& c : cases) {
        CAPTURE(c.input);
        CAPTURE(c.kernel);
        CAPTURE(c.stride);
        CAPTURE(c.dilation);
        const SamePadding padding = same_padding(c.input, c.kernel, c.stride, c.dilation);
        CHECK(padding.before == c.before);
        CHECK(padding.after == c.after);
    }
}

TEST_CASE("same padding yields ceil(input / stride) positions, with as little as it takes") {
    for (int input = 1; input <= 40; ++input) {
        for (int kernel = 1; kernel <= 7; ++kernel) {
            for (int stride = 1; stride <= 4; ++stride) {
                for (int dilation = 1; dilation <= 3; ++dilation) {
                    CAPTURE(input);
                    CAPTURE(kernel);
                    CAPTURE(stride);
                    CAPTURE(dilation);
                    const auto [before, after] = same_padding(input, kernel, stride, dilation);
                    const int wanted = ceil_div(input, stride);
                    REQUIRE(window_positions(input, before, after, kernel, stride, dilation) ==
                            wanted);
                    REQUIRE(after - before >= 0);
                    REQUIRE(after - before <= 1);
                    if (before + after > 0) {
                        REQUIRE(window_positions(input, before, after - 1, kernel, stride,
                                                 dilation) < wanted);
                    }
                }
            }
        }
    }
}

TEST_CASE("windows have the positions that the papers' tables show") {
    struct Case {
        int input, before, after, kernel, stride, dilation;
        int positions;
    };
    constexpr Case cases[] = {
        {224, 3, 3, 7, 2, 1, 112},  // ResNet's first convolution
        {112, 1, 1, 3, 2, 1, 56},   // and its pool
        {224, 0, 1, 3, 2, 1, 112},  // MobileNet's first, padded as in TensorFlow
        {299, 0, 0, 3, 2, 1, 149},  // Inception V3's stem
        {149, 0, 0, 3, 1, 1, 147}, {147, 0, 0, 3, 2, 1, 73},
        {17, 0, 0, 5, 3, 1, 5},  // its auxiliary pool
        {7, 0, 0, 7, 1, 1, 1},     {10, 2, 2, 3, 1, 2, 10},
        {3, 0, 0, 3, 1, 1, 1},     {3, 0, 0, 2, 5, 1, 1},
    };
    for (const Case& c : cases) {
        CAPTURE(c.input);
        CAPTURE(c.kernel);
        CHECK(window_positions(c.input, c.before, c.after, c.kernel, c.stride, c.dilation) ==
              c.positions);
    }
}

TEST_CASE("a window that does not fit has no position") {
    static_assert(window_positions(2, 0, 0, 3, 1, 1) == 0);
    static_assert(window_positions(2, 0, 0, 3, 2, 1) == 0);
    static_assert(window_positions(4, 0, 0, 3, 1, 2) == 0);
    static_assert(window_positions(0, 1, 1, 3, 2, 1) == 0);
    static_assert(window_positions(2, 1, 0, 3, 1, 1) == 1);
}

TEST_CASE("checked arithmetic refuses what does not fit") {
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    static_assert(checked_mul(0, most) == 0u);
    static_assert(checked_mul(most, 0) == 0u);
    static_assert(checked_mul(1, most) == most);
    static_assert(checked_mul(std::uint64_t{1} << 32, (std::uint64_t{1} << 32) - 1) ==
                  most - (std::uint64_t{1} << 32) + 1);
    static_assert(!checked_mul(std::uint64_t{1} << 32, std::uint64_t{1} << 32));
    static_assert(!checked_mul(most, 2));
    static_assert(!checked_mul(2, most));
    static_assert(checked_add(most, 0) == most);
    static_assert(checked_add(most - 1, 1) == most);
    static_assert(!checked_add(most, 1));
    static_assert(!checked_add(1, most));
}

}  // namespace shape_test
