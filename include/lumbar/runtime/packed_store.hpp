// Packed weights, kept by tensor and format: networks and plans for other input sizes or batches
// share them and add only the formats that are missing.
#pragma once

#include <lumbar/core/memory.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

LUMBAR_NAMESPACE_BEGIN

/// Floats in a slab, which lives as long as they do.
using PackedWeights = std::shared_ptr<const std::span<const float>>;

/// Most layers' weights are smaller than a large page: they lie side by side in slabs of such pages
/// (AVX-512, Emerald Rapids, a virtual machine: networks 0.96 to 0.98 of the time).
class PackedStore {
   public:
    /// The packed weights of that key; where there are none, fill(data) makes them in `floats`
    /// zero-filled floats. Used by `compile` only, never by a run.
    LUMBAR_COLD PackedWeights get(const std::string& key, std::size_t floats,
                                  const std::function<void(float*)>& fill) {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(key);
        if (found != entries_.end()) return found->second;
        struct Entry {
            std::shared_ptr<float> slab;
            std::span<const float> floats;
        };
        float* const to = take(floats);
        fill(to);
        const auto entry = std::make_shared<const Entry>(Entry{slab_, {to, floats}});
        return entries_.emplace(key, PackedWeights(entry, &entry->floats)).first->second;
    }

    /// Bytes of all formats together.
    std::size_t bytes() const {
        const std::lock_guard lock(mutex_);
        std::size_t total = 0;
        for (const auto& [key, entry] : entries_) total += entry->size() * sizeof(float);
        return total;
    }

   private:
    /// So many floats, aligned and zero, of the newest slab, which is a new one where that has no
    /// room. Slabs grow with what there is; of their ends, nothing is touched.
    LUMBAR_COLD float* take(std::size_t floats) {
        constexpr std::size_t kPage = detail::kLargePage / sizeof(float), kMost = 16 * kPage;
        const std::size_t size = whole_lines(floats);
        if (size > left_) {
            left_ = std::max(size, std::clamp(taken_, kPage, kMost));
            left_ = (left_ + kPage - 1) / kPage * kPage;
            slab_ = std::shared_ptr<float>(
                static_cast<float*>(detail::allocate_large_pages(left_ * sizeof(float))),
                detail::free_large_pages);
            next_ = slab_.get();
        }
        float* const first = next_;
        std::fill_n(first, size, 0.0f);
        next_ += size;
        left_ -= size;
        taken_ += size;
        return first;
    }

    std::shared_ptr<float> slab_;  ///< the newest
    float* next_ = nullptr;        ///< where it is not taken yet
    std::size_t left_ = 0;
    std::size_t taken_ = 0;  ///< of all slabs
    mutable std::mutex mutex_;
    std::map<std::string, PackedWeights> entries_;
};

LUMBAR_NAMESPACE_END
