// A self-check: does a network yield on this machine what it yielded where its file was made?
//
// A probe is a synthetic picture (weights/synthetic.hpp: any language can make it) and the logits
// that belong to it. It travels in the file's metadata, under "lumbar.probe", as JSON:
//
//     {"height": 224, "width": 224, "seed": 1, "tolerance": 1e-4, "logits": [0.25, ...]}
#pragma once

#include <lumbar/core/non_finite.hpp>
#include <lumbar/runtime/compile.hpp>
#include <lumbar/weights/synthetic.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// Where a file's metadata hold its probe.
inline constexpr const char* kProbeKey = "lumbar.probe";

/// What a network should answer to a picture that is known by its size and seed.
struct Probe {
    int height = 224;
    int width = 224;
    std::uint64_t seed = 1;  ///< of synthetic_fill(picture, "input", seed, {0, 1})
    /// What logits may be off by, relative to the largest. 1e-4 holds Winograd's algorithm and any
    /// instruction set.
    double tolerance = 1e-4;
    std::vector<float> logits;  ///< the first of them or all
};

/// How far a network is off.
struct Verification {
    double error = 0.0;  ///< the largest difference, relative to the largest logit
    double tolerance = 0.0;
    std::size_t worst = 0;  ///< the logit of the largest difference

    bool passed() const { return error <= tolerance; }
};

namespace detail {

inline constexpr std::size_t kMaxProbeLogits = 4096;
inline constexpr int kMaxProbeSide = 1024;
inline constexpr double kMaxProbeTolerance = 0.05;
// Ten times what they need: a byte of JSON may become fifty in memory.
inline constexpr std::size_t kMaxProbeBytes = std::size_t{1} << 20;

/// The first output of the network, at another size where need be, for the probe's picture.
LUMBAR_COLD inline Result<std::vector<float>> try_run_probe(const Network& network,
                                                            const Probe& probe) {
    Result<Network> sized =
        network.try_resized({.height = probe.height, .width = probe.width, .batch = 1});
    if (!sized) return sized.error();
    Workspace w = sized->workspace();
    synthetic_fill(w.input().values(), "input", probe.seed, {.centre = 0.0, .amplitude = 1.0});
    sized->run(w);
    const auto values = w.output(0).values();
    return std::vector<float>(values.begin(), values.end());
}

}  // namespace detail

/// A probe with this network's own answer, of at most 4096 logits. Compile it with {.exact = true}:
/// what others are held against should be as right as it can be.
LUMBAR_COLD inline Result<Probe> try_make_probe(const Network& network, std::uint64_t seed = 1) {
    Probe probe;
    probe.height = network.input_shape().h;
    probe.width = network.input_shape().w;
    probe.seed = seed;
    if (std::max(probe.height, probe.width) > detail::kMaxProbeSide) {
        return Error(Error::Code::argument,
                     network.name() + ": a probe's picture has at most 1024 pixels on a side");
    }
    Result<std::vector<float>> logits = detail::try_run_probe(network, probe);
    if (!logits) return logits.error();
    if (!std::all_of(logits->begin(), logits->end(), is_finite)) {
        return Error(Error::Code::weights,
                     network.name() + ": its logits are not finite, which no probe can hold");
    }
    probe.logits = std::move(*logits);
    probe.logits.resize(std::min(probe.logits.size(), detail::kMaxProbeLogits));
    return probe;
}

/// The probe as metadata hold it.
LUMBAR_COLD inline Weights::Metadata probe_metadata(const Probe& probe) {
    const nlohmann::ordered_json json{{"height", probe.height},
                                      {"width", probe.width},
                                      {"seed", probe.seed},
                                      {"tolerance", probe.tolerance},
                                      {"logits", probe.logits}};
    return {{kProbeKey, json.dump()}};
}

/// The probe of a file. An Error where there is none, or it is not as probe_metadata writes it.
LUMBAR_COLD inline Result<Probe> try_read_probe(const Weights& weights) {
    const auto bad = [&](const char* what) {
        return Error(Error::Code::format, detail::origin(weights.source()) + what);
    };
    const auto at = weights.metadata().find(kProbeKey);
    if (at == weights.metadata().end()) {
        return bad("holds no probe to verify with; convert --probe adds one");
    }
    if (at->second.size() > detail::kMaxProbeBytes) {
        return bad("its probe has more than a mebibyte; convert --probe makes another");
    }
    const nlohmann::json json = nlohmann::json::parse(at->second, nullptr, false);
    if (!json.is_object()) return bad("its probe is not a JSON object");
    const auto member = [&](const char* key) {
        const auto found = json.find(key);
        return found == json.end() ? nlohmann::json() : *found;
    };
    Probe probe;
    for (auto [key, side] : {std::pair{"height", &probe.height}, {"width", &probe.width}}) {
        const nlohmann::json value = member(key);
        if (!value.is_number_unsigned() || value.get<std::uint64_t>() < 1 ||
            value.get<std::uint64_t>() > std::uint64_t{detail::kMaxProbeSide}) {
            return bad("its probe needs a height and a width from 1 to 1024");
        }
        *side = value.get<int>();
    }
    if (!member("seed").is_number_unsigned()) return bad("its probe needs a seed");
    probe.seed = member("seed").get<std::uint64_t>();
    probe.tolerance = member("tolerance").is_number() ? member("tolerance").get<double>() : 0.0;
    // What is looser would pass whatever the network says.
    if (!(probe.tolerance > 0.0 && probe.tolerance <= detail::kMaxProbeTolerance)) {
        return bad("its probe needs a tolerance above 0, and of at most 0.05");
    }
    const nlohmann::json logits = member("logits");
    if (!logits.is_array() || logits.empty() || logits.size() > detail::kMaxProbeLogits) {
        return bad("its probe needs a list of 1 to 4096 logits");
    }
    for (const nlohmann::json& value : logits) {
        if (!value.is_number()) return bad("its probe's logits must be numbers");
        probe.logits.push_back(value.get<float>());
    }
    return probe;
}

/// Runs the network on the probe's picture. An Error where it has fewer logits than the probe, or
/// cannot take a picture of that size.
LUMBAR_COLD inline Result<Verification> try_verify(const Network& network, const Probe& probe) {
    const Result<std::vector<float>> logits = detail::try_run_probe(network, probe);
    if (!logits) return logits.error();
    if (logits->size() < probe.logits.size()) {
        return Error(
            Error::Code::argument,
            detail::cat({network.name(), " has ", logits->size(), " logits, and the probe is of ",
                         probe.logits.size(), ": it was made for another network"}));
    }
    Verification result;
    result.tolerance = probe.tolerance;
    double largest = 0.0;
    for (std::size_t i = 0; i < probe.logits.size(); ++i) {
        const double expected = static_cast<double>(probe.logits[i]);
        const double off = is_finite((*logits)[i]) && is_finite(probe.logits[i])
                               ? std::abs(static_cast<double>((*logits)[i]) - expected)
                               : std::numeric_limits<double>::max();
        largest = std::max(largest, std::abs(expected));
        if (off > result.error) {
            result.error = off;
            result.worst = i;
        }
    }
    if (result.error > 0.0) result.error /= largest;
    return result;
}

/// try_verify; throws its Error.
inline Verification verify(const Network& network, const Probe& probe) {
    return try_verify(network, probe).value();
}

LUMBAR_NAMESPACE_END
