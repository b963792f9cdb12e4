// What a test program has allocated so far, freed or not, where allocations.hpp counts it.
#pragma once

#include <atomic>
#include <cstddef>

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

namespace lumbar_test {

inline std::atomic<long> allocations{0};
inline std::atomic<std::size_t> allocated_bytes{0};

}  // namespace lumbar_test
