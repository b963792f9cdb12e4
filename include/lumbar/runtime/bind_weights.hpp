// A graph meets a weight file: widths and classes are taken from the file, and whatever does not
// fit is listed in one error.
#pragma once

#include <lumbar/core/text.hpp>
#include <lumbar/graph/parameters.hpp>
#include <lumbar/graph/passes/resolve_shortcuts.hpp>
#include <lumbar/runtime/mismatch.hpp>
#include <lumbar/weights/weights.hpp>

#include <cstdint>
#include <optional>
#include <string>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// The channels of what a padded shortcut is added to, if that is made before it; otherwise 0.
LUMBAR_COLD inline int channels_beside(const Graph& graph, int pad) {
    for (int id = pad + 1; id < graph.size(); ++id) {
        const Node& node = graph.node(id);
        if (!node.as<op::Add>()) continue;
        const int a = node.inputs[0], b = node.inputs[1];
        if ((a == pad && b < pad) || (b == pad && a < pad)) {
            return graph.node(a == pad ? b : a).channels;
        }
    }
    return 0;
}

/// The graph with every convolution and linear layer as wide as the file's filters, where that is
/// consistent from the input to the outputs; nothing otherwise. (Width multipliers, wide and pruned
/// variants, any number of classes.)
LUMBAR_COLD inline std::optional<Graph> take_widths(Graph graph, const Weights& weights) {
    for (int id = 0; id < graph.size(); ++id) {
        Node& node = graph.node(id);
        if (node.as<op::Input>()) continue;
        const int in = graph.node(node.inputs[0]).channels;
        const TensorData* filter = weights.find(node.name + ".weight");
        const auto extent = [&](std::size_t i) {
            return filter && i < filter->shape.rank() ? filter->shape[i] : 1;
        };
        constexpr std::int64_t kMaxChannels = 1 << 20;
        if (auto* c = node.as<op::Conv>()) {
            if (!filter || extent(0) < 1 || extent(0) > kMaxChannels) return std::nullopt;
            const int out = static_cast<int>(extent(0));
            // A depthwise convolution has as many groups as its input has channels.
            if (c->groups > 1 && extent(1) == 1 && c->groups == c->out_channels) c->groups = in;
            if (in % c->groups || out % c->groups || extent(1) != in / c->groups ||
                extent(2) != c->kernel.h || extent(3) != c->kernel.w) {
                return std::nullopt;
            }
            node.channels = c->out_channels = out;
        } else if (auto* l = node.as<op::Linear>()) {
            if (!filter || extent(0) < 1 || extent(0) > kMaxChannels ||
                !same_shape(filter->shape, {extent(0), std::int64_t{in} * l->pixels})) {
                return std::nullopt;
            }
            node.channels = l->outputs = static_cast<int>(extent(0));
        } else if (node.as<op::Concat>()) {
            node.channels = 0;
            for (const int input : node.inputs) node.channels += graph.node(input).channels;
        } else if (auto* pad = node.as<op::PadChannels>()) {
            const std::int64_t missing = std::int64_t{channels_beside(graph, id)} - in;
            const std::int64_t nominal = std::int64_t{pad->before} + pad->after;
            if (missing >= 0 && nominal > 0) {
                pad->before = static_cast<int>(missing * pad->before / nominal);
                pad->after = static_cast<int>(missing) - pad->before;
            }
            node.channels = pad->before + in + pad->after;
        } else if (const auto* a = node.as<op::Add>(); a && a->where_equal) {
            node.channels = graph.node(node.inputs[1]).channels;
        } else {
            node.channels = in;
            for (const int input : node.inputs) {
                if (graph.node(input).channels != in) return std::nullopt;
            }
        }
    }
    return graph;
}

/// Only the classifier's width: what is expected of a file that does not fit otherwise.
LUMBAR_COLD inline Graph take_classes(Graph graph, const Weights& weights) {
    for (const int id : graph.outputs()) {
        Node& node = graph.node(id);
        const TensorData* filter = weights.find(node.name + ".weight");
        auto* l = node.as<op::Linear>();
        if (!l || !filter || filter->shape.rank() < 2) continue;
        if (filter->shape[0] > 0 && filter->shape[0] <= 1 << 20 &&
            filter->shape[1] == std::int64_t{graph.node(node.inputs[0]).channels} * l->pixels) {
            node.channels = l->outputs = static_cast<int>(filter->shape[0]);
        }
    }
    return graph;
}

}  // namespace detail

/// The graph as the file's tensors make it. An Error counts the tensors that are missing, extra,
/// misshapen (with both shapes) or of a type that is no floating-point number, and names the first
/// few of each.
LUMBAR_COLD inline Result<Graph> try_bind_weights(const Graph& nominal, const Weights& weights,
                                                  bool allow_extra) {
    if (nominal.error()) return *nominal.error();
    std::optional<Graph> wide = detail::take_widths(nominal, weights);
    const Graph graph = wide ? std::move(*wide) : detail::take_classes(nominal, weights);

    const std::string message = detail::mismatch(graph, weights, allow_extra);
    if (!message.empty()) {
        return Error(Error::Code::weights, detail::cat({weights.source(), " does not fit ",
                                                        graph.name(), ": ", message}));
    }
    return resolve_shortcuts(graph);
}

LUMBAR_NAMESPACE_END
