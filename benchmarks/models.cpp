// Whole networks on synthetic weights: milliseconds a run, images per second, GFLOP/s, and per cent
// of the multiply-add peak of the cores used, measured in the same run.
//
//     models --benchmark_filter='resnet50/batch:1/threads:[12]$'
//
// Names: NAME/batch:B/threads:T, with /bfloat16 behind them where the weights are half as wide
// (their images per second are no float32's). Counters are those of the fastest run; Time is the
// mean. Networks are compiled when their benchmark runs, and never two at a time.
#include "harness.hpp"

#include <lumbar/kernels/bfloat16_table.hpp>
#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <string>

namespace {

using namespace lumbar;

/// The last compiled model: the next batch or thread count of the same one reuses its weights.
struct Current {
    const ModelInfo* model = nullptr;
    Weights weights;
};

void run_model(benchmark::State& state, const ModelInfo& model, int batch, int threads,
               const Bfloat16Kernels* bfloat16) {
    static Current current;
    const Graph graph = model.build({});
    if (current.model != &model) current = {&model, synthetic_weights(graph)};
    const Network network = compile(graph, current.weights,
                                    {.height = model.input_size,
                                     .width = model.input_size,
                                     .batch = batch,
                                     .threads = threads,
                                     .bfloat16 = bfloat16});
    Workspace workspace = network.workspace();
    bench::fill(workspace.input().data, static_cast<std::size_t>(network.input_shape().size()));
    bench::Isa& isa = bench::Isa::of<simd::Native>();
    isa.refresh();
    for (int i = 0; i < 3; ++i) network.run(workspace);
    double best = std::numeric_limits<double>::infinity();
    for (auto _ : state) {
        const bench::Clock::time_point start = bench::Clock::now();
        network.run(workspace);
        best = std::min(best, bench::seconds_since(start));
    }
    isa.refresh();
    const auto shapes =
        try_infer_shapes(graph, batch, {model.input_size, model.input_size}).value();
    const double flops = 2.0 * static_cast<double>(macs(graph, shapes));
    state.counters["ms"] = best * 1e3;
    state.counters["images/s"] = batch / best;
    state.counters["GFLOP/s"] = flops / best * 1e-9;
    state.counters["%peak"] = 100 * flops / best / isa.peak() / threads;
    state.counters["arena_MB"] = static_cast<double>(network.arena_bytes()) * 1e-6;
    state.counters["packed_MB"] = static_cast<double>(network.packed_bytes()) * 1e-6;
}

}  // namespace

int main(int argc, char** argv) {
    if (!bench::initialize(argc, argv)) return 1;
    bench::add_context(bench::Isa::of<simd::Native>());
    bench::add_bandwidth_context();
    for (const ModelInfo& model : models()) {
        for (const int batch : {1, 2, 4, 8, 16, 32}) {
            for (const int threads : {1, 2}) {
                for (const Bfloat16Kernels* bfloat16 :
                     {static_cast<const Bfloat16Kernels*>(nullptr), &bfloat16_kernels()}) {
                    const std::string name =
                        detail::cat({model.name, "/batch:", batch, "/threads:", threads,
                                     (bfloat16 ? "/bfloat16" : "")});
                    benchmark::RegisterBenchmark(
                        name.c_str(),
                        [&model, batch, threads, bfloat16](benchmark::State& state) {
                            run_model(state, model, batch, threads, bfloat16);
                        })
                        ->Unit(benchmark::kMillisecond)
                        ->UseRealTime();
                }
            }
        }
    }
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
