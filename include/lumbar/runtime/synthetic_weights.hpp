// Weights and an image for any network without a file: see weights/synthetic.hpp for the elements.
// tests/goldens/synthetic.py is this file's twin; the reference logits belong to these numbers.
#pragma once

#include <lumbar/core/tensor.hpp>
#include <lumbar/graph/parameters.hpp>
#include <lumbar/graph/rewrite.hpp>
#include <lumbar/weights/synthetic.hpp>
#include <lumbar/weights/weights.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// Where a value comes from, seen through shortcuts that are not there.
inline int behind_idle_shortcuts(const Graph& graph, int id) {
    while (is_idle_shortcut(graph, graph.node(id))) id = graph.node(id).inputs[1];
    return id;
}

/// What reads a value, seen through shortcuts that are not there.
LUMBAR_COLD inline void readers_behind_shortcuts(const Graph& graph,
                                                 const std::vector<std::vector<int>>& read_by,
                                                 int value, std::vector<int>& result) {
    for (const int reader : read_by[static_cast<std::size_t>(value)]) {
        if (reader < 0) continue;
        const Node& node = graph.node(reader);
        if (!is_idle_shortcut(graph, node)) {
            result.push_back(reader);
        } else if (node.inputs[1] == value) {
            readers_behind_shortcuts(graph, read_by, reader, result);
        }
    }
}

inline bool joins_branches(const Graph& graph) {
    return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                       [](const Node& node) { return node.as<op::Concat>(); });
}

/// The part of a batch normalisation's gain that depends on what reads it.
LUMBAR_COLD inline double synthetic_gain_by_reader(const Graph& graph,
                                                   const std::vector<std::vector<int>>& read_by,
                                                   int batch_norm) {
    const double neither = std::sqrt(0.5);
    double added = 1.0, activated = 0.0;
    std::vector<int> reading;
    readers_behind_shortcuts(graph, read_by, batch_norm, reading);
    for (const int reader : reading) {
        const Node& node = graph.node(reader);
        if (node.as<op::Add>()) {
            const bool projection =
                std::all_of(node.inputs.begin(), node.inputs.end(), [&](int operand) {
                    const Node& from = graph.node(behind_idle_shortcuts(graph, operand));
                    return from.as<op::BatchNorm>() || from.as<op::ScaleChannels>();
                });
            added = std::min(added, projection ? neither : 0.0625);
        }
        const auto* activate = node.as<op::Activate>();
        if (!activate || activated > 0.0) continue;  // the first one decides
        switch (activate->function) {
            case Activation::relu: activated = 1.0; break;
            case Activation::relu6:
            case Activation::hard_swish: activated = 1.125; break;  // they lose some of the signal
            case Activation::none:
            case Activation::hard_sigmoid:
            case Activation::sigmoid: break;
        }
    }
    if (added < 1.0) return added;
    return activated > 0.0 ? activated : neither;
}

/// The factor on the gain of a batch normalisation: keeps the signal's size from layer to layer.
LUMBAR_COLD inline double synthetic_gain(const Graph& graph,
                                         const std::vector<std::vector<int>>& read_by,
                                         int batch_norm) {
    double gain = synthetic_gain_by_reader(graph, read_by, batch_norm);
    const Node& convolution = graph.node(graph.node(batch_norm).inputs[0]);
    if (!convolution.inputs.empty() && graph.node(convolution.inputs[0]).as<op::ScaleChannels>()) {
        gain *= 1.5;
    }
    if (convolution.as<op::Add>()) gain *= 0.25;
    return joins_branches(graph) ? gain * 1.15 : gain;
}

/// The node whose filters are those of the logits: the last convolution or linear layer on the way
/// to the first output, or -1.
LUMBAR_COLD inline int logits_layer(const Graph& graph) {
    int id = graph.outputs().empty() ? -1 : graph.outputs()[0];
    while (id >= 0 && !graph.node(id).as<op::Conv>() && !graph.node(id).as<op::Linear>()) {
        const std::vector<int>& inputs = graph.node(id).inputs;
        id = inputs.size() == 1 ? inputs[0] : -1;
    }
    return id;
}

}  // namespace detail

/// Weights that nobody trained, for a graph as its model made it (before any pass). Element i of a
/// tensor is float(centre + amplitude * u), with u uniform in [-1, 1): a hash of the tensor's name,
/// the seed and i (synthetic_fill). Signals keep their size from layer to layer:
///
///     tensor                        centre    amplitude
///     filters                       0         sqrt(6 / fan_in)
///     the same beside a concat      -c        sqrt(6 / fan_in)      c = 0.3 sqrt(6) / fan_in
///     filters of the logits         0         sqrt(3 / fan_in)
///     biases                        0         0.1
///     batch norm .weight            g         0.2 g
///     batch norm .bias              0         0.1
///     batch norm .running_mean      0         0.1
///     batch norm .running_var       1         0.2
///
/// fan_in counts a filter's elements per output. g depends on what reads the batch norm's output:
/// an addition whose other operand is neither a batch norm's output nor a squeeze-and-excite
/// block's (an identity shortcut) 1/16, any other addition (a projection) sqrt(0.5); otherwise an
/// activation, 1 for ReLU and 1.125 for ReLU6 and h-swish; otherwise sqrt(0.5). It is 1.5 times
/// that after a squeeze-and-excite block, 0.25 times where the batch norm reads an addition
/// (pre-activation), and 1.15 times in a network with concatenations ("beside a concat"). Why: see
/// synthetic.py.
LUMBAR_COLD inline Weights synthetic_weights(const Graph& graph, std::uint64_t seed = 1) {
    const auto read_by = readers(graph);
    const int logits = detail::logits_layer(graph);
    const bool joined = detail::joins_branches(graph);
    std::vector<NamedTensor> tensors;
    for (const Parameter& p : parameters(graph)) {
        SyntheticRange range{.centre = 0.0, .amplitude = 0.1};
        switch (p.role) {
            case Parameter::Role::filter: {
                const double fan_in =
                    static_cast<double>(p.size() / std::max<std::int64_t>(p.shape[0], 1));
                range.amplitude = std::sqrt((p.node == logits ? 3.0 : 6.0) / fan_in);
                if (joined && p.node != logits) range.centre = -0.3 * std::sqrt(6.0) / fan_in;
                break;
            }
            case Parameter::Role::gain: {
                const double gain = detail::synthetic_gain(graph, read_by, p.node);
                range = {.centre = gain, .amplitude = 0.2 * gain};
                break;
            }
            case Parameter::Role::variance: range = {.centre = 1.0, .amplitude = 0.2}; break;
            case Parameter::Role::bias:
            case Parameter::Role::shift:
            case Parameter::Role::mean: break;
        }
        NamedTensor tensor;
        tensor.name = p.name;
        for (const std::int64_t extent : p.shape) tensor.shape.push_back(extent);
        tensor.values.resize(static_cast<std::size_t>(p.size()));
        synthetic_fill(tensor.values, p.name, seed, range);
        tensors.push_back(std::move(tensor));
    }
    return Weights::from_tensors(std::move(tensors), "synthetic weights");
}

/// An image for them: the tensor that is named "input", uniform in [-1, 1).
inline Tensor synthetic_input(Shape shape, std::uint64_t seed = 1) {
    Tensor image(shape);
    synthetic_fill(image.values(), "input", seed, {.centre = 0.0, .amplitude = 1.0});
    return image;
}

LUMBAR_NAMESPACE_END
