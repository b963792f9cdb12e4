// The shape of a stored tensor: any rank up to eight.
#pragma once

#include <lumbar/core/shape.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>

LUMBAR_NAMESPACE_BEGIN

/// Extents (or strides, in elements) of a stored tensor, outermost first. Held in place: a
/// checkpoint has hundreds of them.
class Dims {
   public:
    static constexpr std::size_t kMaxRank = 8;

    constexpr Dims() = default;

    /// Precondition: at most kMaxRank values.
    constexpr Dims(std::initializer_list<std::int64_t> values) {
        assert(values.size() <= kMaxRank);
        for (const std::int64_t value : values) push_back(value);
    }

    /// Adds an innermost dimension; false, and nothing done, where there are kMaxRank already.
    constexpr bool push_back(std::int64_t value) {
        if (rank_ == kMaxRank) return false;
        values_[rank_++] = value;
        return true;
    }

    constexpr std::size_t rank() const { return rank_; }
    constexpr std::int64_t operator[](std::size_t i) const { return values_[i]; }
    constexpr std::int64_t& operator[](std::size_t i) { return values_[i]; }
    constexpr const std::int64_t* begin() const { return values_.data(); }
    constexpr const std::int64_t* end() const { return values_.data() + rank_; }

    friend constexpr bool operator==(const Dims& a, const Dims& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }

   private:
    std::array<std::int64_t, kMaxRank> values_{};
    std::size_t rank_ = 0;
};

/// "[64, 3, 7, 7]"; "[]" for a scalar.
LUMBAR_COLD inline std::string to_string(const Dims& dims) {
    std::string text = "[";
    for (const std::int64_t value : dims) {
        if (text.size() > 1) text += ", ";
        text += std::to_string(value);
    }
    return text + "]";
}

/// The number of elements (1 for a scalar), or nothing where an extent is negative or the product
/// does not fit in 63 bits.
constexpr std::optional<std::int64_t> checked_element_count(const Dims& shape) {
    std::uint64_t count = 1;
    bool overflow = false;
    bool empty = false;
    for (const std::int64_t extent : shape) {
        if (extent < 0) return std::nullopt;
        if (extent == 0) empty = true;
        const auto product = checked_mul(count, static_cast<std::uint64_t>(extent));
        overflow = overflow || !product;
        count = product.value_or(1);
    }
    if (empty) return 0;
    if (overflow || count > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(count);
}

/// The strides, in elements, of a dense row-major tensor; all zero where it has no elements, or
/// more than can be counted.
constexpr Dims row_major_strides(const Dims& shape) {
    Dims strides = shape;
    std::int64_t stride = checked_element_count(shape).value_or(0) == 0 ? 0 : 1;
    for (std::size_t i = shape.rank(); i-- > 0;) {
        strides[i] = stride;
        stride *= shape[i];
    }
    return strides;
}

LUMBAR_NAMESPACE_END
