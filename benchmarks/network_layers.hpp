// The layers to measure: every distinct convolution and linear layer of the registered networks, at
// the size that they have there, and some more that are of use elsewhere.
#pragma once

#include <lumbar/graph/shapes.hpp>
#include <lumbar/models/registry.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// "56x56x64": height, width, channels.
inline std::string dims(const lumbar::Shape& s) {
    return lumbar::detail::cat({s.h, "x", s.w, "x", s.c});
}

/// Where a layer is found.
struct Origin {
    std::string first;  ///< network and layer; empty: in no network
    std::string_view last_network;
    int networks = 0;

    void add(std::string_view network, const std::string& layer) {
        if (networks == 0) first = std::string(network) + " " + layer;
        if (network != last_network) ++networks;
        last_network = network;
    }
    std::string label() const {
        if (networks < 2) return first;
        return first + ", " + std::to_string(networks) + " networks";
    }
};

struct ConvLayer {
    lumbar::ConvGeometry geometry;
    lumbar::Shape in;
    bool first = false;  ///< reads the plain image
    Origin origin;

    lumbar::Shape out() const { return output_shape(geometry, in); }
    bool depthwise() const { return geometry.depthwise() && geometry.groups > 1; }
    /// Floating-point operations by the definition.
    double flops() const {
        return 2.0 * static_cast<double>(out().size() * geometry.filter_size());
    }

    /// "conv3x3s2/56x56x64->128", what is usual left out: "depthwise5x5/14x14x672". Different
    /// layers have different names.
    std::string name() const {
        using lumbar::detail::cat;
        const lumbar::ConvGeometry& g = geometry;
        std::string n = first ? "first" : depthwise() ? "depthwise" : "conv";
        n += cat({g.kernel.h, "x", g.kernel.w});
        if (g.stride != lumbar::Extent{}) n += cat({"s", g.stride.h});
        if (g.stride.h != g.stride.w) n += cat({"x", g.stride.w});
        if (g.dilation != lumbar::Extent{}) n += cat({"d", g.dilation.h, "x", g.dilation.w});
        if (g.groups > 1 && !depthwise()) n += cat({"g", g.groups});
        const lumbar::Padding& p = g.padding;
        if (p == lumbar::Padding{} && g.kernel != lumbar::Extent{1, 1}) {
            n += "p0";
        } else if (p != lumbar::Padding::symmetric(g.kernel.h / 2, g.kernel.w / 2)) {
            n += cat({"p", p.top, ".", p.left, ".", p.bottom, ".", p.right});
        }
        n += "/" + dims(in);
        return depthwise() ? n : n + cat({"->", g.out_channels});
    }
};

struct LinearCase {
    lumbar::Shape in;
    int outputs = 0;
    Origin origin;

    std::string name() const { return lumbar::detail::cat({"linear/", in.size(), "->", outputs}); }
};

struct NetworkLayers {
    std::vector<ConvLayer> convolutions;
    std::vector<LinearCase> linear;

    /// Adds what the network has and the others have not.
    void add(const lumbar::ModelInfo& model) {
        const lumbar::Graph graph = model.build({});
        const auto shapes =
            lumbar::try_infer_shapes(graph, 1, lumbar::Extent::square(model.input_size)).value();
        for (const lumbar::Node& node : graph.nodes()) {
            if (node.inputs.empty()) continue;
            const lumbar::Shape& in = shapes[static_cast<std::size_t>(node.inputs[0])];
            if (const auto* c = node.as<lumbar::op::Conv>()) {
                const bool first = graph.node(node.inputs[0]).as<lumbar::op::Input>() != nullptr;
                distinct(convolutions, ConvLayer{geometry_of(*c, in), in, first, {}})
                    .origin.add(model.name, node.name);
            } else if (const auto* l = node.as<lumbar::op::Linear>()) {
                distinct(linear, LinearCase{in, l->outputs, {}}).origin.add(model.name, node.name);
            }
        }
    }

   private:
    template <class Layer>
    static Layer& distinct(std::vector<Layer>& known, Layer layer) {
        const std::string name = layer.name();
        const auto found = std::find_if(known.begin(), known.end(),
                                        [&](const Layer& l) { return l.name() == name; });
        if (found != known.end()) return *found;
        known.push_back(std::move(layer));
        return known.back();
    }
};

/// Convolutions that no registered network has: square 1x1 and a large kernel.
inline std::vector<ConvLayer> more_convolutions() {
    std::vector<ConvLayer> layers;
    const auto add = [&](int size, int channels, int kernel) {
        lumbar::ConvGeometry g;
        g.in_channels = g.out_channels = channels;
        g.kernel = lumbar::Extent::square(kernel);
        g.padding = lumbar::Padding::all(kernel / 2);
        layers.push_back({g, {1, channels, size, size}, false, {}});
    };
    for (const int size : {14, 7}) add(size, 128 * 28 / size, 1);
    add(17, 192, 7);
    return layers;
}

}  // namespace bench
