// What a network costs: multiply-accumulates per node, and each value's receptive field and stride.
#pragma once

#include <lumbar/graph/graph.hpp>
#include <lumbar/graph/shapes.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// Multiply-accumulates (MACs; two floating-point operations each) of one node, counted as
/// torchvision does: convolutions and linear layers only.
inline std::int64_t macs(const Graph& graph, int id, const std::vector<Shape>& shapes) {
    const Node& node = graph.node(id);
    const Shape& out = shapes[static_cast<std::size_t>(id)];
    if (const auto* c = node.as<op::Conv>()) {
        const int in = graph.node(node.inputs[0]).channels / c->groups;
        return out.size() * in * c->kernel.h * c->kernel.w;
    }
    if (const auto* l = node.as<op::Linear>()) {
        return out.size() * graph.node(node.inputs[0]).channels * l->pixels;
    }
    return 0;
}

inline std::int64_t macs(const Graph& graph, const std::vector<Shape>& shapes) {
    std::int64_t total = 0;
    for (int id = 0; id < graph.size(); ++id) total += macs(graph, id, shapes);
    return total;
}

/// The input pixels that one position of a value sees (height and width), and the distance between
/// the centres of neighbouring positions in input pixels. What sees the whole image (after a global
/// pooling) has both 0.
struct ReceptiveField {
    Extent size{1, 1};
    Extent stride{1, 1};
    bool global = false;
};

inline std::vector<ReceptiveField> receptive_fields(const Graph& graph) {
    std::vector<ReceptiveField> fields;
    fields.reserve(graph.nodes().size());
    for (const Node& node : graph.nodes()) {
        ReceptiveField f;
        for (const int input : node.inputs) {
            const ReceptiveField& in = fields[static_cast<std::size_t>(input)];
            // A gate multiplies; it widens nothing that a position sees by itself.
            if (node.as<op::ScaleChannels>() && input != node.inputs[0]) continue;
            if (is_idle_shortcut(graph, node) && input != node.inputs[1]) continue;
            f.global = f.global || in.global;
            f.size = {std::max(f.size.h, in.size.h), std::max(f.size.w, in.size.w)};
            f.stride = {std::max(f.stride.h, in.stride.h), std::max(f.stride.w, in.stride.w)};
        }
        const auto window = [&](Extent kernel, Extent stride, Extent dilation) {
            f.size.h += (kernel.h - 1) * dilation.h * f.stride.h;
            f.size.w += (kernel.w - 1) * dilation.w * f.stride.w;
            f.stride.h *= stride.h;
            f.stride.w *= stride.w;
        };
        if (const auto* c = node.as<op::Conv>()) window(c->kernel, c->stride, c->dilation);
        if (const auto* p = node.as<op::Pool>()) {
            if (p->geometry.adaptive.h > 0) {
                f.global = true;
            } else {
                window(p->geometry.kernel, p->geometry.stride, p->geometry.dilation);
            }
        }
        if (node.as<op::Linear>()) f.global = true;
        if (f.global) f.size = f.stride = {0, 0};
        fields.push_back(f);
    }
    return fields;
}

LUMBAR_NAMESPACE_END
