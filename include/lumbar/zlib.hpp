// Compressed .npz through zlib: load_numpy("weights.npz", {}, inflate_with_zlib). Opt-in: needs
// zlib.h, and the program linked to zlib (CMake: find_package(ZLIB), ZLIB::ZLIB).
#pragma once

#include <lumbar/config/config.hpp>

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

LUMBAR_NAMESPACE_BEGIN

/// Unpacks raw deflate data into exactly `to`: false where it ends before or goes on after, or is
/// damaged. Takes some 40 KB of memory, whatever the data say.
LUMBAR_COLD inline bool inflate_with_zlib(std::span<const std::byte> from,
                                          std::span<std::byte> to) {
    z_stream stream{};
    constexpr int kRaw = -15;  // no header, a window of 2^15 bytes
    if (inflateInit2(&stream, kRaw) != Z_OK) return false;
    // A byte more than there should be, so that data that go on are seen.
    std::byte spare{};
    int result = Z_OK;
    while (result == Z_OK) {
        // zlib counts in 32 bits.
        constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
        const std::span<std::byte> out = to.empty() ? std::span(&spare, 1) : to;
        const std::size_t in_size = std::min(from.size(), kMost);
        const std::size_t out_size = std::min(out.size(), kMost);
        // zlib's interface has no const, and does not write there.
        stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(from.data()));
        stream.avail_in = static_cast<uInt>(in_size);
        stream.next_out = reinterpret_cast<Bytef*>(out.data());
        stream.avail_out = static_cast<uInt>(out_size);
        result = inflate(&stream, Z_NO_FLUSH);
        const std::size_t made = out_size - stream.avail_out;
        from = from.subspan(in_size - stream.avail_in);
        if (to.empty() && made > 0) result = Z_DATA_ERROR;
        if (!to.empty()) to = to.subspan(made);
    }
    inflateEnd(&stream);
    return result == Z_STREAM_END && to.empty() && from.empty();
}

LUMBAR_NAMESPACE_END
