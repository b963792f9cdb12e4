// profile: one network step by step: the algorithm and why, the time, and how near it comes to the
// multiply-add peak and the read bandwidth of this machine, measured in the same run.
#include "../examples/program.hpp"
#include "profile_charts.hpp"
#include "profile_steps.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

namespace {

using namespace lumbar;
using bench::NetworkProfile;
using bench::StepProfile;

struct Options {
    std::string model = "resnet50";
    int threads = 1;
    int runs = 100;
    bool exact = false;
    std::string json;  ///< files; empty: none
    std::string svg;
};

// ---------------------------------------------------------------- table

/// "%8.1f" and the like; blanks where there is nothing to say.
std::string cell(const char* format, double value, bool has = true) {
    char text[64];
    std::snprintf(text, sizeof text, format, value);
    return has ? text : std::string(std::strlen(text), ' ');
}

void print_head(const NetworkProfile& p) {
    std::printf("%s, threads: %d, %s: %.3f ms, median of %d runs\n", p.model.c_str(), p.threads,
                p.isa.c_str(), p.seconds * 1e3, p.runs);
    std::printf(
        "multiply-add peak %.0f GFLOP/s; reading, one core: L2 %.0f GB/s, memory %.1f GB/s, "
        "as much as weights and values %.1f GB/s\n",
        p.peak * 1e-9, p.l2_read * 1e-9, p.memory_read * 1e-9, p.weight_read * 1e-9);
    std::printf(
        "MACs and bytes are those of the definition. %%read: the time that reading input "
        "and output (from a level they fit into) and weights (from one that all fit into) "
        "takes. Model: kilocycles by runtime/algorithm.hpp.\n\n");
}

void print_row(const StepProfile& s, const NetworkProfile& p) {
    const bool works = s.macs > 0;
    std::printf("%-34s %-24s %-15s %-15s %s %s %s %s %s %s %s %s  %s\n", s.name.c_str(),
                s.algorithm.c_str(), to_string(s.in).c_str(), to_string(s.out).c_str(),
                cell("%9.2f", s.macs * 1e-6, works).c_str(), cell("%9.1f", s.seconds * 1e6).c_str(),
                cell("%6.2f", 100 * s.seconds / p.all_steps).c_str(),
                cell("%8.1f", s.rate() * 1e-9, works).c_str(),
                cell("%6.1f", 100 * s.rate() / p.peak, works).c_str(),
                cell("%9.1f", s.bytes() * 1e-3).c_str(),
                cell("%7.1f", s.bytes() / s.seconds * 1e-9).c_str(),
                cell("%6.1f", 100 * s.reading / s.seconds).c_str(), s.why.c_str());
}

void print_table(const NetworkProfile& p) {
    print_head(p);
    std::printf("%-34s %-24s %-15s %-15s %9s %9s %6s %8s %6s %9s %7s %6s  %s\n", "step",
                "algorithm", "input", "output", "MMACs", "us", "%time", "GFLOP/s", "%peak", "kB",
                "GB/s", "%read", "why");
    StepProfile sum;
    for (const StepProfile& s : p.steps) {
        print_row(s, p);
        sum.macs += s.macs;
        sum.weight_bytes += s.weight_bytes;
        sum.value_bytes += s.value_bytes;
        sum.seconds += s.seconds;
        sum.reading += s.reading;
    }
    std::printf(
        "\nall steps: %.1f MMACs, %.1f GFLOP/s, %.1f %% of the peak; %.1f MB, %.1f GB/s, "
        "reading takes %.1f %% of the time\n",
        sum.macs * 1e-6, sum.rate() * 1e-9, 100 * sum.rate() / p.peak, sum.bytes() * 1e-6,
        sum.bytes() / sum.seconds * 1e-9, 100 * sum.reading / sum.seconds);
}

// ---------------------------------------------------------------- files

nlohmann::json dims(const Shape& s) { return {s.n, s.c, s.h, s.w}; }

/// Times in seconds, rates per second, bytes; shapes are N, C, H, W.
nlohmann::json to_json(const NetworkProfile& p) {
    nlohmann::json steps = nlohmann::json::array();
    for (const StepProfile& s : p.steps) {
        steps.push_back({{"name", s.name},
                         {"algorithm", s.algorithm},
                         {"kind", name_of(s.kind)},
                         {"why", s.why},
                         {"input", dims(s.in)},
                         {"output", dims(s.out)},
                         {"macs", s.macs},
                         {"weight_bytes", s.weight_bytes},
                         {"value_bytes", s.value_bytes},
                         {"seconds", s.seconds},
                         {"reading_seconds", s.reading}});
    }
    return {{"model", p.model},
            {"isa", p.isa},
            {"threads", p.threads},
            {"exact", p.exact},
            {"runs", p.runs},
            {"seconds", p.seconds},
            {"peak_flops", p.peak},
            {"read_l2", p.l2_read},
            {"read_memory", p.memory_read},
            {"read_weights", p.weight_read},
            {"steps", std::move(steps)}};
}

void write(const std::string& path, const std::string& text) {
    std::FILE* const file = std::fopen(path.c_str(), "wb");
    const bool written = file && std::fwrite(text.data(), 1, text.size(), file) == text.size();
    const int why = errno;
    const bool closed = file && std::fclose(file) == 0;
    if (!written || !closed) {
        throw Error(Error::Code::io, path + ": cannot be written: " + std::strerror(why));
    }
}

int profile(const Options& o) {
    const ModelInfo* const model = find_model(o.model);
    if (!model) try_make(o.model).value();  // throws, with the names there are
    NetworkProfile p;
    p.threads = o.threads;
    p.runs = o.runs;
    p.exact = o.exact;
    p = bench::measure_network(*model, std::move(p));
    print_table(p);
    if (!o.json.empty()) write(o.json, to_json(p).dump(1) + "\n");
    if (!o.svg.empty()) write(o.svg, bench::draw_charts(p));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options o;
    CLI::App app("Times one network step by step, on synthetic weights.");
    app.add_option("--model", o.model, "its name in the registry")->capture_default_str();
    app.add_option("--threads", o.threads, "threads to run on; 0: all cores")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    app.add_option("--runs", o.runs, "runs to take the medians of")
        ->check(CLI::Range(1, 1000000))
        ->capture_default_str();
    app.add_flag("--exact", o.exact, "without Winograd convolution");
    app.add_option("--json", o.json, "file for the numbers");
    app.add_option("--svg", o.svg, "file for the charts: time by step, and a roofline");
    return run_program("profile", app, argc, argv, [&] { return profile(o); });
}
