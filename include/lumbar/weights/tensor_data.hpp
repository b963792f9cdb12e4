// A stored tensor, seen but not owned, and how its numbers are read.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/core/half.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/dims.hpp>
#include <lumbar/weights/dtype.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

LUMBAR_NAMESPACE_BEGIN

static_assert(std::endian::native == std::endian::little,
              "weight files are little-endian, and so must the machine be that reads them");

/// A view of one tensor of a Weights, which owns its bytes and its name: valid while any copy of
/// that Weights lives. Nothing is aligned: old files put floats at odd addresses.
struct TensorData {
    std::string_view name;
    Dtype dtype = Dtype::f32;
    Dims shape;
    Dims strides;                      ///< in elements, never negative; as many as extents
    const std::byte* bytes = nullptr;  ///< the element at index zero
    std::size_t byte_size = 0;         ///< how far the bytes reach from there

    /// The number of elements.
    std::int64_t size() const { return checked_element_count(shape).value_or(0); }

    /// Whether the elements lie densely in row-major order.
    bool is_contiguous() const {
        if (std::find(shape.begin(), shape.end(), std::int64_t{0}) != shape.end()) return true;
        std::int64_t dense = 1;
        for (std::size_t i = shape.rank(); i-- > 0;) {
            if (shape[i] == 1) continue;  // never stepped along
            if (strides[i] != dense) return false;
            dense *= shape[i];
        }
        return true;
    }
};

/// A dense row-major tensor over bytes that the caller keeps. Its name is empty; whether the bytes
/// are enough for the shape is checked where it joins a Weights.
LUMBAR_COLD inline TensorData contiguous_tensor(Dtype dtype, const Dims& shape,
                                                std::span<const std::byte> bytes) {
    TensorData tensor;
    tensor.dtype = dtype;
    tensor.shape = shape;
    tensor.strides = row_major_strides(shape);
    tensor.bytes = bytes.data();
    tensor.byte_size = bytes.size();
    return tensor;
}

/// The number of bytes of `shape` stored densely, or nothing where it overflows or does not end at
/// a byte border.
constexpr std::optional<std::uint64_t> checked_byte_count(Dtype dtype, const Dims& shape) {
    const auto count = checked_element_count(shape);
    if (!count) return std::nullopt;
    const auto bits = checked_mul(static_cast<std::uint64_t>(*count),
                                  static_cast<std::uint64_t>(size_in_bits(dtype)));
    if (!bits || *bits % 8 != 0) return std::nullopt;
    return *bits / 8;
}

namespace detail {

/// What is wrong with a view, or nothing: every element must lie within its bytes. All arithmetic
/// is checked, since shapes, strides and offsets may come from a hostile file.
LUMBAR_COLD inline std::optional<std::string> view_problem(const TensorData& tensor) {
    if (tensor.strides.rank() != tensor.shape.rank()) {
        return cat(
            {"has ", tensor.shape.rank(), " extents but ", tensor.strides.rank(), " strides"});
    }
    const auto count = checked_element_count(tensor.shape);
    if (!count) return "has the impossible shape " + to_string(tensor.shape);
    if (*count == 0) return std::nullopt;

    const auto bits = static_cast<std::uint64_t>(size_in_bits(tensor.dtype));
    std::optional<std::uint64_t> needed;
    if (bits % 8 != 0) {
        if (!tensor.is_contiguous()) return "has strides, but elements smaller than a byte";
        needed = checked_byte_count(tensor.dtype, tensor.shape);
    } else {
        std::optional<std::uint64_t> elements = 1;
        for (std::size_t i = 0; i < tensor.shape.rank() && elements; ++i) {
            if (tensor.strides[i] < 0) return "has a negative stride";
            const auto reach = checked_mul(static_cast<std::uint64_t>(tensor.shape[i] - 1),
                                           static_cast<std::uint64_t>(tensor.strides[i]));
            elements = reach ? checked_add(*elements, *reach) : std::nullopt;
        }
        needed = elements ? checked_mul(*elements, bits / 8) : std::nullopt;
    }
    if (!needed || *needed > tensor.byte_size) {
        return cat(
            {"of shape ", to_string(tensor.shape), " (", to_string(tensor.dtype), ") needs ",
             (needed ? std::to_string(*needed) + " bytes" : "more bytes than can be counted"),
             " but has ", tensor.byte_size});
    }
    if (tensor.bytes == nullptr) return "has no bytes";
    return std::nullopt;
}

/// Bits of a stored element, from any address.
template <class Bits>
Bits load_bits(const std::byte* address) {
    Bits bits;
    std::memcpy(&bits, address, sizeof bits);
    return bits;
}

/// How an element of each readable type becomes a number. A double becomes a float by rounding to
/// nearest, and infinity where it is too large.
struct LoadF32 {
    static constexpr std::int64_t kBytes = 4;
    float operator()(const std::byte* p) const { return load_bits<float>(p); }
};
struct LoadF64 {
    static constexpr std::int64_t kBytes = 8;
    double operator()(const std::byte* p) const { return load_bits<double>(p); }
};
struct LoadF16 {
    static constexpr std::int64_t kBytes = 2;
    float operator()(const std::byte* p) const {
        return half_to_float(load_bits<std::uint16_t>(p));
    }
};
struct LoadBf16 {
    static constexpr std::int64_t kBytes = 2;
    float operator()(const std::byte* p) const {
        return bfloat16_to_float(load_bits<std::uint16_t>(p));
    }
};

/// Calls `body(loader)` for the type. Precondition: is_readable_float(dtype).
template <class Body>
void with_loader(Dtype dtype, Body&& body) {
    switch (dtype) {
        case Dtype::f32: return body(LoadF32{});
        case Dtype::f64: return body(LoadF64{});
        case Dtype::f16: return body(LoadF16{});
        case Dtype::bf16: return body(LoadBf16{});
        default: assert(false && "not a readable float"); return;
    }
}

/// The same elements in the same order with as few dimensions as possible: extents of one are
/// dropped and neighbours that are dense in each other are merged. The innermost runs become long,
/// and what merely looks strided (a 1x1 kernel stored channels last) becomes one dense run.
struct Runs {
    Dims shape;
    Dims strides;

    explicit Runs(const TensorData& tensor) {
        for (std::size_t i = 0; i < tensor.shape.rank(); ++i) {
            const std::int64_t extent = tensor.shape[i];
            if (extent == 1) continue;
            const std::size_t last = shape.rank() - 1;  // wraps at rank 0, unused then
            if (shape.rank() > 0 && strides[last] == tensor.strides[i] * extent) {
                shape[last] *= extent;
                strides[last] = tensor.strides[i];
            } else {
                shape.push_back(extent);
                strides.push_back(tensor.strides[i]);
            }
        }
        if (shape.rank() == 0) {
            shape.push_back(1);
            strides.push_back(1);
        }
    }
};

/// Converts `count` elements, `step` bytes apart, into a dense run of Number.
using ConvertRun = void (*)(const std::byte* from, std::int64_t step, std::int64_t count, void* to);

template <class Load, class Number>
void convert_run(const std::byte* from, std::int64_t step, std::int64_t count, void* to) {
    constexpr bool same = std::is_same_v<decltype(Load{}(from)), Number> &&
                          sizeof(Number) == static_cast<std::size_t>(Load::kBytes);
    Number* const out = static_cast<Number*>(to);
    if (step != Load::kBytes) {
        for (std::int64_t i = 0; i < count; ++i) {
            out[i] = static_cast<Number>(Load{}(from + i * step));
        }
    } else if constexpr (same) {
        std::memcpy(out, from, static_cast<std::size_t>(count * Load::kBytes));
    } else {
        for (std::int64_t i = 0; i < count; ++i) {
            out[i] = static_cast<Number>(Load{}(from + i * Load::kBytes));
        }
    }
}

/// Calls `run(offset, stride, count)` for pieces of elements first .. first + count - 1 in
/// row-major order; offsets and strides in elements. Precondition: those elements exist and count >
/// 0.
template <class Run>
void for_each_run(const TensorData& tensor, std::int64_t first, std::int64_t count, Run&& run) {
    const Runs runs(tensor);
    const std::size_t inner = runs.shape.rank() - 1;
    Dims at = runs.shape;
    for (std::size_t i = runs.shape.rank(); i-- > 0;) {
        at[i] = first % runs.shape[i];
        first /= runs.shape[i];
    }
    while (count > 0) {
        std::int64_t offset = 0;
        for (std::size_t i = 0; i <= inner; ++i) offset += at[i] * runs.strides[i];
        const std::int64_t length = std::min(count, runs.shape[inner] - at[inner]);
        run(offset, runs.strides[inner], length);
        count -= length;
        at[inner] = 0;
        for (std::size_t i = inner; i-- > 0;) {
            if (++at[i] < runs.shape[i]) break;
            at[i] = 0;
        }
    }
}

/// Converts elements first .. first + count - 1, as for_each_run. `width`: bytes of a converted
/// element.
LUMBAR_COLD inline void convert_runs(const TensorData& tensor, std::int64_t first,
                                     std::int64_t count, ConvertRun convert, std::byte* to,
                                     std::int64_t width) {
    const std::int64_t bytes = size_in_bits(tensor.dtype) / 8;
    for_each_run(tensor, first, count,
                 [&](std::int64_t offset, std::int64_t stride, std::int64_t length) {
                     convert(tensor.bytes + offset * bytes, stride * bytes, length, to);
                     to += length * width;
                 });
}

/// What is wrong with reading `count` elements from `first` on, or success.
LUMBAR_COLD inline Status check_read(const TensorData& tensor, std::int64_t first,
                                     std::size_t count) {
    const auto who = [&] { return "tensor " + in_quotes(tensor.name); };
    if (!is_readable_float(tensor.dtype)) {
        return Error(Error::Code::unsupported,
                     cat({who(), " holds ", to_string(tensor.dtype),
                          ", which cannot be read as floating-point numbers; store it as F32, F16, "
                          "BF16 or F64"}));
    }
    const std::int64_t size = tensor.size();
    if (first < 0 || first > size || count > static_cast<std::uint64_t>(size - first)) {
        return Error(Error::Code::argument, cat({who(), " has ", size, " elements; ", count,
                                                 " from element ", first, " on were asked for"}));
    }
    return Success{};
}

template <class Number>
Status try_read(const TensorData& tensor, std::int64_t first, std::span<Number> out) {
    if (Status fits = check_read(tensor, first, out.size()); !fits || out.empty()) return fits;
    with_loader(tensor.dtype, [&]<class Load>(Load) {
        convert_runs(tensor, first, static_cast<std::int64_t>(out.size()),
                     &convert_run<Load, Number>, std::as_writable_bytes(out).data(),
                     sizeof(Number));
    });
    return Success{};
}

}  // namespace detail

/// Reads elements first .. first + out.size() - 1, in row-major order, as floats. An Error where
/// the element type is not a float or the range leaves the tensor. Doubles are rounded to nearest.
inline Status try_read_floats(const TensorData& tensor, std::int64_t first, std::span<float> out) {
    return detail::try_read<float>(tensor, first, out);
}

/// The same, as doubles: exact for every readable type.
inline Status try_read_doubles(const TensorData& tensor, std::int64_t first,
                               std::span<double> out) {
    return detail::try_read<double>(tensor, first, out);
}

/// try_read_floats; throws its Error.
inline void read_floats(const TensorData& tensor, std::int64_t first, std::span<float> out) {
    (void)try_read_floats(tensor, first, out).value();
}

/// try_read_doubles; throws its Error.
inline void read_doubles(const TensorData& tensor, std::int64_t first, std::span<double> out) {
    (void)try_read_doubles(tensor, first, out).value();
}

/// One element by its row-major index: `ElementReader at(tensor); at(i)`. For what is read in an
/// order of one's own; try_read_floats is much faster for runs. Preconditions:
/// is_readable_float(tensor.dtype), 0 <= i < tensor.size(), and the tensor outlives it.
class ElementReader {
   public:
    explicit ElementReader(const TensorData& tensor) : tensor_(&tensor) {
        assert(is_readable_float(tensor.dtype));
    }

    float operator()(std::int64_t index) const {
        assert(index >= 0 && index < tensor_->size());
        std::int64_t offset = 0;
        for (std::size_t i = tensor_->shape.rank(); i-- > 0;) {
            offset += index % tensor_->shape[i] * tensor_->strides[i];
            index /= tensor_->shape[i];
        }
        float result = 0;
        detail::with_loader(tensor_->dtype, [&]<class Load>(Load load) {
            result = static_cast<float>(load(tensor_->bytes + offset * Load::kBytes));
        });
        return result;
    }

   private:
    const TensorData* tensor_;
};

LUMBAR_NAMESPACE_END
