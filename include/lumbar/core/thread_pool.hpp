// The library's own threads. A network's run is some hundred jobs in a row, many of them shorter
// than waking a thread takes, so the workers spin between jobs and park soon after the last.
//
// One job runs at a time. Its state is a 64-bit ticket, chunks << 32 | next: a thread claims a
// chunk by adding one, and the word that it gets back says both which chunk and whether there is
// one. A worker that comes late, with an old job in mind, either finds the ticket used up or claims
// a chunk of the present job rightfully; the job's other fields hold still as long as any claimed
// chunk is unfinished. So the caller waits for the claimed chunks alone, never for a worker that
// has not come: where all workers are asleep, or do not exist (after a fork), it does everything.
//
//   caller   function, context -> ticket (chunk 0 is the caller's) -> claims -> waits for done
//   worker   sees the ticket -> claims until it is used up -> done += chunks it ran
//
// Waking a thread costs microseconds and a machine may have other things to do. Two meters keep the
// loss small against running alone: waking takes at most a twentieth of the time, and after a
// worker was descheduled with a chunk in its hands the caller runs alone for sixteen times as long
// as it was kept waiting.
#pragma once

#include <lumbar/config/config.hpp>
#include <lumbar/core/cpu_count.hpp>
#include <lumbar/core/executor.hpp>
#include <lumbar/core/memory.hpp>
#include <lumbar/core/os_thread.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

LUMBAR_NAMESPACE_BEGIN

/// A fixed set of threads for parallel_for. May be shared by any number of networks and called from
/// any number of threads: whoever finds it busy runs its chunks alone and does not wait, and so
/// does a chunk that calls parallel_for itself. parallel_for allocates nothing and takes no lock.
///
/// After a fork the child has no workers: there the pool runs everything on the calling thread. (A
/// fork from inside a chunk is the exception: the child must not return from that chunk.)
class ThreadPool final : public Executor {
   public:
    static constexpr int kMaxThreads = 256;

    /// `threads` counts the calling one: 1 creates none. Limited to [1, kMaxThreads]; fewer where
    /// the system refuses to create as many (see concurrency).
    explicit ThreadPool(int threads)
        : process_(detail::process_id()),
          limit_(static_cast<std::size_t>(std::clamp(threads, 1, kMaxThreads) - 1)),
          spin_(threads <= available_cpus() ? kSpin : Clock::duration::zero()),
          workers_(new detail::OsThread[limit_]) {
        std::size_t started = 0;
        while (started < limit_ && workers_[started].start(&ThreadPool::enter, this)) ++started;
        count_ = static_cast<int>(started);
    }

    /// Precondition: nobody is using the pool.
    ~ThreadPool() override {
        if (process_ != detail::process_id()) return;  // a fork's child: the workers are not here
        job_.stop.store(true, std::memory_order_release);
        park_.generation.fetch_add(1, std::memory_order_seq_cst);
        park_.generation.notify_all();
        for (int i = 0; i < count_; ++i) workers_[static_cast<std::size_t>(i)].join();
    }

    int concurrency() const noexcept override { return count_ + 1; }

    void parallel_for(int chunks, ChunkFunction fn, void* context) noexcept override {
        run_or_run_alone(State::free, chunks, fn, context);
    }

    /// Takes the pool for the calling thread and keeps the workers awake until end_run.
    Executor* begin_run() noexcept override {
        State expected = State::free;
        if (count_ == 0 || !caller_.state.compare_exchange_strong(expected, State::taken,
                                                                  std::memory_order_acquire)) {
            return nullptr;
        }
        job_.running.store(true, std::memory_order_relaxed);
        wake(count_);
        return &taken_;
    }

    void end_run() noexcept override {
        job_.running.store(false, std::memory_order_relaxed);
        caller_.state.store(State::free, std::memory_order_release);
    }

   private:
    using Clock = std::chrono::steady_clock;
    using Duration = Clock::duration;

    // Spinning without a look at anybody else; then spinning that yields the core now and then.
    static constexpr Duration kSpin = std::chrono::microseconds(20);
    static constexpr Duration kLingerAfterRun = std::chrono::microseconds(100);
    static constexpr Duration kLingerInRun = std::chrono::milliseconds(2);
    static constexpr Duration kWaitAwake = std::chrono::microseconds(200);
    // A yield that takes longer has lent the core to somebody (alone it takes below 1 us).
    static constexpr Duration kYieldLent = std::chrono::microseconds(10);
    static constexpr Duration kStall = std::chrono::microseconds(50);
    static constexpr Duration kMaxAlone = std::chrono::milliseconds(250);
    static constexpr int kPausesPerLook = 32;

    enum class State { free, taken, in_job };

    /// The pool as seen by the session that took it.
    class Taken final : public Executor {
       public:
        explicit Taken(ThreadPool& pool) : pool_(pool) {}
        int concurrency() const noexcept override { return pool_.concurrency(); }
        void parallel_for(int chunks, ChunkFunction fn, void* context) noexcept override {
            pool_.run_or_run_alone(State::taken, chunks, fn, context);
        }

       private:
        ThreadPool& pool_;
    };

    static void run_alone(int chunks, ChunkFunction fn, void* context) noexcept {
        for (int chunk = 0; chunk < chunks; ++chunk) fn(context, chunk);
    }

    void run_or_run_alone(State from, int chunks, ChunkFunction fn, void* context) noexcept {
        State expected = from;
        if (chunks <= 1 || count_ == 0 ||
            !caller_.state.compare_exchange_strong(expected, State::in_job,
                                                   std::memory_order_acquire)) {
            return run_alone(chunks, fn, context);
        }
        if (is_past(caller_.alone_until)) {
            run_job(chunks, fn, context);
        } else {
            run_alone(chunks, fn, context);
        }
        caller_.state.store(from, std::memory_order_release);
    }

    // ---- the caller's side ----------------------------------------------------------------------

    void run_job(int chunks, ChunkFunction fn, void* context) noexcept {
        const Clock::time_point start = Clock::now();
        job_.fn = fn;
        job_.context = context;
        job_.ticket.store(std::uint64_t(chunks) << 32 | 1, std::memory_order_seq_cst);
        wake(chunks - 1);

        std::uint32_t own = 1;
        fn(context, 0);
        for (int chunk = 0; claim(chunk); ++own) fn(context, chunk);

        // `finished` counts on from job to job: a reset would be one more cache line to fetch.
        caller_.expected += static_cast<std::uint32_t>(chunks) - own;
        for (int spins = 0; spins < kPausesPerLook; ++spins) {
            if (done_.finished.load(std::memory_order_acquire) == caller_.expected) return;
            detail::spin_pause();
        }
        wait_for_workers(start);
    }

    /// Waits until the chunks that workers claimed are finished: awake at first, then asleep, so
    /// that a worker which lost its core to this thread gets it back.
    LUMBAR_NEVER_INLINE void wait_for_workers(Clock::time_point start) noexcept {
        const Clock::time_point idle = Clock::now();
        Clock::time_point now = idle;
        for (bool awake = true; awake;) {
            for (int spins = 0; spins < kPausesPerLook; ++spins) {
                if (done_.finished.load(std::memory_order_acquire) == caller_.expected) {
                    return note_stall(start, idle);
                }
                detail::spin_pause();
            }
            awake = stay_awake(idle, kWaitAwake, now);
        }
        done_.caller_sleeps.store(true, std::memory_order_seq_cst);
        for (;;) {
            const std::uint32_t finished = done_.finished.load(std::memory_order_seq_cst);
            if (finished == caller_.expected) break;
            done_.finished.wait(finished, std::memory_order_acquire);
        }
        done_.caller_sleeps.store(false, std::memory_order_relaxed);
        note_stall(start, idle);
    }

    /// The caller worked from `start` to `idle` and has waited since. A wait far longer than its
    /// work is not an uneven split but a worker without a core.
    void note_stall(Clock::time_point start, Clock::time_point idle) noexcept {
        const Clock::time_point now = Clock::now();
        const Duration stall = (now - idle) - 2 * (idle - start);
        if (stall > kStall) caller_.alone_until = now + std::min(16 * stall, kMaxAlone);
    }

    /// Wakes parked workers, at most as many as are wanted, unless that was done too recently.
    /// (seq_cst, as in park: either this sees the worker parked or the worker sees the ticket.)
    void wake(int wanted) noexcept {
        const int parked = park_.parked.load(std::memory_order_seq_cst);
        if (parked > 0 && is_past(caller_.next_wake)) wake_parked(wanted, parked);
    }

    LUMBAR_NEVER_INLINE void wake_parked(int wanted, int parked) noexcept {
        const Clock::time_point before = Clock::now();
        park_.generation.fetch_add(1, std::memory_order_seq_cst);
        if (wanted >= parked) {
            park_.generation.notify_all();
        } else {
            for (int i = 0; i < wanted; ++i) park_.generation.notify_one();
        }
        const Clock::time_point after = Clock::now();
        caller_.next_wake = after + 20 * (after - before);
    }

    /// Whether the time is over; forgets it then, so that the clock is read only where it matters.
    static bool is_past(Clock::time_point& time) noexcept {
        if (time == Clock::time_point{}) return true;
        if (Clock::now() < time) return false;
        time = Clock::time_point{};
        return true;
    }

    // ---- both sides -----------------------------------------------------------------------------

    /// Claims the next chunk of the present job. Each thread oversteps at most once per job, so
    /// `next` cannot run over into the upper half.
    bool claim(int& chunk) noexcept {
        const std::uint64_t ticket = job_.ticket.fetch_add(1, std::memory_order_acquire);
        chunk = static_cast<int>(ticket & 0xffffffffu);
        return (ticket & 0xffffffffu) < ticket >> 32;
    }

    /// After some polling without success: whether to poll on. `now` is the last look at the clock.
    bool stay_awake(Clock::time_point since, Duration limit, Clock::time_point& now) noexcept {
        now = Clock::now();
        if (now - since >= limit) return false;
        if (now - since < spin_) return true;
        std::this_thread::yield();
        return Clock::now() - now < kYieldLent;
    }

    // ---- the workers' side ----------------------------------------------------------------------

    static void enter(void* self) { static_cast<ThreadPool*>(self)->work(); }

    void work() noexcept {
        while (!job_.stop.load(std::memory_order_acquire)) {
            if (job_visible(std::memory_order_relaxed)) {
                help();
            } else if (!linger()) {
                park();
            }
        }
    }

    bool job_visible(std::memory_order order) const noexcept {
        const std::uint64_t ticket = job_.ticket.load(order);
        return (ticket & 0xffffffffu) < ticket >> 32;
    }

    void help() noexcept {
        std::uint32_t ran = 0;
        for (int chunk = 0; claim(chunk); ++ran) job_.fn(job_.context, chunk);
        if (ran == 0) return;
        done_.finished.fetch_add(ran, std::memory_order_seq_cst);
        if (done_.caller_sleeps.load(std::memory_order_seq_cst)) done_.finished.notify_one();
    }

    /// Polls for work for a while; false where none came.
    bool linger() noexcept {
        const Clock::time_point since = Clock::now();
        Clock::time_point now = since;
        do {
            for (int spins = 0; spins < kPausesPerLook; ++spins) {
                if (job_visible(std::memory_order_relaxed)) return true;
                if (job_.stop.load(std::memory_order_relaxed)) return true;
                detail::spin_pause();
            }
        } while (stay_awake(since, linger_time(), now));
        return false;
    }

    Duration linger_time() const noexcept {
        return job_.running.load(std::memory_order_relaxed) ? kLingerInRun : kLingerAfterRun;
    }

    /// Sleeps until the generation changes. It is read before the last look for work: what comes
    /// after that look changes it.
    void park() noexcept {
        park_.parked.fetch_add(1, std::memory_order_seq_cst);
        const std::uint32_t generation = park_.generation.load(std::memory_order_seq_cst);
        if (!job_visible(std::memory_order_seq_cst) && !job_.stop.load(std::memory_order_acquire)) {
            park_.generation.wait(generation, std::memory_order_acquire);
        }
        park_.parked.fetch_sub(1, std::memory_order_relaxed);
    }

    // Each group has a cache line of its own, by who writes it and when.
    struct alignas(kAlignment) Job {  // the caller per job, everybody per claim
        std::atomic<std::uint64_t> ticket{0};
        ChunkFunction fn = nullptr;
        void* context = nullptr;
        std::atomic<bool> running{false};  // between begin_run and end_run
        std::atomic<bool> stop{false};
    };
    struct alignas(kAlignment) Done {  // the workers, once per job
        detail::SleepCounter finished{0};
        std::atomic<bool> caller_sleeps{false};
    };
    struct alignas(kAlignment) Park {  // workers that go to sleep, callers that wake them
        detail::SleepCounter generation{0};
        std::atomic<int> parked{0};
    };
    struct alignas(kAlignment) Caller {  // whoever holds the pool
        std::atomic<State> state{State::free};
        std::uint32_t expected = 0;     // of Done::finished, when the present job is done
        Clock::time_point next_wake{};  // the meters described at the top; zero when off
        Clock::time_point alone_until{};
    };

    Job job_;
    Done done_;
    Park park_;
    Caller caller_;
    alignas(kAlignment) Taken taken_{*this};
    const long process_;
    const std::size_t limit_;  // how many workers were asked for, and what came of it
    const Duration spin_;
    int count_ = 0;
    std::unique_ptr<detail::OsThread[]> workers_;
};

LUMBAR_NAMESPACE_END
