// What `classify --stream` reads: paths, a line each, or images, each behind its length. The input
// is not believed: nothing is allocated for a length before as many bytes have come.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/image/read.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ios>
#include <istream>
#include <optional>
#include <string>
#include <vector>

struct StreamItem {
    std::string path;
    std::vector<std::uint8_t> bytes;  ///< of an image; in place of a path
    std::string error;                ///< why it cannot be read, if that is known already
};

class StreamInput {
   public:
    /// Longer lines are no paths, and larger images are not read: they cost an item.
    static constexpr std::size_t kMaxPath = std::size_t{1} << 16;
    static constexpr std::uint64_t kMaxBytes = lumbar::ReadOptions{}.max_bytes;

    /// Lines; or, where `bytes`, images with their lengths before them: 4 bytes, big-endian. `in`
    /// must outlive the input.
    StreamInput(std::istream& in, bool bytes, std::uint64_t max_bytes = kMaxBytes)
        : in_(in), bytes_(bytes), max_bytes_(max_bytes) {}

    /// The next item, or none at the end; waits for no more than that item. Throws where reading
    /// fails or the input ends within an image.
    std::optional<StreamItem> next() {
        std::optional<StreamItem> item = bytes_ ? image() : line();
        if (item) ++items_;
        return item;
    }

    bool bytes() const { return bytes_; }
    std::uint64_t consumed() const { return consumed_; }  ///< bytes of the input

   private:
    std::optional<StreamItem> line() {
        constexpr int kEnd = std::istream::traits_type::eof();
        StreamItem item;
        std::uint64_t length = 0;
        int c = 0;
        while ((c = in_.rdbuf()->sbumpc()) != kEnd && c != '\n') {
            if (++length <= kMaxPath) item.path += static_cast<char>(c);
        }
        if (c == kEnd && length == 0) return std::nullopt;
        consumed_ += length + (c == '\n');
        if (length > kMaxPath) {
            item.error = "a line of " + std::to_string(length) + " bytes is no path; at most " +
                         std::to_string(kMaxPath) + " are read";
        }
        return item;
    }

    std::optional<StreamItem> image() {
        std::uint8_t prefix[4];
        const std::size_t got = read(prefix, sizeof prefix);
        if (got == 0) return std::nullopt;
        if (got < sizeof prefix) ends_early(got, sizeof prefix, " of its length");
        std::uint64_t length = 0;
        for (const std::uint8_t byte : prefix) length = length << 8 | byte;

        StreamItem item;
        if (length > max_bytes_) {
            in_.ignore(static_cast<std::streamsize>(length));
            const auto skipped = static_cast<std::uint64_t>(in_.gcount());
            consumed_ += skipped;
            if (skipped < length) ends_early(skipped, length);
            item.error = "the image has " + std::to_string(length) + " bytes; at most " +
                         std::to_string(max_bytes_) + " are read";
            return item;
        }
        constexpr std::uint64_t kPart = std::uint64_t{1} << 20;
        while (item.bytes.size() < length) {
            const std::size_t before = item.bytes.size();
            const auto part = static_cast<std::size_t>(std::min(length - before, kPart));
            item.bytes.resize(before + part);
            const std::size_t came = read(item.bytes.data() + before, part);
            if (came < part) ends_early(before + came, length);
        }
        return item;
    }

    std::size_t read(std::uint8_t* to, std::size_t size) {
        in_.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(size));
        if (in_.bad()) raise("standard input: reading failed");
        const auto got = static_cast<std::size_t>(in_.gcount());
        consumed_ += got;
        return got;
    }

    [[noreturn]] void ends_early(std::uint64_t got, std::uint64_t expected, const char* of = "") {
        raise("standard input ends within image " + std::to_string(items_) + ": " +
              std::to_string(got) + " of " + std::to_string(expected) + " bytes" + of);
    }

    [[noreturn]] static void raise(const std::string& what) {
        lumbar::Status::raise(lumbar::Error(lumbar::Error::Code::io, what));
    }

    std::istream& in_;
    const bool bytes_;
    const std::uint64_t max_bytes_;
    std::uint64_t items_ = 0;
    std::uint64_t consumed_ = 0;
};
