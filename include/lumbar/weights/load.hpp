// Loading weights from a file, whatever it is: recognised by its first bytes, never by its name.
#pragma once

#include <lumbar/core/file.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/safetensors.hpp>
#include <lumbar/weights/sniff.hpp>
#include <lumbar/weights/weights.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

LUMBAR_COLD inline Result<Weights> try_read_weights(std::span<const std::byte> bytes,
                                                    std::shared_ptr<const void> owner,
                                                    const std::string& source) {
    if (bytes.empty()) return Error(Error::Code::format, origin(source) + "there are no bytes");
    const FileKind kind = sniff(bytes);
    if (kind == FileKind::safetensors) return try_read_safetensors(bytes, std::move(owner), source);
    if (kind == FileKind::unknown) {
        // A damaged safetensors file, perhaps: its reader says best what is wrong.
        auto weights = try_read_safetensors(bytes, std::move(owner), source);
        if (weights) return weights;
        return Error(weights.error().code(),
                     weights.error().message() + " (nor is it another kind of file known here)");
    }
    return Error(Error::Code::unsupported, origin(source) + refusal(kind));
}

}  // namespace detail

/// Loads a file of weights (safetensors). The Error says which file, what is wrong with it or what
/// it seems to be, and what to do. The file may come from anywhere: it is checked throughout before
/// any tensor is handed out, and memory is taken for no more than its size.
LUMBAR_COLD inline Result<Weights> try_load_weights(const std::string& path) {
    auto bytes = try_read_file(path);
    if (!bytes) return bytes.error();
    const auto content = (*bytes)->span();
    return detail::try_read_weights(content, std::move(*bytes), path);
}

/// Loads weights that are in memory already, from a copy of the bytes; try_read_safetensors views
/// them in place. `name` stands for the path in error messages.
LUMBAR_COLD inline Result<Weights> try_load_weights(std::span<const std::byte> bytes,
                                                    const std::string& name) {
    const auto copy = Bytes::try_allocate(bytes.size());
    if (!copy) {
        return Error(Error::Code::io, detail::cat({detail::origin(name), "not enough memory for ",
                                                   bytes.size(), " bytes"}));
    }
    if (!bytes.empty()) std::memcpy(copy->span().data(), bytes.data(), bytes.size());
    return detail::try_read_weights(copy->span(), copy, name);
}

/// try_load_weights; throws its Error.
inline Weights load_weights(const std::string& path) { return try_load_weights(path).value(); }

/// try_load_weights; throws its Error.
inline Weights load_weights(std::span<const std::byte> bytes, const std::string& name) {
    return try_load_weights(bytes, name).value();
}

LUMBAR_NAMESPACE_END
