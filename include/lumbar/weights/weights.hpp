// A checkpoint: named tensors, whatever container they came from.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/core/sorted_order.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/tensor_data.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// A tensor that a caller hands over: its values in row-major order.
struct NamedTensor {
    std::string name;
    Dims shape;
    std::vector<float> values;
};

/// Named tensors, immutable. A handle: copies share the tensors and their bytes, which live as long
/// as any copy. Safe to read from many threads.
class Weights {
   public:
    using Metadata = std::map<std::string, std::string>;
    class Builder;

    /// No tensors.
    Weights() = default;

    /// Takes over tensors from memory. `source` names them in error messages. An Error where a name
    /// comes twice or values do not fill their shape.
    static Result<Weights> try_from_tensors(std::vector<NamedTensor> tensors,
                                            std::string source = "tensors in memory",
                                            Metadata metadata = {});

    /// try_from_tensors; throws its Error.
    static Weights from_tensors(std::vector<NamedTensor> tensors,
                                std::string source = "tensors in memory", Metadata metadata = {}) {
        return try_from_tensors(std::move(tensors), std::move(source), std::move(metadata)).value();
    }

    /// The tensor of that name, or nullptr; valid while any copy of this object lives.
    const TensorData* find(std::string_view name) const& {
        const auto all = tensors();
        const auto at = std::lower_bound(
            all.begin(), all.end(), name,
            [](const TensorData& tensor, std::string_view key) { return tensor.name < key; });
        return at != all.end() && at->name == name ? &*at : nullptr;
    }
    const TensorData* find(std::string_view name) const&& = delete;

    /// All tensors, in the order of their names' bytes.
    std::span<const TensorData> tensors() const& {
        return state_ ? std::span<const TensorData>(state_->tensors)
                      : std::span<const TensorData>();
    }
    std::span<const TensorData> tensors() const&& = delete;

    const TensorData* begin() const { return tensors().data(); }
    const TensorData* end() const { return tensors().data() + tensors().size(); }
    std::size_t size() const { return tensors().size(); }
    bool empty() const { return size() == 0; }

    /// What the file says about itself ("format": "pt"); never needed to run a network.
    const Metadata& metadata() const& { return state_ ? state_->metadata : no_metadata(); }
    const Metadata& metadata() const&& = delete;

    /// The path or description that error messages begin with.
    std::string source() const { return state_ ? state_->source : "no weights"; }

   private:
    struct State {
        std::vector<TensorData> tensors;  // sorted by name
        std::vector<std::string> names;   // what the tensors' names point into
        std::vector<std::shared_ptr<const void>> owners;
        Metadata metadata;
        std::string source;
    };

    explicit Weights(std::shared_ptr<const State> state) : state_(std::move(state)) {}

    static const Metadata& no_metadata() {
        static const Metadata none;
        return none;
    }

    std::shared_ptr<const State> state_;
};

/// What a reader of a container fills: `builder.keep(bytes); builder.add(name, view); ...;
/// std::move(builder).try_build()`.
class Weights::Builder {
   public:
    /// `source`: a path or a description, for error messages.
    explicit Builder(std::string source) : state_(std::make_shared<State>()) {
        state_->source = std::move(source);
    }

    /// Keeps what the tensors' bytes lie in alive for as long as the Weights.
    void keep(std::shared_ptr<const void> owner) { state_->owners.push_back(std::move(owner)); }

    LUMBAR_COLD void reserve(std::size_t tensors) {
        state_->names.reserve(tensors);
        state_->tensors.reserve(tensors);
    }

    /// Adds a view into kept bytes; view.name is ignored. It is checked by try_build.
    LUMBAR_COLD void add(std::string name, const TensorData& view) {
        state_->names.push_back(std::move(name));
        state_->tensors.push_back(view);
    }

    void set_metadata(Metadata metadata) { state_->metadata = std::move(metadata); }

    /// The Weights, or an Error where two tensors share a name or a view leaves its bytes: the last
    /// line of defence behind every container's own checks.
    LUMBAR_COLD Result<Weights> try_build() && {
        State& state = *state_;
        for (std::size_t i = 0; i < state.tensors.size(); ++i) {
            state.tensors[i].name = state.names[i];
            if (const auto problem = detail::view_problem(state.tensors[i])) {
                return Error(Error::Code::format,
                             detail::cat({detail::origin(state.source), "tensor ",
                                          detail::in_quotes(state.names[i]), " ", *problem}));
            }
            if (state.tensors[i].size() > 0) continue;
            // The strides of no elements may be any numbers: nobody has to check arithmetic with
            // them.
            Dims& strides = state.tensors[i].strides;
            for (std::size_t axis = 0; axis < strides.rank(); ++axis) strides[axis] = 0;
        }
        const auto by_name = [](const TensorData& a, const TensorData& b) {
            return a.name < b.name;
        };
        detail::sort_by(state.tensors, by_name);
        const auto twice = std::adjacent_find(
            state.tensors.begin(), state.tensors.end(),
            [](const TensorData& a, const TensorData& b) { return a.name == b.name; });
        if (twice != state.tensors.end()) {
            return Error(Error::Code::format,
                         detail::cat({detail::origin(state.source), "two tensors are named ",
                                      detail::in_quotes(twice->name)}));
        }
        return Weights(std::move(state_));
    }

   private:
    std::shared_ptr<State> state_;
};

LUMBAR_COLD inline Result<Weights> Weights::try_from_tensors(std::vector<NamedTensor> tensors,
                                                             std::string source,
                                                             Metadata metadata) {
    const auto owner = std::make_shared<const std::vector<NamedTensor>>(std::move(tensors));
    Builder builder(std::move(source));
    builder.reserve(owner->size());
    builder.set_metadata(std::move(metadata));
    for (const NamedTensor& tensor : *owner) {
        const auto count = checked_element_count(tensor.shape);
        if (!count || static_cast<std::uint64_t>(*count) != tensor.values.size()) {
            return Error(
                Error::Code::argument,
                detail::cat({"tensor ", detail::in_quotes(tensor.name), " of shape ",
                             to_string(tensor.shape), " is given ", tensor.values.size(), " values",
                             (count ? "; it needs " + std::to_string(*count) : "")}));
        }
        builder.add(tensor.name, contiguous_tensor(Dtype::f32, tensor.shape,
                                                   std::as_bytes(std::span(tensor.values))));
    }
    builder.keep(owner);
    return std::move(builder).try_build();
}

LUMBAR_NAMESPACE_END
