// Microbenchmarks of every layer type, on one thread: every distinct convolution and linear layer
// of the registered networks, each by every algorithm that serves, and what else networks consist
// of.
//
//     layers --benchmark_filter='conv3x3/' --summary
//
// Names: layer/HxWxIN->OUT/algorithm, of the input; the label says where the layer is found.
// `%peak` compares the multiply-adds of the layer's definition with the peak of this run
// (Winograd's algorithm, which does fewer, may pass it); `%peak_padded` counts those that fill up
// vectors too;
// `%read` compares the useful bytes with the bandwidth of reading as many bytes. One layer repeated
// finds its weights in cache: in a network the large ones come from memory, as with --cold.
#include "../examples/program.hpp"
#include "conv_cases.hpp"
#include "harness.hpp"
#include "network_layers.hpp"
#include "other_cases.hpp"

#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace lumbar;

struct Options {
    std::string model;  ///< empty: all
    bool cold = false;
    bool summary = false;
};

/// All benchmarks, or those of one network's convolutions and linear layers.
void add_layers(const Options& o) {
    bench::NetworkLayers layers;
    for (const ModelInfo& model : models()) {
        if (o.model.empty() || model.name == o.model) layers.add(model);
    }
    if (o.model.empty()) {
        for (bench::ConvLayer& c : bench::more_convolutions()) layers.convolutions.push_back(c);
    }
    bench::Isa& native = bench::Isa::of<simd::Native>();
    bench::add_context(native);
    bench::add_bandwidth_context();
    for (const bench::ConvLayer& c : layers.convolutions) bench::add_convolution(native, c, "");
    for (const bench::LinearCase& c : layers.linear) bench::add_linear(native, c);
    if (o.model.empty()) bench::add_movers(native);
#if defined(__AVX512F__)
    bench::Isa& avx2 = bench::Isa::of<xsimd::fma3<xsimd::avx2>>();
    bench::add_context(avx2);
    for (const bench::ConvLayer& c : layers.convolutions) bench::add_convolution(avx2, c, "/avx2");
#endif
}

/// `rest`: Google Benchmark's options.
int run_layers(const Options& o, const char* program, std::vector<std::string> rest) {
    if (!o.model.empty() && !find_model(o.model)) try_make(o.model).value();  // throws
    std::vector<char*> arguments{const_cast<char*>(program)};
    for (std::string& argument : rest) arguments.push_back(argument.data());
    if (!bench::initialize(static_cast<int>(arguments.size()), arguments.data())) return 1;
    bench::ColdCache::wanted() = o.cold;
    add_layers(o);
    const bool any = benchmark::RunSpecifiedBenchmarks() > 0;
    if (o.summary) bench::LayerResults::all().print();
    benchmark::Shutdown();
    return any ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options o;
    CLI::App app("Times layers, one by one, on one thread.");
    app.add_option("--model", o.model, "only the convolutions and linear layers of this network");
    app.add_flag("--cold", o.cold, "time calls too that find nothing in the caches");
    app.add_flag("--summary", o.summary, "print median and minimum of each class of layer");
    app.allow_extras();
    app.footer(
        "Other options are Google Benchmark's: --benchmark_filter=REGEX, "
        "--benchmark_list_tests=true,\n--benchmark_out=FILE, --benchmark_min_time=SECONDS ...");
    return run_program("layers", app, argc, argv,
                       [&] { return run_layers(o, argv[0], app.remaining()); });
}
