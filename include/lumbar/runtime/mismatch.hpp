// What does not fit between a network and a weight file, in one message that stays short however
// much is wrong: the first of each kind, counts, both shapes, and names that look misspelt.
#pragma once

#include <lumbar/core/shape.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/graph/parameters.hpp>
#include <lumbar/weights/weights.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// Where a file's metadata name its network, as the registry does.
inline constexpr const char* kArchitectureKey = "architecture";

namespace detail {

/// Equal, or a vector with leading ones (older files hold batch norms as [1, C]), or a matrix whose
/// columns have several dimensions (classifiers that are convolutions over the whole image).
LUMBAR_COLD inline bool same_shape(const Dims& found, const std::vector<std::int64_t>& expected) {
    const std::int64_t *begin = found.begin(), *end = found.end();
    const auto rank = [&] { return static_cast<std::size_t>(end - begin); };
    while (expected.size() == 1 && rank() > 1 && *begin == 1) ++begin;
    if (expected.size() == 2 && rank() > 2) {
        std::optional<std::uint64_t> columns = 1;
        for (const std::int64_t* i = begin + 1; i != end && columns; ++i) {
            columns = checked_mul(*columns, static_cast<std::uint64_t>(*i));
        }
        return *begin == expected[0] && columns == static_cast<std::uint64_t>(expected[1]);
    }
    return std::equal(begin, end, expected.begin(), expected.end());
}

LUMBAR_COLD inline std::string shape_text(const std::vector<std::int64_t>& shape) {
    Dims dims;
    for (const std::int64_t extent : shape) dims.push_back(extent);
    return to_string(dims);
}

/// Whether one name is the other behind a folder ("module.conv1.weight"), or differs from it in
/// one place of at most two characters that are not all digits: conv2 is no misspelt conv1.
LUMBAR_COLD inline bool may_mean(std::string_view a, std::string_view b) {
    if (a.size() < b.size()) std::swap(a, b);
    if (a.size() > b.size() + 1 && a.ends_with(b) && a[a.size() - b.size() - 1] == '.') return true;
    while (!b.empty() && a.front() == b.front()) {
        a.remove_prefix(1);
        b.remove_prefix(1);
    }
    while (!b.empty() && a.back() == b.back()) {
        a.remove_suffix(1);
        b.remove_suffix(1);
    }
    const std::string_view digits = "0123456789.";
    return a.size() <= 2 && (a.find_first_not_of(digits) != std::string_view::npos ||
                             b.find_first_not_of(digits) != std::string_view::npos);
}

/// Collects what is wrong, in the order in which it is to be told.
class Mismatch {
   public:
    static constexpr std::size_t kShown = 4;

    /// One kind of mistake.
    class List {
       public:
        bool wants_more() const { return shown_ < kShown; }

        LUMBAR_COLD void add(std::initializer_list<Piece> item) {
            ++count_;
            if (!wants_more()) return;
            text_ += (shown_++ ? ", " : "") + cat(item);
        }

        /// "; 2 of 102 tensors are missing: a, b"; without `total`, "; 2 tensors ...".
        LUMBAR_COLD void append_to(std::string& message, std::size_t total,
                                   std::string_view what) const {
            if (count_ == 0) return;
            message += cat({(message.empty() ? "" : "; "), count_,
                            (total ? " of " + std::to_string(total) : ""),
                            (std::max(total, count_) == 1 ? " tensor " : " tensors "),
                            (count_ == 1 ? "is " : "are "), what, ": ", text_});
            if (count_ > shown_) message += cat({" and ", count_ - shown_, " more"});
        }

       private:
        std::string text_;
        std::size_t count_ = 0;
        std::size_t shown_ = 0;
    };

    List missing, misshapen, unreadable, extra;
};

/// " (the file has 'conv1.wieght')" where a tensor that nothing has asked for looks like the
/// parameter.
LUMBAR_COLD inline std::string looks_like(const Parameter& p, const Weights& weights,
                                          const std::vector<bool>& used) {
    for (std::size_t i = 0; i < used.size(); ++i) {
        const TensorData& tensor = weights.tensors()[i];
        if (!used[i] && same_shape(tensor.shape, p.shape) && may_mean(tensor.name, p.name)) {
            return cat({" (the file has ", in_quotes(tensor.name), ")"});
        }
    }
    return "";
}

LUMBAR_COLD inline bool is_ignored(const Graph& graph, std::string_view name) {
    if (name.ends_with("num_batches_tracked")) return true;
    return std::any_of(graph.ignored().begin(), graph.ignored().end(),
                       [&](const std::string& prefix) { return name.starts_with(prefix); });
}

/// The message, or nothing where all fits.
LUMBAR_COLD inline std::string mismatch(const Graph& graph, const Weights& weights,
                                        bool allow_extra) {
    Mismatch m;
    std::vector<bool> used(weights.size());  // by their places in `weights`
    const std::vector<Parameter> wanted = parameters(graph);
    for (const Parameter& p : wanted) {
        if (const TensorData* found = weights.find(p.name)) {
            used[static_cast<std::size_t>(found - weights.begin())] = true;
        }
    }
    for (const Parameter& p : wanted) {
        const TensorData* found = weights.find(p.name);
        if (!found) {
            m.missing.add({p.name, (m.missing.wants_more() ? looks_like(p, weights, used) : "")});
        } else if (!same_shape(found->shape, p.shape)) {
            m.misshapen.add({p.name, " (expected ", shape_text(p.shape), ", found ",
                             to_string(found->shape), ")"});
        } else if (!is_readable_float(found->dtype)) {
            m.unreadable.add({p.name, " (", to_string(found->dtype), ")"});
        }
    }
    for (std::size_t i = 0; i < used.size() && !allow_extra; ++i) {
        const std::string_view name = weights.tensors()[i].name;
        if (!used[i] && !is_ignored(graph, name)) m.extra.add({printable(name)});
    }
    std::string message;
    m.missing.append_to(message, wanted.size(), "missing");
    m.misshapen.append_to(message, wanted.size(), "misshapen");
    m.unreadable.append_to(message, wanted.size(), "not of a floating-point type");
    m.extra.append_to(message, 0, "not part of the network");
    if (message.empty()) return message;
    const auto stated = weights.metadata().find(kArchitectureKey);
    if (stated != weights.metadata().end() && stated->second != graph.name()) {
        message += cat({"; the file says that it is for ", in_quotes(stated->second)});
    }
    return message;
}

}  // namespace detail
LUMBAR_NAMESPACE_END
