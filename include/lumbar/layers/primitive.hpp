// What the layer primitives share: sizes as template arguments, checks of what they are given, and
// the division of a run among threads.
//
// A primitive is a layer that can be used alone, without a graph: it owns its packed weights, takes
// them as PyTorch lays them out, and reads and writes channel-blocked activations:
//
//     lumbar::DepthwiseConv2d<3, 2, lumbar::Activation::relu6> layer(weights, bias,
//                                                                    {.channels = 32});
//     lumbar::BlockedTensor x(layer.input_layout(shape)), y(layer.output_layout(shape));
//     lumbar::to_blocked(image, x);
//     layer(x, y);
//
// Rules that hold for all of them:
//  - Views have the lanes of the kernels that the layer was made with (native_kernels() where none
//    were given). An input has a border of zeros at least as wide as border() says; BlockedTensor,
//    to_blocked and every layer write those zeros. An output may have any border.
//  - An output may be an input only where a layer's own comment says so; otherwise they must not
//    overlap.
//  - What does not fit (sizes of weights, shapes, lanes, borders) raises an Error that names the
//    layer: an exception, or std::terminate without exceptions. Nothing else can fail.
//  - Calls are const and may come from several threads at once. An executor spreads the work over
//    threads; the result is the same, bit for bit. Denormals are treated as zero during a call.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/core/executor.hpp>
#include <lumbar/core/float_environment.hpp>
#include <lumbar/core/geometry.hpp>
#include <lumbar/core/shape.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/core/view.hpp>
#include <lumbar/kernels/table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

LUMBAR_NAMESPACE_BEGIN

/// A height and a width as a template argument: `Conv2d<3>` is square, `Conv2d<Size2d(1, 7)>` not.
struct Size2d {
    int h;
    int w;

    constexpr Size2d(int side) : h(side), w(side) {}
    constexpr Size2d(int height, int width) : h(height), w(width) {}
    constexpr Extent extent() const { return {h, w}; }
    friend constexpr bool operator==(const Size2d&, const Size2d&) = default;
};

namespace detail {

/// Raises an Error about a layer. One place, kept out of line: checks cost their callers a branch.
[[noreturn]] LUMBAR_NEVER_INLINE inline void reject(const char* layer, const std::string& what) {
    Status::raise(Error(Error::Code::argument, cat({layer, ": ", what})));
}

inline void check_count(const char* layer, const char* what, std::size_t found,
                        std::int64_t expected) {
    if (expected >= 0 && found == static_cast<std::size_t>(expected)) return;
    reject(layer, cat({what, " has ", found, " values, expected ", expected}));
}

inline void check_positive(const char* layer, const char* what, int value) {
    if (value > 0) return;
    reject(layer, cat({what, " is ", value, ", expected at least 1"}));
}

inline void check_view(const char* layer, const char* what, const BlockedView& view,
                       const Shape& shape, int lanes, const Padding& border = {}) {
    if (view.shape != shape) {
        reject(layer,
               cat({"the ", what, " is ", to_string(view.shape), ", expected ", to_string(shape)}));
    }
    if (view.lanes != lanes) {
        reject(layer, cat({"the ", what, " has ", view.lanes, " lanes, the layer's kernels have ",
                           lanes}));
    }
    if (widest(view.border, border) != view.border) {
        const auto text = [](const Padding& p) {
            return cat({p.top, ", ", p.left, ", ", p.bottom, ", ", p.right});
        };
        reject(layer,
               cat({"the border of the ", what, " (top, left, bottom, right) is ",
                    text(view.border), ", expected at least ", text(border), ": see border()"}));
    }
}

/// The shape that a layer takes for this input: as it is, with the layer's channels. The message
/// of check_view tells the two apart.
inline Shape with_channels(Shape shape, int channels) {
    shape.c = channels;
    return shape;
}

inline void check_output(const char* layer, const Shape& in, const Shape& out) {
    if (out.n > 0 && out.c > 0 && out.h > 0 && out.w > 0) return;
    reject(layer,
           cat({"an input of ", to_string(in), " has no output: it is smaller than the window"}));
}

/// How many ranges work is cut into: a few per thread, so that a thread that starts late leaves its
/// share to the others.
inline int range_count(Executor* executor, std::int64_t units) {
    const std::int64_t wanted = executor ? std::int64_t{executor->concurrency()} * 4 : 1;
    return static_cast<int>(std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(units, 1)));
}

/// run(begin, end, range) over range_count() ranges that cover [0, units), on the executor's
/// threads.
template <class Run>
void for_ranges(Executor* executor, std::int64_t units, Run&& run) noexcept {
    const int ranges = range_count(executor, units);
    parallel_for(executor, ranges, [&](int range) {
        const FlushDenormals flush;
        run(units * range / ranges, units * (range + 1) / ranges, range);
    });
}

/// Weights in PyTorch's layout and biases, which may be empty, as pack() reads them.
class SpanFilters {
   public:
    SpanFilters(std::span<const float> weights, std::span<const float> bias)
        : weights_(weights), bias_(bias) {}

    float operator()(int channel, std::span<float> filter) const {
        const std::size_t at = static_cast<std::size_t>(channel);
        std::copy_n(weights_.data() + at * filter.size(), filter.size(), filter.data());
        return bias_.empty() ? 0.0f : bias_[at];
    }

   private:
    std::span<const float> weights_;
    std::span<const float> bias_;
};

/// The packed weights of a layer.
template <class Layer>
AlignedBuffer pack_filters(const Layer& layer, std::span<const float> weights,
                           std::span<const float> bias) {
    AlignedBuffer packed(layer.packed_size());
    layer.pack(SpanFilters(weights, bias), packed.data());
    return packed;
}

}  // namespace detail

LUMBAR_NAMESPACE_END
