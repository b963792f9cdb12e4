// What holds for every pass, on graphs that nobody designed.
#include <oracle/random_graph.hpp>

#include <lumbar/graph/passes/elide_concat.hpp>
#include <lumbar/graph/passes/fold_batch_norm.hpp>
#include <lumbar/graph/passes/fuse_activation.hpp>
#include <lumbar/graph/passes/fuse_residual.hpp>
#include <lumbar/graph/passes/pool_after_pointwise.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <graph/pass_checks.hpp>

namespace any_graph_test {

using namespace lumbar;

namespace {

constexpr int kGraphs = 60;

Graph elide_four_lanes(Graph graph) { return elide_concat(std::move(graph), 4); }

using Pass = Graph (*)(Graph);
struct NamedPass {
    const char* name;
    Pass run;
};
constexpr std::array<NamedPass, 5> kPasses{{
    {"elide_concat", elide_four_lanes},
    {"fold_batch_norm", [](Graph g) { return fold_batch_norm(std::move(g)); }},
    {"fuse_activation", [](Graph g) { return fuse_activation(std::move(g)); }},
    {"fuse_residual", [](Graph g) { return fuse_residual(std::move(g)); }},
    {"pool_after_pointwise", [](Graph g) { return pool_after_pointwise(std::move(g)); }},
}};

void check(const Graph& before, const Graph& after) {
    REQUIRE(oracle::well_formed(after));
    CHECK(after.outputs().size() == before.outputs().size());
    CHECK(oracle::output_difference(before, after, {4, 5}) <= oracle::kSame);
}

}  // namespace

TEST_CASE("each pass keeps the meaning of any graph, and all of its outputs") {
    for (std::uint64_t seed = 0; seed < kGraphs; ++seed) {
        CAPTURE(seed);
        const Graph graph = oracle::RandomGraph::make(seed);
        REQUIRE_FALSE(graph.error());
        for (const NamedPass& pass : kPasses) {
            CAPTURE(pass.name);
            check(graph, pass.run(graph));
        }
    }
}

TEST_CASE("passes may run in any order, and again") {
    for (std::uint64_t seed = 0; seed < kGraphs; ++seed) {
        CAPTURE(seed);
        const Graph graph = oracle::RandomGraph::make(1000 + seed);
        std::array<std::size_t, 5> order{0, 1, 2, 3, 4};
        // One order per graph: every other of the 120.
        for (std::uint64_t i = 0; i < 2 * seed; ++i) {
            std::next_permutation(order.begin(), order.end());
        }
        Graph after = graph;
        std::string ran;
        for (int round = 0; round < 2; ++round) {
            for (const std::size_t i : order) {
                after = kPasses[i].run(std::move(after));
                ran += std::string(" ") + kPasses[i].name;
            }
        }
        CAPTURE(ran);
        check(graph, after);
    }
}

}  // namespace any_graph_test
