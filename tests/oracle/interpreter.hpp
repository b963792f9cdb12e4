// What a graph means: every node's value in double precision, from the naive operators of
// oracle.hpp. Understands what passes write into nodes (folded batch norms, residuals,
// activations), so that a graph can be held against the one that a pass was given. Slices are where
// values live, not what they are: ignored.
#pragma once

#include <oracle/oracle.hpp>

#include <lumbar/graph/graph.hpp>
#include <lumbar/graph/shapes.hpp>
#include <lumbar/weights/weights.hpp>

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace oracle {

/// The tensor of that name in row-major order. Throws where there is none.
inline std::vector<float> tensor_values(const lumbar::Weights& weights, const std::string& name) {
    const lumbar::TensorData* tensor = weights.find(name);
    if (!tensor) {
        lumbar::Status::raise(lumbar::Error(lumbar::Error::Code::weights, "no tensor " + name));
    }
    std::vector<float> values(static_cast<std::size_t>(tensor->size()));
    lumbar::read_floats(*tensor, 0, values);
    return values;
}

inline Array batch_norm(const Array& x, const lumbar::Weights& weights, const std::string& name,
                        double epsilon) {
    return batch_norm(x, tensor_values(weights, name + ".weight"),
                      tensor_values(weights, name + ".bias"),
                      tensor_values(weights, name + ".running_mean"),
                      tensor_values(weights, name + ".running_var"), epsilon);
}

/// The operation of one node on its operands, without what passes added to it.
inline Array apply(const lumbar::Node& node, const std::vector<const Array*>& in,
                   const lumbar::Weights& weights) {
    namespace op = lumbar::op;
    const auto bias = [&](bool has) {
        return has ? tensor_values(weights, node.name + ".bias") : std::vector<float>();
    };
    const auto filters = [&] { return tensor_values(weights, node.name + ".weight"); };
    if (const auto* c = node.as<op::Conv>()) {
        return conv2d(*in[0], filters(), bias(c->bias), geometry_of(*c, in[0]->shape));
    }
    if (const auto* l = node.as<op::Linear>()) {
        return linear(*in[0], filters(), bias(l->bias), l->outputs);
    }
    if (const auto* p = node.as<op::Pool>()) return pool(*in[0], geometry_of(*p, in[0]->shape));
    if (const auto* b = node.as<op::BatchNorm>()) {
        return batch_norm(*in[0], weights, node.name, b->epsilon);
    }
    if (const auto* a = node.as<op::Activate>()) return activate(*in[0], a->function);
    if (const auto* a = node.as<op::Add>()) {
        return a->where_equal && in[0]->shape.c != in[1]->shape.c ? *in[1] : add(*in[0], *in[1]);
    }
    if (node.as<op::ScaleChannels>()) return scale_channels(*in[0], *in[1]);
    if (node.as<op::Softmax>()) return softmax(*in[0]);
    if (const auto* n = node.as<op::LocalResponseNorm>()) {
        return local_response_norm(*in[0], n->size, static_cast<double>(n->alpha),
                                   static_cast<double>(n->beta), static_cast<double>(n->k));
    }
    if (const auto* p = node.as<op::PadChannels>())
        return pad_channels(*in[0], p->before, p->after);
    std::vector<Array> parts;  // a concatenation
    for (const Array* part : in) parts.push_back(*part);
    return concat(parts);
}

/// x plus `factor` times what a pointwise convolution makes of zeros, batch norm included.
inline Array add_bias(Array x, const lumbar::Node& conv, const lumbar::Weights& weights,
                      double factor) {
    Array zeros(
        {1, static_cast<int>(weights.find(conv.name + ".weight")->size() / conv.channels), 1, 1});
    Array bias = apply(conv, {&zeros}, weights);
    if (conv.batch_norm) {
        bias = batch_norm(bias, weights, conv.batch_norm->name, conv.batch_norm->epsilon);
    }
    for (int n = 0; n < x.shape.n; ++n)
        for (int c = 0; c < x.shape.c; ++c)
            for (int i = 0; i < x.shape.h; ++i)
                for (int k = 0; k < x.shape.w; ++k) x(n, c, i, k) += factor * bias(0, c, 0, 0);
    return x;
}

/// The value of every node, by node, for an image of plain NCHW values.
inline std::vector<Array> interpret(const lumbar::Graph& graph, const Array& image,
                                    const lumbar::Weights& weights) {
    std::vector<Array> values;
    values.reserve(graph.nodes().size());
    for (const lumbar::Node& node : graph.nodes()) {
        if (node.as<lumbar::op::Input>()) {
            values.push_back(image);
            continue;
        }
        std::vector<const Array*> in;
        for (const int id : node.inputs) in.push_back(&values[static_cast<std::size_t>(id)]);
        Array value = apply(node, in, weights);
        if (node.batch_norm) {
            value = batch_norm(value, weights, node.batch_norm->name, node.batch_norm->epsilon);
        }
        if (node.bias_later) value = add_bias(value, node, weights, -1);
        if (const lumbar::Node& before = graph.node(node.inputs[0]); before.bias_later) {
            value = add_bias(value, before, weights, 1);
        }
        if (node.residual) value = add(value, *in.back());
        values.push_back(activate(value, node.activation));
    }
    return values;
}

/// The values of the graph's outputs alone, in their order.
inline std::vector<Array> interpret_outputs(const lumbar::Graph& graph, const Array& image,
                                            const lumbar::Weights& weights) {
    const std::vector<Array> values = interpret(graph, image, weights);
    std::vector<Array> outputs;
    for (const int id : graph.outputs()) outputs.push_back(values[static_cast<std::size_t>(id)]);
    return outputs;
}

}  // namespace oracle
