// Compiled networks against what their graphs mean, on graphs that nobody designed: values with
// many readers, borders of different widths, concatenations in concatenations, outputs anywhere.
#include <oracle/interpreter.hpp>
#include <oracle/kernel_tables.hpp>
#include <oracle/random_graph.hpp>

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace random_networks_test {

using namespace lumbar;

namespace {

/// Of the largest value. A value is the work of at most some dozens of layers, each of which adds a
/// few roundings (2^-24 = 6e-8) and passes on what came before; hundreds are allowed.
constexpr double kTolerance = 2e-5;

}  // namespace

TEST_CASE("compiled networks yield what their graphs mean, on every instruction set") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (std::uint64_t seed = 0; seed < 60; ++seed) {
            CAPTURE(seed);
            const Graph graph = oracle::RandomGraph::make(5000 + seed);
            REQUIRE_FALSE(graph.error());
            const Weights weights = synthetic_weights(graph);
            const Shape shape{1 + static_cast<int>(seed % 3), graph.node(0).channels,
                              1 + static_cast<int>(seed % 9), 3 + static_cast<int>(seed % 17)};
            const Tensor image = synthetic_input(shape);
            const Network network = compile(graph, weights,
                                            {.height = shape.h,
                                             .width = shape.w,
                                             .batch = shape.n,
                                             .threads = 1 + static_cast<int>(seed % 3),
                                             .executor = nullptr,
                                             .kernels = kernels,
                                             .exact = false,
                                             .chooser = nullptr,
                                             .allow_extra_tensors = false});
            const auto want = oracle::interpret_outputs(graph, oracle::Array(image), weights);
            Workspace workspace = network.workspace();
            REQUIRE(workspace.outputs() == static_cast<int>(want.size()));
            for (int run = 0; run < 2; ++run) {  // the second one finds what the first one left
                CAPTURE(run);
                network(image, workspace);
                for (int i = 0; i < workspace.outputs(); ++i) {
                    CAPTURE(i);
                    CHECK(oracle::mismatch(want[static_cast<std::size_t>(i)], workspace.output(i),
                                           kTolerance) == "");
                }
            }
        }
    }
}

TEST_CASE("strided pointwise convolutions of many channels yield what they mean") {
    Graph graph;
    Value x = graph.input(3);
    x = relu(conv<3>(x, "stem", {.out_channels = 20}));
    x = conv<1>(x, "wide", {.out_channels = 512, .stride = 2});
    graph.output(x + conv<1>(x, "mix", {.out_channels = 512}));
    const Weights weights = synthetic_weights(graph);
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Shape shape : {Shape{1, 3, 9, 12}, Shape{2, 3, 7, 1}}) {
            const Tensor image = synthetic_input(shape);
            const auto want = oracle::interpret_outputs(graph, oracle::Array(image), weights);
            for (const int threads : {1, 3}) {
                const Network network = compile(graph, weights,
                                                {.height = shape.h,
                                                 .width = shape.w,
                                                 .batch = shape.n,
                                                 .threads = threads,
                                                 .executor = nullptr,
                                                 .kernels = kernels,
                                                 .exact = false,
                                                 .chooser = nullptr,
                                                 .allow_extra_tensors = false});
                int gathers = 0;
                for (const auto& step : network.steps()) gathers += step->algorithm == "gather";
                CHECK(gathers == (kernels->lanes > 1 && kernels->lanes < 16 ? 1 : 0));
                CHECK(oracle::mismatch(want[0], network(image), kTolerance) == "");
            }
        }
    }
}

}  // namespace random_networks_test
