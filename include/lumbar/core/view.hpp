// Channel-blocked activations: [N][C / lanes][H][W][lanes], with a border around every image plane.
//
//        border.left       W pixels       border.right
//        +---------+--------------------+----------+
//        |         |     border.top     |          |
//        |         +--------------------+          |   one plane: `lanes` channels of one image;
//        |         |data -> pixel (0,0) |          |   a pixel is `lanes` floats, channels side
//        |         |                    |          |   by side
//        |         +--------------------+          |
//        |         |   border.bottom    |          |
//        +---------+--------------------+----------+
//
// The border holds the zeros that a padded convolution reads, so that its inner loop has no branch.
#pragma once

#include <lumbar/core/memory.hpp>
#include <lumbar/core/shape.hpp>
#include <lumbar/core/tensor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

/// A view of a channel-blocked activation; strides are in floats. Not owned.
struct BlockedView {
    float* data = nullptr;  ///< pixel (0, 0) of the first plane of the first image
    Shape shape;
    int lanes = 1;           ///< channels side by side in a pixel
    Padding border;          ///< zeros around each plane, in pixels
    std::ptrdiff_t row = 0;  ///< from a pixel to the one below
    std::ptrdiff_t group = 0;
    std::ptrdiff_t image = 0;

    int groups() const { return ceil_div(shape.c, lanes); }
    float* pixel(int n, int g, int y, int x) const {
        return data + n * image + g * group + y * row + std::ptrdiff_t{x} * lanes;
    }
    float& at(int n, int c, int y, int x) const { return pixel(n, c / lanes, y, x)[c % lanes]; }

    /// True where a plane is one run of pixels, without gaps between its rows.
    bool dense() const { return row == std::ptrdiff_t{shape.w} * lanes; }
};

/// The strides of a blocked activation, and the floats that it takes.
struct BlockedLayout {
    Shape shape;
    int lanes = 1;
    Padding border;

    std::ptrdiff_t row() const {
        return std::ptrdiff_t{shape.w + border.left + border.right} * lanes;
    }
    std::ptrdiff_t group() const { return (shape.h + border.top + border.bottom) * row(); }
    std::ptrdiff_t image() const { return ceil_div(shape.c, lanes) * group(); }
    std::ptrdiff_t size() const { return shape.n * image(); }
    /// From the start of the memory to pixel (0, 0).
    std::ptrdiff_t origin() const {
        return border.top * row() + std::ptrdiff_t{border.left} * lanes;
    }
    BlockedView view(float* memory) const {
        return {
            memory ? memory + origin() : nullptr, shape, lanes, border, row(), group(), image()};
    }
};

/// Writes the zeros of the border beside row y of one plane, and those above the first and below
/// the last row with them.
inline void clear_border_of_row(const BlockedView& v, int n, int g, int y) {
    if (v.border == Padding{}) return;
    const std::ptrdiff_t left = std::ptrdiff_t{v.border.left} * v.lanes;
    const std::ptrdiff_t width = std::ptrdiff_t{v.shape.w} * v.lanes;
    const std::ptrdiff_t right = std::ptrdiff_t{v.border.right} * v.lanes;
    float* const row = v.pixel(n, g, y, 0);
    std::fill_n(row - left, left, 0.0f);
    std::fill_n(row + width, right, 0.0f);
    const int above = y == 0 ? v.border.top : 0;
    const int below = y + 1 == v.shape.h ? v.border.bottom : 0;
    for (int i = 1; i <= above; ++i)
        std::fill_n(row - i * v.row - left, left + width + right, 0.0f);
    for (int i = 1; i <= below; ++i)
        std::fill_n(row + i * v.row - left, left + width + right, 0.0f);
}

/// Writes the zeros of the border around one plane.
inline void clear_border(const BlockedView& v, int n, int g) {
    for (int y = 0; y < v.shape.h; ++y) clear_border_of_row(v, n, g, y);
}

/// Copies `lanes` channels of one image of a plain NCHW tensor into plane (n, g) of a blocked view
/// of the same shape; tail lanes and border are zeroed.
inline void plane_to_blocked(const ConstTensorView& from, const BlockedView& to, int n, int g) {
    const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(from.shape.pixels());
    const int channels = std::min(to.lanes, to.shape.c - g * to.lanes);
    const float* source = &from(n, g * to.lanes, 0, 0);
    clear_border(to, n, g);
    for (int y = 0; y < to.shape.h; ++y) {
        float* pixel = to.pixel(n, g, y, 0);
        for (int x = 0; x < to.shape.w; ++x, ++source, pixel += to.lanes) {
            for (int k = 0; k < channels; ++k) pixel[k] = source[k * plane];
            for (int k = channels; k < to.lanes; ++k) pixel[k] = 0.0f;
        }
    }
}

/// The way back: plane (n, g) of a blocked view into a plain NCHW tensor of the same shape.
inline void plane_from_blocked(const BlockedView& from, const TensorView& to, int n, int g) {
    const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(to.shape.pixels());
    const int channels = std::min(from.lanes, from.shape.c - g * from.lanes);
    float* target = &to(n, g * from.lanes, 0, 0);
    for (int y = 0; y < to.shape.h; ++y) {
        const float* pixel = from.pixel(n, g, y, 0);
        for (int x = 0; x < to.shape.w; ++x, ++target, pixel += from.lanes) {
            for (int k = 0; k < channels; ++k) target[k * plane] = pixel[k];
        }
    }
}

/// Copies a whole plain NCHW tensor into a blocked view of the same shape.
inline void to_blocked(const ConstTensorView& from, const BlockedView& to) {
    for (int n = 0; n < to.shape.n; ++n) {
        for (int g = 0; g < to.groups(); ++g) plane_to_blocked(from, to, n, g);
    }
}

/// Copies a whole blocked view into a plain NCHW tensor of the same shape.
inline void from_blocked(const BlockedView& from, const TensorView& to) {
    for (int n = 0; n < to.shape.n; ++n) {
        for (int g = 0; g < from.groups(); ++g) plane_from_blocked(from, to, n, g);
    }
}

/// An owned blocked activation, zero-filled. What layers read and write when they are used alone.
class BlockedTensor {
   public:
    BlockedTensor() = default;
    explicit BlockedTensor(const BlockedLayout& layout)
        : layout_(layout), buffer_(static_cast<std::size_t>(layout.size())) {}
    BlockedTensor(Shape shape, int lanes, Padding border = {})
        : BlockedTensor(BlockedLayout{shape, lanes, border}) {}

    BlockedView view() { return layout_.view(buffer_.data()); }
    operator BlockedView() { return view(); }
    const Shape& shape() const { return layout_.shape; }

   private:
    BlockedLayout layout_;
    AlignedBuffer buffer_;
};

LUMBAR_NAMESPACE_END
