// From a weight file to the first result: the time of each part, and the most memory that was
// resident meanwhile, held against what it may be. One network a process, since the system tells
// the peak of a whole process's life.
//
//     load --model resnet50 --make resnet50.safetensors
//     load --model resnet50 --weights resnet50.safetensors --exact --most 2.2
#include "../examples/program.hpp"
#include "harness.hpp"

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>
#include <lumbar/weights/safetensors_save.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

using namespace lumbar;

struct Options {
    std::string model = "resnet50";
    std::string weights;
    std::string make;
    int threads = 1;
    bool exact = false;
    double most = 0;  ///< the peak may be so many times the file; 0: not held against that
};

/// The most memory that was resident in this process's life; 0 where the system does not tell.
double peak_megabytes() {
    std::ifstream file("/proc/self/status");
    for (std::string word; file >> word;) {
        double kilobytes = 0;
        if (word == "VmHWM:" && file >> kilobytes) return kilobytes * 1024e-6;
    }
    return 0;
}

int load(const Options& o, const ModelInfo& model) {
    const double before = peak_megabytes();
    const bench::Clock::time_point start = bench::Clock::now();
    const Weights weights = load_weights(o.weights);
    const double loaded = bench::seconds_since(start);
    const Network network = compile(model.build({}), weights,
                                    {.height = model.input_size,
                                     .width = model.input_size,
                                     .threads = o.threads,
                                     .exact = o.exact});
    const double compiled = bench::seconds_since(start);
    const double peak = peak_megabytes() - before;
    Workspace workspace = network.workspace();
    bench::fill(workspace.input().data, static_cast<std::size_t>(network.input_shape().size()));
    network.run(workspace);
    const double ran = bench::seconds_since(start);

    const double file = static_cast<double>(std::filesystem::file_size(o.weights)) * 1e-6;
    const double packed = static_cast<double>(network.packed_bytes()) * 1e-6;
    std::size_t largest = 0;
    for (const TensorData& tensor : weights) largest = std::max(largest, tensor.byte_size);
    const double bound = file + packed + static_cast<double>(largest) * 1e-6;
    std::printf(
        "%s%s: file %.1f MB, packed %.1f MB; load %.1f ms, compile %.1f ms, first run %.1f "
        "ms, together %.1f ms\n",
        o.model.c_str(), o.exact ? " (exact)" : "", file, packed, loaded * 1e3,
        (compiled - loaded) * 1e3, (ran - compiled) * 1e3, ran * 1e3);
    if (before <= 0) {
        std::printf("the peak of the memory is not told here (no /proc/self/status)\n");
        return 0;
    }
    const bool good = peak <= bound && (o.most <= 0 || peak <= o.most * file);
    std::printf(
        "peak of load and compile %.1f MB, %.2f times the file; bound: file, packed and "
        "largest tensor, %.1f MB%s\n",
        peak, peak / file, bound, good ? "" : ": EXCEEDED");
    return good ? 0 : 1;
}

int run(const Options& o) {
    const ModelInfo* const model = find_model(o.model);
    if (!model) try_make(o.model).value();  // throws, with the names there are
    if (o.make.empty()) return load(o, *model);
    const Weights weights = synthetic_weights(model->build({}));
    save_safetensors(o.make, weights.tensors());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options o;
    CLI::App app(
        "Times a network from its weight file to the first result, and holds the peak of "
        "its memory against file + packed weights + largest tensor.");
    app.add_option("--model", o.model, "its name in the registry")->capture_default_str();
    CLI::Option* const weights =
        app.add_option("--weights", o.weights, "the file, of any kind that load_weights reads");
    app.add_option("--make", o.make, "write synthetic weights to this file, and do no more")
        ->excludes(weights);
    app.add_option("--threads", o.threads, "threads to run on; 0: all cores")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    app.add_flag("--exact", o.exact, "without Winograd convolution");
    app.add_option("--most", o.most, "times the file that the peak may be besides; 0: any");
    return run_program("load", app, argc, argv, [&] { return run(o); });
}
