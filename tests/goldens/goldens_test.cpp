// Whole networks against the reference implementations: logits.json holds what torchvision, timm
// and pretrainedmodels compute in float64 from the weights and images of synthetic_weights.hpp.
#include <oracle/array.hpp>
#include <oracle/kernel_tables.hpp>

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

using namespace lumbar;

namespace {

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

const nlohmann::json& all_goldens() {
    static const nlohmann::json root = [] {
        std::ifstream file(std::string(LUMBAR_SOURCE_DIR) + "/tests/goldens/logits.json");
        return nlohmann::json::parse(file, nullptr, false);
    }();
    return root;
}

/// The graph with the names of a dialect: its synthetic weights are the dialect's.
Graph in_dialect(Graph graph, const std::string& name) {
    for (const Dialect& dialect : graph.dialects()) {
        if (dialect.name != name) continue;
        for (Node& node : graph.nodes()) node.name = layer_name(dialect, node.name);
        return graph;
    }
    REQUIRE(name.empty());
    return graph;
}

Golden load(const nlohmann::json& entry) {
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

Golden load(std::string_view name) {
    const auto& cases = all_goldens()["cases"];
    const auto at = std::find_if(cases.begin(), cases.end(),
                                 [&](const auto& entry) { return entry["name"] == name; });
    REQUIRE(at != cases.end());
    return load(*at);
}

/// The largest difference from the reference, in units of the error that its own float32 run has.
double error_in_e32(const Golden& golden, const Tensor& logits) {
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

bool same_bits(ConstTensorView a, ConstTensorView b) {
    return a.shape == b.shape &&
           std::equal(a.values().begin(), a.values().end(), b.values().begin(), oracle::same_bits);
}

/// What the `exact` algorithms promise, and Winograd's: in units of e32, and of the largest logit.
constexpr double kExactBound = 3;
constexpr double kWinogradBound = 20;
constexpr double kWinogradRelative = 1e-4;

void check(const Golden& golden) {
    CAPTURE(golden.name);
    for (const bool exact : {true, false}) {
        CAPTURE(exact);
        const Tensor two =
            compile(golden.graph, golden.weights, golden.options(2, exact))(golden.image);
        const double error = error_in_e32(golden, two);
        CHECK(error <= (exact ? kExactBound : kWinogradBound));
        CHECK(error * golden.e32 <= kWinogradRelative);
        for (const int threads : {1, 3}) {
            CAPTURE(threads);
            const Tensor other =
                compile(golden.graph, golden.weights, golden.options(threads, exact))(golden.image);
            CHECK(same_bits(two, other));
        }
    }
}

/// Quick enough for builds without optimisation.
bool is_quick(const nlohmann::json& entry) {
    const auto& input = entry["input"];
    const bool small = input[2].get<int>() * input[3].get<int>() <= 131 * 131;
    const auto model = entry["model"].get<std::string>();
    return small && (model.starts_with("mobilenet") || model == "resnet20_cifar");
}

void check_all(bool quick) {
    REQUIRE(all_goldens().is_object());
    int checked = 0;
    for (const auto& entry : all_goldens()["cases"]) {
        if (is_quick(entry) != quick) continue;
        check(load(entry));
        ++checked;
    }
    CHECK(checked >= 4);
}

void check_every_instruction_set(std::string_view name) {
    const Golden golden = load(name);
    CAPTURE(golden.name);
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const bool exact : {true, false}) {
            CAPTURE(exact);
            const Network network =
                compile(golden.graph, golden.weights, golden.options(2, exact, kernels));
            CHECK(std::string_view(network.isa()) == kernels->isa);
            CHECK(error_in_e32(golden, network(golden.image)) <=
                  (exact ? kExactBound : kWinogradBound));
        }
    }
}

/// The rows of a batch, image by image.
Tensor image_of(const Tensor& batch, int n) {
    Shape shape = batch.shape();
    shape.n = 1;
    Tensor image(shape);
    std::copy_n(batch.data() + n * shape.size(), shape.size(), image.data());
    return image;
}

void check_batch(std::string_view name) {
    const Golden golden = load(name);
    CAPTURE(golden.name);
    REQUIRE(golden.image.shape().n > 1);
    const Tensor together = compile(golden.graph, golden.weights, golden.options())(golden.image);
    CompileOptions one = golden.options();
    one.batch = 1;
    const Network network = compile(golden.graph, golden.weights, one);
    for (int n = 0; n < golden.image.shape().n; ++n) {
        CAPTURE(n);
        CHECK(same_bits(network(image_of(golden.image, n)), image_of(together, n)));
    }
}

void check_resized(std::string_view model) {
    const Graph graph = make(model);
    const Weights weights = synthetic_weights(graph);
    const auto options = [](const Network::InputSize& size) {
        return CompileOptions{.height = size.height,
                              .width = size.width,
                              .batch = size.batch,
                              .threads = 2,
                              .executor = nullptr,
                              .kernels = nullptr,
                              .exact = false,
                              .chooser = nullptr,
                              .allow_extra_tensors = false};
    };
    const Network first = compile(graph, weights, options({64, 64, 1}));
    const Tensor before = first(synthetic_input({1, 3, 64, 64}));
    for (const Network::InputSize& size :
         {Network::InputSize{96, 96, 1}, Network::InputSize{97, 66, 1},
          Network::InputSize{33, 47, 2}}) {
        CAPTURE(size.height);
        CAPTURE(size.width);
        const Network resized = first.resized(size);
        const Network fresh = compile(graph, weights, options(size));
        const Tensor image = synthetic_input({size.batch, 3, size.height, size.width});
        CHECK(same_bits(resized(image), fresh(image)));
        // What it shares with the first is packed once.
        CHECK(resized.packed_bytes() < first.packed_bytes() + fresh.packed_bytes());
    }
    const std::size_t packed = first.packed_bytes();
    const Network again = first.resized({64, 64, 3});
    CHECK(again.packed_bytes() == packed);
    CHECK(same_bits(first(synthetic_input({1, 3, 64, 64})), before));
}

}  // namespace

TEST_CASE("the logits of small inputs are those of the reference implementations") {
    check_all(true);
}

TEST_CASE("every registered model has a golden") {
    for (const ModelInfo& m : models()) {
        CAPTURE(std::string(m.name));
        const auto& cases = all_goldens()["cases"];
        CHECK(std::any_of(cases.begin(), cases.end(),
                          [&](const auto& entry) { return entry["model"] == m.name; }));
    }
}

TEST_CASE("every instruction set of this build keeps the same bound") {
    check_every_instruction_set("mobilenet_v2_96x128_b2");
}

TEST_CASE("a batch gives the same bits as its images one by one") {
    check_batch("mobilenet_v2_96x128_b2");
}

TEST_CASE("a resized network gives the same bits as one compiled for that size") {
    check_resized("mobilenet_v1");
    check_resized("resnet18");
}

TEST_SUITE("slow") {
    TEST_CASE("the logits of all models are those of the reference implementations") {
        check_all(false);
    }

    TEST_CASE("every instruction set keeps the bound on a residual network") {
        check_every_instruction_set("resnet18_224x224");
    }

    TEST_CASE("a batch of three gives the same bits as three runs of a residual network") {
        check_batch("resnet18_97x131_b3");
    }
}
