#include <lumbar/eigen.hpp>

#include <doctest/doctest.h>

#include <numeric>

namespace eigen_test {

using namespace lumbar;

TEST_CASE("plain tensors are Eigen maps of the same memory") {
    Tensor t({.n = 2, .c = 3, .h = 4, .w = 5});
    std::iota(t.values().begin(), t.values().end(), 0.0f);
    CHECK(as_plane(t.view(), 1, 2).data() == &t(1, 2, 0, 0));
    CHECK(as_plane(t.view(), 1, 2)(3, 4) == t(1, 2, 3, 4));
    CHECK(as_matrix(t.view(), 1)(2, 7) == t(1, 2, 1, 2));
    CHECK(as_vector(t.view(), 1).size() == 60);
    CHECK(as_vector(t.view(), 1)(59) == t(1, 2, 3, 4));

    as_plane(t.view(), 0, 0)(1, 1) = -1.0f;
    CHECK(t(0, 0, 1, 1) == -1.0f);

    const Tensor& read_only = t;
    CHECK(as_matrix(read_only.view()).row(0).sum() == doctest::Approx(190 - 6 - 1));
    CHECK(as_vector(read_only.view())(0) == 0.0f);
    CHECK(as_plane(read_only.view(), 1, 0)(0, 0) == 60.0f);
}

}  // namespace eigen_test
