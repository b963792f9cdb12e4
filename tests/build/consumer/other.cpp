#if defined(SINGLE_HEADER)
#include <lumbar_image.hpp>
// After it, so that the headers that both hold meet.
#include <lumbar.hpp>
#else
#include <lumbar/image.hpp>
#include <lumbar/lumbar.hpp>
#endif

#if defined(EMBEDDED)
#include <cstdint>
#include <embedded/weights.hpp>

/// The weights in the program are whole, where vectors want them, and viewed without a copy.
bool embedded_weights_load() {
    const auto bytes = embedded::weights();
    const auto weights = lumbar::try_load_weights(bytes, "weights");
    if (!weights || weights->empty()) return false;
    for (const lumbar::TensorData& tensor : *weights) {
        if (tensor.bytes < bytes.data() ||
            tensor.bytes + tensor.byte_size > bytes.data() + bytes.size()) {
            return false;
        }
    }
    return reinterpret_cast<std::uintptr_t>(bytes.data()) % 64 == 0;
}
#else
bool embedded_weights_load() { return true; }
#endif

std::size_t other() { return lumbar::Tensor({.n = 1, .c = 3, .h = 4, .w = 4}).values().size(); }
