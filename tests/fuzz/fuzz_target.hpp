// What the fuzz targets do with what they read.
#pragma once

#include <lumbar/weights/limits.hpp>
#include <lumbar/weights/weights.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace lumbar_test {

/// Limits as for files a thousand times as large, so that running into them is part of what is
/// tested.
inline constexpr lumbar::LoadLimits kFuzzLimits{
    .bytes = 1 << 20, .tensors = 64, .depth = 16, .pickle_operations = 4096};

inline std::span<const std::byte> as_span(const std::uint8_t* data, std::size_t size) {
    return std::as_bytes(std::span(data, size));
}

/// Reads every tensor's numbers, so that a sanitizer sees views that leave the file, and checks
/// that they are not much more than the file.
inline void read_all(const lumbar::Result<lumbar::Weights>& weights, std::size_t file_size) {
    if (!weights) {
        if (weights.error().message().size() > 8192) std::abort();
        return;
    }
    std::uint64_t bytes = 0;
    std::vector<float> values;
    for (const lumbar::TensorData& tensor : *weights) {
        bytes += lumbar::checked_byte_count(tensor.dtype, tensor.shape).value_or(1 << 30);
        if (bytes > 16 * file_size) std::abort();
        if (!lumbar::is_readable_float(tensor.dtype)) continue;
        values.resize(static_cast<std::size_t>(tensor.size()));
        if (!lumbar::try_read_floats(tensor, 0, values)) std::abort();
    }
}

}  // namespace lumbar_test
