// The tables of this family by arithmetic: a row with a typo does not compile.
#include <cmath>
#include <cstdint>
#include <models/table_count.hpp>

namespace mobilenet_table_test {

using namespace lumbar;
using tables::Count;
using tables::published;

namespace {

constexpr Count count_mobilenet_v1() {
    Count count;
    int channels = kMobileNetV1Stem, size = 112;
    count.conv_bn(3, channels, 3, size);
    count.window(3, 2);
    for (const SeparableRow& row : kMobileNetV1Rows) {
        for (int i = 0; i < row.n; ++i) {
            if (i == 0) size /= row.s;
            count.window(3, i == 0 ? row.s : 1);
            count.conv_bn(1, channels, 3, size);
            count.conv_bn(channels, row.c, 1, size);
            channels = row.c;
        }
    }
    count.linear(channels, 1000);
    return count;
}

constexpr Count count_mobilenet_v2(const MobileNetV2Table& table) {
    Count count;
    int channels = table.stem_channels, size = 224 / table.stem_stride;
    count.conv_bn(3, channels, 3, size);
    count.window(3, table.stem_stride);
    for (const InvertedResidualRow& row : table.rows) {
        for (int i = 0; i < row.n; ++i) {
            const int expanded = channels * row.t;
            if (row.t != 1) count.conv_bn(channels, expanded, 1, size);
            if (i == 0) size /= row.s;
            count.window(3, i == 0 ? row.s : 1);
            count.conv_bn(1, expanded, 3, size);
            count.conv_bn(expanded, row.c, 1, size);
            channels = row.c;
        }
    }
    count.conv_bn(channels, table.head_channels, 1, size);
    count.linear(table.head_channels, 1000);
    return count;
}

constexpr Count count_mobilenet_v3(const MobileNetV3Table& table) {
    Count count;
    int channels = table.stem_channels, size = 112;
    count.conv_bn(3, channels, 3, size);
    count.window(3, 2);
    for (const MobileNetV3Row& row : table.rows) {
        if (row.expanded != channels) count.conv_bn(channels, row.expanded, 1, size);
        size = (size + row.s - 1) / row.s;
        count.window(row.kernel, row.s);
        count.conv_bn(1, row.expanded, row.kernel, size);
        if (row.squeeze_excite) {
            const int squeezed = make_divisible(row.expanded / 4);
            count.conv(row.expanded, squeezed, 1, 1, true);
            count.conv(squeezed, row.expanded, 1, 1, true);
        }
        count.conv_bn(row.expanded, row.c, 1, size);
        channels = row.c;
    }
    count.conv_bn(channels, 6 * channels, 1, size);
    count.linear(6 * channels, table.classifier_channels);
    count.linear(table.classifier_channels, 1000);
    return count;
}

static_assert(published("mobilenet_v1", count_mobilenet_v1()));
static_assert(published("mobilenet_v2", count_mobilenet_v2(kMobileNetV2)));
static_assert(published("mobilenet_v3_large", count_mobilenet_v3(kMobileNetV3Large)));
static_assert(published("mobilenet_v3_small", count_mobilenet_v3(kMobileNetV3Small)));
static_assert(published("mobilenet_v3_large_minimal",
                        count_mobilenet_v3(kMobileNetV3LargeMinimal)));
static_assert(published("mobilenet_v3_small_minimal",
                        count_mobilenet_v3(kMobileNetV3SmallMinimal)));
static_assert(count_mobilenet_v1().sees(315, 32));
static_assert(count_mobilenet_v2(kMobileNetV2).sees(491, 32));

}  // namespace

TEST_CASE("the MobileNets cost and see what their tables add up to") {
    tables::check_count(mobilenet_v1(), count_mobilenet_v1());
    tables::check_count(mobilenet_v2(), count_mobilenet_v2(kMobileNetV2));
    for (const MobileNetV3Table* table : {&kMobileNetV3Large, &kMobileNetV3Small,
                                          &kMobileNetV3LargeMinimal, &kMobileNetV3SmallMinimal}) {
        tables::check_count(mobilenet_v3(*table), count_mobilenet_v3(*table));
    }
}

TEST_CASE("width multipliers have the published costs") {
    struct Case {
        const char* model;
        double width;
        double millions_of_parameters;
        double millions_of_macs;
    };
    // MobileNet V1: the paper's table 6. MobileNet V2: the table of checkpoints of its reference
    // implementation. Rounded numbers, hence the allowances. (MobileNet V3 as torchvision narrows
    // it has no published numbers: the goldens compare it.)
    constexpr Case kCases[] = {
        {"mobilenet_v1", 0.75, 2.6, 325},  {"mobilenet_v1", 0.5, 1.3, 149},
        {"mobilenet_v1", 0.25, 0.5, 41},   {"mobilenet_v2", 1.4, 6.06, 582},
        {"mobilenet_v2", 0.75, 2.61, 209}, {"mobilenet_v2", 0.5, 1.95, 97},
    };
    for (const Case& c : kCases) {
        CAPTURE(c.model);
        CAPTURE(c.width);
        const Graph graph = make(c.model, {.width = c.width});
        REQUIRE_FALSE(graph.error());
        const double parameters = static_cast<double>(parameter_count(graph)) * 1e-6;
        CHECK(std::abs(parameters - c.millions_of_parameters) < 0.07);
        CHECK(std::abs(static_cast<double>(tables::macs_at(graph, 224)) * 1e-6 -
                       c.millions_of_macs) <= 0.01 * c.millions_of_macs + 0.5);
    }
}

}  // namespace mobilenet_table_test
