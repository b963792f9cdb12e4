// The directory of a zip archive, read strictly: what readers are known to disagree about is
// refused. The format: PKWARE's APPNOTE.TXT 6.3, sections 4.3 to 4.5.
//
//     (local header | data)... | central directory | [zip64 end, its locator] | end record
//
// Checksums are left to whoever reads the entries: NumPy compares them, PyTorch does not, and can
// be told not to write them.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/core/shape.hpp>
#include <lumbar/core/sorted_order.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/tensor_data.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

struct ZipEntry {
    std::string_view name;
    int method = 0;                   ///< 0: stored; 8: deflate
    std::uint32_t crc = 0;            ///< CRC-32 of what it unpacks to
    std::uint64_t size = 0;           ///< uncompressed, as the archive claims
    std::span<const std::byte> data;  ///< as it lies in the archive
    std::size_t header = 0;           ///< where its local header begins
};

struct ZipArchive {
    std::vector<ZipEntry> entries;  ///< by name
    std::string_view first_name;    ///< of the entry that the directory lists first

    const ZipEntry* find(std::string_view name) const {
        const auto at = std::lower_bound(
            entries.begin(), entries.end(), name,
            [](const ZipEntry& entry, std::string_view key) { return entry.name < key; });
        return at != entries.end() && at->name == name ? &*at : nullptr;
    }
};

/// Reads the directory of `bytes`, which the archive views. On failure problem() says why.
class ZipDirectory {
   public:
    explicit ZipDirectory(std::span<const std::byte> bytes) : bytes_(bytes) {}

    ZipArchive& archive() { return archive_; }
    const std::string& problem() const { return problem_; }

    bool read() { return find_directory() && read_entries() && check_places(); }

   private:
    static constexpr std::size_t kEnd = 22, kLocator = 20, kEnd64 = 56, kEntry = 46, kLocal = 30;

    template <class Number>
    Number get(std::size_t at) const {
        return load_bits<Number>(bytes_.data() + at);
    }
    std::uint32_t signature(std::size_t at) const { return get<std::uint32_t>(at); }

    LUMBAR_COLD bool fail(std::initializer_list<Piece> problem) {
        problem_ = cat(problem);
        return false;
    }

    LUMBAR_COLD bool fail(const ZipEntry& entry, std::initializer_list<Piece> problem) {
        return fail({"its entry ", Quoted{entry.name}, " ", cat(problem)});
    }

    LUMBAR_COLD bool find_directory() {
        // Only at the very end, without a comment: wherever else it may stand, two readers may find
        // two directories.
        const std::size_t size = bytes_.size();
        if (size < kEnd || signature(size - kEnd) != 0x06054B50 ||
            get<std::uint16_t>(size - 2) != 0) {
            return fail(
                {"it does not end with a zip archive's end record; it may be cut off, or something "
                 "was added to it: fetch it again"});
        }
        std::size_t end = size - kEnd;
        count_ = get<std::uint16_t>(end + 10);
        std::uint64_t length = get<std::uint32_t>(end + 12);
        std::uint64_t begin = get<std::uint32_t>(end + 16);
        bool other_disks = get<std::uint32_t>(end + 4) != 0 ||
                           get<std::uint16_t>(end + 8) != get<std::uint16_t>(end + 10);
        if (end >= kLocator && signature(end - kLocator) == 0x07064B50) {
            const std::size_t locator = end - kLocator;
            const auto at = get<std::uint64_t>(locator + 8);
            if (locator < kEnd64 || at != locator - kEnd64 ||
                signature(locator - kEnd64) != 0x06064B50) {
                return fail(
                    {"its zip64 end record should be just before the locator, which "
                     "says byte ",
                     at});
            }
            end = locator - kEnd64;
            const auto count = get<std::uint64_t>(end + 32);
            const auto length64 = get<std::uint64_t>(end + 40);
            const auto begin64 = get<std::uint64_t>(end + 48);
            if ((count_ != 0xFFFF && count_ != count) ||
                (length != 0xFFFFFFFF && length != length64) ||
                (begin != 0xFFFFFFFF && begin != begin64)) {
                return fail({"its two end records disagree"});
            }
            other_disks = get<std::uint32_t>(end + 16) != 0 || get<std::uint32_t>(end + 20) != 0 ||
                          get<std::uint64_t>(end + 24) != count;
            count_ = count;
            length = length64;
            begin = begin64;
        }
        if (other_disks) return fail({"it is one part of a zip archive in several"});
        const auto directory_end = checked_add(begin, length);
        if (!directory_end || *directory_end != end) {
            return fail({"its directory is said to be ", length, " bytes from byte ", begin,
                         " on, but must end at byte ", end});
        }
        if (count_ > length / kEntry) {
            return fail({"its directory of ", length, " bytes cannot list ", count_, " entries"});
        }
        begin_ = static_cast<std::size_t>(begin);
        end_ = end;
        return true;
    }

    LUMBAR_COLD bool read_entries() {
        archive_.entries.reserve(static_cast<std::size_t>(count_));
        std::size_t at = begin_;
        for (std::uint64_t i = 0; i < count_; ++i) {
            if (end_ - at < kEntry || signature(at) != 0x02014B50) {
                return fail({"entry ", i, " of its directory is damaged"});
            }
            const std::size_t name = get<std::uint16_t>(at + 28);
            const std::size_t extra = get<std::uint16_t>(at + 30);
            const std::size_t comment = get<std::uint16_t>(at + 32);
            if (end_ - at - kEntry < name + extra + comment) {
                return fail({"entry ", i, " of its directory is cut off"});
            }
            ZipEntry entry;
            entry.name = {reinterpret_cast<const char*>(bytes_.data() + at + kEntry), name};
            if (i == 0) archive_.first_name = entry.name;
            if (!read_entry(at, at + kEntry + name, extra, entry)) return false;
            archive_.entries.push_back(entry);
            at += kEntry + name + extra + comment;
        }
        if (at != end_) return fail({"its directory goes on after the last entry"});
        return true;
    }

    /// The entry at `at` of the directory, with `extra_size` bytes of extra fields at `extra`.
    LUMBAR_COLD bool read_entry(std::size_t at, std::size_t extra, std::size_t extra_size,
                                ZipEntry& entry) {
        if ((get<std::uint16_t>(at + 8) & kEncrypted) != 0) return fail(entry, {"is encrypted"});
        entry.method = get<std::uint16_t>(at + 10);
        entry.crc = get<std::uint32_t>(at + 16);
        std::uint64_t stored = get<std::uint32_t>(at + 20);
        entry.size = get<std::uint32_t>(at + 24);
        std::uint64_t header = get<std::uint32_t>(at + 42);
        if (!read_zip64(extra, extra + extra_size, {&entry.size, &stored, &header})) {
            return fail(entry, {"has damaged extra fields"});
        }
        // Of which miniz, PyTorch's reader, reads nothing.
        if (entry.size > 0 &&
            (entry.name.ends_with('/') || (get<std::uint32_t>(at + 38) & kFolder) != 0)) {
            return fail(entry, {"is a folder, but said to have ", entry.size, " bytes"});
        }
        if (header > begin_ || begin_ - header < kLocal ||
            signature(static_cast<std::size_t>(header)) != 0x04034B50) {
            return fail(entry, {"has no header at byte ", header});
        }
        entry.header = static_cast<std::size_t>(header);
        return read_local(entry, stored);
    }

    /// The fields that did not fit in 32 bits, which stand in the extra field 1, in this order.
    LUMBAR_COLD bool read_zip64(std::size_t at, std::size_t end,
                                std::initializer_list<std::uint64_t*> fields) const {
        bool found = false;
        while (end - at >= 4) {
            const unsigned id = get<std::uint16_t>(at);
            const std::size_t field_end = at + 4 + get<std::uint16_t>(at + 2);
            if (field_end > end) return false;
            at += 4;
            if (id == 1 && !found) {
                found = true;
                for (std::uint64_t* field : fields) {
                    if (*field != 0xFFFFFFFF) continue;
                    if (field_end - at < 8) return false;
                    *field = get<std::uint64_t>(at);
                    at += 8;
                }
            }
            at = field_end;
        }
        if (found) return true;
        for (const std::uint64_t* field : fields) {
            if (*field == 0xFFFFFFFF) return false;
        }
        return true;
    }

    /// The header before the entry's data, whose sizes may also stand after the data (flag 3) or in
    /// an extra field; then those of the directory count.
    LUMBAR_COLD bool read_local(ZipEntry& entry, std::uint64_t stored) {
        const std::size_t at = entry.header;
        const std::size_t name = get<std::uint16_t>(at + 26);
        const std::size_t extra = get<std::uint16_t>(at + 28);
        const std::size_t room = begin_ - at - kLocal;
        if (room < name + extra || room - name - extra < stored) {
            return fail(entry, {"of ", stored, " bytes reaches beyond the archive's data"});
        }
        const std::string_view local{reinterpret_cast<const char*>(bytes_.data() + at + kLocal),
                                     name};
        if (local != entry.name) {
            return fail(entry, {"is named ", Quoted{local}, " before its data"});
        }
        const unsigned flags = get<std::uint16_t>(at + 6);
        std::uint64_t local_size = get<std::uint32_t>(at + 22);
        std::uint64_t local_stored = get<std::uint32_t>(at + 18);
        const std::size_t extra_begin = at + kLocal + name;
        const bool after_data =
            (flags & kSizesAfterData) != 0 && local_size == 0 && local_stored == 0;
        if (!read_zip64(extra_begin, extra_begin + extra, {&local_size, &local_stored})) {
            return fail(entry, {"has damaged extra fields before its data"});
        }
        if ((flags & kEncrypted) != 0 || get<std::uint16_t>(at + 8) != entry.method ||
            (!after_data && (local_size != entry.size || local_stored != stored))) {
            return fail(entry, {"is described otherwise before its data than in the directory"});
        }
        if (entry.method == 0 && stored != entry.size) {
            return fail(entry, {"is stored in ", stored, " bytes, but said to have ", entry.size});
        }
        entry.data = bytes_.subspan(extra_begin + extra, static_cast<std::size_t>(stored));
        return true;
    }

    /// No two entries may share bytes, or a small file could seem to hold a large one many times;
    /// and none a name.
    LUMBAR_COLD bool check_places() {
        auto& entries = archive_.entries;
        sort_by(entries, [](const auto& a, const auto& b) { return a.header < b.header; });
        for (std::size_t i = 1; i < entries.size(); ++i) {
            const ZipEntry& before = entries[i - 1];
            const auto before_end = before.data.data() + before.data.size() - bytes_.data();
            if (static_cast<std::size_t>(before_end) > entries[i].header) {
                return fail({"its entries ", Quoted{before.name}, " and ", Quoted{entries[i].name},
                             " overlap"});
            }
        }
        sort_by(entries, [](const auto& a, const auto& b) { return a.name < b.name; });
        for (std::size_t i = 1; i < entries.size(); ++i) {
            if (entries[i - 1].name == entries[i].name) {
                return fail({"it has two entries named ", Quoted{entries[i].name}});
            }
        }
        return true;
    }

    static constexpr unsigned kEncrypted = 1 | 1 << 6 | 1 << 13, kSizesAfterData = 1 << 3;
    static constexpr unsigned kFolder = 1 << 4;  // among MS-DOS's attributes

    std::span<const std::byte> bytes_;
    std::size_t begin_ = 0;  // of the directory
    std::size_t end_ = 0;
    std::uint64_t count_ = 0;
    ZipArchive archive_;
    std::string problem_;
};

}  // namespace detail
LUMBAR_NAMESPACE_END
