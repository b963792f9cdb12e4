// What is computed without being stored: decided before memory is planned, and known to the steps.
#pragma once

#include <lumbar/graph/rewrite.hpp>
#include <lumbar/graph/shapes.hpp>

#include <algorithm>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// Few channels are read from the plain image as they are; more are blocked first.
inline constexpr int kMaxPlainChannels = 4;

LUMBAR_COLD inline bool reads_plain_input(const Graph& graph) {
    bool plain = false;
    for (const Node& node : graph.nodes()) {
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            if (!graph.node(node.inputs[i]).as<op::Input>()) continue;
            const auto* c = node.as<op::Conv>();
            if (!c || c->groups != 1 || i != 0 ||
                graph.node(node.inputs[i]).channels > kMaxPlainChannels) {
                return false;
            }
            plain = true;
        }
    }
    for (const int id : graph.outputs()) plain = plain && !graph.node(id).as<op::Input>();
    return plain;
}

inline bool is_depthwise(const ConvGeometry& g, const Node& node) {
    return g.depthwise() && !node.residual && g.groups > 1;
}

/// True where every window sees a row of the image.
inline bool sees_rows(const ConvGeometry& g) {
    return std::max(g.padding.top, g.padding.bottom) <= (g.kernel.h - 1) * g.dilation.h;
}

/// The pointwise convolutions, by node, that are computed by the step of the depthwise convolution
/// which alone reads them: their values are never stored.
LUMBAR_COLD inline std::vector<bool> fused_into_depthwise(const Graph& graph,
                                                          const std::vector<Shape>& shapes) {
    const auto read_by = readers(graph);
    std::vector<bool> fused(shapes.size());
    for (int id = 0; id < graph.size(); ++id) {
        const Node& node = graph.node(id);
        const auto* depthwise = node.as<op::Conv>();
        if (!depthwise) continue;
        const int in = node.inputs[0];
        const Node& wide = graph.node(in);
        const auto* pointwise = wide.as<op::Conv>();
        if (!pointwise || wide.residual || wide.slice || pointwise->groups > 1 ||
            graph.node(wide.inputs[0]).as<op::Input>() || !only_reader(read_by, in, id)) {
            continue;
        }
        const std::size_t i = static_cast<std::size_t>(in);
        const ConvGeometry second = geometry_of(*depthwise, shapes[i]);
        fused[i] =
            is_depthwise(second, node) && sees_rows(second) &&
            geometry_of(*pointwise, shapes[static_cast<std::size_t>(wide.inputs[0])]).pointwise();
    }
    return fused;
}

/// Marks the values times a gate, by node, whose gate goes into the weights of the pointwise
/// convolution that alone reads them: where the weights are no more than an image's values.
LUMBAR_COLD inline void fuse_gates(const Graph& graph, const std::vector<Shape>& shapes,
                                   std::vector<bool>& unstored) {
    const auto read_by = readers(graph);
    const auto at = [](int id) { return static_cast<std::size_t>(id); };
    for (int id = 0; id < graph.size(); ++id) {
        const auto* conv = graph.node(id).as<op::Conv>();
        if (!conv || conv->groups > 1 || unstored[at(id)]) continue;
        const int in = graph.node(id).inputs[0];
        const Node& scaled = graph.node(in);
        const Shape& shape = shapes[at(in)];
        unstored[at(in)] =
            unstored[at(in)] ||
            (scaled.as<op::ScaleChannels>() && scaled.activation == Activation::none &&
             !scaled.slice && only_reader(read_by, in, id) &&
             geometry_of(*conv, shape).pointwise() && conv->out_channels <= shape.pixels());
    }
}

}  // namespace detail

LUMBAR_NAMESPACE_END
