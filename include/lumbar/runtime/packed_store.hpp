// Packed weights, kept by tensor and format: networks and plans for other input sizes or batches
// share them and add only the formats that are missing.
#pragma once

#include <lumbar/core/memory.hpp>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

LUMBAR_NAMESPACE_BEGIN

using PackedWeights = std::shared_ptr<const AlignedBuffer>;

class PackedStore {
   public:
    /// The packed weights of that key; where there are none, fill(data) makes them in `floats`
    /// zero-filled floats. Used by `compile` only, never by a run.
    LUMBAR_COLD PackedWeights get(const std::string& key, std::size_t floats,
                                  const std::function<void(float*)>& fill) {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(key);
        if (found != entries_.end()) return found->second;
        auto buffer = std::make_shared<AlignedBuffer>(floats, Pages::large);
        fill(buffer->data());
        return entries_.emplace(key, std::move(buffer)).first->second;
    }

    /// Bytes of all formats together.
    std::size_t bytes() const {
        const std::lock_guard lock(mutex_);
        std::size_t total = 0;
        for (const auto& [key, entry] : entries_) total += entry->size() * sizeof(float);
        return total;
    }

   private:
    mutable std::mutex mutex_;
    std::map<std::string, PackedWeights> entries_;
};

LUMBAR_NAMESPACE_END
