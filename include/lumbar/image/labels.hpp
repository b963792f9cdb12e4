// Class names from a text file, a line each.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/core/file.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

inline Result<std::vector<std::string>> split_labels(std::string_view text,
                                                     const std::string& path) {
    constexpr std::size_t kMaxLabels = 1000000;
    const auto failed = [&path](const std::string& why) {
        return Error(Error::Code::format,
                     "cannot read labels from '" + printable(path, 4096) + "': " + why);
    };
    if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);  // UTF-8 byte order mark
    if (text.find('\0') != std::string_view::npos) return failed("it is not a text file");
    std::vector<std::string> labels;
    while (!text.empty()) {
        if (labels.size() == kMaxLabels)
            return failed("it has more than " + std::to_string(kMaxLabels) + " lines");
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        labels.emplace_back(line);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return labels;
}

}  // namespace detail

/// The lines of a text in memory: label i on line i, empty lines kept, line ends of either kind.
inline Result<std::vector<std::string>> try_read_labels(std::span<const std::byte> bytes,
                                                        const std::string& name = "memory") {
    return detail::split_labels(
        std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), name);
}
/// The same; throws the Error.
inline std::vector<std::string> read_labels(std::span<const std::byte> bytes,
                                            const std::string& name = "memory") {
    return try_read_labels(bytes, name).value();
}

/// The lines of a text file of at most 16 MiB: label i on line i, empty lines kept, line ends of
/// either kind. The error names the path.
inline Result<std::vector<std::string>> try_read_labels(const std::string& path) {
    constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 24;
    const Result<std::shared_ptr<const Bytes>> file = try_read_file(path, kMaxBytes);
    if (!file) return file.error();
    return try_read_labels((*file)->span(), path);
}
/// The same; throws the Error.
inline std::vector<std::string> read_labels(const std::string& path) {
    return try_read_labels(path).value();
}

LUMBAR_NAMESPACE_END
