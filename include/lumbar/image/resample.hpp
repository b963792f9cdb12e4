// The antialiased resampler. Each axis has a table of filter weights; along each axis every output
// pixel is a weighted sum of a run of input pixels:
//
//     input   . . [a b c d e] . . .        support = filter radius * max(1, input / output)
//     output      .    X    .   .          X = sum w[k] * input[first + k],  sum w = 1
//
// The rows are filtered first and rounded to 8 bits, then the columns. Equality with Pillow down to
// the byte rests on three things: the tables are computed in double in its order of operations, the
// weights are rounded to 22 fractional bits (8 bits of pixel, 2 of headroom for the bicubic's
// overshoot, 22 of weight), and a pass whose length does not change is left out.
#pragma once

#include <lumbar/image/image.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// The filter of a resize: a triangle, or Keys' cubic with a = -1/2. Both widen when shrinking.
enum class Interpolation { bilinear, bicubic };

namespace detail {

/// One axis of a resize: the length it is scaled to, and the part of the result that is wanted.
/// Only that part is computed, so cropping a long thin picture costs what its window costs.
struct ResampleAxis {
    std::int64_t length = 0;
    std::int64_t begin = 0;
    int count = 0;
};
struct ResampleWindow {
    ResampleAxis vertical;
    ResampleAxis horizontal;
};

/// A product as IEEE double rounds it. Compilers may contract a * b + c into one fused operation,
/// which rounds once less and could move a weight off Pillow's; through memory they cannot.
inline double rounded(double product) {
    const volatile double stored = product;
    return stored;
}

inline double filter_radius(Interpolation interpolation) {
    return interpolation == Interpolation::bilinear ? 1.0 : 2.0;
}

inline double filter_weight(Interpolation interpolation, double x) {
    x = std::fabs(x);
    if (interpolation == Interpolation::bilinear) return x < 1.0 ? 1.0 - x : 0.0;
    constexpr double a = -0.5;
    if (x < 1.0) {
        const double inner = rounded(rounded((a + 2.0) * x) - (a + 3.0));
        return rounded(rounded(inner * x) * x) + 1.0;
    }
    if (x < 2.0) {
        const double inner = rounded(rounded((x - 5.0) * x) + 8.0);
        return (rounded(inner * x) - 4.0) * a;
    }
    return 0.0;
}

inline constexpr int kWeightBits = 22;

/// For each output pixel of the wanted part: the run of input pixels it reads, and their weights.
struct ResampleTable {
    struct Run {
        int first = 0;
        int count = 0;
    };
    int stride = 0;  ///< weights per output pixel, the runs' greatest length
    std::vector<Run> runs;
    std::vector<std::int32_t> weights;

    const std::int32_t* weights_of(std::size_t output) const {
        return weights.data() + output * static_cast<std::size_t>(stride);
    }
};

inline ResampleTable resample_table(int input, const ResampleAxis& axis,
                                    Interpolation interpolation) {
    const double scale = static_cast<double>(input) / static_cast<double>(axis.length);
    const double widening = std::max(scale, 1.0);
    const double support = rounded(filter_radius(interpolation) * widening);
    const double inverse = 1.0 / widening;

    ResampleTable table;
    table.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
    table.runs.resize(static_cast<std::size_t>(axis.count));
    table.weights.resize(table.runs.size() * static_cast<std::size_t>(table.stride));
    std::vector<double> exact(static_cast<std::size_t>(table.stride));

    for (std::size_t i = 0; i < table.runs.size(); ++i) {
        const double position = static_cast<double>(axis.begin + static_cast<std::int64_t>(i));
        const double center = rounded((position + 0.5) * scale);
        const int first = std::max(static_cast<int>(center - support + 0.5), 0);
        const int last = std::min(static_cast<int>(center + support + 0.5), input);
        const int count = last - first;
        double sum = 0.0;
        for (int k = 0; k < count; ++k) {
            const double distance = rounded((k + first - center + 0.5) * inverse);
            const double weight = filter_weight(interpolation, distance);
            exact[static_cast<std::size_t>(k)] = weight;
            sum += weight;
        }
        std::int32_t* weights = table.weights.data() + i * static_cast<std::size_t>(table.stride);
        for (int k = 0; k < count; ++k) {
            const double weight = exact[static_cast<std::size_t>(k)] / (sum != 0.0 ? sum : 1.0);
            const double fixed = rounded(weight * (1 << kWeightBits));
            weights[k] = static_cast<std::int32_t>(weight < 0.0 ? fixed - 0.5 : fixed + 0.5);
        }
        table.runs[i] = {first, count};
    }
    return table;
}

inline std::uint8_t narrow_sum(std::int32_t sum) {
    return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

inline constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

template <std::size_t Channels>
void resample_row(const std::uint8_t* in, std::uint8_t* out, const ResampleTable& table) {
    for (std::size_t i = 0; i < table.runs.size(); ++i) {
        const ResampleTable::Run run = table.runs[i];
        const std::int32_t* weights = table.weights_of(i);
        const std::uint8_t* pixel = in + static_cast<std::size_t>(run.first) * Channels;
        std::int32_t sums[Channels];
        for (std::size_t c = 0; c < Channels; ++c) sums[c] = kHalf;
        for (int k = 0; k < run.count; ++k)
            for (std::size_t c = 0; c < Channels; ++c) sums[c] += weights[k] * *pixel++;
        for (std::size_t c = 0; c < Channels; ++c) *out++ = narrow_sum(sums[c]);
    }
}

/// Filters rows [first, first + count) and keeps the wanted columns.
inline Image resample_rows(const Image& image, const ResampleTable::Run& rows,
                           const ResampleAxis& axis, Interpolation interpolation) {
    Image out(ImageShape{.height = rows.count, .width = axis.count, .channels = image.channels()});
    if (axis.length == image.width()) {
        const auto channels = static_cast<std::size_t>(image.channels());
        for (int y = 0; y < rows.count; ++y)
            std::memcpy(out.row(y),
                        image.row(rows.first + y) + static_cast<std::size_t>(axis.begin) * channels,
                        static_cast<std::size_t>(axis.count) * channels);
        return out;
    }
    const ResampleTable table = resample_table(image.width(), axis, interpolation);
    for (int y = 0; y < rows.count; ++y) {
        const std::uint8_t* from = image.row(rows.first + y);
        if (image.channels() == 1)
            resample_row<1>(from, out.row(y), table);
        else
            resample_row<3>(from, out.row(y), table);
    }
    return out;
}

/// Filters all columns at once, row by row, so that the inner loop runs along memory. Row 0 of
/// `image` is row `first` of the picture that the table speaks of.
inline Image resample_columns(const Image& image, int first, const ResampleTable& table) {
    Image out(ImageShape{.height = static_cast<int>(table.runs.size()),
                         .width = image.width(),
                         .channels = image.channels()});
    const std::size_t values = ImageShape{1, image.width(), image.channels()}.bytes();
    std::vector<std::int32_t> sums(values);
    for (std::size_t y = 0; y < table.runs.size(); ++y) {
        const ResampleTable::Run run = table.runs[y];
        const std::int32_t* weights = table.weights_of(y);
        std::fill(sums.begin(), sums.end(), kHalf);
        for (int k = 0; k < run.count; ++k) {
            const std::uint8_t* in = image.row(run.first - first + k);
            const std::int32_t weight = weights[k];
            for (std::size_t i = 0; i < values; ++i) sums[i] += weight * in[i];
        }
        std::uint8_t* to = out.row(static_cast<int>(y));
        for (std::size_t i = 0; i < values; ++i) to[i] = narrow_sum(sums[i]);
    }
    return out;
}

/// The wanted window of the resized image. Preconditions: the image is not empty, the window has
/// pixels and lies within the lengths.
inline Image resample(const Image& image, const ResampleWindow& window,
                      Interpolation interpolation) {
    const ResampleAxis& vertical = window.vertical;
    if (vertical.length == image.height())
        return resample_rows(image, {static_cast<int>(vertical.begin), vertical.count},
                             window.horizontal, interpolation);
    const ResampleTable table = resample_table(image.height(), vertical, interpolation);
    // Runs move down the picture, so the first begins and the last ends what is read.
    const int first = table.runs.front().first;
    const int last = table.runs.back().first + table.runs.back().count;
    const Image rows =
        resample_rows(image, {first, last - first}, window.horizontal, interpolation);
    return resample_columns(rows, first, table);
}

}  // namespace detail
LUMBAR_NAMESPACE_END
