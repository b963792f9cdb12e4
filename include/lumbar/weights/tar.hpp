// The members of a tar archive. Format: POSIX.1-2001, pax, section "ustar Interchange Format".
#pragma once

#include <lumbar/core/text.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// Walks over the members of `bytes`, in the archive's order: `while (tar.next()) ...;` and then
/// problem() is empty, or says why it stopped.
class TarReader {
   public:
    explicit TarReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

    std::string_view name() const { return name_; }
    std::span<const std::byte> data() const { return data_; }
    const std::string& problem() const { return problem_; }

    /// The next regular file; false at the archive's end and where it is damaged.
    LUMBAR_COLD bool next() {
        while (bytes_.size() - at_ >= kBlock && bytes_[at_] != std::byte{0}) {
            const std::string_view header{reinterpret_cast<const char*>(bytes_.data()) + at_,
                                          kBlock};
            std::uint64_t checksum = 0;
            std::uint64_t size = 0;
            if (!octal(header.substr(148, 8), checksum) || checksum != sum(header) ||
                !octal(header.substr(124, 12), size)) {
                return fail("a tar member has a damaged header at byte ");
            }
            at_ += kBlock;
            if (size > bytes_.size() - at_) return fail("a tar member is cut off at byte ");
            name_ = header.substr(0, 100);
            name_ = name_.substr(0, name_.find('\0'));
            data_ = bytes_.subspan(at_, static_cast<std::size_t>(size));
            const std::size_t padded = (data_.size() + kBlock - 1) / kBlock * kBlock;
            at_ = padded > bytes_.size() - at_ ? bytes_.size() : at_ + padded;
            // What else there is: directories, links, and what pax says about times of files.
            if (header[156] == '0' || header[156] == '\0') return true;
        }
        return false;
    }

   private:
    static constexpr std::size_t kBlock = 512;

    LUMBAR_COLD bool fail(const char* what) {
        problem_ = what + std::to_string(at_) + "; fetch the file again";
        at_ = bytes_.size();
        return false;
    }

    /// A number in octal digits, between blanks and zero bytes; at most 11 digits.
    LUMBAR_COLD static bool octal(std::string_view text, std::uint64_t& number) {
        while (text.starts_with(' ')) text.remove_prefix(1);
        while (text.ends_with(' ') || text.ends_with('\0')) text.remove_suffix(1);
        number = 0;
        for (const char digit : text) {
            if (digit < '0' || digit > '7') return false;
            number = number * 8 + static_cast<std::uint64_t>(digit - '0');
        }
        return !text.empty();
    }

    /// Of the header's bytes, those of the checksum itself counted as blanks.
    static std::uint64_t sum(std::string_view header) {
        std::uint64_t total = 8 * std::uint64_t{' '};
        for (std::size_t i = 0; i < header.size(); ++i) {
            if (i < 148 || i >= 156) total += static_cast<unsigned char>(header[i]);
        }
        return total;
    }

    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
    std::string_view name_;
    std::span<const std::byte> data_;
    std::string problem_;
};

}  // namespace detail
LUMBAR_NAMESPACE_END
