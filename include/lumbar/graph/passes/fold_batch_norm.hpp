// Pass: a batch normalisation right after a convolution becomes part of its weights. Only the
// structure changes here; the arithmetic happens, in double, when weights are packed.
#pragma once

#include <lumbar/graph/rewrite.hpp>

LUMBAR_NAMESPACE_BEGIN

LUMBAR_COLD inline Graph fold_batch_norm(Graph graph) {
    const auto read_by = readers(graph);
    std::vector<int> replacement = no_replacement(graph);
    for (int id = 0; id < graph.size(); ++id) {
        const auto* norm = graph.node(id).as<op::BatchNorm>();
        if (!norm) continue;
        const int producer = graph.node(id).inputs[0];
        Node& conv = graph.node(producer);
        if (!conv.as<op::Conv>() || conv.batch_norm || conv.activation != Activation::none ||
            conv.residual || !fits_sums(graph.node(id).activation) ||
            !only_reader(read_by, producer, id)) {
            continue;
        }
        conv.activation = graph.node(id).activation;
        conv.batch_norm = FoldedBatchNorm{graph.node(id).name, norm->epsilon};
        replacement[static_cast<std::size_t>(id)] = producer;
    }
    return rewire(graph, replacement);
}

LUMBAR_NAMESPACE_END
