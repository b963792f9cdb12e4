// lumbar_runner: Lumbar's side of the comparison with other runtimes. Reads commands from standard
// input, one a line, and answers each with one line; `worker.py` speaks the same for the others.
//
//     about                    JSON: version, instruction set, compiler
//     models                   the registry: NAME:SIZE NAME:SIZE ...
//     prepare MODEL THREADS    compiles the network, pinned to the first THREADS cores it may use
//     run WARMUPS SECONDS      the seconds of each timed run
//     output FILE              writes the logits as raw float32
//     peak                     multiply-add peak of one core, FLOP/s, measured now
//     pingpong                 seconds for a cache line from one core to another, measured now
//
// An answer is "ok ..." or "error WHAT". With the name of a tuning file as its argument the runner
// chooses algorithms by measuring them, and keeps the choice there.
#include "../harness.hpp"

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>
#include <lumbar/runtime/tune.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sched.h>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace lumbar;
using bench::Clock;

std::vector<int> allowed_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    std::vector<int> cores;
    for (int core = 0; core < CPU_SETSIZE; ++core) {
        if (CPU_ISSET(core, &set)) cores.push_back(core);
    }
    return cores;
}

/// Restricts the calling thread, and those that it will start, to `count` cores from the `first`.
void pin(const std::vector<int>& cores, std::size_t first, std::size_t count) {
    if (first + count > cores.size()) throw std::runtime_error("there are not that many cores");
    cpu_set_t set;
    CPU_ZERO(&set);
    for (std::size_t i = first; i < first + count; ++i) CPU_SET(cores[i], &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) throw std::runtime_error("cannot pin");
}

/// The median, over many slices, of the time that a cache line takes from one core to another.
double ping_pong(const std::vector<int>& cores) {
    constexpr int slices = 31, bounces = 1000;
    alignas(kAlignment) std::atomic<int> ball{0};  // even: the caller's turn
    std::vector<double> times;
    std::thread other([&] {
        pin(cores, 1, 1);
        for (int i = 0; i < slices * bounces; ++i) {
            while (ball.load(std::memory_order_acquire) != 2 * i + 1) {
            }
            ball.store(2 * i + 2, std::memory_order_release);
        }
    });
    pin(cores, 0, 1);
    for (int slice = 0; slice < slices; ++slice) {
        const Clock::time_point start = Clock::now();
        for (int i = slice * bounces; i < (slice + 1) * bounces; ++i) {
            ball.store(2 * i + 1, std::memory_order_release);
            while (ball.load(std::memory_order_acquire) != 2 * i + 2) {
            }
        }
        times.push_back(bench::seconds_since(start) / (2 * bounces));
    }
    other.join();
    std::nth_element(times.begin(), times.begin() + slices / 2, times.end());
    return times[slices / 2];
}

class Runner {
   public:
    explicit Runner(const char* tuning_file) {
        if (tuning_file) tuner_.emplace(tuning_file);
    }

    std::string answer(const std::string& line) {
        std::istringstream in(line);
        std::ostringstream out;
        std::string command;
        in >> command;
        if (command == "about") {
            out << "{\"version\": \"" << LUMBAR_VERSION_MAJOR << "." << LUMBAR_VERSION_MINOR << "."
                << LUMBAR_VERSION_PATCH << "\", \"isa\": \"" << kernel_table<simd::Native>().isa
                << "\", \"compiler\": \"" << __VERSION__ << "\"}";
        } else if (command == "models") {
            for (const ModelInfo& m : models()) out << m.name << ":" << m.input_size << " ";
        } else if (command == "prepare") {
            const std::string model = word(in);
            prepare(model, number(in));
        } else if (command == "run") {
            const int warmups = static_cast<int>(number(in));
            run(warmups, number(in), out);
        } else if (command == "output") {
            write(word(in));
        } else if (command == "peak") {
            pin(cores_, 0, 1);
            out << bench::Isa::of<simd::Native>().peak_now();
        } else if (command == "pingpong") {
            out << ping_pong(cores_);
        } else {
            throw std::runtime_error("unknown command");
        }
        pin(cores_, 0, threads_);
        return out.str();
    }

   private:
    static std::string word(std::istream& in) {
        std::string text;
        if (!(in >> text)) throw std::runtime_error("a word is missing");
        return text;
    }
    static double number(std::istream& in) {
        double value = 0;
        if (!(in >> value)) throw std::runtime_error("a number is missing");
        return value;
    }

    void prepare(const std::string& name, double threads) {
        const ModelInfo* model = find_model(name);
        if (!model) throw std::runtime_error("Lumbar knows no model " + name);
        workspace_.reset();
        network_.reset();
        threads_ = static_cast<std::size_t>(threads);
        pin(cores_, 0, threads_);
        const Graph graph = model->build({});
        network_ = std::make_unique<Network>(compile(graph, synthetic_weights(graph),
                                                     {.height = model->input_size,
                                                      .width = model->input_size,
                                                      .threads = static_cast<int>(threads),
                                                      .chooser = tuner_ ? &*tuner_ : nullptr}));
        if (tuner_) tuner_->save();
        workspace_ = std::make_unique<Workspace>(network_->workspace());
        const Tensor image = synthetic_input(network_->input_shape());
        std::copy_n(image.data(), image.shape().size(), workspace_->input().data);
        network_->run(*workspace_);
    }

    void run(int warmups, double seconds, std::ostream& out) {
        if (!network_) throw std::runtime_error("nothing is prepared");
        for (int i = 0; i < warmups; ++i) network_->run(*workspace_);
        std::vector<double> times;
        const Clock::time_point begin = Clock::now();
        do {
            const Clock::time_point start = Clock::now();
            network_->run(*workspace_);
            times.push_back(bench::seconds_since(start));
        } while (bench::seconds_since(begin) < seconds);
        for (const double t : times) out << t << " ";
    }

    void write(const std::string& path) {
        if (!network_) throw std::runtime_error("nothing is prepared");
        const ConstTensorView logits = workspace_->output(0);
        std::ofstream file(path, std::ios::binary);
        file.write(reinterpret_cast<const char*>(logits.data),
                   static_cast<std::streamsize>(logits.values().size_bytes()));
        if (!file.flush()) throw std::runtime_error("cannot write " + path);
    }

    const std::vector<int> cores_ = allowed_cores();
    std::size_t threads_ = 1;
    std::optional<Tuner> tuner_;  // outlives the network
    std::unique_ptr<Network> network_;
    std::unique_ptr<Workspace> workspace_;
};

std::string first_line(const std::exception& e) {
    const std::string what = e.what();
    return what.substr(0, what.find('\n'));
}

}  // namespace

int main(int argc, char** argv) {
    std::optional<Runner> runner;
    try {
        runner.emplace(argc > 1 ? argv[1] : nullptr);
    } catch (const std::exception& e) {
        std::cerr << "lumbar_runner: " << first_line(e) << std::endl;
        return 1;
    }
    for (std::string line; std::getline(std::cin, line);) {
        try {
            const std::string answer = runner->answer(line);
            std::cout << "ok " << answer << std::endl;
        } catch (const std::exception& e) {
            std::cout << "error " << first_line(e) << std::endl;
        }
    }
    return 0;
}
