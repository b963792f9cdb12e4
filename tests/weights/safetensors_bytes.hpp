// Safetensors files put together by hand, right and wrong ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace lumbar_test {

/// A file: the given header length, the header, the data. Little-endian, as the tests' machines
/// are.
inline std::string file_with_length(std::uint64_t length, const std::string& rest) {
    std::string out(sizeof length, '\0');
    std::memcpy(out.data(), &length, sizeof length);
    return out + rest;
}

/// A file with the right header length.
inline std::string file_of(const std::string& header, const std::string& data = {}) {
    return file_with_length(header.size(), header + data);
}

inline std::span<const std::byte> as_bytes(const std::string& text) {
    return std::as_bytes(std::span(text));
}

/// `"NAME":{"dtype":"DTYPE","shape":SHAPE,"data_offsets":OFFSETS}`, all but NAME and DTYPE
/// verbatim.
inline std::string member(const std::string& name, const std::string& dtype,
                          const std::string& shape, const std::string& offsets) {
    return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}";
}

}  // namespace lumbar_test
