#include <lumbar/core/activation.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

namespace activation_test {

namespace {

using lumbar::activate;
using lumbar::Activation;
using lumbar::clamp_nan;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

constexpr Activation kAll[] = {Activation::none,         Activation::relu,
                               Activation::relu6,        Activation::hard_swish,
                               Activation::hard_sigmoid, Activation::sigmoid};

struct Point {
    Activation activation;
    double x;
    double y;
};

}  // namespace

TEST_CASE("activations pass through the points that their formulas say") {
    constexpr Point points[] = {
        {Activation::none, -1.5, -1.5},
        {Activation::none, kInfinity, kInfinity},
        {Activation::relu, -2, 0},
        {Activation::relu, -0.0, 0},
        {Activation::relu, 0, 0},
        {Activation::relu, 1e30, 1e30},
        {Activation::relu, kInfinity, kInfinity},
        {Activation::relu, -kInfinity, 0},
        {Activation::relu6, -1, 0},
        {Activation::relu6, 2.5, 2.5},
        {Activation::relu6, 6, 6},
        {Activation::relu6, 6.5, 6},
        {Activation::relu6, kInfinity, 6},
        {Activation::relu6, -kInfinity, 0},
        {Activation::hard_sigmoid, -4, 0},
        {Activation::hard_sigmoid, -3, 0},
        {Activation::hard_sigmoid, 0, 0.5},
        {Activation::hard_sigmoid, 1.5, 0.75},
        {Activation::hard_sigmoid, 3, 1},
        {Activation::hard_sigmoid, kInfinity, 1},
        {Activation::hard_sigmoid, -kInfinity, 0},
        {Activation::hard_swish, -5, 0},
        {Activation::hard_swish, -3, 0},
        {Activation::hard_swish, -1.5, -0.375},
        {Activation::hard_swish, 0, 0},
        {Activation::hard_swish, 1.5, 1.125},
        {Activation::hard_swish, 3, 3},
        {Activation::hard_swish, 10, 10},
        {Activation::hard_swish, kInfinity, kInfinity},
        {Activation::sigmoid, 0, 0.5},
        {Activation::sigmoid, kInfinity, 1},
        {Activation::sigmoid, -kInfinity, 0},
        {Activation::sigmoid, -1000, 0},
        {Activation::sigmoid, 1000, 1},
    };
    for (const Point& p : points) {
        CAPTURE(to_string(p.activation));
        CAPTURE(p.x);
        CHECK(activate(p.activation, p.x) == p.y);
        CHECK(activate(p.activation, static_cast<float>(p.x)) == static_cast<float>(p.y));
    }
}

TEST_CASE("the sigmoid is symmetric about one half") {
    for (double x = -20; x <= 20; x += 0.37) {
        CAPTURE(x);
        CHECK(activate(Activation::sigmoid, x) + activate(Activation::sigmoid, -x) ==
              doctest::Approx(1).epsilon(1e-15));
    }
    CHECK(activate(Activation::sigmoid, std::log(3.0)) == doctest::Approx(0.75).epsilon(1e-15));
}

TEST_CASE("hard swish is x times hard sigmoid") {
    for (double x = -5; x <= 5; x += 0.125) {
        CAPTURE(x);
        CHECK(activate(Activation::hard_swish, x) ==
              doctest::Approx(x * activate(Activation::hard_sigmoid, x)).epsilon(1e-15));
    }
}

TEST_CASE("every activation passes NaN on, in both precisions") {
    for (Activation activation : kAll) {
        CAPTURE(to_string(activation));
        CHECK(std::isnan(activate(activation, kNan)));
        CHECK(std::isnan(activate(activation, static_cast<float>(kNan))));
    }
    // As in PyTorch: minus infinity times zero.
    CHECK(std::isnan(activate(Activation::hard_swish, -kInfinity)));
}

TEST_CASE("clamp_nan limits numbers and nothing else") {
    static_assert(clamp_nan(5, 0, 3) == 3);
    static_assert(clamp_nan(-5, 0, 3) == 0);
    static_assert(clamp_nan(2, 0, 3) == 2);
    CHECK(std::isnan(clamp_nan(kNan, 0.0, 6.0)));
    CHECK(clamp_nan(1.0, -kInfinity, kInfinity) == 1.0);
}

TEST_CASE("activations have the names that messages use") {
    CHECK(std::string(to_string(Activation::none)) == "none");
    CHECK(std::string(to_string(Activation::relu)) == "relu");
    CHECK(std::string(to_string(Activation::relu6)) == "relu6");
    CHECK(std::string(to_string(Activation::hard_swish)) == "hard_swish");
    CHECK(std::string(to_string(Activation::hard_sigmoid)) == "hard_sigmoid");
    CHECK(std::string(to_string(Activation::sigmoid)) == "sigmoid");
}

}  // namespace activation_test
