// Benchmarks that remember what they measured, and the summary of them by class of layer.
#pragma once

#include "harness.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// What all benchmarks of this run have measured, each by its last and longest pass.
class LayerResults {
   public:
    static LayerResults& all() {
        static LayerResults results;
        return results;
    }

    void set(const std::string& name, const std::string& layer_class,
             const benchmark::UserCounters& counters) {
        const auto found = std::find_if(results_.begin(), results_.end(),
                                        [&](const Result& r) { return r.name == name; });
        if (found == results_.end()) {
            results_.push_back({name, layer_class, counters});
        } else {
            found->counters = counters;
        }
    }

    /// A row for each class, in the order in which they first ran.
    void print() const {
        std::printf(
            "\nSummary: median and minimum by class of layer, and the layer with the lowest "
            "%%peak_padded (else %%read, else %%peak).\n%-44s %6s",
            "class", "layers");
        for (const char* const metric : kMetrics) {
            if (has(metric)) std::printf(" %17s", metric);
        }
        std::printf("  lowest\n");
        std::vector<std::string> seen;
        for (const Result& r : results_) {
            if (std::find(seen.begin(), seen.end(), r.layer_class) != seen.end()) continue;
            seen.push_back(r.layer_class);
            print_class(r.layer_class);
        }
    }

   private:
    static constexpr const char* kMetrics[] = {"%peak_padded", "%peak", "%read", "%read_cold",
                                               "cold/warm"};

    struct Result {
        std::string name;
        std::string layer_class;
        benchmark::UserCounters counters;
    };
    using Values = std::vector<std::pair<double, const Result*>>;

    /// Ascending.
    Values values(const std::string& layer_class, const char* metric) const {
        Values result;
        for (const Result& r : results_) {
            const auto counter = r.counters.find(metric);
            if (r.layer_class != layer_class || counter == r.counters.end()) continue;
            result.emplace_back(counter->second.value, &r);
        }
        std::sort(result.begin(), result.end());
        return result;
    }

    /// Whether any layer has it.
    bool has(const char* metric) const {
        return std::any_of(results_.begin(), results_.end(),
                           [&](const Result& r) { return r.counters.count(metric) > 0; });
    }

    void print_class(const std::string& layer_class) const {
        const auto layers = static_cast<std::size_t>(
            std::count_if(results_.begin(), results_.end(),
                          [&](const Result& r) { return r.layer_class == layer_class; }));
        std::printf("%-44s %6zu", layer_class.c_str(), layers);
        for (const char* const metric : kMetrics) {
            if (!has(metric)) continue;
            const Values v = values(layer_class, metric);
            if (v.empty()) {
                std::printf(" %17s", "");
            } else {
                std::printf("  %7.1f  %7.1f", v[(v.size() - 1) / 2].first, v[0].first);
            }
        }
        for (const char* const metric : {"%peak_padded", "%read", "%peak"}) {
            const Values v = values(layer_class, metric);
            // Some layers of a class have a metric that the others have not.
            if (v.size() < layers) continue;
            std::printf("  %s", v[0].second->name.c_str());
            break;
        }
        std::printf("\n");
    }

    std::vector<Result> results_;
};

/// Registers a benchmark of a layer; `layer_class` is its row in the summary.
template <class Function>
void add(const std::string& name, const std::string& layer_class, Function&& function) {
    benchmark::RegisterBenchmark(name.c_str(), [name, layer_class,
                                                f = std::forward<Function>(function)](
                                                   benchmark::State& state) {
        f(state);
        LayerResults::all().set(name, layer_class, state.counters);
    })->Unit(benchmark::kMicrosecond);
}

}  // namespace bench
