// From a pickle's values to named tensors: the dict, and the tensors as views of storages.
#pragma once

#include <lumbar/core/shape.hpp>
#include <lumbar/core/sorted_order.hpp>
#include <lumbar/weights/pickle.hpp>
#include <lumbar/weights/tensor_data.hpp>
#include <lumbar/weights/torch_storage.hpp>
#include <lumbar/weights/weights.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// Reads the state dict that is a pickle's root, or that stands in the root under one of the usual
/// names. Nothing is copied: tensors are views, strided ones too.
class TorchStateDict {
   public:
    /// `objects`: what the pickle's persistent values stand for, in their order: storages as
    /// tensors of one dimension, or (in tar files) tensors.
    TorchStateDict(const TorchFile& file, const Pickle& pickle, std::vector<TensorData> objects)
        : file_(file), pickle_(pickle), objects_(std::move(objects)) {}

    LUMBAR_COLD Result<Weights> try_read(std::shared_ptr<const void> owner) {
        const Value* dict = &pickle_.root();
        if (dict->kind != Kind::dict) {
            return file_.bad(
                {"it holds no dict of names and tensors, but one value of another kind"});
        }
        if (Status unique = try_check_keys(*dict); !unique) return unique.error();
        if (const Value* inner = find_inner(*dict)) {
            dict = inner;
            if (Status unique = try_check_keys(*dict); !unique) return unique.error();
        }
        if (Status collected = try_collect(*dict); !collected) return collected.error();
        if (names_.empty()) return file_.bad({no_tensors(*dict)});

        Weights::Builder builder(file_.source);
        builder.keep(std::move(owner));
        builder.reserve(names_.size());
        strip_prefixes();
        for (std::size_t i = 0; i < names_.size(); ++i) {
            builder.add(std::string(names_[i]), tensors_[i]);
        }
        return std::move(builder).try_build();
    }

   private:
    using Value = PickleValue;
    using Kind = PickleValue::Kind;

    /// The dict under one of the names that training scripts give it.
    LUMBAR_COLD const Value* find_inner(const Value& root) const {
        const Value* inner = nullptr;
        constexpr std::string_view kUsual[] = {
            "state_dict", "model_state_dict", "model_state", "model", "net", "params"};
        for_each_pair(root, [&](const Value& key, const Value& value) {
            if (inner || key.kind != Kind::text || value.kind != Kind::dict) return;
            const auto* end = std::end(kUsual);
            if (std::find(std::begin(kUsual), end, pickle_.text(key)) != end) inner = &value;
        });
        return inner;
    }

    template <class Visit>
    void for_each_pair(const Value& dict, Visit&& visit) const {
        const Value* key = nullptr;
        pickle_.for_each_item(dict, [&](const Value& value) {
            if (key) {
                visit(*key, value);
                key = nullptr;
            } else {
                key = &value;
            }
        });
    }

    /// In Python the last value of a key counts, which need not be the one that is found here.
    /// Sorting compares whole keys: there are bounds on how many and how long they are, for a few
    /// bytes of a pickle can repeat a long one. No tensor is kept under a longer name.
    LUMBAR_COLD Status try_check_keys(const Value& dict) const {
        const std::size_t most = std::max<std::size_t>(100'000, file_.limits.tensors);
        if (dict.size / 2 > most) return file_.bad({"its dict has more than ", most, " keys"});
        std::vector<std::string_view> keys;
        for_each_pair(dict, [&](const Value& key, const Value&) {
            if (key.kind == Kind::text && key.size <= kLongestTensorName)
                keys.push_back(pickle_.text(key));
        });
        sort_by(keys, [](const auto& a, const auto& b) { return a < b; });
        const auto twice = std::adjacent_find(keys.begin(), keys.end());
        if (twice == keys.end()) return Success{};
        return file_.bad({"its dict has the key ", Quoted{*twice}, " twice"});
    }

    LUMBAR_COLD Status try_collect(const Value& dict) {
        std::string problem;
        for_each_pair(dict, [&](const Value& key, const Value& value) {
            if (!problem.empty() || !is_tensor(value)) return;  // what else stands there is ignored
            if (key.kind != Kind::text || key.size > kLongestTensorName) {
                problem = "a tensor's name is no text, or has more than 1024 bytes";
            } else if (pickle_.text(key).find('\0') != std::string_view::npos) {
                problem = "the tensor name " + in_quotes(pickle_.text(key)) + " holds a zero byte";
            } else if (names_.size() == file_.limits.tensors) {
                problem = cat(
                    {"it has more than ", file_.limits.tensors, " tensors (LoadLimits::tensors)"});
            } else {
                names_.push_back(pickle_.text(key));
                tensors_.emplace_back();
                problem = read_tensor(value, tensors_.back());
                if (!problem.empty())
                    problem = cat({"tensor ", Quoted{names_.back()}, " ", problem});
            }
        });
        if (!problem.empty()) return file_.bad({problem});
        return Success{};
    }

    /// A Parameter's tensor, or the value itself.
    const Value& unwrapped(const Value& value) const {
        if (value.kind != Kind::call) return value;
        if (value.global.name == TorchName::rebuild_parameter && value.size > 0) {
            return pickle_.item(value, 0);
        }
        if (value.global.name != TorchName::parameter) return value;
        if (value.size > 0) return pickle_.item(value, 0);
        // Before 0.2 the tensor was the first of the five things of the state.
        const Value& state = pickle_.value(static_cast<std::size_t>(value.number));
        return state.kind == Kind::tuple && state.size == 5 ? pickle_.item(state, 0) : value;
    }

    bool is_tensor(const Value& value) const {
        return value.kind == Kind::persistent ||
               (value.kind == Kind::call && value.global.name != TorchName::inert);
    }

    /// What is wrong with the tensor, or nothing.
    LUMBAR_COLD std::string read_tensor(const Value& value, TensorData& tensor) {
        const Value& call = unwrapped(value);
        if (call.kind == Kind::persistent) {
            tensor = objects_[static_cast<std::size_t>(call.number)];
            return bound(tensor);
        }
        const auto arguments_fit = [&](std::uint32_t least, std::uint32_t most) {
            return call.size >= least && call.size <= most;
        };
        const TorchName how = call.kind == Kind::call ? call.global.name : TorchName::none;
        const bool fits = how == TorchName::rebuild_tensor      ? arguments_fit(4, 4)
                          : how == TorchName::rebuild_tensor_v2 ? arguments_fit(6, 7)
                          : how == TorchName::rebuild_tensor_v3 ? arguments_fit(7, 8)
                                                                : false;
        if (!fits) return "is made in an unknown way";
        const Value& storage = pickle_.item(call, 0);
        const Value& offset = pickle_.item(call, 1);
        if (storage.kind != Kind::persistent) return "has no storage";
        if (offset.kind != Kind::integer) return "has no offset";
        tensor = objects_[static_cast<std::size_t>(storage.number)];
        if (how == TorchName::rebuild_tensor_v3) {
            const Value& dtype = pickle_.item(call, 6);
            if (dtype.kind != Kind::global || dtype.global.name != TorchName::dtype) {
                return "has no dtype";
            }
            tensor.dtype = dtype.global.dtype;
        }
        if (!read_extents(pickle_.item(call, 2), tensor.shape)) {
            return cat({"has no shape of at most ", Dims::kMaxRank, " whole numbers"});
        }
        if (!read_extents(pickle_.item(call, 3), tensor.strides)) {
            return cat({"has no strides, at most ", Dims::kMaxRank, " whole numbers"});
        }
        std::string problem = move_view(offset.number, tensor);
        return problem.empty() ? bound(tensor) : problem;
    }

    LUMBAR_COLD bool read_extents(const Value& value, Dims& extents) const {
        if ((value.kind != Kind::tuple && value.kind != Kind::list) ||
            value.size > Dims::kMaxRank) {
            return false;
        }
        extents = {};
        bool good = true;
        pickle_.for_each_item(value, [&](const Value& extent) {
            good = good && extent.kind == Kind::integer;
            extents.push_back(extent.number);
        });
        return good;
    }

    /// Strides of zero and shared storages make tensors larger than the file, which costs nothing
    /// until somebody packs them: so there is a limit, far above what tied weights need.
    LUMBAR_COLD std::string bound(const TensorData& tensor) {
        const auto bytes = checked_byte_count(tensor.dtype, tensor.shape);
        if (!bytes) return "has the impossible shape " + to_string(tensor.shape);
        constexpr std::uint64_t kTimes = 16;
        const std::uint64_t limit = kTimes * file_.bytes.size();
        if (*bytes > limit - total_bytes_) {
            return cat({"of shape ", to_string(tensor.shape), " (", to_string(tensor.dtype),
                        ") and those before it would unfold to more than ", kTimes,
                        " times the file"});
        }
        total_bytes_ += *bytes;
        return {};
    }

    /// Prefixes of all names, which DataParallel and torch.compile put before a network's own.
    LUMBAR_COLD void strip_prefixes() {
        constexpr std::string_view kPrefixes[] = {"module.", "_orig_mod.", "module."};
        for (const std::string_view prefix : kPrefixes) {
            const auto has_it = [&](std::string_view name) { return name.starts_with(prefix); };
            if (!std::all_of(names_.begin(), names_.end(), has_it)) continue;
            for (std::string_view& name : names_) name.remove_prefix(prefix.size());
        }
    }

    LUMBAR_COLD std::string no_tensors(const Value& dict) const {
        std::string keys;
        int listed = 0;
        for_each_pair(dict, [&](const Value& key, const Value&) {
            if (key.kind != Kind::text || listed == 8) return;
            keys += (listed++ == 0 ? ": " : ", ") + in_quotes(pickle_.text(key));
        });
        return "it holds no tensors in a dict, nor in its 'state_dict', 'model' or the like" +
               (keys.empty() ? keys : "; it has" + keys);
    }

    const TorchFile& file_;
    const Pickle& pickle_;
    std::vector<TensorData> objects_;
    std::vector<std::string_view> names_;
    std::vector<TensorData> tensors_;
    std::uint64_t total_bytes_ = 0;
};

}  // namespace detail
LUMBAR_NAMESPACE_END
