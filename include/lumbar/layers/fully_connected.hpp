// Primitives of fully connected layers: the classifier's, and squeeze-and-excite.
#pragma once

#include <lumbar/layers/elementwise.hpp>
#include <lumbar/layers/linear.hpp>
#include <lumbar/layers/pool2d.hpp>
#include <lumbar/layers/primitive.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

LUMBAR_NAMESPACE_BEGIN

/// y = activation(weights * x + bias), as torch.flatten and torch.nn.Linear. Weights are
/// [output][channel][row][column], as PyTorch has them for an input of that shape.
template <Activation Act = Activation::none>
class Linear {
   public:
    struct Options {
        Shape in{};  ///< the channels, height and width that are flattened; any batch
        int outputs = 0;
    };

    /// The bias has a value per output, or is empty.
    Linear(std::span<const float> weights, std::span<const float> bias, const Options& options,
           const KernelTable& kernels = native_kernels())
        : kernels_(&kernels), in_(options.in), outputs_(options.outputs) {
        detail::check_positive("Linear", "outputs", outputs_);
        detail::check_positive("Linear", "the input's channels, height or width",
                               std::min({in_.c, in_.h, in_.w}));
        layer_ = LinearLayer(kernels, in_, outputs_);
        detail::check_count("Linear", "weights", weights.size(),
                            std::int64_t{outputs_} * layer_.filter_size());
        if (!bias.empty()) detail::check_count("Linear", "bias", bias.size(), outputs_);
        packed_ = detail::pack_filters(layer_, weights, bias);
    }

    Shape output_shape(const Shape& in) const { return {in.n, outputs_, 1, 1}; }
    BlockedLayout input_layout(const Shape& in) const { return {in, kernels_->lanes, {}}; }
    BlockedLayout output_layout(const Shape& in, const Padding& border = {}) const {
        return {output_shape(in), kernels_->lanes, border};
    }

    /// `x` is N times the shape given in Options, without a border; `y` is N x outputs x 1 x 1.
    void operator()(const BlockedView& x, const BlockedView& y,
                    Executor* executor = nullptr) const {
        detail::check_view("Linear", "input", x, {x.shape.n, in_.c, in_.h, in_.w}, kernels_->lanes);
        detail::check_view("Linear", "output", y, output_shape(x.shape), kernels_->lanes);
        if (x.border != Padding{} || !x.dense() ||
            x.group != static_cast<std::ptrdiff_t>(x.shape.pixels()) * x.lanes) {
            detail::reject("Linear", "the input must be dense, without a border");
        }
        const LinearCall call{.in = x, .out = y, .epilogue = detail::fused(Act)};
        detail::for_ranges(executor, layer_.units(call),
                           [&](std::int64_t begin, std::int64_t end, int) {
                               layer_.run(call, packed_.data(), begin, end);
                           });
        detail::apply_unfused(*kernels_, Act, y, executor);
    }

   private:
    const KernelTable* kernels_;
    Shape in_;
    int outputs_;
    LinearLayer layer_;
    AlignedBuffer packed_;
};

/// y = x * gate(expand(activation(squeeze(average of x)))): every channel scaled by what the
/// averages of all channels say (arXiv:1709.01507; with a hard sigmoid, MobileNet V3,
/// arXiv:1905.02244). `y` may be `x`. Each call allocates three small vectors per image.
template <Activation Gate = Activation::hard_sigmoid, Activation Act = Activation::relu>
class SqueezeExcite {
   public:
    struct Options {
        int channels = 0;
        int squeezed = 0;  ///< channels between the two layers
    };
    struct Parameters {
        std::span<const float> squeeze_weights{};  ///< [squeezed][channels]
        std::span<const float> squeeze_bias{};     ///< [squeezed], or empty
        std::span<const float> expand_weights{};   ///< [channels][squeezed]
        std::span<const float> expand_bias{};      ///< [channels], or empty
    };

    SqueezeExcite(const Parameters& p, const Options& options,
                  const KernelTable& kernels = native_kernels())
        : average_(kernels),
          squeeze_(p.squeeze_weights, p.squeeze_bias,
                   {.in = {.c = options.channels}, .outputs = options.squeezed}, kernels),
          expand_(p.expand_weights, p.expand_bias,
                  {.in = {.c = options.squeezed}, .outputs = options.channels}, kernels),
          scale_(kernels) {}

    void operator()(const BlockedView& x, const BlockedView& y,
                    Executor* executor = nullptr) const {
        BlockedTensor averages(average_.output_layout(x.shape));
        BlockedTensor squeezed(squeeze_.output_layout(averages.shape()));
        BlockedTensor gates(expand_.output_layout(squeezed.shape()));
        average_(x, averages, executor);
        squeeze_(averages, squeezed, executor);
        expand_(squeezed, gates, executor);
        scale_(x, gates, y, executor);
    }

   private:
    GlobalAvgPool average_;
    Linear<Act> squeeze_;
    Linear<Gate> expand_;
    ScaleChannels<> scale_;
};

LUMBAR_NAMESPACE_END
