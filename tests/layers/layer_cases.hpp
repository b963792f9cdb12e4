// What the tests of convolution layers share: geometry, weights and expected results of a case.
#pragma once

#include <oracle/guarded.hpp>
#include <oracle/oracle.hpp>

#include <lumbar/core/geometry.hpp>
#include <lumbar/kernels/epilogue.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace layer_cases {

using lumbar::Activation;
using lumbar::ConvGeometry;
using lumbar::Padding;
using lumbar::Shape;
using oracle::Array;
using oracle::Guarded;

inline constexpr Activation kActivations[] = {Activation::none,         Activation::relu,
                                              Activation::relu6,        Activation::hard_swish,
                                              Activation::hard_sigmoid, Activation::sigmoid};

/// Those that all kernels apply themselves.
inline std::vector<Activation> fusable_activations() {
    std::vector<Activation> result;
    for (const Activation a : kActivations) {
        if (lumbar::fits_sums(a)) result.push_back(a);
    }
    return result;
}

/// Weights and biases, random, in PyTorch's layout, and the function that packs read them with.
struct Filters {
    std::vector<float> weights;
    std::vector<float> bias;

    Filters(const ConvGeometry& g, std::uint64_t seed)
        : weights(oracle::random_floats(static_cast<std::size_t>(g.out_channels * g.filter_size()),
                                        seed)),
          bias(oracle::random_floats(static_cast<std::size_t>(g.out_channels), seed + 1)) {}

    auto reader() const {
        return [this](int channel, std::span<float> filter) {
            const std::size_t at = static_cast<std::size_t>(channel);
            std::copy_n(weights.begin() + static_cast<std::ptrdiff_t>(at * filter.size()),
                        filter.size(), filter.begin());
            return bias[at];
        };
    }
};

/// Packs the weights of a layer.
template <class Layer, class ReadFilter>
lumbar::AlignedBuffer pack(const Layer& layer, ReadFilter&& read_filter) {
    lumbar::AlignedBuffer packed(layer.packed_size());
    layer.pack(read_filter, packed.data());
    return packed;
}

/// The expected result of a convolution and the error that each value is allowed.
struct Expected {
    Array value;
    Array tolerance;

    std::string mismatch(const Guarded& out) const {
        return oracle::mismatch(value, out.values(),
                                [this](std::size_t i) { return tolerance.values[i]; });
    }
};

/// activation(conv + residual); no activation stretches an error by more than 3/2.
inline Expected expect_conv(const Array& x, const Filters& f, const ConvGeometry& g,
                            const Array* residual, Activation activation) {
    Expected e;
    e.value = oracle::conv2d(x, f.weights, f.bias, g);
    e.tolerance = oracle::conv2d_squares(x, f.weights, f.bias, g);
    if (residual) e.value = oracle::add(e.value, *residual);
    for (std::size_t i = 0; i < e.value.values.size(); ++i) {
        double& t = e.tolerance.values[i];
        t = 1.5 *
            oracle::sum_tolerance(e.value.values[i], t, static_cast<double>(g.filter_size() + 2));
        if (activation == Activation::sigmoid) t += 8 * oracle::kRounding;
    }
    e.value = oracle::activate(e.value, activation);
    return e;
}

}  // namespace layer_cases
