// NumPy's archives and arrays.
#include "fuzz_target.hpp"

#include <lumbar/weights/numpy.hpp>
#if defined(LUMBAR_TEST_ZLIB)
#include <lumbar/zlib.hpp>
constexpr lumbar::Inflate kInflate = lumbar::inflate_with_zlib;
#else
constexpr lumbar::Inflate kInflate = nullptr;
#endif

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = lumbar_test::as_span(data, size);
    constexpr std::size_t kMostFromByte = 1032;  // of deflate
    lumbar_test::read_all(
        lumbar::try_read_numpy(bytes, nullptr, "fuzz", lumbar_test::kFuzzLimits, kInflate),
        size * kMostFromByte);
    return 0;
}
