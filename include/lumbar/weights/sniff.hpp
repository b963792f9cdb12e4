// What a file seems to be, by its first bytes, so that a wrong one is refused with advice.
#pragma once

#include <lumbar/config/config.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/tensor_data.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN

/// Kinds of files that people hand to load_weights.
enum class FileKind {
    safetensors,
    zip,           ///< PyTorch's .pth since 1.6, TorchScript, or an archive
    npz,           ///< NumPy's archive of arrays
    torch_legacy,  ///< PyTorch's .pth before 1.6
    tar,           ///< PyTorch's .pth before 0.2, or an archive
    pickle,        ///< some other Python pickle
    npy,           ///< one NumPy array
    hdf5,          ///< Keras
    gguf,          ///< llama.cpp
    tflite,        ///< TensorFlow Lite
    onnx,          ///< a network in protocol buffers
    compressed,    ///< gzip, xz, bzip2, zstd, 7z
    html,          ///< a web page: a download that went wrong
    git_lfs,       ///< a pointer in place of the file
    json,          ///< text in braces
    text,          ///< some other text
    unknown,
};

namespace detail {

inline std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr bool is_json_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// `text` without leading blanks begins with `lower_case`, whatever its case.
LUMBAR_COLD inline bool begins_with_word(std::string_view text, std::string_view lower_case) {
    while (!text.empty() && is_json_space(text.front())) text.remove_prefix(1);
    if (text.size() < lower_case.size()) return false;
    return std::equal(lower_case.begin(), lower_case.end(), text.begin(), [](char a, char b) {
        return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
    });
}

LUMBAR_COLD inline bool looks_like_safetensors(std::string_view text,
                                               std::span<const std::byte> bytes) {
    if (text.size() < 9) return false;
    constexpr std::uint64_t kLongestHeader = 100'000'000;
    return load_bits<std::uint64_t>(bytes.data()) <= kLongestHeader &&
           (text[8] == '{' || is_json_space(text[8]));
}

/// A serialized onnx.ModelProto begins with ir_version (field 1, a small number) and goes on with
/// another field of the message, such as the producer's name or the graph.
inline bool looks_like_onnx(std::string_view text) {
    return text.size() > 3 && text[0] == 0x08 && text[1] > 0 && text[1] < 32 &&
           (text[2] == 0x12 || text[2] == 0x1A || text[2] == 0x22 || text[2] == 0x3A ||
            text[2] == 0x42);
}

/// Of a zip archive: its first entry is an array.
inline bool begins_with_array(std::string_view text) {
    constexpr std::size_t kHeader = 30;
    if (text.size() < kHeader) return false;
    const std::size_t length = static_cast<unsigned char>(text[26]) +
                               std::size_t{256} * static_cast<unsigned char>(text[27]);
    return length <= text.size() - kHeader && text.substr(kHeader, length).ends_with(".npy");
}

/// A dozen characters at least, all of them printable, but for those that a line or a page ends
/// with; a character of several bytes may be cut off at the end.
LUMBAR_COLD inline bool looks_like_text(std::string_view text) {
    if (text.size() < 12) return false;
    while (!text.empty()) {
        const std::size_t length = is_json_space(text[0]) ? 1 : printable_length(text);
        if (length == 0) return text.size() < 4 && static_cast<unsigned char>(text[0]) >= 0xC2;
        text.remove_prefix(length);
    }
    return true;
}

}  // namespace detail

/// The kind of file that begins so; the first 300 bytes are enough.
LUMBAR_COLD inline FileKind sniff(std::span<const std::byte> bytes) {
    using namespace std::string_view_literals;
    const std::string_view text =
        detail::as_text(bytes.first(std::min<std::size_t>(bytes.size(), 300)));
    const auto begins = [&](std::string_view magic) {
        return text.substr(0, magic.size()) == magic;
    };
    const auto has_at = [&](std::size_t at, std::string_view magic) {
        return text.size() >= at + magic.size() && text.substr(at, magic.size()) == magic;
    };

    if (detail::looks_like_safetensors(text, bytes)) return FileKind::safetensors;
    if (begins("PK\x03\x04"sv) || begins("PK\x05\x06"sv)) {
        return detail::begins_with_array(text) ? FileKind::npz : FileKind::zip;
    }
    // The pickle of PyTorch's magic number 0x1950a86a20f9469cfc6c.
    if (has_at(2, "\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19"sv)) {
        return FileKind::torch_legacy;
    }
    if (has_at(257, "ustar"sv)) return FileKind::tar;
    if (begins("\x93NUMPY"sv)) return FileKind::npy;
    if (begins("\x89HDF\r\n\x1A\n"sv)) return FileKind::hdf5;
    if (begins("GGUF"sv)) return FileKind::gguf;
    if (has_at(4, "TFL3"sv)) return FileKind::tflite;
    if (begins("\x1F\x8B"sv) ||
        begins("\xFD"
               "7zXZ"sv) ||
        begins("BZh"sv) || begins("\x28\xB5\x2F\xFD"sv) || begins("7z\xBC\xAF"sv)) {
        return FileKind::compressed;
    }
    if (begins("version https://git-lfs"sv)) return FileKind::git_lfs;
    for (const auto word : {"<!doctype"sv, "<html"sv, "<?xml"sv, "<head"sv}) {
        if (detail::begins_with_word(text, word)) return FileKind::html;
    }
    if (detail::begins_with_word(text, "{"sv)) return FileKind::json;
    if (text.size() > 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5) {
        return FileKind::pickle;
    }
    if (detail::looks_like_onnx(text)) return FileKind::onnx;
    if (detail::looks_like_text(text)) return FileKind::text;
    return FileKind::unknown;
}

namespace detail {

inline constexpr std::string_view kConvertFromTorch =
    "convert it to safetensors with: python3 -c \"import torch; from safetensors.torch import "
    "save_file; d = torch.load('IN', map_location='cpu', weights_only=True); "
    "save_file({k: v.clone().contiguous() for k, v in d.items()}, 'OUT.safetensors')\"";

/// What the file seems to be and what to do about it, in one line. Precondition: no
/// kind that is read.
LUMBAR_COLD inline std::string refusal(FileKind kind) {
    switch (kind) {
        case FileKind::pickle:
            return cat(
                {"seems to be a Python pickle, which can run any program when it is loaded; "
                 "it is not read here, and if you trust it, ",
                 kConvertFromTorch});
        case FileKind::npy:
            return "seems to be a single NumPy array, and weights need names: save all of them "
                   "with numpy.savez, which load_numpy (lumbar/weights/numpy.hpp) reads";
        case FileKind::npz:
            return "seems to be NumPy's .npz; load_numpy (lumbar/weights/numpy.hpp) reads it";
        case FileKind::hdf5:
            return "seems to be HDF5 (Keras), which is not read here; save the tensors under "
                   "PyTorch's names and layouts as safetensors";
        case FileKind::gguf:
            return "seems to be GGUF, the format of language models; give safetensors";
        case FileKind::tflite:
            return "seems to be a TensorFlow Lite model, which is not read here; give safetensors";
        case FileKind::onnx:
            return "seems to be an ONNX model, which load_weights does not read; load_onnx "
                   "(lumbar/weights/onnx.hpp) reads its tensors, or save the state dict of the "
                   "PyTorch model that it came from";
        case FileKind::compressed:
            return "seems to be compressed (gzip, xz, bzip2, zstd or 7z); unpack it first";
        case FileKind::html:
            return "seems to be a web page, not weights; the download went wrong: open the address "
                   "in a browser to see what it says";
        case FileKind::git_lfs:
            return "is a Git LFS pointer, not the file itself; fetch it with: git lfs pull";
        case FileKind::json:
            return "seems to be JSON text, not weights; give the .safetensors file that belongs to "
                   "it";
        case FileKind::text:
            return "seems to be a text, not weights; give the .pth or .safetensors file";
        default: return "is not a file of weights that is known here; give safetensors";
    }
}

}  // namespace detail
LUMBAR_NAMESPACE_END
