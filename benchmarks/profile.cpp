// profile: one network step by step: the algorithm, the time, and how near it comes to the
// multiply-add peak and the read bandwidth of this machine, measured in the same run.
#include "../examples/program.hpp"
#include "harness.hpp"

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace lumbar;

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct Options {
    std::string model = "resnet50";
    int threads = 1;
    int runs = 100;
    bool exact = false;
};

int profile(const Options& o) {
    const ModelInfo* model = find_model(o.model);
    if (!model) try_make(o.model).value();  // throws, with the names there are
    const Graph graph = model->build({});
    CompileOptions options;
    options.height = options.width = model->input_size;
    options.threads = o.threads;
    options.exact = o.exact;
    const Network network = compile(graph, synthetic_weights(graph), options);
    Workspace workspace = network.workspace();
    bench::fill(workspace.input().data, static_cast<std::size_t>(network.input_shape().size()));
    const std::size_t count = network.steps().size();
    std::vector<std::vector<double>> times(count);
    std::vector<double> seconds(count), totals;
    bench::Isa& isa = bench::Isa::of<simd::Native>();
    for (int i = 0; i < o.runs; ++i) {
        isa.refresh();
        network.run(workspace);
        network.run_timed(workspace, seconds);
        double total = 0;
        for (std::size_t s = 0; s < count; ++s) {
            times[s].push_back(seconds[s]);
            total += seconds[s];
        }
        totals.push_back(total);
    }
    const double total = median(totals);
    std::printf("%s, %d threads, %s: %.3f ms; peak %.0f GFLOP/s a core\n\n", o.model.c_str(),
                network.threads(), network.isa(), total * 1e3, isa.peak() * 1e-9);
    std::printf("%-34s %-26s %-18s %9s %9s %6s %6s\n", "step", "algorithm", "output", "MMACs", "us",
                "%time", "%peak");
    const Graph& g = network.graph();
    const auto shapes = try_infer_shapes(g, 1, {model->input_size, model->input_size}).value();
    for (std::size_t s = 0; s < count; ++s) {
        const Step& step = *network.steps()[s];
        const double t = median(times[s]);
        const double work = static_cast<double>(macs(g, step.node, shapes));
        std::printf("%-34s %-26s %-18s %9.2f %9.1f %6.2f %6.1f\n", g.node(step.node).name.c_str(),
                    step.algorithm.c_str(),
                    to_string(shapes[static_cast<std::size_t>(step.node)]).c_str(), work * 1e-6,
                    t * 1e6, 100 * t / total, 100 * 2 * work / t / isa.peak() / o.threads);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options o;
    CLI::App app("Times one network step by step, on synthetic weights.");
    app.add_option("--model", o.model, "its name in the registry")->capture_default_str();
    app.add_option("--threads", o.threads, "threads to run on")->capture_default_str();
    app.add_option("--runs", o.runs, "runs to take the median of")->capture_default_str();
    app.add_flag("--exact", o.exact, "without Winograd convolution");
    return run_program("profile", app, argc, argv, [&] { return profile(o); });
}
