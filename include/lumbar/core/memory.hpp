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
/// Asks for large pages for what of a range is made of them: weights that are read once per run
/// cost a miss in the address translation every 4 KiB without them. Before the memory is touched.
inline void request_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr std::uintptr_t kPage = std::uintptr_t{2} << 20;
    const auto begin = reinterpret_cast<std::uintptr_t>(memory);
    const std::uintptr_t first = (begin + kPage - 1) / kPage * kPage;
    const std::uintptr_t last = (begin + bytes) / kPage * kPage;
    // Where the system has none, nothing is lost.
    if (first < last) {
        (void)madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
    }
#endif
}
}  // namespace detail

enum class Pages { usual, large };

/// A zero-filled array of floats, aligned to kAlignment; with Pages::large in large pages, where it
/// is large enough and the system gives them. Move only. Throws std::bad_alloc.
class AlignedBuffer {
   public:
    AlignedBuffer() = default;
    explicit AlignedBuffer(std::size_t floats, Pages pages = Pages::usual) : size_(floats) {
        if (floats == 0) return;
        // What cannot be counted cannot be had: operator new throws for the largest size.
        const std::size_t most = std::numeric_limits<std::size_t>::max() / 2;
        const std::size_t bytes = floats < most / sizeof(float) ? floats * sizeof(float) : most;
        data_ = static_cast<float*>(::operator new (bytes, std::align_val_t{kAlignment}));
        if (pages == Pages::large) detail::request_huge_pages(data_, bytes);
        std::memset(data_, 0, bytes);
    }
    AlignedBuffer(AlignedBuffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    AlignedBuffer(const AlignedBuffer&) = delete;
    AlignedBuffer& operator=(const AlignedBuffer&) = delete;
    ~AlignedBuffer() {
        if (data_) ::operator delete (data_, std::align_val_t{kAlignment});
    }

    float* data() noexcept { return data_; }
    const float* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

   private:
    float* data_ = nullptr;
    std::size_t size_ = 0;
};

LUMBAR_NAMESPACE_END
