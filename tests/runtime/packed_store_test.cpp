// The memory of packed weights.
#include <lumbar/runtime/packed_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

using lumbar::PackedStore;
using lumbar::PackedWeights;

TEST_CASE("packed weights lie beside each other, and outlive their store") {
    // Some fill up what others have left of a slab of 32 MiB, some take more than one.
    const std::size_t sizes[] = {1,         16,         17,  5'000'000, 3'000'000,
                                 5'000'000, 20'000'000, 100, 2'000'000};
    std::optional<PackedStore> store(std::in_place);
    std::vector<PackedWeights> weights;
    std::size_t bytes = 0;
    for (const std::size_t size : sizes) {
        CAPTURE(size);
        bool zero = false;
        const float value = static_cast<float>(weights.size() + 1);
        weights.push_back(store->get(std::to_string(weights.size()), size, [&](float* to) {
            zero = std::all_of(to, to + size, [](float x) { return x == 0.0f; });
            std::fill_n(to, size, value);
        }));
        CHECK(zero);
        CHECK(weights.back()->size() == size);
        CHECK(reinterpret_cast<std::uintptr_t>(weights.back()->data()) % lumbar::kAlignment == 0);
        bytes += size * sizeof(float);
    }
    CHECK(store->bytes() == bytes);
    CHECK(store->get("3", sizes[3], [](float*) { FAIL("it is there"); }) == weights[3]);
    store.reset();
    for (std::size_t i = 0; i < weights.size(); ++i) {
        CAPTURE(i);
        CHECK(std::all_of(weights[i]->begin(), weights[i]->end(),
                          [&](float x) { return x == static_cast<float>(i + 1); }));
    }
}
