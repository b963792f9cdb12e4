// PyTorch's .pth since 1.6: a zip archive of a pickle and of storages, each uncompressed.
//
//     NAME/data.pkl   NAME/data/0   NAME/data/1   ...   NAME/version   [NAME/byteorder]
//
// The entries come in any order. Format: caffe2/serialize/inline_container.h and
// torch/serialization.py.
#pragma once

#include <lumbar/core/sorted_order.hpp>
#include <lumbar/weights/sniff.hpp>
#include <lumbar/weights/torch_state_dict.hpp>
#include <lumbar/weights/torch_storage.hpp>
#include <lumbar/weights/zip.hpp>

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

/// Finds the records of a checkpoint in its archive.
class TorchZip {
   public:
    TorchZip(const TorchFile& file, const ZipArchive& archive)
        : file_(file),
          archive_(archive),
          folder_(archive.first_name.substr(0, archive.first_name.find('/'))) {}

    /// What the archive is, if it is no checkpoint that can be read.
    LUMBAR_COLD Status check() const {
        if (find("constants.pkl")) {
            return file_.refused(
                {"is TorchScript, a program with its weights, which is not read here; save the "
                 "weights alone: python3 -c \"import torch; m = torch.jit.load('IN', "
                 "map_location='cpu'); torch.save(m.state_dict(), 'OUT.pth')\""});
        }
        if (folder_.size() == archive_.first_name.size() || !find("data.pkl")) {
            return file_.bad({"a zip archive without ", Quoted{cat({folder_, "/data.pkl"})},
                              ", which torch.save writes"});
        }
        if (Status unique = check_case(); !unique) return unique;
        std::span<const std::byte> record;
        if (find("byteorder")) {
            if (Status read = try_read("byteorder", record); !read) return read;
            if (as_text(record) == "big") {
                return file_.refused(
                    {"was written on a big-endian machine, which is not read here; save it on a "
                     "little-endian one, after torch.load"});
            }
            if (as_text(record) != "little") {
                return file_.bad({"its byteorder is ", Quoted{as_text(record)}});
            }
        }
        const char* const version = find(".data/version") ? ".data/version" : "version";
        if (Status read = try_read(version, record); !read) return read;
        std::string_view digits = as_text(record);
        while (digits.ends_with('\n')) digits.remove_suffix(1);
        const bool known =
            (digits.size() == 1 && digits[0] >= '1' && digits[0] <= '9') || digits == "10";
        if (known) return Success{};
        return file_.refused(
            {"has the version ", Quoted{digits}, " of PyTorch's format; 1 to 10 are read"});
    }

    LUMBAR_COLD Status try_read(std::string_view name, std::span<const std::byte>& record) const {
        const ZipEntry* const entry = find(name);
        if (!entry) return file_.bad({"its record ", Quoted{path(name)}, " is missing"});
        if (entry->method != 0) {
            return file_.bad({"its record ", Quoted{path(name)},
                              " is compressed, which torch.save never does (method ", entry->method,
                              "); unzip it, and zip it again with zip -0"});
        }
        record = entry->data;
        return Success{};
    }

   private:
    /// PyTorch finds records by names whose letters may be of either case: of two such records
    /// perhaps the other one.
    LUMBAR_COLD Status check_case() const {
        std::vector<std::string> names;
        names.reserve(archive_.entries.size());
        for (const ZipEntry& entry : archive_.entries) {
            std::string& name = names.emplace_back(entry.name);
            for (char& c : name) {
                if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
            }
        }
        sort_by(names, [](const auto& a, const auto& b) { return a < b; });
        const auto twice = std::adjacent_find(names.begin(), names.end());
        if (twice == names.end()) return Success{};
        return file_.bad({"it has two entries named ", Quoted{*twice},
                          " but for the case of letters, which PyTorch does not tell apart"});
    }

    std::string path(std::string_view name) const { return cat({folder_, "/", name}); }
    const ZipEntry* find(std::string_view name) const { return archive_.find(path(name)); }

    const TorchFile& file_;
    const ZipArchive& archive_;
    std::string_view folder_;
};

LUMBAR_COLD inline Result<Weights> try_read_torch_zip(std::span<const std::byte> bytes,
                                                      std::shared_ptr<const void> owner,
                                                      const std::string& source,
                                                      const LoadLimits& limits) {
    const TorchFile file{bytes, source, limits};
    ZipDirectory directory(bytes);
    if (!directory.read()) return file.bad({directory.problem()});
    const TorchZip zip(file, directory.archive());
    if (Status checked = zip.check(); !checked) return checked.error();

    std::span<const std::byte> record;
    if (Status read = zip.try_read("data.pkl", record); !read) return read.error();
    Pickle pickle(file);
    auto at = static_cast<std::size_t>(record.data() - bytes.data());
    const std::size_t end = at + record.size();
    if (Status read = pickle.try_read(at, end, "data.pkl"); !read) return read.error();
    if (at != end) return file.bad({end - at, " bytes follow its pickle data.pkl"});

    TorchStorages storages;
    if (Status read = storages.try_collect(file, pickle, 5); !read) return read.error();
    for (TorchStorage& storage : storages.all()) {
        Status read = zip.try_read(cat({"data/", storage.key}), storage.data);
        if (!read) return read.error();
        if (storage.data.size() != storage.byte_size) {
            return file.bad({"storage ", Quoted{storage.key}, " of ", storage.count, " ",
                             to_string(storage.dtype), " needs ", storage.byte_size,
                             " bytes, and its record has ", storage.data.size()});
        }
    }
    std::vector<TensorData> objects;
    objects.reserve(pickle.persistent().size());
    for (const std::uint32_t id : pickle.persistent()) {
        const TorchStorage& storage = storages.of(pickle, id);
        objects.push_back(storage_tensor(storage.dtype, storage.count, storage.data));
    }
    return TorchStateDict(file, pickle, std::move(objects)).try_read(std::move(owner));
}

}  // namespace detail
LUMBAR_NAMESPACE_END
