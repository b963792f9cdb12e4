// PyTorch's .pth from 2017 to 1.5: pickles one after the other, then the storages.
//
//     magic | 1001 | system | the object | keys of the storages | for each: u64 count, elements
//
// Format: torch/serialization.py, _legacy_save and _legacy_load.
#pragma once

#include <lumbar/core/sorted_order.hpp>
#include <lumbar/weights/sniff.hpp>
#include <lumbar/weights/torch_state_dict.hpp>
#include <lumbar/weights/torch_storage.hpp>

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

class TorchLegacy {
   public:
    explicit TorchLegacy(const TorchFile& file) : file_(file), keys_(file), pickle_(file) {}

    LUMBAR_COLD Result<Weights> try_read(std::shared_ptr<const void> owner) {
        for (const auto step : {&TorchLegacy::try_read_pickles, &TorchLegacy::try_read_storages,
                                &TorchLegacy::try_list_objects}) {
            if (Status read = (this->*step)(); !read) return read.error();
        }
        return TorchStateDict(file_, pickle_, std::move(objects_)).try_read(std::move(owner));
    }

   private:
    using Kind = PickleValue::Kind;

    LUMBAR_COLD Status try_read_pickles() {
        using namespace std::string_view_literals;
        constexpr auto kMagic = "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19."sv;
        if (as_text(file_.bytes).substr(0, kMagic.size()) != kMagic) {
            return file_.bad({"it does not begin with the whole of PyTorch's magic number"});
        }
        at_ = kMagic.size();
        // In which order of bytes the writer's machine kept numbers does not matter: files have
        // them little-endian in either case.
        if (Status read = try_read_pickle(keys_, "of the version"); !read) return read;
        if (keys_.root().kind != Kind::integer || keys_.root().number != 1001) {
            return file_.refused({"has another version of PyTorch's format than 1001"});
        }
        if (Status read = try_read_pickle(keys_, "of the system"); !read) return read;
        if (keys_.root().kind != Kind::dict)
            return file_.bad({"its system is described by no dict"});
        if (Status read = try_read_pickle(pickle_, "of the object"); !read) return read;
        if (Status read = try_read_pickle(keys_, "of the keys"); !read) return read;
        if (keys_.root().kind != Kind::list) return file_.bad({"its storages' keys are no list"});
        return storages_.try_collect(file_, pickle_, 6);
    }

    LUMBAR_COLD Status try_read_pickle(Pickle& pickle, const char* name) {
        return pickle.try_read(at_, file_.bytes.size(), name);
    }

    LUMBAR_COLD Status try_read_storages() {
        std::string problem;
        keys_.for_each_item(keys_.root(), [&](const PickleValue& key) {
            if (problem.empty()) problem = read_storage(key);
        });
        if (!problem.empty()) return file_.bad({problem});
        for (const TorchStorage& storage : storages_.all()) {
            if (!storage.found) {
                return file_.bad(
                    {"storage ", Quoted{storage.key}, " is not in the list of storages"});
            }
        }
        if (at_ == file_.bytes.size()) return Success{};
        return file_.bad({file_.bytes.size() - at_, " bytes follow its last storage"});
    }

    /// What is wrong with the storage that begins at at_, or nothing.
    LUMBAR_COLD std::string read_storage(const PickleValue& key) {
        if (key.kind != Kind::text) return "a storage's key in the list is no text";
        TorchStorage* const storage = storages_.find(keys_.text(key));
        const std::string who = "storage " + in_quotes(keys_.text(key));
        if (!storage) return who + " is listed, but no tensor has it";
        if (storage->found) return who + " is listed twice";
        const std::size_t room = file_.bytes.size() - at_;
        if (room < 8) return who + " is cut off; fetch the file again";
        const auto count = load_bits<std::uint64_t>(file_.bytes.data() + at_);
        if (count != storage->count) {
            return cat({who, " of ", storage->count, " elements is said to have ", count,
                        " where it begins"});
        }
        if (storage->byte_size > room - 8) {
            return cat({who, " needs ", storage->byte_size, " bytes, of which ", room - 8,
                        " are there: the file is cut off; fetch it again"});
        }
        storage->data = file_.bytes.subspan(at_ + 8, static_cast<std::size_t>(storage->byte_size));
        storage->found = true;
        at_ += 8 + storage->data.size();
        return {};
    }

    /// Before 0.4 a tensor could have a part of a storage for its own: (key, begin, count).
    struct View {
        std::string_view key;
        const TorchStorage* storage = nullptr;
        std::uint64_t begin = 0;
        std::uint64_t count = 0;
    };

    LUMBAR_COLD Status try_list_objects() {
        std::vector<View> views;
        objects_.reserve(pickle_.persistent().size());
        for (const std::uint32_t persistent : pickle_.persistent()) {
            const TorchStorage& storage = storages_.of(pickle_, persistent);
            View view{{}, &storage, 0, storage.count};
            const PickleValue& value = pickle_.item(pickle_.item(pickle_.value(persistent), 0), 5);
            if (value.kind != Kind::none) {
                if (!read_view(value, view)) {
                    return file_.bad({"a view of storage ", Quoted{storage.key},
                                      " is no part of its ", storage.count, " elements"});
                }
                if (view.key.size() > kLongestStorageKey) {
                    return file_.bad({"a view of storage ", Quoted{storage.key}, " has a key of ",
                                      view.key.size(), " bytes"});
                }
                views.push_back(view);
            }
            const auto bytes = static_cast<std::size_t>(size_in_bytes(storage.dtype));
            objects_.push_back(
                storage_tensor(storage.dtype, view.count,
                               storage.data.subspan(static_cast<std::size_t>(view.begin) * bytes,
                                                    static_cast<std::size_t>(view.count) * bytes)));
        }
        return try_check_views(views);
    }

    LUMBAR_COLD bool read_view(const PickleValue& value, View& view) const {
        if (value.kind != Kind::tuple || value.size != 3) return false;
        const PickleValue& key = pickle_.item(value, 0);
        const PickleValue& begin = pickle_.item(value, 1);
        const PickleValue& count = pickle_.item(value, 2);
        view.key = key.kind == Kind::text ? pickle_.text(key) : std::string_view();
        view.begin = static_cast<std::uint64_t>(begin.number);
        view.count = static_cast<std::uint64_t>(count.number);
        return key.kind == Kind::text && begin.kind == Kind::integer &&
               count.kind == Kind::integer && view.begin <= view.storage->count &&
               view.count <= view.storage->count - view.begin;
    }

    /// PyTorch takes what the first view of a key says for all of them.
    LUMBAR_COLD Status try_check_views(std::vector<View>& views) {
        sort_by(views, [](const View& a, const View& b) { return a.key < b.key; });
        for (std::size_t i = 0; i < views.size(); ++i) {
            const View& a = views[i];
            const View& b = views[i > 0 ? i - 1 : 0];
            const bool same = a.storage == b.storage && a.begin == b.begin && a.count == b.count;
            if ((a.key == b.key && !same) || storages_.find(a.key)) {
                return file_.bad({"two parts of its storages have the key ", Quoted{a.key}});
            }
        }
        return Success{};
    }

    const TorchFile& file_;
    std::size_t at_ = 0;
    Pickle keys_;    // and the other small pickles
    Pickle pickle_;  // of the object
    TorchStorages storages_;
    std::vector<TensorData> objects_;
};

LUMBAR_COLD inline Result<Weights> try_read_torch_legacy(std::span<const std::byte> bytes,
                                                         std::shared_ptr<const void> owner,
                                                         const std::string& source,
                                                         const LoadLimits& limits) {
    const TorchFile file{bytes, source, limits};
    return TorchLegacy(file).try_read(std::move(owner));
}

}  // namespace detail
LUMBAR_NAMESPACE_END
