// Filters as layers pack them: converted to float32 while they are read, with the batch
// normalisation that follows folded in.
#pragma once

#include <lumbar/graph/graph.hpp>
#include <lumbar/weights/weights.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// Denormals become zero: folding makes them, and they slow down arithmetic a hundredfold.
inline float to_normal_float(double x) {
    const float f = static_cast<float>(x);
    return std::abs(f) < std::numeric_limits<float>::min() ? 0.0f : f;
}

/// On its own: g++ takes what follows the call of a cold function for cold too.
LUMBAR_HOT LUMBAR_NEVER_INLINE inline void scale_floats(std::span<float> values, double factor) {
    for (float& v : values) v = to_normal_float(v * factor);
}

LUMBAR_COLD inline std::vector<double> read_all(const Weights& weights, const std::string& name) {
    const TensorData& t = *weights.find(name);
    std::vector<double> values(static_cast<std::size_t>(t.size()));
    if (!try_read_doubles(t, 0, values)) values.assign(values.size(), 0.0);
    return values;
}

}  // namespace detail

/// y = x * scale + shift per channel: what a batch normalisation does at inference.
struct ChannelAffine {
    std::vector<double> scale;
    std::vector<double> shift;

    /// Precondition: the four tensors are in `weights` (try_bind_weights).
    LUMBAR_COLD static ChannelAffine of_batch_norm(const Weights& weights, const std::string& name,
                                                   double epsilon) {
        ChannelAffine a{detail::read_all(weights, name + ".weight"),
                        detail::read_all(weights, name + ".bias")};
        const auto mean = detail::read_all(weights, name + ".running_mean");
        const auto variance = detail::read_all(weights, name + ".running_var");
        for (std::size_t i = 0; i < a.scale.size(); ++i) {
            a.scale[i] /= std::sqrt(variance[i] + epsilon);
            a.shift[i] -= mean[i] * a.scale[i];
        }
        return a;
    }
};

/// Reads the filters of a convolution or linear node one output channel at a time.
class FilterReader {
   public:
    /// Preconditions: the node's parameters are in `weights` and fit (try_bind_weights); `weights`
    /// outlives the reader.
    LUMBAR_COLD FilterReader(const Node& node, const Weights& weights)
        : filters_(weights.find(node.name + ".weight")), bias_later_(node.bias_later) {
        const auto* conv = node.as<op::Conv>();
        const auto* linear = node.as<op::Linear>();
        shift_.assign(static_cast<std::size_t>(node.channels), 0.0);
        if ((conv && conv->bias) || (linear && linear->bias)) {
            shift_ = detail::read_all(weights, node.name + ".bias");
        }
        if (node.batch_norm) {
            ChannelAffine norm = ChannelAffine::of_batch_norm(weights, node.batch_norm->name,
                                                              node.batch_norm->epsilon);
            for (std::size_t i = 0; i < shift_.size(); ++i) {
                shift_[i] = shift_[i] * norm.scale[i] + norm.shift[i];
            }
            scale_ = std::move(norm.scale);
        }
    }

    float bias(int channel) const {
        return detail::to_normal_float(shift_[static_cast<std::size_t>(channel)]);
    }

    /// Fills the filter of one output channel, in the file's order, and returns its bias, or zero
    /// where that comes later.
    float operator()(int channel, std::span<float> filter) const {
        const std::size_t c = static_cast<std::size_t>(channel);
        const auto first = std::int64_t{channel} * static_cast<std::int64_t>(filter.size());
        if (!try_read_floats(*filters_, first, filter)) {
            for (float& w : filter) w = 0.0f;
        }
        const double scale = scale_.empty() ? 1.0 : scale_[c];
        detail::scale_floats(filter, scale);
        return bias_later_ ? 0.0f : bias(channel);
    }

   private:
    const TensorData* filters_;
    bool bias_later_;
    std::vector<double> scale_;  ///< empty: one
    std::vector<double> shift_;
};

LUMBAR_NAMESPACE_END
