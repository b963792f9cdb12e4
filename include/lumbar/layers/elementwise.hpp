// Primitives that keep the image's size: activations, batch normalisation, addition, scaling,
// concatenation, softmax, local response normalisation.
#pragma once

#include <lumbar/core/activation.hpp>
#include <lumbar/layers/across_channels.hpp>
#include <lumbar/layers/pixelwise.hpp>
#include <lumbar/layers/primitive.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

LUMBAR_NAMESPACE_BEGIN

namespace detail {
inline void run_pixelwise(const KernelTable& kernels, const PixelwiseCall& call,
                          Executor* executor) noexcept {
    const Pixelwise layer(kernels);
    for_ranges(executor, layer.units(call),
               [&](std::int64_t begin, std::int64_t end, int) { layer.run(call, begin, end); });
}

/// Applies in place what the kernel that wrote `y` could not apply itself.
inline void apply_unfused(const KernelTable& kernels, Activation a, const BlockedView& y,
                          Executor* executor) noexcept {
    if (fits_sums(a)) return;
    run_pixelwise(kernels, {.in = y, .out = y, .epilogue = Epilogue::of(a)}, executor);
}

/// The part of an activation that a kernel applies when it writes its result.
constexpr Epilogue fused(Activation a) { return fits_sums(a) ? Epilogue::of(a) : Epilogue{}; }
}  // namespace detail

/// y = activation(x), value by value; `y` may be `x`. NaN stays NaN, as in PyTorch.
template <Activation Act>
class ActivationLayer {
   public:
    explicit ActivationLayer(const KernelTable& kernels = native_kernels()) : kernels_(&kernels) {}

    void operator()(const BlockedView& x, const BlockedView& y,
                    Executor* executor = nullptr) const {
        detail::check_view(to_string(Act), "input", x, x.shape, kernels_->lanes);
        detail::check_view(to_string(Act), "output", y, x.shape, kernels_->lanes);
        detail::run_pixelwise(*kernels_, {.in = x, .out = y, .epilogue = Epilogue::of(Act)},
                              executor);
    }

   private:
    const KernelTable* kernels_;
};

using Relu = ActivationLayer<Activation::relu>;
using Relu6 = ActivationLayer<Activation::relu6>;
using HardSwish = ActivationLayer<Activation::hard_swish>;
using HardSigmoid = ActivationLayer<Activation::hard_sigmoid>;
using Sigmoid = ActivationLayer<Activation::sigmoid>;

/// y = activation((x - mean) / sqrt(variance + epsilon) * gamma + beta), per channel, with stored
/// statistics (torch.nn.BatchNorm2d in evaluation mode). `y` may be `x`. Where it follows a
/// convolution, fold it into the weights instead: then it costs nothing.
template <Activation Act = Activation::none>
class BatchNorm2d {
   public:
    struct Options {
        int channels = 0;
        double epsilon = 1e-5;
    };
    /// One value per channel each; an empty gamma is 1, an empty beta 0 (affine = False).
    struct Parameters {
        std::span<const float> gamma{};
        std::span<const float> beta{};
        std::span<const float> mean{};
        std::span<const float> variance{};
    };

    BatchNorm2d(const Parameters& p, const Options& options,
                const KernelTable& kernels = native_kernels())
        : kernels_(&kernels), channels_(options.channels) {
        constexpr const char* kName = "BatchNorm2d";
        detail::check_positive(kName, "channels", channels_);
        if (!p.gamma.empty()) detail::check_count(kName, "gamma", p.gamma.size(), channels_);
        if (!p.beta.empty()) detail::check_count(kName, "beta", p.beta.size(), channels_);
        detail::check_count(kName, "mean", p.mean.size(), channels_);
        detail::check_count(kName, "variance", p.variance.size(), channels_);
        padded_ = static_cast<std::size_t>(round_up(channels_, kernels.lanes));
        packed_ = AlignedBuffer(2 * padded_);
        for (std::size_t c = 0; c < p.mean.size(); ++c) {
            const double gamma = p.gamma.empty() ? 1.0 : static_cast<double>(p.gamma[c]);
            const double beta = p.beta.empty() ? 0.0 : static_cast<double>(p.beta[c]);
            const double scale =
                gamma / std::sqrt(static_cast<double>(p.variance[c]) + options.epsilon);
            packed_.data()[c] = static_cast<float>(scale);
            packed_.data()[padded_ + c] =
                static_cast<float>(beta - static_cast<double>(p.mean[c]) * scale);
        }
    }

    void operator()(const BlockedView& x, const BlockedView& y,
                    Executor* executor = nullptr) const {
        const Shape shape = detail::with_channels(x.shape, channels_);
        detail::check_view("BatchNorm2d", "input", x, shape, kernels_->lanes);
        detail::check_view("BatchNorm2d", "output", y, shape, kernels_->lanes);
        detail::run_pixelwise(*kernels_,
                              {.in = x,
                               .out = y,
                               .scale = packed_.data(),
                               .shift = packed_.data() + padded_,
                               .epilogue = Epilogue::of(Act)},
                              executor);
    }

   private:
    const KernelTable* kernels_;
    int channels_;
    std::size_t padded_ = 0;
    AlignedBuffer packed_;  // scales, shifts
};

/// y = activation(a + b), three views of one shape; `y` may be `a` or `b`.
template <Activation Act = Activation::none>
class Add {
   public:
    explicit Add(const KernelTable& kernels = native_kernels()) : kernels_(&kernels) {}

    void operator()(const BlockedView& a, const BlockedView& b, const BlockedView& y,
                    Executor* executor = nullptr) const {
        detail::check_view("Add", "first input", a, a.shape, kernels_->lanes);
        detail::check_view("Add", "second input", b, a.shape, kernels_->lanes);
        detail::check_view("Add", "output", y, a.shape, kernels_->lanes);
        detail::run_pixelwise(
            *kernels_, {.in = a, .out = y, .addend = &b, .epilogue = Epilogue::of(Act)}, executor);
    }

   private:
    const KernelTable* kernels_;
};

/// y = activation(x * gate): every channel of every image times one value; `gate` is N x C x 1 x 1.
/// `y` may be `x`.
template <Activation Act = Activation::none>
class ScaleChannels {
   public:
    explicit ScaleChannels(const KernelTable& kernels = native_kernels()) : kernels_(&kernels) {}

    void operator()(const BlockedView& x, const BlockedView& gate, const BlockedView& y,
                    Executor* executor = nullptr) const {
        detail::check_view("ScaleChannels", "input", x, x.shape, kernels_->lanes);
        detail::check_view("ScaleChannels", "gate", gate, {x.shape.n, x.shape.c, 1, 1},
                           kernels_->lanes);
        detail::check_view("ScaleChannels", "output", y, x.shape, kernels_->lanes);
        detail::run_pixelwise(
            *kernels_, {.in = x, .out = y, .gate = &gate, .epilogue = Epilogue::of(Act)}, executor);
    }

   private:
    const KernelTable* kernels_;
};

/// The channels of all inputs, in order (torch.cat along dimension 1). Inputs have one batch,
/// height and width, and any channels; the output has the sum of their channels.
class Concat {
   public:
    explicit Concat(const KernelTable& kernels = native_kernels()) : kernels_(&kernels) {}

    void operator()(std::span<const BlockedView> inputs, const BlockedView& y,
                    Executor* executor = nullptr) const {
        int channels = 0;
        for (const BlockedView& x : inputs) {
            detail::check_view("Concat", "input", x, detail::with_channels(y.shape, x.shape.c),
                               kernels_->lanes);
            channels += x.shape.c;
        }
        detail::check_view("Concat", "output", y, detail::with_channels(y.shape, channels),
                           kernels_->lanes);
        // A unit is a row of pixels of all inputs: neighbours may share a vector.
        const ChannelCopy copy;
        detail::for_ranges(executor, copy.units({.in = {}, .out = y}),
                           [&](std::int64_t begin, std::int64_t end, int) {
                               int first = 0;
                               for (const BlockedView& x : inputs) {
                                   copy.run({.in = x, .out = y, .first_channel = first}, begin,
                                            end);
                                   first += x.shape.c;
                               }
                           });
    }
    void operator()(std::initializer_list<BlockedView> inputs, const BlockedView& y,
                    Executor* executor = nullptr) const {
        (*this)(std::span<const BlockedView>(inputs.begin(), inputs.size()), y, executor);
    }

   private:
    const KernelTable* kernels_;
};

namespace detail {
inline void run_across(const char* name, const KernelTable& kernels, const AcrossChannels& layer,
                       const ChannelsCall& call, Executor* executor) {
    check_view(name, "input", call.in, call.in.shape, kernels.lanes);
    check_view(name, "output", call.out, call.in.shape, kernels.lanes);
    for_ranges(executor, layer.units(call),
               [&](std::int64_t begin, std::int64_t end, int) { layer.run(call, begin, end); });
}
}  // namespace detail

/// exp(x) / sum of exp(x) over the channels of each pixel; `y` may be `x`.
class Softmax {
   public:
    explicit Softmax(const KernelTable& kernels = native_kernels())
        : kernels_(&kernels), layer_(AcrossChannels::softmax(kernels)) {}

    void operator()(const BlockedView& x, const BlockedView& y,
                    Executor* executor = nullptr) const {
        detail::run_across("Softmax", *kernels_, layer_, {.in = x, .out = y}, executor);
    }

   private:
    const KernelTable* kernels_;
    AcrossChannels layer_;
};

/// torch.nn.LocalResponseNorm, of AlexNet and GoogLeNet (Krizhevsky 2012, section 3.3). `y` must
/// not be `x`.
class LocalResponseNorm {
   public:
    explicit LocalResponseNorm(const LrnParameters& parameters = {},
                               const KernelTable& kernels = native_kernels())
        : kernels_(&kernels), layer_(AcrossChannels::local_response_norm(kernels, parameters)) {
        detail::check_positive("LocalResponseNorm", "size", parameters.size);
    }

    void operator()(const BlockedView& x, const BlockedView& y,
                    Executor* executor = nullptr) const {
        detail::run_across("LocalResponseNorm", *kernels_, layer_, {.in = x, .out = y}, executor);
    }

   private:
    const KernelTable* kernels_;
    AcrossChannels layer_;
};

LUMBAR_NAMESPACE_END
