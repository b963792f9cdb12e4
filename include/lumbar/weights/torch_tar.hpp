// PyTorch's .pth before 0.2: a tar archive of three streams of pickles and numbers.
//
//     storages: n | n x (key, location, type) u64 count, elements | [(view, storage, begin, count)]
//     tensors:  n | n x (key, storage, type) i32 rank, 4 bytes, shape, strides, offset
//     pickle:   the object, whose persistent ids are keys of tensors
//
// Format: torch/serialization.py, legacy_load.
#pragma once

#include <lumbar/core/sorted_order.hpp>
#include <lumbar/weights/tar.hpp>
#include <lumbar/weights/torch_state_dict.hpp>
#include <lumbar/weights/torch_storage.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

class TorchTar {
   public:
    explicit TorchTar(const TorchFile& file) : file_(file), small_(file), pickle_(file) {}

    LUMBAR_COLD Result<Weights> try_read(std::shared_ptr<const void> owner) {
        for (const auto step : {&TorchTar::try_find_members, &TorchTar::try_read_storages,
                                &TorchTar::try_read_tensors, &TorchTar::try_read_object}) {
            if (Status read = (this->*step)(); !read) return read.error();
        }
        return TorchStateDict(file_, pickle_, std::move(objects_)).try_read(std::move(owner));
    }

   private:
    using Kind = PickleValue::Kind;

    struct Keyed {
        std::int64_t key;  // an address in the writer's memory
        TensorData tensor;
    };

    /// Where a member is read.
    struct Place {
        std::size_t at = 0;
        std::size_t end = 0;
    };

    LUMBAR_COLD Status try_find_members() {
        TarReader tar(file_.bytes);
        while (tar.next()) {
            Place* const place = tar.name() == "storages"  ? &storages_at_
                                 : tar.name() == "tensors" ? &tensors_at_
                                 : tar.name() == "pickle"  ? &pickle_at_
                                                           : nullptr;
            if (!place) continue;
            if (place->end != 0) {
                return file_.bad({"it has two members named ", Quoted{tar.name()}});
            }
            place->at = static_cast<std::size_t>(tar.data().data() - file_.bytes.data());
            place->end = place->at + tar.data().size();
        }
        if (!tar.problem().empty()) return file_.bad({tar.problem()});
        if (storages_at_.end != 0 && tensors_at_.end != 0 && pickle_at_.end != 0) return Success{};
        return file_.refused(
            {"is a tar archive, but no PyTorch checkpoint (it has no members 'storages', 'tensors' "
             "and 'pickle'); unpack it first"});
    }

    LUMBAR_COLD Status try_read_small(Place& place, const char* name) {
        return small_.try_read(place.at, place.end, name);
    }

    /// The number of things that a stream holds.
    LUMBAR_COLD Status try_read_count(Place& place, const char* name, std::int64_t& count) {
        if (Status read = try_read_small(place, name); !read) return read;
        count = small_.root().number;
        if (small_.root().kind == Kind::integer && count >= 0) return Success{};
        return file_.bad({"its member '", name, "' does not begin with a number of things"});
    }

    const PickleValue& part(std::size_t i) const { return small_.item(small_.root(), i); }
    bool is_tuple_of(const PickleValue& value, std::uint32_t size) const {
        return value.kind == Kind::tuple && value.size == size;
    }

    LUMBAR_COLD bool take_number(Place& place, std::int64_t& number) const {
        if (place.end - place.at < 8) return false;
        number = load_bits<std::int64_t>(file_.bytes.data() + place.at);
        place.at += 8;
        return true;
    }

    LUMBAR_COLD Status try_read_storages() {
        Place& place = storages_at_;
        std::int64_t count = 0;
        if (Status read = try_read_count(place, "storages", count); !read) return read;
        for (std::int64_t i = 0; i < count; ++i) {
            if (storages_.size() == file_.limits.tensors) return too_many("storages");
            if (Status read = try_read_small(place, "storages"); !read) return read;
            if (!is_tuple_of(small_.root(), 3) || part(0).kind != Kind::integer ||
                part(2).kind != Kind::global || part(2).global.name != TorchName::storage) {
                return file_.bad({"storage ", i, " has no key, location and type"});
            }
            const Dtype dtype = part(2).global.dtype;
            const auto bytes = static_cast<std::uint64_t>(size_in_bytes(dtype));
            std::int64_t elements = 0;
            if (!take_number(place, elements) || elements < 0 ||
                static_cast<std::uint64_t>(elements) > (place.end - place.at) / bytes) {
                return file_.bad({"storage ", i, " of ", elements, " elements of ",
                                  to_string(dtype), " is cut off; fetch the file again"});
            }
            const auto size = static_cast<std::size_t>(elements) * static_cast<std::size_t>(bytes);
            storages_.push_back(
                {part(0).number, storage_tensor(dtype, static_cast<std::uint64_t>(elements),
                                                file_.bytes.subspan(place.at, size))});
            place.at += size;
        }
        if (Status sorted = try_sort(storages_, "storages"); !sorted) return sorted;
        return try_read_views();
    }

    /// Parts of storages that are storages themselves.
    LUMBAR_COLD Status try_read_views() {
        if (Status read = try_read_small(storages_at_, "storages"); !read) return read;
        if (small_.root().kind != Kind::list)
            return file_.bad({"its views of storages are no list"});
        // A pickle repeats a view in two bytes: equal ones are found before each takes the hundred
        // times that of a storage.
        std::vector<std::int64_t> keys;
        small_.for_each_item(small_.root(), [&](const PickleValue& view) {
            if (is_tuple_of(view, 4)) keys.push_back(small_.item(view, 0).number);
        });
        sort_by(keys, [](std::int64_t a, std::int64_t b) { return a < b; });
        if (const auto twice = std::adjacent_find(keys.begin(), keys.end()); twice != keys.end())
            return repeated("storages", *twice);
        if (storages_.size() + keys.size() > file_.limits.tensors) return too_many("storages");

        std::vector<Keyed> all = storages_;
        std::string problem;
        small_.for_each_item(small_.root(), [&](const PickleValue& view) {
            if (!problem.empty()) return;
            std::int64_t numbers[4] = {};
            bool good = is_tuple_of(view, 4);
            for (std::size_t i = 0; good && i < 4; ++i) {
                good = small_.item(view, i).kind == Kind::integer;
                numbers[i] = small_.item(view, i).number;
            }
            const TensorData* const root = good ? find(storages_, numbers[1]) : nullptr;
            if (!root || numbers[2] < 0 || numbers[2] > root->size() || numbers[3] < 0 ||
                numbers[3] > root->size() - numbers[2]) {
                problem = "a view of a storage is no part of it";
                return;
            }
            const auto bytes = static_cast<std::size_t>(size_in_bytes(root->dtype));
            all.push_back(
                {numbers[0],
                 storage_tensor(root->dtype, static_cast<std::uint64_t>(numbers[3]),
                                {root->bytes + static_cast<std::size_t>(numbers[2]) * bytes,
                                 static_cast<std::size_t>(numbers[3]) * bytes})});
        });
        if (!problem.empty()) return file_.bad({problem});
        storages_ = std::move(all);
        return try_sort(storages_, "storages");
    }

    LUMBAR_COLD Status try_read_tensors() {
        Place& place = tensors_at_;
        std::int64_t count = 0;
        if (Status read = try_read_count(place, "tensors", count); !read) return read;
        for (std::int64_t i = 0; i < count; ++i) {
            if (tensors_.size() == file_.limits.tensors) return too_many("tensors");
            if (Status read = try_read_small(place, "tensors"); !read) return read;
            const auto bad = [&](std::initializer_list<Piece> what) {
                return file_.bad({"tensor ", i, " of its member 'tensors' ", cat(what)});
            };
            if (!is_tuple_of(small_.root(), 3) || part(0).kind != Kind::integer ||
                part(1).kind != Kind::integer) {
                return bad({"has no key, storage and type"});
            }
            const std::int64_t key = part(0).number;
            const TensorData* const storage = find(storages_, part(1).number);
            if (!storage) return bad({"has an unknown storage"});
            Keyed keyed{key, *storage};
            std::int64_t rank = 0, offset = 0;
            // The upper half of the rank's eight bytes was never written.
            bool good = take_number(place, rank);
            rank &= 0xFFFFFFFF;
            if (rank > std::int64_t{Dims::kMaxRank}) {
                return bad({"has ", rank, " dimensions; at most ", Dims::kMaxRank, " are read"});
            }
            for (Dims* const dims : {&keyed.tensor.shape, &keyed.tensor.strides}) {
                *dims = {};
                for (std::int64_t axis = 0; axis < rank; ++axis) {
                    std::int64_t extent = 0;
                    good = good && take_number(place, extent);
                    dims->push_back(extent);
                }
            }
            if (!good || !take_number(place, offset))
                return bad({"is cut off; fetch the file again"});
            const std::string problem = move_view(offset, keyed.tensor);
            if (!problem.empty()) return bad({problem});
            tensors_.push_back(keyed);
        }
        return try_sort(tensors_, "tensors");
    }

    LUMBAR_COLD Status try_read_object() {
        Place& place = pickle_at_;
        if (Status read = pickle_.try_read(place.at, place.end, "pickle"); !read) return read;
        for (const std::uint32_t persistent : pickle_.persistent()) {
            const PickleValue& id = pickle_.item(pickle_.value(persistent), 0);
            const TensorData* tensor = nullptr;
            if (id.kind == Kind::integer) {
                tensor = find(tensors_, id.number);
                if (!tensor) tensor = find(storages_, id.number);
            }
            if (!tensor) return file_.bad({"a persistent id is the key of no tensor"});
            objects_.push_back(*tensor);
        }
        return Success{};
    }

    LUMBAR_COLD Status try_sort(std::vector<Keyed>& all, const char* what) {
        sort_by(all, [](const Keyed& a, const Keyed& b) { return a.key < b.key; });
        for (std::size_t i = 1; i < all.size(); ++i) {
            if (all[i - 1].key == all[i].key) return repeated(what, all[i].key);
        }
        return Success{};
    }

    LUMBAR_COLD Error repeated(const char* what, std::int64_t key) const {
        return file_.bad({"two of its ", what, " have the key ", key});
    }
    LUMBAR_COLD Error too_many(const char* what) const {
        return file_.bad(
            {"it has more than ", file_.limits.tensors, " ", what, " (LoadLimits::tensors)"});
    }

    static const TensorData* find(const std::vector<Keyed>& all, std::int64_t key) {
        const auto at = std::lower_bound(all.begin(), all.end(), key,
                                         [](const Keyed& a, std::int64_t k) { return a.key < k; });
        return at != all.end() && at->key == key ? &at->tensor : nullptr;
    }

    const TorchFile& file_;
    Pickle small_;   // the pickles between the numbers
    Pickle pickle_;  // of the object
    Place storages_at_, tensors_at_, pickle_at_;
    std::vector<Keyed> storages_, tensors_;
    std::vector<TensorData> objects_;
};

LUMBAR_COLD inline Result<Weights> try_read_torch_tar(std::span<const std::byte> bytes,
                                                      std::shared_ptr<const void> owner,
                                                      const std::string& source,
                                                      const LoadLimits& limits) {
    const TorchFile file{bytes, source, limits};
    return TorchTar(file).try_read(std::move(owner));
}

}  // namespace detail
LUMBAR_NAMESPACE_END
