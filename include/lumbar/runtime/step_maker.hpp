// The steps of a plan: for each node of its graph a layer, with the algorithm, the packed weights,
// and the pieces that threads take.
#pragma once

#include <lumbar/core/text.hpp>
#include <lumbar/graph/cost.hpp>
#include <lumbar/runtime/algorithm.hpp>
#include <lumbar/runtime/filter_reader.hpp>
#include <lumbar/runtime/network.hpp>
#include <lumbar/runtime/unstored.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

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
    /// That share a step.
    int threads() const {
        return plan_.executor && plan_.lots == 1 ? plan_.executor->concurrency() : 1;
    }
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
            LinearLayer layer(*plan_.kernels, in, l->outputs, plan_.options.bfloat16);
            const std::string algorithm = plan_.options.bfloat16 ? "linear bfloat16" : "linear";
            // Not the batch: it changes nothing about the weights.
            PackedWeights packed = pack(node, layer, cat({algorithm, " ", in.h, "x", in.w}));
            add(id, algorithm,
                LinearStep{std::move(layer), std::move(packed), input(0), id, epilogue});
        } else if (const auto* p = node.as<op::Pool>()) {
            const Shape& in = shape(input(0));
            const Node& before = plan_.graph.node(input(0));
            add(id, "pool",
                PoolStep{Pooling(*plan_.kernels, geometry_of(*p, in), in),
                         before.bias_later ? pack_bias(before) : nullptr, input(0), id, epilogue});
        } else if (node.as<op::Softmax>()) {
            add(id, "softmax", ChannelsStep{AcrossChannels::softmax(*plan_.kernels), input(0), id});
        } else if (const auto* n = node.as<op::LocalResponseNorm>()) {
            const LrnParameters lrn{n->size, n->alpha, n->beta, n->k};
            add(id, "lrn",
                ChannelsStep{AcrossChannels::local_response_norm(*plan_.kernels, lrn), input(0),
                             id});
        } else if (node.as<op::Concat>()) {
            make_concat(id);
        } else if (const auto* pad = node.as<op::PadChannels>()) {
            add(id, "copy", CopyStep{input(0), id, pad->before, true});
        } else if (plan_.memory.place(id).buffer >= 0) {  // else a convolution's weights are scaled
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
        int in = node.inputs[0], gate = -1;
        if (const Node& scaled = plan_.graph.node(in);
            scaled.as<op::ScaleChannels>() && plan_.memory.place(in).buffer < 0) {
            in = scaled.inputs[0];
            gate = scaled.inputs[1];
        }
        ConvGeometry geometry = geometry_of(c, shape(in));
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
        ConvValues values{in, id, node.residual ? node.inputs.back() : -1, plain, epilogue};
        const Shape& out = shape(id);
        const WinogradTile* tile = nullptr;
        if (!plan_.options.exact && !plain && epilogue.is_clamp())
            tile = choose_tile(geometry, out);
        const Bfloat16Kernels* const bfloat16 =
            plain ? nullptr : choose_bfloat16(geometry, shape(in), out, tile);
        if (tile && !bfloat16) {
            make_winograd(id, *tile, geometry, values);
            return;
        }
        values.narrow = bfloat16 != nullptr;
        Shape read = shape(in);
        values.gathered = !plain && !bfloat16 && gather_pays(*plan_.kernels, geometry);
        if (values.gathered) {
            add_gather(id, in, geometry.stride);
            read.h = out.h;
            read.w = out.w;
            geometry.stride = {};
        }
        const bool flat = geometry.pointwise() && !plain &&
                          (values.gathered || plan_.memory.view(in, nullptr).dense());
        DirectConv layer(*plan_.kernels, geometry,
                         {.plain_input = plain,
                          .row_pixels = flat ? out.h * out.w : out.w,
                          .destinations = {},
                          .bands = bands_for(geometry, read, out),
                          .bfloat16 = bfloat16});
        const std::string algorithm =
            plain ? cat({"plain ", layer.tile_groups()}) : direct_name(layer, bfloat16);
        PackedWeights packed = pack(node, layer, algorithm);
        if (bfloat16) add_narrow(id, in, *bfloat16);
        if (gate >= 0) {
            assert(!plain && !bfloat16 && !values.gathered);  // which use the shared scratch too
            values.gated = layer.packed_size();
            plan_.shared_floats =
                std::max(plan_.shared_floats,
                         whole_lines(static_cast<std::size_t>(out.n) * layer.packed_size()));
            add(id, "gate", GateStep{layer, packed, gate});
        }
        const std::size_t scratch = layer.scratch_size(out);
        add(id, algorithm, ConvStep<DirectConv>{std::move(layer), std::move(packed), values},
            scratch);
    }

    static std::string direct_name(const DirectConv& layer, const Bfloat16Kernels* bfloat16) {
        return cat({"direct ", (bfloat16 ? "bfloat16 " : ""), layer.tile_groups()});
    }

    /// The step that copies the pixels that the next one, which computes `id`, reads of `in`.
    LUMBAR_COLD void add_gather(int id, int in, const Extent& stride) {
        const BlockedLayout copy =
            gathered_layout(plan_.memory.view(in, nullptr), {shape(id).h, shape(id).w});
        plan_.shared_floats =
            std::max(plan_.shared_floats, whole_lines(static_cast<std::size_t>(copy.size())));
        add(id, "gather", GatherStep{in, id, stride});
    }

    /// The step that rounds `in` to bfloat16 for the next one, which computes `id`.
    LUMBAR_COLD void add_narrow(int id, int in, const Bfloat16Kernels& bfloat16) {
        plan_.shared_floats =
            std::max(plan_.shared_floats, whole_lines(narrow_size(plan_.memory.view(in, nullptr))));
        add(id, "to bfloat16", NarrowStep{bfloat16.narrow, in});
    }

    /// The kernels of bfloat16 where they are asked for, and faster than the best of floats.
    LUMBAR_COLD const Bfloat16Kernels* choose_bfloat16(const ConvGeometry& geometry,
                                                       const Shape& in, const Shape& out,
                                                       const WinogradTile* tile) const {
        const Bfloat16Kernels* const b = plan_.options.bfloat16;
        if (!b || !b->convolutions || geometry.groups > 1) return nullptr;
        if (geometry.filter_size() < kLeastBfloat16Sums) return nullptr;
        const Shape one{1, out.c, out.h, out.w};
        const double floats = tile ? winograd_cost(*plan_.kernels, *tile, geometry, one)
                                   : direct_cost(*plan_.kernels, geometry, one);
        return bfloat16_cost(*plan_.kernels, geometry, in, one) < floats ? b : nullptr;
    }

    /// The depthwise convolution `id` with the pointwise one before it.
    LUMBAR_COLD void make_conv_depthwise(int id, const ConvGeometry& geometry,
                                         const Epilogue& epilogue) {
        const Node& node = plan_.graph.node(id);
        const Node& wide = plan_.graph.node(node.inputs[0]);
        const int in = wide.inputs[0];
        const ConvGeometry conv = geometry_of(*wide.as<op::Conv>(), shape(in));
        const Shape& middle = shape(node.inputs[0]);
        const Bfloat16Kernels* const bfloat16 = choose_bfloat16(conv, shape(in), middle, nullptr);
        ConvDepthwise layer(*plan_.kernels, conv, geometry, middle, shape(id), threads(), bfloat16);
        PackedWeights conv_packed = pack(wide, layer.conv(), direct_name(layer.conv(), bfloat16));
        if (bfloat16) add_narrow(id, in, *bfloat16);
        PackedWeights packed = pack(node, layer.depthwise(), "depthwise");
        const std::size_t scratch = layer.scratch_size();
        add(id, bfloat16 ? "pointwise bfloat16 + depthwise" : "pointwise + depthwise",
            ConvDepthwiseStep{std::move(layer), std::move(conv_packed), std::move(packed), in, id,
                              Epilogue::of(wide.activation), epilogue, bfloat16 != nullptr},
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
            whole_lines(static_cast<std::size_t>(layer.blocks()) * layer.transformed_size()));
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
                        " in ", c->groups, (c->bias ? " | bias" : ""),
                        (node.bias_later ? " | later" : "")});
        } else if (const auto* l = node.as<op::Linear>()) {
            key += cat({" | ", l->outputs, (l->bias ? " | bias" : "")});
        }
        if (node.batch_norm) {
            key += cat({" | folded ", node.batch_norm->name, " ",
                        std::bit_cast<std::uint64_t>(node.batch_norm->epsilon)});
        }
        return key;
    }

    LUMBAR_COLD PackedWeights pack_bias(const Node& node) {
        return plan_.store->get(
            key_of(node, "bias"),
            static_cast<std::size_t>(round_up(node.channels, plan_.kernels->lanes)),
            [&](float* to) {
                const FilterReader reader(node, plan_.weights);
                for (int c = 0; c < node.channels; ++c) to[c] = reader.bias(c);
            });
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

    template <class Work>
    LUMBAR_COLD void add(int id, const std::string& algorithm, Work work, std::size_t scratch = 0) {
        const RunContext context{&plan_.memory, nullptr, {nullptr, shape(0)}, nullptr, nullptr};
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
        step->needs_scratch = scratch > 0;
        if (scratch > 0) {
            plan_.slot_floats = std::max(plan_.slot_floats, whole_lines(scratch));
            plan_.slots = std::max(plan_.slots, step->chunks);
        }
        plan_.steps.push_back(std::move(step));
    }

    Plan& plan_;
    bool plain_;
};

}  // namespace detail

LUMBAR_NAMESPACE_END
