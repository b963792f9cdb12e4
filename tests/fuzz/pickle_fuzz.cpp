// Pickles, and the state dicts in them, over storages of zeros.
#include "fuzz_target.hpp"

#include <lumbar/weights/torch_state_dict.hpp>

#include <cstddef>
#include <utility>
#include <vector>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lumbar;
    static const std::vector<std::byte> zeros(1024);
    const detail::TorchFile file{lumbar_test::as_span(data, size), "fuzz",
                                 lumbar_test::kFuzzLimits};
    detail::Pickle pickle(file);
    std::size_t at = 0;
    if (!pickle.try_read(at, size, "fuzzed")) return 0;

    detail::TorchStorages storages;
    if (!storages.try_collect(file, pickle, 5)) return 0;
    std::vector<TensorData> objects;
    for (const std::uint32_t id : pickle.persistent()) {
        const detail::TorchStorage& storage = storages.of(pickle, id);
        if (storage.byte_size > zeros.size()) return 0;
        // At the end of the block, so that the sanitizer sees what lies beyond.
        const auto bytes = static_cast<std::size_t>(storage.byte_size);
        const std::span<const std::byte> end(zeros.data() + zeros.size() - bytes, bytes);
        objects.push_back(detail::storage_tensor(storage.dtype, storage.count, end));
    }
    lumbar_test::read_all(
        detail::TorchStateDict(file, pickle, std::move(objects)).try_read(nullptr), size);
    return 0;
}
