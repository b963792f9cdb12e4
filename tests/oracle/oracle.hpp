// Reference operators in double precision, written from their definitions: slow, obvious, and
// independent of how the library lays out, clips or orders anything. The definitions are those of
// the PyTorch operators that are named with them.
#pragma once

#include <oracle/array.hpp>

#include <lumbar/core/activation.hpp>
#include <lumbar/core/geometry.hpp>
#include <lumbar/core/pooling.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace oracle {

using lumbar::Activation;
using lumbar::ConvGeometry;
using lumbar::Extent;
using lumbar::PoolGeometry;

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// torch.nn.functional.conv2d. Weights are [out][in / groups][kernel h][kernel w]; the bias may be
/// empty. `term` maps a pair of factors to what is added up, and `bias_term` the bias.
template <class Weights, class Term, class BiasTerm>
Array conv2d_of(const Array& x, const Weights& weights, const Weights& bias, const ConvGeometry& g,
                Term&& term, BiasTerm&& bias_term) {
    const int out_h =
        (x.shape.h + g.padding.top + g.padding.bottom - g.dilation.h * (g.kernel.h - 1) - 1) /
            g.stride.h +
        1;
    const int out_w =
        (x.shape.w + g.padding.left + g.padding.right - g.dilation.w * (g.kernel.w - 1) - 1) /
            g.stride.w +
        1;
    const int group_in = g.in_channels / g.groups, group_out = g.out_channels / g.groups;
    Array y({x.shape.n, g.out_channels, out_h, out_w});
    for (int n = 0; n < y.shape.n; ++n)
        for (int o = 0; o < y.shape.c; ++o)
            for (int oy = 0; oy < out_h; ++oy)
                for (int ox = 0; ox < out_w; ++ox) {
                    const std::size_t filter = static_cast<std::size_t>(o);
                    double sum = bias.empty() ? 0.0 : bias_term(static_cast<double>(bias[filter]));
                    for (int c = 0; c < group_in; ++c)
                        for (int ky = 0; ky < g.kernel.h; ++ky)
                            for (int kx = 0; kx < g.kernel.w; ++kx) {
                                const int iy = oy * g.stride.h - g.padding.top + ky * g.dilation.h;
                                const int ix = ox * g.stride.w - g.padding.left + kx * g.dilation.w;
                                if (iy < 0 || iy >= x.shape.h || ix < 0 || ix >= x.shape.w)
                                    continue;
                                const std::size_t at = static_cast<std::size_t>(
                                    ((o * group_in + c) * g.kernel.h + ky) * g.kernel.w + kx);
                                sum += term(x(n, o / group_out * group_in + c, iy, ix),
                                            static_cast<double>(weights[at]));
                            }
                    y(n, o, oy, ox) = sum;
                }
    return y;
}

inline Array conv2d(const Array& x, std::span<const float> weights, std::span<const float> bias,
                    const ConvGeometry& g) {
    return conv2d_of(
        x, weights, bias, g, [](double a, double w) { return a * w; }, [](double b) { return b; });
}

/// The sums of the squared products of conv2d: what sum_tolerance takes.
inline Array conv2d_squares(const Array& x, std::span<const float> weights,
                            std::span<const float> bias, const ConvGeometry& g) {
    return conv2d_of(
        x, weights, bias, g, [](double a, double w) { return a * w * a * w; },
        [](double b) { return b * b; });
}

/// torch.nn.functional.linear on a flattened input; weights are [outputs][inputs].
inline Array linear(const Array& x, std::span<const float> weights, std::span<const float> bias,
                    int outputs) {
    const int inputs = static_cast<int>(x.shape.size() / x.shape.n);
    Array flat({x.shape.n, inputs, 1, 1});
    flat.values = x.values;
    return conv2d(flat, weights, bias, {.in_channels = inputs, .out_channels = outputs});
}

inline Array linear_squares(const Array& x, std::span<const float> weights,
                            std::span<const float> bias, int outputs) {
    const int inputs = static_cast<int>(x.shape.size() / x.shape.n);
    Array flat({x.shape.n, inputs, 1, 1});
    flat.values = x.values;
    return conv2d_squares(flat, weights, bias, {.in_channels = inputs, .out_channels = outputs});
}

/// The number of windows along one dimension, as torch.nn.MaxPool2d's documentation has it: with
/// ceil_mode, windows that would start in the padding after the image are left out.
inline int pool_outputs(int input, int before, int after, int kernel, int stride, int dilation,
                        bool ceil_mode) {
    int outputs = 0;
    const int span = dilation * (kernel - 1) + 1;
    for (int start = -before;; start += stride, ++outputs) {
        const bool fits = start + span <= input + after;
        const bool partial = ceil_mode && start < input && start - stride + span < input + after;
        if (!fits && !partial) return outputs;
    }
}

/// torch.nn.MaxPool2d: padding never wins, NaN always does.
inline Array max_pool(const Array& x, const PoolGeometry& g) {
    Array y({x.shape.n, x.shape.c,
             pool_outputs(x.shape.h, g.padding.top, g.padding.bottom, g.kernel.h, g.stride.h,
                          g.dilation.h, g.ceil_mode),
             pool_outputs(x.shape.w, g.padding.left, g.padding.right, g.kernel.w, g.stride.w,
                          g.dilation.w, g.ceil_mode)});
    for (int n = 0; n < y.shape.n; ++n)
        for (int c = 0; c < y.shape.c; ++c)
            for (int oy = 0; oy < y.shape.h; ++oy)
                for (int ox = 0; ox < y.shape.w; ++ox) {
                    double best = -kInfinity;
                    for (int ky = 0; ky < g.kernel.h; ++ky)
                        for (int kx = 0; kx < g.kernel.w; ++kx) {
                            const int iy = oy * g.stride.h - g.padding.top + ky * g.dilation.h;
                            const int ix = ox * g.stride.w - g.padding.left + kx * g.dilation.w;
                            if (iy < 0 || iy >= x.shape.h || ix < 0 || ix >= x.shape.w) continue;
                            const double v = x(n, c, iy, ix);
                            if (v > best || std::isnan(v)) best = v;  // v > NaN never holds
                        }
                    y(n, c, oy, ox) = best;
                }
    return y;
}

/// torch.nn.AvgPool2d. The divisor counts a window's positions inside the image, or inside image
/// and padding (count_include_pad); what ceil_mode lets it reach beyond those never counts.
inline Array average_pool(const Array& x, const PoolGeometry& g) {
    Array y({x.shape.n, x.shape.c,
             pool_outputs(x.shape.h, g.padding.top, g.padding.bottom, g.kernel.h, g.stride.h, 1,
                          g.ceil_mode),
             pool_outputs(x.shape.w, g.padding.left, g.padding.right, g.kernel.w, g.stride.w, 1,
                          g.ceil_mode)});
    for (int n = 0; n < y.shape.n; ++n)
        for (int c = 0; c < y.shape.c; ++c)
            for (int oy = 0; oy < y.shape.h; ++oy)
                for (int ox = 0; ox < y.shape.w; ++ox) {
                    double sum = 0;
                    int inside = 0, padded = 0;
                    for (int ky = 0; ky < g.kernel.h; ++ky)
                        for (int kx = 0; kx < g.kernel.w; ++kx) {
                            const int iy = oy * g.stride.h - g.padding.top + ky;
                            const int ix = ox * g.stride.w - g.padding.left + kx;
                            if (iy >= x.shape.h + g.padding.bottom ||
                                ix >= x.shape.w + g.padding.right)
                                continue;
                            ++padded;
                            if (iy < 0 || iy >= x.shape.h || ix < 0 || ix >= x.shape.w) continue;
                            ++inside;
                            sum += x(n, c, iy, ix);
                        }
                    y(n, c, oy, ox) = sum / (g.count_include_pad ? padded : inside);
                }
    return y;
}

/// torch.nn.AdaptiveAvgPool2d: output i covers [floor(i * in / out), ceil((i + 1) * in / out)).
inline Array adaptive_average_pool(const Array& x, Extent out) {
    Array y({x.shape.n, x.shape.c, out.h, out.w});
    const auto begin = [](int i, int in, int outputs) {
        return static_cast<int>(std::floor(static_cast<double>(i) * in / outputs));
    };
    const auto end = [](int i, int in, int outputs) {
        return static_cast<int>(std::ceil(static_cast<double>(i + 1) * in / outputs));
    };
    for (int n = 0; n < y.shape.n; ++n)
        for (int c = 0; c < y.shape.c; ++c)
            for (int oy = 0; oy < out.h; ++oy)
                for (int ox = 0; ox < out.w; ++ox) {
                    double sum = 0;
                    int count = 0;
                    for (int iy = begin(oy, x.shape.h, out.h); iy < end(oy, x.shape.h, out.h); ++iy)
                        for (int ix = begin(ox, x.shape.w, out.w); ix < end(ox, x.shape.w, out.w);
                             ++ix, ++count)
                            sum += x(n, c, iy, ix);
                    y(n, c, oy, ox) = sum / count;
                }
    return y;
}

/// Maximum, average or adaptive average pooling, as the geometry says.
inline Array pool(const Array& x, const PoolGeometry& g) {
    if (g.adaptive.h > 0) return adaptive_average_pool(x, g.adaptive);
    return g.kind == PoolGeometry::Kind::max ? max_pool(x, g) : average_pool(x, g);
}

inline Array global_average_pool(const Array& x) { return adaptive_average_pool(x, {1, 1}); }

/// f(value, channel) for every value.
template <class F>
Array map_channels(const Array& x, F&& f) {
    Array y(x.shape);
    for (int n = 0; n < y.shape.n; ++n)
        for (int c = 0; c < y.shape.c; ++c)
            for (int h = 0; h < y.shape.h; ++h)
                for (int w = 0; w < y.shape.w; ++w)
                    y(n, c, h, w) = f(x(n, c, h, w), static_cast<std::size_t>(c));
    return y;
}

/// torch.nn.BatchNorm2d in evaluation mode. An empty gamma is 1, an empty beta 0.
inline Array batch_norm(const Array& x, std::span<const float> gamma, std::span<const float> beta,
                        std::span<const float> mean, std::span<const float> variance,
                        double epsilon) {
    return map_channels(x, [&](double v, std::size_t c) {
        const double scale = gamma.empty() ? 1.0 : static_cast<double>(gamma[c]);
        const double shift = beta.empty() ? 0.0 : static_cast<double>(beta[c]);
        return (v - static_cast<double>(mean[c])) /
                   std::sqrt(static_cast<double>(variance[c]) + epsilon) * scale +
               shift;
    });
}

inline Array activate(const Array& x, Activation a) {
    return map(x, [a](double v) { return lumbar::activate(a, v); });
}

inline Array add(const Array& a, const Array& b) {
    Array y(a.shape);
    for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] = a.values[i] + b.values[i];
    return y;
}

/// x times a gate of one value per image and channel (N x C x 1 x 1).
inline Array scale_channels(const Array& x, const Array& gate) {
    Array y(x.shape);
    for (int n = 0; n < y.shape.n; ++n)
        for (int c = 0; c < y.shape.c; ++c)
            for (int h = 0; h < y.shape.h; ++h)
                for (int w = 0; w < y.shape.w; ++w)
                    y(n, c, h, w) = x(n, c, h, w) * gate(n, c, 0, 0);
    return y;
}

/// torch.cat along the channels.
inline Array concat(const std::vector<Array>& parts) {
    Shape shape = parts.at(0).shape;
    shape.c = 0;
    for (const Array& p : parts) shape.c += p.shape.c;
    Array y(shape);
    for (int n = 0; n < shape.n; ++n) {
        int channel = 0;
        for (const Array& p : parts)
            for (int c = 0; c < p.shape.c; ++c, ++channel)
                for (int h = 0; h < shape.h; ++h)
                    for (int w = 0; w < shape.w; ++w) y(n, channel, h, w) = p(n, c, h, w);
    }
    return y;
}

/// x with channels of zeros before and after (torch.nn.functional.pad along the channels).
inline Array pad_channels(const Array& x, int before, int after) {
    Array y({x.shape.n, before + x.shape.c + after, x.shape.h, x.shape.w});
    for (int n = 0; n < x.shape.n; ++n)
        for (int c = 0; c < x.shape.c; ++c)
            for (int h = 0; h < x.shape.h; ++h)
                for (int w = 0; w < x.shape.w; ++w) y(n, before + c, h, w) = x(n, c, h, w);
    return y;
}

/// torch.softmax over the channels of every pixel.
inline Array softmax(const Array& x) {
    Array y(x.shape);
    for (int n = 0; n < y.shape.n; ++n)
        for (int h = 0; h < y.shape.h; ++h)
            for (int w = 0; w < y.shape.w; ++w) {
                double largest = -kInfinity, sum = 0;
                for (int c = 0; c < y.shape.c; ++c) largest = std::max(largest, x(n, c, h, w));
                for (int c = 0; c < y.shape.c; ++c) sum += std::exp(x(n, c, h, w) - largest);
                for (int c = 0; c < y.shape.c; ++c)
                    y(n, c, h, w) = std::exp(x(n, c, h, w) - largest) / sum;
            }
    return y;
}

/// torch.nn.LocalResponseNorm: x / (k + alpha * mean of the squares around) ^ beta, where the mean
/// is an average over `size` channels with zeros beyond the first and the last: size / 2 before
/// and (size - 1) / 2 after.
inline Array local_response_norm(const Array& x, int size, double alpha, double beta, double k) {
    Array y(x.shape);
    for (int n = 0; n < y.shape.n; ++n)
        for (int c = 0; c < y.shape.c; ++c)
            for (int h = 0; h < y.shape.h; ++h)
                for (int w = 0; w < y.shape.w; ++w) {
                    double sum = 0;
                    for (int i = 0; i < size; ++i) {
                        const int neighbour = c - size / 2 + i;
                        if (neighbour < 0 || neighbour >= x.shape.c) continue;
                        sum += x(n, neighbour, h, w) * x(n, neighbour, h, w);
                    }
                    y(n, c, h, w) = x(n, c, h, w) / std::pow(k + alpha * (sum / size), beta);
                }
    return y;
}

}  // namespace oracle
