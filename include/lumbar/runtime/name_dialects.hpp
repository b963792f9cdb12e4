// A weight file whose tensors have other names than the graph: the dialect is recognised by the
// names that are there, and the tensors are seen under the graph's names from then on.
#pragma once

#include <lumbar/graph/parameters.hpp>
#include <lumbar/weights/weights.hpp>

#include <algorithm>
#include <cstddef>
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

/// The names that a parameter may have in a dialect: one, but for Keras, whose converters keep more
/// or less of the path.
LUMBAR_COLD inline std::vector<std::string> names_in(const Dialect& dialect, const Parameter& p) {
    const std::size_t dot = p.name.rfind('.');
    const std::string layer = layer_name(dialect, std::string_view(p.name).substr(0, dot));
    if (dialect.style == TensorStyle::torch) return {layer + p.name.substr(dot)};
    const char* const part = keras_part(p.role);
    const std::string full = layer + part;
    std::vector<std::string> names{full, full + ":0", cat({layer, "/", full, ":0"})};
    if (p.role == Parameter::Role::filter) names.push_back(layer + "/depthwise_kernel");
    if (p.role == Parameter::Role::filter) {
        names.push_back(cat({layer, "/", layer, "/depthwise_kernel:0"}));
    }
    return names;
}

LUMBAR_COLD inline const TensorData* find_any(const Weights& weights, const std::string& prefix,
                                              const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        if (const TensorData* found = weights.find(prefix + name)) return found;
    }
    return nullptr;
}

/// What may stand before the names in this file ("module.", "model."): nothing, or what stands
/// before one of `names`, the shortest first. A few are enough: longer ones end within the network.
LUMBAR_COLD inline std::vector<std::string> prefixes(const Weights& weights,
                                                     const std::vector<std::string>& names) {
    constexpr std::size_t kMost = 8;
    std::vector<std::string> result{""};
    const auto add = [&](std::string_view prefix) {
        const auto longer = std::find_if(result.begin(), result.end(), [&](const std::string& s) {
            return s.size() >= prefix.size();
        });
        if (longer != result.end() && *longer == prefix) return;
        result.emplace(longer, prefix);
        if (result.size() > kMost) result.pop_back();
    };
    for (const TensorData& tensor : weights.tensors()) {
        for (const std::string& name : names) {
            if (tensor.name.size() <= name.size() || !tensor.name.ends_with(name)) continue;
            const std::string_view prefix = tensor.name.substr(0, tensor.name.size() - name.size());
            if (prefix.ends_with('.') || prefix.ends_with('/')) add(prefix);
        }
    }
    return result;
}

/// A Keras tensor as PyTorch orders its elements: [h, w, in, out] -> [out, in, h, w], where the
/// filters of a depthwise convolution are [h, w, channels, 1] -> [channels, 1, h, w]; and
/// [h * w * in, out] -> [out, in, h, w] in front of a classifier. Nothing is copied.
LUMBAR_COLD inline void from_keras(TensorData& t, const Parameter& p, const Graph& graph) {
    const auto permute = [&t](std::initializer_list<std::size_t> order) {
        Dims shape, strides;
        for (const std::size_t i : order) {
            shape.push_back(t.shape[i]);
            strides.push_back(t.strides[i]);
        }
        t.shape = shape;
        t.strides = strides;
    };
    if (p.role != Parameter::Role::filter) return;
    const Node& node = graph.node(p.node);
    const auto* c = node.as<op::Conv>();
    const auto* l = node.as<op::Linear>();
    if (t.shape.rank() == 4) {
        c && c->groups > 1 ? permute({2, 3, 0, 1}) : permute({3, 2, 0, 1});
    } else if (l && t.shape.rank() == 2 && l->pixels > 1 && t.shape[0] % l->pixels == 0) {
        // Rows, columns, channels; here channels, rows and columns.
        const std::int64_t pixels = l->pixels, channels = t.shape[0] / pixels;
        const std::int64_t row = t.strides[0];
        t.strides = {t.strides[1], row, channels * row};
        t.shape = {t.shape[1], channels, pixels};
    } else if (t.shape.rank() == 2) {
        permute({1, 0});
    }
}

/// One way to read a file.
struct Reading {
    const Dialect* dialect = nullptr;
    std::string prefix;
    std::size_t found = 0;
};

/// The way that finds the most of the graph's tensors; of equals the first: the graph's own names,
/// then its dialects in their order.
LUMBAR_COLD inline Reading best_reading(const Graph& graph, const std::vector<Parameter>& wanted,
                                        const Dialect& own, const Weights& weights) {
    std::vector<const Dialect*> dialects{&own};
    for (const Dialect& d : graph.dialects()) dialects.push_back(&d);
    Reading best{&own, "", 0};
    for (const Dialect* dialect : dialects) {
        std::vector<std::vector<std::string>> names;
        for (const Parameter& p : wanted) names.push_back(names_in(*dialect, p));
        for (const std::string& prefix : prefixes(weights, names[0])) {
            Reading reading{dialect, prefix, 0};
            for (const auto& of_one : names) {
                if (find_any(weights, prefix, of_one)) ++reading.found;
            }
            if (reading.found > best.found) best = reading;
            if (best.found == wanted.size()) return best;
        }
    }
    return best;
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
        const TensorData* found =
            detail::find_any(weights, reading.prefix, detail::names_in(*reading.dialect, p));
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
