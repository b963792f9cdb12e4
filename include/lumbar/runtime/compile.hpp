// compile(): graph + weights + options -> Network. Binds the weights, runs the passes, plans
// memory, packs weights, and lists the steps.
#pragma once

#include <lumbar/core/cpu_count.hpp>
#include <lumbar/graph/passes/elide_concat.hpp>
#include <lumbar/graph/passes/fold_batch_norm.hpp>
#include <lumbar/graph/passes/fuse_activation.hpp>
#include <lumbar/graph/passes/fuse_residual.hpp>
#include <lumbar/graph/passes/pool_after_pointwise.hpp>
#include <lumbar/runtime/bind_weights.hpp>
#include <lumbar/runtime/name_dialects.hpp>
#include <lumbar/runtime/network.hpp>
#include <lumbar/runtime/step_maker.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// A linear layer reads an image as one run of memory, all lanes: where its input has a border for
/// another reader, or shares its last lanes with another slice, a copy (a concatenation of one)
/// goes between.
LUMBAR_COLD inline Graph isolate_linear_inputs(Graph graph, const std::vector<Shape>& shapes,
                                               int lanes) {
    const MemoryPlan plan = plan_memory(graph, shapes, lanes, std::vector<bool>(shapes.size()));
    std::vector<Node> nodes;
    std::vector<int> renumbered;
    for (Node node : graph.nodes()) {
        const int original = node.inputs.empty() ? -1 : node.inputs[0];
        for (int& input : node.inputs) input = renumbered[static_cast<std::size_t>(input)];
        const bool shared_lanes =
            original >= 0 && graph.node(original).slice && graph.node(original).channels % lanes;
        if (node.as<op::Linear>() &&
            (shared_lanes || plan.view(original, nullptr).border != Padding{})) {
            Node copy;
            copy.operation = op::Concat{};
            copy.name = node.name + " input";
            copy.inputs = {node.inputs[0]};
            copy.channels = nodes[static_cast<std::size_t>(node.inputs[0])].channels;
            nodes.push_back(std::move(copy));
            node.inputs[0] = static_cast<int>(nodes.size()) - 1;
        }
        renumbered.push_back(static_cast<int>(nodes.size()));
        nodes.push_back(std::move(node));
    }
    for (Node& node : nodes) {
        if (node.slice)
            node.slice->concat = renumbered[static_cast<std::size_t>(node.slice->concat)];
    }
    for (int& output : graph.outputs()) output = renumbered[static_cast<std::size_t>(output)];
    graph.nodes() = std::move(nodes);
    return graph;
}

/// Into how many lots, each for one thread, a batch is cut: so threads need not wait for each
/// other, and activations stay in the caches. (ResNet-50, 8 images on one thread: lots of 1, 2, 4,
/// 8 give 16.8, 16.5, 15.9, 14.8 images per second, from 7, 14, 29, 58 MB.) One: too few for the
/// threads, which then share every step.
LUMBAR_COLD inline int lots_of(const Graph& graph, int batch, int threads) {
    std::int64_t linear = 0;
    for (const Node& node : graph.nodes()) {
        const auto* l = node.as<op::Linear>();
        if (!l) continue;
        linear += std::int64_t{l->pixels} * node.channels * graph.node(node.inputs[0]).channels;
    }
    // Large linear layers wait for their weights, and use them for four images. (VGG-16: lots of 1
    // give 9.9, lots of 4 give 11.2 images per second.)
    for (int images = linear > 8'000'000 ? kMaxLinearImages : 1; images > 0; --images) {
        const int lots = batch / images;
        // Threads that have no lot left wait for the others: for an eighth of the time at most.
        if (batch % images == 0 && ceil_div(lots, threads) * threads <= 9 * lots / 8) return lots;
    }
    return 1;
}

/// Everything after the weights are bound and the executor is chosen.
LUMBAR_COLD inline Result<Network> finish_plan(std::shared_ptr<Plan> plan) {
    const CompileOptions& o = plan->options;
    plan->kernels = o.kernels ? o.kernels : &native_kernels();
    const int lanes = plan->kernels->lanes;
    if (o.bfloat16 && (o.bfloat16->lanes != lanes || lanes == 1)) {
        return Error(Error::Code::argument,
                     cat({plan->source.name(), ": kernels of bfloat16 for ", o.bfloat16->lanes,
                          " lanes beside those of ", plan->kernels->isa, " for ", lanes,
                          "; take both from one instruction set with vectors"}));
    }
    if (o.bfloat16 && o.exact) {
        return Error(
            Error::Code::argument,
            plan->source.name() + ": exact and bfloat16 exclude each other; leave out one of them");
    }
    // Before the passes: what is wrong is told by the nodes' own names.
    auto shapes = try_infer_shapes(plan->source, o.batch, {o.height, o.width});
    if (!shapes) return shapes.error();
    Graph graph = fuse_activation(fuse_residual(fold_batch_norm(plan->source)));
    graph = pool_after_pointwise(std::move(graph));
    graph = elide_concat(std::move(graph), lanes);
    const int threads = plan->executor ? plan->executor->concurrency() : 1;
    plan->lots = lots_of(graph, o.batch, threads);
    plan->lots_at_once = std::min(plan->lots, threads);
    const int images = o.batch / plan->lots;
    if (graph.outputs().empty()) {
        return Error(Error::Code::graph, graph.name() + ": has no output");
    }
    shapes = try_infer_shapes(graph, images, {o.height, o.width});
    if (!shapes) return shapes.error();
    graph = isolate_linear_inputs(std::move(graph), *shapes, lanes);
    shapes = try_infer_shapes(graph, images, {o.height, o.width});
    if (!shapes) return shapes.error();
    plan->graph = std::move(graph);
    plan->shapes = std::move(*shapes);
    const auto of_batch = [&](int id) {
        Shape shape = plan->shapes[static_cast<std::size_t>(id)];
        shape.n = o.batch;
        return shape;
    };
    plan->input = of_batch(0);
    for (const int id : plan->graph.outputs()) plan->outputs.push_back(of_batch(id));
    std::vector<bool> unstored = fused_into_depthwise(plan->graph, plan->shapes);
    unstored[0] = reads_plain_input(plan->graph);
    if (!o.bfloat16 || !o.bfloat16->convolutions) fuse_gates(plan->graph, plan->shapes, unstored);
    plan->memory = plan_memory(plan->graph, plan->shapes, lanes, unstored);
    StepMaker(*plan).make_all();
    return Network(std::shared_ptr<const Plan>(std::move(plan)));
}

}  // namespace detail

/// Compiles a network for one input size. The weights' classes and widths win over the graph's;
/// their names may be those of any dialect that the model knows (in_names_of), behind any prefix.
/// Errors: tensors that are missing, extra or misshapen (all kinds in one message); a graph that
/// is inconsistent; an input that is too small or absurdly large. Memory that cannot be had is
/// std::bad_alloc here and in workspace(), as everywhere in C++.
LUMBAR_COLD inline Result<Network> try_compile(const Graph& graph, const Weights& weights,
                                               const CompileOptions& options = {}) {
    Graph spoken = graph;
    const Weights named = in_names_of(spoken, weights);
    Result<Graph> bound = try_bind_weights(spoken, named, options.allow_extra_tensors);
    if (!bound) return bound.error();
    auto plan = std::make_shared<detail::Plan>();
    plan->source = std::move(*bound);
    plan->weights = named;
    plan->store = std::make_shared<PackedStore>();
    plan->options = options;
    if (options.executor) {
        plan->executor = options.executor;
    } else {
        const int threads = options.threads > 0 ? options.threads : available_cpus();
        if (threads > 1) {
            plan->owned_executor = std::make_shared<ThreadPool>(threads);
            plan->executor = plan->owned_executor.get();
        }
    }
    return detail::finish_plan(std::move(plan));
}

/// As try_compile; throws the Error.
inline Network compile(const Graph& graph, const Weights& weights,
                       const CompileOptions& options = {}) {
    return try_compile(graph, weights, options).value();
}

LUMBAR_COLD inline Result<Network> Network::try_resized(const InputSize& size) const {
    auto plan = std::make_shared<detail::Plan>();
    plan->source = plan_->source;
    plan->weights = plan_->weights;
    plan->store = plan_->store;
    plan->options = plan_->options;
    plan->options.height = size.height;
    plan->options.width = size.width;
    plan->options.batch = size.batch;
    plan->owned_executor = plan_->owned_executor;
    plan->executor = plan_->executor;
    return detail::finish_plan(std::move(plan));
}

LUMBAR_NAMESPACE_END
