// Compiled networks against what their graphs mean, on graphs that nobody designed: values with
// many readers, borders of different widths, concatenations in concatenations, outputs anywhere.
#include <oracle/interpreter.hpp>
#include <oracle/kernel_tables.hpp>
#include <oracle/random_graph.hpp>

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace random_networks_test {

using namespace lumbar;

namespace {

/// Of the largest value. A value is the work of at most some dozens of layers, each of which adds a
/// few roundings (2^-24 = 6e-8) and passes on what came before; hundreds are allowed.
constexpr double kTolerance = 2e-5;

Network compiled(const Graph& graph, const Weights& weights, const Shape& shape, int threads,
                 const KernelTable* kernels) {
    return compile(graph, weights,
                   {.height = shape.h,
                    .width = shape.w,
                    .batch = shape.n,
                    .threads = threads,
                    .executor = nullptr,
                    .kernels = kernels,
                    .exact = false,
                    .chooser = nullptr,
                    .allow_extra_tensors = false});
}

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
            const Network network =
                compiled(graph, weights, shape, 1 + static_cast<int>(seed % 3), kernels);
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

namespace {

/// Compiles and runs `graph` on one and on three threads with every set of kernels, compares with
/// what it means, and counts the steps of that algorithm.
void check_steps(const Graph& graph, const Shape& shape, const std::string& algorithm,
                 const std::function<int(const KernelTable&)>& expected) {
    const Weights weights = synthetic_weights(graph);
    const Tensor image = synthetic_input(shape);
    const auto want = oracle::interpret_outputs(graph, oracle::Array(image), weights);
    CAPTURE(to_string(shape));
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        Tensor first;
        for (const int threads : {1, 3}) {
            CAPTURE(threads);
            const Network network = compiled(graph, weights, shape, threads, kernels);
            int found = 0;
            for (const auto& step : network.steps()) found += step->algorithm == algorithm;
            CHECK(found == expected(*kernels));
            Tensor got = network(image);
            CHECK(oracle::mismatch(want[0], got, kTolerance) == "");
            if (threads == 1)
                first = std::move(got);
            else
                CHECK(std::equal(first.view().values().begin(), first.view().values().end(),
                                 got.view().values().begin(), oracle::same_bits));
        }
    }
}

}  // namespace

TEST_CASE("strided pointwise convolutions of many channels read gathered pixels") {
    Graph graph;
    Value x = graph.input(3);
    x = relu(conv<3>(x, "stem", {.out_channels = 20}));
    x = conv<1>(x, "wide", {.out_channels = 512, .stride = 2});
    graph.output(x + conv<1>(x, "mix", {.out_channels = 512}));
    // From a slice of a concatenation with a border, with a residual, into a border.
    Graph woven;
    x = woven.input(3);
    const Value slice = relu(conv<3>(x, "second", {.out_channels = 24}));
    const Value both = concat({conv<3>(x, "first", {.out_channels = 16}), slice});
    const Value other = conv<3>(both, "down", {.out_channels = 512, .stride = 2});
    x = relu(conv<1>(slice, "wide", {.out_channels = 512, .stride = 2}) + other);
    woven.output(conv<3>(x, "after", {.out_channels = 8}));
    for (const Shape shape : {Shape{1, 3, 9, 12}, Shape{2, 3, 7, 1}, Shape{2, 3, 17, 30}}) {
        for (const Graph* g : {&graph, &woven}) {
            check_steps(*g, shape, "gather",
                        [](const KernelTable& k) { return k.lanes > 1 && k.lanes < 16 ? 1 : 0; });
        }
    }
}

TEST_CASE("a depthwise convolution whose windows see nothing but padding is a step of its own") {
    for (const int padding : {2, 3}) {
        CAPTURE(padding);
        Graph graph;
        Value x = conv<1>(conv<3>(graph.input(3), "stem", {.out_channels = 4}), "wide",
                          {.out_channels = 32, .bias = true});
        graph.output(depthwise_conv<3>(x, "filter", {.padding = padding, .bias = true}));
        check_steps(graph, {1, 3, 9, 600}, "pointwise + depthwise",
                    [&](const KernelTable&) { return padding == 2 ? 1 : 0; });
    }
}

TEST_CASE("a pooling branch adds its bias after the pooling") {
    for (const bool counts : {false, true})
        for (const Activation activation : {Activation::relu, Activation::hard_swish}) {
            CAPTURE(counts);
            CAPTURE(to_string(activation));
            Graph graph;
            Value x = relu(conv<3>(graph.input(3), "stem", {.out_channels = 37}));
            const Value pooled =
                avg_pool(x, {.kernel = 3, .stride = 1, .padding = 1, .count_include_pad = counts});
            const Value branch = activate(
                batch_norm(conv<1>(pooled, "branch", {.out_channels = 13, .bias = true}), "bn"),
                activation);
            // A slice, if there are 16 lanes or fewer, that a border goes around.
            x = concat({conv<1>(x, "other", {.out_channels = 16}), branch});
            graph.output(conv<3>(x, "after", {.out_channels = 8}));
            check_steps(graph, {2, 3, 9, 11}, "pool", [](const KernelTable&) { return 1; });
        }
}

TEST_CASE("a gate goes into the weights of the convolution that alone reads the scaled value") {
    enum { plain, read_twice, activated_projection, activated_value };
    const auto network = [](int variant) {
        Graph graph;
        Value x = graph.input(3);
        x = relu(conv<3>(x, "stem", {.out_channels = 21}));
        const Value wide =
            hard_swish(depthwise_conv<3>(conv<1>(x, "expand", {.out_channels = 37}), "filter"));
        Value scaled = squeeze_excite(wide, "gate", {.squeezed_channels = 8});
        if (variant == activated_value) scaled = relu6(scaled);
        x = conv<1>(scaled, "project", {.out_channels = 100, .bias = true});
        if (variant == activated_projection) x = hard_swish(x);
        graph.output(variant == read_twice ? concat({x, scaled}) : x);
        return graph;
    };
    const auto times = [](int n) { return [n](const KernelTable&) { return n; }; };
    check_steps(network(plain), {1, 3, 10, 11}, "gate", times(1));
    check_steps(network(plain), {2, 3, 10, 10}, "gate", times(1));  // threads share the images
    check_steps(network(plain), {6, 3, 10, 10}, "gate", times(1));  // and have two each
    check_steps(network(plain), {1, 3, 9, 11}, "gate", times(0));   // more weights than values
    check_steps(network(read_twice), {1, 3, 10, 11}, "gate", times(0));
    check_steps(network(activated_projection), {1, 3, 10, 11}, "gate", times(1));
    check_steps(network(activated_value), {1, 3, 10, 11}, "gate", times(0));
}

}  // namespace random_networks_test
