#include <oracle/allocations.hpp>

#include <lumbar/core/thread_pool.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <numeric>
#include <thread>
#include <vector>

#if defined(__unix__)
#include <csignal>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace thread_pool_test {

namespace {

using lumbar::Executor;
using lumbar::ExecutorSession;
using lumbar::parallel_for;
using lumbar::ThreadPool;
using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

/// Runs `chunks` chunks and says how many did not run exactly once.
int wrong_counts(Executor* executor, int chunks) {
    std::vector<std::atomic<int>> ran(static_cast<std::size_t>(chunks));
    parallel_for(executor, chunks, [&](int chunk) { ++ran[static_cast<std::size_t>(chunk)]; });
    return static_cast<int>(
        std::count_if(ran.begin(), ran.end(), [](const auto& times) { return times != 1; }));
}

/// Keeps this thread busy, off the clock's resolution.
void work_for(Clock::duration time) {
    const Clock::time_point end = Clock::now() + time;
    while (Clock::now() < end) lumbar::detail::spin_pause();
}

/// Whether two chunks of one job ran at the same time, within many attempts: a loaded machine may
/// keep the workers off the cores for a while.
bool runs_together(Executor* executor) {
    const Clock::time_point end = Clock::now() + std::chrono::seconds(20);
    while (Clock::now() < end) {
        std::atomic<int> inside{0};
        std::atomic<bool> met{false};
        parallel_for(executor, 2, [&](int) {
            ++inside;
            const Clock::time_point patience = Clock::now() + milliseconds(2);
            while (!met && Clock::now() < patience) {
                if (inside == 2) met = true;
                std::this_thread::yield();
            }
        });
        if (met) return true;
    }
    return false;
}

constexpr int kSizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 64, 100, 257, 1000};

/// An application's executor: the two functions that it must have, chunks in reverse order.
class Backwards final : public Executor {
   public:
    int concurrency() const noexcept override { return 3; }
    void parallel_for(int chunks, lumbar::ChunkFunction fn, void* context) noexcept override {
        for (int chunk = chunks; chunk-- > 0;) fn(context, chunk);
        ++jobs;
    }
    int jobs = 0;
};

}  // namespace

TEST_CASE("without an executor, or with one chunk, parallel_for is a loop in order") {
    std::vector<int> order;
    parallel_for(nullptr, 4, [&](int chunk) { order.push_back(chunk); });
    CHECK(order == std::vector<int>{0, 1, 2, 3});

    Backwards backwards;
    parallel_for(&backwards, 1, [&](int chunk) { order.push_back(chunk); });
    parallel_for(&backwards, 0, [&](int chunk) { order.push_back(chunk); });
    CHECK(order == std::vector<int>{0, 1, 2, 3, 0});
    CHECK(backwards.jobs == 0);
}

TEST_CASE("an application can lend its own threads") {
    Backwards backwards;
    ExecutorSession session(&backwards);
    CHECK(session.executor() == &backwards);
    CHECK(session.concurrency() == 3);
    std::vector<int> order;
    const auto body = [&](int chunk) { order.push_back(chunk); };  // const: any callable will do
    parallel_for(session.executor(), 3, body);
    CHECK(order == std::vector<int>{2, 1, 0});
    CHECK(backwards.jobs == 1);
}

TEST_CASE("a session without an executor is the calling thread alone") {
    ExecutorSession session(nullptr);
    CHECK(session.executor() == nullptr);
    CHECK(session.concurrency() == 1);
}

TEST_CASE("every chunk runs exactly once, for any number of threads and chunks") {
    for (int threads = 1; threads <= 8; ++threads) {
        CAPTURE(threads);
        ThreadPool pool(threads);
        CHECK(pool.concurrency() == threads);
        for (int chunks : kSizes) {
            CAPTURE(chunks);
            CHECK(wrong_counts(&pool, chunks) == 0);
            ExecutorSession session(&pool);
            CHECK(session.concurrency() == threads);
            CHECK(wrong_counts(session.executor(), chunks) == 0);
        }
    }
}

TEST_CASE("the number of threads is limited to what is sensible") {
    CHECK(ThreadPool(0).concurrency() == 1);
    CHECK(ThreadPool(-5).concurrency() == 1);
    CHECK(ThreadPool(1).concurrency() == 1);
    CHECK(ThreadPool(1 << 30).concurrency() <= ThreadPool::kMaxThreads);
}

TEST_CASE("a pool that is never used, or used once, goes away at once") {
    for (int i = 0; i < 50; ++i) {
        ThreadPool unused(1 + i % 4);
        ThreadPool used(1 + i % 4);
        CHECK(wrong_counts(&used, 8) == 0);
    }
}

TEST_CASE("chunks run at the same time") {
    ThreadPool pool(2);
    CHECK(runs_together(&pool));
    ExecutorSession session(&pool);
    CHECK(runs_together(session.executor()));
}

TEST_CASE("workers that have gone to sleep wake up for the next job") {
    ThreadPool pool(2);
    for (int round = 0; round < 3; ++round) {
        std::this_thread::sleep_for(milliseconds(20));
        CHECK(runs_together(&pool));
    }
}

TEST_CASE("who sleeps on a number hears of every change, however close to falling asleep") {
    lumbar::detail::SleepCounter ping{0}, pong{0};
    constexpr std::uint32_t kRounds = 20000;
    std::thread other([&] {
        for (std::uint32_t round = 0; round < kRounds; ++round) {
            while (ping.load() == round) ping.wait(round, std::memory_order_acquire);
            pong.fetch_add(1);
            pong.notify_one();
        }
    });
    for (std::uint32_t round = 0; round < kRounds; ++round) {
        ping.fetch_add(1);
        ping.notify_all();
        while (pong.load() == round) pong.wait(round, std::memory_order_acquire);
    }
    other.join();
    CHECK(pong.load() == kRounds);  // a missed change: this never ends
}

TEST_CASE("jobs in quick succession see each other's results") {
    // Chunks read what other threads wrote in the job before, without any atomics of their own.
    constexpr int chunks = 5;
    for (int threads : {2, 4}) {
        CAPTURE(threads);
        ThreadPool pool(threads);
        ExecutorSession session(&pool);
        std::int64_t now[chunks] = {1, 2, 3, 4, 5};
        std::int64_t next[chunks] = {};
        std::int64_t expected = 15;
        constexpr std::int64_t modulus = 1'000'003;
        for (int job = 0; job < 20'000; ++job) {
            parallel_for(session.executor(), chunks, [&](int chunk) {
                next[chunk] = (now[(chunk + 1) % chunks] * 3 + job) % modulus;
            });
            parallel_for(session.executor(), chunks, [&](int chunk) { now[chunk] = next[chunk]; });
            expected = (expected * 3 + chunks * job) % modulus;
        }
        CHECK(std::accumulate(now, now + chunks, std::int64_t{0}) % modulus == expected);
    }
}

TEST_CASE("a hundred thousand small jobs run on one pool") {
    ThreadPool pool(3);
    std::atomic<std::int64_t> sum{0};
    for (int job = 0; job < 100'000; ++job) {
        parallel_for(&pool, 1 + job % 7,
                     [&](int chunk) { sum.fetch_add(chunk + 1, std::memory_order_relaxed); });
    }
    std::int64_t expected = 0;
    for (int job = 0; job < 100'000; ++job) expected += (1 + job % 7) * (2 + job % 7) / 2;
    CHECK(sum == expected);
}

TEST_CASE("a chunk may call parallel_for itself") {
    ThreadPool pool(4);
    for (bool in_session : {false, true}) {
        CAPTURE(in_session);
        ExecutorSession session(in_session ? &pool : nullptr);
        Executor* executor = in_session ? session.executor() : &pool;
        std::vector<std::atomic<int>> ran(8 * 8);
        for (int job = 0; job < 200; ++job) {
            parallel_for(executor, 8, [&](int outer) {
                parallel_for(outer % 2 ? executor : &pool, 8, [&](int inner) {
                    ++ran[static_cast<std::size_t>(outer * 8 + inner)];
                });
            });
        }
        CHECK(std::all_of(ran.begin(), ran.end(), [](const auto& n) { return n == 200; }));
    }
}

TEST_CASE("several threads share a pool, and none waits for another") {
    ThreadPool pool(3);
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller) {
        callers.emplace_back([&, caller] {
            for (int job = 0; job < 300; ++job) {
                ExecutorSession session(caller % 2 ? &pool : nullptr);
                Executor* executor = caller % 2 ? session.executor() : &pool;
                wrong += wrong_counts(executor, 1 + (job + caller) % 40);
            }
        });
    }
    for (std::thread& caller : callers) caller.join();
    CHECK(wrong == 0);
}

TEST_CASE("who finds the pool taken runs alone, at once") {
    ThreadPool pool(2);
    ExecutorSession holder(&pool);
    REQUIRE(holder.executor() != nullptr);
    std::thread([&] {
        ExecutorSession late(&pool);
        CHECK(late.executor() == nullptr);
        CHECK(late.concurrency() == 1);
        const std::thread::id self = std::this_thread::get_id();
        std::atomic<int> elsewhere{0};
        for (Executor* executor : {late.executor(), static_cast<Executor*>(&pool)}) {
            parallel_for(executor, 16,
                         [&](int) { elsewhere += std::this_thread::get_id() != self; });
        }
        CHECK(elsewhere == 0);
    }).join();
    CHECK(wrong_counts(holder.executor(), 16) == 0);
}

TEST_CASE("the pool is free again after a session") {
    ThreadPool pool(2);
    for (int i = 0; i < 100; ++i) {
        ExecutorSession session(&pool);
        REQUIRE(session.executor() != nullptr);
        CHECK(wrong_counts(session.executor(), 3) == 0);
    }
    CHECK(runs_together(&pool));
}

TEST_CASE("many pools live side by side") {
    std::vector<std::unique_ptr<ThreadPool>> pools;
    for (int i = 0; i < 12; ++i) pools.push_back(std::make_unique<ThreadPool>(1 + i % 4));
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (auto& pool : pools) {
        callers.emplace_back([&] {
            for (int job = 0; job < 100; ++job) wrong += wrong_counts(pool.get(), 12);
        });
    }
    for (std::thread& caller : callers) caller.join();
    CHECK(wrong == 0);
}

TEST_CASE("pools call each other") {
    ThreadPool outer(3), inner(3);
    std::atomic<int> wrong{0};
    for (int job = 0; job < 50; ++job) {
        parallel_for(&outer, 6, [&](int) { wrong += wrong_counts(&inner, 6); });
    }
    CHECK(wrong == 0);
}

#if !defined(LUMBAR_TEST_KEEP_OPERATOR_NEW)
TEST_CASE("parallel_for allocates nothing") {
    ThreadPool pool(3);
    std::atomic<std::int64_t> sum{0};
    double much[8] = {1, 2, 3, 4, 5, 6, 7, 8};  // a body too large for a small-object optimisation
    const auto job = [&, much](int chunk) { sum += chunk + static_cast<int>(much[chunk % 8]); };
    parallel_for(&pool, 10, job);
    const long before = lumbar_test::allocations;
    for (int run = 0; run < 100; ++run) {
        ExecutorSession session(&pool);
        for (int step = 0; step < 20; ++step) parallel_for(session.executor(), 10, job);
        parallel_for(nullptr, 10, job);
    }
    for (int i = 0; i < 100; ++i) parallel_for(&pool, 10, job);
    CHECK(lumbar_test::allocations == before);
}
#else
TEST_CASE("parallel_for allocates nothing") {
    MESSAGE("skipped: allocations cannot be counted under this sanitizer");
}
#endif

TEST_CASE("uneven chunks are shared out as threads become free") {
    ThreadPool pool(3);
    for (int round = 0; round < 3; ++round) {
        std::vector<std::atomic<int>> ran(12);
        parallel_for(&pool, 12, [&](int chunk) {
            work_for(chunk == 11 ? milliseconds(5) : milliseconds(0));
            ++ran[static_cast<std::size_t>(chunk)];
        });
        CHECK(std::all_of(ran.begin(), ran.end(), [](const auto& times) { return times == 1; }));
    }
}

#if defined(__unix__)

namespace {

/// Runs check() in a child process; whether it returned true there, within some seconds.
template <class Check>
bool holds_in_child(Check&& check) {
    const pid_t child = fork();
    if (child == 0) _exit(check() ? 0 : 1);
    if (child < 0) return false;
    for (int waited = 0; waited < 2000; ++waited) {
        int status = 0;
        if (waitpid(child, &status, WNOHANG) == child) {
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        std::this_thread::sleep_for(milliseconds(10));
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    return false;
}

bool each_chunk_once(Executor& executor) {
    int ran[20] = {};
    parallel_for(&executor, 20, [&](int chunk) { ++ran[chunk]; });
    return std::all_of(std::begin(ran), std::end(ran), [](int times) { return times == 1; });
}

}  // namespace

TEST_CASE("after a fork the child's pool works on the calling thread, and can be destroyed") {
    for (bool parked : {false, true}) {
        CAPTURE(parked);
        auto pool = std::make_unique<ThreadPool>(4);
        CHECK(wrong_counts(pool.get(), 20) == 0);
        if (parked) std::this_thread::sleep_for(milliseconds(20));
        CHECK(holds_in_child([&] {
            for (int job = 0; job < 100; ++job) {
                ExecutorSession session(pool.get());
                if (!session.executor() || !each_chunk_once(*session.executor())) return false;
            }
            if (!each_chunk_once(*pool)) return false;
            pool.reset();
            return true;
        }));
        CHECK(wrong_counts(pool.get(), 20) == 0);  // the parent's goes on
    }
}

TEST_CASE("a fork in the middle of a session leaves the session usable on both sides") {
    ThreadPool pool(3);
    ExecutorSession session(&pool);
    CHECK(wrong_counts(session.executor(), 20) == 0);
    CHECK(holds_in_child([&] { return each_chunk_once(*session.executor()); }));
    CHECK(wrong_counts(session.executor(), 20) == 0);
}

TEST_CASE("a fork while another thread uses the pool leaves the child a working one") {
    auto pool = std::make_unique<ThreadPool>(3);
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        while (!stop) parallel_for(pool.get(), 6, [](int) { work_for(microseconds(50)); });
    });
    for (int i = 0; i < 5; ++i) {
        CHECK(holds_in_child([&] {
            for (int job = 0; job < 20; ++job) {
                if (!each_chunk_once(*pool)) return false;
            }
            pool.reset();
            return true;
        }));
    }
    stop = true;
    busy.join();
    CHECK(wrong_counts(pool.get(), 20) == 0);
}

namespace {

/// The processor time that this process has used.
microseconds cpu_time() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& time) {
        return std::chrono::seconds(time.tv_sec) + microseconds(time.tv_usec);
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

}  // namespace

TEST_CASE("an idle pool uses no processor time") {
    ThreadPool pool(4);
    for (bool in_session : {false, true}) {
        CAPTURE(in_session);
        {
            ExecutorSession run(in_session ? &pool : nullptr);
            Executor* executor = in_session ? run.executor() : &pool;
            for (int job = 0; job < 100; ++job) {
                parallel_for(executor, 8, [](int) { work_for(microseconds(5)); });
            }
        }
        std::this_thread::sleep_for(milliseconds(50));
        const microseconds before = cpu_time();
        std::this_thread::sleep_for(milliseconds(200));
        CHECK((cpu_time() - before).count() < 20'000);
    }
}

TEST_CASE("even inside a session that does nothing the workers go to sleep") {
    ThreadPool pool(3);
    ExecutorSession session(&pool);
    CHECK(wrong_counts(session.executor(), 8) == 0);
    std::this_thread::sleep_for(milliseconds(50));
    const microseconds before = cpu_time();
    std::this_thread::sleep_for(milliseconds(200));
    CHECK((cpu_time() - before).count() < 20'000);
    CHECK(wrong_counts(session.executor(), 8) == 0);
}

TEST_CASE("on a crowded machine a pool is not much slower than one thread") {
    // More runnable threads than cores. The bound is loose on purpose: other people's load counts
    // too. A caller that waits for sleeping or crowded-out workers would be off by a factor.
    const int cpus = lumbar::available_cpus();
    std::atomic<bool> stop{false};
    std::vector<std::thread> crowd;
    for (int i = 0; i < std::min(2 * cpus, 16); ++i) {
        crowd.emplace_back([&] {
            while (!stop) work_for(milliseconds(1));
        });
    }
    ThreadPool pool(std::max(2, std::min(cpus, 4)));
    const auto run = [](Executor* lender) {
        ExecutorSession session(lender);
        for (int step = 0; step < 60; ++step) {
            parallel_for(session.executor(), 4, [](int) {
                for (int i = 0; i < 100; ++i) lumbar::detail::spin_pause();
            });
        }
    };
    Clock::duration alone{}, together{};
    for (int round = 0; round < 40; ++round) {
        const Clock::time_point start = Clock::now();
        for (int i = 0; i < 5; ++i) run(nullptr);
        const Clock::time_point middle = Clock::now();
        for (int i = 0; i < 5; ++i) run(&pool);
        alone += middle - start;
        together += Clock::now() - middle;
    }
    stop = true;
    for (std::thread& thread : crowd) thread.join();
    MESSAGE("crowded, pool against one thread: " << static_cast<double>(together.count()) /
                                                        static_cast<double>(alone.count()));
    CHECK(together < 4 * alone + milliseconds(500));
}

#endif

}  // namespace thread_pool_test
