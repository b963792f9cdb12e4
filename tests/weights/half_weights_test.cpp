#include <lumbar/weights/half_weights.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace half_weights_test {

using namespace lumbar;

TEST_CASE("filters become halves; vectors and metadata stay") {
    const Weights half = [] {  // its source is gone when it is read
        const Weights whole =
            Weights::from_tensors({{"conv.weight", {2, 2}, {1.0f, -0.5f, 1.0f / 3, 65504.0f}},
                                   {"bn.running_var", {2}, {1e-9f, 1e9f}}},
                                  "w", {{"architecture", "x"}});
        return as_half(whole);
    }();
    const TensorData* filter = half.find("conv.weight");
    REQUIRE(filter);
    CHECK(filter->dtype == Dtype::f16);
    CHECK(filter->shape == Dims{2, 2});
    CHECK(ElementReader(*filter)(1) == -0.5f);
    CHECK(ElementReader(*filter)(2) == doctest::Approx(1.0 / 3).epsilon(1e-3));
    CHECK(ElementReader(*filter)(3) == 65504.0f);
    CHECK(half.find("bn.running_var")->dtype == Dtype::f32);
    CHECK(ElementReader(*half.find("bn.running_var"))(0) == 1e-9f);
    CHECK(half.metadata().at("architecture") == "x");
    CHECK(half.source() == "w");
}

TEST_CASE("a filter that F16 does not reach is refused with its value") {
    const auto half =
        try_as_half(Weights::from_tensors({{"conv.weight", {1, 2}, {1.0f, -70000.0f}}}, "w"));
    REQUIRE_FALSE(half);
    CHECK(half.error().message() ==
          "w: tensor 'conv.weight' has the value -70000.000000, too large for F16");
}

TEST_CASE("a tensor that is many times larger than its bytes is refused") {
    const float one = 1.0f;
    TensorData expanded = contiguous_tensor(Dtype::f32, {1}, std::as_bytes(std::span(&one, 1)));
    expanded.shape = {1 << 30, 1 << 30};
    expanded.strides = {0, 0};
    Weights::Builder builder("w");
    builder.add("conv.weight", expanded);
    const auto half = try_as_half(std::move(builder).try_build().value());
    REQUIRE_FALSE(half);
    CHECK(half.error().message().find("repeats its elements") != std::string::npos);
}

}  // namespace half_weights_test
