// Whole files in memory: the one place that talks to the operating system about files.
//
// Files are read, not mapped: a mapped file that somebody truncates meanwhile ends the process with
// a bus error, and weights are packed into other layouts anyway.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/core/text.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#define LUMBAR_HAS_POSIX_FILES 1
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#define LUMBAR_HAS_POSIX_FILES 0
#include <filesystem>
#include <fstream>
#endif

LUMBAR_NAMESPACE_BEGIN

/// An array of bytes that its creator fills once. Not zeroed first: weights are large.
class Bytes {
   public:
    Bytes() = default;

    /// `size` bytes, or nothing where there is not enough memory.
    static std::shared_ptr<Bytes> try_allocate(std::size_t size) {
        std::unique_ptr<std::byte[]> data(new (std::nothrow) std::byte[size]);
        if (!data) return nullptr;
        auto bytes = std::make_shared<Bytes>();
        bytes->data_ = std::move(data);
        bytes->size_ = size;
        return bytes;
    }

    std::span<std::byte> span() { return {data_.get(), size_}; }
    std::span<const std::byte> span() const { return {data_.get(), size_}; }
    std::size_t size() const { return size_; }

   private:
    std::unique_ptr<std::byte[]> data_;
    std::size_t size_ = 0;
};

/// The largest file that is read if nothing else is asked for: a sparse file may claim any size.
inline constexpr std::uint64_t kMaxFileBytes = std::uint64_t{16} << 30;

namespace detail {

inline Error file_error(const std::string& path, const std::string& what) {
    return Error(Error::Code::io, origin(path) + what);
}

/// What is wrong with a path before any file is looked for, if anything.
LUMBAR_COLD inline const char* path_problem(const std::string& path) {
    if (path.empty()) return "the path of the file is empty";
    // The system's calls would stop at the zero and open another file.
    if (path.find('\0') != std::string::npos) return "the path of the file holds a zero byte";
    return nullptr;
}

/// Memory for a file of `size` bytes, with the checks that do not depend on the system.
LUMBAR_COLD inline Result<std::shared_ptr<Bytes>> try_allocate_for_file(const std::string& path,
                                                                        std::uint64_t size,
                                                                        std::uint64_t max_bytes) {
    if (size == 0) return file_error(path, "the file is empty");
    if (size > max_bytes || size > std::numeric_limits<std::size_t>::max() / 2) {
        return file_error(path,
                          cat({"the file has ", size, " bytes; at most ", max_bytes, " are read"}));
    }
    auto bytes = Bytes::try_allocate(static_cast<std::size_t>(size));
    if (!bytes) {
        return file_error(path, cat({"not enough memory for the file's ", size, " bytes"}));
    }
    return bytes;
}

inline Error shrunk(const std::string& path, std::uint64_t expected, std::uint64_t found) {
    return file_error(path, cat({"the file ends after ", found, " bytes although it had ", expected,
                                 " when it was opened; is it still being written?"}));
}

#if LUMBAR_HAS_POSIX_FILES

/// The text of errno; unlike strerror, safe to ask for from many threads.
inline std::string last_system_error() { return std::system_category().message(errno); }

/// Closes a file descriptor at the end of its scope.
class FileDescriptor {
   public:
    explicit FileDescriptor(int number) : number_(number) {}
    ~FileDescriptor() {
        if (number_ >= 0) ::close(number_);
    }
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;

    int number() const { return number_; }

   private:
    int number_;
};

/// What a path leads to if it is not a regular file.
LUMBAR_COLD inline std::string kind_of_file(mode_t mode) {
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a pipe (FIFO)";
    if (S_ISSOCK(mode)) return "a socket";
    if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
    return "something else";
}

LUMBAR_COLD inline Result<std::shared_ptr<const Bytes>> try_read_regular_file(
    const std::string& path, std::uint64_t max_bytes) {
    // Non-blocking, so that opening a FIFO without a writer returns; it means nothing for files.
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.number() < 0) {
        return file_error(path, "the file cannot be opened: " + last_system_error());
    }
    struct stat info {};
    if (::fstat(file.number(), &info) != 0) {
        return file_error(path, "the file cannot be examined: " + last_system_error());
    }
    if (!S_ISREG(info.st_mode)) {
        return file_error(path, cat({"is ", kind_of_file(info.st_mode), ", not a regular file"}));
    }
    const auto size = static_cast<std::uint64_t>(info.st_size);
    auto bytes = try_allocate_for_file(path, size, max_bytes);
    if (!bytes) return bytes.error();

    std::span<std::byte> rest = (*bytes)->span();
    while (!rest.empty()) {
        // Some systems read no more than 2^31 - 1 bytes at once.
        constexpr std::size_t kLargestRead = std::size_t{1} << 30;
        const std::size_t wanted = rest.size() < kLargestRead ? rest.size() : kLargestRead;
        const ssize_t got = ::read(file.number(), rest.data(), wanted);
        if (got < 0) {
            if (errno == EINTR) continue;
            return file_error(path, "reading failed: " + last_system_error());
        }
        if (got == 0) return shrunk(path, size, size - rest.size());
        rest = rest.subspan(static_cast<std::size_t>(got));
    }
    return std::shared_ptr<const Bytes>(std::move(*bytes));
}

#else

LUMBAR_COLD inline Result<std::shared_ptr<const Bytes>> try_read_regular_file(
    const std::string& path, std::uint64_t max_bytes) {
    std::error_code failure;
    const auto status = std::filesystem::status(path, failure);
    if (failure || !std::filesystem::exists(status)) {
        return file_error(path, "the file cannot be opened: " + failure.message());
    }
    if (!std::filesystem::is_regular_file(status)) return file_error(path, "is not a regular file");
    const std::uintmax_t size = std::filesystem::file_size(path, failure);
    if (failure) return file_error(path, "the file cannot be examined: " + failure.message());
    auto bytes = try_allocate_for_file(path, size, max_bytes);
    if (!bytes) return bytes.error();

    std::ifstream file(path, std::ios::binary);
    if (!file) return file_error(path, "the file cannot be opened");
    file.read(reinterpret_cast<char*>((*bytes)->span().data()), static_cast<std::streamsize>(size));
    if (static_cast<std::uintmax_t>(file.gcount()) != size) {
        return shrunk(path, size, static_cast<std::uint64_t>(file.gcount()));
    }
    return std::shared_ptr<const Bytes>(std::move(*bytes));
}

#endif

}  // namespace detail

/// The whole of a regular file in memory. An Error of code io, naming the path, where it is
/// missing, empty, larger than `max_bytes`, shrinking while it is read, or a directory, a pipe or a
/// device.
LUMBAR_COLD inline Result<std::shared_ptr<const Bytes>> try_read_file(
    const std::string& path, std::uint64_t max_bytes = kMaxFileBytes) {
    if (const char* problem = detail::path_problem(path)) {
        return detail::file_error(path.empty() ? "(no path)" : path, problem);
    }
    return detail::try_read_regular_file(path, max_bytes);
}

LUMBAR_NAMESPACE_END
