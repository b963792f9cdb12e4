// What passes share: who reads a value, and a graph without the nodes that a pass made superfluous.
#pragma once

#include <lumbar/graph/graph.hpp>

#include <algorithm>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// For every node the nodes that read its value; an output of the graph counts as the reader -1.
LUMBAR_COLD inline std::vector<std::vector<int>> readers(const Graph& graph) {
    std::vector<std::vector<int>> result(graph.nodes().size());
    for (int id = 0; id < graph.size(); ++id) {
        for (const int input : graph.node(id).inputs) {
            result[static_cast<std::size_t>(input)].push_back(id);
        }
    }
    for (const int id : graph.outputs()) result[static_cast<std::size_t>(id)].push_back(-1);
    return result;
}

/// True where `reader` is the only one to read the value.
inline bool only_reader(const std::vector<std::vector<int>>& all, int value, int reader) {
    const std::vector<int>& of = all[static_cast<std::size_t>(value)];
    return of.size() == 1 && of[0] == reader;
}

/// Replaces every use of value i by replacement[i] (itself where nothing changes; chains are
/// followed), then drops the nodes that no output depends on. The order stays, so every replacement
/// has to stand before the readers of what it replaces.
LUMBAR_COLD inline Graph rewire(const Graph& graph, const std::vector<int>& replacement) {
    const auto resolve = [&](int id) {
        while (replacement[static_cast<std::size_t>(id)] != id) {
            id = replacement[static_cast<std::size_t>(id)];
        }
        return id;
    };
    Graph result = graph;
    for (Node& node : result.nodes()) {
        for (int& input : node.inputs) input = resolve(input);
    }
    for (int& output : result.outputs()) output = resolve(output);

    std::vector<bool> needed(graph.nodes().size(), false);
    for (const int id : result.outputs()) needed[static_cast<std::size_t>(id)] = true;
    for (int id = graph.size() - 1; id >= 0; --id) {
        if (result.node(id).as<op::Input>()) needed[static_cast<std::size_t>(id)] = true;
        if (!needed[static_cast<std::size_t>(id)]) continue;
        for (const int input : result.node(id).inputs) {
            needed[static_cast<std::size_t>(input)] = true;
        }
    }
    std::vector<int> renumbered(graph.nodes().size(), -1);
    std::vector<Node> kept;
    for (int id = 0; id < graph.size(); ++id) {
        if (!needed[static_cast<std::size_t>(id)]) continue;
        renumbered[static_cast<std::size_t>(id)] = static_cast<int>(kept.size());
        Node node = std::move(result.node(id));
        for (int& input : node.inputs) input = renumbered[static_cast<std::size_t>(input)];
        if (node.slice) {
            // A concatenation stands after what it joins: renumbered below.
            node.slice->concat = resolve(node.slice->concat);
        }
        kept.push_back(std::move(node));
    }
    for (Node& node : kept) {
        if (node.slice) {
            node.slice->concat = renumbered[static_cast<std::size_t>(node.slice->concat)];
            if (node.slice->concat < 0) node.slice.reset();
        }
    }
    for (int& output : result.outputs()) output = renumbered[static_cast<std::size_t>(output)];
    result.nodes() = std::move(kept);
    return result;
}

/// replacement[i] == i: where a pass starts.
inline std::vector<int> no_replacement(const Graph& graph) {
    std::vector<int> result(graph.nodes().size());
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<int>(i);
    return result;
}

LUMBAR_NAMESPACE_END
