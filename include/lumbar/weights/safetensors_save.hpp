// Writing safetensors: to give away what a program made, and to make files for tests.
#pragma once

#include <lumbar/core/file.hpp>
#include <lumbar/core/sorted_order.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/safetensors.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <vector>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

LUMBAR_COLD inline std::string json_text(std::string_view text) {
    constexpr char kHex[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += c;
        }
    }
    return out + "\"";
}

/// The length and the JSON, padded with spaces so that the tensors begin at a multiple of 8. The
/// tensors are given in the order of their bytes.
LUMBAR_COLD inline std::string safetensors_header_bytes(std::span<const TensorData* const> tensors,
                                                        const Weights::Metadata& metadata) {
    std::string json = "{";
    if (!metadata.empty()) {
        json += "\"__metadata__\":{";
        for (const auto& [key, value] : metadata) {
            if (json.back() != '{') json += ',';
            json += cat({json_text(key), ":", json_text(value)});
        }
        json += "}";
    }
    std::uint64_t begin = 0;
    for (const TensorData* tensor : tensors) {
        const std::uint64_t end =
            begin + checked_byte_count(tensor->dtype, tensor->shape).value_or(0);
        if (json.size() > 1) json += ',';
        json += json_text(tensor->name) + ":{\"dtype\":\"";
        json += to_string(tensor->dtype);
        json += cat({"\",\"shape\":", to_string(tensor->shape), ",\"data_offsets\":[", begin, ",",
                     end, "]}"});
        begin = end;
    }
    json += "}";
    json.resize((json.size() + 7) / 8 * 8, ' ');
    const std::uint64_t size = json.size();
    std::string out(sizeof size, '\0');
    std::memcpy(out.data(), &size, sizeof size);
    return out + json;
}

/// Passes the tensor's elements, densely and in row-major order, to `sink(bytes)` in pieces.
template <class Sink>
void write_elements(const TensorData& tensor, Sink&& sink) {
    const std::int64_t count = tensor.size();
    if (count == 0) return;
    if (tensor.is_contiguous()) {
        sink(std::span(tensor.bytes,
                       static_cast<std::size_t>(*checked_byte_count(tensor.dtype, tensor.shape))));
        return;
    }
    const std::int64_t element = size_in_bytes(tensor.dtype);
    std::vector<std::byte> piece;
    for_each_run(tensor, 0, count, [&](std::int64_t offset, std::int64_t stride, std::int64_t n) {
        const std::byte* from = tensor.bytes + offset * element;
        for (std::int64_t i = 0; i < n; ++i) {
            piece.insert(piece.end(), from, from + element);
            from += i + 1 < n ? stride * element : 0;
            if (piece.size() >= 65536) {
                sink(std::span<const std::byte>(piece));
                piece.clear();
            }
        }
    });
    sink(std::span<const std::byte>(piece));
}

/// Checks everything first, so that `sink` sees either a valid file or nothing.
template <class Sink>
Status try_write_safetensors(std::span<const TensorData> tensors, const Weights::Metadata& metadata,
                             Sink&& sink) {
    std::vector<const TensorData*> order;
    for (const TensorData& tensor : tensors) {
        if (const auto problem = view_problem(tensor)) {
            return Error(Error::Code::argument,
                         cat({"tensor ", in_quotes(tensor.name), " ", *problem}));
        }
        if (!checked_byte_count(tensor.dtype, tensor.shape)) {
            return Error(Error::Code::argument, cat({"tensor ", in_quotes(tensor.name),
                                                     " is not a whole number of bytes"}));
        }
        order.push_back(&tensor);
    }
    // Wide elements first, so that each tensor is aligned to its element; then by name.
    sort_by(order, [](const TensorData* a, const TensorData* b) {
        const int a_bits = size_in_bits(a->dtype);
        const int b_bits = size_in_bits(b->dtype);
        return a_bits != b_bits ? a_bits > b_bits : a->name < b->name;
    });
    const std::string header = safetensors_header_bytes(order, metadata);

    // Read back what was made: names that are not UTF-8 or come twice fail here, and so does all
    // that the reader would not accept.
    auto parsed = try_parse_safetensors_header(std::string_view(header).substr(8), "");
    if (!parsed) return Error(Error::Code::argument, parsed.error().message());
    std::uint64_t total = 0;
    for (const SafetensorsEntry& entry : parsed->tensors) total = std::max(total, entry.end);
    if (const auto problem = layout_problem(parsed->tensors, total)) {
        return Error(Error::Code::argument, *problem);
    }
    if (header.size() - 8 > SafetensorsLimits::header_bytes) {
        return Error(Error::Code::argument, "the names and the metadata are too long");
    }

    sink(std::as_bytes(std::span(header)));
    for (const TensorData* tensor : order) write_elements(*tensor, sink);
    return Success{};
}

}  // namespace detail

/// The bytes of a safetensors file with these tensors. An Error where names are not UTF-8, come
/// twice or are too long, or a view leaves its bytes.
LUMBAR_COLD inline Result<std::vector<std::byte>> try_encode_safetensors(
    std::span<const TensorData> tensors, const Weights::Metadata& metadata = {}) {
    std::vector<std::byte> out;
    const auto status =
        detail::try_write_safetensors(tensors, metadata, [&](std::span<const std::byte> bytes) {
            out.insert(out.end(), bytes.begin(), bytes.end());
        });
    if (!status) return status.error();
    return out;
}

/// Writes a safetensors file: `try_save_safetensors(path, weights.tensors(), weights.metadata())`.
/// Replaces an existing file. An Error as try_encode_safetensors, or of code io.
LUMBAR_COLD inline Status try_save_safetensors(const std::string& path,
                                               std::span<const TensorData> tensors,
                                               const Weights::Metadata& metadata = {}) {
    if (const char* problem = detail::path_problem(path)) {
        return detail::file_error(path.empty() ? "(no path)" : path, problem);
    }
    std::ofstream file;
    const auto status =
        detail::try_write_safetensors(tensors, metadata, [&](std::span<const std::byte> bytes) {
            if (!file.is_open()) file.open(path, std::ios::binary | std::ios::trunc);
            file.write(reinterpret_cast<const char*>(bytes.data()),
                       static_cast<std::streamsize>(bytes.size()));
        });
    if (!status) {
        return Error(status.error().code(), detail::origin(path) + status.error().message());
    }
    const bool opened = file.is_open();
    file.close();
    if (!opened || !file) {
        return Error(Error::Code::io,
                     detail::origin(path) +
                         (opened ? "writing failed; what is there is incomplete (disk full?)"
                                 : "the file cannot be created"));
    }
    return Success{};
}

/// try_save_safetensors; throws its Error.
inline void save_safetensors(const std::string& path, std::span<const TensorData> tensors,
                             const Weights::Metadata& metadata = {}) {
    (void)try_save_safetensors(path, tensors, metadata).value();
}

LUMBAR_NAMESPACE_END
