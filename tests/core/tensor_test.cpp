#include <lumbar/core/tensor.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>

namespace tensor_test {

namespace {

using lumbar::ConstTensorView;
using lumbar::Shape;
using lumbar::Tensor;
using lumbar::TensorView;

static_assert(!std::is_copy_constructible_v<Tensor>);
static_assert(std::is_nothrow_move_constructible_v<Tensor>);
static_assert(std::is_convertible_v<TensorView, ConstTensorView>);
static_assert(!std::is_convertible_v<ConstTensorView, TensorView>);
static_assert(!std::is_convertible_v<const Tensor&, TensorView>);

constexpr Shape kShape{.n = 2, .c = 3, .h = 4, .w = 5};

/// A tensor whose values count from 0 in the order in which they lie in memory.
Tensor counting() {
    Tensor tensor(kShape);
    std::iota(tensor.values().begin(), tensor.values().end(), 0.0f);
    return tensor;
}

float sum(ConstTensorView view) {
    return std::accumulate(view.values().begin(), view.values().end(), 0.0f);
}

void scale(TensorView view, float factor) {
    for (float& value : view.values()) value *= factor;
}

}  // namespace

TEST_CASE("a tensor starts as zeros on an aligned address") {
    const Tensor tensor(kShape);
    CHECK(tensor.shape() == kShape);
    CHECK(tensor.values().size() == 120);
    CHECK(reinterpret_cast<std::uintptr_t>(tensor.data()) % lumbar::kAlignment == 0);
    CHECK(std::all_of(tensor.values().begin(), tensor.values().end(),
                      [](float x) { return x == 0; }));
}

TEST_CASE("a default tensor is empty, in its shape as well") {
    const Tensor tensor;
    CHECK(tensor.values().empty());
    CHECK(tensor.shape().size() == 0);
    CHECK(tensor.data() == nullptr);
}

TEST_CASE("values lie in NCHW order") {
    Tensor tensor = counting();
    const Tensor& read_only = tensor;
    const ConstTensorView view = tensor;
    float expected = 0;
    for (int n = 0; n < kShape.n; ++n) {
        for (int c = 0; c < kShape.c; ++c) {
            for (int h = 0; h < kShape.h; ++h) {
                for (int w = 0; w < kShape.w; ++w, ++expected) {
                    REQUIRE(tensor(n, c, h, w) == expected);
                    REQUIRE(read_only(n, c, h, w) == expected);
                    REQUIRE(view(n, c, h, w) == expected);
                    REQUIRE(tensor.view()(n, c, h, w) == expected);
                }
            }
        }
    }
}

TEST_CASE("functions on views take tensors, and see the same memory") {
    Tensor tensor = counting();
    CHECK(sum(tensor) == 119 * 60);
    scale(tensor, 2);
    CHECK(tensor(1, 2, 3, 4) == 238);
    tensor(0, 0, 0, 1) = 100;
    const Tensor& read_only = tensor;
    CHECK(sum(read_only) == 2 * 119 * 60 + 98);
    CHECK(sum(tensor.view()) == sum(read_only.view()));
}

TEST_CASE("moving a tensor keeps values and shape") {
    Tensor from = counting();
    const float* memory = from.data();
    Tensor to = std::move(from);
    CHECK(to.data() == memory);
    CHECK(to.shape() == kShape);
    CHECK(to(1, 2, 3, 4) == 119);
    CHECK(from.values().empty());
}

TEST_CASE("the number of values of a shape does not wrap") {
    constexpr int large = 1 << 20;
    CHECK(lumbar::value_count({2, 3, 5, 7}) == 210);
    CHECK(lumbar::value_count({2, 3, 0, 7}) == 0);
    CHECK(lumbar::value_count({16, large, large, large}) ==
          std::numeric_limits<std::size_t>::max());
    CHECK(lumbar::value_count({1, -1, 1, 1}) == std::numeric_limits<std::size_t>::max());
}

}  // namespace tensor_test
