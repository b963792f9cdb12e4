#include <lumbar/graph/build.hpp>
#include <lumbar/graph/shapes.hpp>

#include <doctest/doctest.h>

#include <string>

namespace shapes_test {

using namespace lumbar;

namespace {

/// The shape of the last value.
Shape last_shape(const Graph& graph, int batch, Extent image) {
    const auto shapes = try_infer_shapes(graph, batch, image);
    REQUIRE(shapes);
    REQUIRE(static_cast<int>(shapes->size()) == graph.size());
    return shapes->back();
}

std::string message(const Graph& graph, Extent image, int batch = 1) {
    const auto shapes = try_infer_shapes(graph, batch, image);
    REQUIRE_FALSE(shapes);
    return shapes.error().message();
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a stem of stride 2 halves odd sizes upwards") {
    struct Case {
        Extent in, after_conv, after_pool;
    };
    constexpr Case kCases[] = {
        {{224, 224}, {112, 112}, {56, 56}},
        {{97, 131}, {49, 66}, {25, 33}},
        {{1, 1}, {1, 1}, {1, 1}},
        {{2, 5}, {1, 3}, {1, 2}},
    };
    for (const Case& c : kCases) {
        CAPTURE(c.in.h);
        Graph graph("net");
        Value x = conv<7>(graph.input(3), "conv1", {.out_channels = 64, .stride = 2});
        x = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
        const auto shapes = try_infer_shapes(graph, 2, c.in);
        REQUIRE(shapes);
        CHECK((*shapes)[0] == Shape{2, 3, c.in.h, c.in.w});
        CHECK((*shapes)[1] == Shape{2, 64, c.after_conv.h, c.after_conv.w});
        CHECK((*shapes)[2] == Shape{2, 64, c.after_pool.h, c.after_pool.w});
    }
}

TEST_CASE("SAME padding gives a ceil(size / stride)th, and what is odd comes after") {
    struct Case {
        int in, kernel, stride, dilation, out, before, after;
    };
    constexpr Case kCases[] = {
        {224, 3, 2, 1, 112, 0, 1}, {97, 3, 2, 1, 49, 1, 1}, {7, 3, 1, 1, 7, 1, 1},
        {131, 3, 2, 1, 66, 1, 1},  {8, 1, 2, 1, 4, 0, 0},   {5, 5, 2, 1, 3, 2, 2},
        {6, 3, 1, 2, 6, 2, 2},     {1, 3, 2, 1, 1, 1, 1},   {4, 2, 2, 1, 2, 0, 0},
    };
    for (const Case& c : kCases) {
        CAPTURE(c.in);
        CAPTURE(c.kernel);
        const op::Conv conv{.out_channels = 5,
                            .kernel = Extent::square(c.kernel),
                            .stride = Extent::square(c.stride),
                            .dilation = Extent::square(c.dilation),
                            .padding = {},
                            .mode = PaddingMode::same};
        const Shape in{1, 4, c.in, c.in};
        const ConvGeometry g = geometry_of(conv, in);
        CHECK(g.in_channels == 4);
        CHECK(g.padding == Padding{c.before, c.before, c.after, c.after});
        CHECK(output_shape(g, in) == Shape{1, 5, c.out, c.out});
    }
    op::Pool pool;
    pool.geometry.kernel = Extent::square(3);
    pool.mode = PaddingMode::same;
    CHECK(geometry_of(pool, {1, 1, 8, 9}).padding == Padding{0, 1, 1, 1});
}

TEST_CASE("pools in ceil mode keep a last partial window") {
    Graph floor("net"), ceil("net");
    floor.output(max_pool(floor.input(3), {.kernel = 3, .stride = 2}));
    ceil.output(max_pool(ceil.input(3), {.kernel = 3, .stride = 2, .ceil_mode = true}));
    CHECK(last_shape(floor, 1, {112, 55}) == Shape{1, 3, 55, 27});
    CHECK(last_shape(ceil, 1, {112, 55}) == Shape{1, 3, 56, 27});
}

TEST_CASE("adaptive pools, linear layers and concatenations have the sizes they ask for") {
    Graph graph("net");
    const Value x = graph.input(3);
    Value y = concat({x, relu(x), softmax(x)});
    y = adaptive_avg_pool(y, {7, 5});
    y = linear(y, "fc", {.outputs = 10, .pixels = 35});
    const auto shapes = try_infer_shapes(graph, 4, {9, 3});
    REQUIRE(shapes);
    CHECK((*shapes)[3] == Shape{4, 9, 9, 3});
    CHECK((*shapes)[4] == Shape{4, 9, 7, 5});
    CHECK((*shapes)[5] == Shape{4, 10, 1, 1});
}

TEST_CASE("padded channels change no size") {
    Graph graph("net");
    (void)pad_channels(max_pool(graph.input(3), {.kernel = 1, .stride = 2}),
                       {.before = 1, .after = 2});
    const auto shapes = try_infer_shapes(graph, 2, {9, 4});
    REQUIRE(shapes);
    CHECK((*shapes)[2] == Shape{2, 6, 5, 2});
}

TEST_CASE("an input that is too small names the node that no window fits into, and the input") {
    Graph graph("net");
    Value x = conv<3>(graph.input(3), "first", {.out_channels = 4, .padding = 0});
    x = conv<3>(x, "second", {.out_channels = 4, .padding = 0});
    CHECK(last_shape(graph, 1, {5, 5}) == Shape{1, 4, 1, 1});
    const std::string at_first = message(graph, {2, 9});
    CHECK(at_first.starts_with("net: first: "));
    const std::string at_second = message(graph, {9, 4});
    CHECK(at_second.starts_with("net: second: "));
    CHECK(contains(at_second, "1x4x7x2"));
    CHECK(contains(at_second, "9x4"));
    CHECK(try_infer_shapes(graph, 1, {9, 4}).error().code() == Error::Code::graph);

    Graph pooled("net");
    pooled.output(max_pool(pooled.input(3), {}));
    CHECK(message(pooled, {1, 8}).starts_with("net: max_pool: "));
}

TEST_CASE("operands of different sizes are an error of the node that joins them") {
    Graph graph("net");
    const Value x = graph.input(4);
    const Value half = max_pool(x, {});
    std::string node;
    SUBCASE("addition") {
        graph.output(x + half);
        node = "add";
    }
    SUBCASE("concatenation") {
        graph.output(concat({x, half}));
        node = "concat";
    }
    SUBCASE("gate") {
        graph.output(scale_channels(x, half));
        node = "scale_channels";
    }
    const std::string text = message(graph, {8, 6});
    CHECK(text.starts_with("net: " + node + ": "));
    CHECK(contains(text, "1x4x4x3"));
}

TEST_CASE("a linear layer on another number of pixels says what it expects and what it got") {
    Graph graph("net");
    graph.output(linear(graph.input(3), "fc", {.outputs = 10, .pixels = 49}));
    CHECK(last_shape(graph, 1, {7, 7}) == Shape{1, 10, 1, 1});
    const std::string text = message(graph, {8, 7});
    CHECK(text.starts_with("net: fc: "));
    CHECK(contains(text, "49"));
    CHECK(contains(text, "1x3x8x7"));
}

TEST_CASE("sizes that no image has are refused") {
    Graph graph("net");
    graph.output(relu(graph.input(3)));
    constexpr int kLargest = 1 << 15;
    CHECK(try_infer_shapes(graph, 1, {kLargest, 1}));
    struct Case {
        int batch;
        Extent image;
    };
    constexpr Case kCases[] = {
        {0, {8, 8}},           {1, {0, 8}}, {1, {8, -1}}, {-3, {8, 8}}, {1, {kLargest + 1, 8}},
        {kLargest + 1, {8, 8}}};
    for (const Case& c : kCases) {
        const auto shapes = try_infer_shapes(graph, c.batch, c.image);
        REQUIRE_FALSE(shapes);
        CHECK(shapes.error().code() == Error::Code::argument);
    }
}

}  // namespace shapes_test
