// The tables of this family by arithmetic: a row with a typo does not compile.
#include <models/table_count.hpp>

namespace vgg_table_test {

using namespace lumbar;
using tables::Count;
using tables::published;

namespace {

constexpr Count count_vgg(const VggTable& table, bool batch_norm) {
    Count count;
    int channels = 3, size = 224;
    for (std::size_t stage = 0; stage < kVggChannels.size(); ++stage, size /= 2) {
        for (int i = 0; i < table.convolutions[stage]; ++i) {
            count.conv(channels, kVggChannels[stage], 3, size, true);
            channels = kVggChannels[stage];
            count.window(3);
            if (batch_norm) count.batch_norm(channels);
        }
        count.window(2, 2);
    }
    count.linear(channels * size * size, 4096);
    count.linear(4096, 4096);
    count.linear(4096, 1000);
    return count;
}

constexpr int weight_layers(const VggTable& table) {
    int layers = 3;
    for (const int n : table.convolutions) layers += n;
    return layers;
}

static_assert(published("vgg11", count_vgg(kVgg11, false)));
static_assert(published("vgg11_bn", count_vgg(kVgg11, true)));
static_assert(published("vgg13", count_vgg(kVgg13, false)));
static_assert(published("vgg13_bn", count_vgg(kVgg13, true)));
static_assert(published("vgg16", count_vgg(kVgg16, false)));
static_assert(published("vgg16_bn", count_vgg(kVgg16, true)));
static_assert(published("vgg19", count_vgg(kVgg19, false)));
static_assert(published("vgg19_bn", count_vgg(kVgg19, true)));
static_assert(weight_layers(kVgg11) == 11 && weight_layers(kVgg13) == 13);
static_assert(weight_layers(kVgg16) == 16 && weight_layers(kVgg19) == 19);

static_assert(count_vgg(kVgg16, false).sees(212, 32));

}  // namespace

TEST_CASE("the VGGs cost and see what table 1 adds up to") {
    tables::check_count(vgg16({.batch_norm = true}), count_vgg(kVgg16, true));
    tables::check_count(vgg11(), count_vgg(kVgg11, false));
}

}  // namespace vgg_table_test
