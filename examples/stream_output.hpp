// Where `classify --stream` writes its lines: standard output, or a file that is continued where an
// earlier run ended.
#pragma once

#include "stream_input.hpp"

#include <lumbar/core/error.hpp>
#include <lumbar/core/text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#if LUMBAR_HAS_POSIX_FILES
#include <sys/file.h>
#endif

/// JSON on one line. What is not UTF-8 in it (a path need not be) is replaced.
inline std::string json_line(const nlohmann::ordered_json& json) {
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

class StreamOutput {
   public:
    StreamOutput() : name_("standard output"), file_(stdout, [](std::FILE*) { return 0; }) {}

    /// Continues the file at `path`, or begins it. Waits while another process does so.
    explicit StreamOutput(const std::string& path) : name_(path), file_(nullptr, &std::fclose) {
        std::error_code none;
        if (std::filesystem::exists(path, none) && !std::filesystem::is_regular_file(path, none)) {
            fail("is not a regular file");
        }
        file_.reset(std::fopen(path.c_str(), "ab"));
        if (!file_) fail("cannot be opened: " + std::generic_category().message(errno));
#if LUMBAR_HAS_POSIX_FILES
        // An engine may begin a task anew while the process of the first attempt still lives.
        const int number = ::fileno(file_.get());
        if (::flock(number, LOCK_EX | LOCK_NB) != 0) {
            std::fprintf(stderr, "classify: waiting for another process that writes %s\n",
                         name_.c_str());
            if (::flock(number, LOCK_EX) != 0) {
                fail("cannot be locked: " + std::generic_category().message(errno));
            }
        }
#endif
    }

    /// Reads past the items whose lines the file has, and cuts off a line that was not finished.
    /// How many items. Throws where the lines are not those of this input.
    std::uint64_t skip_done(StreamInput& input) {
        std::ifstream done(name_, std::ios::binary);
        std::uint64_t count = 0, end = 0;
        std::string line;
        while (std::getline(done, line)) {
            if (done.eof()) {  // no line feed: it was being written when the run ended
                const std::string begin = "{\"index\":" + std::to_string(count) + ",";
                const std::size_t both = std::min(begin.size(), line.size());
                if (line.compare(0, both, begin, 0, both) != 0) not_ours(count);
                std::filesystem::resize_file(name_, end);
                break;
            }
            const std::optional<StreamItem> item = input.next();
            if (!item) {
                fail("has more lines than the input has images (" + std::to_string(count) + ")");
            }
            const auto json = nlohmann::ordered_json::parse(line, nullptr, false);
            if (!json.is_object() || !json.contains("index") || json["index"] != count ||
                (!input.bytes() &&
                 (!json.contains("image") || json_line(json["image"]) != json_line(item->path)))) {
                not_ours(count);
            }
            end += line.size() + 1;
            ++count;
        }
        if (done.bad()) fail("reading failed");
        return count;
    }

    /// Hands the text on at once. Throws where that fails.
    void write(const std::string& text) {
        if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() ||
            std::fflush(file_.get()) != 0) {
            fail("writing failed: " + std::generic_category().message(errno));
        }
    }

   private:
    [[noreturn]] void not_ours(std::uint64_t line) const {
        fail("line " + std::to_string(line + 1) + " is not of this input's image " +
             std::to_string(line) + "; --resume continues the same run only");
    }
    [[noreturn]] void fail(const std::string& what) const {
        lumbar::Status::raise(lumbar::Error(lumbar::Error::Code::io, name_ + ": " + what));
    }

    std::string name_;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};
