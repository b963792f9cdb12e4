// Calls that find nothing in the caches: what a layer meets whose weights the rest of the network
// has pushed out since the last image.
#pragma once

#include <lumbar/core/memory.hpp>

#include <algorithm>
#include <cstddef>

#if defined(__unix__)
#include <unistd.h>
#endif

namespace bench {

/// Pushes everything out of the caches by reading twice as many bytes as the last level has.
class ColdCache {
   public:
    /// Whether layers are timed cold too: a choice for the whole program.
    static bool& wanted() {
        static bool wanted = false;
        return wanted;
    }

    static void flush() {
        static ColdCache cache;
        cache.read();
    }

   private:
    ColdCache() : buffer_(2 * last_level_bytes() / sizeof(float)) {
        // Pages that were never written may all be the same one.
        std::fill_n(buffer_.data(), buffer_.size(), 1.0f);
    }

    void read() const {
        constexpr std::size_t line = 16;
        const volatile float* const from = buffer_.data();
        for (std::size_t i = 0; i < buffer_.size(); i += line) static_cast<void>(from[i]);
    }

    /// As the system says; where it says nothing, more than most machines have.
    static std::size_t last_level_bytes() {
        long bytes = 0;
#if defined(_SC_LEVEL3_CACHE_SIZE)
        bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
        return bytes > 0 ? static_cast<std::size_t>(bytes) : std::size_t{1} << 26;
    }

    lumbar::AlignedBuffer buffer_;
};

}  // namespace bench
