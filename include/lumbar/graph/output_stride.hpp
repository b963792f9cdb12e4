// Finer last feature maps from the same weights: convolutions dilate where they would stride.
#pragma once

#include <lumbar/core/text.hpp>
#include <lumbar/graph/graph.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// The network with feature maps of at most this stride (8 or 16, for segmentation): a convolution
/// that would pass it keeps the image's size, and those after it spread their windows instead
/// (torchvision's replace_stride_with_dilation, timm's output_stride). The convolution that loses
/// its stride is dilated as its input demands, those after it by its stride more. An average before
/// a projection (the shortcuts of ResNet-D) keeps its window and moves by one pixel, over zeros
/// after the last one, as timm's AvgPool2dSame. Networks that reduce the image by pooling between
/// blocks there (VGG, Inception, DenseNet) are a mistake that `compile` reports.
LUMBAR_COLD inline Graph with_output_stride(Graph graph, int output_stride) {
    /// Of a value: its distance in pixels of the image, and the distance that its readers' weights
    /// were made for, in units of that.
    struct Spacing {
        Extent stride{1, 1};
        Extent dilation{1, 1};
    };
    constexpr int kMost = 1 << 15;  // as geometries are limited
    const auto times = [](int a, int b) {
        return static_cast<int>(std::min<std::int64_t>(std::int64_t{a} * b, kMost));
    };
    // Whether a 1x1 convolution is all that reads a node.
    const auto is_projected = [&](int id) {
        const Node* reader = nullptr;
        for (const Node& node : graph.nodes()) {
            if (std::count(node.inputs.begin(), node.inputs.end(), id) == 0) continue;
            if (reader) return false;
            reader = &node;
        }
        const auto* c = reader ? reader->as<op::Conv>() : nullptr;
        return c && c->kernel == Extent{1, 1};
    };
    std::vector<Spacing> spacings;
    for (Node& node : graph.nodes()) {
        Spacing s;
        if (!node.inputs.empty()) {
            const bool idle = is_idle_shortcut(graph, node);
            s = spacings[static_cast<std::size_t>(node.inputs[idle ? 1 : 0])];
        }
        // A stride that is kept lengthens the distance, one that is not the dilation after it.
        const auto pass = [&](int& stride, int& total, int& dilation) {
            if (times(total, stride) <= output_stride) {
                total *= stride;
            } else {
                dilation = times(dilation, stride);
                stride = 1;
            }
        };
        if (auto* c = node.as<op::Conv>()) {
            c->dilation = {times(c->dilation.h, s.dilation.h), times(c->dilation.w, s.dilation.w)};
            c->padding = {times(c->padding.top, s.dilation.h), times(c->padding.left, s.dilation.w),
                          times(c->padding.bottom, s.dilation.h),
                          times(c->padding.right, s.dilation.w)};
            if (std::max(c->dilation.h, c->dilation.w) >= kMost) {
                graph.fail(node.name, "would be dilated absurdly");
            }
            pass(c->stride.h, s.stride.h, s.dilation.h);
            pass(c->stride.w, s.stride.w, s.dilation.w);
        } else if (auto* p = node.as<op::Pool>()) {
            PoolGeometry& g = p->geometry;
            if (g.adaptive.h > 0) {
                s = {};
            } else if (g.kind == PoolGeometry::Kind::average && g.kernel == g.stride &&
                       g.padding == Padding{} && g.stride.h == g.stride.w &&
                       times(s.stride.h, g.stride.h) > output_stride &&
                       is_projected(static_cast<int>(spacings.size()))) {
                const int extra = g.stride.h - 1;
                g.padding = {extra / 2, extra / 2, extra - extra / 2, extra - extra / 2};
                g.ceil_mode = false;
                g.count_include_pad = true;
                pass(g.stride.h, s.stride.h, s.dilation.h);
                pass(g.stride.w, s.stride.w, s.dilation.w);
            } else {
                s.stride = {times(s.stride.h, g.stride.h), times(s.stride.w, g.stride.w)};
                if (s.dilation != Extent{1, 1} || std::max(s.stride.h, s.stride.w) > output_stride)
                    graph.fail(node.name, detail::cat({"a pooling has no dilation, so the output "
                                                       "stride cannot be ",
                                                       output_stride}));
            }
        }
        spacings.push_back(s);
    }
    if (output_stride < 1) graph.fail("output stride", "is at least 1");
    return graph;
}

LUMBAR_NAMESPACE_END
