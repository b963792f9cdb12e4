#include <lumbar/graph/build.hpp>
#include <lumbar/graph/passes/fuse_activation.hpp>

#include <doctest/doctest.h>

#include <graph/pass_checks.hpp>

namespace fuse_activation_test {

using namespace lumbar;
using oracle::names;

TEST_CASE("activations become part of convolutions and linear layers") {
    constexpr Activation kClamping[] = {Activation::relu, Activation::relu6,
                                        Activation::hard_swish};
    for (const Activation a : kClamping) {
        CAPTURE(to_string(a));
        Graph graph("test");
        Value x = activate(conv<3>(graph.input(3), "conv", {.out_channels = 4}), a);
        graph.output(activate(linear(global_avg_pool(x), "fc", {.outputs = 6}), a));
        const Graph fused = fuse_activation(graph);
        CHECK(names(fused) == "input conv global_avg_pool fc");
        CHECK(fused.node(1).activation == a);
        CHECK(fused.node(3).activation == a);
        CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
    }
}

TEST_CASE("a gate is fused into what works pixel by pixel only") {
    Graph graph("test");
    const Value x = graph.input(4);
    const auto sigmoid = [](Value v) { return activate(v, Activation::sigmoid); };
    std::string expected;
    SUBCASE("nor is the hard one fused into a convolution") {
        graph.output(activate(conv<1>(x, "conv", {.out_channels = 4}), Activation::hard_sigmoid));
        expected = "input conv hard_sigmoid";
    }
    SUBCASE("not into a convolution") {
        graph.output(sigmoid(conv<1>(x, "conv", {.out_channels = 4})));
        expected = "input conv sigmoid";
    }
    SUBCASE("not into a linear layer") {
        graph.output(sigmoid(linear(global_avg_pool(x), "fc", {.outputs = 4})));
        expected = "input global_avg_pool fc sigmoid";
    }
    SUBCASE("into a batch normalisation") {
        graph.output(sigmoid(batch_norm(x, "bn")));
        expected = "input bn";
    }
    SUBCASE("into an addition") {
        graph.output(sigmoid(x + x));
        expected = "input add";
    }
    SUBCASE("into a scaling") {
        graph.output(sigmoid(scale_channels(x, global_avg_pool(x))));
        expected = "input global_avg_pool scale_channels";
    }
    const Graph fused = fuse_activation(graph);
    CHECK(names(fused) == expected);
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

TEST_CASE("activations of pools, concatenations and images stay") {
    Graph graph("test");
    const Value x = graph.input(4);
    SUBCASE("maximum pooling") { graph.output(relu(max_pool(x, {}))); }
    SUBCASE("average pooling") { graph.output(relu(avg_pool(x, {}))); }
    SUBCASE("concatenation") { graph.output(relu(concat({x, x}))); }
    SUBCASE("image") { graph.output(relu(x)); }
    const Graph fused = fuse_activation(graph);
    CHECK(names(fused) == names(graph));
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

TEST_CASE("a value that somebody reads before its activation keeps it apart") {
    Graph graph("test");
    const Value y = conv<1>(graph.input(3), "conv", {.out_channels = 4});
    SUBCASE("two activations") {
        graph.output(relu(y));
        graph.output(relu6(y));
    }
    SUBCASE("an addition") { graph.output(relu(y) + y); }
    SUBCASE("an output") {
        graph.output(y);
        graph.output(relu(y));
    }
    const Graph fused = fuse_activation(graph);
    CHECK(names(fused) == names(graph));
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

TEST_CASE("of two activations in a row the first is fused") {
    Graph graph("test");
    graph.output(relu6(hard_swish(conv<1>(graph.input(3), "conv", {.out_channels = 4}))));
    const Graph fused = fuse_activation(fuse_activation(graph));
    CHECK(names(fused) == "input conv relu6");
    CHECK(fused.node(1).activation == Activation::hard_swish);
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

TEST_CASE("an output may be an activation that is fused") {
    Graph graph("test");
    const Value y = relu(conv<1>(graph.input(3), "conv", {.out_channels = 4}));
    graph.output(y);
    graph.output(max_pool(y, {}));
    graph.output(y);
    const Graph fused = fuse_activation(graph);
    CHECK(fused.outputs() == std::vector<int>{1, 2, 1});
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

}  // namespace fuse_activation_test
