// From logits to the classes a person wants to see. No pictures and no stb in here.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/core/tensor.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// One class of a ranking.
struct Prediction {
    int index = 0;
    float logit = 0.0f;
    float probability = 0.0f;  ///< softmax over all classes
};

/// The same with the class's name. `auto [label, p] = ...` takes the name and the probability.
struct LabeledPrediction {
    const char* label = "";    ///< points into the labels that were passed
    float probability = 0.0f;  ///< softmax over all classes
    int index = 0;
    float logit = 0.0f;

    template <std::size_t I>
    auto get() const {
        static_assert(I < 2);
        if constexpr (I == 0)
            return label;
        else
            return probability;
    }
};

namespace detail {

/// An integer in the order of the floats, NaN below all, -0 equal to +0. It looks at the bits, so
/// that it holds under -ffast-math too, where comparisons with NaN may mean anything.
inline std::int64_t rank_of(const float& x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const std::int64_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000) return std::numeric_limits<std::int64_t>::min();
    return (bits >> 31) != 0 ? -magnitude : magnitude;
}

/// The logits of the one picture in [1, classes, 1, 1].
inline Result<std::span<const float>> single_logits(const ConstTensorView& logits) {
    const Shape& s = logits.shape;
    if (s.n == 1 && s.h == 1 && s.w == 1 && s.c >= 0) return logits.values();
    return Error(Error::Code::argument, "top_k takes the logits of one picture, 1xCx1x1, not " +
                                            to_string(s) +
                                            "; for a batch pass logits_of(tensor, n)");
}

inline Status check_labels(std::size_t logits, std::size_t labels) {
    if (logits == labels) return Success{};
    std::string hint = "; give the names of the classes that the weights were trained for";
    if (logits == labels + 1)
        hint += " (TensorFlow's networks have one class more, the background, at index 0)";
    return Error(Error::Code::argument, "top_k: " + std::to_string(logits) + " logits but " +
                                            std::to_string(labels) + " labels" + hint);
}

}  // namespace detail

/// The logits of picture n in a batch [N, classes, 1, 1]. Precondition: 0 <= n < N.
inline std::span<const float> logits_of(const ConstTensorView& batch, int n) {
    const std::size_t classes =
        static_cast<std::size_t>(batch.shape.c) * static_cast<std::size_t>(batch.shape.pixels());
    return batch.values().subspan(static_cast<std::size_t>(n) * classes, classes);
}

/// The k classes with the greatest logits (fewer where there are fewer), best first, ties by index.
/// NaN ranks last with probability 0; infinite logits share the probability among themselves.
inline std::vector<Prediction> top_k(std::span<const float> logits, int k) {
    struct Candidate {
        std::int64_t rank;
        int index;
    };
    std::vector<Candidate> order;
    order.reserve(logits.size());
    for (const float x : logits)
        order.push_back({detail::rank_of(x), static_cast<int>(order.size())});
    const std::size_t count = std::min(static_cast<std::size_t>(std::max(k, 0)), order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
                      order.end(), [](const Candidate& a, const Candidate& b) {
                          return a.rank != b.rank ? a.rank > b.rank : a.index < b.index;
                      });
    if (count == 0) return {};

    // exp(x - greatest) is at most 1, and 1 for the greatest even where it is infinite.
    const float greatest = logits[static_cast<std::size_t>(order.front().index)];
    constexpr std::int64_t infinity = 0x7F800000;
    const std::int64_t greatest_rank = order.front().rank;
    const bool finite = greatest_rank > -infinity && greatest_rank < infinity;
    const auto weight = [=](const float& x) {
        const std::int64_t rank = detail::rank_of(x);
        if (rank < -infinity) return 0.0;  // NaN
        if (rank == greatest_rank) return 1.0;
        if (!finite || rank == -infinity) return 0.0;
        return std::exp(static_cast<double>(x) - static_cast<double>(greatest));
    };
    double sum = 0.0;
    for (const float x : logits) sum += weight(x);

    std::vector<Prediction> best;
    best.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        const float& logit = logits[static_cast<std::size_t>(order[i].index)];
        const double probability = sum > 0.0 ? weight(logit) / sum : 0.0;
        best.push_back({order[i].index, logit, static_cast<float>(probability)});
    }
    return best;
}

/// The same for a network's output [1, classes, 1, 1]; fails for another shape.
inline Result<std::vector<Prediction>> try_top_k(const ConstTensorView& logits, int k) {
    const Result<std::span<const float>> values = detail::single_logits(logits);
    if (!values) return values.error();
    return top_k(*values, k);
}
/// The same; throws the Error.
inline std::vector<Prediction> top_k(const ConstTensorView& logits, int k) {
    return try_top_k(logits, k).value();
}

/// The same with names, one for each class; fails for another number of them. The result points
/// into the labels, which must outlive it.
inline Result<std::vector<LabeledPrediction>> try_top_k(std::span<const float> logits, int k,
                                                        std::span<const char* const> labels) {
    if (Status ok = detail::check_labels(logits.size(), labels.size()); !ok) return ok.error();
    std::vector<LabeledPrediction> best;
    for (const Prediction& p : top_k(logits, k))
        best.push_back(
            {labels[static_cast<std::size_t>(p.index)], p.probability, p.index, p.logit});
    return best;
}
inline Result<std::vector<LabeledPrediction>> try_top_k(std::span<const float> logits, int k,
                                                        const std::vector<std::string>& labels) {
    std::vector<const char*> names;
    names.reserve(labels.size());
    for (const std::string& label : labels) names.push_back(label.c_str());
    return try_top_k(logits, k, std::span<const char* const>(names));
}
template <class Labels>
Result<std::vector<LabeledPrediction>> try_top_k(const ConstTensorView& logits, int k,
                                                 const Labels& labels) {
    const Result<std::span<const float>> values = detail::single_logits(logits);
    if (!values) return values.error();
    return try_top_k(*values, k, labels);
}

/// The same four; they throw the Error.
inline std::vector<LabeledPrediction> top_k(std::span<const float> logits, int k,
                                            std::span<const char* const> labels) {
    return try_top_k(logits, k, labels).value();
}
inline std::vector<LabeledPrediction> top_k(std::span<const float> logits, int k,
                                            const std::vector<std::string>& labels) {
    return try_top_k(logits, k, labels).value();
}
inline std::vector<LabeledPrediction> top_k(const ConstTensorView& logits, int k,
                                            std::span<const char* const> labels) {
    return try_top_k(logits, k, labels).value();
}
inline std::vector<LabeledPrediction> top_k(const ConstTensorView& logits, int k,
                                            const std::vector<std::string>& labels) {
    return try_top_k(logits, k, labels).value();
}

// The result would point into labels that are gone: keep them in a variable.
void try_top_k(std::span<const float>, int, std::vector<std::string>&&) = delete;
void try_top_k(const ConstTensorView&, int, std::vector<std::string>&&) = delete;
void top_k(std::span<const float>, int, std::vector<std::string>&&) = delete;
void top_k(const ConstTensorView&, int, std::vector<std::string>&&) = delete;

LUMBAR_NAMESPACE_END

/// @cond internal
template <>
struct std::tuple_size<lumbar::LabeledPrediction> : std::integral_constant<std::size_t, 2> {};
template <>
struct std::tuple_element<0, lumbar::LabeledPrediction> {
    using type = const char*;
};
template <>
struct std::tuple_element<1, lumbar::LabeledPrediction> {
    using type = float;
};
/// @endcond
