// An executor whose number of threads changes: networks that are resized meet the new number, with
// the weights that are packed already. Tests of many thread counts pack once.
#pragma once

#include <lumbar/core/executor.hpp>
#include <lumbar/core/thread_pool.hpp>

#include <optional>

namespace lumbar_test {

class ChangingThreads final : public lumbar::Executor {
   public:
    explicit ChangingThreads(int threads) { set(threads); }

    /// Networks that were compiled or resized before must not run any more.
    void set(int threads) { pool_.emplace(threads); }

    int concurrency() const noexcept override { return pool_->concurrency(); }
    void parallel_for(int chunks, lumbar::ChunkFunction fn, void* context) noexcept override {
        pool_->parallel_for(chunks, fn, context);
    }
    lumbar::Executor* begin_run() noexcept override { return pool_->begin_run(); }
    void end_run() noexcept override { pool_->end_run(); }

   private:
    std::optional<lumbar::ThreadPool> pool_;
};

}  // namespace lumbar_test
