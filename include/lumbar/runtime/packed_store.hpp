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
#include <utility>
#include <vector>

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
        Slab& slab = slab_for(floats);
        struct Entry {
            std::shared_ptr<float> slab;
            std::span<const float> floats;
        };
        const std::span<float> to = slab.take(floats);
        fill(to.data());
        const auto entry = std::make_shared<const Entry>(Entry{slab.floats, to});
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
    struct Slab {
        std::shared_ptr<float> floats;
        std::size_t size = 0;
        std::size_t taken = 0;

        /// So many floats, aligned and zero. Nothing beyond them is touched.
        std::span<float> take(std::size_t count) {
            float* const first = floats.get() + taken;
            std::fill_n(first, count, 0.0f);
            taken += whole_lines(count);
            return {first, count};
        }
    };

    /// The first with room, or a new one: large, for of each the last page that is touched is not
    /// full.
    LUMBAR_COLD Slab& slab_for(std::size_t floats) {
        constexpr std::size_t kPage = detail::kLargePage / sizeof(float);
        std::size_t all = 0;
        for (Slab& slab : slabs_) {
            if (slab.size - slab.taken >= whole_lines(floats)) return slab;
            all += slab.size;
        }
        Slab slab;
        const std::size_t least = std::clamp(all, 16 * kPage, 64 * kPage);
        slab.size = (std::max(whole_lines(floats), least) + kPage - 1) / kPage * kPage;
        slab.floats = std::shared_ptr<float>(
            static_cast<float*>(detail::allocate_large_pages(slab.size * sizeof(float))),
            detail::free_large_pages);
        slabs_.push_back(std::move(slab));
        return slabs_.back();
    }

    std::vector<Slab> slabs_;
    mutable std::mutex mutex_;
    std::map<std::string, PackedWeights> entries_;
};

LUMBAR_NAMESPACE_END
