// PyTorch's files from before 1.6.
#include "fuzz_target.hpp"

#include <lumbar/weights/torch_legacy.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = lumbar_test::as_span(data, size);
    lumbar_test::read_all(
        lumbar::detail::try_read_torch_legacy(bytes, nullptr, "fuzz", lumbar_test::kFuzzLimits),
        size);
    return 0;
}
