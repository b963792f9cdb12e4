// Pass: shortcuts that are there only where both operands have as many channels become plain
// additions, or go. For graphs whose widths are settled.
#pragma once

#include <lumbar/graph/rewrite.hpp>

LUMBAR_NAMESPACE_BEGIN

LUMBAR_COLD inline Graph resolve_shortcuts(Graph graph) {
    std::vector<int> replacement = no_replacement(graph);
    for (int id = 0; id < graph.size(); ++id) {
        Node& node = graph.node(id);
        if (is_idle_shortcut(graph, node)) {
            replacement[static_cast<std::size_t>(id)] = node.inputs[1];
        } else if (auto* add = node.as<op::Add>()) {
            add->where_equal = false;
        }
    }
    return rewire(graph, replacement);
}

LUMBAR_NAMESPACE_END
