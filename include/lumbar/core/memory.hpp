// Aligned memory: what packed weights, arenas and tensors live in.
#pragma once

#include <lumbar/config/config.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

LUMBAR_NAMESPACE_BEGIN

/// One cache line, and the widest vector register.
inline constexpr std::size_t kAlignment = 64;

/// `floats`, rounded up to whole cache lines.
constexpr std::size_t whole_lines(std::size_t floats) {
    constexpr std::size_t kFloats = kAlignment / sizeof(float);
    return (floats + kFloats - 1) / kFloats * kFloats;
}

namespace detail {
inline constexpr std::size_t kLargePage = std::size_t{2} << 20;

/// Memory that begins with a large page, and is made of them where the system gives them: without
/// them, weights that are read once per run cost a miss in the address translation every 4 KiB, and
/// so do the many places that Winograd's transforms write at a time. Not initialised. `bytes`:
/// whole large pages. Throws std::bad_alloc.
inline void* allocate_large_pages(std::size_t bytes) {
    void* const memory = ::operator new (bytes, std::align_val_t{kLargePage});
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    (void)madvise(memory, bytes, MADV_HUGEPAGE);  // where the system has none, nothing is lost
#endif
    return memory;
}
inline void free_large_pages(void* memory) noexcept {
    ::operator delete (memory, std::align_val_t{kLargePage});
}
}  // namespace detail

enum class Pages { usual, large };

/// A zero-filled array of floats, aligned to kAlignment; with Pages::large in large pages, where it
/// fills half of one and the system gives them. Move only. Throws std::bad_alloc.
class AlignedBuffer {
   public:
    AlignedBuffer() = default;
    explicit AlignedBuffer(std::size_t floats, Pages pages = Pages::usual) : size_(floats) {
        if (floats == 0) return;
        // What cannot be counted cannot be had: operator new throws for the largest size.
        const std::size_t most = std::numeric_limits<std::size_t>::max() / 2;
        const std::size_t bytes = floats < most / sizeof(float) ? floats * sizeof(float) : most;
        large_ = pages == Pages::large && bytes >= detail::kLargePage / 2;
        void* const memory =
            large_ ? detail::allocate_large_pages((bytes + detail::kLargePage - 1) /
                                                  detail::kLargePage * detail::kLargePage)
                   : ::operator new (bytes, std::align_val_t{kAlignment});
        data_ = static_cast<float*>(memory);
        std::memset(data_, 0, bytes);
    }
    AlignedBuffer(AlignedBuffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          large_(other.large_) {}
    AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(large_, other.large_);
        return *this;
    }
    AlignedBuffer(const AlignedBuffer&) = delete;
    AlignedBuffer& operator=(const AlignedBuffer&) = delete;
    ~AlignedBuffer() {
        if (large_ && data_) {
            detail::free_large_pages(data_);
        } else if (data_) {
            ::operator delete (data_, std::align_val_t{kAlignment});
        }
    }

    float* data() noexcept { return data_; }
    const float* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

   private:
    float* data_ = nullptr;
    std::size_t size_ = 0;
    bool large_ = false;
};

LUMBAR_NAMESPACE_END
