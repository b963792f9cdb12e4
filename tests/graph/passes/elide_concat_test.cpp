#include <lumbar/graph/build.hpp>
#include <lumbar/graph/passes/elide_concat.hpp>
#include <lumbar/graph/passes/fold_batch_norm.hpp>
#include <lumbar/graph/passes/fuse_activation.hpp>
#include <lumbar/graph/passes/fuse_residual.hpp>

#include <doctest/doctest.h>

#include <graph/pass_checks.hpp>

namespace elide_concat_test {

using namespace lumbar;

namespace {

Value branch(Value x, const char* name, int channels) {
    return conv<1>(x, name, {.out_channels = channels});
}

/// "conv@0 conv@8": who lives where in that concatenation.
std::string slices_of(const Graph& graph, int concat) {
    std::string all;
    for (const Node& node : graph.nodes()) {
        if (node.slice && node.slice->concat == concat) {
            all += (all.empty() ? "" : " ") + node.name + "@" +
                   std::to_string(node.slice->first_channel);
        }
    }
    return all;
}

int last(const Graph& graph) { return graph.size() - 1; }

}  // namespace

TEST_CASE("branches live in slices of the concatenation") {
    Graph graph("test");
    const Value x = graph.input(3);
    graph.output(concat({branch(x, "a", 8), branch(x, "b", 16), branch(x, "c", 5)}));
    const Graph elided = elide_concat(graph, 8);
    CHECK(slices_of(elided, last(elided)) == "a@0 b@8 c@24");
    CHECK(oracle::names(elided) == oracle::names(graph));
    CHECK(oracle::output_difference(graph, elided) <= oracle::kSame);
}

TEST_CASE("a slice that does not start at a multiple of the lanes stays a copy") {
    Graph graph("test");
    const Value x = graph.input(3);
    graph.output(concat({branch(x, "a", 8), branch(x, "b", 12), branch(x, "c", 8)}));
    struct Case {
        int lanes;
        const char* slices;
    };
    constexpr Case kCases[] = {
        {1, "a@0 b@8 c@20"}, {4, "a@0 b@8 c@20"}, {8, "a@0 b@8"}, {16, "a@0"}};
    for (const Case& c : kCases) {
        CAPTURE(c.lanes);
        const Graph elided = elide_concat(graph, c.lanes);
        CHECK(slices_of(elided, last(elided)) == c.slices);
    }
}

TEST_CASE("nested concatenations live in slices of one another") {
    Graph graph("test");
    const Value x = graph.input(3);
    const Value inner = concat({branch(x, "b", 4), branch(x, "c", 4)});
    const Value outer = concat({branch(x, "a", 8), inner});
    graph.output(outer);
    const Graph elided = elide_concat(graph, 4);
    CHECK(slices_of(elided, inner.id()) == "b@0 c@4");
    CHECK(slices_of(elided, outer.id()) == "concat@8 a@0");
    CHECK(oracle::well_formed(elided));
    CHECK(oracle::output_difference(graph, elided) <= oracle::kSame);
}

TEST_CASE("a value lives in one place only") {
    Graph graph("test");
    const Value x = graph.input(3);
    const Value a = branch(x, "a", 4);
    const Value b = branch(x, "b", 4);
    const Value first = concat({a, b, a});
    const Value second = concat({b, first});
    graph.output(second);
    const Graph elided = elide_concat(graph, 4);
    CHECK(slices_of(elided, first.id()) == "a@0 b@4");
    CHECK(slices_of(elided, second.id()) == "concat@4");
    CHECK(oracle::output_difference(graph, elided) <= oracle::kSame);
}

TEST_CASE("the image is never a slice") {
    Graph graph("test");
    const Value x = graph.input(4);
    graph.output(concat({x, branch(x, "a", 4)}));
    const Graph elided = elide_concat(graph, 4);
    CHECK(slices_of(elided, last(elided)) == "a@4");
}

TEST_CASE("slices follow their concatenation through later passes") {
    Graph graph("test");
    const Value x = graph.input(4);
    const Value gone = relu(batch_norm(branch(x, "stem", 4), "bn"));
    const Value joined = concat({branch(gone, "a", 4), max_pool(gone, {3, 1, 1})});
    graph.output(relu(branch(joined, "head", 4)));
    const Graph after = fuse_activation(fuse_residual(fold_batch_norm(elide_concat(graph, 4))));
    CHECK(oracle::names(after) == "input stem a max_pool concat head");
    CHECK(slices_of(after, 4) == "a@0 max_pool@4");
    CHECK(oracle::well_formed(after));
    CHECK(oracle::output_difference(graph, after) <= oracle::kSame);
}

}  // namespace elide_concat_test
