// How work is spread over threads: the interface through which an application may lend its own.
#pragma once

#include <lumbar/config/config.hpp>

#include <memory>
#include <type_traits>

LUMBAR_NAMESPACE_BEGIN

/// One piece of a job: `chunk` counts from 0, `context` is what was handed to parallel_for.
using ChunkFunction = void (*)(void* context, int chunk) noexcept;

/// Threads to run on. Implement the first two functions to lend an application's own threads to a
/// network; ThreadPool is the implementation that comes with the library. The results of a network
/// do not depend on which thread runs a chunk, nor on how many there are.
class Executor {
   public:
    virtual ~Executor() = default;

    /// How many chunks can make progress at once, the calling thread included; at least 1.
    virtual int concurrency() const noexcept = 0;

    /// Calls fn(context, chunk) exactly once for every chunk in [0, chunks) and returns when all
    /// are done. The calls may be on any threads and at the same time. What happened before
    /// parallel_for is visible to every call, and what the calls did is visible after it.
    virtual void parallel_for(int chunks, ChunkFunction fn, void* context) noexcept = 0;

    /// Announces many parallel_for in quick succession from the calling thread, so that threads
    /// can be kept at hand between them. Returns the executor to use until end_run, or null where
    /// the caller had better run alone (then end_run is not called). Use ExecutorSession.
    virtual Executor* begin_run() noexcept { return this; }
    virtual void end_run() noexcept {}
};

/// Holds an executor for the length of one run of a network: its steps call
/// `parallel_for(session.executor(), ...)`. A session belongs to the thread that opened it.
class ExecutorSession {
   public:
    /// A null lender means the calling thread alone. The lender must outlive the session.
    explicit ExecutorSession(Executor* lender) noexcept
        : lender_(lender), executor_(lender ? lender->begin_run() : nullptr) {}
    ExecutorSession(const ExecutorSession&) = delete;
    ExecutorSession& operator=(const ExecutorSession&) = delete;
    ~ExecutorSession() {
        if (executor_) lender_->end_run();
    }

    /// Null where the calling thread runs alone.
    Executor* executor() const noexcept { return executor_; }
    int concurrency() const noexcept { return executor_ ? executor_->concurrency() : 1; }

   private:
    Executor* lender_;
    Executor* executor_;
};

/// body(chunk) for every chunk in [0, chunks), each exactly once; see Executor::parallel_for. The
/// body is passed by address: nothing is allocated. It must not throw. Without an executor, or with
/// one chunk, it is a plain loop.
template <class Body>
void parallel_for(Executor* executor, int chunks, Body&& body) noexcept {
    if (!executor || chunks <= 1) {
        for (int chunk = 0; chunk < chunks; ++chunk) body(chunk);
        return;
    }
    using Object = std::remove_reference_t<Body>;
    const void* address = std::addressof(body);
    executor->parallel_for(
        chunks, [](void* context, int chunk) noexcept { (*static_cast<Object*>(context))(chunk); },
        const_cast<void*>(address));
}

LUMBAR_NAMESPACE_END
