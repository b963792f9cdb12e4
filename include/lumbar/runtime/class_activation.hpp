// Where in an image a network sees a class: Grad-CAM (Selvaraju et al., arXiv:1610.02391) for
// networks whose head is a chain from the last feature map to the logits, which all of Lumbar's
// are.
//
//     map = relu(sum over channels c of a_c F_c),    a_c = sum over positions of d logit / d F_c
//
// The gradient is computed analytically, back through the few layers of the head. Where the head is
// an average over the image and one linear layer, a_c is that layer's weight, and the map is the
// class activation map of Zhou et al. (arXiv:1512.04150).
#pragma once

#include <lumbar/core/text.hpp>
#include <lumbar/graph/features.hpp>
#include <lumbar/runtime/compile.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// The slope of an activation.
inline double activation_slope(Activation function, double x) {
    const double inside = x > -3.0 && x < 3.0 ? 1.0 : 0.0;
    switch (function) {
        case Activation::none: return 1.0;
        case Activation::relu: return x > 0.0 ? 1.0 : 0.0;
        case Activation::relu6: return x > 0.0 && x < 6.0 ? 1.0 : 0.0;
        case Activation::hard_swish: return x >= 3.0 ? 1.0 : inside * (2.0 * x + 3.0) / 6.0;
        case Activation::hard_sigmoid: return inside / 6.0;
        case Activation::sigmoid: {
            const double y = lumbar::activate(function, x);
            return y * (1.0 - y);
        }
    }
    return 0.0;
}

/// The nodes from the last feature map to the logits, both included; an Error where they are no
/// chain of pooling, linear layers, 1x1 convolutions and activations.
LUMBAR_COLD inline Result<std::vector<int>> head_of(const Graph& graph) {
    const auto refuse = [&](const std::string& what) {
        return Error(Error::Code::unsupported,
                     cat({graph.name(), ": no class activation map: ", what}));
    };
    if (graph.error()) return *graph.error();
    if (graph.outputs().empty()) return refuse("it has no output");
    const std::vector<ReceptiveField> fields = receptive_fields(graph);
    std::vector<int> chain{graph.outputs()[0]};
    while (fields[static_cast<std::size_t>(chain.back())].global) {
        const Node& node = graph.node(chain.back());
        const auto* c = node.as<op::Conv>();
        const auto* p = node.as<op::Pool>();
        const bool average = p && p->geometry.adaptive.h > 0;
        const bool pointwise = c && c->kernel == Extent{1, 1} && c->groups == 1;
        if (!average && !pointwise && !node.as<op::Linear>() && !node.as<op::Activate>()) {
            return refuse(cat({node.name, " is neither pooling, linear layer nor activation"}));
        }
        chain.push_back(node.inputs[0]);
    }
    if (chain.size() < 2) return refuse("it does not end in classes");
    std::reverse(chain.begin(), chain.end());
    return chain;
}

/// d / d x of a linear layer or a 1x1 convolution: the sum of its rows, weighted.
LUMBAR_COLD inline std::vector<double> through_weights(const Weights& weights,
                                                       const std::string& layer,
                                                       const std::vector<double>& gradient) {
    const TensorData& rows = *weights.find(layer + ".weight");
    const std::size_t length =
        static_cast<std::size_t>(rows.size()) / std::max<std::size_t>(gradient.size(), 1);
    std::vector<double> row(length), result(length);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
        if (gradient[i] == 0.0) continue;  // mostly one class, and what ReLU has left
        if (!try_read_doubles(rows, static_cast<std::int64_t>(i * length), row)) continue;
        for (std::size_t j = 0; j < length; ++j) result[j] += gradient[i] * row[j];
    }
    return result;
}

/// Of averages over windows, per channel: the gradients of a window's pixels, each its share, sum
/// up to the window's own.
LUMBAR_COLD inline std::vector<double> through_average(const std::vector<double>& gradient,
                                                       std::size_t channels) {
    const std::size_t windows = gradient.size() / channels;
    std::vector<double> result(channels);
    for (std::size_t i = 0; i < gradient.size(); ++i) result[i / windows] += gradient[i];
    return result;
}

}  // namespace detail

/// A network that also says where it sees a class.
class ClassActivation {
   public:
    /// Compiles a classifier. Errors: those of try_compile, and a head that is no chain.
    LUMBAR_COLD static Result<ClassActivation> try_make(const Graph& graph, const Weights& weights,
                                                        const CompileOptions& options = {}) {
        Graph live = with_outputs(graph, graph.outputs());
        Weights named = in_names_of(live, weights);
        Result<std::vector<int>> head = detail::head_of(live);
        if (!head) return head.error();
        Result<Network> network = try_compile(with_outputs(live, *head), named, options);
        if (!network) return network.error();
        return ClassActivation(std::move(*network), std::move(named));
    }
    static ClassActivation make(const Graph& graph, const Weights& weights,
                                const CompileOptions& options = {}) {
        return try_make(graph, weights, options).value();
    }

    /// Its first output is the last feature map, its last the logits.
    const Network& network() const { return network_; }
    /// Of the workspace's last run: N x classes x 1 x 1.
    ConstTensorView logits(const Workspace& w) const { return w.output(w.outputs() - 1); }

    /// What each channel of the last feature map counts for a class, of the workspace's last run.
    /// Preconditions: the workspace is network()'s; the class and the image of the batch are there.
    LUMBAR_COLD std::vector<double> channel_weights(const Workspace& w, int klass,
                                                    int image = 0) const {
        const Graph& graph = network_.source_graph();
        std::vector<double> gradient(static_cast<std::size_t>(logits(w).shape.c));
        gradient[static_cast<std::size_t>(klass)] = 1.0;
        for (int i = w.outputs() - 1; i > 0; --i) {
            const Node& node = graph.node(graph.outputs()[static_cast<std::size_t>(i)]);
            const ConstTensorView in = w.output(i - 1);
            if (const auto* a = node.as<op::Activate>()) {
                const float* x = in.data + image * (in.shape.size() / in.shape.n);
                for (std::size_t j = 0; j < gradient.size(); ++j) {
                    gradient[j] *= detail::activation_slope(a->function, static_cast<double>(x[j]));
                }
            } else if (node.as<op::Pool>()) {
                gradient = detail::through_average(gradient, static_cast<std::size_t>(in.shape.c));
            } else {
                gradient = detail::through_weights(weights_, node.name, gradient);
            }
        }
        return gradient;
    }

    /// The map, 1 x 1 x height x width of the last feature map: 0 where nothing speaks for the
    /// class.
    LUMBAR_COLD Tensor map(const Workspace& w, int klass, int image = 0) const {
        const std::vector<double> count = channel_weights(w, klass, image);
        const ConstTensorView features = w.output(0);
        const std::size_t pixels = static_cast<std::size_t>(features.shape.pixels());
        const float* plane = features.data + image * (features.shape.size() / features.shape.n);
        std::vector<double> sum(pixels);
        for (const double a : count) {
            for (std::size_t i = 0; i < pixels; ++i) sum[i] += a * static_cast<double>(plane[i]);
            plane += pixels;
        }
        Tensor result(Shape{1, 1, features.shape.h, features.shape.w});
        for (std::size_t i = 0; i < pixels; ++i) {
            result.data()[i] = static_cast<float>(std::max(sum[i], 0.0));
        }
        return result;
    }

   private:
    ClassActivation(Network network, Weights weights)
        : network_(std::move(network)), weights_(std::move(weights)) {}

    Network network_;
    Weights weights_;
};

LUMBAR_NAMESPACE_END
