// A network as a backbone: its feature maps instead of its classes. What no feature map depends on
// goes, and the weight file may still hold it.
//
//     const Graph graph = features(resnet50(), {4, 8, 16, 32});
//     for (const FeatureInfo& f : feature_info(graph)) ...       // channels, stride, field
//     const Network net = compile(graph, weights, {.height = 480, .width = 640});
//     net.run(workspace);                                        // workspace.output(0) ...
//     output(3)
//
// What is not there (a stride, a name) is kept as a mistake in the graph, and `compile` reports it.
#pragma once

#include <lumbar/core/text.hpp>
#include <lumbar/graph/cost.hpp>
#include <lumbar/graph/rewrite.hpp>

#include <algorithm>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// Where the feature map of a stride is taken.
enum class FeatureTap {
    /// Where the last block of that stride ends (timm's features_only, but for the last map of
    /// MobileNet V3): MobileNets' narrow bottleneck, a pre-activation network's sum.
    block,
    /// What the layer reads that reduces the image: MobileNets' expanded map, as detectors on
    /// MobileNets take it; the last one is what the head averages.
    expanded,
};

/// A feature map, known before there are weights or an image.
struct FeatureInfo {
    std::string layer;  ///< the parameters' name of the layer that it comes from
    int channels = 0;
    Extent stride;           ///< pixels of the image between neighbours; 0: see below
    Extent receptive_field;  ///< pixels of the image that it sees; 0: all (after global pooling)
};

namespace detail {

inline bool has_parameters(const Node& node) {
    return node.as<op::Conv>() || node.as<op::BatchNorm>() || node.as<op::Linear>();
}

/// Without an image to be read from: a shortcut that is not there.
inline bool reads(const Graph& graph, const Node& node, std::size_t input) {
    return input != 0 || !is_idle_shortcut(graph, node);
}

/// The last layer with parameters among a value and those before it on the way from the image.
LUMBAR_COLD inline int layer_of(const Graph& graph, int id) {
    while (!has_parameters(graph.node(id)) && !graph.node(id).inputs.empty()) {
        const std::vector<int>& inputs = graph.node(id).inputs;
        id = *std::max_element(inputs.begin(), inputs.end());
    }
    return id;
}

/// True for the values that everything after them depends on: no way from the image to an output
/// leads past them.
LUMBAR_COLD inline std::vector<bool> bottlenecks(const Graph& graph) {
    std::vector<int> last_reader(graph.nodes().size(), -1);
    for (int id = 0; id < graph.size(); ++id) {
        const Node& node = graph.node(id);
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            if (reads(graph, node, i)) last_reader[static_cast<std::size_t>(node.inputs[i])] = id;
        }
    }
    std::vector<bool> result;
    int open = 0;  // the last reader of all values so far
    for (int id = 0; id < graph.size(); ++id) {
        result.push_back(open <= id);
        open = std::max(open, last_reader[static_cast<std::size_t>(id)]);
    }
    return result;
}

/// The value where the block before `id` ends, if `id` is the beginning of the next one: the
/// expansion of a linear bottleneck (MobileNet V2, V3), a normalisation and activation before the
/// next convolution (pre-activation ResNet), or a transition (DenseNet). Otherwise `id`.
LUMBAR_COLD inline int end_of_block(const Graph& graph, int id) {
    const auto before = [&](int node) { return graph.node(node).inputs[0]; };
    int at = id;
    if (graph.node(id).as<op::Conv>()) {
        at = before(id);
        if (graph.node(at).as<op::Activate>()) at = before(at);
        if (!graph.node(at).as<op::BatchNorm>()) return id;
        return graph.node(before(at)).as<op::Concat>() ? before(at) : id;
    }
    if (graph.node(at).as<op::Activate>()) at = before(at);
    if (!graph.node(at).as<op::BatchNorm>()) return id;
    const int normalised = before(at);
    const auto* c = graph.node(normalised).as<op::Conv>();
    if (!c) return graph.node(normalised).as<op::Add>() ? normalised : id;
    const int narrow = before(normalised);
    const Node& from = graph.node(narrow);
    const bool linear = from.as<op::BatchNorm>() || from.as<op::Add>();
    const bool expands = c->kernel == Extent{1, 1} && c->groups == 1 && c->stride == Extent{1, 1} &&
                         c->out_channels > from.channels;
    return at != id && linear && expands ? narrow : id;
}

/// The value that leaves the layers whose parameters' names begin with `name` and a dot, or that
/// of the node of this name; -1 where there is none.
LUMBAR_COLD inline int named_value(const Graph& graph, const std::vector<std::vector<int>>& read_by,
                                   std::string_view name) {
    int last = -1;
    for (int id = 0; id < graph.size(); ++id) {
        const Node& node = graph.node(id);
        if (!has_parameters(node)) continue;
        const std::string_view its = node.name;
        if (its == name) return id;
        if (its.size() > name.size() && its.starts_with(name) && its[name.size()] == '.') last = id;
    }
    // The activation, sum or concatenation after them belongs to them.
    while (last >= 0) {
        const std::vector<int>& next = read_by[static_cast<std::size_t>(last)];
        if (next.size() != 1 || next[0] < 0) break;
        const Node& node = graph.node(next[0]);
        if (has_parameters(node) || node.as<op::Pool>() || node.as<op::Softmax>()) break;
        last = next[0];
    }
    return last;
}

}  // namespace detail

/// The graph with these nodes' values as its outputs. Nodes that none of them depends on go; their
/// parameters may be in the weight file, and need not.
LUMBAR_COLD inline Graph with_outputs(const Graph& graph, const std::vector<int>& nodes) {
    Graph all = graph;
    all.outputs() = nodes;
    Graph result = rewire(all, no_replacement(all));
    std::vector<std::string_view> kept;
    for (const Node& node : result.nodes()) kept.push_back(node.name);
    std::sort(kept.begin(), kept.end());
    for (const Node& node : graph.nodes()) {
        if (!detail::has_parameters(node) ||
            std::binary_search(kept.begin(), kept.end(), std::string_view(node.name))) {
            continue;
        }
        result.ignore(node.name + ".");
        // What is left may be called the same in several dialects, so any may be the file's.
        for (const Dialect& dialect : graph.dialects()) {
            const char* const end = dialect.style == TensorStyle::keras ? "/" : ".";
            result.ignore(layer_name(dialect, node.name) + end);
        }
    }
    return result;
}

/// The feature maps of these strides, in the order given. A stride's map is the last of that
/// stride that the whole rest of the network depends on (see FeatureTap).
LUMBAR_COLD inline Graph features(const Graph& graph, std::span<const int> strides,
                                  FeatureTap tap = FeatureTap::block) {
    Graph live = with_outputs(graph, graph.outputs());
    const std::vector<bool> cuts = detail::bottlenecks(live);
    const std::vector<ReceptiveField> fields = receptive_fields(live);
    std::vector<int> found;
    for (const int stride : strides) {
        int last = -1;
        for (int id = 1; id < live.size(); ++id) {
            const ReceptiveField& f = fields[static_cast<std::size_t>(id)];
            const bool of_stride = f.stride == Extent::square(stride) && !f.global;
            if (of_stride && cuts[static_cast<std::size_t>(id)]) last = id;
        }
        if (last < 0) {
            std::string there;
            for (std::size_t id = 1; id < fields.size(); ++id) {
                const ReceptiveField& f = fields[id];
                if (f.global || !cuts[id] || f.stride.h != f.stride.w) continue;
                const std::string one = std::to_string(f.stride.h);
                if (there == one || there.ends_with(", " + one)) continue;
                there += (there.empty() ? "" : ", ") + one;
            }
            if (!there.empty()) there = ", but of " + there;
            live.fail("features",
                      detail::cat({"there is no feature map of stride ", stride, there}));
            return live;
        }
        found.push_back(tap == FeatureTap::block ? detail::end_of_block(live, last) : last);
    }
    return with_outputs(live, found);
}
inline Graph features(const Graph& graph, std::initializer_list<int> strides,
                      FeatureTap tap = FeatureTap::block) {
    return features(graph, std::span<const int>(strides.begin(), strides.size()), tap);
}

/// The values of these layers, in the order given: a module of the checkpoint such as "layer3" or
/// "features.6" (with the activation or sum that ends it), or a node's own name such as "conv1".
LUMBAR_COLD inline Graph features(const Graph& graph, std::span<const std::string_view> layers) {
    Graph copy = graph;
    const auto read_by = readers(graph);
    std::vector<int> found;
    for (const std::string_view layer : layers) {
        found.push_back(detail::named_value(graph, read_by, layer));
        if (found.back() >= 0) continue;
        copy.fail("features", detail::cat({"no layer is named '", layer, "'"}));
        return copy;
    }
    return with_outputs(graph, found);
}
inline Graph features(const Graph& graph, std::initializer_list<std::string_view> layers) {
    return features(graph, std::span<const std::string_view>(layers.begin(), layers.size()));
}

/// The network without its head: up to the last feature map, before it is averaged over the image.
LUMBAR_COLD inline Graph without_head(const Graph& graph) {
    const Graph live = with_outputs(graph, graph.outputs());
    const std::vector<bool> cuts = detail::bottlenecks(live);
    const std::vector<ReceptiveField> fields = receptive_fields(live);
    int last = 0;
    for (int id = 0; id < live.size(); ++id) {
        const std::size_t i = static_cast<std::size_t>(id);
        if (cuts[i] && !fields[i].global) last = id;
    }
    return with_outputs(live, {last});
}

/// The network up to what its classifier reads: the vector that describes the image.
LUMBAR_COLD inline Graph embedding(const Graph& graph) {
    for (int id = graph.size() - 1; id >= 0; --id) {
        if (graph.node(id).as<op::Linear>()) return with_outputs(graph, {graph.node(id).inputs[0]});
    }
    Graph copy = graph;
    copy.fail("embedding", "there is no linear layer that classifies");
    return copy;
}

/// Of each output of a graph, in their order. A weight file may widen layers: then those of
/// Network::source_graph() count. Throws the graph's mistake, where it has one.
LUMBAR_COLD inline std::vector<FeatureInfo> feature_info(const Graph& graph) {
    if (graph.error()) Result<Success>::raise(*graph.error());
    const std::vector<ReceptiveField> fields = receptive_fields(graph);
    std::vector<FeatureInfo> result;
    for (const int id : graph.outputs()) {
        const ReceptiveField& f = fields[static_cast<std::size_t>(id)];
        result.push_back({graph.node(detail::layer_of(graph, id)).name, graph.node(id).channels,
                          f.stride, f.size});
    }
    return result;
}

LUMBAR_NAMESPACE_END
