// The steps of a compiled network: a layer, the values it works on, and its weights. Every step is
// cut into units that are independent of each other; which thread does which unit changes nothing.
#pragma once

#include <lumbar/layers/across_channels.hpp>
#include <lumbar/layers/conv_depthwise.hpp>
#include <lumbar/layers/depthwise_conv.hpp>
#include <lumbar/layers/direct_conv.hpp>
#include <lumbar/layers/gathered.hpp>
#include <lumbar/layers/linear.hpp>
#include <lumbar/layers/narrow.hpp>
#include <lumbar/layers/pixelwise.hpp>
#include <lumbar/layers/pooling.hpp>
#include <lumbar/layers/winograd_conv.hpp>
#include <lumbar/runtime/memory_plan.hpp>
#include <lumbar/runtime/packed_store.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

LUMBAR_NAMESPACE_BEGIN

/// What a step sees of one run: the plan, and one workspace's memory.
struct RunContext {
    const MemoryPlan* plan = nullptr;
    float* arena = nullptr;
    ConstTensorView input;
    const TensorView* outputs = nullptr;
    float* shared = nullptr;  ///< scratch that all chunks of a step, and the next step, see

    BlockedView view(int node) const { return plan->view(node, arena); }
};

/// Plain NCHW -> blocked. Units: planes.
struct ImportStep {
    int out;
    LUMBAR_COLD std::int64_t units(const RunContext& r) const {
        const BlockedView v = r.view(out);
        return std::int64_t{v.shape.n} * v.groups();
    }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        const BlockedView v = r.view(out);
        for (std::int64_t i = begin; i < end; ++i) {
            plane_to_blocked(r.input, v, static_cast<int>(i / v.groups()),
                             static_cast<int>(i % v.groups()));
        }
    }
};

/// Blocked -> plain NCHW. Units: planes.
struct ExportStep {
    int in;
    int output;  ///< index among the network's outputs
    LUMBAR_COLD std::int64_t units(const RunContext& r) const {
        const BlockedView v = r.view(in);
        return std::int64_t{v.shape.n} * v.groups();
    }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        const BlockedView v = r.view(in);
        for (std::int64_t i = begin; i < end; ++i) {
            plane_from_blocked(v, r.outputs[output], static_cast<int>(i / v.groups()),
                               static_cast<int>(i % v.groups()));
        }
    }
};

/// Rounds a value to bfloat16, its border with it, for the convolution that follows. Units: planes.
struct NarrowStep {
    NarrowFunction narrow;
    int in;

    LUMBAR_COLD std::int64_t units(const RunContext& r) const {
        const BlockedView v = r.view(in);
        return std::int64_t{v.shape.n} * v.groups();
    }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        narrow_planes(narrow, r.view(in), r.shared, begin, end);
    }
};

/// Copies the pixels of a value that the strided pointwise convolution after it, which makes `out`,
/// reads. Units: planes.
struct GatherStep {
    int in;
    int out;
    Extent stride;

    BlockedView to(const RunContext& r) const {
        const Shape& size = r.view(out).shape;
        return gathered_layout(r.view(in), {size.h, size.w}).view(r.shared);
    }
    LUMBAR_COLD std::int64_t units(const RunContext& r) const {
        const BlockedView v = r.view(in);
        return std::int64_t{v.shape.n} * v.groups();
    }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        gather_planes(r.view(in), stride, to(r), begin, end);
    }
};

/// Multiplies the gate of its input into the weights of the pointwise convolution after it, for
/// each image. Units: blocks of output channels.
struct GateStep {
    DirectConv layer;
    PackedWeights weights;
    int gate;

    LUMBAR_COLD std::int64_t units(const RunContext& r) const {
        return layer.scale_units(r.view(gate));
    }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        layer.scale_inputs(weights->data(), r.view(gate), r.shared, begin, end);
    }
};

/// The values that a convolution works on.
struct ConvValues {
    int in;
    int out;
    int residual;  ///< below 0: none
    bool plain;
    Epilogue epilogue;
    bool narrow = false;    ///< reads what a NarrowStep has made of `in`
    bool gathered = false;  ///< reads what a GatherStep has made of `in`
    std::size_t gated = 0;  ///< floats of the weights that a GateStep has made for each image
};

/// The call of a convolution in one run.
struct ConvRun {
    LUMBAR_NEVER_INLINE ConvRun(const ConvValues& values, const RunContext& r)
        : out(r.view(values.out)) {
        if (!values.plain) call.in = r.view(values.in);
        if (values.narrow) call.in = narrow_view(call.in, r.shared);
        if (values.gathered) {
            call.in = gathered_layout(call.in, {out.shape.h, out.shape.w}).view(r.shared);
        }
        call.plain = r.input;
        call.out = {&out, 1};
        if (values.residual >= 0) {
            residual = r.view(values.residual);
            call.residual = &residual;
        }
        call.epilogue = values.epilogue;
        call.image_weights = values.gated;
    }
    ConvRun(const ConvRun&) = delete;
    ConvRun& operator=(const ConvRun&) = delete;

    BlockedView out;
    BlockedView residual;
    ConvCall call;
};

/// Direct or Winograd.
template <class Layer>
struct ConvStep {
    Layer layer;
    PackedWeights weights;
    ConvValues values;

    LUMBAR_COLD std::int64_t units(const RunContext& r) const {
        return layer.units(ConvRun(values, r).call);
    }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end,
             float* scratch) const noexcept {
        const float* const packed = values.gated ? r.shared : weights->data();
        layer.run(ConvRun(values, r).call, packed, begin, end, scratch);
    }
};

/// The two halves of a Winograd convolution whose few blocks of tiles are shared by the threads.
struct WinogradTransformStep {
    std::shared_ptr<const WinogradConv> layer;
    ConvValues values;

    std::int64_t units(const RunContext&) const { return layer->transform_units(); }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        layer->run_transform(ConvRun(values, r).call, begin, end, r.shared);
    }
};
struct WinogradMultiplyStep {
    std::shared_ptr<const WinogradConv> layer;
    PackedWeights weights;
    ConvValues values;

    std::int64_t units(const RunContext&) const { return layer->multiply_units(); }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end,
             float* scratch) const noexcept {
        layer->run_multiply(ConvRun(values, r).call, weights->data(), begin, end, r.shared,
                            scratch);
    }
};

struct DepthwiseStep {
    DepthwiseConv layer;
    PackedWeights weights;
    int in;
    int out;
    Epilogue epilogue;

    DepthwiseCall call(const RunContext& r) const { return {r.view(in), r.view(out), epilogue}; }
    LUMBAR_COLD std::int64_t units(const RunContext& r) const { return layer.units(call(r)); }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        layer.run(call(r), weights->data(), begin, end);
    }
};

/// A pointwise convolution, and the depthwise one that reads it.
struct ConvDepthwiseStep {
    ConvDepthwise layer;
    PackedWeights conv_weights;
    PackedWeights weights;
    int in;
    int out;
    Epilogue middle;
    Epilogue epilogue;
    bool narrow;  ///< as ConvValues::narrow

    ConvDepthwiseCall call(const RunContext& r) const {
        const BlockedView from = r.view(in);
        return {narrow ? narrow_view(from, r.shared) : from, r.view(out), middle, epilogue};
    }
    LUMBAR_COLD std::int64_t units(const RunContext& r) const { return layer.units(call(r)); }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end,
             float* scratch) const noexcept {
        layer.run(call(r), conv_weights->data(), weights->data(), begin, end, scratch);
    }
};

struct PoolStep {
    Pooling layer;
    PackedWeights bias;  ///< null: none
    int in;
    int out;
    Epilogue epilogue;

    PoolCall call(const RunContext& r) const {
        return {r.view(in), r.view(out), bias ? bias->data() : nullptr, epilogue};
    }
    LUMBAR_COLD std::int64_t units(const RunContext& r) const { return layer.units(call(r)); }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        layer.run(call(r), begin, end);
    }
};

/// Batch norm, addition, activation, gate: see PixelwiseCall.
struct PixelwiseStep {
    Pixelwise layer;
    PackedWeights affine;  ///< scales, then shifts; null: none
    int in;
    int out;
    int addend;  ///< below 0: none
    int gate;    ///< below 0: none
    Epilogue epilogue;

    template <class Body>
    auto with_call(const RunContext& r, Body&& body) const {
        BlockedView other, factor;
        PixelwiseCall call;
        call.in = r.view(in);
        call.out = r.view(out);
        if (addend >= 0) {
            other = r.view(addend);
            call.addend = &other;
        }
        if (gate >= 0) {
            factor = r.view(gate);
            call.gate = &factor;
        }
        if (affine) {
            call.scale = affine->data();
            call.shift = affine->data() + affine->size() / 2;
        }
        call.epilogue = epilogue;
        return body(call);
    }
    LUMBAR_COLD std::int64_t units(const RunContext& r) const {
        return with_call(r, [&](const PixelwiseCall& call) { return layer.units(call); });
    }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        with_call(r, [&](const PixelwiseCall& call) { layer.run(call, begin, end); });
    }
};

struct CopyStep {
    int in;
    int out;
    int first_channel;
    bool zero_others = false;

    ChannelCopyCall call(const RunContext& r) const {
        return {r.view(in), r.view(out), first_channel, zero_others};
    }
    LUMBAR_COLD std::int64_t units(const RunContext& r) const {
        return ChannelCopy{}.units(call(r));
    }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        ChannelCopy{}.run(call(r), begin, end);
    }
};

struct LinearStep {
    LinearLayer layer;
    PackedWeights weights;
    int in;
    int out;
    Epilogue epilogue;

    LinearCall call(const RunContext& r) const { return {r.view(in), r.view(out), epilogue}; }
    LUMBAR_COLD std::int64_t units(const RunContext& r) const { return layer.units(call(r)); }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        layer.run(call(r), weights->data(), begin, end);
    }
};

/// Softmax and local response normalisation.
struct ChannelsStep {
    AcrossChannels layer;
    int in;
    int out;

    ChannelsCall call(const RunContext& r) const { return {r.view(in), r.view(out)}; }
    LUMBAR_COLD std::int64_t units(const RunContext& r) const { return layer.units(call(r)); }
    void run(const RunContext& r, std::int64_t begin, std::int64_t end, float*) const noexcept {
        layer.run(call(r), begin, end);
    }
};

/// A step of any kind, cut into chunks of units.
class Step {
   public:
    virtual ~Step() = default;

    void run_chunk(const RunContext& r, int chunk, float* scratch) const noexcept {
        const Chunk c = chunk_of(chunk);
        run(r, c.begin, c.end, scratch);
    }

    int node = -1;          ///< of the network's graph: what it computes, or a part of it
    std::string algorithm;  ///< for people
    std::int64_t units = 0;
    int chunks = 1;   ///< how many pieces the units are handed out in
    int threads = 1;  ///< that there are to take them
    bool needs_scratch = false;

   private:
    struct Chunk {
        std::int64_t begin = 0;
        std::int64_t end = 0;
    };
    /// Every thread has an equal part of the units, the same in every step, so that it finds in its
    /// own cache what it has written itself. The first chunks are three quarters of each part; the
    /// others, claimed last, even out what threads lose to others on the machine.
    Chunk chunk_of(int chunk) const noexcept {
        if (chunks != 2 * threads) return {units * chunk / chunks, units * (chunk + 1) / chunks};
        const int part = chunk % threads;
        const std::int64_t begin = units * part / threads, end = units * (part + 1) / threads;
        const std::int64_t split = begin + (end - begin) * 3 / 4;
        return chunk < threads ? Chunk{begin, split} : Chunk{split, end};
    }

    virtual void run(const RunContext& r, std::int64_t begin, std::int64_t end,
                     float* scratch) const noexcept = 0;
};

template <class Work>
class StepOf final : public Step {
   public:
    explicit StepOf(Work work) : work_(std::move(work)) {}

   private:
    void run(const RunContext& r, std::int64_t begin, std::int64_t end,
             float* scratch) const noexcept override {
        work_.run(r, begin, end, scratch);
    }

    Work work_;
};

LUMBAR_NAMESPACE_END
