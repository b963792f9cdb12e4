// Batches: the images are computed as each would be alone, in lots where that is faster.
#include <oracle/allocation_counts.hpp>
#include <oracle/array.hpp>
#include <oracle/changing_threads.hpp>

#include <lumbar/graph/features.hpp>
#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace batch_test {

using namespace lumbar;

namespace {

void fill(TensorView x, std::uint32_t seed) {
    for (std::int64_t i = 0; i < x.shape.size(); ++i) {
        seed = seed * 1664525 + 1013904223;
        x.data[i] = static_cast<float>(seed >> 8) / 8388608.0f - 1.0f;
    }
}

std::vector<float> values_of(ConstTensorView x) { return {x.values().begin(), x.values().end()}; }

}  // namespace

TEST_CASE("every image of a batch has the bits that it has alone, on any number of threads") {
    std::vector<Graph> graphs{mobilenet_v2(), googlenet(), Graph("large linear layer")};
    Value x = graphs[2].input(3);
    x = relu(conv(x, "conv",
                  {.out_channels = 40,
                   .kernel = {3, 3},
                   .stride = {2, 2},
                   .dilation = {},
                   .padding = {1, 1}}));
    x = relu(conv(
        x, "winograd",
        {.out_channels = 40, .kernel = {3, 3}, .stride = {}, .dilation = {}, .padding = {1, 1}}));
    x = relu(linear(adaptive_avg_pool(x, {7, 7}), "fc1", {.outputs = 4200, .pixels = 49}));
    graphs[2].output(linear(x, "fc2", {.outputs = 1000}));
    for (const Graph& graph : graphs) {
        CAPTURE(graph.name());
        const int side = graph.name() == "mobilenet_v2" ? 64 : 32;
        lumbar_test::ChangingThreads executor(1);
        const Network single = compile(graph, synthetic_weights(graph),
                                       {.height = side, .width = side, .executor = &executor});
        Tensor images(Shape{8, 3, side, side});
        fill(images.view(), 1);
        std::vector<std::vector<float>> alone;
        Workspace one = single.workspace();
        const std::int64_t size = single.input_shape().size();
        for (int n = 0; n < 8; ++n) {
            std::copy_n(images.data() + n * size, size, one.input().data);
            single.run(one);
            alone.push_back(values_of(one.output()));
        }
        for (const int threads : {1, 2, 3}) {
            CAPTURE(threads);
            executor.set(threads);
            REQUIRE(executor.concurrency() == threads);
            for (const int batch : {2, 3, 5, 6, 8}) {
                CAPTURE(batch);
                const Network network = single.resized({side, side, batch});
                REQUIRE(network.input_shape() == Shape{batch, 3, side, side});
                // Of a batch in lots, each is one thread's.
                const int sharing = network.steps().front()->threads;
                REQUIRE((sharing == 1 || sharing == threads));
                REQUIRE(network.output_shapes()[0] == Shape{batch, 1000, 1, 1});
                Workspace w = network.workspace();
                // What the first run leaves is in the second one's way.
                for (int run = 0; run < 2; ++run) {
                    std::copy_n(images.data(), batch * size, w.input().data);
                    network.run(w);
                    const std::vector<float> got = values_of(w.output());
                    bool same = true;
                    for (int n = 0; n < batch; ++n) {
                        const auto& want = alone[static_cast<std::size_t>(n)];
                        same = same && std::equal(want.begin(), want.end(), got.begin() + n * 1000,
                                                  oracle::same_bits);
                    }
                    CHECK(same);
                }
            }
        }
    }
}

TEST_CASE("all outputs of a batch in lots are in their places") {
    const Graph graph = features(resnet18(), {4, 32});
    const Weights weights = synthetic_weights(resnet18());
    const auto compiled = [&](int batch) {
        return compile(
            graph, weights,
            {.height = 64, .width = 96, .batch = batch, .threads = 2, .allow_extra_tensors = true});
    };
    const Network batch = compiled(4), single = compiled(1);
    Workspace w = batch.workspace(), one = single.workspace();
    fill(w.input(), 2);
    batch.run(w);
    REQUIRE(w.outputs() == 2);
    for (int n = 0; n < 4; ++n) {
        const std::int64_t size = single.input_shape().size();
        std::copy_n(w.input().data + n * size, size, one.input().data);
        single.run(one);
        for (int i = 0; i < 2; ++i) {
            const std::vector<float> want = values_of(one.output(i));
            const std::vector<float> got = values_of(w.output(i));
            CHECK(std::equal(want.begin(), want.end(),
                             got.begin() + n * static_cast<std::ptrdiff_t>(want.size())));
        }
    }
}

TEST_CASE("a batch in lots takes the activations of one image for each thread") {
    const Graph graph = mobilenet_v2();
    const Weights weights = synthetic_weights(graph);
    const auto arena = [&](int batch, int threads) {
        return compile(graph, weights,
                       {.height = 96, .width = 96, .batch = batch, .threads = threads})
            .arena_bytes();
    };
    const std::size_t one = arena(1, 1);
    CHECK(arena(16, 1) == one);
    CHECK(arena(16, 2) == 2 * one);
    CHECK(arena(2, 4) >= 2 * one);  // too few images for the threads: they share every step
}

TEST_CASE("a batch runs on lent threads, on a pool that others use, and with a clock") {
    const Graph graph = mobilenet_v2();
    const Weights weights = synthetic_weights(graph);
    ThreadPool pool(2);
    const CompileOptions options{.height = 64, .width = 64, .batch = 4, .executor = &pool};
    const Network network = compile(graph, weights, options);
    Workspace w = network.workspace();
    fill(w.input(), 3);
    network.run(w);
    const std::vector<float> want = values_of(w.output());
    {
        ExecutorSession taken(&pool);  // the pool is somebody else's: the run does all alone
        network.run(w);
        CHECK(values_of(w.output()) == want);
    }
    std::vector<double> seconds(network.steps().size(), -1.0);
    network.run_timed(w, seconds);
    CHECK(values_of(w.output()) == want);
    CHECK(std::all_of(seconds.begin(), seconds.end(), [](double s) { return s >= 0; }));
}

#if !defined(LUMBAR_TEST_KEEP_OPERATOR_NEW)
TEST_CASE("a run of a batch allocates nothing") {
    const Graph graph = mobilenet_v2();
    const Network network = compile(graph, synthetic_weights(graph),
                                    {.height = 64, .width = 64, .batch = 6, .threads = 2});
    Workspace w = network.workspace();
    network.run(w);
    const std::size_t before = lumbar_test::allocated_bytes;
    network.run(w);
    CHECK(lumbar_test::allocated_bytes == before);
}
#endif

}  // namespace batch_test
