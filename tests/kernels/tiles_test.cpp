// The kernels on raw pointers: every tile of every table, at distances that no driver uses.
#include <oracle/array.hpp>
#include <oracle/kernel_tables.hpp>

#include <lumbar/core/memory.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

namespace tiles_test {

using lumbar::AlignedBuffer;
using lumbar::KernelTable;

namespace {

constexpr float kUntouched = -12345;

AlignedBuffer random_buffer(std::ptrdiff_t count, std::uint64_t seed) {
    AlignedBuffer buffer(static_cast<std::size_t>(count));
    oracle::Random random(seed);
    for (std::size_t i = 0; i < buffer.size(); ++i) buffer.data()[i] = random.real(-1, 1);
    return buffer;
}

AlignedBuffer filled_buffer(std::ptrdiff_t count, float value) {
    AlignedBuffer buffer(static_cast<std::size_t>(count));
    std::fill_n(buffer.data(), buffer.size(), value);
    return buffer;
}

bool close(float got, double want) {
    return std::abs(static_cast<double>(got) - want) <=
           32 * oracle::kRounding * (1 + std::abs(want));
}

/// Input channels of a tap in the first and in the last group, and how far they are apart.
struct Lanes {
    int first, last, distance;
};
/// With as many channels as a vector has lanes, and with others.
std::array<Lanes, 4> kinds_of_lanes(int lanes) {
    return {{{3, 2, 1}, {lanes, 2, 1}, {lanes, lanes, 1}, {lanes, 3, 2}}};
}

}  // namespace

TEST_CASE("every convolution tile computes its pixels and groups, and writes nothing else") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const std::ptrdiff_t L = kernels->lanes;
        for (int groups = 1; groups <= lumbar::kMaxTileGroups; ++groups)
            for (const Lanes& lanes : kinds_of_lanes(kernels->lanes)) {
                for (int pixels = 1; pixels <= kernels->max_pixels(groups); ++pixels) {
                    CAPTURE(groups);
                    CAPTURE(pixels);
                    CAPTURE(lanes.first);
                    CAPTURE(lanes.last);
                    CAPTURE(lanes.distance);
                    // Two groups of input channels, 2x3 taps, odd distances.
                    lumbar::ConvTile t;
                    t.in_groups = 2;
                    t.full_taps = lanes.first == lanes.last ? 12 : 6;
                    t.in_lanes = lanes.first;
                    t.last_lanes = lanes.first == lanes.last ? 0 : lanes.last;
                    t.in_lane = lanes.distance;
                    t.kernel_h = 2;
                    t.kernel_w = 3;
                    t.step = 5;
                    t.tap_col = 7;
                    t.tap_row = 111;
                    t.in_group = 401;
                    t.out_group = (8 * pixels + 10) * L;
                    t.residual_group = (2 * pixels + 1) * L;
                    const AlignedBuffer in = random_buffer(1000, 1);
                    const AlignedBuffer weights =
                        random_buffer((lanes.first + lanes.last) * 6 * groups * L, 2);
                    const AlignedBuffer bias = random_buffer(groups * L, 3);
                    const AlignedBuffer residual = random_buffer(groups * t.residual_group, 4);
                    t.weights = weights.data();
                    t.bias = bias.data();
                    const auto tile = kernels->conv[static_cast<std::size_t>(groups - 1)]
                                                   [static_cast<std::size_t>(pixels - 1)];
                    // Two tiles, in rows of as many pixels as a tile or a third that end somewhere
                    // in the first, or in one row; a gap of three pixels lies between rows.
                    t.row_gap = 3 * L;
                    const std::pair<int, int> ends_and_widths[] = {
                        {1, pixels}, {pixels, pixels}, {1, (pixels + 2) / 3}, {1000, 7}};
                    for (const auto& rows : ends_and_widths)
                        for (const bool add : {false, true}) {
                            const int row_end = rows.first;
                            t.row_width = rows.second;
                            CAPTURE(row_end);
                            CAPTURE(t.row_width);
                            CAPTURE(add);
                            t.row_end = row_end;
                            AlignedBuffer out = filled_buffer(groups * t.out_group, kUntouched);
                            AlignedBuffer want = filled_buffer(groups * t.out_group, kUntouched);
                            tile(t, in.data(), out.data(), add ? residual.data() : nullptr, 2);
                            for (std::ptrdiff_t i = 0; i < groups * 2 * pixels * L; ++i) {
                                const std::ptrdiff_t lane = i % L, p = i / L % (2 * pixels);
                                const std::ptrdiff_t g = i / L / (2 * pixels);
                                double sum = static_cast<double>(bias.data()[g * L + lane]);
                                const float* w = weights.data() + g * L + lane;
                                for (int c = 0; c < 2; ++c)
                                    for (int y = 0; y < 2; ++y)
                                        for (int x = 0; x < 3; ++x)
                                            for (int k = 0; k < (c == 0 ? lanes.first : lanes.last);
                                                 ++k, w += groups * L) {
                                                sum += static_cast<double>(
                                                           in.data()[c * t.in_group +
                                                                     y * t.tap_row + x * t.tap_col +
                                                                     p * t.step + k * t.in_lane]) *
                                                       static_cast<double>(*w);
                                            }
                                if (add)
                                    sum += static_cast<double>(
                                        residual.data()[g * t.residual_group + p * L + lane]);
                                const std::ptrdiff_t ends =
                                    p < row_end ? 0 : 1 + (p - row_end) / t.row_width;
                                want.data()[g * t.out_group + (p + 3 * ends) * L + lane] =
                                    static_cast<float>(sum);
                            }
                            bool right = true;
                            for (std::size_t i = 0; i < out.size(); ++i) {
                                right = right &&
                                        close(out.data()[i], static_cast<double>(want.data()[i]));
                            }
                            CHECK(right);
                        }
                }
            }
    }
}

TEST_CASE("a pointwise tile sums over the groups of channels, whatever it fetches meanwhile") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const std::ptrdiff_t L = kernels->lanes;
        for (int groups = 1; groups <= lumbar::kMaxTileGroups; ++groups)
            for (int pixels = 1; pixels <= kernels->max_pixels(groups); ++pixels)
                for (const auto& [of_group, channels] : std::initializer_list<std::pair<int, int>>{
                         {3, 1},
                         {3, 3},
                         {3, 8},
                         {kernels->lanes, kernels->lanes},
                         {kernels->lanes, 3 * kernels->lanes - 1}}) {
                    CAPTURE(groups);
                    CAPTURE(pixels);
                    const int in_lanes = of_group, sums = channels;
                    CAPTURE(in_lanes);
                    CAPTURE(sums);
                    const AlignedBuffer in = random_buffer(1000, 1);
                    const AlignedBuffer weights = random_buffer(channels * groups * L, 2);
                    const AlignedBuffer bias = random_buffer(groups * L, 3);
                    const AlignedBuffer later = random_buffer(channels * 16, 4);
                    lumbar::ConvTile t;
                    t.set_pointwise(channels, of_group, 301);
                    t.step = 5;
                    t.out_group = 2 * pixels * L;
                    t.weights = weights.data();
                    t.bias = bias.data();
                    t.fetch = later.data();
                    AlignedBuffer out = filled_buffer(groups * t.out_group, kUntouched);
                    kernels->conv[static_cast<std::size_t>(groups - 1)][static_cast<std::size_t>(
                        pixels - 1)](t, in.data(), out.data(), nullptr, 2);
                    bool right = true;
                    for (std::ptrdiff_t i = 0; i < groups * t.out_group; ++i) {
                        const std::ptrdiff_t g = i / t.out_group, p = i / L % (2 * pixels);
                        double want = static_cast<double>(bias.data()[g * L + i % L]);
                        for (int c = 0; c < channels; ++c) {
                            want +=
                                static_cast<double>(
                                    in.data()[c / of_group * 301 + p * t.step + c % of_group]) *
                                static_cast<double>(weights.data()[(c * groups + g) * L + i % L]);
                        }
                        right = right && close(out.data()[i], want);
                    }
                    CHECK(right);
                }
    }
}

TEST_CASE("every depthwise tile computes its pixels, and writes nothing else") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const std::ptrdiff_t L = kernels->lanes;
        struct Table {
            const lumbar::DepthwiseTileTable* tiles;
            int kernel_h, kernel_w;
            std::ptrdiff_t column;  ///< in pixels
        };
        const Table tables[] = {{&kernels->depthwise_3x3, 3, 3, 1},
                                {&kernels->depthwise_5x5, 5, 5, 1},
                                {&kernels->depthwise, 3, 3, 1},
                                {&kernels->depthwise, 2, 4, 3},
                                {&kernels->depthwise, 1, 1, 1}};
        for (const Table& table : tables)
            for (int pixels = 1; pixels <= lumbar::kMaxDepthwisePixels; ++pixels) {
                if (!(*table.tiles)[static_cast<std::size_t>(pixels - 1)]) break;
                const int kernel_h = table.kernel_h, kernel_w = table.kernel_w;
                CAPTURE(kernel_h);
                CAPTURE(kernel_w);
                CAPTURE(pixels);
                lumbar::DepthwiseTile t;
                t.kernel_h = kernel_h;
                t.kernel_w = kernel_w;
                t.tap_col = table.column * L;
                t.tap_row = 40 * L;
                t.step = 3 * L;
                const AlignedBuffer in = random_buffer(7 * t.tap_row, 1);
                const AlignedBuffer weights = random_buffer(kernel_h * kernel_w * L, 2);
                const AlignedBuffer bias = random_buffer(L, 3);
                t.weights = weights.data();
                t.bias = bias.data();
                // Two tiles in each of two rows.
                const std::ptrdiff_t width = 2 * pixels + 1;
                t.in_row = t.tap_row / 2;
                t.out_row = width * L;
                AlignedBuffer out = filled_buffer(2 * width * L, kUntouched);
                (*table.tiles)[static_cast<std::size_t>(pixels - 1)](t, in.data(), out.data(), 2,
                                                                     2);
                bool right = true;
                for (std::ptrdiff_t i = 0; i < 2 * width * L; ++i) {
                    const std::ptrdiff_t p = i / L % width, row = i / L / width, lane = i % L;
                    if (p == 2 * pixels) {
                        right = right && out.data()[i] == kUntouched;
                        continue;
                    }
                    const float* const first = in.data() + row * t.in_row + p * t.step + lane;
                    double want = static_cast<double>(bias.data()[lane]);
                    for (int y = 0; y < kernel_h; ++y)
                        for (int x = 0; x < kernel_w; ++x)
                            want +=
                                static_cast<double>(first[y * t.tap_row + x * t.tap_col]) *
                                static_cast<double>(weights.data()[(y * kernel_w + x) * L + lane]);
                    right = right && close(out.data()[i], want);
                }
                CHECK(right);
            }
    }
}

TEST_CASE("every tile of a pair of depthwise rows computes its pixels, and writes nothing else") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const std::ptrdiff_t L = kernels->lanes;
        for (const int kernel : {3, 5})
            for (int pixels = 1; pixels <= lumbar::kMaxPairPixels; ++pixels) {
                const auto& table =
                    kernel == 3 ? kernels->depthwise_pairs_3x3 : kernels->depthwise_pairs_5x5;
                const auto pair = table[static_cast<std::size_t>(pixels - 1)];
                if (!pair) continue;
                CAPTURE(kernel);
                CAPTURE(pixels);
                // Two tiles in each of two pairs of rows.
                const std::ptrdiff_t width = 2 * pixels + 1, rows = 4;
                lumbar::DepthwiseTile t;
                t.kernel_h = t.kernel_w = kernel;
                t.tap_col = t.step = L;
                t.tap_row = t.in_row = 40 * L;
                t.out_row = width * L;
                const AlignedBuffer in = random_buffer((rows + kernel) * t.tap_row, 1);
                const AlignedBuffer weights = random_buffer(kernel * kernel * L, 2);
                const AlignedBuffer bias = random_buffer(L, 3);
                t.weights = weights.data();
                t.bias = bias.data();
                AlignedBuffer out = filled_buffer(rows * width * L, kUntouched);
                pair(t, in.data(), out.data(), 2, 2);
                bool right = true;
                for (std::ptrdiff_t i = 0; i < rows * width * L; ++i) {
                    const std::ptrdiff_t p = i / L % width, row = i / L / width, lane = i % L;
                    if (p == 2 * pixels) {
                        right = right && out.data()[i] == kUntouched;
                        continue;
                    }
                    const float* const first = in.data() + row * t.in_row + p * L + lane;
                    double want = static_cast<double>(bias.data()[lane]);
                    for (int y = 0; y < kernel; ++y)
                        for (int x = 0; x < kernel; ++x)
                            want +=
                                static_cast<double>(first[y * t.tap_row + x * L]) *
                                static_cast<double>(weights.data()[(y * kernel + x) * L + lane]);
                    right = right && close(out.data()[i], want);
                }
                CHECK(right);
            }
    }
}

TEST_CASE("every tile of a fully connected layer stores the groups that it is asked for") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const std::ptrdiff_t L = kernels->lanes, width = lumbar::kLinearGroups * L;
        for (int images = 1; images <= lumbar::kMaxLinearImages; ++images)
            for (int groups = 1; groups <= lumbar::kLinearGroups; ++groups) {
                CAPTURE(images);
                CAPTURE(groups);
                lumbar::LinearTile t;
                t.inputs = 11;
                t.in_image = 13;
                t.out_group = L;
                t.out_image = 6 * L;
                t.out_groups = groups;
                const AlignedBuffer in = random_buffer(images * t.in_image, 1);
                const AlignedBuffer weights = random_buffer(t.inputs * width, 2);
                const AlignedBuffer bias = random_buffer(width, 3);
                t.weights = weights.data();
                t.bias = bias.data();
                AlignedBuffer out = filled_buffer(images * t.out_image, kUntouched);
                kernels->linear[static_cast<std::size_t>(images - 1)](t, in.data(), out.data());
                bool right = true;
                for (int n = 0; n < images; ++n)
                    for (std::ptrdiff_t o = 0; o < t.out_image; ++o) {
                        const float got = out.data()[n * t.out_image + o];
                        if (o >= groups * L) {
                            right = right && got == kUntouched;
                            continue;
                        }
                        double want = static_cast<double>(bias.data()[o]);
                        for (std::ptrdiff_t i = 0; i < t.inputs; ++i)
                            want += static_cast<double>(in.data()[n * t.in_image + i]) *
                                    static_cast<double>(weights.data()[i * width + o]);
                        right = right && close(got, want);
                    }
                CHECK(right);
            }
    }
}

TEST_CASE("an empty pooling window gives minus infinity, or zero") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const AlignedBuffer in = random_buffer(kernels->lanes, 1);
        AlignedBuffer out = filled_buffer(kernels->lanes, kUntouched);
        const lumbar::PoolRun empty{.outputs = 1};
        lumbar::PoolRow row;
        row.in = in.data();
        row.out = out.data();
        row.runs = &empty;
        row.run_count = 1;
        kernels->max_pool(row);
        CHECK(out.data()[0] == -std::numeric_limits<float>::infinity());
        kernels->average_pool(row);
        CHECK(out.data()[0] == 0);
    }
}

}  // namespace tiles_test
