// The parameters of a graph: the tensors that a checkpoint has to hold.
#pragma once

#include <lumbar/graph/graph.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// One tensor of a checkpoint.
struct Parameter {
    enum class Role { filter, bias, gain, shift, mean, variance };
    std::string name;
    std::vector<std::int64_t> shape;
    Role role = Role::filter;
    int node = -1;

    /// Learned, as papers count (running statistics are not).
    bool learned() const { return role != Role::mean && role != Role::variance; }
    std::int64_t size() const {
        std::int64_t product = 1;
        for (const std::int64_t extent : shape) product *= extent;
        return product;
    }
};

/// All parameters, in the order of the nodes; also those of folded batch normalisations.
LUMBAR_COLD inline std::vector<Parameter> parameters(const Graph& graph) {
    using Role = Parameter::Role;
    std::vector<Parameter> result;
    for (int id = 0; id < graph.size(); ++id) {
        const Node& node = graph.node(id);
        const auto add = [&](const std::string& name, std::vector<std::int64_t> shape, Role role) {
            result.push_back({name, std::move(shape), role, id});
        };
        const auto add_batch_norm = [&](const std::string& name) {
            add(name + ".weight", {node.channels}, Role::gain);
            add(name + ".bias", {node.channels}, Role::shift);
            add(name + ".running_mean", {node.channels}, Role::mean);
            add(name + ".running_var", {node.channels}, Role::variance);
        };
        const auto in_channels = [&] { return graph.node(node.inputs[0]).channels; };
        if (const auto* c = node.as<op::Conv>()) {
            add(node.name + ".weight",
                {c->out_channels, in_channels() / std::max(c->groups, 1), c->kernel.h, c->kernel.w},
                Role::filter);
            if (c->bias) add(node.name + ".bias", {c->out_channels}, Role::bias);
        } else if (const auto* l = node.as<op::Linear>()) {
            add(node.name + ".weight", {l->outputs, std::int64_t{in_channels()} * l->pixels},
                Role::filter);
            if (l->bias) add(node.name + ".bias", {l->outputs}, Role::bias);
        } else if (node.as<op::BatchNorm>()) {
            add_batch_norm(node.name);
        }
        if (node.batch_norm) add_batch_norm(node.batch_norm->name);
    }
    return result;
}

/// The number that papers publish: learned parameters.
inline std::int64_t parameter_count(const Graph& graph) {
    std::int64_t count = 0;
    for (const Parameter& p : parameters(graph)) count += p.learned() ? p.size() : 0;
    return count;
}

LUMBAR_NAMESPACE_END
