// The order in which rows of planes are worked on, where each row is a unit of work: bands of a few
// rows of all groups of channels, from the top of the image to its bottom. Threads that take equal
// parts of the units take equal parts of the image, in every layer the same.
#pragma once

#include <lumbar/core/view.hpp>

#include <algorithm>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

struct RowOrder {
    int groups = 1;
    int height = 1;

    /// Rows y to y + count - 1 of one plane: those from a unit on that follow one another.
    struct Rows {
        int n = 0;
        int g = 0;
        int y = 0;
        int count = 0;
    };

    Rows at(std::int64_t unit) const {
        constexpr int kBand = 8;
        const std::int64_t image = std::int64_t{groups} * height;
        const int within = static_cast<int>(unit % image);
        const int first = within / (kBand * groups) * kBand;
        const int band = std::min(kBand, height - first);
        const int in_band = within - first * groups;
        return {static_cast<int>(unit / image), in_band / band, first + in_band % band,
                band - in_band % band};
    }
};

LUMBAR_NAMESPACE_END
