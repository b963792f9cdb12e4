#include <lumbar/layers/row_order.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <tuple>

namespace row_order_test {

using lumbar::RowOrder;

TEST_CASE("every row of every plane is one unit, from the top of the image down") {
    for (const int height : {1, 7, 8, 9, 16, 30}) {
        CAPTURE(height);
        for (const int groups : {1, 3, 8}) {
            CAPTURE(groups);
            const RowOrder order{groups, height};
            std::set<std::tuple<int, int, int>> seen;
            int last_band = 0;
            for (std::int64_t unit = 0; unit < 2 * std::int64_t{groups} * height; ++unit) {
                const RowOrder::Rows rows = order.at(unit);
                CHECK(seen.insert({rows.n, rows.g, rows.y}).second);
                CHECK(rows.n < 2);
                CHECK(rows.g < groups);
                CHECK(rows.count >= 1);
                CHECK(rows.y + rows.count <= height);
                const int band = rows.n * height + rows.y / 8;
                CHECK(band >= last_band);
                last_band = band;
                // The rows that follow it are the units that follow it.
                for (int i = 1; i < rows.count; ++i) {
                    const RowOrder::Rows next = order.at(unit + i);
                    CHECK(next.n == rows.n);
                    CHECK(next.g == rows.g);
                    CHECK(next.y == rows.y + i);
                }
            }
            CHECK(seen.size() == static_cast<std::size_t>(2 * groups * height));
        }
    }
}

}  // namespace row_order_test
