// compile(): graph + weights + options -> Network. Binds the weights, runs the passes, plans
// memory, packs weights, and lists the steps.
#pragma once

#include <lumbar/core/cpu_count.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/graph/cost.hpp>
#include <lumbar/graph/passes/elide_concat.hpp>
#include <lumbar/graph/passes/fold_batch_norm.hpp>
#include <lumbar/graph/passes/fuse_activation.hpp>
#include <lumbar/graph/passes/fuse_residual.hpp>
#include <lumbar/runtime/algorithm.hpp>
#include <lumbar/runtime/bind_weights.hpp>
#include <lumbar/runtime/filter_reader.hpp>
#include <lumbar/runtime/network.hpp>

#include <algorithm>
#include <bit>
#include <memory>
#include <string>
#include <utility>
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

inline bool is_depthwise(const ConvGeometry& g, const Node& node) {
    return g.depthwise() && !node.residual && g.groups > 1;
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
        fused[i] =
            is_depthwise(geometry_of(*depthwise, shapes[i]), node) &&
            geometry_of(*pointwise, shapes[static_cast<std::size_t>(wide.inputs[0])]).pointwise();
    }
    return fused;
}

/// Makes the steps of a plan whose graph, shapes and memory are there.
class StepMaker {
   public:
    explicit StepMaker(Plan& plan) : plan_(plan), plain_(reads_plain_input(plan.graph)) {}

    LUMBAR_COLD void make_all() {
        const Graph& graph = plan_.graph;
        for (int id = 0; id < graph.size(); ++id) make(id);
        for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
            const int id = graph.outputs()[i];
            add(id, "export", ExportStep{id, static_cast<int>(i)});
        }
    }

   private:
    int threads() const { return plan_.executor ? plan_.executor->concurrency() : 1; }
    const Shape& shape(int id) const { return plan_.shapes[static_cast<std::size_t>(id)]; }

    LUMBAR_COLD void make(int id) {
        const Node& node = plan_.graph.node(id);
        const Epilogue epilogue = Epilogue::of(node.activation);
        const auto input = [&](std::size_t i) { return node.inputs[i]; };
        if (node.as<op::Input>()) {
            if (!plain_) add(id, "import", ImportStep{id});
        } else if (const auto* c = node.as<op::Conv>()) {
            make_conv(id, *c, epilogue);
        } else if (const auto* l = node.as<op::Linear>()) {
            const Shape& in = shape(input(0));
            LinearLayer layer(*plan_.kernels, in, l->outputs);
            // Not the batch: it changes nothing about the weights.
            PackedWeights packed = pack(node, layer, cat({"linear ", in.h, "x", in.w}));
            add(id, "linear",
                LinearStep{std::move(layer), std::move(packed), input(0), id, epilogue});
        } else if (const auto* p = node.as<op::Pool>()) {
            const Shape& in = shape(input(0));
            add(id, "pool",
                PoolStep{Pooling(*plan_.kernels, geometry_of(*p, in), in), input(0), id});
        } else if (node.as<op::Softmax>()) {
            add(id, "softmax", ChannelsStep{AcrossChannels::softmax(*plan_.kernels), input(0), id});
        } else if (const auto* n = node.as<op::LocalResponseNorm>()) {
            const LrnParameters lrn{n->size, n->alpha, n->beta, n->k};
            add(id, "lrn",
                ChannelsStep{AcrossChannels::local_response_norm(*plan_.kernels, lrn), input(0),
                             id});
        } else if (node.as<op::Concat>()) {
            make_concat(id);
        } else {
            PixelwiseStep step{Pixelwise(*plan_.kernels), nullptr, input(0), id, -1, -1, epilogue};
            if (node.as<op::Add>()) step.addend = input(1);
            if (node.as<op::ScaleChannels>()) step.gate = input(1);
            if (const auto* a = node.as<op::Activate>()) step.epilogue = Epilogue::of(a->function);
            if (const auto* b = node.as<op::BatchNorm>()) step.affine = pack_affine(node, *b);
            add(id, "pixelwise", std::move(step));
        }
    }

    LUMBAR_COLD void make_conv(int id, const op::Conv& c, const Epilogue& epilogue) {
        const Node& node = plan_.graph.node(id);
        const int in = node.inputs[0];
        const ConvGeometry geometry = geometry_of(c, shape(in));
        if (plan_.memory.place(id).buffer < 0)
            return;  // the depthwise convolution after it does it
        if (is_depthwise(geometry, node)) {
            if (plan_.memory.place(in).buffer < 0 && !plan_.graph.node(in).as<op::Input>()) {
                make_conv_depthwise(id, geometry, epilogue);
                return;
            }
            DepthwiseConv layer(*plan_.kernels, geometry);
            PackedWeights packed = pack(node, layer, "depthwise");
            add(id, "depthwise",
                DepthwiseStep{std::move(layer), std::move(packed), in, id, epilogue});
            return;
        }
        const bool plain = plain_ && plan_.graph.node(in).as<op::Input>();
        const ConvValues values{in, id, node.residual ? node.inputs.back() : -1, plain, epilogue};
        const Shape& out = shape(id);
        if (!plan_.options.exact && !plain && epilogue.is_clamp()) {
            if (const WinogradTile* tile = choose_tile(geometry, out)) {
                make_winograd(id, *tile, geometry, values);
                return;
            }
        }
        const bool flat = geometry.pointwise() && !plain &&
                          plan_.memory.view(in, nullptr).dense() &&
                          plan_.memory.view(id, nullptr).dense();
        DirectConv layer(*plan_.kernels, geometry,
                         {.plain_input = plain,
                          .row_pixels = flat ? out.h * out.w : out.w,
                          .destinations = {},
                          .bands = bands_for(geometry, shape(in), out)});
        const std::string algorithm = cat({plain ? "plain " : "direct ", layer.tile_groups()});
        PackedWeights packed = pack(node, layer, algorithm);
        const std::size_t scratch = layer.scratch_size(out);
        add(id, algorithm, ConvStep<DirectConv>{std::move(layer), std::move(packed), values},
            scratch);
    }

    /// The depthwise convolution `id` with the pointwise one before it.
    LUMBAR_COLD void make_conv_depthwise(int id, const ConvGeometry& geometry,
                                         const Epilogue& epilogue) {
        const Node& node = plan_.graph.node(id);
        const Node& wide = plan_.graph.node(node.inputs[0]);
        const int in = wide.inputs[0];
        ConvDepthwise layer(*plan_.kernels, geometry_of(*wide.as<op::Conv>(), shape(in)), geometry,
                            shape(node.inputs[0]), shape(id), threads());
        PackedWeights conv_packed =
            pack(wide, layer.conv(), cat({"direct ", layer.conv().tile_groups()}));
        PackedWeights packed = pack(node, layer.depthwise(), "depthwise");
        const std::size_t scratch = layer.scratch_size();
        add(id, "pointwise + depthwise",
            ConvDepthwiseStep{std::move(layer), std::move(conv_packed), std::move(packed), in, id,
                              Epilogue::of(wide.activation), epilogue},
            scratch);
    }

    LUMBAR_COLD const WinogradTile* choose_tile(const ConvGeometry& geometry,
                                                const Shape& out) const {
        AlgorithmChooser* const chooser = plan_.options.chooser;
        if (!chooser) return choose_winograd(*plan_.kernels, geometry, out);
        return chooser->choose(*plan_.kernels, geometry, {1, out.c, out.h, out.w});
    }

    LUMBAR_COLD void make_winograd(int id, const WinogradTile& tile, const ConvGeometry& geometry,
                                   const ConvValues& values) {
        const Node& node = plan_.graph.node(id);
        const int threads = this->threads();
        WinogradConv layer(*plan_.kernels, tile, geometry, shape(id), threads);
        const std::string algorithm =
            cat({"winograd ", tile.out_rows, "x", tile.out_columns, " ", layer.tile_groups()});
        PackedWeights packed = pack(node, layer, algorithm);
        if (threads == 1 || layer.blocks() >= 2 * threads) {
            const std::size_t scratch = layer.scratch_size();
            add(id, algorithm, ConvStep<WinogradConv>{std::move(layer), std::move(packed), values},
                scratch);
            return;
        }
        plan_.shared_floats = std::max(
            plan_.shared_floats,
            aligned_floats(static_cast<std::size_t>(layer.blocks()) * layer.transformed_size()));
        const auto shared = std::make_shared<const WinogradConv>(std::move(layer));
        add(id, algorithm + " transform", WinogradTransformStep{shared, values});
        add(id, algorithm, WinogradMultiplyStep{shared, std::move(packed), values},
            shared->products_size());
    }

    LUMBAR_COLD void make_concat(int id) {
        const Node& node = plan_.graph.node(id);
        int channel = 0;
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            const int input = node.inputs[i];
            const Node& branch = plan_.graph.node(input);
            const bool written = branch.slice && branch.slice->concat == id &&
                                 branch.slice->first_channel == channel;
            if (!written) add(id, "copy", CopyStep{input, id, channel});
            channel += branch.channels;
        }
    }

    template <class Layer>
    PackedWeights pack(const Node& node, const Layer& layer, const std::string& format) {
        return plan_.store->get(key_of(node, format), layer.packed_size(), [&](float* packed) {
            layer.pack(FilterReader(node, plan_.weights), packed);
        });
    }

    LUMBAR_COLD std::string key_of(const Node& node, const std::string& format) const {
        std::string key = cat({node.name, " | ", format, " | ", plan_.kernels->isa});
        if (const auto* c = node.as<op::Conv>()) {
            key += cat({" | ", plan_.graph.node(node.inputs[0]).channels, " to ", c->out_channels,
                        " in ", c->groups, (c->bias ? " | bias" : "")});
        } else if (const auto* l = node.as<op::Linear>()) {
            key += cat({" | ", l->outputs, (l->bias ? " | bias" : "")});
        }
        if (node.batch_norm) {
            key += cat({" | folded ", node.batch_norm->name, " ",
                        std::bit_cast<std::uint64_t>(node.batch_norm->epsilon)});
        }
        return key;
    }

    LUMBAR_COLD PackedWeights pack_affine(const Node& node, const op::BatchNorm& b) {
        const std::size_t padded =
            static_cast<std::size_t>(round_up(node.channels, plan_.kernels->lanes));
        return plan_.store->get(cat({node.name, " | affine | ", plan_.kernels->isa, " | ",
                                     std::bit_cast<std::uint64_t>(b.epsilon)}),
                                2 * padded, [&](float* to) {
                                    const auto norm = ChannelAffine::of_batch_norm(
                                        plan_.weights, node.name, b.epsilon);
                                    for (std::size_t i = 0; i < norm.scale.size(); ++i) {
                                        to[i] = to_normal_float(norm.scale[i]);
                                        to[padded + i] = to_normal_float(norm.shift[i]);
                                    }
                                });
    }

    /// Threads share a convolution by rows where the images are larger than the weights, which each
    /// of them reads then; by output channels where the weights are.
    int bands_for(const ConvGeometry& g, const Shape& in, const Shape& out) const {
        if (threads() == 1 || g.groups > 1) return 1;
        const std::int64_t weights = g.filter_size() * g.out_channels;
        return weights < in.size() + out.size() ? threads() : 1;
    }

    /// Work below two microseconds is not worth a second thread; above, a few chunks per thread
    /// even out what the others on the machine take away.
    int chunks_for(int id, std::int64_t units) const {
        const int threads = this->threads();
        if (threads == 1) return 1;
        const double macs_per_us = 6000.0 * plan_.kernels->lanes, bytes_per_us = 20000.0;
        double bytes = static_cast<double>(shape(id).size()) * sizeof(float);
        for (const int input : plan_.graph.node(id).inputs) {
            bytes += static_cast<double>(shape(input).size()) * sizeof(float);
        }
        const double work = static_cast<double>(macs(plan_.graph, id, plan_.shapes));
        const double us = std::max(work / macs_per_us, bytes / bytes_per_us);
        const std::int64_t most = std::min<std::int64_t>(units, 2 * threads);
        return static_cast<int>(std::clamp<std::int64_t>(static_cast<std::int64_t>(us), 1, most));
    }

    static std::size_t aligned_floats(std::size_t floats) {
        constexpr std::size_t kFloats = kAlignment / sizeof(float);
        return (floats + kFloats - 1) / kFloats * kFloats;
    }

    template <class Work>
    LUMBAR_COLD void add(int id, const std::string& algorithm, Work work, std::size_t scratch = 0) {
        const RunContext context{&plan_.memory, nullptr, {nullptr, plan_.input}, nullptr, nullptr};
        const std::int64_t units = work.units(context);
        add_step(id, algorithm, units, scratch, std::make_unique<StepOf<Work>>(std::move(work)));
    }

    LUMBAR_COLD void add_step(int id, const std::string& algorithm, std::int64_t units,
                              std::size_t scratch, std::unique_ptr<Step> step) {
        step->units = units;
        step->chunks = chunks_for(id, units);
        step->threads = threads();
        step->node = id;
        step->algorithm = algorithm;
        step->scratch = aligned_floats(scratch);
        plan_.scratch_floats =
            std::max(plan_.scratch_floats, step->scratch * static_cast<std::size_t>(step->chunks));
        plan_.steps.push_back(std::move(step));
    }

    Plan& plan_;
    bool plain_;
};

/// Everything after the weights are bound and the executor is chosen.
LUMBAR_COLD inline Result<Network> finish_plan(std::shared_ptr<Plan> plan) {
    const CompileOptions& o = plan->options;
    plan->kernels = o.kernels ? o.kernels : &native_kernels();
    const int lanes = plan->kernels->lanes;
    // Before the passes: what is wrong is told by the nodes' own names.
    auto shapes = try_infer_shapes(plan->source, o.batch, {o.height, o.width});
    if (!shapes) return shapes.error();
    Graph graph = fuse_activation(fuse_residual(fold_batch_norm(plan->source)));
    graph = elide_concat(std::move(graph), lanes);
    if (graph.outputs().empty()) {
        return Error(Error::Code::graph, graph.name() + ": has no output");
    }
    shapes = try_infer_shapes(graph, o.batch, {o.height, o.width});
    if (!shapes) return shapes.error();
    graph = isolate_linear_inputs(std::move(graph), *shapes, lanes);
    shapes = try_infer_shapes(graph, o.batch, {o.height, o.width});
    if (!shapes) return shapes.error();
    plan->graph = std::move(graph);
    plan->shapes = std::move(*shapes);
    plan->input = plan->shapes[0];
    for (const int id : plan->graph.outputs()) {
        plan->outputs.push_back(plan->shapes[static_cast<std::size_t>(id)]);
    }
    std::vector<bool> unstored = fused_into_depthwise(plan->graph, plan->shapes);
    unstored[0] = reads_plain_input(plan->graph);
    plan->memory = plan_memory(plan->graph, plan->shapes, lanes, unstored);
    StepMaker(*plan).make_all();
    return Network(std::shared_ptr<const Plan>(std::move(plan)));
}

}  // namespace detail

/// Compiles a network for one input size. The weights' classes and widths win over the graph's.
/// Errors: tensors that are missing, extra or misshapen (all of them, in one message); a graph that
/// is inconsistent; an input that is too small or absurdly large. Memory that cannot be had is
/// std::bad_alloc here and in workspace(), as everywhere in C++.
LUMBAR_COLD inline Result<Network> try_compile(const Graph& graph, const Weights& weights,
                                               const CompileOptions& options = {}) {
    Result<Graph> bound = try_bind_weights(graph, weights, options.allow_extra_tensors);
    if (!bound) return bound.error();
    auto plan = std::make_shared<detail::Plan>();
    plan->source = std::move(*bound);
    plan->weights = weights;
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
