// Primitives of convolution: dense and grouped, pointwise, depthwise, and that of a first layer.
#pragma once

#include <lumbar/core/geometry.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/layers/depthwise_conv.hpp>
#include <lumbar/layers/direct_conv.hpp>
#include <lumbar/layers/elementwise.hpp>
#include <lumbar/layers/primitive.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

LUMBAR_NAMESPACE_BEGIN

/// What a convolution does not take as a template argument.
struct Conv2dOptions {
    int in_channels = 0;
    int out_channels = 0;
    std::optional<Padding> padding{};  ///< none given: (kernel - 1) / 2 * dilation on every side
    Extent dilation{};
    int groups = 1;  ///< divides both channels
};

namespace detail {

constexpr Padding centred(Extent kernel, Extent dilation) {
    return Padding::symmetric((kernel.h - 1) / 2 * dilation.h, (kernel.w - 1) / 2 * dilation.w);
}

/// A geometry without its kernel and stride, checked.
inline ConvGeometry conv_geometry(const char* name, Size2d kernel, Size2d stride,
                                  const Conv2dOptions& o) {
    check_positive(name, "a kernel or stride", std::min({kernel.h, kernel.w, stride.h, stride.w}));
    check_positive(name, "a dilation", std::min(o.dilation.h, o.dilation.w));
    check_positive(name, "in_channels", o.in_channels);
    check_positive(name, "out_channels", o.out_channels);
    check_positive(name, "groups", o.groups);
    if (o.in_channels % o.groups || o.out_channels % o.groups) {
        reject(name, cat({o.groups, " groups do not divide ", o.in_channels, " and ",
                          o.out_channels, " channels"}));
    }
    const Padding padding = o.padding ? *o.padding : centred(kernel.extent(), o.dilation);
    if (std::min({padding.top, padding.left, padding.bottom, padding.right}) < 0) {
        reject(name, "padding is negative");
    }
    return {.in_channels = o.in_channels,
            .out_channels = o.out_channels,
            .kernel = kernel.extent(),
            .stride = stride.extent(),
            .dilation = o.dilation,
            .padding = padding,
            .groups = o.groups};
}

/// What all convolution primitives are; Driver is DirectConv or DepthwiseConv.
template <class Driver>
class ConvLayer {
   public:
    const ConvGeometry& geometry() const { return driver_.geometry(); }
    Shape output_shape(const Shape& in) const { return lumbar::output_shape(geometry(), in); }
    /// The border of zeros that an input of this shape needs.
    Padding border(const Shape& in) const { return border_read(geometry(), in); }
    /// How to lay out an input of this shape: `BlockedTensor x(layer.input_layout(shape));`
    BlockedLayout input_layout(const Shape& in) const { return {in, kernels_->lanes, border(in)}; }
    /// How to lay out the output for an input of this shape; the border is what its readers need.
    BlockedLayout output_layout(const Shape& in, const Padding& border = {}) const {
        return {output_shape(in), kernels_->lanes, border};
    }

   protected:
    ConvLayer(const char* name, const KernelTable& kernels, Driver driver,
              std::span<const float> weights, std::span<const float> bias)
        : name_(name), kernels_(&kernels), driver_(std::move(driver)) {
        const ConvGeometry& g = geometry();
        check_count(name, "weights", weights.size(),
                    std::int64_t{g.out_channels} * g.filter_size());
        if (!bias.empty()) check_count(name, "bias", bias.size(), g.out_channels);
        packed_ = pack_filters(driver_, weights, bias);
    }

    /// Checks an input's shape and the output.
    void check_shapes(const Shape& in, const BlockedView& y) const {
        const Shape expected = with_channels(in, geometry().in_channels);
        if (in != expected) {
            reject(name_,
                   cat({"the input is ", to_string(in), ", expected ", to_string(expected)}));
        }
        const Shape out = output_shape(in);
        check_output(name_, in, out);
        check_view(name_, "output", y, out, kernels_->lanes);
    }
    void check(const BlockedView& x, const BlockedView& y) const {
        check_shapes(x.shape, y);
        check_view(name_, "input", x, x.shape, kernels_->lanes, border(x.shape));
    }

    const char* name_;
    const KernelTable* kernels_;
    Driver driver_;
    AlignedBuffer packed_;
};

}  // namespace detail

/// y = activation(convolution of x + bias), as torch.nn.Conv2d. Weights are [out][in / groups]
/// [kernel height][kernel width]; the bias has a value per output channel, or is empty.
template <Size2d Kernel, Size2d Stride = 1, Activation Act = Activation::none>
class Conv2d : public detail::ConvLayer<DirectConv> {
   public:
    Conv2d(std::span<const float> weights, std::span<const float> bias,
           const Conv2dOptions& options, const KernelTable& kernels = native_kernels())
        : Conv2d("Conv2d", weights, bias, options, kernels) {}

    void operator()(const BlockedView& x, const BlockedView& y,
                    Executor* executor = nullptr) const {
        run(x, nullptr, y, executor);
    }
    /// y = activation(convolution + bias + residual); `residual` has y's shape and may be `y`.
    void operator()(const BlockedView& x, const BlockedView& residual, const BlockedView& y,
                    Executor* executor = nullptr) const {
        run(x, &residual, y, executor);
    }

   protected:
    Conv2d(const char* name, std::span<const float> weights, std::span<const float> bias,
           const Conv2dOptions& options, const KernelTable& kernels)
        : ConvLayer(name, kernels,
                    DirectConv(kernels, detail::conv_geometry(name, Kernel, Stride, options), {}),
                    weights, bias) {}

   private:
    void run(const BlockedView& x, const BlockedView* residual, const BlockedView& y,
             Executor* executor) const {
        check(x, y);
        if (residual) detail::check_view(name_, "residual", *residual, y.shape, kernels_->lanes);
        const ConvCall call{
            .in = x, .out = {&y, 1}, .residual = residual, .epilogue = detail::fused(Act)};
        detail::for_ranges(executor, driver_.units(call),
                           [&](std::int64_t begin, std::int64_t end, int) {
                               driver_.run(call, packed_.data(), begin, end, nullptr);
                           });
        detail::apply_unfused(*kernels_, Act, y, executor);
    }
};

/// A 1x1 convolution with stride 1. Planes of x and y without a border run as one long row.
template <Activation Act = Activation::none>
class PointwiseConv2d : public Conv2d<1, 1, Act> {
   public:
    struct Options {
        int in_channels = 0;
        int out_channels = 0;
    };
    /// Weights are [out][in].
    PointwiseConv2d(std::span<const float> weights, std::span<const float> bias,
                    const Options& options, const KernelTable& kernels = native_kernels())
        : Conv2d<1, 1, Act>(
              "PointwiseConv2d", weights, bias,
              {.in_channels = options.in_channels, .out_channels = options.out_channels}, kernels) {
    }
};

/// Every channel with its own filter (torch.nn.Conv2d with as many groups as channels). Weights are
/// [channel][kernel height][kernel width].
template <Size2d Kernel, Size2d Stride = 1, Activation Act = Activation::none>
class DepthwiseConv2d : public detail::ConvLayer<DepthwiseConv> {
   public:
    struct Options {
        int channels = 0;
        std::optional<Padding> padding{};  ///< none given: (kernel - 1) / 2 * dilation
        Extent dilation{};
    };
    DepthwiseConv2d(std::span<const float> weights, std::span<const float> bias,
                    const Options& options, const KernelTable& kernels = native_kernels())
        : ConvLayer("DepthwiseConv2d", kernels,
                    DepthwiseConv(kernels, detail::conv_geometry("DepthwiseConv2d", Kernel, Stride,
                                                                 {.in_channels = options.channels,
                                                                  .out_channels = options.channels,
                                                                  .padding = options.padding,
                                                                  .dilation = options.dilation,
                                                                  .groups = options.channels})),
                    weights, bias) {}

    void operator()(const BlockedView& x, const BlockedView& y,
                    Executor* executor = nullptr) const {
        check(x, y);
        const DepthwiseCall call{.in = x, .out = y, .epilogue = detail::fused(Act)};
        detail::for_ranges(executor, driver_.units(call),
                           [&](std::int64_t begin, std::int64_t end, int) {
                               driver_.run(call, packed_.data(), begin, end);
                           });
        detail::apply_unfused(*kernels_, Act, y, executor);
    }
};

/// A convolution that reads the user's plain NCHW tensor: for the few channels of an image, whose
/// vectors would be mostly empty. Each call allocates a strip of input rows per thread.
template <Size2d Kernel, Size2d Stride = 1, Activation Act = Activation::none>
class FirstConv2d : public detail::ConvLayer<DirectConv> {
   public:
    FirstConv2d(std::span<const float> weights, std::span<const float> bias,
                const Conv2dOptions& options, const KernelTable& kernels = native_kernels())
        : ConvLayer(
              "FirstConv2d", kernels,
              DirectConv(kernels, detail::conv_geometry("FirstConv2d", Kernel, Stride, options),
                         {.plain_input = true}),
              weights, bias) {}

    void operator()(const ConstTensorView& x, const BlockedView& y,
                    Executor* executor = nullptr) const {
        check_shapes(x.shape, y);
        const ConvCall call{.plain = x, .out = {&y, 1}, .epilogue = detail::fused(Act)};
        const std::int64_t units = driver_.units(call);
        const std::size_t strip = driver_.scratch_size(y.shape);
        AlignedBuffer strips(strip *
                             static_cast<std::size_t>(detail::range_count(executor, units)));
        detail::for_ranges(executor, units, [&](std::int64_t begin, std::int64_t end, int range) {
            driver_.run(call, packed_.data(), begin, end,
                        strips.data() + static_cast<std::size_t>(range) * strip);
        });
        detail::apply_unfused(*kernels_, Act, y, executor);
    }
};

LUMBAR_NAMESPACE_END
