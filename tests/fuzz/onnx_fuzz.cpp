// ONNX initialisers.
#include "fuzz_target.hpp"

#include <lumbar/weights/onnx.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = lumbar_test::as_span(data, size);
    lumbar_test::read_all(lumbar::try_read_onnx(bytes, nullptr, "fuzz", lumbar_test::kFuzzLimits),
                          size);
    return 0;
}
