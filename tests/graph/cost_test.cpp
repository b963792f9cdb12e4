#include <lumbar/graph/build.hpp>
#include <lumbar/graph/cost.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace cost_test {

using namespace lumbar;

namespace {

std::int64_t all_macs(const Graph& graph, int batch, Extent image) {
    const auto shapes = try_infer_shapes(graph, batch, image);
    REQUIRE(shapes);
    return macs(graph, *shapes);
}

ReceptiveField last_field(const Graph& graph) { return receptive_fields(graph).back(); }

}  // namespace

TEST_CASE("convolutions and linear layers cost one MAC per weight and position") {
    Graph graph("net");
    Value x = graph.input(3);
    SUBCASE("a strided convolution") {
        conv<7>(x, "conv", {.out_channels = 64, .stride = 2});
        CHECK(all_macs(graph, 1, {224, 224}) == std::int64_t{64} * 112 * 112 * 3 * 49);
        CHECK(all_macs(graph, 2, {224, 224}) == std::int64_t{2} * 64 * 112 * 112 * 3 * 49);
        CHECK(all_macs(graph, 1, {9, 4}) == 64 * 5 * 2 * 3 * 49);
    }
    SUBCASE("a grouped one") {
        conv<1>(x, "conv", {.out_channels = 6, .groups = 3});
        CHECK(all_macs(graph, 1, {4, 5}) == 6 * 20);
    }
    SUBCASE("a depthwise one") {
        depthwise_conv<3>(x, "conv");
        CHECK(all_macs(graph, 1, {4, 5}) == 3 * 20 * 9);
    }
    SUBCASE("a linear layer") {
        linear(x, "fc", {.outputs = 10, .pixels = 20});
        CHECK(all_macs(graph, 3, {4, 5}) == 3 * 10 * 60);
    }
    SUBCASE("nothing else costs any") {
        x = relu(batch_norm(x + x, "bn"));
        x = max_pool(concat({x, x}), {});
        scale_channels(softmax(x), global_avg_pool(x));
        CHECK(all_macs(graph, 1, {4, 5}) == 0);
    }
}

TEST_CASE("windows widen the receptive field by the stride so far") {
    Graph graph("net");
    Value x = graph.input(3);
    const auto check = [&](Extent size, Extent stride) {
        const ReceptiveField f = last_field(graph);
        CHECK(f.size == size);
        CHECK(f.stride == stride);
        CHECK_FALSE(f.global);
    };
    check({1, 1}, {1, 1});
    x = conv<7>(x, "a", {.out_channels = 4, .stride = 2});
    check({7, 7}, {2, 2});
    x = max_pool(relu(batch_norm(x, "bn")), {.kernel = 3, .stride = 2, .padding = 1});
    check({11, 11}, {4, 4});
    x = conv<3>(x, "b", {.out_channels = 4, .dilation = 2});
    check({27, 27}, {4, 4});
    x = conv<1>(x, "c", {.out_channels = 4, .stride = 2});
    check({27, 27}, {8, 8});
    x = conv(x, "d",
             op::Conv{.out_channels = 4,
                      .kernel = {1, 7},
                      .stride = {},
                      .dilation = {},
                      .padding = Padding::symmetric(0, 3)});
    check({27, 75}, {8, 8});
}

TEST_CASE("joined values see what the widest of them sees") {
    Graph graph("net");
    const Value x = graph.input(4);
    const Value narrow = conv<1>(x, "a", {.out_channels = 4});
    const Value wide = conv<3>(conv<3>(x, "b", {.out_channels = 4}), "c", {.out_channels = 4});
    SUBCASE("addition") { narrow + wide; }
    SUBCASE("the other way round") { wide + narrow; }
    SUBCASE("concatenation") { concat({x, wide, narrow}); }
    CHECK(last_field(graph).size == Extent{5, 5});
}

TEST_CASE("what sees the whole image is global, but a gate makes nothing so") {
    Graph graph("net");
    const Value x = conv<3>(graph.input(4), "a", {.out_channels = 4});
    SUBCASE("global pooling") {
        global_avg_pool(x);
        CHECK(last_field(graph).global);
        CHECK(last_field(graph).size == Extent{0, 0});
    }
    SUBCASE("what follows it") {
        relu(conv<3>(global_avg_pool(x), "b", {.out_channels = 4}));
        CHECK(last_field(graph).global);
        CHECK(last_field(graph).size == Extent{0, 0});
        CHECK(last_field(graph).stride == Extent{0, 0});
    }
    SUBCASE("a linear layer") {
        linear(x, "fc", {.outputs = 3, .pixels = 4});
        CHECK(last_field(graph).global);
    }
    SUBCASE("a gated image") {
        squeeze_excite(x, "se", {.squeezed_channels = 2});
        CHECK_FALSE(last_field(graph).global);
        CHECK(last_field(graph).size == Extent{3, 3});
    }
}

}  // namespace cost_test
