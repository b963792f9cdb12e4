// A weight file whose tensors have other names than the graph: the dialect is recognised by the
// names that are there, and the tensors are seen under the graph's names from then on.
#pragma once

#include <lumbar/graph/parameters.hpp>
#include <lumbar/weights/weights.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// What Keras calls the parameters that a graph knows by their roles.
LUMBAR_COLD inline const char* keras_part(Parameter::Role role) {
    switch (role) {
        case Parameter::Role::filter: return "/kernel";
        case Parameter::Role::bias: return "/bias";
        case Parameter::Role::gain: return "/gamma";
        case Parameter::Role::shift: return "/beta";
        case Parameter::Role::mean: return "/moving_mean";
        case Parameter::Role::variance: return "/moving_variance";
    }
    return "";
}

/// The name of a parameter in a dialect. Keras's files, whose converters keep more or less of the
/// path, have up to five spellings of one; what is beyond the last spelling is empty.
LUMBAR_COLD inline std::string name_in(const Dialect& dialect, const Parameter& p, int spelling) {
    const std::size_t dot = p.name.rfind('.');
    const std::string layer = layer_name(dialect, std::string_view(p.name).substr(0, dot));
    if (dialect.style == TensorStyle::torch) {
        return spelling > 0 ? "" : cat({layer, std::string_view(p.name).substr(dot)});
    }
    const bool filter = p.role == Parameter::Role::filter;
    const char* const part = spelling > 2 && filter ? "/depthwise_kernel" : keras_part(p.role);
    switch (spelling) {
        case 0: return cat({layer, part});
        case 1: return cat({layer, part, ":0"});
        case 2: return cat({layer, "/", layer, part, ":0"});
        case 3: return filter ? cat({layer, part}) : "";
        case 4: return filter ? cat({layer, "/", layer, part, ":0"}) : "";
        default: return "";
    }
}

LUMBAR_COLD inline const TensorData* find_in(const Dialect& dialect, const Parameter& p,
                                             std::string_view prefix, const Weights& weights) {
    for (int spelling = 0;; ++spelling) {
        const std::string name = name_in(dialect, p, spelling);
        if (name.empty()) return nullptr;
        if (const TensorData* found = weights.find(cat({prefix, name}))) return found;
    }
}

/// One way to read a file. `prefix`: what stands before the names ("module.", "model."), in the
/// text of one of the file's names.
struct Reading {
    const Dialect* dialect = nullptr;
    std::string_view prefix;
    std::size_t found = 0;
};

/// What may stand before the names in this file: nothing, or what stands before the first
/// parameter, the shortest first. A few are enough: longer ones end within the network.
LUMBAR_COLD inline std::size_t find_prefixes(const Dialect& dialect, const Parameter& first,
                                             const Weights& weights,
                                             std::string_view (&prefixes)[8]) {
    std::size_t count = 1;
    prefixes[0] = {};
    for (int spelling = 0;; ++spelling) {
        const std::string name = name_in(dialect, first, spelling);
        if (name.empty()) return count;
        for (const TensorData& tensor : weights.tensors()) {
            if (!tensor.name.ends_with(name)) continue;
            std::string_view prefix = tensor.name.substr(0, tensor.name.size() - name.size());
            if (!prefix.ends_with('.') && !prefix.ends_with('/')) continue;
            for (std::size_t i = 0; i < count; ++i) {
                if (prefix.size() < prefixes[i].size()) std::swap(prefix, prefixes[i]);
            }
            if (count < std::size(prefixes)) prefixes[count++] = prefix;
        }
    }
}

/// The way that finds the most of the graph's tensors; of equals the first: the graph's own names,
/// then its dialects in their order.
LUMBAR_COLD inline Reading best_reading(const Graph& graph, const std::vector<Parameter>& wanted,
                                        const Dialect& own, const Weights& weights) {
    Reading best{&own, {}, 0};
    for (std::size_t i = 0; i <= graph.dialects().size(); ++i) {
        const Dialect& dialect = i == 0 ? own : graph.dialects()[i - 1];
        std::string_view prefixes[8];
        const std::size_t count = find_prefixes(dialect, wanted[0], weights, prefixes);
        for (std::size_t k = 0; k < count; ++k) {
            Reading reading{&dialect, prefixes[k], 0};
            for (const Parameter& p : wanted) {
                if (find_in(dialect, p, reading.prefix, weights)) ++reading.found;
            }
            if (reading.found > best.found) best = reading;
            if (best.found == wanted.size()) return best;
        }
    }
    return best;
}

/// A Keras tensor as PyTorch orders its elements: [h, w, in, out] -> [out, in, h, w], where the
/// filters of a depthwise convolution are [h, w, channels, 1] -> [channels, 1, h, w]; and
/// [h * w * in, out] -> [out, in, h, w] in front of a classifier. Nothing is copied.
LUMBAR_COLD inline void from_keras(TensorData& t, const Parameter& p, const Graph& graph) {
    if (p.role != Parameter::Role::filter) return;
    const Node& node = graph.node(p.node);
    const auto* c = node.as<op::Conv>();
    const auto* l = node.as<op::Linear>();
    Dims& d = t.shape;
    Dims& step = t.strides;
    if (d.rank() == 4) {
        const std::size_t out = c && c->groups > 1 ? 2 : 3, in = 5 - out;
        step = {step[out], step[in], step[0], step[1]};
        d = {d[out], d[in], d[0], d[1]};
    } else if (d.rank() == 2 && l && l->pixels > 1 && d[0] % l->pixels == 0) {
        // Rows, columns, channels; here channels, rows and columns.
        const std::int64_t channels = d[0] / l->pixels;
        step = {step[1], step[0], channels * step[0]};
        d = {d[1], channels, l->pixels};
    } else if (d.rank() == 2) {
        step = {step[1], step[0]};
        d = {d[1], d[0]};
    }
}

/// The numerics that come with a dialect.
LUMBAR_COLD inline void take_numerics(Graph& graph, const Dialect& dialect) {
    for (Node& node : graph.nodes()) {
        auto* norm = node.as<op::BatchNorm>();
        if (norm && dialect.epsilon > 0) norm->epsilon = dialect.epsilon;
        auto* c = node.as<op::Conv>();
        if (c && dialect.same_padding && c->padding != Padding{}) {
            c->padding = {};
            c->mode = PaddingMode::same;
        }
    }
}

}  // namespace detail

/// The dialect of the graph that the weights are in, or nullptr where the graph's own names fit
/// them best.
LUMBAR_COLD inline const Dialect* recognise_dialect(const Graph& graph, const Weights& weights) {
    const std::vector<Parameter> wanted = parameters(graph);
    if (wanted.empty()) return nullptr;
    const Dialect own;
    const Dialect* const best = detail::best_reading(graph, wanted, own, weights).dialect;
    return best == &own ? nullptr : best;
}

/// The weights under the graph's names. Where a prefix ("module.") or a dialect of the graph fits
/// the file better than the graph's own names do, the tensors that it names are renamed, and the
/// graph gets the dialect's numerics; all others stay as they are. Copies no elements.
LUMBAR_COLD inline Weights in_names_of(Graph& graph, const Weights& weights) {
    const std::vector<Parameter> wanted = parameters(graph);
    if (wanted.empty()) return weights;
    const Dialect own;
    const detail::Reading reading = detail::best_reading(graph, wanted, own, weights);
    if (reading.dialect == &own && reading.prefix.empty()) return weights;
    detail::take_numerics(graph, *reading.dialect);

    Weights::Builder builder(weights.source());
    builder.keep(std::make_shared<const Weights>(weights));
    builder.set_metadata(weights.metadata());
    builder.reserve(weights.size());
    std::vector<bool> renamed(weights.size());
    for (const Parameter& p : wanted) {
        const TensorData* found = detail::find_in(*reading.dialect, p, reading.prefix, weights);
        if (!found) continue;
        TensorData view = *found;
        if (reading.dialect->style == TensorStyle::keras) detail::from_keras(view, p, graph);
        builder.add(p.name, view);
        renamed[static_cast<std::size_t>(found - weights.begin())] = true;
    }
    for (std::size_t i = 0; i < renamed.size(); ++i) {
        const TensorData& tensor = weights.tensors()[i];
        if (renamed[i]) continue;
        std::string_view name = tensor.name;
        // For Graph::ignore: auxiliary heads stand behind the prefix too.
        if (name.starts_with(reading.prefix)) name.remove_prefix(reading.prefix.size());
        builder.add(std::string(name), tensor);
    }
    Result<Weights> result = std::move(builder).try_build();
    return result ? std::move(*result) : weights;  // two tensors became one: not this dialect
}

LUMBAR_NAMESPACE_END
