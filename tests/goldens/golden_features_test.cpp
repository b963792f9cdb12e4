// Feature maps against the reference implementations: features.json holds samples and norms of what
// torchvision, timm and pretrainedmodels compute in float64 (make_features.py).
#include <lumbar/graph/features.hpp>
#include <lumbar/graph/output_stride.hpp>
#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace golden_features_test {

using namespace lumbar;

namespace {

Graph graph_of(const nlohmann::json& entry, Graph graph) {
    const int output_stride = entry["output_stride"].get<int>();
    if (output_stride > 0) graph = with_output_stride(std::move(graph), output_stride);
    if (entry.contains("strides")) {
        const auto strides = entry["strides"].get<std::vector<int>>();
        return features(graph, strides,
                        entry["expanded"].get<bool>() ? FeatureTap::expanded : FeatureTap::block);
    }
    const auto names = entry["layers"].get<std::vector<std::string>>();
    const std::vector<std::string_view> layers(names.begin(), names.end());
    return features(graph, std::span<const std::string_view>(layers));
}

/// In units of the error of the reference's own float32 run: what `exact` and Winograd promise.
constexpr double kExactBound = 3;
constexpr double kWinogradBound = 20;

void check_map(const nlohmann::json& golden, ConstTensorView map, bool exact) {
    const auto& shape = golden["shape"];
    REQUIRE(map.shape == Shape{shape[0].get<int>(), shape[1].get<int>(), shape[2].get<int>(),
                               shape[3].get<int>()});
    const double bound = golden["e32"].get<double>() * (exact ? kExactBound : kWinogradBound);
    const auto& samples = golden["samples"];
    double largest = 0;
    for (std::size_t k = 0; k < samples.size(); ++k) {
        const std::size_t i = (2 * k + 1) * map.values().size() / (2 * samples.size());
        const double error =
            std::abs(static_cast<double>(map.values()[i]) - samples[k].get<double>());
        if (!(error <= largest)) largest = error;  // keeps a NaN
    }
    CHECK(largest / golden["max_abs"].get<double>() <= std::min(bound, 1e-4));
    double squares = 0;
    for (const float v : map.values()) squares += static_cast<double>(v) * static_cast<double>(v);
    const double norm = golden["norm"].get<double>();
    CHECK(std::abs(std::sqrt(squares) - norm) <= (exact ? 1e-6 : 2e-5) * norm);
}

void check(const nlohmann::json& entry) {
    const auto name = entry["name"].get<std::string>();
    CAPTURE(name);
    const Graph whole = make(entry["model"].get<std::string>());
    // A checkpoint of the whole network: the tensors of its head are not in the way.
    const Weights weights = synthetic_weights(whole);
    const Graph graph = graph_of(entry, whole);
    const auto& input = entry["input"];
    const Shape shape{input[0].get<int>(), input[1].get<int>(), input[2].get<int>(),
                      input[3].get<int>()};
    for (const bool exact : {true, false}) {
        CAPTURE(exact);
        const Network network = compile(graph, weights,
                                        {.height = shape.h,
                                         .width = shape.w,
                                         .batch = shape.n,
                                         .threads = 2,
                                         .executor = nullptr,
                                         .kernels = nullptr,
                                         .exact = exact,
                                         .chooser = nullptr,
                                         .allow_extra_tensors = false});
        Workspace w = network.workspace();
        network(synthetic_input(shape), w);
        const auto& maps = entry["maps"];
        REQUIRE(static_cast<std::size_t>(w.outputs()) == maps.size());
        const std::vector<FeatureInfo> info = feature_info(network.source_graph());
        for (int i = 0; i < w.outputs(); ++i) {
            CAPTURE(i);
            const std::size_t at = static_cast<std::size_t>(i);
            check_map(maps[at], w.output(i), exact);
            CHECK(w.output(i).shape.c == info[at].channels);
        }
    }
}

nlohmann::json stored_maps() {
    std::ifstream file(std::string(LUMBAR_SOURCE_DIR) + "/tests/goldens/features.json");
    nlohmann::json root = nlohmann::json::parse(file, nullptr, false);
    REQUIRE(root.is_object());
    return root;
}

void check_all(bool quick) {
    const nlohmann::json root = stored_maps();
    int checked = 0;
    for (const auto& entry : root["cases"]) {
        const bool is_quick = entry["model"].get<std::string>().starts_with("mobilenet");
        if (is_quick != quick) continue;
        check(entry);
        ++checked;
    }
    CHECK(checked >= 7);
}

}  // namespace

TEST_CASE("the feature maps of small networks are those of the reference implementations") {
    check_all(true);
}

TEST_CASE("every registered model has a golden of its feature maps at every stride") {
    const nlohmann::json root = stored_maps();
    for (const ModelInfo& m : models()) {
        CAPTURE(std::string(m.name));
        CHECK(std::any_of(root["cases"].begin(), root["cases"].end(), [&](const auto& entry) {
            const std::size_t strides = m.input_size <= 32 ? 3 : 4;  // CIFAR's: 1, 2, 4
            return entry["model"] == m.name && entry.contains("strides") &&
                   entry["strides"].size() >= strides;
        }));
    }
}

TEST_SUITE("slow") {
    TEST_CASE("the feature maps of all families are those of the reference implementations") {
        check_all(false);
    }
}

}  // namespace golden_features_test
