// Shape inference: what every value of a graph looks like for an input of a given size.
#pragma once

#include <lumbar/core/text.hpp>
#include <lumbar/graph/graph.hpp>

#include <string>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {
inline Padding same_padding_of(const Shape& in, Extent kernel, Extent stride, Extent dilation) {
    const SamePadding v = same_padding(in.h, kernel.h, stride.h, dilation.h);
    const SamePadding h = same_padding(in.w, kernel.w, stride.w, dilation.w);
    return {v.before, h.before, v.after, h.after};
}
}  // namespace detail

/// The convolution's geometry on an input of this shape, SAME padding resolved.
inline ConvGeometry geometry_of(const op::Conv& c, const Shape& in) {
    return {.in_channels = in.c,
            .out_channels = c.out_channels,
            .kernel = c.kernel,
            .stride = c.stride,
            .dilation = c.dilation,
            .padding = c.mode == PaddingMode::same
                           ? detail::same_padding_of(in, c.kernel, c.stride, c.dilation)
                           : c.padding,
            .groups = c.groups};
}

/// The pooling's geometry on an input of this shape, SAME padding resolved.
inline PoolGeometry geometry_of(const op::Pool& p, const Shape& in) {
    PoolGeometry g = p.geometry;
    if (p.mode == PaddingMode::same) {
        g.padding = detail::same_padding_of(in, g.kernel, g.stride, g.dilation);
    }
    return g;
}

/// The shape of every node's value for an input of `height` x `width` and this batch. An Error
/// names the node whose window does not fit, or whose operands differ.
LUMBAR_COLD inline Result<std::vector<Shape>> try_infer_shapes(const Graph& graph, int batch,
                                                               Extent image) {
    if (graph.error()) return *graph.error();
    // Enough for any backbone; windows and strides stay within 32 bits.
    constexpr int kMaxExtent = 1 << 15;
    if (batch < 1 || image.h < 1 || image.w < 1 || image.h > kMaxExtent || image.w > kMaxExtent ||
        batch > kMaxExtent) {
        return Error(Error::Code::argument,
                     detail::cat({graph.name(), ": batch, height and width must be 1 to ",
                                  kMaxExtent, ", not ", batch, ", ", image.h, " and ", image.w}));
    }
    std::vector<Shape> shapes;
    shapes.reserve(graph.nodes().size());
    for (const Node& node : graph.nodes()) {
        const auto in = [&](std::size_t i) {
            return shapes[static_cast<std::size_t>(node.inputs[i])];
        };
        const auto error = [&](const std::string& what) {
            return Error(Error::Code::graph,
                         detail::cat({graph.name(), ": ", node.name, ": ", what}));
        };
        Shape out;
        if (node.as<op::Input>()) {
            out = {batch, node.channels, image.h, image.w};
        } else if (const auto* c = node.as<op::Conv>()) {
            out = output_shape(geometry_of(*c, in(0)), in(0));
        } else if (const auto* p = node.as<op::Pool>()) {
            out = output_shape(geometry_of(*p, in(0)), in(0));
        } else if (const auto* l = node.as<op::Linear>()) {
            out = {in(0).n, l->outputs, 1, 1};
            if (in(0).pixels() != l->pixels) {
                return error(
                    detail::cat({"expects ", l->pixels, " pixels per channel, but ",
                                 to_string(in(0)), " comes in; choose another input size"}));
            }
        } else if (node.as<op::Concat>()) {
            out = in(0);
            out.c = node.channels;
            for (std::size_t i = 1; i < node.inputs.size(); ++i) {
                if (in(i).h != out.h || in(i).w != out.w) {
                    return error(detail::cat(
                        {"joins images of ", to_string(in(0)), " and ", to_string(in(i))}));
                }
            }
        } else if (node.as<op::PadChannels>()) {
            out = in(0);
            out.c = node.channels;
        } else {
            out = is_idle_shortcut(graph, node) ? in(1) : in(0);
            if (node.as<op::Add>() && in(1) != out) {
                return error(
                    detail::cat({"adds images of ", to_string(out), " and ", to_string(in(1))}));
            }
            if (node.as<op::ScaleChannels>() && in(1) != Shape{out.n, out.c, 1, 1}) {
                return error("needs a gate of one pixel, not " + to_string(in(1)));
            }
        }
        if (node.residual && in(node.inputs.size() - 1) != out) {
            return error(detail::cat({"adds images of ", to_string(out), " and ",
                                      to_string(in(node.inputs.size() - 1))}));
        }
        // With room for a border and for channels that fill up vectors.
        const std::int64_t plane = (std::int64_t{out.h} + 64) * (out.w + 64);
        constexpr std::int64_t kMostFloats = std::int64_t{1} << 38;
        if (plane > kMostFloats / ((std::int64_t{out.c} + 16) * out.n)) {
            return error(detail::cat({"would take ", to_string(out), " values, more than 2^38"}));
        }
        if (out.h < 1 || out.w < 1) {
            return error(detail::cat({"no window fits into ", to_string(in(0)),
                                      "; choose a larger input than ", image.h, "x", image.w}));
        }
        shapes.push_back(out);
    }
    return shapes;
}

LUMBAR_NAMESPACE_END
