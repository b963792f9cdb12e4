// Whole networks against the reference implementations.
#include "golden.hpp"
#include <oracle/array.hpp>
#include <oracle/changing_threads.hpp>
#include <oracle/kernel_tables.hpp>

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace goldens_test {

using namespace lumbar;
using namespace lumbar_test;

namespace {

bool same_bits(ConstTensorView a, ConstTensorView b) {
    return a.shape == b.shape &&
           std::equal(a.values().begin(), a.values().end(), b.values().begin(), oracle::same_bits);
}

void check(const Golden& golden) {
    CAPTURE(golden.name);
    for (const bool exact : {true, false}) {
        CAPTURE(exact);
        ChangingThreads threads(2);
        CompileOptions options = golden.options(0, exact);
        options.executor = &threads;
        const Network network = compile(golden.graph, golden.weights, options);
        const Tensor two = network(golden.image);
        const double error = error_in_e32(golden, two);
        CHECK(error <= (exact ? kExactBound : kWinogradBound));
        CHECK(error * golden.e32 <= kWinogradRelative);
        for (const int count : {1, 3}) {
            CAPTURE(count);
            threads.set(count);
            const Network other = network.resized({options.height, options.width, options.batch});
            // A batch may be in lots, each of which is one thread's.
            if (options.batch == 1) REQUIRE(other.steps().front()->threads == count);
            CHECK(same_bits(two, other(golden.image)));
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

}  // namespace goldens_test
