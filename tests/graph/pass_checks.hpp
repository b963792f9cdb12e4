// What every test of a pass needs: the graph after it has to mean what the graph before it meant.
#pragma once

#include <oracle/interpreter.hpp>

#include <lumbar/graph/graph.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace oracle {

/// The largest difference between the outputs of two graphs that read the same weights, relative
/// to the largest value of each output; infinity where they do not yield as many or as large ones.
inline double output_difference(const lumbar::Graph& before, const lumbar::Graph& after,
                                lumbar::Extent image = {7, 6}) {
    const lumbar::Weights weights = synthetic_weights(before);
    const Array x(lumbar::synthetic_input({2, before.node(0).channels, image.h, image.w}));
    const std::vector<Array> want = interpret_outputs(before, x, weights);
    const std::vector<Array> got = interpret_outputs(after, x, weights);
    if (want.size() != got.size()) return kInfinity;
    double worst = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
        if (want[i].shape != got[i].shape) return kInfinity;
        double largest = 1e-30, difference = 0;
        for (std::size_t k = 0; k < want[i].values.size(); ++k) {
            largest = std::max(largest, std::abs(want[i].values[k]));
            difference = std::max(difference, std::abs(want[i].values[k] - got[i].values[k]));
        }
        worst = std::max(worst, difference / largest);
    }
    return worst;
}

inline constexpr double kSame = 1e-12;

/// The nodes' names in order, one space between them: "input conv1 relu".
inline std::string names(const lumbar::Graph& graph) {
    std::string all;
    for (const lumbar::Node& node : graph.nodes()) all += (all.empty() ? "" : " ") + node.name;
    return all;
}

/// Every input stands before its reader, and every output exists.
inline bool well_formed(const lumbar::Graph& graph) {
    for (int id = 0; id < graph.size(); ++id) {
        for (const int input : graph.node(id).inputs) {
            if (input < 0 || input >= id) return false;
        }
        const auto& slice = graph.node(id).slice;
        if (slice && (slice->concat <= id || slice->concat >= graph.size() ||
                      !graph.node(slice->concat).as<lumbar::op::Concat>())) {
            return false;
        }
    }
    return std::all_of(graph.outputs().begin(), graph.outputs().end(),
                       [&](int id) { return id >= 0 && id < graph.size(); });
}

}  // namespace oracle
