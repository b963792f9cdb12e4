// Where activations live: every value gets a place in a buffer, every buffer a range of one arena,
// shared by buffers that are never alive together.
#pragma once

#include <lumbar/core/sorted_order.hpp>
#include <lumbar/core/view.hpp>
#include <lumbar/graph/graph.hpp>
#include <lumbar/graph/shapes.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// A range of the arena.
struct Buffer {
    BlockedLayout layout;
    std::size_t offset = 0;  ///< floats from the arena's start
    int first = 0;           ///< the node that writes it first
    int last = 0;            ///< the node that reads it last

    bool overlaps_in_time(const Buffer& other) const {
        return first <= other.last && other.first <= last;
    }
};

/// Where a value lives: a buffer of its own, or a slice of a concatenation's.
struct Place {
    int buffer = -1;  ///< none: the value is never stored
    int first_group = 0;
    Shape shape;
};

struct MemoryPlan {
    std::vector<Buffer> buffers;
    std::vector<Place> places;  ///< by node
    std::size_t arena_floats = 0;

    const Place& place(int node) const { return places[static_cast<std::size_t>(node)]; }

    /// Without an arena: the layout alone.
    BlockedView view(int node, float* arena) const {
        const Place& p = place(node);
        const Buffer& b = buffers[static_cast<std::size_t>(p.buffer)];
        BlockedView v = b.layout.view(arena ? arena + b.offset : nullptr);
        if (arena) v.data += p.first_group * v.group;
        v.shape = p.shape;
        return v;
    }
};

namespace detail {

/// The border that the readers of each value need.
LUMBAR_COLD inline std::vector<Padding> borders_needed(const Graph& graph,
                                                       const std::vector<Shape>& shapes) {
    std::vector<Padding> borders(shapes.size());
    for (const Node& node : graph.nodes()) {
        const auto* c = node.as<op::Conv>();
        if (!c) continue;
        const std::size_t in = static_cast<std::size_t>(node.inputs[0]);
        borders[in] = widest(borders[in], border_read(geometry_of(*c, shapes[in]), shapes[in]));
    }
    return borders;
}

/// Places the largest buffers first, each at the lowest offset where nothing that is alive at the
/// same time lies.
LUMBAR_COLD inline std::size_t place_buffers(std::vector<Buffer>& buffers) {
    const auto order = sorted_order(buffers, [](const Buffer& a, const Buffer& b) {
        const std::ptrdiff_t size_a = a.layout.size(), size_b = b.layout.size();
        return size_a != size_b ? size_a > size_b : &a < &b;
    });
    const auto end_of = [&](const Buffer& b) {
        return b.offset + whole_lines(static_cast<std::size_t>(b.layout.size()));
    };
    std::vector<std::size_t> placed;
    std::size_t arena = 0;
    for (const std::size_t i : order) {
        Buffer& buffer = buffers[i];
        std::vector<const Buffer*> rivals;
        for (const std::size_t j : placed) {
            if (buffers[j].overlaps_in_time(buffer)) rivals.push_back(&buffers[j]);
        }
        sort_by(rivals, [](const Buffer* a, const Buffer* b) { return a->offset < b->offset; });
        buffer.offset = 0;
        for (const Buffer* rival : rivals) {
            if (end_of(buffer) <= rival->offset) break;
            buffer.offset = std::max(buffer.offset, end_of(*rival));
        }
        arena = std::max(arena, end_of(buffer));
        placed.push_back(i);
    }
    return arena;
}

}  // namespace detail

/// `graph` after all passes. `unstored`, by node: values that need no place, an input that is read
/// as it is, or what the one step that reads it computes itself; that step reads their inputs.
LUMBAR_COLD inline MemoryPlan plan_memory(const Graph& graph, const std::vector<Shape>& shapes,
                                          int lanes, const std::vector<bool>& unstored) {
    MemoryPlan plan;
    plan.places.resize(shapes.size());
    const auto borders = detail::borders_needed(graph, shapes);
    // Concatenations stand after what they join: from the back, a slice's home is known first.
    for (int id = graph.size() - 1; id >= 0; --id) {
        const Node& node = graph.node(id);
        const std::size_t i = static_cast<std::size_t>(id);
        Place& place = plan.places[i];
        place.shape = shapes[i];
        if (unstored[i]) continue;
        if (node.slice) {
            const Place& home = plan.places[static_cast<std::size_t>(node.slice->concat)];
            place.buffer = home.buffer;
            place.first_group = home.first_group + node.slice->first_channel / lanes;
        } else {
            place.buffer = static_cast<int>(plan.buffers.size());
            plan.buffers.push_back({.layout = {shapes[i], lanes, {}}, .first = id, .last = id});
        }
        Buffer& b = plan.buffers[static_cast<std::size_t>(place.buffer)];
        b.layout.border = widest(b.layout.border, borders[i]);
        b.first = std::min(b.first, id);
    }
    const auto alive_at = [&](int value, int when) {
        const int buffer = plan.places[static_cast<std::size_t>(value)].buffer;
        if (buffer < 0) return;
        Buffer& b = plan.buffers[static_cast<std::size_t>(buffer)];
        b.last = std::max(b.last, when);
    };
    for (int id = 0; id < graph.size(); ++id) {
        for (const int input : graph.node(id).inputs) {
            alive_at(input, id);
            if (!unstored[static_cast<std::size_t>(input)]) continue;
            for (const int before : graph.node(input).inputs) alive_at(before, id);
        }
    }
    for (const int id : graph.outputs()) alive_at(id, graph.size());
    plan.arena_floats = detail::place_buffers(plan.buffers);
    return plan;
}

LUMBAR_NAMESPACE_END
