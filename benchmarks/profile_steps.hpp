// A network measured step by step: what each step does by its definition, how long it takes, and
// the limits of this machine, from the same run, that it is held against.
#pragma once

#include "harness.hpp"

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// The kinds of step that charts tell apart.
enum class Kind { direct, winograd, first_layer, fused, depthwise, linear, pool, other };
inline constexpr int kKinds = 8;

inline const char* name_of(Kind kind) {
    constexpr const char* names[kKinds] = {"direct convolution",
                                           "Winograd convolution",
                                           "first layer",
                                           "1x1 + depthwise",
                                           "depthwise",
                                           "linear",
                                           "pooling",
                                           "other"};
    return names[static_cast<int>(kind)];
}

inline Kind kind_of(std::string_view algorithm) {
    constexpr struct {
        std::string_view prefix;
        Kind kind;
    } kinds[] = {
        {"direct", Kind::direct},   {"winograd", Kind::winograd},   {"plain", Kind::first_layer},
        {"pointwise", Kind::fused}, {"depthwise", Kind::depthwise}, {"linear", Kind::linear},
        {"pool", Kind::pool},
    };
    for (const auto& k : kinds) {
        if (algorithm.substr(0, k.prefix.size()) == k.prefix) return k.kind;
    }
    return Kind::other;
}

/// What a step was measured to do. Multiplications and bytes are those of the definition: nothing
/// twice, no channels that fill up vectors, filters as they are before Winograd's transform.
struct StepProfile {
    std::string name;
    std::string algorithm;
    std::string why;  ///< of the algorithm
    Kind kind = Kind::other;
    lumbar::Shape in;
    lumbar::Shape out;
    double macs = 0;
    double weight_bytes = 0;
    double value_bytes = 0;  ///< input and output
    double seconds = 0;      ///< median
    double reading = 0;      ///< seconds for reading as many bytes, at the machine's bandwidth

    double bytes() const { return weight_bytes + value_bytes; }
    double flops() const { return 2 * macs; }
    double rate() const { return flops() / seconds; }
    double intensity() const { return flops() / bytes(); }
};

/// A whole network, on so many threads. Rates are per second.
struct NetworkProfile {
    std::string model;
    std::string isa;
    int threads = 1;
    bool exact = false;
    int runs = 0;
    double seconds = 0;      ///< of a run: median
    double all_steps = 0;    ///< the sum of the steps' medians: what shares of time refer to
    double peak = 0;         ///< FLOP/s of all threads
    double l2_read = 0;      ///< bytes/s of one core, from 512 KiB
    double memory_read = 0;  ///< bytes/s of one core, from 256 MiB
    double weight_read = 0;  ///< bytes/s of one core, from as much as weights and values take
    std::vector<StepProfile> steps;
};

namespace detail {

inline double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// Says what each step of a network does.
class StepReader {
   public:
    StepReader(const lumbar::Network& network, bool exact)
        : graph_(network.graph()),
          shapes_(lumbar::try_infer_shapes(graph_, network.input_shape().n,
                                           {network.input_shape().h, network.input_shape().w})
                      .value()),
          exact_(exact) {}

    /// Steps come in their order.
    StepProfile read(const lumbar::Step& step) {
        const lumbar::Node& node = graph_.node(step.node);
        StepProfile p;
        p.name = node.name;
        p.algorithm = step.algorithm;
        p.kind = kind_of(step.algorithm);
        p.out = shape(step.node);
        p.in = node.inputs.empty() ? p.out : shape(node.inputs[0]);
        p.why = reason(node, p);
        if (step.algorithm == "import" || step.algorithm == "export") {
            p.in = p.out;
            p.value_bytes = 2 * bytes_of(p.out);
        } else if (step.algorithm == "copy") {
            p.in = shape(copied(step.node, copies_[step.node]++));
            p.value_bytes = 2 * bytes_of(p.in);
        } else if (step.algorithm == "gate") {
            p.why = "into the next step's weights";
        } else if (step.algorithm.ends_with("transform") || step.algorithm == "gather" ||
                   step.algorithm == "to bfloat16") {
            p.value_bytes = bytes_of(p.in);
            p.why = "for the next step";
            transformed_ = step.node;
        } else {
            count(step.node, p);
            if (step.node == transformed_) p.value_bytes -= bytes_of(p.in);
        }
        return p;
    }

   private:
    static double bytes_of(const lumbar::Shape& s) { return 4.0 * static_cast<double>(s.size()); }
    const lumbar::Shape& shape(int id) const { return shapes_[static_cast<std::size_t>(id)]; }

    /// Multiplications and bytes of what a step computes: one node, or two where a pointwise
    /// convolution has no step of its own.
    void count(int id, StepProfile& p) const {
        const lumbar::Node& node = graph_.node(id);
        p.macs = static_cast<double>(lumbar::macs(graph_, id, shapes_));
        p.weight_bytes = weight_bytes(node);
        p.value_bytes = bytes_of(p.out);
        if (p.kind == Kind::fused) {
            const int wide = node.inputs[0];
            p.in = shape(graph_.node(wide).inputs[0]);
            p.macs += static_cast<double>(lumbar::macs(graph_, wide, shapes_));
            p.weight_bytes += weight_bytes(graph_.node(wide));
            p.value_bytes += bytes_of(p.in);
            return;
        }
        for (const int input : node.inputs) p.value_bytes += bytes_of(shape(input));
    }

    double weight_bytes(const lumbar::Node& node) const {
        if (const auto* c = node.as<lumbar::op::Conv>()) {
            const auto g = lumbar::geometry_of(*c, shape(node.inputs[0]));
            return 4.0 * static_cast<double>((g.filter_size() + 1) * g.out_channels);
        }
        if (const auto* l = node.as<lumbar::op::Linear>()) {
            const auto inputs = shape(node.inputs[0]).pixels() * shape(node.inputs[0]).c;
            return 4.0 * static_cast<double>((inputs + 1) * l->outputs);
        }
        return node.as<lumbar::op::BatchNorm>() ? 8.0 * node.channels : 0.0;
    }

    /// The `nth` branch of a concatenation that is copied: the others are computed in place.
    int copied(int concat, int nth) const {
        int channel = 0;
        for (const int input : graph_.node(concat).inputs) {
            const lumbar::Node& branch = graph_.node(input);
            const bool in_place = branch.slice && branch.slice->concat == concat &&
                                  branch.slice->first_channel == channel;
            if (!in_place && nth-- == 0) return input;
            channel += branch.channels;
        }
        return concat;
    }

    /// For convolutions with a choice: the cycles that the cost model gives the algorithms.
    std::string reason(const lumbar::Node& node, const StepProfile& p) const {
        using lumbar::Epilogue;
        const auto* c = node.as<lumbar::op::Conv>();
        if (!c) return "";
        if (p.kind == Kind::first_layer) return "reads the image as it is";
        if (p.kind == Kind::fused) return "alone reads the 1x1 before it";
        const lumbar::ConvGeometry g = lumbar::geometry_of(*c, p.in);
        if (p.kind == Kind::depthwise) return "one filter a channel";
        if (g.groups > 1) return "grouped: direct only";
        const lumbar::KernelTable& kernels = lumbar::native_kernels();
        const auto cycles = [](const std::string& name, double cost) {
            return name + " " + number_of(cost * 1e-3);
        };
        lumbar::Shape out = p.out;
        out.n = 1;
        std::string text = cycles("direct", lumbar::direct_cost(kernels, g, out)), tiles;
        for (const lumbar::WinogradTile& tile : kernels.winograd) {
            if (!lumbar::WinogradConv::serves(tile, g)) continue;
            tiles += ", " +
                     cycles(std::to_string(tile.out_rows) + "x" + std::to_string(tile.out_columns),
                            lumbar::winograd_cost(kernels, tile, g, out));
        }
        text += tiles.empty() ? " (the one algorithm for it)" : tiles;
        if (!tiles.empty() && exact_) text += " (exact)";
        if (!tiles.empty() && !Epilogue::of(node.activation).is_clamp()) text += " (no clamp)";
        return text;
    }
    static std::string number_of(double value) {
        char text[32];
        std::snprintf(text, sizeof text, value < 10 ? "%.1f" : "%.0f", value);
        return text;
    }

    const lumbar::Graph& graph_;
    std::vector<lumbar::Shape> shapes_;
    bool exact_;
    int transformed_ = -1;       ///< the node whose input the last transform has read
    std::map<int, int> copies_;  ///< of each concatenation, so far
};

}  // namespace detail

/// Compiles the model with synthetic weights at its own size, and measures it.
inline NetworkProfile measure_network(const lumbar::ModelInfo& model, NetworkProfile p) {
    const lumbar::Graph graph = model.build({});
    lumbar::CompileOptions options;
    options.height = options.width = model.input_size;
    options.threads = p.threads;
    options.exact = p.exact;
    const lumbar::Network network =
        lumbar::compile(graph, lumbar::synthetic_weights(graph), options);
    lumbar::Workspace workspace = network.workspace();
    fill(workspace.input().data, static_cast<std::size_t>(network.input_shape().size()));
    const std::size_t count = network.steps().size();
    std::vector<std::vector<double>> times(count);
    std::vector<double> seconds(count), totals;
    Isa& isa = Isa::of<lumbar::simd::Native>();
    for (int i = 0; i < p.runs; ++i) {
        isa.refresh();
        network.run(workspace);
        network.run_timed(workspace, seconds);
        double total = 0;
        for (std::size_t s = 0; s < count; ++s) {
            times[s].push_back(seconds[s]);
            total += seconds[s];
        }
        totals.push_back(total);
    }
    p.model = model.name;
    p.isa = network.isa();
    p.threads = network.threads();
    p.seconds = detail::median(totals);
    p.peak = isa.peak() * p.threads;
    p.l2_read = read_bandwidth(0x1p19);
    p.memory_read = read_bandwidth(0x1p28);
    p.weight_read =
        read_bandwidth(static_cast<double>(network.packed_bytes() + network.arena_bytes()));
    detail::StepReader reader(network, p.exact);
    for (std::size_t s = 0; s < count; ++s) {
        StepProfile step = reader.read(*network.steps()[s]);
        step.seconds = detail::median(times[s]);
        step.reading =
            step.weight_bytes / p.weight_read + step.value_bytes / read_bandwidth(step.value_bytes);
        p.all_steps += step.seconds;
        p.steps.push_back(std::move(step));
    }
    return p;
}

}  // namespace bench
