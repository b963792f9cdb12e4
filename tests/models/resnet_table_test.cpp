// The tables of this family by arithmetic: a row with a typo does not compile.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <models/table_count.hpp>

namespace resnet_table_test {

using namespace lumbar;
using tables::Count;
using tables::published;

namespace {

constexpr int channels_of_stage(const ResNetTable& table, std::size_t stage) {
    return kResNetChannels[stage] * (table.block == ResNetBlock::basic ? 1 : 4);
}

/// `preactivated`: normalisation before, and one more at the end (V2).
constexpr Count count_resnet(const ResNetTable& table, bool preactivated = false) {
    Count count;
    // A convolution and, in V1, the normalisation after it.
    const auto unit = [&](std::int64_t in, std::int64_t out, int kernel, std::int64_t size) {
        count.conv(in, out, kernel, size, table.bias);
        if (!preactivated) count.batch_norm(out);
    };
    if (table.deep_stem) {
        unit(3, 32, 3, 112);
        unit(32, 32, 3, 112);
        unit(32, 64, 3, 112);
        count.window(3, 2);
        count.window(3);
        count.window(3);
    } else {
        unit(3, 64, 7, 112);
        count.window(7, 2);
    }
    count.window(3, 2);
    const bool basic = table.block == ResNetBlock::basic;
    int channels = 64, size = 56;
    for (std::size_t stage = 0; stage < table.blocks.size(); ++stage) {
        const int out = channels_of_stage(table, stage);
        const int middle = kResNetChannels[stage] * table.group_width / 64 * table.groups;
        for (int i = 0; i < table.blocks[stage]; ++i) {
            const int stride = stage > 0 && i == 0 ? 2 : 1, before = size;
            size /= stride;
            if (preactivated) count.batch_norm(channels);
            if (basic) {
                unit(channels, middle, 3, size);
                unit(middle, out, 3, size);
                count.window(3, stride);
                count.window(3);
            } else {
                unit(channels, middle, 1, table.stride_on_3x3 ? before : size);
                unit(middle / table.groups, middle, 3, size);
                unit(middle, out, 1, size);
                count.window(1, table.stride_on_3x3 ? 1 : stride);
                count.window(3, table.stride_on_3x3 ? stride : 1);
            }
            if (preactivated) {
                count.batch_norm(middle);
                if (!basic) count.batch_norm(middle);
            }
            if (table.squeeze_excite) {
                const int squeezed = make_divisible(out / 16.0);
                count.conv(out, squeezed, 1, 1, true);
                count.conv(squeezed, out, 1, 1, true);
            }
            if (stride > 1 || channels != out) unit(channels, out, 1, size);
            channels = out;
        }
    }
    if (preactivated) count.batch_norm(channels);
    count.linear(channels, 1000);
    return count;
}

constexpr Count count_cifar(int n) {
    Count count;
    int channels = kCifarChannels[0], size = 32;
    count.conv_bn(3, channels, 3, size);
    count.window(3);
    for (const int out : kCifarChannels) {
        for (int i = 0; i < n; ++i) {
            const int stride = channels == out ? 1 : 2;
            size /= stride;
            count.conv_bn(channels, out, 3, size);
            count.conv_bn(out, out, 3, size);
            count.window(3, stride);
            count.window(3);
            channels = out;
        }
    }
    count.linear(channels, 10);
    return count;
}

/// Layers with weights on the way from image to logits: what the paper counts.
constexpr int weight_layers(const ResNetTable& table) {
    int blocks = 0;
    for (const int n : table.blocks) blocks += n;
    return 2 + blocks * (table.block == ResNetBlock::basic ? 2 : 3);
}

static_assert(published("resnet18", count_resnet(kResNet18)));
static_assert(published("resnet34", count_resnet(kResNet34)));
static_assert(published("resnet50", count_resnet(kResNet50)));
static_assert(published("resnet101", count_resnet(kResNet101)));
static_assert(published("resnet152", count_resnet(kResNet152)));
static_assert(weight_layers(kResNet18) == 18 && weight_layers(kResNet34) == 34);
static_assert(weight_layers(kResNet50) == 50 && weight_layers(kResNet101) == 101);
static_assert(weight_layers(kResNet152) == 152);
static_assert(published(kResNeXt50x32x4d.name, count_resnet(kResNeXt50x32x4d)));
static_assert(published(kResNeXt101x32x8d.name, count_resnet(kResNeXt101x32x8d)));
static_assert(published(kResNeXt101x64x4d.name, count_resnet(kResNeXt101x64x4d)));
static_assert(published(kWideResNet50.name, count_resnet(kWideResNet50)));
static_assert(published(kWideResNet101.name, count_resnet(kWideResNet101)));
static_assert(published(kResNet18d.name, count_resnet(kResNet18d)));
static_assert(published(kResNet34d.name, count_resnet(kResNet34d)));
static_assert(published(kResNet50d.name, count_resnet(kResNet50d)));
static_assert(published(kResNet101d.name, count_resnet(kResNet101d)));
static_assert(published(kResNet152d.name, count_resnet(kResNet152d)));
static_assert(published(kSeResNet50.name, count_resnet(kSeResNet50)));
static_assert(published(kSeResNeXt50x32x4d.name, count_resnet(kSeResNeXt50x32x4d)));
static_assert(published(kResNet50v1.name, count_resnet(kResNet50v1)));
static_assert(published(kResNet101v1.name, count_resnet(kResNet101v1)));
static_assert(published(kResNet152v1.name, count_resnet(kResNet152v1)));
static_assert(published(kCaffeResNet101.name, count_resnet(kCaffeResNet101)));
static_assert(published(kResNetV2x18.name, count_resnet(kResNetV2x18, true)));
static_assert(published(kResNetV2x34.name, count_resnet(kResNetV2x34, true)));
static_assert(published(kResNetV2x50.name, count_resnet(kResNetV2x50, true)));
static_assert(published(kResNetV2x101.name, count_resnet(kResNetV2x101, true)));
static_assert(published(kResNetV2x152.name, count_resnet(kResNetV2x152, true)));
static_assert(published("resnet20_cifar", count_cifar(3)));
static_assert(published("resnet32_cifar", count_cifar(5)));
static_assert(published("resnet44_cifar", count_cifar(7)));
static_assert(published("resnet56_cifar", count_cifar(9)));
static_assert(published("resnet110_cifar", count_cifar(18)));
static_assert(count_resnet(kResNet18).sees(435, 32));
static_assert(count_resnet(kResNet50).sees(427, 32));
static_assert(count_resnet(kResNet50v1).sees(483, 32));  // the literature's

}  // namespace

TEST_CASE("the ResNets cost and see what their tables add up to") {
    for (const ResNetTable* table :
         {&kResNet34, &kResNet50, &kResNeXt50x32x4d, &kWideResNet50, &kResNet18d, &kResNet50d,
          &kSeResNet50, &kResNet50v1, &kCaffeResNet101}) {
        tables::check_count(resnet(*table), count_resnet(*table));
    }
    tables::check_count(resnet_v2(kResNetV2x18), count_resnet(kResNetV2x18, true));
    tables::check_count(resnet_v2(kResNetV2x50), count_resnet(kResNetV2x50, true));
    tables::check_count(resnet_cifar(3), count_cifar(3), 32);
}

TEST_CASE("the paper's placement of a bottleneck's stride costs less, and as many parameters") {
    ResNetTable paper = kResNet50;
    paper.stride_on_3x3 = false;
    const Graph graph = resnet(paper);
    CHECK(parameter_count(graph) == 25557032);
    CHECK(tables::macs_at(graph, 224) == count_resnet(paper).macs);
    // The paper's table 1 says 3.8e9, without the shortcuts' projections.
    CHECK(std::abs(static_cast<double>(tables::macs_at(graph, 224)) * 1e-9 - 3.86) < 0.01);
}

}  // namespace resnet_table_test
