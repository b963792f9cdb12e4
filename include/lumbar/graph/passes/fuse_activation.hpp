// Pass: an activation becomes the last thing that the node before it does to its accumulators. A
// sigmoid (an exponential) is fused only into nodes that work pixel by pixel.
#pragma once

#include <lumbar/graph/rewrite.hpp>

LUMBAR_NAMESPACE_BEGIN

LUMBAR_COLD inline Graph fuse_activation(Graph graph) {
    const auto read_by = readers(graph);
    std::vector<int> replacement = no_replacement(graph);
    for (int id = 0; id < graph.size(); ++id) {
        const auto* activate = graph.node(id).as<op::Activate>();
        if (!activate) continue;
        const int producer = graph.node(id).inputs[0];
        Node& node = graph.node(producer);
        const bool pixelwise =
            node.as<op::BatchNorm>() || node.as<op::Add>() || node.as<op::ScaleChannels>();
        const bool summing =
            (node.as<op::Conv>() || node.as<op::Linear>()) && fits_sums(activate->function);
        if (!(pixelwise || summing) || node.activation != Activation::none ||
            !only_reader(read_by, producer, id)) {
            continue;
        }
        node.activation = activate->function;
        replacement[static_cast<std::size_t>(id)] = producer;
    }
    return rewire(graph, replacement);
}

LUMBAR_NAMESPACE_END
