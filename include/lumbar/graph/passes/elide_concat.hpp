// Pass: branches write into slices of the concatenation they feed, so that nothing is copied;
// nested concatenations too. `lanes`: a slice that does not start at a multiple of them stays a
// copy.
#pragma once

#include <lumbar/graph/graph.hpp>

LUMBAR_NAMESPACE_BEGIN

LUMBAR_COLD inline Graph elide_concat(Graph graph, int lanes) {
    for (int id = 0; id < graph.size(); ++id) {
        if (!graph.node(id).as<op::Concat>()) continue;
        int channel = 0;
        for (const int input : graph.node(id).inputs) {
            Node& node = graph.node(input);
            // A value lives in one place: what several concatenations join is copied by the others.
            if (channel % lanes == 0 && !node.slice && !node.as<op::Input>()) {
                node.slice = Slice{id, channel};
            }
            channel += node.channels;
        }
    }
    return graph;
}

LUMBAR_NAMESPACE_END
