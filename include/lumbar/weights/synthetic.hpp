// Weights that nobody trained: each element is a formula of its tensor's name and its index.
//
// So networks can be tested, timed and shown without a file of weights, and the reference logits of
// the tests belong to tensors that any language can make again. tests/goldens/synthetic.py is the
// twin of this file: the formula is a contract between them.
#pragma once

#include <lumbar/config/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN

/// Elements are uniform in [centre - amplitude, centre + amplitude).
struct SyntheticRange {
    double centre = 0.0;
    double amplitude = 1.0;
};

namespace detail {

/// 2^64 divided by the golden ratio: the step of the splitmix64 generator.
inline constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;

/// The FNV-1a hash of the bytes.
constexpr std::uint64_t fnv1a_64(std::string_view text) {
    std::uint64_t hash = 14695981039346656037u;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return hash;
}

constexpr std::uint64_t synthetic_base(std::string_view name, std::uint64_t seed) {
    return fnv1a_64(name) ^ (seed * kGoldenRatio);
}

/// Element `index` of the sequence that starts at `base`: uniform in [-1, 1), a multiple of 2^-23.
constexpr double synthetic_unit(std::uint64_t base, std::uint64_t index) {
    std::uint64_t z = base + (index + 1) * kGoldenRatio;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z = z ^ (z >> 31);
    // By way of 32 bits: vector units convert those to double in one instruction.
    return static_cast<double>(static_cast<std::int32_t>(z >> 40)) * 0x1p-23 - 1.0;
}

}  // namespace detail

/// Fills `out` with the elements of tensor `name`: float(centre + amplitude * u), computed in
/// double and rounded once. The same numbers on every machine.
inline void synthetic_fill(std::span<float> out, std::string_view name, std::uint64_t seed,
                           SyntheticRange range) {
    const std::uint64_t base = detail::synthetic_base(name, seed);
    float* const to = out.data();
    const std::size_t count = out.size();
    if (range.centre == 0.0) {
        for (std::size_t i = 0; i < count; ++i) {
            to[i] = static_cast<float>(range.amplitude * detail::synthetic_unit(base, i));
        }
        return;
    }
    for (std::size_t i = 0; i < count; ++i) {
        // Volatile, or the compiler may fuse the product with the sum, which rounds otherwise. Few
        // large tensors have a centre.
        const volatile double offset = range.amplitude * detail::synthetic_unit(base, i);
        to[i] = static_cast<float>(range.centre + offset);
    }
}

LUMBAR_NAMESPACE_END
