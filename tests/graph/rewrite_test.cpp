#include <lumbar/graph/build.hpp>
#include <lumbar/graph/rewrite.hpp>

#include <doctest/doctest.h>

#include <graph/pass_checks.hpp>
#include <vector>

namespace rewrite_test {

using namespace lumbar;
using oracle::names;

TEST_CASE("readers are the nodes that use a value, once per use, and -1 for every output") {
    Graph graph("net");
    const Value x = graph.input(3);
    const Value y = relu(x);
    const Value z = y + y;
    graph.output(y);
    graph.output(z);
    graph.output(z);
    const auto all = readers(graph);
    REQUIRE(all.size() == 3);
    CHECK(all[0] == std::vector<int>{1});
    CHECK(all[1] == std::vector<int>{2, 2, -1});
    CHECK(all[2] == std::vector<int>{-1, -1});
    CHECK(only_reader(all, 0, 1));
    CHECK_FALSE(only_reader(all, 0, 2));
    CHECK_FALSE(only_reader(all, 1, 2));
    CHECK_FALSE(only_reader(all, 2, -1));
}

TEST_CASE("without replacements a graph stays, but for what no output depends on") {
    Graph graph("net");
    const Value x = graph.input(3);
    const Value dead = relu(x);
    const Value y = hard_swish(x);
    max_pool(dead, {});
    graph.output(y);
    const Graph after = rewire(graph, no_replacement(graph));
    CHECK(names(after) == "input hard_swish");
    CHECK(after.outputs() == std::vector<int>{1});
    CHECK(after.name() == "net");
}

TEST_CASE("replacements are followed through chains, for inputs and outputs alike") {
    Graph graph("net");
    const Value x = graph.input(3);
    Value y = relu(x);
    y = relu6(y);
    y = hard_swish(y);
    graph.output(max_pool(y, {}));
    graph.output(y);
    std::vector<int> replacement = no_replacement(graph);
    replacement[3] = 2;
    replacement[2] = 1;
    const Graph after = rewire(graph, replacement);
    CHECK(names(after) == "input relu max_pool");
    CHECK(after.node(2).inputs == std::vector<int>{1});
    CHECK(after.outputs() == std::vector<int>{2, 1});
}

TEST_CASE("the image stays even where no output depends on it") {
    Graph graph("net");
    graph.output(graph.input(3));
    const Graph after = rewire(graph, no_replacement(graph));
    CHECK(names(after) == "input");
    CHECK(after.outputs() == std::vector<int>{0});
}

TEST_CASE("slices of concatenations are renumbered, or forgotten with them") {
    Graph graph("net");
    const Value x = graph.input(4);
    const Value unused = relu(x);
    const Value a = relu6(x);
    const Value kept = concat({a, x});
    const Value b = hard_swish(x);
    const Value dropped = concat({b, unused});
    graph.output(kept);
    graph.output(b);
    graph.node(a.id()).slice = Slice{kept.id(), 0};
    graph.node(b.id()).slice = Slice{dropped.id(), 0};
    const Graph after = rewire(graph, no_replacement(graph));
    CHECK(names(after) == "input relu6 concat hard_swish");
    REQUIRE(after.node(1).slice);
    CHECK(after.node(1).slice->concat == 2);
    CHECK_FALSE(after.node(3).slice);
    CHECK(oracle::well_formed(after));
}

TEST_CASE("the graph's ignored prefixes and mistakes survive") {
    Graph graph("net");
    graph.ignore("aux.");
    graph.output(conv<3>(graph.input(3), "layer", {}));
    const Graph after = rewire(graph, no_replacement(graph));
    CHECK(after.ignored() == graph.ignored());
    REQUIRE(after.error());
    CHECK(after.error()->message() == graph.error()->message());
}

}  // namespace rewrite_test
