// PyTorch's files put together by hand, right and wrong ones.
#pragma once

#include "safetensors_bytes.hpp"

#include <lumbar/core/crc32.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace lumbar_test {

/// The lowest `size` bytes of a number, little-endian.
inline std::string little(std::uint64_t number, std::size_t size) {
    std::string out(sizeof number, '\0');
    std::memcpy(out.data(), &number, sizeof number);
    out.resize(size);
    return out;
}

// --- Pickles, as code: each function pushes one value ---

inline std::string text(const std::string& value) { return "X" + little(value.size(), 4) + value; }
inline std::string number(std::int64_t value) {
    return "\x8A\x08" + little(static_cast<std::uint64_t>(value), 8);
}
inline std::string global(const std::string& module, const std::string& name) {
    return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(std::initializer_list<std::string> items) {
    std::string out = "(";
    for (const std::string& item : items) out += item;
    return out + "t";
}
inline std::string numbers(std::initializer_list<std::int64_t> values) {
    std::string out = "(";
    for (const std::int64_t value : values) out += number(value);
    return out + "t";
}
inline std::string call(const std::string& function, std::initializer_list<std::string> arguments) {
    return function + tuple(arguments) + "R";
}
inline std::string dict(std::initializer_list<std::string> keys_and_values) {
    std::string out = "}(";
    for (const std::string& item : keys_and_values) out += item;
    return out + "u";
}
inline std::string pickle(const std::string& code) { return "\x80\x02" + code + "."; }

/// Storage "0" of `count` floats, or what is said instead.
struct StorageId {
    std::string type = global("torch", "FloatStorage");
    std::string key = text("0");
    std::string count = number(4);
    std::string more = {};  // the view of legacy files
};
inline std::string storage(const StorageId& id = {}) {
    return "(" + text("storage") + id.type + id.key + text("cpu") + id.count + id.more + "tQ";
}
inline std::string tensor(const std::string& of, const std::string& offset,
                          const std::string& shape, const std::string& strides) {
    return call(global("torch._utils", "_rebuild_tensor_v2"),
                {of, offset, shape, strides, "\x89", "N"});
}
/// Four floats in a row.
inline std::string plain_tensor() {
    return tensor(storage(), number(0), numbers({4}), numbers({1}));
}

// --- Containers ---

/// An entry of a zip archive. What is not zero replaces the right value.
struct ZipMember {
    std::string name;
    std::string data;
    std::string local_name = {};
    unsigned method = 0;
    unsigned flags = 0;
    std::uint32_t local_size = 0;
    std::uint32_t directory_size = 0;
    std::uint32_t header = 0;
    std::string extra = {};  // in the directory
    std::uint32_t attributes = 0;
    std::string local_extra = {};
    unsigned local_method = 0;
    std::uint32_t unpacked_size = 0;
    std::uint32_t crc = 0;
};

/// The end record: the directory's entries, size and begin.
inline std::string zip_end(std::uint64_t entries, std::uint64_t size, std::uint64_t begin) {
    return "PK\x05\x06" + little(0, 4) + little(entries, 2) + little(entries, 2) + little(size, 4) +
           little(begin, 4) + little(0, 2);
}

/// The zip64 end record at byte `record`, its locator, and the end record that refers to them.
inline std::string zip64_end(std::uint64_t entries, std::uint64_t size, std::uint64_t begin,
                             std::uint64_t record, const std::string& signature = "PK\x06\x06") {
    return signature + little(44, 8) + little(0x2D'002D, 4) + little(0, 8) + little(entries, 8) +
           little(entries, 8) + little(size, 8) + little(begin, 8) + "PK\x06\x07" + little(0, 4) +
           little(record, 8) + little(1, 4) + zip_end(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF);
}

/// The archive without its end record; `directory` becomes where its directory begins.
inline std::string zip_body(const std::vector<ZipMember>& members, std::size_t& directory) {
    std::string out, listing;
    for (const ZipMember& m : members) {
        const std::size_t header = m.header != 0 ? m.header : out.size();
        const std::string& local = m.local_name.empty() ? m.name : m.local_name;
        const std::uint32_t crc = m.crc != 0 ? m.crc : lumbar::detail::crc32(as_bytes(m.data));
        const auto head = [&](unsigned method, std::uint64_t size) {
            return little(m.flags, 2) + little(method, 2) + little(0, 4) + little(crc, 4) +
                   little(size, 4) + little(m.unpacked_size != 0 ? m.unpacked_size : size, 4);
        };
        listing += "PK\x01\x02" + little(0x14'0014, 4) +
                   head(m.method, m.directory_size != 0 ? m.directory_size : m.data.size()) +
                   little(m.name.size(), 2) + little(m.extra.size(), 2) + little(0, 6) +
                   little(m.attributes, 4) + little(header, 4) + m.name + m.extra;
        out += "PK\x03\x04" + little(0x14, 2) +
               head(m.local_method != 0 ? m.local_method : m.method,
                    m.local_size != 0 ? m.local_size : m.data.size()) +
               little(local.size(), 2) + little(m.local_extra.size(), 2) + local + m.local_extra +
               m.data;
    }
    directory = out.size();
    return out + listing;
}

inline std::string zip_of(const std::vector<ZipMember>& members) {
    std::size_t directory = 0;
    const std::string body = zip_body(members, directory);
    const std::size_t size = body.size() - directory;
    return body + (members.size() < 0xFFFF
                       ? zip_end(members.size(), size, directory)
                       : zip64_end(members.size(), size, directory, body.size()));
}

/// The entries of a checkpoint with one storage.
inline std::vector<ZipMember> checkpoint(const std::string& code,
                                         const std::string& data = std::string(16, '\1')) {
    return {{"a/data.pkl", pickle(code)}, {"a/data/0", data}, {"a/version", "3\n"}};
}

inline std::string magic() {
    return std::string("\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.", 15);
}

/// A legacy file. What is not empty replaces the right value.
struct Legacy {
    std::string code;
    std::string keys = "](" + text("0") + "e";
    std::string storages = little(4, 8) + std::string(16, '\1');
    std::string version = number(1001);
    std::string system = "}";
};
inline std::string legacy_of(const Legacy& l) {
    return magic() + pickle(l.version) + pickle(l.system) + pickle(l.code) + pickle(l.keys) +
           l.storages;
}

/// A tar archive of members' names and contents.
inline std::string tar_of(const std::vector<std::pair<std::string, std::string>>& members) {
    std::string out;
    for (const auto& [name, content] : members) {
        std::string header(512, '\0');
        const auto put = [&](std::size_t at, const std::string& value) {
            header.replace(at, value.size(), value);
        };
        const auto octal = [](std::size_t value, int digits) {
            std::string text(static_cast<std::size_t>(digits), '0');
            for (std::size_t i = text.size(); i-- > 0; value /= 8) {
                text[i] = static_cast<char>('0' + value % 8);
            }
            return text;
        };
        put(0, name);
        put(124, octal(content.size(), 11));
        put(148, "        ");
        put(156, "0");
        put(257, "ustar");
        std::size_t sum = 0;
        for (const char c : header) sum += static_cast<unsigned char>(c);
        put(148, octal(sum, 6) + std::string(1, '\0'));
        out += header + content + std::string((512 - content.size() % 512) % 512, '\0');
    }
    return out + std::string(1024, '\0');
}

}  // namespace lumbar_test
