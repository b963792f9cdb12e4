// A graph meets a weight file: widths and classes are taken from the file, and whatever does not
// fit is listed in one error.
#pragma once

#include <lumbar/core/text.hpp>
#include <lumbar/graph/parameters.hpp>
#include <lumbar/graph/passes/resolve_shortcuts.hpp>
#include <lumbar/weights/weights.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// Equal, or a vector with leading ones (older files hold batch norms as [1, C]), or a matrix with
/// trailing ones (classifiers that are 1x1 convolutions).
LUMBAR_COLD inline bool same_shape(const Dims& found, const std::vector<std::int64_t>& expected) {
    std::vector<std::int64_t> shape(found.begin(), found.end());
    while (expected.size() == 1 && shape.size() > 1 && shape.front() == 1)
        shape.erase(shape.begin());
    while (expected.size() == 2 && shape.size() > 2 && shape.back() == 1) shape.pop_back();
    return shape == expected;
}

LUMBAR_COLD inline std::string shape_text(const std::vector<std::int64_t>& shape) {
    Dims dims;
    for (const std::int64_t extent : shape) dims.push_back(extent);
    return to_string(dims);
}

/// The graph with every convolution and linear layer as wide as the file's filters, where that is
/// consistent from the input to the outputs; nothing otherwise. (Width multipliers, wide and pruned
/// variants, any number of classes.)
LUMBAR_COLD inline std::optional<Graph> take_widths(Graph graph, const Weights& weights) {
    for (int id = 0; id < graph.size(); ++id) {
        Node& node = graph.node(id);
        if (node.as<op::Input>()) continue;
        const int in = graph.node(node.inputs[0]).channels;
        const TensorData* filter = weights.find(node.name + ".weight");
        const auto extent = [&](std::size_t i) {
            return filter && i < filter->shape.rank() ? filter->shape[i] : 1;
        };
        constexpr std::int64_t kMaxChannels = 1 << 20;
        if (auto* c = node.as<op::Conv>()) {
            if (!filter || extent(0) < 1 || extent(0) > kMaxChannels) return std::nullopt;
            const int out = static_cast<int>(extent(0));
            // A depthwise convolution has as many groups as its input has channels.
            if (c->groups > 1 && extent(1) == 1 && c->groups == c->out_channels) c->groups = in;
            if (in % c->groups || out % c->groups || extent(1) != in / c->groups ||
                extent(2) != c->kernel.h || extent(3) != c->kernel.w) {
                return std::nullopt;
            }
            node.channels = c->out_channels = out;
        } else if (auto* l = node.as<op::Linear>()) {
            if (!filter || extent(0) < 1 || extent(0) > kMaxChannels ||
                extent(1) != std::int64_t{in} * l->pixels || extent(2) != 1 || extent(3) != 1) {
                return std::nullopt;
            }
            node.channels = l->outputs = static_cast<int>(extent(0));
        } else if (node.as<op::Concat>()) {
            node.channels = 0;
            for (const int input : node.inputs) node.channels += graph.node(input).channels;
        } else if (const auto* a = node.as<op::Add>(); a && a->where_equal) {
            node.channels = graph.node(node.inputs[1]).channels;
        } else {
            node.channels = in;
            for (const int input : node.inputs) {
                if (graph.node(input).channels != in) return std::nullopt;
            }
        }
    }
    return graph;
}

/// Only the classifier's width: what is expected of a file that does not fit otherwise.
LUMBAR_COLD inline Graph take_classes(Graph graph, const Weights& weights) {
    for (const int id : graph.outputs()) {
        Node& node = graph.node(id);
        const TensorData* filter = weights.find(node.name + ".weight");
        auto* l = node.as<op::Linear>();
        if (!l || !filter || filter->shape.rank() < 2) continue;
        if (filter->shape[0] > 0 && filter->shape[0] <= 1 << 20 &&
            filter->shape[1] == std::int64_t{graph.node(node.inputs[0]).channels} * l->pixels) {
            node.channels = l->outputs = static_cast<int>(filter->shape[0]);
        }
    }
    return graph;
}

inline bool is_ignored(const Graph& graph, std::string_view name) {
    if (name.ends_with("num_batches_tracked")) return true;
    return std::any_of(graph.ignored().begin(), graph.ignored().end(),
                       [&](const std::string& prefix) { return name.starts_with(prefix); });
}

/// "2 tensors are missing: a, b"
LUMBAR_COLD inline void add_list(std::string& message, std::vector<std::string> items,
                                 const char* what) {
    if (items.empty()) return;
    message += cat({(message.empty() ? "" : "; "), items.size(),
                    (items.size() == 1 ? " tensor is " : " tensors are "), what, ": "});
    for (std::size_t i = 0; i < items.size(); ++i) message += (i ? ", " : "") + items[i];
}

}  // namespace detail

/// The graph as the file's tensors make it. An Error lists every tensor that is missing, extra or
/// misshapen (with both shapes), or of a type that is no floating-point number.
LUMBAR_COLD inline Result<Graph> try_bind_weights(const Graph& nominal, const Weights& weights,
                                                  bool allow_extra) {
    if (nominal.error()) return *nominal.error();
    std::optional<Graph> wide = detail::take_widths(nominal, weights);
    const Graph graph = wide ? std::move(*wide) : detail::take_classes(nominal, weights);

    std::vector<std::string> missing, misshapen, unreadable, extra;
    // By their places in `weights`, which are by name.
    std::vector<bool> expected(weights.tensors().size());
    for (const Parameter& p : parameters(graph)) {
        const TensorData* found = weights.find(p.name);
        if (!found) {
            missing.push_back(p.name);
            continue;
        }
        expected[static_cast<std::size_t>(found - weights.begin())] = true;
        if (!detail::same_shape(found->shape, p.shape)) {
            misshapen.push_back(detail::cat({p.name, " (expected ", detail::shape_text(p.shape),
                                             ", found ", to_string(found->shape), ")"}));
        } else if (!is_readable_float(found->dtype)) {
            unreadable.push_back(detail::cat({p.name, " (", to_string(found->dtype), ")"}));
        }
    }
    for (std::size_t i = 0; i < expected.size() && !allow_extra; ++i) {
        const std::string_view name = weights.tensors()[i].name;
        if (!expected[i] && !detail::is_ignored(graph, name)) extra.emplace_back(name);
    }
    std::string message;
    detail::add_list(message, std::move(missing), "missing");
    detail::add_list(message, std::move(misshapen), "misshapen");
    detail::add_list(message, std::move(unreadable), "not of a floating-point type");
    detail::add_list(message, std::move(extra), "not part of the network");
    if (!message.empty()) {
        return Error(Error::Code::weights, detail::cat({weights.source(), " does not fit ",
                                                        graph.name(), ": ", message}));
    }
    return resolve_shortcuts(graph);
}

LUMBAR_NAMESPACE_END
