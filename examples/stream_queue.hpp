// A bounded queue whose items are prepared by several threads and taken in the order in which they
// came: one reader -> push -> any number of threads that prepare -> take, release <- one taker.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

template <class Slot>
class StreamQueue {
   public:
    /// As many items at once as there are slots (at least one), and not more than `max_weight` of
    /// what is not prepared yet; a heavier item goes alone.
    StreamQueue(std::vector<Slot> slots, std::uint64_t max_weight)
        : max_weight_(max_weight), slots_(std::move(slots)), states_(slots_.size()) {}

    /// Waits for room, and has fill(slot) put the next item in. False: the queue is closed.
    template <class Fill>
    bool push(std::uint64_t weight, Fill&& fill) {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [&] {
            return closed_ || (pushed_ - released_ < slots_.size() &&
                               (weight_ == 0 || weight_ + weight <= max_weight_));
        });
        if (closed_) return false;
        lock.unlock();
        fill(slots_[at(pushed_)]);  // nobody else looks at it yet
        lock.lock();
        states_[at(pushed_)] = {weight, false};
        weight_ += weight;
        ++pushed_;
        unprepared_.notify_one();
        news_.notify_one();
        return true;
    }

    /// No more items will come, for this reason if there is one; take() throws it after the last.
    void finish(std::exception_ptr failure = nullptr) {
        const std::lock_guard lock(mutex_);
        finished_ = true;
        failure_ = failure;
        unprepared_.notify_all();
        news_.notify_one();
    }

    /// Nobody will take any more: push and prepare return.
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        room_.notify_all();
        unprepared_.notify_all();
    }

    /// Waits for an item that nobody has begun to prepare, and has prepare(slot) do it. False: none
    /// will come.
    template <class Prepare>
    bool prepare(Prepare&& prepare) {
        std::unique_lock lock(mutex_);
        unprepared_.wait(lock, [&] { return closed_ || finished_ || claimed_ < pushed_; });
        if (closed_ || claimed_ == pushed_) return false;
        const std::size_t mine = at(claimed_++);
        lock.unlock();
        prepare(slots_[mine]);
        lock.lock();
        states_[mine].prepared = true;
        weight_ -= states_[mine].weight;
        room_.notify_one();
        news_.notify_one();
        return true;
    }

    /// The oldest items, prepared: waits for the first, and goes on until enough(slot) says that
    /// this one was the last that is wanted, the queue is full, or the next has not been pushed. So
    /// what has been pushed is never held back for what has not. Empty: there are no more.
    template <class Enough>
    std::vector<Slot*> take(Enough&& enough) {
        std::vector<Slot*> taken;
        std::unique_lock lock(mutex_);
        news_.wait(lock, [&] { return finished_ || released_ < pushed_; });
        while (taken.size() < slots_.size() && released_ + taken.size() < pushed_) {
            const std::size_t next = at(released_ + taken.size());
            news_.wait(lock, [&] { return states_[next].prepared; });
            taken.push_back(&slots_[next]);
            if (enough(slots_[next])) break;
        }
        if (taken.empty() && failure_) std::rethrow_exception(failure_);
        return taken;
    }

    /// Gives the slots of the `count` oldest items back. Precondition: they have been taken.
    void release(std::size_t count) {
        const std::lock_guard lock(mutex_);
        released_ += count;
        room_.notify_one();
    }

   private:
    struct State {
        std::uint64_t weight = 0;
        bool prepared = false;
    };
    std::size_t at(std::uint64_t item) const {
        return static_cast<std::size_t>(item % slots_.size());
    }

    const std::uint64_t max_weight_;
    std::mutex mutex_;
    std::condition_variable room_, unprepared_, news_;  // for the reader, the others, the taker
    std::vector<Slot> slots_;
    std::vector<State> states_;
    // Items since the beginning: released <= claimed <= pushed <= released + slots.
    std::uint64_t pushed_ = 0, claimed_ = 0, released_ = 0;
    std::uint64_t weight_ = 0;  // of what is pushed and not prepared
    bool finished_ = false, closed_ = false;
    std::exception_ptr failure_;
};
