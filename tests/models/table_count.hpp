// Arithmetic over the papers' tables: what the graphs that the models build have to agree with, and
// the published numbers too, before anything runs.
#pragma once

#include <lumbar/graph/cost.hpp>
#include <lumbar/graph/parameters.hpp>
#include <lumbar/models/registry.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string_view>

namespace tables {

using namespace lumbar;

/// Learned parameters, multiply-accumulates per image, and what one position of the features sees.
struct Count {
    std::int64_t parameters = 0;
    std::int64_t macs = 0;
    int field = 1;   ///< pixels of the image, along either side
    int stride = 1;  ///< pixels of the image between neighbouring positions

    /// A window on the widest way from the image to the features.
    constexpr void window(int kernel, int step = 1) {
        field += (kernel - 1) * stride;
        stride *= step;
    }
    constexpr bool sees(int pixels, int step) const { return field == pixels && stride == step; }

    /// A convolution with `in` inputs per filter, whose output is size x size.
    constexpr void conv(std::int64_t in, std::int64_t out, Extent kernel, std::int64_t size,
                        bool bias = false) {
        parameters += in * out * kernel.h * kernel.w + (bias ? out : 0);
        macs += in * out * kernel.h * kernel.w * size * size;
    }
    constexpr void conv(std::int64_t in, std::int64_t out, int kernel, std::int64_t size,
                        bool bias = false) {
        conv(in, out, Extent::square(kernel), size, bias);
    }
    constexpr void batch_norm(std::int64_t channels) { parameters += 2 * channels; }
    constexpr void conv_bn(std::int64_t in, std::int64_t out, Extent kernel, std::int64_t size,
                           bool bias = false) {
        conv(in, out, kernel, size, bias);
        batch_norm(out);
    }
    constexpr void conv_bn(std::int64_t in, std::int64_t out, int kernel, std::int64_t size,
                           bool bias = false) {
        conv_bn(in, out, Extent::square(kernel), size, bias);
    }
    constexpr void linear(std::int64_t in, std::int64_t out) {
        parameters += in * out + out;
        macs += in * out;
    }
};

/// A registry row: the published numbers. GMACs are published to three digits after the point.
constexpr bool published(std::string_view name, const Count& count) {
    for (const ModelInfo& m : detail::kModels) {
        if (m.name != name) continue;
        const double off = m.gmacs * 1e9 - static_cast<double>(count.macs);
        return m.parameters == count.parameters && off < 0.6e6 && off > -0.6e6;
    }
    return false;
}

/// The last value that does not see the whole image yet.
inline ReceptiveField field_of_features(const Graph& graph) {
    ReceptiveField last;
    for (const ReceptiveField& f : receptive_fields(graph)) {
        if (!f.global) last = f;
    }
    return last;
}

inline std::int64_t macs_at(const Graph& graph, int size) {
    const auto shapes = try_infer_shapes(graph, 1, {size, size});
    REQUIRE(shapes);
    return macs(graph, *shapes);
}

/// The graph costs and sees exactly what the arithmetic says.
inline void check_count(const Graph& graph, const Count& count, int size = 224) {
    CAPTURE(graph.name());
    CHECK(parameter_count(graph) == count.parameters);
    CHECK(macs_at(graph, size) == count.macs);
    const ReceptiveField field = field_of_features(graph);
    CHECK(field.size == Extent::square(count.field));
    CHECK(field.stride == Extent::square(count.stride));
}

}  // namespace tables
