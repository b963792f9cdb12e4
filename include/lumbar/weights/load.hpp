// Loading weights from a file, whatever it is: recognised by its first bytes, never by its name.
#pragma once

#include <lumbar/core/file.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/limits.hpp>
#include <lumbar/weights/safetensors.hpp>
#include <lumbar/weights/sniff.hpp>
#include <lumbar/weights/torch_legacy.hpp>
#include <lumbar/weights/torch_tar.hpp>
#include <lumbar/weights/torch_zip.hpp>
#include <lumbar/weights/weights.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// A kind of file and what reads it: without copying its tensors, from bytes that `owner` keeps.
struct WeightContainer {
    FileKind kind;
    Result<Weights> (*try_read)(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                const std::string& source, const LoadLimits& limits);
};

inline constexpr WeightContainer kWeightContainers[] = {
    {FileKind::safetensors, &try_read_safetensors},
    {FileKind::zip, &try_read_torch_zip},
    {FileKind::torch_legacy, &try_read_torch_legacy},
    {FileKind::tar, &try_read_torch_tar},
};

LUMBAR_COLD inline Result<Weights> try_read_weights(std::span<const std::byte> bytes,
                                                    std::shared_ptr<const void> owner,
                                                    const std::string& source,
                                                    const LoadLimits& limits) {
    if (bytes.empty()) return Error(Error::Code::format, origin(source) + "there are no bytes");
    const FileKind kind = sniff(bytes);
    for (const WeightContainer& container : kWeightContainers) {
        if (container.kind == kind) {
            return container.try_read(bytes, std::move(owner), source, limits);
        }
    }
    if (kind == FileKind::unknown) {
        // A damaged safetensors file, perhaps: its reader says best what is wrong.
        auto weights = try_read_safetensors(bytes, std::move(owner), source, limits);
        if (weights) return weights;
        return Error(weights.error().code(),
                     weights.error().message() + " (nor is it another kind of file known here)");
    }
    return Error(Error::Code::unsupported, origin(source) + refusal(kind));
}

}  // namespace detail

/// Loads a file of weights: safetensors, or what torch.save wrote of a state dict in any version
/// (.pth), alone or as the 'state_dict', 'model', ... of a training's dict. The Error says which
/// file, what is wrong with it or what it seems to be, and what to do. The file may come from
/// anywhere: nothing of it is executed, it is checked throughout before any tensor is handed out,
/// and memory is taken in proportion to its size and the limits.
LUMBAR_COLD inline Result<Weights> try_load_weights(const std::string& path,
                                                    const LoadLimits& limits = {}) {
    auto bytes = try_read_file(path, limits.bytes);
    if (!bytes) return bytes.error();
    const auto content = (*bytes)->span();
    return detail::try_read_weights(content, std::move(*bytes), path, limits);
}

/// Loads weights that are in memory already, without copying them: the bytes must outlive the
/// Weights and the networks compiled from them. `name` stands for the path in error messages.
LUMBAR_COLD inline Result<Weights> try_load_weights(std::span<const std::byte> bytes,
                                                    const std::string& name,
                                                    const LoadLimits& limits = {}) {
    if (bytes.size() > limits.bytes) {
        return Error(Error::Code::io, detail::cat({detail::origin(name), "there are ", bytes.size(),
                                                   " bytes; at most ", limits.bytes, " are read"}));
    }
    return detail::try_read_weights(bytes, nullptr, name, limits);
}

/// try_load_weights; throws its Error.
inline Weights load_weights(const std::string& path, const LoadLimits& limits = {}) {
    return try_load_weights(path, limits).value();
}

/// try_load_weights; throws its Error.
inline Weights load_weights(std::span<const std::byte> bytes, const std::string& name,
                            const LoadLimits& limits = {}) {
    return try_load_weights(bytes, name, limits).value();
}

// The weights would be views of bytes that are gone: keep them in a variable.
void try_load_weights(std::vector<std::byte>&&, const std::string&,
                      const LoadLimits& = {}) = delete;
void load_weights(std::vector<std::byte>&&, const std::string&, const LoadLimits& = {}) = delete;

LUMBAR_NAMESPACE_END
