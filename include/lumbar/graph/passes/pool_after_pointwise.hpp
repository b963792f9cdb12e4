// Pass: of an average pooling and the pointwise convolution that alone reads it (an Inception's
// pooling branch), the convolution comes first where it has fewer channels to pool: both are
// linear. Its bias and its activation stay behind the pooling, which counts zeros at the edges.
#pragma once

#include <lumbar/graph/rewrite.hpp>

#include <utility>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// As many windows as pixels.
inline bool keeps_size(const op::Pool& pool) {
    const PoolGeometry& g = pool.geometry;
    if (g.adaptive.h > 0 || g.stride != Extent{1, 1}) return false;
    return pool.mode == PaddingMode::same || (g.padding.top + g.padding.bottom == g.kernel.h - 1 &&
                                              g.padding.left + g.padding.right == g.kernel.w - 1);
}

/// 1x1, at every pixel.
inline bool is_pointwise(const op::Conv& conv) {
    return conv.kernel == Extent{1, 1} && conv.stride == Extent{1, 1} && conv.groups == 1 &&
           (conv.mode == PaddingMode::same || conv.padding == Padding{});
}

}  // namespace detail

LUMBAR_COLD inline Graph pool_after_pointwise(Graph graph) {
    const auto read_by = readers(graph);
    for (int id = 0; id < graph.size(); ++id) {
        Node& second = graph.node(id);
        const auto* conv = second.as<op::Conv>();
        if (!conv || !detail::is_pointwise(*conv) || second.residual || second.bias_later ||
            second.slice) {
            continue;
        }
        Node& first = graph.node(second.inputs[0]);
        const auto* pool = first.as<op::Pool>();
        if (!pool || pool->geometry.kind != PoolGeometry::Kind::average ||
            !detail::keeps_size(*pool) || conv->out_channels >= first.channels || first.slice ||
            !only_reader(read_by, second.inputs[0], id)) {
            continue;
        }
        // A convolution of the image is one that reads it as it is, with its bias; a pooling that
        // has changed places already adds a bias, and is linear no more.
        const Node& before = graph.node(first.inputs[0]);
        if (before.as<op::Input>() || before.bias_later) continue;
        std::swap(first, second);
        first.inputs.swap(second.inputs);
        first.bias_later = true;
        second.channels = first.channels;
        std::swap(first.activation, second.activation);
    }
    return graph;
}

LUMBAR_NAMESPACE_END
