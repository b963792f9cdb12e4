// Primitives of pooling. They plan their windows anew in every call (a few hundred bytes of
// memory); a compiled network does it once.
#pragma once

#include <lumbar/layers/pooling.hpp>
#include <lumbar/layers/primitive.hpp>

#include <algorithm>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// What all pooling primitives are: a geometry that is applied to inputs of any shape.
class PoolLayer {
   public:
    /// Height and width of the output; its channels and images are those of the input.
    Shape output_shape(const Shape& in) const { return lumbar::output_shape(geometry_, in); }
    /// Windows are clipped to the image: no border is read.
    Padding border(const Shape&) const { return {}; }
    BlockedLayout input_layout(const Shape& in) const { return {in, kernels_->lanes, {}}; }
    BlockedLayout output_layout(const Shape& in, const Padding& border = {}) const {
        return {output_shape(in), kernels_->lanes, border};
    }

    /// y = pooled x. They must not overlap.
    void operator()(const BlockedView& x, const BlockedView& y,
                    Executor* executor = nullptr) const {
        const Shape out = output_shape(x.shape);
        check_output(name_, x.shape, out);
        check_view(name_, "input", x, x.shape, kernels_->lanes);
        check_view(name_, "output", y, out, kernels_->lanes);
        const Pooling pooling(*kernels_, geometry_, x.shape);
        const PoolCall call{.in = x, .out = y};
        for_ranges(executor, pooling.units(call), [&](std::int64_t begin, std::int64_t end, int) {
            pooling.run(call, begin, end);
        });
    }

   protected:
    PoolLayer(const char* name, const KernelTable& kernels, const PoolGeometry& geometry)
        : name_(name), kernels_(&kernels), geometry_(geometry) {
        const PoolGeometry& g = geometry;
        check_positive(name, "a kernel or stride",
                       std::min({g.kernel.h, g.kernel.w, g.stride.h, g.stride.w}));
        check_positive(name, "a dilation", std::min(g.dilation.h, g.dilation.w));
        // As PyTorch: otherwise a window could lie in the padding altogether.
        if (2 * std::max(g.padding.top, g.padding.bottom) > g.kernel.h ||
            2 * std::max(g.padding.left, g.padding.right) > g.kernel.w ||
            std::min({g.padding.top, g.padding.left, g.padding.bottom, g.padding.right}) < 0) {
            reject(name, "padding must be between 0 and half of the kernel");
        }
    }

   private:
    const char* name_;
    const KernelTable* kernels_;
    PoolGeometry geometry_;
};

}  // namespace detail

/// torch.nn.MaxPool2d. Padding never wins; NaN always does.
template <Size2d Kernel, Size2d Stride = Kernel>
class MaxPool2d : public detail::PoolLayer {
   public:
    struct Options {
        Padding padding{};
        Extent dilation{};
        bool ceil_mode = false;
    };

    explicit MaxPool2d(const KernelTable& kernels = native_kernels())
        : MaxPool2d(Options{}, kernels) {}
    explicit MaxPool2d(const Options& options, const KernelTable& kernels = native_kernels())
        : PoolLayer("MaxPool2d", kernels,
                    {.kind = PoolGeometry::Kind::max,
                     .kernel = Kernel.extent(),
                     .stride = Stride.extent(),
                     .dilation = options.dilation,
                     .padding = options.padding,
                     .ceil_mode = options.ceil_mode}) {}
};

/// torch.nn.AvgPool2d.
template <Size2d Kernel, Size2d Stride = Kernel>
class AvgPool2d : public detail::PoolLayer {
   public:
    struct Options {
        Padding padding{};
        bool ceil_mode = false;
        bool count_include_pad = true;
    };

    explicit AvgPool2d(const KernelTable& kernels = native_kernels())
        : AvgPool2d(Options{}, kernels) {}
    explicit AvgPool2d(const Options& options, const KernelTable& kernels = native_kernels())
        : PoolLayer("AvgPool2d", kernels,
                    {.kind = PoolGeometry::Kind::average,
                     .kernel = Kernel.extent(),
                     .stride = Stride.extent(),
                     .padding = options.padding,
                     .ceil_mode = options.ceil_mode,
                     .count_include_pad = options.count_include_pad}) {}
};

/// torch.nn.AdaptiveAvgPool2d: an output of this size from any input.
class AdaptiveAvgPool2d : public detail::PoolLayer {
   public:
    explicit AdaptiveAvgPool2d(Extent output, const KernelTable& kernels = native_kernels())
        : PoolLayer("AdaptiveAvgPool2d", kernels,
                    {.kind = PoolGeometry::Kind::average, .adaptive = output}) {
        detail::check_positive("AdaptiveAvgPool2d", "the output's height or width",
                               std::min(output.h, output.w));
    }
};

/// The average of every channel: N x C x 1 x 1.
class GlobalAvgPool : public AdaptiveAvgPool2d {
   public:
    explicit GlobalAvgPool(const KernelTable& kernels = native_kernels())
        : AdaptiveAvgPool2d({1, 1}, kernels) {}
};

LUMBAR_NAMESPACE_END
