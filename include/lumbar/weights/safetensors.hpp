// Reading safetensors: how the tensors that the header lists lie in the file.
//
//     u64 N | N bytes of JSON | the tensors' bytes, without gap or overlap, to the file's end
//
// Everything is checked before the first tensor is handed out, in 64-bit arithmetic that cannot
// wrap; no memory is allocated for numbers that the file merely claims. Format: the safetensors
// project's README.md and safetensors/src/tensor.rs.
#pragma once

#include <lumbar/core/sorted_order.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/limits.hpp>
#include <lumbar/weights/safetensors_header.hpp>
#include <lumbar/weights/weights.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

inline std::string byte_range(const SafetensorsEntry& entry) {
    return cat({"bytes ", entry.begin, " to ", entry.end});
}

/// What is wrong with the tensors' places in `data_size` bytes, or nothing. Reorders the tensors.
LUMBAR_COLD inline std::optional<std::string> layout_problem(std::vector<SafetensorsEntry>& tensors,
                                                             std::uint64_t data_size) {
    // By name first: duplicates are best reported as such, and the same file always fails alike.
    sort_by(tensors, [](const auto& a, const auto& b) { return a.name < b.name; });
    const auto twice =
        std::adjacent_find(tensors.begin(), tensors.end(),
                           [](const auto& a, const auto& b) { return a.name == b.name; });
    if (twice != tensors.end()) return "two tensors are named " + in_quotes(twice->name);

    sort_by(tensors, [](const auto& a, const auto& b) {
        return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::uint64_t next = 0;
    for (const SafetensorsEntry& entry : tensors) {
        const std::string who = "tensor " + in_quotes(entry.name);
        if (entry.end < entry.begin) {
            return cat({who, " ends before it begins (", byte_range(entry), ")"});
        }
        if (entry.begin > next) {
            return cat({who, " begins at byte ", entry.begin, ", but the data before it ends at ",
                        next, ": no tensor covers the gap"});
        }
        if (entry.begin < next) {
            return cat({who, " (", byte_range(entry),
                        ") overlaps another tensor, which ends at byte ", next});
        }
        const auto needed = checked_byte_count(entry.dtype, entry.shape);
        const std::string what = cat({to_string(entry.shape), " of ", to_string(entry.dtype)});
        if (!needed) {
            return cat({who, " has the impossible shape ", what,
                        ": its size overflows or is not a whole number of bytes"});
        }
        if (*needed != entry.end - entry.begin) {
            return cat({who, " of shape ", what, " needs ", *needed, " bytes, but ",
                        byte_range(entry), " are ", entry.end - entry.begin});
        }
        next = entry.end;
    }
    if (next > data_size) {
        return cat({"the file is cut off: its tensors need ", next, " bytes after the header, and ",
                    data_size, " are there; fetch it again"});
    }
    if (next < data_size) {
        return std::to_string(data_size - next) +
               " bytes follow the last tensor, where the file should end";
    }
    return std::nullopt;
}

}  // namespace detail

/// Reads a safetensors file that is in memory, without copying its tensors: the Weights views
/// `bytes` and shares `owner`, which may be null where the bytes outlive it anyway (an array in the
/// program). `source` is the path or description that error messages begin with.
LUMBAR_COLD inline Result<Weights> try_read_safetensors(std::span<const std::byte> bytes,
                                                        std::shared_ptr<const void> owner,
                                                        const std::string& source,
                                                        const LoadLimits& limits = {}) {
    const std::string prefix = detail::origin(source);
    const auto bad = [&](const std::string& what) {
        return Error(Error::Code::format,
                     detail::cat({prefix, "not a valid safetensors file: ", what}));
    };
    constexpr std::size_t kPrefixBytes = 8;
    if (bytes.size() < kPrefixBytes) {
        return bad(detail::cat(
            {"it has ", bytes.size(), " bytes, and the header's length alone takes 8"}));
    }
    const auto header_size = detail::load_bits<std::uint64_t>(bytes.data());
    if (header_size > SafetensorsLimits::header_bytes) {
        return bad(detail::cat({"it claims a header of ", header_size, " bytes; at most ",
                                SafetensorsLimits::header_bytes, " are allowed"}));
    }
    const auto rest = bytes.subspan(kPrefixBytes);
    if (header_size > rest.size()) {
        return bad(detail::cat({"it claims a header of ", header_size, " bytes, but only ",
                                rest.size(), " follow; it may be cut off"}));
    }
    const auto header_bytes = rest.first(static_cast<std::size_t>(header_size));
    const auto data = rest.subspan(static_cast<std::size_t>(header_size));

    auto header = detail::try_parse_safetensors_header(
        {reinterpret_cast<const char*>(header_bytes.data()), header_bytes.size()},
        prefix + "not a valid safetensors file: ");
    if (!header) return header.error();
    if (header->tensors.size() > limits.tensors) {
        return bad(
            detail::cat({"it has more than ", limits.tensors, " tensors (LoadLimits::tensors)"}));
    }
    if (const auto problem = detail::layout_problem(header->tensors, data.size())) {
        return bad(*problem);
    }

    Weights::Builder builder(source);
    builder.keep(std::move(owner));
    builder.reserve(header->tensors.size());
    builder.set_metadata(std::move(header->metadata));
    for (detail::SafetensorsEntry& entry : header->tensors) {
        const auto place = data.subspan(static_cast<std::size_t>(entry.begin),
                                        static_cast<std::size_t>(entry.end - entry.begin));
        builder.add(std::move(entry.name), contiguous_tensor(entry.dtype, entry.shape, place));
    }
    return std::move(builder).try_build();
}

LUMBAR_NAMESPACE_END
