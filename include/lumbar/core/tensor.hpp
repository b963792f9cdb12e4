// The user's tensors: plain NCHW, float32, owned or viewed.
#pragma once

#include <lumbar/core/memory.hpp>
#include <lumbar/core/shape.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

LUMBAR_NAMESPACE_BEGIN

/// A view of a plain NCHW tensor: densely packed, row-major, not owned.
struct TensorView {
    float* data = nullptr;
    Shape shape;

    TensorView() = default;
    TensorView(float* d, Shape s) : data(d), shape(s) {}
    TensorView(const TensorView&) = default;
    /// Not to what a function returns: `workspace.input() = photo` would copy no value. (Copy
    /// values(): std::ranges::copy(photo.values(), workspace.input().values().begin()).)
    TensorView& operator=(const TensorView&) & = default;

    std::span<float> values() const { return {data, static_cast<std::size_t>(shape.size())}; }
    float& operator()(int n, int c, int h, int w) const {
        return data[((std::int64_t{n} * shape.c + c) * shape.h + h) * shape.w + w];
    }
};

/// The same, read only.
struct ConstTensorView {
    const float* data = nullptr;
    Shape shape;

    ConstTensorView() = default;
    ConstTensorView(const float* d, Shape s) : data(d), shape(s) {}
    ConstTensorView(const TensorView& v) : data(v.data), shape(v.shape) {}

    std::span<const float> values() const { return {data, static_cast<std::size_t>(shape.size())}; }
    const float& operator()(int n, int c, int h, int w) const {
        return data[((std::int64_t{n} * shape.c + c) * shape.h + h) * shape.w + w];
    }
};

/// An owned plain NCHW tensor of float32, zero-filled, aligned to kAlignment. Move only.
class Tensor {
   public:
    Tensor() = default;
    explicit Tensor(Shape shape) : shape_(shape), buffer_(value_count(shape)) {}

    const Shape& shape() const { return shape_; }
    float* data() { return buffer_.data(); }
    const float* data() const { return buffer_.data(); }
    std::span<float> values() { return {data(), buffer_.size()}; }
    std::span<const float> values() const { return {data(), buffer_.size()}; }

    TensorView view() { return {data(), shape_}; }
    ConstTensorView view() const { return {data(), shape_}; }
    operator TensorView() { return view(); }
    operator ConstTensorView() const { return view(); }

    float& operator()(int n, int c, int h, int w) { return view()(n, c, h, w); }
    const float& operator()(int n, int c, int h, int w) const { return view()(n, c, h, w); }

   private:
    Shape shape_{.n = 0, .c = 0, .h = 0, .w = 0};
    AlignedBuffer buffer_;
};

LUMBAR_NAMESPACE_END
