#include <lumbar/graph/build.hpp>
#include <lumbar/graph/features.hpp>

#include <doctest/doctest.h>

#include <graph/pass_checks.hpp>
#include <string>
#include <vector>

namespace features_test {

using namespace lumbar;
using oracle::names;

namespace {

std::vector<std::string> layers(const Graph& graph) {
    std::vector<std::string> result;
    for (const FeatureInfo& f : feature_info(graph)) result.push_back(f.layer);
    return result;
}
using Layers = std::vector<std::string>;

Value unit(Value x, const std::string& name, int channels, int stride = 1) {
    return relu(batch_norm(conv<3>(x, name + ".conv", {.out_channels = channels, .stride = stride}),
                           name + ".bn"));
}

/// Two stages with a shortcut each, and a head.
Graph residual_network() {
    Graph graph("net");
    Value x = unit(graph.input(3), "stem", 8, 2);
    x = relu(x + batch_norm(conv<3>(x, "one.conv", {.out_channels = 8}), "one.bn"));
    const Value shortcut = conv<1>(x, "two.shortcut", {.out_channels = 16, .stride = 2});
    x = relu(batch_norm(conv<3>(x, "two.conv", {.out_channels = 16, .stride = 2}), "two.bn") +
             shortcut);
    graph.output(linear(global_avg_pool(x), "fc", {.outputs = 10}));
    return graph;
}

std::string mistake(const Graph& graph) {
    REQUIRE(graph.error());
    return graph.error()->message();
}

}  // namespace

TEST_CASE("the map of a stride is the last that all the rest depends on") {
    const Graph all = features(residual_network(), {2, 4});
    CHECK(names(all) ==
          "input stem.conv stem.bn relu one.conv one.bn add relu two.shortcut two.conv two.bn add "
          "relu");
    CHECK(all.outputs() == std::vector<int>{7, 12});
    const std::vector<FeatureInfo> info = feature_info(all);
    REQUIRE(info.size() == 2);
    CHECK(info[0].layer == "one.bn");
    CHECK(info[0].channels == 8);
    CHECK(info[0].stride == Extent{2, 2});
    CHECK(info[0].receptive_field == Extent{7, 7});
    CHECK(info[1].layer == "two.bn");
    CHECK(info[1].channels == 16);
    CHECK(info[1].stride == Extent{4, 4});
    CHECK(info[1].receptive_field == Extent{11, 11});
}

TEST_CASE("nothing beyond the deepest map remains, and its weights may stay in the file") {
    const Graph graph = features(residual_network(), {2});
    CHECK(names(graph) == "input stem.conv stem.bn relu one.conv one.bn add relu");
    CHECK(graph.ignored() ==
          std::vector<std::string>{"two.shortcut.", "two.conv.", "two.bn.", "fc."});
}

TEST_CASE("maps come in the order in which they are asked for, and again where asked twice") {
    CHECK(layers(features(residual_network(), {4, 2, 4})) == Layers{"two.bn", "one.bn", "two.bn"});
}

TEST_CASE("a stride that is not there is a mistake") {
    CHECK(mistake(features(residual_network(), {2, 8})) ==
          "net: features: there is no feature map of stride 8, but of 2, 4");
    CHECK(mistake(features(residual_network(), {0})) ==
          "net: features: there is no feature map of stride 0, but of 2, 4");
    // The image itself is none of the network's maps.
    CHECK(mistake(features(residual_network(), {1})) ==
          "net: features: there is no feature map of stride 1, but of 2, 4");
}

#if LUMBAR_HAS_EXCEPTIONS
TEST_CASE("what is known of maps says the mistake in their graph") {
    CHECK_THROWS_WITH_AS((void)feature_info(features(residual_network(), {5})),
                         doctest::Contains("stride 5"), Error);
}
#endif

TEST_CASE("what nothing reads is no map") {
    Graph graph("net");
    const Value x = unit(graph.input(3), "used", 8, 2);
    unit(x, "auxiliary", 8);
    graph.output(linear(global_avg_pool(x), "fc", {.outputs = 10}));
    CHECK(layers(features(graph, {2})) == Layers{"used.bn"});
}

TEST_CASE("the expansion of the next block is taken where it is asked for") {
    Graph graph("net");
    Value x = unit(graph.input(3), "stem", 16, 2);
    x = batch_norm(conv<1>(x, "project", {.out_channels = 8}), "project_bn");
    SUBCASE("after a bottleneck") {}
    SUBCASE("after a shortcut") {
        x = x + batch_norm(conv<1>(x, "again", {.out_channels = 8}), "again_bn");
    }
    const int narrow = x.id();
    x = relu6(batch_norm(conv<1>(x, "expand", {.out_channels = 48}), "expand_bn"));
    x = relu6(batch_norm(depthwise_conv<3>(x, "filter", {.stride = 2}), "filter_bn"));
    graph.output(linear(global_avg_pool(x), "fc", {.outputs = 10}));
    CHECK(features(graph, {2}).outputs() == std::vector<int>{narrow});
    const Graph wide = features(graph, {2}, FeatureTap::expanded);
    CHECK(feature_info(wide)[0].channels == 48);
    CHECK(layers(wide) == Layers{"expand_bn"});
    // A convolution after an activation is no expansion of the next block.
    CHECK(layers(features(graph, {4})) == Layers{"filter_bn"});
}

TEST_CASE("normalisation before the next block's convolutions is not part of the map") {
    Graph graph("net");
    Value x = conv<3>(graph.input(3), "stem", {.out_channels = 8, .stride = 2});
    x = x + conv<3>(relu(batch_norm(x, "one.bn")), "one.conv", {.out_channels = 8});
    const int sum = x.id();
    const Value y = relu(batch_norm(x, "two.bn"));
    const Value shortcut = conv<1>(y, "two.shortcut", {.out_channels = 8, .stride = 2});
    x = shortcut + conv<3>(y, "two.conv", {.out_channels = 8, .stride = 2});
    graph.output(linear(global_avg_pool(relu(batch_norm(x, "bn"))), "fc", {.outputs = 10}));
    CHECK(features(graph, {2}).outputs() == std::vector<int>{sum});
    CHECK(layers(features(graph, {2}, FeatureTap::expanded)) == Layers{"two.bn"});
    CHECK(layers(features(graph, {4})) == Layers{"two.conv"});
    CHECK(layers(features(graph, {4}, FeatureTap::expanded)) == Layers{"bn"});
}

TEST_CASE("layers are found by the name of a module or of a node") {
    const Graph graph = residual_network();
    CHECK(features(graph, {"one"}).outputs() == std::vector<int>{7});
    CHECK(features(graph, {"one.bn"}).outputs() == std::vector<int>{5});
    CHECK(features(graph, {"two", "stem"}).outputs() == std::vector<int>{12, 3});
    CHECK(features(graph, {"fc"}).outputs() == std::vector<int>{14});
    CHECK(mistake(features(graph, {"three"})) == "net: features: no layer is named 'three'");
    CHECK(mistake(features(graph, {"on"})) == "net: features: no layer is named 'on'");
    CHECK(mistake(features(graph, {""})) == "net: features: no layer is named ''");
}

TEST_CASE("a module ends with its concatenation, before the next pooling") {
    Graph graph("net");
    const Value x = unit(graph.input(3), "stem", 8);
    const Value y = concat({unit(x, "mixed.a", 4), unit(x, "mixed.b", 4)});
    graph.output(max_pool(y, {}));
    CHECK(names(features(graph, {"mixed"})).ends_with("relu concat"));
    CHECK(features(graph, {"mixed"}).node(10).channels == 8);
}

TEST_CASE("without a head the last map is the output, or what the classifier reads") {
    const Graph map = without_head(residual_network());
    CHECK(names(map).ends_with("two.bn add relu"));
    CHECK(map.outputs() == std::vector<int>{12});
    const Graph vector = embedding(residual_network());
    CHECK(names(vector).ends_with("relu global_avg_pool"));
    CHECK(feature_info(vector)[0].stride == Extent{0, 0});
    CHECK(vector.ignored() == std::vector<std::string>{"fc."});
    Graph convolutional("net");
    convolutional.output(unit(convolutional.input(3), "stem", 8));
    CHECK(names(without_head(convolutional)) == "input stem.conv stem.bn relu");
    CHECK(mistake(embedding(convolutional)) ==
          "net: embedding: there is no linear layer that classifies");
}

TEST_CASE("a mistake of the graph outlives the choice of its outputs") {
    Graph graph("net");
    graph.output(conv<3>(graph.input(3), "layer", {}));
    const std::string first = mistake(graph);
    CHECK(mistake(features(graph, {"layer"})) == first);
    CHECK(mistake(without_head(graph)) == first);
}

}  // namespace features_test
