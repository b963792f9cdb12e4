// Opt-in, needs Eigen: plain NCHW tensors as Eigen maps, without a copy. A map is valid as long as
// the memory it looks at.
#pragma once

#include <lumbar/core/tensor.hpp>

#include <Eigen/Core>

LUMBAR_NAMESPACE_BEGIN

using EigenPlane = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// One channel of one image: H x W.
inline Eigen::Map<EigenPlane> as_plane(const TensorView& t, int n, int c) {
    return {&t(n, c, 0, 0), t.shape.h, t.shape.w};
}
inline Eigen::Map<const EigenPlane> as_plane(const ConstTensorView& t, int n, int c) {
    return {&t(n, c, 0, 0), t.shape.h, t.shape.w};
}

/// One image, a row per channel: C x (H * W).
inline Eigen::Map<EigenPlane> as_matrix(const TensorView& t, int n = 0) {
    return {&t(n, 0, 0, 0), t.shape.c, static_cast<Eigen::Index>(t.shape.pixels())};
}
inline Eigen::Map<const EigenPlane> as_matrix(const ConstTensorView& t, int n = 0) {
    return {&t(n, 0, 0, 0), t.shape.c, static_cast<Eigen::Index>(t.shape.pixels())};
}

/// One image as a vector of C * H * W values: logits, features.
inline Eigen::Map<Eigen::VectorXf> as_vector(const TensorView& t, int n = 0) {
    return {&t(n, 0, 0, 0), static_cast<Eigen::Index>(t.shape.size() / t.shape.n)};
}
inline Eigen::Map<const Eigen::VectorXf> as_vector(const ConstTensorView& t, int n = 0) {
    return {&t(n, 0, 0, 0), static_cast<Eigen::Index>(t.shape.size() / t.shape.n)};
}

LUMBAR_NAMESPACE_END
