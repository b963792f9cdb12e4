// Counts allocations: replaces operator new for a whole test program. Include it in one file of the
// program only.
#pragma once

#include "allocation_counts.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__GNUC__)
#define LUMBAR_TEST_NOINLINE \
    __attribute__((noinline))  // gcc 12 warns of a mismatch where it inlines one side
#else
#define LUMBAR_TEST_NOINLINE
#endif

#if !defined(LUMBAR_TEST_KEEP_OPERATOR_NEW)
namespace lumbar_test {
inline void* counted(void* memory, std::size_t bytes) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    allocated_bytes.fetch_add(bytes, std::memory_order_relaxed);
    return memory;
}
inline void* or_throw(void* memory) {
    if (!memory) throw std::bad_alloc();
    return memory;
}
}  // namespace lumbar_test

// Replaced for this whole test program, to count.
LUMBAR_TEST_NOINLINE void* operator new(std::size_t bytes) {
    return lumbar_test::or_throw(lumbar_test::counted(std::malloc(bytes + !bytes), bytes));
}
LUMBAR_TEST_NOINLINE void* operator new(std::size_t bytes, std::align_val_t alignment) {
    const std::size_t line = static_cast<std::size_t>(alignment);
    return lumbar_test::or_throw(
        lumbar_test::counted(std::aligned_alloc(line, (bytes + line) / line * line), bytes));
}
LUMBAR_TEST_NOINLINE void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return lumbar_test::counted(std::malloc(bytes + !bytes), bytes);
}
// Arrays too: AddressSanitizer has operators of its own for them.
LUMBAR_TEST_NOINLINE void* operator new[](std::size_t bytes) { return operator new(bytes); }
LUMBAR_TEST_NOINLINE void* operator new[](std::size_t bytes, const std::nothrow_t& none) noexcept {
    return operator new(bytes, none);
}
LUMBAR_TEST_NOINLINE void operator delete[](void* memory) noexcept { std::free(memory); }
LUMBAR_TEST_NOINLINE void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
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
