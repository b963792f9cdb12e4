// Weights in half the bytes. Opt-in.
#pragma once

#include <lumbar/core/file.hpp>
#include <lumbar/core/half.hpp>
#include <lumbar/weights/weights.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// The same tensors, with F32 and F64 filters (two dimensions or more) rounded to F16. Vectors stay
/// as they are: they are under a per cent of the bytes, and variances of batch norms may be too
/// small or too large for F16. An Error where a filter has a value above 65504, which F16 does not
/// reach.
LUMBAR_COLD inline Result<Weights> try_as_half(const Weights& weights) {
    Weights::Builder builder(weights.source());
    builder.keep(std::make_shared<const Weights>(weights));
    builder.reserve(weights.size());
    builder.set_metadata(weights.metadata());
    std::vector<float> values;
    for (const TensorData& tensor : weights) {
        const std::string name(tensor.name);
        const bool wide = tensor.dtype == Dtype::f32 || tensor.dtype == Dtype::f64;
        if (!wide || tensor.shape.rank() < 2) {
            builder.add(name, tensor);
            continue;
        }
        // Strides may repeat elements: there can be more of them than bytes in the file.
        if (static_cast<std::uint64_t>(tensor.size()) > tensor.byte_size) {
            return Error(Error::Code::unsupported,
                         detail::cat({detail::origin(weights.source()), "tensor ",
                                      detail::in_quotes(name), " repeats its elements"}));
        }
        values.resize(static_cast<std::size_t>(tensor.size()));
        if (Status read = try_read_floats(tensor, 0, values); !read) return read.error();
        const auto halves = Bytes::try_allocate(values.size() * sizeof(std::uint16_t));
        if (!halves) return Error(Error::Code::io, "not enough memory for the halves");
        std::byte* to = halves->span().data();
        for (const float value : values) {
            const std::uint16_t half = float_to_half(value);
            constexpr std::uint16_t kMagnitude = 0x7FFF, kInfinity = 0x7C00;
            if ((half & kMagnitude) == kInfinity) {
                return Error(Error::Code::weights,
                             detail::cat({detail::origin(weights.source()), "tensor ",
                                          detail::in_quotes(name), " has the value ",
                                          std::to_string(value), ", too large for F16"}));
            }
            std::memcpy(to, &half, sizeof half);
            to += sizeof half;
        }
        builder.add(name, contiguous_tensor(Dtype::f16, tensor.shape, halves->span()));
        builder.keep(halves);
    }
    return std::move(builder).try_build();
}

/// try_as_half; throws its Error.
inline Weights as_half(const Weights& weights) { return try_as_half(weights).value(); }

LUMBAR_NAMESPACE_END
