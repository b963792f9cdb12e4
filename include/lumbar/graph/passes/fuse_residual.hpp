// Pass: an addition whose one operand is a convolution's result becomes part of that convolution,
// which adds the other operand to its accumulators before they are stored.
#pragma once

#include <lumbar/graph/rewrite.hpp>

#include <algorithm>

LUMBAR_NAMESPACE_BEGIN

LUMBAR_COLD inline Graph fuse_residual(Graph graph) {
    const auto read_by = readers(graph);
    std::vector<int> replacement = no_replacement(graph);
    for (int id = 0; id < graph.size(); ++id) {
        if (!graph.node(id).as<op::Add>() || is_idle_shortcut(graph, graph.node(id))) continue;
        // The operand that is computed last takes the other one, which is there by then.
        const auto [first, last] = std::minmax(graph.node(id).inputs[0], graph.node(id).inputs[1]);
        Node& node = graph.node(last);
        const auto* conv = node.as<op::Conv>();
        const bool depthwise = conv && conv->groups > 1 &&
                               conv->groups == graph.node(node.inputs[0]).channels &&
                               conv->groups == conv->out_channels;
        if (!conv || depthwise || first == last || node.residual ||
            node.activation != Activation::none || !fits_sums(graph.node(id).activation) ||
            !only_reader(read_by, last, id)) {
            continue;
        }
        node.activation = graph.node(id).activation;
        node.inputs.push_back(first);
        node.residual = true;
        replacement[static_cast<std::size_t>(id)] = last;
    }
    return rewire(graph, replacement);
}

LUMBAR_NAMESPACE_END
