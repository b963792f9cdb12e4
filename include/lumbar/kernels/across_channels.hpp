// What works across the channels of one pixel: softmax and local response normalisation.
#pragma once

#include <lumbar/simd/simd.hpp>

#include <algorithm>
#include <cstddef>

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
    float largest = c.in[0];
    for (int i = 1; i < c.channels; ++i) {
        largest = std::max(largest, c.in[(i / L) * c.in_group + i % L]);
    }
    float sum = 0.0f;
    const V shift = simd::broadcast<Arch>(largest);
    for (int g = 0; g < groups; ++g) {
        const int count = std::min(L, c.channels - g * L);
        V e = simd::exp<Arch>(simd::load<Arch>(c.in + g * c.in_group) - shift);
        if (count < L) e = simd::keep_first<Arch>(e, count);
        simd::store<Arch>(c.out + g * c.out_group, e);
        sum += simd::reduce_add<Arch>(e);
    }
    const V divisor = simd::broadcast<Arch>(sum);
    for (int g = 0; g < groups; ++g) {
        const int count = std::min(L, c.channels - g * L);
        float* const out = c.out + g * c.out_group;
        V p = simd::load<Arch>(out) / divisor;
        // Again: a sum that is not a number would have spread to them.
        if (count < L) p = simd::keep_first<Arch>(p, count);
        simd::store<Arch>(out, p);
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

/// x / (k + alpha / size * sum of the squares of `size` neighbouring channels) ^ beta; the window
/// of channel c is [c - size / 2, c + (size - 1) / 2], clipped (Krizhevsky 2012, section 3.3, with
/// torch.nn.LocalResponseNorm's centring). `out` must not be `in`.
template <class Arch>
LUMBAR_NEVER_INLINE void local_response_norm(const ChannelVector& c, const LrnParameters& p) {
    using V = simd::Vector<Arch>;
    constexpr int L = simd::lanes<Arch>;
    const int groups = (c.channels + L - 1) / L;
    const V scale = simd::broadcast<Arch>(p.alpha / static_cast<float>(p.size));
    const V k = simd::broadcast<Arch>(p.k), beta = simd::broadcast<Arch>(p.beta);
    const int before = p.size / 2;
    const auto square_of = [&](int channel) {
        if (channel < 0 || channel >= c.channels) return 0.0f;
        const float x = c.in[(channel / L) * c.in_group + channel % L];
        return x * x;
    };
    const auto squares_of = [&](int g) -> V {
        if (g >= groups) return simd::broadcast<Arch>(0.0f);
        const float* const in = c.in + g * c.in_group;
        const int count = std::min(L, c.channels - g * L);
        const V x = count < L ? simd::load_tail<Arch>(in, count) : simd::load<Arch>(in);
        return x * x;
    };
    // The squares of a group and of its neighbours, side by side: a window is a few unaligned
    // loads. (Channel by channel it took 1.8 times as long at 56x56x64, with AVX-512.)
    alignas(64) float squares[static_cast<std::size_t>(3 * L)];
    V previous = simd::broadcast<Arch>(0.0f), current = squares_of(0);
    for (int g = 0; g < groups; ++g) {
        V sum = simd::broadcast<Arch>(0.0f);
        if (before <= L) {
            const V next = squares_of(g + 1);
            simd::store<Arch>(squares, previous);
            simd::store<Arch>(squares + L, current);
            simd::store<Arch>(squares + 2 * L, next);
            for (int i = 0; i < p.size; ++i) {
                sum = sum + simd::load_unaligned<Arch>(squares + L - before + i);
            }
            previous = current;
            current = next;
        } else {
            for (int lane = 0; lane < L; ++lane) {
                squares[lane] = 0.0f;
                for (int i = 0; i < p.size; ++i) {
                    squares[lane] += square_of(g * L + lane - before + i);
                }
            }
            sum = simd::load<Arch>(squares);
        }
        const V base = simd::fma<Arch>(sum, scale, k);
        const V x = simd::load<Arch>(c.in + g * c.in_group);
        simd::store<Arch>(c.out + g * c.out_group, x / simd::pow<Arch>(base, beta));
    }
}

LUMBAR_NAMESPACE_END
