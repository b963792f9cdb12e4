// Weights from NumPy: .npz, a zip archive of named arrays, and .npy, a single one. Opt-in.
#pragma once

#include <lumbar/core/crc32.hpp>
#include <lumbar/core/file.hpp>
#include <lumbar/weights/limits.hpp>
#include <lumbar/weights/npy.hpp>
#include <lumbar/weights/weights.hpp>
#include <lumbar/weights/zip.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

LUMBAR_NAMESPACE_BEGIN

/// Unpacks raw deflate data into exactly `to`; false where it holds anything else. For archives of
/// numpy.savez_compressed: inflate_with_zlib of <lumbar/zlib.hpp>.
using Inflate = bool (*)(std::span<const std::byte> from, std::span<std::byte> to);

namespace detail {

/// The bytes of an archive's entry: as they lie there, or unpacked into memory that `builder`
/// keeps.
LUMBAR_COLD inline Result<std::span<const std::byte>> try_unpack(const ZipEntry& entry,
                                                                 std::uint64_t room,
                                                                 Inflate inflate,
                                                                 Weights::Builder& builder,
                                                                 const std::string& who) {
    if (entry.method == 0) return entry.data;
    if (entry.method != 8) {
        return Error(Error::Code::unsupported, cat({who, "is compressed by method ", entry.method,
                                                    "; stored and deflated entries are read"}));
    }
    if (!inflate) {
        return Error(Error::Code::unsupported,
                     who +
                         "is compressed; save it with numpy.savez, or load it with "
                         "lumbar::inflate_with_zlib (lumbar/zlib.hpp)");
    }
    // Deflate makes of a byte at most 1032: what claims more is forged.
    constexpr std::uint64_t kMostFromByte = 1032;
    if (entry.size / kMostFromByte > entry.data.size() || entry.size > room) {
        return Error(Error::Code::format,
                     cat({who, "is said to unpack from ", entry.data.size(), " to ", entry.size,
                          " bytes; ", room,
                          " are left of 16 times the file, at least 64 MiB, at most "
                          "LoadLimits::bytes"}));
    }
    const auto unpacked = Bytes::try_allocate(static_cast<std::size_t>(entry.size));
    if (!unpacked) {
        return Error(Error::Code::io, cat({who, "not enough memory for ", entry.size, " bytes"}));
    }
    if (!inflate(entry.data, unpacked->span())) {
        return Error(Error::Code::format, who + "its compressed data are damaged; fetch it again");
    }
    builder.keep(unpacked);
    return std::span<const std::byte>(unpacked->span());
}

}  // namespace detail

/// Reads a .npz or .npy file that is in memory, without copying what is not compressed: the Weights
/// views `bytes` and shares `owner`, which may be null where the bytes outlive it. Tensors have the
/// names that numpy.savez(FILE, **{NAME: ARRAY}) was given; a lone array is "arr_0", as there.
LUMBAR_COLD inline Result<Weights> try_read_numpy(std::span<const std::byte> bytes,
                                                  std::shared_ptr<const void> owner,
                                                  const std::string& source,
                                                  const LoadLimits& limits = {},
                                                  Inflate inflate = nullptr) {
    const std::string prefix = detail::origin(source);
    Weights::Builder builder(source);
    builder.keep(std::move(owner));
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.starts_with("\x93NUMPY")) {
        Result<TensorData> array = detail::try_read_npy(bytes, prefix);
        if (!array) return array.error();
        builder.add("arr_0", *array);
        return std::move(builder).try_build();
    }
    if (!text.starts_with("PK")) {
        return Error(Error::Code::format, prefix + "is neither .npz nor .npy");
    }
    detail::ZipDirectory directory(bytes);
    if (!directory.read()) {
        return Error(Error::Code::format,
                     detail::cat({prefix, "not a valid .npz archive: ", directory.problem()}));
    }
    const auto& entries = directory.archive().entries;
    if (entries.size() > limits.tensors) {
        return Error(Error::Code::format,
                     detail::cat({prefix, "has ", entries.size(), " arrays; at most ",
                                  limits.tensors, " are read (LoadLimits::tensors)"}));
    }
    builder.reserve(entries.size());
    // Weights shrink to a half, pruned ones to a tenth: what unpacks to much more is forged.
    constexpr std::uint64_t kTimes = 16, kSmall = std::uint64_t{1} << 26;
    std::uint64_t room = std::min(limits.bytes, std::max(kTimes * bytes.size(), kSmall));
    for (const detail::ZipEntry& entry : entries) {
        const std::string who =
            detail::cat({prefix, "its entry ", detail::in_quotes(entry.name), ": "});
        if (!entry.name.ends_with(".npy")) {
            return Error(Error::Code::format, who + "is no array; .npz holds .npy entries alone");
        }
        const auto content = detail::try_unpack(entry, room, inflate, builder, who);
        if (!content) return content.error();
        if (detail::crc32(*content) != entry.crc) {
            return Error(Error::Code::format,
                         who + "its checksum does not match its bytes; fetch the file again");
        }
        if (entry.method != 0) room -= entry.size;
        Result<TensorData> array = detail::try_read_npy(*content, who);
        if (!array) return array.error();
        builder.add(std::string(entry.name.substr(0, entry.name.size() - 4)), *array);
    }
    return std::move(builder).try_build();
}

/// Loads a .npz or .npy file; as try_read_numpy.
LUMBAR_COLD inline Result<Weights> try_load_numpy(const std::string& path,
                                                  const LoadLimits& limits = {},
                                                  Inflate inflate = nullptr) {
    auto bytes = try_read_file(path, limits.bytes);
    if (!bytes) return bytes.error();
    const auto content = (*bytes)->span();
    return try_read_numpy(content, std::move(*bytes), path, limits, inflate);
}

/// try_load_numpy; throws its Error.
inline Weights load_numpy(const std::string& path, const LoadLimits& limits = {},
                          Inflate inflate = nullptr) {
    return try_load_numpy(path, limits, inflate).value();
}

LUMBAR_NAMESPACE_END
