// The cases of logits.json: what torchvision, timm and pretrainedmodels compute in float64 from the
// weights and images of synthetic_weights.hpp.
#pragma once

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace lumbar_test {

using namespace lumbar;

/// One case of logits.json.
struct Golden {
    std::string name;
    Graph graph;
    Weights weights;
    Tensor image;
    double e32 = 0;      ///< the reference's own rounding error, relative to max_abs
    double max_abs = 0;  ///< the largest logit
    int step = 1;        ///< every step-th logit of an image is in `logits`
    std::vector<double> logits;

    CompileOptions options(int threads = 2, bool exact = false,
                           const KernelTable* kernels = nullptr) const {
        return {.height = image.shape().h,
                .width = image.shape().w,
                .batch = image.shape().n,
                .threads = threads,
                .executor = nullptr,
                .kernels = kernels,
                .exact = exact,
                .chooser = nullptr,
                .allow_extra_tensors = false};
    }
};

inline const nlohmann::json& all_goldens() {
    static const nlohmann::json root = [] {
        std::ifstream file(std::string(LUMBAR_SOURCE_DIR) + "/tests/goldens/logits.json");
        return nlohmann::json::parse(file, nullptr, false);
    }();
    return root;
}

/// The graph with the names of a dialect: its synthetic weights are the dialect's.
inline Graph in_dialect(Graph graph, const std::string& name) {
    for (const Dialect& dialect : graph.dialects()) {
        if (dialect.name != name) continue;
        for (Node& node : graph.nodes()) node.name = layer_name(dialect, node.name);
        return graph;
    }
    REQUIRE(name.empty());
    return graph;
}

inline Golden load(const nlohmann::json& entry) {
    Golden g;
    g.name = entry["name"].get<std::string>();
    ModelOptions options;
    options.classes = entry["classes"].get<int>();
    options.width = entry["width"].get<double>();
    if (entry["numerics"] == "tensorflow") options.numerics = Numerics::tf;
    if (entry["numerics"] == "timm") options.numerics = Numerics::timm;
    g.graph = make(entry["model"].get<std::string>(), options);
    g.step = entry.value("step", 1);
    const auto& input = entry["input"];
    const auto seed = entry["seed"].get<std::uint64_t>();
    g.weights = synthetic_weights(in_dialect(g.graph, entry.value("dialect", "")), seed);
    g.image = synthetic_input(
        {input[0].get<int>(), input[1].get<int>(), input[2].get<int>(), input[3].get<int>()}, seed);
    g.e32 = entry["e32"].get<double>();
    g.max_abs = entry["max_abs"].get<double>();
    for (const auto& image : entry["logits"]) {
        for (const auto& logit : image) g.logits.push_back(logit.get<double>());
    }
    return g;
}

inline Golden load(std::string_view name) {
    const auto& cases = all_goldens()["cases"];
    const auto at = std::find_if(cases.begin(), cases.end(),
                                 [&](const auto& entry) { return entry["name"] == name; });
    REQUIRE(at != cases.end());
    return load(*at);
}

/// The largest difference from the reference, in units of the error that its own float32 run has.
inline double error_in_e32(const Golden& golden, const Tensor& logits) {
    double largest = 0;
    std::size_t kept = 0;
    for (int n = 0; n < logits.shape().n; ++n) {
        for (int c = 0; c < logits.shape().c; c += golden.step, ++kept) {
            REQUIRE(kept < golden.logits.size());
            const double difference =
                std::abs(static_cast<double>(logits(n, c, 0, 0)) - golden.logits[kept]);
            if (!(difference <= largest)) largest = difference;  // keeps a NaN
        }
    }
    REQUIRE(kept == golden.logits.size());
    return largest / golden.max_abs / golden.e32;
}

/// What the `exact` algorithms promise, and Winograd's: in units of e32, and of the largest logit.
inline constexpr double kExactBound = 3;
inline constexpr double kWinogradBound = 20;
inline constexpr double kWinogradRelative = 1e-4;

}  // namespace lumbar_test
