#include <lumbar/graph/build.hpp>
#include <lumbar/graph/passes/fold_batch_norm.hpp>
#include <lumbar/graph/passes/fuse_activation.hpp>
#include <lumbar/graph/passes/pool_after_pointwise.hpp>

#include <doctest/doctest.h>

#include <graph/pass_checks.hpp>

namespace pool_after_pointwise_test {

using namespace lumbar;
using oracle::names;

namespace {

constexpr SquarePool kAverage{.kernel = 3, .stride = 1, .padding = 1};

/// A value with eight channels that is no input.
Value eight(Graph& graph) { return conv<3>(graph.input(3), "stem", {.out_channels = 8}); }

}  // namespace

TEST_CASE("a pooling branch computes its few channels first, and adds bias and activation last") {
    for (const bool counts : {false, true})
        for (const bool bias : {false, true}) {
            CAPTURE(counts);
            CAPTURE(bias);
            Graph graph("test");
            SquarePool options = kAverage;
            options.count_include_pad = counts;
            const Value x = avg_pool(eight(graph), options);
            graph.output(
                relu(batch_norm(conv<1>(x, "conv", {.out_channels = 4, .bias = bias}), "bn")));
            const Graph after = pool_after_pointwise(fuse_activation(fold_batch_norm(graph)));
            CHECK(names(after) == "input stem conv avg_pool");
            CHECK(after.node(2).bias_later);
            CHECK(after.node(2).activation == Activation::none);
            CHECK(after.node(3).activation == Activation::relu);
            CHECK(after.node(3).channels == 4);
            CHECK(oracle::output_difference(graph, after) <= oracle::kSame);
            // What the pass leaves is nothing to it.
            CHECK(names(pool_after_pointwise(after)) == names(after));
        }
}

TEST_CASE("of two poolings only the second changes places with the convolution") {
    Graph graph("test");
    const Value x = avg_pool(avg_pool(eight(graph), kAverage), kAverage);
    graph.output(conv<1>(x, "conv", {.out_channels = 4, .bias = true}));
    Graph after = pool_after_pointwise(graph);
    after = pool_after_pointwise(after);
    CHECK(after.node(3).name == "conv");
    CHECK(oracle::output_difference(graph, after) <= oracle::kSame);
}

TEST_CASE("a pooling that has changed places once stays where it is") {
    for (const bool activated : {false, true}) {
        CAPTURE(activated);
        Graph graph("test");
        Value x =
            conv<1>(avg_pool(eight(graph), kAverage), "first", {.out_channels = 6, .bias = true});
        if (activated) x = relu(x);
        graph.output(conv<1>(x, "second", {.out_channels = 4, .bias = true}));
        const Graph after = pool_after_pointwise(fuse_activation(graph));
        CHECK(names(after) == "input stem first avg_pool second");
        CHECK(oracle::output_difference(graph, after) <= oracle::kSame);
    }
}

TEST_CASE("what would cost more, or mean something else, stays") {
    Graph graph("test");
    SUBCASE("as many channels") {
        graph.output(conv<1>(avg_pool(eight(graph), kAverage), "conv", {.out_channels = 8}));
    }
    SUBCASE("a maximum") {
        graph.output(conv<1>(max_pool(eight(graph), kAverage), "conv", {.out_channels = 4}));
    }
    SUBCASE("fewer windows than pixels") {
        SquarePool halves = kAverage;
        halves.stride = 2;
        graph.output(conv<1>(avg_pool(eight(graph), halves), "conv", {.out_channels = 4}));
    }
    SUBCASE("no padding") {
        SquarePool inside = kAverage;
        inside.padding = 0;
        graph.output(conv<1>(avg_pool(eight(graph), inside), "conv", {.out_channels = 4}));
    }
    SUBCASE("a global pooling") {
        graph.output(conv<1>(global_avg_pool(eight(graph)), "conv", {.out_channels = 4}));
    }
    SUBCASE("another reader") {
        const Value x = avg_pool(eight(graph), kAverage);
        graph.output(conv<1>(x, "conv", {.out_channels = 4}));
        graph.output(x);
    }
    SUBCASE("a spatial convolution") {
        graph.output(conv<3>(avg_pool(eight(graph), kAverage), "conv", {.out_channels = 4}));
    }
    SUBCASE("a stride") {
        graph.output(
            conv<1>(avg_pool(eight(graph), kAverage), "conv", {.out_channels = 4, .stride = 2}));
    }
    SUBCASE("the image") {
        graph.output(conv<1>(avg_pool(graph.input(8), kAverage), "conv", {.out_channels = 4}));
    }
    const Graph after = pool_after_pointwise(graph);
    CHECK(names(after) == names(graph));
    for (const Node& node : after.nodes()) CHECK_FALSE(node.bias_later);
}

}  // namespace pool_after_pointwise_test
