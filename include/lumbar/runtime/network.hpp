// A compiled network: immutable, shared by copies, runnable from any number of threads at once,
// each with a workspace of its own.
#pragma once

#include <lumbar/core/float_environment.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/core/thread_pool.hpp>
#include <lumbar/runtime/options.hpp>
#include <lumbar/runtime/scratch_slots.hpp>
#include <lumbar/runtime/steps.hpp>
#include <lumbar/weights/weights.hpp>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// Everything that a network is, fixed by `compile`.
struct Plan {
    Graph source;               ///< as bound to the weights, before passes
    Graph graph;                ///< after passes: what the steps compute
    std::vector<Shape> shapes;  ///< of `graph`
    Weights weights;
    std::shared_ptr<PackedStore> store;
    CompileOptions options;
    std::shared_ptr<Executor> owned_executor;
    Executor* executor = nullptr;  ///< null: the calling thread alone
    const KernelTable* kernels = nullptr;
    MemoryPlan memory;
    std::vector<std::unique_ptr<const Step>> steps;
    std::size_t shared_floats = 0;  ///< of scratch, before that of the chunks
    std::size_t slot_floats = 0;    ///< of scratch, for one chunk of any step
    int slots = 1;                  ///< chunks with scratch that run at the same time, at most
    int lots = 1;          ///< equal parts of the batch; the steps are those of one of them
    int lots_at_once = 1;  ///< each on a thread of its own, with its own arena and scratch
    Shape input;           ///< of the whole batch, and so the outputs
    std::vector<Shape> outputs;
};

}  // namespace detail

class Network;

/// The memory of one run at a time: input, activations, outputs. Made by Network::workspace().
/// May outlive its network, but not an executor that the application has lent.
class Workspace {
   public:
    /// Where the image goes: plain NCHW. Its content survives a run.
    TensorView input() { return input_.view(); }
    int outputs() const { return static_cast<int>(outputs_.size()); }
    /// What the last run yielded: plain NCHW (logits are N x classes x 1 x 1).
    ConstTensorView output(int i = 0) const { return outputs_[static_cast<std::size_t>(i)].view(); }

   private:
    friend class Network;
    LUMBAR_COLD explicit Workspace(std::shared_ptr<const detail::Plan> plan)
        : plan_(std::move(plan)),
          input_(plan_->input),
          arena_floats_(whole_lines(plan_->memory.arena_floats)),
          scratch_floats_(whole_lines(plan_->shared_floats +
                                      plan_->slot_floats * static_cast<std::size_t>(plan_->slots))),
          arena_(arena_floats_ * static_cast<std::size_t>(plan_->lots_at_once), Pages::large),
          scratch_(scratch_floats_ * static_cast<std::size_t>(plan_->lots_at_once), Pages::large),
          slots_(plan_->slots),
          views_(plan_->outputs.size() * static_cast<std::size_t>(plan_->lots)) {
        for (const Shape& shape : plan_->outputs) outputs_.emplace_back(shape);
        for (std::size_t i = 0; i < views_.size(); ++i) {
            const int lot = static_cast<int>(i / outputs_.size());
            views_[i] = part(outputs_[i % outputs_.size()].view(), lot);
        }
    }

    /// The images of one lot.
    TensorView part(TensorView whole, int lot) const {
        whole.shape.n /= plan_->lots;
        whole.data += lot * whole.shape.size();
        return whole;
    }

    std::shared_ptr<const detail::Plan> plan_;
    Tensor input_;
    std::vector<Tensor> outputs_;
    std::size_t arena_floats_;  ///< of one lot
    std::size_t scratch_floats_;
    AlignedBuffer arena_;
    AlignedBuffer scratch_;
    ScratchSlots slots_;
    std::vector<TensorView> views_;  ///< of the outputs, lot by lot
};

class Network {
   public:
    /// Made by compile().
    explicit Network(std::shared_ptr<const detail::Plan> plan) : plan_(std::move(plan)) {}

    const Shape& input_shape() const { return plan_->input; }
    const std::vector<Shape>& output_shapes() const { return plan_->outputs; }
    const std::string& name() const { return plan_->graph.name(); }

    /// The instruction set that it runs on, as xsimd names it.
    const char* isa() const { return plan_->kernels->isa; }
    int threads() const { return plan_->executor ? plan_->executor->concurrency() : 1; }

    /// Bytes of activations in each workspace (input and outputs apart).
    std::size_t arena_bytes() const {
        return plan_->memory.arena_floats * sizeof(float) *
               static_cast<std::size_t>(plan_->lots_at_once);
    }
    /// Bytes of packed weights, shared by all networks that were resized from one another.
    std::size_t packed_bytes() const { return plan_->store->bytes(); }

    /// The graph as the weights made it (widths, classes), and as it is run.
    const Graph& source_graph() const { return plan_->source; }
    const Graph& graph() const { return plan_->graph; }
    const std::vector<std::unique_ptr<const Step>>& steps() const { return plan_->steps; }

    Workspace workspace() const { return Workspace(plan_); }

    /// Computes the outputs of what is in the workspace's input. Does not allocate, lock or fail.
    /// Results are bitwise the same for any number of threads. The caller's floating-point state is
    /// restored. Precondition: the workspace is of this network (or a copy), and nobody else uses
    /// it.
    void run(Workspace& w) const noexcept {
        run_steps(w, [](std::size_t, int, auto&& step) { step(); });
    }

    /// As run; sets seconds[i] to what step i took (of a batch in lots: in the first lot).
    /// Precondition: as many as steps().
    void run_timed(Workspace& w, std::span<double> seconds) const noexcept {
        using Clock = std::chrono::steady_clock;
        run_steps(w, [&](std::size_t i, int lot, auto&& step) {
            const Clock::time_point start = Clock::now();
            step();
            if (lot == 0) seconds[i] = std::chrono::duration<double>(Clock::now() - start).count();
        });
    }

    /// Copies x into the workspace, runs, and returns the first output (valid until the next run).
    /// Throws an Error where the shape is not input_shape() or the workspace is another network's.
    LUMBAR_COLD ConstTensorView operator()(ConstTensorView x, Workspace& w) const {
        if (x.shape != plan_->input) {
            Result<Success>::raise(
                Error(Error::Code::argument,
                      detail::cat({name(), " was compiled for an input of ",
                                   to_string(plan_->input), ", not ", to_string(x.shape),
                                   "; compile() or resized() it for that size"})));
        }
        if (w.plan_ != plan_) {
            Result<Success>::raise(
                Error(Error::Code::argument, name() + ": the workspace belongs to another network; "
                                                      "workspace() makes one for this"));
        }
        std::copy_n(x.data, x.shape.size(), w.input().data);
        run(w);
        return w.output(0);
    }

    /// The convenience that owns its result: a workspace for this call, and a copy of the first
    /// output.
    LUMBAR_COLD Tensor operator()(ConstTensorView x) const {
        Workspace w = workspace();
        const ConstTensorView y = (*this)(x, w);
        Tensor result(y.shape);
        std::copy_n(y.data, y.shape.size(), result.data());
        return result;
    }

    /// The same network for another input size or batch; shares the packed weights and the threads.
    struct InputSize {
        int height = 224;
        int width = 224;
        int batch = 1;
    };
    Result<Network> try_resized(const InputSize& size) const;
    Network resized(const InputSize& size) const { return try_resized(size).value(); }

   private:
    /// around(i, lot, step) calls step(), which runs step i of a lot.
    template <class Around>
    void run_steps(Workspace& w, Around&& around) const noexcept {
        assert(w.plan_ == plan_);
        ExecutorSession session(plan_->executor);
        if (plan_->lots == 1) {
            run_lot(w, 0, 0, session.executor(), around);
            return;
        }
        // Each thread takes lots until there are none left; in several rounds, for an executor may
        // ask only now and then who is there.
        for (int begin = 0; begin < plan_->lots; begin += 4 * plan_->lots_at_once) {
            const int end = std::min(begin + 4 * plan_->lots_at_once, plan_->lots);
            std::atomic<int> next{begin};
            parallel_for(session.executor(), plan_->lots_at_once, [&](int place) noexcept {
                for (int lot; (lot = next.fetch_add(1, std::memory_order_relaxed)) < end;) {
                    run_lot(w, lot, place, nullptr, around);
                }
            });
        }
    }

    /// One lot, in the memory at `place`.
    template <class Around>
    void run_lot(Workspace& w, int lot, int place, Executor* executor,
                 Around&& around) const noexcept {
        const detail::Plan& plan = *plan_;
        const std::size_t at = static_cast<std::size_t>(place);
        float* const scratch = w.scratch_.data() + at * w.scratch_floats_;
        const RunContext context{
            &plan.memory, w.arena_.data() + at * w.arena_floats_, w.part(w.input_.view(), lot),
            w.views_.data() + static_cast<std::size_t>(lot) * w.outputs_.size(), scratch};
        for (std::size_t i = 0; i < plan.steps.size(); ++i) {
            const Step& step = *plan.steps[i];
            around(i, lot, [&] {
                float* const slots = scratch + plan.shared_floats;
                parallel_for(executor, step.chunks, [&](int chunk) noexcept {
                    const FlushDenormals flush;
                    if (step.chunks == 1 || !step.needs_scratch) {
                        step.run_chunk(context, chunk, slots);
                        return;
                    }
                    const ScratchSlots::Claim slot(w.slots_, chunk % step.threads);
                    step.run_chunk(
                        context, chunk,
                        slots + static_cast<std::size_t>(slot.index()) * plan.slot_floats);
                });
            });
        }
    }

    std::shared_ptr<const detail::Plan> plan_;
};

LUMBAR_NAMESPACE_END
