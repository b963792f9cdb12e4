// What works across the channels of one pixel: softmax and local response normalisation.
#pragma once

#include <lumbar/simd/simd.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>

LUMBAR_NAMESPACE_BEGIN

/// One pixel whose channels lie in groups of `lanes`; distances are in floats.
struct ChannelVector {
    const float* in = nullptr;
    float* out = nullptr;  ///< may be `in`
    int channels = 0;
    std::ptrdiff_t in_group = 0;
    std::ptrdiff_t out_group = 0;
};

using SoftmaxFunction = void (*)(const ChannelVector&);

/// exp(x - max) / sum. Channels beyond the last are written as zero.
template <class Arch>
LUMBAR_NEVER_INLINE void softmax(const ChannelVector& c) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    const int groups = (c.channels + L - 1) / L;
    float largest = -std::numeric_limits<float>::infinity();
    for (int i = 0; i < c.channels; ++i) {
        largest = std::max(largest, c.in[(i / L) * c.in_group + i % L]);
    }
    float sum = 0.0f;
    const V shift = simd::broadcast<Arch>(largest);
    for (int g = 0; g < groups; ++g) {
        const int count = std::min(L, c.channels - g * L);
        V e = simd::exp<Arch>(simd::load<Arch>(c.in + g * c.in_group) - shift);
        if (count < L) {
            alignas(64) float lane[static_cast<std::size_t>(L)];
            simd::store<Arch>(lane, e);
            e = simd::load_tail<Arch>(lane, count);
        }
        simd::store<Arch>(c.out + g * c.out_group, e);
        sum += simd::reduce_add<Arch>(e);
    }
    const V divisor = simd::broadcast<Arch>(sum);
    for (int g = 0; g < groups; ++g) {
        float* const out = c.out + g * c.out_group;
        simd::store<Arch>(out, simd::load<Arch>(out) / divisor);
    }
}

/// Parameters of local response normalisation, in PyTorch's convention (alpha is divided by size).
struct LrnParameters {
    int size = 5;
    float alpha = 1e-4f;
    float beta = 0.75f;
    float k = 1.0f;
};

using LrnFunction = void (*)(const ChannelVector&, const LrnParameters&);

/// x / (k + alpha / size * sum of the squares of `size` neighbouring channels) ^ beta; the window of
/// channel c is [c - size / 2, c + (size - 1) / 2], clipped (Krizhevsky 2012, section 3.3, with
/// torch.nn.LocalResponseNorm's centring). `out` must not be `in`.
template <class Arch>
LUMBAR_NEVER_INLINE void local_response_norm(const ChannelVector& c, const LrnParameters& p) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    const int groups = (c.channels + L - 1) / L;
    const V scale = simd::broadcast<Arch>(p.alpha / static_cast<float>(p.size));
    const V k = simd::broadcast<Arch>(p.k), beta = simd::broadcast<Arch>(p.beta);
    for (int g = 0; g < groups; ++g) {
        alignas(64) float window[static_cast<std::size_t>(L)] = {};
        for (int lane = 0; lane < std::min(L, c.channels - g * L); ++lane) {
            const int channel = g * L + lane;
            const int last = std::min(c.channels - 1, channel + (p.size - 1) / 2);
            float sum = 0.0f;
            for (int i = std::max(0, channel - p.size / 2); i <= last; ++i) {
                const float x = c.in[(i / L) * c.in_group + i % L];
                sum += x * x;
            }
            window[lane] = sum;
        }
        const V base = simd::fma<Arch>(simd::load<Arch>(window), scale, k);
        const V x = simd::load<Arch>(c.in + g * c.in_group);
        simd::store<Arch>(c.out + g * c.out_group, x / simd::pow<Arch>(base, beta));
    }
}

LUMBAR_NAMESPACE_END
