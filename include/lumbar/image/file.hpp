// Whole small files (pictures, label lists) into memory, with what can go wrong put into words.
#pragma once

#include <lumbar/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// The bytes of a regular file of 1 to max_bytes bytes. Anything else is refused before it is
/// opened: opening a FIFO would wait for a writer, and /dev/zero never ends.
inline Result<std::vector<std::uint8_t>> read_whole_file(const std::string& path,
                                                         std::uint64_t max_bytes) {
    namespace fs = std::filesystem;
    const auto failed = [&path](const std::string& why) {
        return Error(Error::Code::io, "cannot read '" + path + "': " + why);
    };
    if (path.empty()) return failed("the path is empty");

    std::error_code code;
    const fs::file_status status = fs::status(path, code);
    if (status.type() == fs::file_type::not_found) return failed("there is no such file");
    if (code) return failed(code.message());
    if (status.type() == fs::file_type::directory) return failed("it is a directory");
    if (status.type() != fs::file_type::regular) return failed("it is not a regular file");
    const std::uint64_t size = fs::file_size(path, code);
    if (code) return failed(code.message());
    if (size == 0) return failed("it is empty");
    if (size > max_bytes)
        return failed("it has " + std::to_string(size) + " bytes, more than the limit of " +
                      std::to_string(max_bytes));

    std::FILE* file = std::fopen(path.c_str(), "rb");
    if (!file) return failed("it cannot be opened");
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
    const std::size_t got = std::fread(bytes.data(), 1, bytes.size(), file);
    std::fclose(file);
    if (got != bytes.size()) return failed("it ends early (was it being written?)");
    return bytes;
}

}  // namespace detail
LUMBAR_NAMESPACE_END
