#include <lumbar/graph/build.hpp>
#include <lumbar/graph/parameters.hpp>
#include <lumbar/graph/passes/fold_batch_norm.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace parameters_test {

using namespace lumbar;

namespace {

Graph small_network() {
    Graph graph("net");
    Value x = conv<3>(graph.input(3), "conv", {.out_channels = 8});
    x = relu(batch_norm(x, "bn"));
    x = conv(x, "grouped",
             op::Conv{.out_channels = 4,
                      .kernel = {1, 7},
                      .stride = {},
                      .dilation = {},
                      .padding = Padding::symmetric(0, 3),
                      .groups = 2,
                      .bias = true});
    x = depthwise_conv<5>(x, "dw");
    x = linear(adaptive_avg_pool(x, {2, 3}), "fc", {.outputs = 10, .pixels = 6});
    graph.output(linear(x, "head", {.outputs = 5, .bias = false}));
    return graph;
}

std::string lines(const std::vector<Parameter>& all) {
    std::string text;
    for (const Parameter& p : all) {
        text += p.name;
        for (const std::int64_t extent : p.shape) text += " " + std::to_string(extent);
        text += "\n";
    }
    return text;
}

}  // namespace

TEST_CASE("parameters are named and shaped as in a checkpoint, in the order of the nodes") {
    CHECK(lines(parameters(small_network())) ==
          "conv.weight 8 3 3 3\n"
          "bn.weight 8\n"
          "bn.bias 8\n"
          "bn.running_mean 8\n"
          "bn.running_var 8\n"
          "grouped.weight 4 4 1 7\n"
          "grouped.bias 4\n"
          "dw.weight 4 1 5 5\n"
          "fc.weight 10 24\n"
          "fc.bias 10\n"
          "head.weight 5 10\n");
}

TEST_CASE("roles and nodes say what a parameter is for") {
    const Graph graph = small_network();
    using Role = Parameter::Role;
    constexpr Role kRoles[] = {Role::filter,   Role::gain,   Role::shift, Role::mean,
                               Role::variance, Role::filter, Role::bias,  Role::filter,
                               Role::filter,   Role::bias,   Role::filter};
    const auto all = parameters(graph);
    REQUIRE(all.size() == std::size(kRoles));
    for (std::size_t i = 0; i < all.size(); ++i) {
        CAPTURE(all[i].name);
        CHECK(all[i].role == kRoles[i]);
        CHECK(all[i].name.starts_with(graph.node(all[i].node).name + "."));
    }
}

TEST_CASE("papers count what is learned: running statistics are not") {
    CHECK(parameter_count(small_network()) == 216 + 16 + 112 + 4 + 100 + 250 + 50);
    CHECK(Parameter{"p", {2, 3, 5}, Parameter::Role::filter, 0}.size() == 30);
    CHECK(Parameter{"p", {}, Parameter::Role::bias, 0}.size() == 1);
}

TEST_CASE("folded batch normalisations keep their parameters") {
    const Graph graph = small_network();
    const Graph folded = fold_batch_norm(graph);
    REQUIRE(folded.size() == graph.size() - 1);
    CHECK(lines(parameters(folded)) == lines(parameters(graph)));
    CHECK(parameter_count(folded) == parameter_count(graph));
}

}  // namespace parameters_test
