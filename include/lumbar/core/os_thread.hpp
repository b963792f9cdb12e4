// What the thread pool needs of the operating system: a thread whose creation may fail without an
// exception, the process it lives in, a number to sleep on, and the processor's hint for spinning.
#pragma once

#include <lumbar/config/config.hpp>

#if defined(__unix__) || defined(__APPLE__)
#define LUMBAR_HAS_PTHREADS 1
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#else
#define LUMBAR_HAS_PTHREADS 0
#include <thread>
#endif

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <intrin.h>
#endif

#include <atomic>
#include <cstdint>
#include <initializer_list>

// libstdc++ (12 at least) without futexes, on Windows for one, looks whether std::atomic has
// changed before it takes the lock that it sleeps with, so that a notification in between wakes
// nobody: of MinGW's g++ 12 every second run of the pool's tests never ended.
#if defined(__GLIBCXX__) && !defined(_GLIBCXX_HAVE_LINUX_FUTEX)
#define LUMBAR_ATOMIC_WAIT_IS_LOSSY 1
#include <condition_variable>
#include <mutex>
#else
#define LUMBAR_ATOMIC_WAIT_IS_LOSSY 0
#endif

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// Tells the processor that this is a spin loop: frees the core's other thread, saves energy.
LUMBAR_ALWAYS_INLINE void spin_pause() noexcept {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
    _mm_pause();
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/// The process that is running; a fork changes it. 0 where there is no fork.
inline long process_id() noexcept {
#if LUMBAR_HAS_PTHREADS
    return static_cast<long>(::getpid());
#else
    return 0;
#endif
}

/// A number that threads sleep on until it changes; who changes it says so by notify_*.
class SleepCounter : public std::atomic<std::uint32_t> {
   public:
    using std::atomic<std::uint32_t>::atomic;

#if LUMBAR_ATOMIC_WAIT_IS_LOSSY
    void wait(std::uint32_t old, std::memory_order order) noexcept {
        std::unique_lock lock(mutex_);
        while (load(order) == old) changed_.wait(lock);
    }
    void notify_one() noexcept {
        wait_for_who_looks();
        changed_.notify_one();
    }
    void notify_all() noexcept {
        wait_for_who_looks();
        changed_.notify_all();
    }

   private:
    // Who has the lock saw the old number, and is not asleep before the lock is free.
    void wait_for_who_looks() noexcept { const std::scoped_lock lock(mutex_); }

    std::mutex mutex_;
    std::condition_variable changed_;
#endif
};

/// A thread that is joined, or forgotten after a fork, by hand: std::thread would throw where none
/// can be created, and end the program where it is neither joined nor detached. The object must
/// stay where it is while the thread runs.
class OsThread {
   public:
    OsThread() = default;
    OsThread(const OsThread&) = delete;
    OsThread& operator=(const OsThread&) = delete;

    /// Starts body(argument) on a new thread; false where the system has none left.
    bool start(void (*body)(void*), void* argument) noexcept {
        body_ = body;
        argument_ = argument;
#if LUMBAR_HAS_PTHREADS
        // The application's signals are for the application's threads: the new one inherits a mask
        // that blocks them, save those that the thread itself causes and the profilers'.
        sigset_t blocked, previous;
        sigfillset(&blocked);
        for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF}) {
            sigdelset(&blocked, s);
        }
        pthread_sigmask(SIG_SETMASK, &blocked, &previous);
        const bool started = pthread_create(&thread_, nullptr, &OsThread::enter, this) == 0;
        pthread_sigmask(SIG_SETMASK, &previous, nullptr);
        return started;
#else
        thread_ = std::thread([this] { body_(argument_); });
        return true;
#endif
    }

    /// Waits for the thread to end. Precondition: it was started, by this process.
    void join() noexcept {
#if LUMBAR_HAS_PTHREADS
        pthread_join(thread_, nullptr);
#else
        thread_.join();
#endif
    }

   private:
#if LUMBAR_HAS_PTHREADS
    static void* enter(void* self) {
#if defined(__linux__)
        pthread_setname_np(pthread_self(), "lumbar");
#endif
        auto* thread = static_cast<OsThread*>(self);
        thread->body_(thread->argument_);
        return nullptr;
    }
    pthread_t thread_{};
#else
    std::thread thread_;
#endif
    void (*body_)(void*) = nullptr;
    void* argument_ = nullptr;
};

}  // namespace detail
LUMBAR_NAMESPACE_END
