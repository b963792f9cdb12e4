#include <lumbar/graph/build.hpp>
#include <lumbar/graph/cost.hpp>
#include <lumbar/graph/output_stride.hpp>

#include <doctest/doctest.h>

#include <vector>

namespace output_stride_test {

using namespace lumbar;

namespace {

const op::Conv& conv_of(const Graph& graph, const char* name) {
    for (const Node& node : graph.nodes()) {
        if (node.name == name) return *node.as<op::Conv>();
    }
    FAIL("no convolution ", name);
    return *graph.node(0).as<op::Conv>();
}

/// Strides 2, 2, 2 with a layer after each; the last two reduce beside a shortcut.
Graph network(PaddingMode mode = PaddingMode::given) {
    Graph graph("net");
    const auto next = [&](Value x, const char* name, int kernel, int stride) {
        return conv(x, name, kernel, {.out_channels = 8, .stride = stride, .mode = mode});
    };
    Value x = next(next(graph.input(3), "a", 3, 2), "b", 3, 1);
    Value y = next(x, "c", 5, 2);
    x = y + next(x, "c shortcut", 1, 2);
    x = next(x, "d", 3, 1);
    y = next(x, "e", 3, 2);
    x = y + next(x, "e shortcut", 1, 2);
    x = next(x, "f", 5, 1);
    graph.output(linear(global_avg_pool(x), "fc", {.outputs = 10}));
    return graph;
}

}  // namespace

TEST_CASE("convolutions beyond the output stride dilate, the first one by what came before") {
    struct Row {
        int output_stride;
        const char* name;
        int stride;
        int dilation;
        int padding;
    };
    constexpr Row kRows[] = {
        {8, "a", 2, 1, 1}, {8, "c", 2, 1, 2},  {8, "e", 2, 1, 1}, {8, "f", 1, 1, 2},
        {4, "a", 2, 1, 1}, {4, "c", 2, 1, 2},  {4, "d", 1, 1, 1}, {4, "e", 1, 1, 1},
        {4, "f", 1, 2, 4}, {2, "a", 2, 1, 1},  {2, "b", 1, 1, 1}, {2, "c", 1, 1, 2},
        {2, "d", 1, 2, 2}, {2, "e", 1, 2, 2},  {2, "f", 1, 4, 8}, {1, "a", 1, 1, 1},
        {1, "b", 1, 2, 2}, {1, "f", 1, 8, 16},
    };
    for (const Row& row : kRows) {
        CAPTURE(row.output_stride);
        CAPTURE(row.name);
        const Graph graph = with_output_stride(network(), row.output_stride);
        const op::Conv& c = conv_of(graph, row.name);
        CHECK(c.stride == Extent::square(row.stride));
        CHECK(c.dilation == Extent::square(row.dilation));
        CHECK(c.padding == Padding::all(row.padding));
        CHECK_FALSE(graph.error());
    }
}

TEST_CASE("the image keeps the size of the output stride; what it sees stays") {
    const auto before = receptive_fields(network());
    for (const int stride : {1, 2, 4, 8, 16}) {
        CAPTURE(stride);
        for (const PaddingMode mode : {PaddingMode::given, PaddingMode::same}) {
            const Graph graph = with_output_stride(network(mode), stride);
            const auto shapes = try_infer_shapes(graph, 1, {64, 96});
            REQUIRE(shapes);
            const std::size_t last = shapes->size() - 3;  // before the head
            const int expected = std::min(stride, 8);
            CHECK((*shapes)[last].h == 64 / expected);
            CHECK((*shapes)[last].w == 96 / expected);
            CHECK(receptive_fields(graph)[last].stride == Extent::square(expected));
            // A convolution that loses its stride no longer skips what lay between.
            CHECK(receptive_fields(graph)[last].size == before[last].size);
        }
    }
}

TEST_CASE("after a global pooling nothing is dilated") {
    Graph graph("net");
    Value x = conv<3>(graph.input(3), "a", {.out_channels = 8, .stride = 2});
    x = squeeze_excite(x, "se", {.squeezed_channels = 2});
    graph.output(conv<3>(x, "b", {.out_channels = 8}));
    const Graph dilated = with_output_stride(graph, 1);
    CHECK(conv_of(dilated, "se.fc1").padding == Padding{});
    CHECK(conv_of(dilated, "se.fc1").dilation == Extent{1, 1});
    CHECK(conv_of(dilated, "b").dilation == Extent{2, 2});
}

TEST_CASE("a pooling within the output stride stays, beyond it is a mistake") {
    Graph graph("net");
    Value x = conv<3>(graph.input(3), "a", {.out_channels = 8, .stride = 2});
    x = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
    graph.output(conv<3>(x, "b", {.out_channels = 8, .stride = 2}));
    CHECK_FALSE(with_output_stride(graph, 4).error());
    for (const int stride : {1, 2}) {
        CAPTURE(stride);
        const Graph wrong = with_output_stride(graph, stride);
        REQUIRE(wrong.error());
        CHECK(wrong.error()->message().find("net: max_pool: a pooling has no dilation") == 0);
    }
    CHECK(with_output_stride(graph, 0).error());
    CHECK(with_output_stride(graph, -8).error());
}

TEST_CASE("an average before a projection moves by one pixel, any other is a mistake") {
    const auto network = [](bool twice) {
        Graph graph("net");
        Value x = conv<3>(graph.input(3), "a", {.out_channels = 8, .stride = 2});
        const Value average =
            avg_pool(x, {.kernel = 2, .stride = 2, .ceil_mode = true, .count_include_pad = false});
        Value y = conv<3>(x, "b", {.out_channels = 8, .stride = 2});
        y = y + conv<1>(average, "c", {.out_channels = 8});
        graph.output(twice ? y + average : y);
        return graph;
    };
    const Graph graph = with_output_stride(network(false), 2);
    REQUIRE_FALSE(graph.error());
    const auto* pool = graph.node(2).as<op::Pool>();
    REQUIRE(pool);
    CHECK(pool->geometry.stride == Extent{1, 1});
    CHECK(pool->geometry.padding == Padding{0, 0, 1, 1});
    CHECK(pool->geometry.count_include_pad);
    CHECK(try_infer_shapes(graph, 1, {33, 40})->back() == Shape{1, 8, 17, 20});
    CHECK(with_output_stride(network(false), 4).node(2).as<op::Pool>()->geometry.stride ==
          Extent{2, 2});
    CHECK(with_output_stride(network(true), 2).error());
}

TEST_CASE("absurd strides are refused, not overflowed") {
    Graph graph("net");
    Value x = graph.input(3);
    for (const char* name : {"a", "b", "c", "d"}) {
        x = conv<3>(x, name, {.out_channels = 4, .stride = 1 << 15});
    }
    graph.output(x);
    CHECK(with_output_stride(graph, 1).error());
}

}  // namespace output_stride_test
