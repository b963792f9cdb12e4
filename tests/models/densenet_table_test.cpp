// The tables of this family by arithmetic: a row with a typo does not compile.
#include <cstddef>
#include <models/table_count.hpp>

namespace densenet_table_test {

using namespace lumbar;
using tables::Count;
using tables::published;

namespace {

constexpr Count count_densenet(const DenseNetTable& table) {
    Count count;
    int channels = table.stem_channels, size = 56;
    count.conv_bn(3, channels, 7, 112);
    count.window(7, 2);
    count.window(3, 2);
    for (std::size_t block = 0; block < table.layers.size(); ++block) {
        if (block > 0) {
            count.batch_norm(channels);
            count.conv(channels, channels / 2, 1, size);
            count.window(2, 2);
            channels /= 2;
            size /= 2;
        }
        for (int i = 0; i < table.layers[block]; ++i) {
            count.batch_norm(channels);
            count.conv_bn(channels, 4 * table.growth, 1, size);
            count.conv(4 * table.growth, table.growth, 3, size);
            count.window(3);
            channels += table.growth;
        }
    }
    count.batch_norm(channels);
    count.linear(channels, 1000);
    return count;
}

/// Convolutions and the classifier: what the network's name counts.
constexpr int weight_layers(const DenseNetTable& table) {
    int layers = 1 + 3 + 1;
    for (const int n : table.layers) layers += 2 * n;
    return layers;
}

static_assert(published("densenet121", count_densenet(kDenseNet121)));
static_assert(published("densenet169", count_densenet(kDenseNet169)));
static_assert(published("densenet201", count_densenet(kDenseNet201)));
static_assert(published("densenet161", count_densenet(kDenseNet161)));
static_assert(weight_layers(kDenseNet121) == 121 && weight_layers(kDenseNet169) == 169);
static_assert(weight_layers(kDenseNet201) == 201 && weight_layers(kDenseNet161) == 161);
static_assert(count_densenet(kDenseNet121).sees(2071, 32));

}  // namespace

TEST_CASE("the DenseNets cost and see what table 1 adds up to") {
    tables::check_count(densenet(kDenseNet121), count_densenet(kDenseNet121));
    tables::check_count(densenet(kDenseNet161), count_densenet(kDenseNet161));
}

}  // namespace densenet_table_test
