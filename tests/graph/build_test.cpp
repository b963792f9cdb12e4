#include <lumbar/graph/build.hpp>
#include <lumbar/graph/parameters.hpp>
#include <lumbar/graph/shapes.hpp>

#include <doctest/doctest.h>

#include <string>

namespace build_test {

using namespace lumbar;

namespace {

/// The message of the first mistake in a graph.
std::string mistake(const Graph& graph) { return graph.error() ? graph.error()->message() : ""; }

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("functions from values to values add one node each, in order") {
    Graph graph("net");
    Value x = graph.input(3);
    x = relu(batch_norm(conv<7>(x, "conv1", {.out_channels = 8, .stride = 2}), "bn1", 1e-3));
    x = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
    graph.output(linear(global_avg_pool(x), "fc", {.outputs = 10}));
    const char* const names[] = {"input",    "conv1",           "bn1", "relu",
                                 "max_pool", "global_avg_pool", "fc"};
    REQUIRE(graph.size() == 7);
    for (int id = 0; id < graph.size(); ++id) {
        CAPTURE(id);
        CHECK(graph.node(id).name == names[id]);
        if (id > 0) CHECK(graph.node(id).inputs == std::vector<int>{id - 1});
    }
    CHECK(graph.outputs() == std::vector<int>{6});
    CHECK(mistake(graph) == "");
    const auto* c = graph.node(1).as<op::Conv>();
    REQUIRE(c);
    CHECK(c->kernel == Extent{7, 7});
    CHECK(c->stride == Extent{2, 2});
    CHECK(c->padding == Padding::all(3));
    CHECK_FALSE(c->bias);
    CHECK(graph.node(2).as<op::BatchNorm>()->epsilon == 1e-3);
    CHECK(graph.node(4).channels == 8);
    CHECK(graph.node(6).channels == 10);
}

TEST_CASE("the default padding keeps the size, also of dilated and even kernels' smaller side") {
    Graph graph("net");
    const Value x = graph.input(4);
    const auto padding = [&](Value v) { return graph.node(v.id()).as<op::Conv>()->padding; };
    CHECK(padding(conv<1>(x, "a", {.out_channels = 4})) == Padding{});
    CHECK(padding(conv<5>(x, "b", {.out_channels = 4})) == Padding::all(2));
    CHECK(padding(conv<3>(x, "c", {.out_channels = 4, .dilation = 3})) == Padding::all(3));
    CHECK(padding(conv<3>(x, "d", {.out_channels = 4, .padding = 0})) == Padding{});
    CHECK(padding(conv<3>(x, "e", {.out_channels = 4, .mode = PaddingMode::same})) == Padding{});
    CHECK(padding(conv<2>(x, "f", {.out_channels = 4})) == Padding{});
}

TEST_CASE("a depthwise convolution has as many groups and outputs as its input has channels") {
    Graph graph("net");
    const Value y = depthwise_conv<3>(graph.input(6), "dw", {.out_channels = 99, .stride = 2});
    const auto* c = graph.node(y.id()).as<op::Conv>();
    CHECK(c->groups == 6);
    CHECK(c->out_channels == 6);
    CHECK(y.channels() == 6);
}

TEST_CASE("no activation adds no node") {
    Graph graph("net");
    const Value x = graph.input(3);
    CHECK(activate(x, Activation::none).id() == x.id());
    CHECK(graph.size() == 1);
}

TEST_CASE("a squeeze-and-excite block gates the image with two layers of its average") {
    Graph graph("net");
    const Value x = graph.input(8);
    const Value y = squeeze_excite(x, "se",
                                   {.squeezed_channels = 2,
                                    .activation = Activation::relu,
                                    .gate = Activation::hard_sigmoid,
                                    .reduce = "down",
                                    .expand = "up"});
    std::string names;
    for (const Node& node : graph.nodes()) names += node.name + " ";
    CHECK(names == "input global_avg_pool se.down relu se.up hard_sigmoid scale_channels ");
    CHECK(graph.node(y.id()).inputs == std::vector<int>{0, 5});
    CHECK(y.channels() == 8);
}

TEST_CASE("a concatenation has the channels of all its parts") {
    Graph graph("net");
    const Value x = graph.input(3);
    const Value a = conv<1>(x, "a", {.out_channels = 5});
    const Value y = concat({a, x, a});
    CHECK(y.channels() == 13);
    CHECK(graph.node(y.id()).inputs == std::vector<int>{1, 0, 1});
}

TEST_CASE("padded channels stand before and after, and cannot be fewer than none") {
    Graph graph("net");
    const Value x = graph.input(3);
    CHECK(pad_channels(x, {.before = 2, .after = 4}).channels() == 9);
    CHECK(mistake(graph) == "");
    (void)pad_channels(x, {.before = -1, .after = 4});
    CHECK(contains(mistake(graph), "pad_channels"));
}

TEST_CASE("mistakes are kept in the graph and name the network and the node") {
    struct Case {
        const char* what;
        void (*build)(Value x);
        const char* node;
        const char* part;
    };
    const Case cases[] = {
        {"no channels", [](Value x) { conv<3>(x, "layer", {}); }, "layer", "at least 1"},
        {"no stride", [](Value x) { conv<3>(x, "layer", {.out_channels = 4, .stride = 0}); },
         "layer", "at least 1"},
        {"no groups", [](Value x) { conv<3>(x, "layer", {.out_channels = 4, .groups = 0}); },
         "layer", "at least 1"},
        {"groups that do not divide the input",
         [](Value x) { conv<3>(x, "layer", {.out_channels = 4, .groups = 4}); }, "layer",
         "4 groups do not divide 6 input and 4 output channels"},
        {"groups that do not divide the output",
         [](Value x) { conv<3>(x, "layer", {.out_channels = 4, .groups = 3}); }, "layer",
         "3 groups do not divide 6 input and 4 output channels"},
        {"negative padding",
         [](Value x) {
             op::Conv c;
             c.out_channels = 4;
             c.padding.right = -1;
             conv(x, "layer", c);
         },
         "layer", "padding are 0 to"},
        {"a pool with too much padding", [](Value x) { max_pool(x, {.kernel = 2, .padding = 2}); },
         "max_pool", "half the kernel"},
        {"a pool without stride", [](Value x) { avg_pool(x, {.kernel = 2, .stride = 0}); },
         "avg_pool", "at least 1"},
        {"an empty average",
         [](Value x) {
             adaptive_avg_pool(x, {0, 1});
         },
         "avg_pool", "empty"},
        {"no outputs", [](Value x) { linear(x, "fc", {.outputs = 0}); }, "fc", "positive"},
        {"no pixels", [](Value x) { linear(x, "fc", {.outputs = 5, .pixels = 0}); }, "fc",
         "positive"},
        {"an addition of other channels",
         [](Value x) { x + conv<1>(x, "layer", {.out_channels = 4}); }, "add", "6 and 4 channels"},
        {"a gate of other channels",
         [](Value x) { scale_channels(x, conv<1>(x, "layer", {.out_channels = 4})); },
         "scale_channels", "the gate has 4 channels, the image 6"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.what);
        Graph graph("net");
        c.build(graph.input(6));
        const std::string message = mistake(graph);
        CAPTURE(message);
        CHECK(message.starts_with(std::string("net: ") + c.node + ": "));
        CHECK(contains(message, c.part));
        // Whatever looks at such a graph says so, or at least survives it.
        const auto shapes = try_infer_shapes(graph, 1, {8, 8});
        REQUIRE_FALSE(shapes);
        CHECK(shapes.error().code() == Error::Code::graph);
        CHECK(shapes.error().message() == message);
        CHECK(parameter_count(graph) >= 0);
    }
}

TEST_CASE("the first mistake is the one that is reported") {
    Graph graph("net");
    const Value x = graph.input(6);
    conv<3>(x, "first", {});
    conv<3>(x, "second", {});
    CHECK(contains(mistake(graph), "first"));
}

TEST_CASE("what a checkpoint may hold beyond the network is kept by prefix") {
    Graph graph("net");
    graph.ignore("AuxLogits.");
    graph.ignore("aux1.");
    CHECK(graph.ignored() == std::vector<std::string>{"AuxLogits.", "aux1."});
}

TEST_CASE("a second input, values of two graphs and absurd windows are refused") {
    Graph two("two");
    const Value x = two.input(3);
    two.input(3);
    REQUIRE(two.error());
    CHECK(two.error()->message().find("one input") != std::string::npos);

    Graph none("none");
    none.input(0);
    CHECK(none.error());

    Graph other("other");
    const Value y = other.input(3);
    static_cast<void>(y + y);
    CHECK_FALSE(other.error());
    static_cast<void>(x + y);
    REQUIRE(other.error());
    CHECK(other.error()->message().find("different graphs") != std::string::npos);

    for (const SquareConv& c :
         {SquareConv{.out_channels = 4, .dilation = 1 << 30},
          SquareConv{.out_channels = 4, .stride = 1 << 20},
          SquareConv{.out_channels = 4, .padding = 1 << 20}, SquareConv{.out_channels = 1 << 30}}) {
        Graph graph("absurd");
        conv<5>(graph.input(3), "layer", c);
        REQUIRE(graph.error());
        CHECK(graph.error()->message().find("layer") != std::string::npos);
    }
}

}  // namespace build_test
