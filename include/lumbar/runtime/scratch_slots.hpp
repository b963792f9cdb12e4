// Scratch memory by thread, though threads have no numbers: who runs a chunk takes a place, first
// the one that the chunk prefers, and gives it back. A thread's chunks prefer the same place, so it
// finds its scratch in its own cache, in the next chunk and in the next step.
#pragma once

#include <lumbar/core/memory.hpp>

#include <atomic>
#include <cstddef>
#include <memory>

LUMBAR_NAMESPACE_BEGIN

class ScratchSlots {
   public:
    /// Precondition: no more than `count` chunks run at a time.
    LUMBAR_COLD explicit ScratchSlots(int count)
        : count_(count), slots_(new Slot[static_cast<std::size_t>(count)]) {}

    /// The place of one chunk, while this lives.
    class Claim {
       public:
        Claim(ScratchSlots& slots, int preferred) noexcept {
            int i = preferred;
            while (slots.slots_[static_cast<std::size_t>(i)].taken.exchange(
                true, std::memory_order_acquire)) {
                i = i + 1 < slots.count_ ? i + 1 : 0;
            }
            index_ = i;
            taken_ = &slots.slots_[static_cast<std::size_t>(i)].taken;
        }
        ~Claim() { taken_->store(false, std::memory_order_release); }
        Claim(const Claim&) = delete;
        Claim& operator=(const Claim&) = delete;

        int index() const noexcept { return index_; }

       private:
        int index_;
        std::atomic<bool>* taken_;
    };

   private:
    struct alignas(kAlignment) Slot {  // a cache line of its own
        std::atomic<bool> taken{false};
    };
    int count_;
    std::unique_ptr<Slot[]> slots_;
};

LUMBAR_NAMESPACE_END
