// What the benchmark programs share: the machine's limits (multiply-add peak, read bandwidth), each
// measured in the same run as the layers that are held against them, and the counters that say how
// close a layer comes.
//
// The counters are those of the fastest of the run's time slices: on a shared machine the mean says
// more about the neighbours. The column Time is Google Benchmark's mean.
#pragma once

#include "cold_cache.hpp"

#include <lumbar/core/memory.hpp>
#include <lumbar/kernels/table.hpp>
#include <lumbar/simd/simd.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Fills with small numbers of both signs that no arithmetic turns into denormals.
inline void fill(float* data, std::size_t count, float scale = 1.0f) {
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < count; ++i) {
        state = state * 1664525u + 1013904223u;
        data[i] = scale * (static_cast<float>(state >> 8) * 0x1p-23f - 1.0f);
    }
}

inline lumbar::AlignedBuffer filled(std::size_t count, float scale = 1.0f) {
    lumbar::AlignedBuffer buffer(count);
    fill(buffer.data(), count, scale);
    return buffer;
}

namespace detail {
/// FLOP/s of a loop of multiply-adds that touches no memory: twelve chains of dependent
/// operations, enough to hide their latency, few enough for 16 registers.
template <class Arch>
LUMBAR_NEVER_INLINE double multiply_add_rate() {
    using V = lumbar::simd::Vector<Arch>;
    constexpr int chains = 12;
    constexpr int steps = 20000;
    // Volatile, here and below, is what hides a value from the optimiser: Google Benchmark 1.7's
    // DoNotOptimize loses values under g++ 12 at -O3.
    const volatile float one = 1.0f, zero = 0.0f;
    const V a = lumbar::simd::broadcast<Arch>(one), b = lumbar::simd::broadcast<Arch>(zero);
    V acc[chains];
    LUMBAR_UNROLL
    for (int i = 0; i < chains; ++i) acc[i] = a;
    const Clock::time_point start = Clock::now();
    for (int step = 0; step < steps; ++step) {
        LUMBAR_UNROLL
        for (int i = 0; i < chains; ++i) acc[i] = lumbar::simd::fma<Arch>(acc[i], a, b);
    }
    V sum = acc[0];
    for (int i = 1; i < chains; ++i) sum = sum + acc[i];
    const volatile float keep = lumbar::simd::reduce_add<Arch>(sum);
    static_cast<void>(keep);
    return 2.0 * lumbar::simd::lanes<Arch> * chains * steps / seconds_since(start);
}
}  // namespace detail

/// One instruction set: its kernels, and the multiply-add peak of one core, the highest seen in
/// this run.
class Isa {
   public:
    template <class Arch>
    static Isa& of() {
        static Isa isa(lumbar::kernel_table<Arch>(), &detail::multiply_add_rate<Arch>);
        return isa;
    }

    const lumbar::KernelTable& kernels() const { return *kernels_; }
    double peak() const { return peak_; }

    /// Measures the peak again: the clock changes with load and with what the neighbours do.
    void measure(int slices = 20) {
        for (int i = 0; i < slices; ++i) peak_ = std::max(peak_, rate_());
        measured_ = Clock::now();
    }
    /// Measures, unless that was done a moment ago.
    void refresh() {
        if (seconds_since(measured_) > 0.5) measure();
    }
    /// The peak at this moment, whatever was seen before.
    double peak_now() {
        peak_ = 0.0;
        measure();
        return peak_;
    }

   private:
    Isa(const lumbar::KernelTable& kernels, double (*rate)()) : kernels_(&kernels), rate_(rate) {
        measure(200);
    }

    const lumbar::KernelTable* kernels_;
    double (*rate_)();
    double peak_ = 0.0;
    Clock::time_point measured_;
};

/// Bytes per second of one core that reads as many bytes again and again, from whichever level
/// of memory holds them. Measured once for each power of two.
inline double read_bandwidth(double bytes) {
    static std::map<std::size_t, double> known;
    using Arch = lumbar::simd::Native;
    using V = lumbar::simd::Vector<Arch>;
    constexpr std::size_t lanes = static_cast<std::size_t>(lumbar::simd::lanes<Arch>);
    constexpr std::size_t streams = 8;
    std::size_t size = std::size_t{1} << 14;
    while (static_cast<double>(size) < bytes && size < std::size_t{1} << 28) size *= 2;
    double& result = known[size];
    if (result > 0.0) return result;
    const lumbar::AlignedBuffer buffer = filled(size / sizeof(float));
    const float* const volatile source = buffer.data();
    // Pieces of 256 KiB, timed one by one, and their median: free of the moments in which the
    // thread did not run.
    const std::size_t piece = std::min(size, std::size_t{1} << 18);
    const std::size_t repeats = (std::size_t{1} << 18) / piece;
    std::vector<double> times;
    const Clock::time_point start = Clock::now();
    for (int pass = 0; pass < 3 || (seconds_since(start) < 0.02 && pass < 1000); ++pass) {
        for (std::size_t at = 0; at < size; at += piece) {
            V sum[streams];
            for (V& s : sum) s = lumbar::simd::broadcast<Arch>(0.0f);
            const Clock::time_point begin = Clock::now();
            for (std::size_t r = 0; r < repeats; ++r) {
                const float* const p = source + at / sizeof(float);
                for (std::size_t i = 0; i < piece / sizeof(float); i += streams * lanes) {
                    LUMBAR_UNROLL
                    for (std::size_t s = 0; s < streams; ++s) {
                        sum[s] = sum[s] + lumbar::simd::load<Arch>(p + i + s * lanes);
                    }
                }
            }
            for (std::size_t s = 1; s < streams; ++s) sum[0] = sum[0] + sum[s];
            const volatile float keep = lumbar::simd::reduce_add<Arch>(sum[0]);
            static_cast<void>(keep);
            if (pass > 0) times.push_back(seconds_since(begin));
        }
    }
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    result = static_cast<double>(piece * repeats) / *middle;
    return result;
}

/// What one call of a layer does, by its definition: no padding of channels, nothing read twice.
struct Work {
    double flops = 0.0;
    double padded_flops = 0.0;  ///< with the channels that fill up vectors; 0: not known
    double bytes = 0.0;         ///< input, output and weights, once each
    bool memory_bound = false;  ///< compare with the read bandwidth too
};

/// The median time of a call that finds nothing in the caches.
template <class Once>
double cold_seconds(Once&& once) {
    double times[7];
    for (double& t : times) {
        ColdCache::flush();
        const Clock::time_point start = Clock::now();
        once();
        t = seconds_since(start);
    }
    std::nth_element(times, times + 3, times + 7);
    return times[3];
}

/// Runs `once` for the benchmark's time and sets the counters; those of --cold too where wanted.
template <class Once>
void run(benchmark::State& state, Isa& isa, const Work& work, Once&& once) {
    isa.refresh();
    Clock::time_point start = Clock::now();
    once();
    // Slices of 20 us and more: a clock reading costs some 20 ns.
    const int calls = static_cast<int>(20e-6 / std::max(seconds_since(start), 1e-8)) + 1;
    double best = std::numeric_limits<double>::infinity();
    while (state.KeepRunningBatch(calls)) {
        start = Clock::now();
        for (int i = 0; i < calls; ++i) {
            once();
            benchmark::ClobberMemory();
        }
        best = std::min(best, seconds_since(start) / calls);
    }
    isa.refresh();
    const auto set = [&](const char* name, double value) { state.counters[name] = value; };
    if (work.flops > 0) {
        set("GFLOP/s", work.flops / best * 1e-9);
        set("%peak", 100 * work.flops / best / isa.peak());
        if (work.padded_flops > 0) {
            set("%peak_padded", 100 * work.padded_flops / best / isa.peak());
        }
    }
    set("GB/s", work.bytes / best * 1e-9);
    if (work.memory_bound) set("%read", 100 * work.bytes / best / read_bandwidth(work.bytes));
    set("us", best * 1e6);
    if (!ColdCache::wanted()) return;
    const double cold = cold_seconds(once);
    set("cold_us", cold * 1e6);
    set("cold/warm", cold / best);
    if (work.memory_bound) set("%read_cold", 100 * work.bytes / cold / read_bandwidth(0x1p28));
}

/// Takes Google Benchmark's options, with another default: a tenth of a second for each benchmark.
/// (A time set for each benchmark would become part of its name.) False where an option is unknown.
inline bool initialize(int argc, char** argv) {
    std::string seconds = "--benchmark_min_time=0.1";
    std::vector<char*> arguments(argv, argv + argc);
    arguments.insert(arguments.begin() + 1, seconds.data());
    int count = argc + 1;
    benchmark::Initialize(&count, arguments.data());
    return !benchmark::ReportUnrecognizedArguments(count, arguments.data());
}

/// The limits of this machine, for the head of the output.
inline void add_context(Isa& isa) {
    char text[64];
    std::snprintf(text, sizeof text, "%.1f GFLOP/s", isa.peak() * 1e-9);
    benchmark::AddCustomContext(std::string("fma_peak_") + isa.kernels().isa, text);
}
inline void add_bandwidth_context() {
    char text[64];
    std::snprintf(text, sizeof text, "%.1f GB/s", read_bandwidth(0x1p27) * 1e-9);
    benchmark::AddCustomContext("memory_read", text);
}

}  // namespace bench
