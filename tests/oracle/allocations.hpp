// Counts allocations: replaces operator new for a whole test program. Include it in one file of the
// program only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

// clang's sanitizers bring an operator new of their own that cannot be replaced.
#if defined(__clang__)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define LUMBAR_TEST_KEEP_OPERATOR_NEW
#endif
#endif

// Windows has no aligned_alloc.
#if defined(_WIN32)
#define LUMBAR_TEST_KEEP_OPERATOR_NEW
#endif

#if defined(__GNUC__)
#define LUMBAR_TEST_NOINLINE \
    __attribute__((noinline))  // gcc 12 warns of a mismatch where it inlines one side
#else
#define LUMBAR_TEST_NOINLINE
#endif

#if !defined(LUMBAR_TEST_KEEP_OPERATOR_NEW)
namespace {
std::atomic<long> allocations{0};

void* counted(void* memory) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (!memory) std::abort();
    return memory;
}
}  // namespace

// Replaced for this whole test program, to count.
LUMBAR_TEST_NOINLINE void* operator new(std::size_t bytes) {
    return counted(std::malloc(bytes + !bytes));
}
LUMBAR_TEST_NOINLINE void* operator new(std::size_t bytes, std::align_val_t alignment) {
    const std::size_t line = static_cast<std::size_t>(alignment);
    return counted(std::aligned_alloc(line, (bytes + line) / line * line));
}
LUMBAR_TEST_NOINLINE void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return counted(std::malloc(bytes + !bytes));
}
LUMBAR_TEST_NOINLINE void operator delete(void* memory) noexcept { std::free(memory); }
LUMBAR_TEST_NOINLINE void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
LUMBAR_TEST_NOINLINE void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
LUMBAR_TEST_NOINLINE void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}
#endif
