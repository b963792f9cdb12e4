#include <oracle/kernel_tables.hpp>

#include <doctest/doctest.h>

namespace kernel_tables_test {

TEST_CASE("kernel tables differ, and the native one comes first") {
    const auto& tables = oracle::kernel_tables();
    REQUIRE(tables.size() >= 2);
    CHECK(tables[0] == &lumbar::native_kernels());
    CHECK(tables[1]->lanes == 1);
    for (std::size_t i = 0; i < tables.size(); ++i) {
        CAPTURE(tables[i]->isa);
        for (std::size_t j = 0; j < i; ++j) CHECK(tables[i] != tables[j]);
    }
}

TEST_CASE("every table has tiles of all widths up to its widest") {
    for (const lumbar::KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        CHECK(kernels->max_pixels(0) == 0);
        CHECK(kernels->max_pixels(lumbar::kMaxTileGroups + 1) == 0);
        for (int groups = 1; groups <= kernels->max_groups(); ++groups) {
            CAPTURE(groups);
            const int pixels = kernels->max_pixels(groups);
            CHECK(pixels >= 1);
            // Accumulators, weights and a broadcast fit into the registers.
            CHECK(pixels * groups + groups + 1 <= kernels->registers);
        }
        const auto has_exactly = [](const lumbar::DepthwiseTileTable& tiles, int widest) {
            for (int pixels = 1; pixels <= lumbar::kMaxDepthwisePixels; ++pixels) {
                CAPTURE(pixels);
                CHECK((tiles[static_cast<std::size_t>(pixels - 1)] != nullptr) ==
                      (pixels <= widest));
            }
        };
        has_exactly(kernels->depthwise_3x3, 8);
        has_exactly(kernels->depthwise_5x5, 8);
        has_exactly(kernels->depthwise, 4);
        for (const auto tile : kernels->linear) CHECK((tile != nullptr));
        CHECK((kernels->max_pool != nullptr));
        CHECK((kernels->average_pool != nullptr));
        CHECK((kernels->affine != nullptr));
        CHECK((kernels->softmax != nullptr));
        CHECK((kernels->local_response_norm != nullptr));
    }
}

}  // namespace kernel_tables_test
