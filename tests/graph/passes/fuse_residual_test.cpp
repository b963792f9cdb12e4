#include <lumbar/graph/build.hpp>
#include <lumbar/graph/passes/fold_batch_norm.hpp>
#include <lumbar/graph/passes/fuse_activation.hpp>
#include <lumbar/graph/passes/fuse_residual.hpp>

#include <doctest/doctest.h>

#include <graph/pass_checks.hpp>

namespace fuse_residual_test {

using namespace lumbar;
using oracle::names;

TEST_CASE("an identity shortcut is added by the block's last convolution") {
    for (const bool swapped : {false, true}) {
        CAPTURE(swapped);
        Graph graph("test");
        const Value x = graph.input(4);
        const Value y =
            conv<3>(relu(conv<3>(x, "a", {.out_channels = 4})), "b", {.out_channels = 4});
        graph.output(swapped ? x + y : y + x);
        const Graph fused = fuse_residual(graph);
        CHECK(names(fused) == "input a relu b");
        CHECK(fused.node(3).residual);
        CHECK(fused.node(3).inputs == std::vector<int>{2, 0});
        CHECK(fused.outputs() == std::vector<int>{3});
        CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
    }
}

TEST_CASE("of two convolutions the one computed last adds the other") {
    Graph graph("test");
    const Value x = graph.input(3);
    const Value block = conv<3>(x, "block", {.out_channels = 4});
    const Value projection = conv<1>(x, "projection", {.out_channels = 4});
    graph.output(relu(block + projection));
    const Graph fused = fuse_residual(graph);
    CHECK(names(fused) == "input block projection relu");
    CHECK_FALSE(fused.node(1).residual);
    CHECK(fused.node(2).residual);
    CHECK(fused.node(2).inputs == std::vector<int>{0, 1});
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

TEST_CASE("blocks in a row chain their residuals") {
    Graph graph("test");
    Value x = graph.input(4);
    for (const char* name : {"a", "b", "c"}) {
        x = relu(x + batch_norm(conv<3>(x, name, {.out_channels = 4}), std::string(name) + ".bn"));
    }
    graph.output(x);
    const Graph fused = fuse_activation(fuse_residual(fold_batch_norm(graph)));
    CHECK(names(fused) == "input a b c");
    for (int id = 1; id < 4; ++id) {
        CHECK(fused.node(id).inputs == std::vector<int>{id - 1, id - 1});
        CHECK(fused.node(id).residual);
        CHECK(fused.node(id).activation == Activation::relu);
    }
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

TEST_CASE("what is no convolution does not add") {
    Graph graph("test");
    const Value x = graph.input(4);
    SUBCASE("a value with itself") {
        const Value y = conv<1>(x, "conv", {.out_channels = 4});
        graph.output(y + y);
    }
    SUBCASE("a depthwise convolution") { graph.output(x + depthwise_conv<3>(x, "conv")); }
    SUBCASE("a pool") { graph.output(x + max_pool(x, {.kernel = 3, .stride = 1, .padding = 1})); }
    SUBCASE("a batch normalisation") { graph.output(x + batch_norm(x, "bn")); }
    SUBCASE("an activation") { graph.output(x + relu(conv<1>(x, "conv", {.out_channels = 4}))); }
    const Graph fused = fuse_residual(graph);
    CHECK(names(fused) == names(graph));
    for (const Node& node : fused.nodes()) CHECK_FALSE(node.residual);
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

TEST_CASE("a convolution whose activation comes before the addition does not add") {
    Graph graph("test");
    const Value x = graph.input(4);
    graph.output(x + relu(conv<1>(x, "conv", {.out_channels = 4})));
    const Graph fused = fuse_residual(fuse_activation(graph));
    CHECK(names(fused) == "input conv add");
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

TEST_CASE("a convolution that somebody else reads does not add") {
    Graph graph("test");
    const Value x = graph.input(4);
    const Value y = conv<1>(x, "conv", {.out_channels = 4});
    SUBCASE("a second addition") {
        graph.output(x + y);
        graph.output(y + x);
    }
    SUBCASE("an output") {
        graph.output(x + y);
        graph.output(y);
    }
    const Graph fused = fuse_residual(graph);
    CHECK(names(fused) == names(graph));
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

TEST_CASE("a convolution adds once: a second addition stays") {
    Graph graph("test");
    const Value x = graph.input(4);
    graph.output(x + (x + conv<1>(x, "conv", {.out_channels = 4})));
    const Graph fused = fuse_residual(fuse_residual(graph));
    CHECK(names(fused) == "input conv add");
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

TEST_CASE("an activation that is already part of the addition moves along") {
    Graph graph("test");
    const Value x = graph.input(4);
    std::string expected;
    SUBCASE("a clamp") {
        graph.output(relu(x + conv<1>(x, "conv", {.out_channels = 4})));
        expected = "input conv";
    }
    SUBCASE("but a convolution takes no sigmoid") {
        graph.output(activate(x + conv<1>(x, "conv", {.out_channels = 4}), Activation::sigmoid));
        expected = "input conv add";
    }
    const Graph fused = fuse_residual(fuse_activation(graph));
    CHECK(names(fused) == expected);
    CHECK(oracle::output_difference(graph, fused) <= oracle::kSame);
}

}  // namespace fuse_residual_test
