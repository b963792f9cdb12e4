// PyTorch's zip archives.
#include "fuzz_target.hpp"

#include <lumbar/weights/torch_zip.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = lumbar_test::as_span(data, size);
    lumbar_test::read_all(
        lumbar::detail::try_read_torch_zip(bytes, nullptr, "fuzz", lumbar_test::kFuzzLimits), size);
    return 0;
}
