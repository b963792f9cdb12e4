#include "../weights/scratch.hpp"

#include <lumbar/core/file.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#if LUMBAR_HAS_POSIX_FILES
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace file_test {

using namespace lumbar;
using lumbar_test::Scratch;

namespace {

// The message of a failure, which must be one line and begin with the path.
std::string failure(const std::string& path, std::uint64_t max_bytes = kMaxFileBytes) {
    const auto result = try_read_file(path, max_bytes);
    REQUIRE_FALSE(result);
    CHECK(result.error().code() == Error::Code::io);
    const std::string& message = result.error().message();
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.substr(0, path.size()) == path);
    return message;
}

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a regular file is read to its last byte") {
    const Scratch scratch;
    std::string content(100'001, '\0');
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31);
    const auto bytes = try_read_file(scratch.write("some.bin", content));
    REQUIRE(bytes);
    const auto span = (*bytes)->span();
    CHECK(std::string(reinterpret_cast<const char*>(span.data()), span.size()) == content);
}

TEST_CASE("what is not a readable, non-empty file is an error that says why") {
    const Scratch scratch;
    CHECK(contains(failure(scratch.path("missing.bin")), "cannot be opened: No such file"));
    CHECK(contains(failure(scratch.path("")), "not a regular file"));
    CHECK(contains(failure(scratch.write("empty.bin", "")), "the file is empty"));
    CHECK(contains(failure(scratch.write("some.bin", "12345"), 4),
                   "has 5 bytes; at most 4 are read"));
    CHECK(contains(failure(scratch.path("some.bin") + "/below"), "cannot be opened"));
    CHECK(try_read_file(scratch.path("some.bin"), 5));
}

TEST_CASE("an empty path and one with a zero byte are errors") {
    const auto empty = try_read_file("");
    REQUIRE_FALSE(empty);
    CHECK(contains(empty.error().message(), "path of the file is empty"));
    const Scratch scratch;
    // The system would open "some.bin".
    const auto zero = try_read_file(scratch.write("some.bin", "x") + std::string(1, '\0') + ".png");
    REQUIRE_FALSE(zero);
    CHECK(contains(zero.error().message(), "zero byte"));
    CHECK(contains(zero.error().message(), "some.bin\\x00.png"));
}

#if LUMBAR_HAS_POSIX_FILES

TEST_CASE("directories, pipes and devices are refused without waiting or reading") {
    const Scratch scratch;
    CHECK(contains(failure("/dev/zero"), "is a device"));
    CHECK(contains(failure("/dev/null"), "is a device"));
    CHECK(contains(failure("/"), "is a directory"));
    REQUIRE(::mkfifo(scratch.path("pipe").c_str(), 0600) == 0);
    CHECK(contains(failure(scratch.path("pipe")), "is a pipe"));  // and does not wait for a writer
    REQUIRE(::symlink("loop", scratch.path("loop").c_str()) == 0);
    CHECK(contains(failure(scratch.path("loop")), "cannot be opened"));
    REQUIRE(::symlink("pipe", scratch.path("link").c_str()) == 0);
    CHECK(contains(failure(scratch.path("link")), "is a pipe"));
}

TEST_CASE("a sparse file that claims a gigantic size takes no memory") {
    const Scratch scratch;
    const std::string path = scratch.write("sparse.bin", "x");
    if (::truncate(path.c_str(), off_t{1} << 42) != 0) {
        MESSAGE("skipped: the file system has no files of 4 TiB");
        return;
    }
    CHECK(contains(failure(path), "has 4398046511104 bytes; at most"));
}

TEST_CASE("a file that ends before its size, as one that is still written, is an error") {
    const std::string path = "/sys/kernel/mm/transparent_hugepage/enabled";
    std::error_code error;
    if (std::filesystem::file_size(path, error) != 4096 || error) {
        MESSAGE("skipped: no file of the kernel that claims a page");
        return;
    }
    CHECK(contains(failure(path),
                   "although it had 4096 when it was opened; is it still being "
                   "written?"));
}

TEST_CASE("a file of the kernel that claims no size counts as empty") {
    if (!std::filesystem::exists("/proc/self/status")) {
        MESSAGE("skipped: no /proc");
        return;
    }
    CHECK(contains(failure("/proc/self/status"), "the file is empty"));
}

#endif

}  // namespace file_test
