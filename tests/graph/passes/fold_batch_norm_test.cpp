#include <lumbar/graph/build.hpp>
#include <lumbar/graph/passes/fold_batch_norm.hpp>
#include <lumbar/graph/passes/fuse_activation.hpp>

#include <doctest/doctest.h>

#include <graph/pass_checks.hpp>

namespace fold_batch_norm_test {

using namespace lumbar;
using oracle::names;

TEST_CASE("a batch normalisation becomes part of the convolution before it") {
    for (const bool bias : {false, true}) {
        CAPTURE(bias);
        Graph graph("test");
        Value x = graph.input(3);
        x = batch_norm(conv<3>(x, "conv", {.out_channels = 5, .bias = bias}), "bn", 1e-3);
        graph.output(relu(x));
        const Graph folded = fold_batch_norm(graph);
        CHECK(names(folded) == "input conv relu");
        REQUIRE(folded.node(1).batch_norm);
        CHECK(folded.node(1).batch_norm->name == "bn");
        CHECK(folded.node(1).batch_norm->epsilon == 1e-3);
        CHECK(oracle::output_difference(graph, folded) <= oracle::kSame);
    }
}

TEST_CASE("depthwise convolutions take their batch normalisation too") {
    Graph graph("test");
    graph.output(batch_norm(depthwise_conv<3>(graph.input(4), "conv"), "bn"));
    const Graph folded = fold_batch_norm(graph);
    CHECK(names(folded) == "input conv");
    CHECK(folded.outputs() == std::vector<int>{1});
    CHECK(oracle::output_difference(graph, folded) <= oracle::kSame);
}

TEST_CASE("a convolution that somebody else reads keeps its own value") {
    Graph graph("test");
    const Value y = conv<1>(graph.input(3), "conv", {.out_channels = 4});
    SUBCASE("two batch normalisations") {
        graph.output(batch_norm(y, "bn1"));
        graph.output(batch_norm(y, "bn2"));
    }
    SUBCASE("an addition") { graph.output(batch_norm(y, "bn1") + y); }
    SUBCASE("an output") {
        graph.output(batch_norm(y, "bn1"));
        graph.output(y);
    }
    const Graph folded = fold_batch_norm(graph);
    CHECK(names(folded) == names(graph));
    CHECK_FALSE(folded.node(1).batch_norm);
    CHECK(oracle::output_difference(graph, folded) <= oracle::kSame);
}

TEST_CASE("batch normalisations without a convolution before them stay") {
    Graph graph("test");
    const Value x = graph.input(3);
    SUBCASE("of the image") { graph.output(batch_norm(x, "bn")); }
    SUBCASE("after an activation") {
        graph.output(batch_norm(relu(conv<1>(x, "conv", {.out_channels = 4})), "bn"));
    }
    SUBCASE("after pooling") { graph.output(batch_norm(max_pool(x, {}), "bn")); }
    SUBCASE("after an addition") { graph.output(batch_norm(x + x, "bn")); }
    const Graph folded = fold_batch_norm(graph);
    CHECK(names(folded) == names(graph));
    CHECK(oracle::output_difference(graph, folded) <= oracle::kSame);
}

TEST_CASE("of two batch normalisations in a row the first is folded") {
    Graph graph("test");
    Value x = conv<1>(graph.input(3), "conv", {.out_channels = 4});
    graph.output(batch_norm(batch_norm(x, "bn1"), "bn2"));
    const Graph once = fold_batch_norm(graph);
    CHECK(names(once) == "input conv bn2");
    CHECK(oracle::output_difference(graph, once) <= oracle::kSame);
    const Graph twice = fold_batch_norm(once);
    CHECK(names(twice) == "input conv bn2");
    CHECK(oracle::output_difference(graph, twice) <= oracle::kSame);
}

TEST_CASE("an activation that is already part of a batch normalisation moves along") {
    Graph graph("test");
    graph.output(relu6(batch_norm(conv<1>(graph.input(3), "conv", {.out_channels = 4}), "bn")));
    const Graph folded = fold_batch_norm(fuse_activation(graph));
    CHECK(names(folded) == "input conv");
    CHECK(folded.node(1).activation == Activation::relu6);
    CHECK(oracle::output_difference(graph, folded) <= oracle::kSame);
}

TEST_CASE("a batch normalisation with a sigmoid of its own is not folded") {
    Graph graph("test");
    const Value x = conv<1>(graph.input(3), "conv", {.out_channels = 4});
    graph.output(activate(batch_norm(x, "bn"), Activation::sigmoid));
    const Graph folded = fold_batch_norm(fuse_activation(graph));
    CHECK(names(folded) == "input conv bn");
    CHECK(oracle::output_difference(graph, folded) <= oracle::kSame);
}

}  // namespace fold_batch_norm_test
