// Sorting what is cold: one instantiation of std::sort for the whole library, since each costs
// whoever includes it a tenth of a second and three kilobytes.
#pragma once

#include <lumbar/config/config.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// Compares two indices through a pointer to whatever they are indices of.
struct IndexLess {
    const void* context;
    bool (*less)(const void* context, std::size_t a, std::size_t b);

    bool operator()(std::size_t a, std::size_t b) const { return less(context, a, b); }
};

LUMBAR_COLD inline std::vector<std::size_t> sort_indices(std::size_t count, IndexLess less) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), less);
    return order;
}

/// The indices of `items` in the order of less(items[a], items[b]).
template <class T, class Less>
std::vector<std::size_t> sorted_order(const std::vector<T>& items, const Less& less) {
    struct Context {
        const std::vector<T>& items;
        const Less& less;
    };
    const Context context{items, less};
    return sort_indices(items.size(), {&context, [](const void* c, std::size_t a, std::size_t b) {
                                           const auto& [all, before] =
                                               *static_cast<const Context*>(c);
                                           return bool{before(all[a], all[b])};
                                       }});
}

/// Sorts `items` by moving each once.
template <class T, class Less>
void sort_by(std::vector<T>& items, const Less& less) {
    std::vector<T> sorted;
    sorted.reserve(items.size());
    for (const std::size_t i : sorted_order(items, less)) sorted.push_back(std::move(items[i]));
    items = std::move(sorted);
}

}  // namespace detail
LUMBAR_NAMESPACE_END
