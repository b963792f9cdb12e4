// The storages that a pickle's persistent ids name, in the zip and in the legacy container.
#pragma once

#include <lumbar/core/shape.hpp>
#include <lumbar/core/sorted_order.hpp>
#include <lumbar/weights/pickle.hpp>
#include <lumbar/weights/tensor_data.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

inline constexpr std::uint32_t kLongestStorageKey = 64;  // a decimal number

/// An array of numbers that tensors view.
struct TorchStorage {
    std::string_view key;
    Dtype dtype = Dtype::u8;  // of untyped ones too: bytes
    std::uint64_t count = 0;  // elements
    std::uint64_t byte_size = 0;
    std::span<const std::byte> data;  // once it is found
    bool found = false;
};

/// The storages of one pickle, each once, by key.
class TorchStorages {
   public:
    /// From ids ('storage', type, key, location, number of elements), and of legacy files one item
    /// more, the view. An Error where an id is none, or two of one storage disagree.
    LUMBAR_COLD Status try_collect(const TorchFile& file, const Pickle& pickle,
                                   std::size_t id_size) {
        storages_.reserve(pickle.persistent().size());
        for (const std::uint32_t index : pickle.persistent()) {
            TorchStorage storage;
            const auto problem =
                parse(pickle, pickle.item(pickle.value(index), 0), id_size, storage);
            if (!problem.empty()) return file.bad({problem});
            storages_.push_back(storage);
        }
        sort_by(storages_, [](const auto& a, const auto& b) { return a.key < b.key; });
        for (std::size_t i = 1; i < storages_.size(); ++i) {
            const TorchStorage& a = storages_[i - 1];
            const TorchStorage& b = storages_[i];
            if (a.key == b.key && (a.dtype != b.dtype || a.count != b.count)) {
                return file.bad({"storage ", Quoted{a.key}, " is said to have ", a.count,
                                 " elements of ", to_string(a.dtype), ", and ", b.count, " of ",
                                 to_string(b.dtype)});
            }
        }
        storages_.erase(std::unique(storages_.begin(), storages_.end(),
                                    [](const auto& a, const auto& b) { return a.key == b.key; }),
                        storages_.end());
        return Success{};
    }

    std::vector<TorchStorage>& all() { return storages_; }

    TorchStorage* find(std::string_view key) {
        const auto at = std::lower_bound(
            storages_.begin(), storages_.end(), key,
            [](const TorchStorage& storage, std::string_view k) { return storage.key < k; });
        return at != storages_.end() && at->key == key ? &*at : nullptr;
    }

    /// The storage of an id that try_collect has read.
    const TorchStorage& of(const Pickle& pickle, std::uint32_t persistent) {
        const PickleValue& id = pickle.item(pickle.value(persistent), 0);
        return *find(pickle.text(pickle.item(id, 2)));
    }

   private:
    using Kind = PickleValue::Kind;

    LUMBAR_COLD static std::string parse(const Pickle& pickle, const PickleValue& id,
                                         std::size_t id_size, TorchStorage& storage) {
        if (id.kind != Kind::tuple || id.size == 0 || pickle.item(id, 0).kind != Kind::text) {
            return "a persistent id is no tuple that begins with a text";
        }
        if (pickle.text(pickle.item(id, 0)) != "storage") {
            return cat({"a persistent id is of the kind ", Quoted{pickle.text(pickle.item(id, 0))},
                        ", and only 'storage' is read"});
        }
        if (id.size != id_size) {
            return cat({"a storage's id has ", id.size, " items instead of ", id_size});
        }
        const PickleValue& type = pickle.item(id, 1);
        const PickleValue& key = pickle.item(id, 2);
        const PickleValue& count = pickle.item(id, 4);
        if (key.kind != Kind::text || key.size > kLongestStorageKey) {
            return "a storage's key is no text, or a long one";
        }
        storage.key = pickle.text(key);
        if (type.kind != Kind::global || (type.global.name != TorchName::storage &&
                                          type.global.name != TorchName::untyped_storage)) {
            return cat({"storage ", Quoted{storage.key}, " has no type of a storage"});
        }
        if (count.kind != Kind::integer || count.number < 0) {
            return cat({"storage ", Quoted{storage.key}, " has no number of elements"});
        }
        storage.dtype = type.global.dtype;
        storage.count = static_cast<std::uint64_t>(count.number);
        const auto bytes =
            checked_mul(storage.count, static_cast<std::uint64_t>(size_in_bytes(storage.dtype)));
        if (!bytes)
            return cat(
                {"storage ", Quoted{storage.key}, " is said to have ", storage.count, " elements"});
        storage.byte_size = *bytes;
        return {};
    }

    std::vector<TorchStorage> storages_;
};

/// A storage as a tensor of one dimension.
inline TensorData storage_tensor(Dtype dtype, std::uint64_t count,
                                 std::span<const std::byte> data) {
    return contiguous_tensor(dtype, Dims{static_cast<std::int64_t>(count)}, data);
}

/// Moves where a view begins by `offset` of its elements; how far it reaches from there is checked
/// where it joins the others. What is wrong, or nothing.
LUMBAR_COLD inline std::string move_view(std::int64_t offset, TensorData& view) {
    if (checked_element_count(view.shape) == 0) return {};  // wherever it may be
    const auto size = static_cast<std::uint64_t>(size_in_bytes(view.dtype));
    const std::uint64_t room = view.byte_size / size;
    if (offset < 0 || static_cast<std::uint64_t>(offset) > room) {
        return cat({"begins at element ", offset, " of a storage of ", room});
    }
    const std::size_t bytes = static_cast<std::size_t>(offset) * static_cast<std::size_t>(size);
    view.bytes += bytes;
    view.byte_size -= bytes;
    return {};
}

}  // namespace detail
LUMBAR_NAMESPACE_END
