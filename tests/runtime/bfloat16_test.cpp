// Networks with weights of half the width: how near their logits are, and what they promise as all
// networks do.
#include <lumbar/kernels/bfloat16_table.hpp>
#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace bfloat16_test {

using namespace lumbar;

namespace {

std::vector<float> logits_of(const Network& network) {
    Workspace w = network.workspace();
    std::uint32_t random = 1;
    const TensorView in = w.input();
    for (std::int64_t i = 0; i < in.shape.size(); ++i) {
        random = random * 1664525 + 1013904223;
        in.data[i] = static_cast<float>(random >> 8) / 8388608.0f - 1.0f;
    }
    network.run(w);
    const auto values = w.output().values();
    return {values.begin(), values.end()};
}

bool can() {
    return native_kernels().lanes == bfloat16_kernels().lanes && native_kernels().lanes > 1;
}

}  // namespace

TEST_CASE(
    "logits with bfloat16 are within 2 % of the largest, and half the memory holds the weights") {
    if (!can()) return;
    for (const char* name : {"resnet18", "resnet50", "mobilenet_v1", "mobilenet_v2",
                             "mobilenet_v3_small", "densenet121", "googlenet", "resnetv2_50"}) {
        CAPTURE(name);
        const Graph graph = make(name, {});
        const Weights weights = synthetic_weights(graph);
        const CompileOptions floats{.height = 96, .width = 96, .threads = 1};
        CompileOptions narrow = floats;
        narrow.bfloat16 = &bfloat16_kernels();
        const Network wide = compile(graph, weights, floats);
        const Network half = compile(graph, weights, narrow);
        const std::vector<float> want = logits_of(wide), got = logits_of(half);
        REQUIRE(got.size() == want.size());
        float largest = 0, worst = 0;
        for (std::size_t i = 0; i < want.size(); ++i) {
            largest = std::max(largest, std::abs(want[i]));
            worst = std::max(worst, std::abs(got[i] - want[i]));
        }
        CAPTURE(worst / largest);
        CHECK(worst > 0);  // another computation
        CHECK(worst < 0.02f * largest);
        CHECK(half.packed_bytes() < wide.packed_bytes());

        narrow.threads = 3;
        CHECK(logits_of(compile(graph, weights, narrow)) == got);
    }
}

TEST_CASE("convolutions have narrow weights where the CPU multiplies them") {
    if (!can()) return;
    const Graph graph = make("resnet50", {});
    const Network network =
        compile(graph, synthetic_weights(graph),
                {.height = 224, .width = 224, .threads = 1, .bfloat16 = &bfloat16_kernels()});
    int convolutions = 0, linear = 0;
    for (const auto& step : network.steps()) {
        convolutions += step->algorithm.starts_with("direct bfloat16");
        linear += step->algorithm == "linear bfloat16";
    }
    CHECK(linear == 1);
    CHECK((convolutions > 20) == bfloat16_kernels().convolutions);
}

TEST_CASE("convolutions of bfloat16 keep their promises on every CPU") {
    if (!can()) return;
    // Where the CPU has no instruction for it, in several: so that the path is taken everywhere.
    static Bfloat16Kernels forced = bfloat16_kernels();
    forced.convolutions = true;
    for (const char* name : {"mobilenet_v2", "googlenet", "resnet18", "densenet121"}) {
        CAPTURE(name);
        const Graph graph = make(name, {});
        const Weights weights = synthetic_weights(graph);
        const auto network = [&](const Bfloat16Kernels* kernels, int batch, int threads) {
            return compile(graph, weights,
                           {.height = 64,
                            .width = 96,
                            .batch = batch,
                            .threads = threads,
                            .bfloat16 = kernels});
        };
        const Network one = network(&forced, 1, 1);
        int narrow = 0;
        for (const auto& step : one.steps()) narrow += step->algorithm == "to bfloat16";
        CHECK(narrow > 0);
        const std::vector<float> want = logits_of(network(nullptr, 1, 1)), got = logits_of(one);
        float largest = 0, worst = 0;
        for (std::size_t i = 0; i < want.size(); ++i) {
            largest = std::max(largest, std::abs(want[i]));
            worst = std::max(worst, std::abs(got[i] - want[i]));
        }
        CHECK(worst < 0.02f * largest);
        CHECK(logits_of(network(&forced, 1, 3)) == got);
        // The first image of a batch, in lots and shared by the threads; and another size and back.
        for (const int batch : {2, 3}) {
            const std::vector<float> all = logits_of(network(&forced, batch, 2));
            CHECK(std::equal(got.begin(), got.end(), all.begin()));
        }
        const Network other = one.resized({.height = 96, .width = 64});
        CHECK(logits_of(other.resized({.height = 64, .width = 96})) == got);
    }
}

TEST_CASE("exact and bfloat16 exclude each other") {
    if (!can()) return;
    const Graph graph = resnet18();
    const auto result = try_compile(graph, synthetic_weights(graph),
                                    {.threads = 1, .exact = true, .bfloat16 = &bfloat16_kernels()});
    REQUIRE_FALSE(result);
    CHECK(result.error().message().find("exclude each other") != std::string::npos);
}

TEST_CASE("kernels of another instruction set are refused") {
    const Graph graph = resnet18();
    Bfloat16Kernels other = bfloat16_kernels();
    other.lanes = 2 * native_kernels().lanes;
    const auto result =
        try_compile(graph, synthetic_weights(graph), {.threads = 1, .bfloat16 = &other});
    REQUIRE_FALSE(result);
    CHECK(result.error().code() == Error::Code::argument);
    CHECK(result.error().message().find("kernels of bfloat16") != std::string::npos);
}

}  // namespace bfloat16_test
