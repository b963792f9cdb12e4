// The tables of this family by arithmetic: a row with a typo does not compile.
#include <cstdint>
#include <initializer_list>
#include <models/table_count.hpp>

namespace inception_table_test {

using namespace lumbar;
using tables::Count;
using tables::published;

namespace {

/// torchvision's, or the paper's: biases, no normalisation with parameters, true 5x5.
constexpr Count count_inception_v1(bool original) {
    Count count;
    const auto unit = [&](std::int64_t in, std::int64_t out, int kernel, std::int64_t size) {
        count.conv(in, out, kernel, size, original);
        if (!original) count.batch_norm(out);
    };
    const int wide = original ? 5 : 3;
    unit(3, 64, 7, 112);
    unit(64, 64, 1, 56);
    unit(64, 192, 3, 56);
    count.window(7, 2);
    count.window(3, 2);
    count.window(3);
    count.window(3, 2);
    int channels = 192;
    for (const InceptionV1Row& row : kInceptionV1Rows) {
        if (row.name[1] == 'a' && row.name[0] != '3') {
            count.window(row.name[0] == '5' && !original ? 2 : 3, 2);
        }
        count.window(original ? 5 : 3);  // no wider than the pooled branch, where it is 3
        const int size = row.name[0] == '3' ? 28 : row.name[0] == '4' ? 14 : 7;
        unit(channels, row.c1x1, 1, size);
        unit(channels, row.c3x3_reduce, 1, size);
        unit(row.c3x3_reduce, row.c3x3, 3, size);
        unit(channels, row.c5x5_reduce, 1, size);
        unit(row.c5x5_reduce, row.c5x5, wide, size);
        unit(channels, row.pool_projection, 1, size);
        channels = row.c1x1 + row.c3x3 + row.c5x5 + row.pool_projection;
    }
    count.linear(channels, 1000);
    return count;
}

constexpr Count count_bn_inception() {
    Count count;
    count.conv_bn(3, 64, 7, 112, true);
    count.conv_bn(64, 64, 1, 56, true);
    count.conv_bn(64, 192, 3, 56, true);
    count.window(7, 2);
    count.window(3, 2);
    count.window(3);
    count.window(3, 2);
    int channels = 192, size = 28;
    for (const InceptionV2Row& row : kInceptionV2Rows) {
        const bool pass = row.pool == InceptionPool::max_pass_through;
        const int out = pass ? size / 2 : size;
        count.window(3);
        count.window(3, pass ? 2 : 1);
        count.conv_bn(channels, row.c3x3_reduce, 1, size, true);
        count.conv_bn(row.c3x3_reduce, row.c3x3, 3, out, true);
        count.conv_bn(channels, row.double_3x3_reduce, 1, size, true);
        count.conv_bn(row.double_3x3_reduce, row.double_3x3, 3, size, true);
        count.conv_bn(row.double_3x3, row.double_3x3, 3, out, true);
        if (!pass) {
            count.conv_bn(channels, row.c1x1, 1, size, true);
            count.conv_bn(channels, row.pool_projection, 1, size, true);
        }
        channels = row.c1x1 + row.c3x3 + row.double_3x3 + (pass ? channels : row.pool_projection);
        size = out;
    }
    count.linear(channels, 1000);
    return count;
}

constexpr Count count_inception_v3(const InceptionV3Table& table) {
    Count count;
    /// Convolutions one after another, from `in` channels; the kernels keep the size.
    struct Layer {
        int out;
        Extent kernel;
    };
    const auto chain = [&](int in, std::initializer_list<Layer> layers, int size) {
        for (const Layer& layer : layers) {
            count.conv_bn(in, layer.out, layer.kernel, size);
            in = layer.out;
        }
    };
    count.conv_bn(3, 32, 3, 149);
    count.conv_bn(32, 32, 3, 147);
    count.conv_bn(32, 64, 3, 147);
    int channels = 192;
    for (const int stride : {2, 1, 1, 2}) count.window(3, stride);
    if (table.stem_of_3x3) {
        channels = 288;
        count.conv_bn(64, 80, 3, 71);
        count.conv_bn(80, 192, 3, 35);
        count.conv_bn(192, 288, 3, 35);
        for (const int stride : {1, 2, 1}) count.window(3, stride);
    } else {
        count.conv_bn(64, 80, 1, 73);
        count.conv_bn(80, 192, 3, 71);
        for (const int stride : {1, 2}) count.window(3, stride);
    }
    constexpr Extent one{1, 1}, three{3, 3}, row7{1, 7}, column7{7, 1}, row3{1, 3}, column3{3, 1};
    for (const InceptionV3Row& row : table.rows) {
        const int c = channels, w = row.width;
        switch (row.block) {
            case InceptionV3Block::figure5:
                chain(c, {{64, one}}, 35);
                chain(c, {{48, one}, {64, Extent::square(table.figure5_kernel)}}, 35);
                chain(c, {{64, one}, {96, three}, {96, three}}, 35);
                chain(c, {{w, one}}, 35);
                channels = 64 + 64 + 96 + w;
                count.window(5);
                break;
            case InceptionV3Block::reduction:
                chain(c, {{384, three}}, 17);
                chain(c, {{64, one}, {96, three}}, 35);
                chain(96, {{96, three}}, 17);
                channels = 384 + 96 + c;
                count.window(3);
                count.window(3, 2);
                break;
            case InceptionV3Block::figure6:
                chain(c, {{192, one}}, 17);
                chain(c, {{w, one}, {w, row7}, {192, column7}}, 17);
                chain(c, {{w, one}, {w, column7}, {w, row7}, {w, column7}, {192, row7}}, 17);
                chain(c, {{192, one}}, 17);
                channels = 4 * 192;
                count.window(7);
                count.window(7);
                break;
            case InceptionV3Block::reduction2:
                chain(c, {{192, one}}, 17);
                chain(192, {{320, three}}, 8);
                chain(c, {{192, one}, {192, row7}, {192, column7}}, 17);
                chain(192, {{192, three}}, 8);
                channels = 320 + 192 + c;
                count.window(7);
                count.window(3, 2);
                break;
            case InceptionV3Block::figure7:
                chain(c, {{320, one}}, 8);
                chain(c, {{384, one}, {384, row3}}, 8);
                chain(384, {{384, column3}}, 8);
                chain(c, {{448, one}, {384, three}, {384, row3}}, 8);
                chain(384, {{384, column3}}, 8);
                chain(c, {{192, one}}, 8);
                channels = 320 + 4 * 384 + 192;
                count.window(5);
                break;
        }
    }
    count.linear(channels, 1000);
    return count;
}

static_assert(published("googlenet", count_inception_v1(false)));
static_assert(published("inception_v1", count_inception_v1(true)));
static_assert(published("bn_inception", count_bn_inception()));
static_assert(published("inception_v3", count_inception_v3(kInceptionV3)));
static_assert(published("inception_v2", count_inception_v3(kFactorisedInceptionV2)));
static_assert(count_bn_inception().sees(699, 32));
static_assert(count_inception_v3(kInceptionV3).sees(1311, 32));

}  // namespace

TEST_CASE("the Inceptions cost and see what their tables add up to") {
    tables::check_count(googlenet(), count_inception_v1(false));
    tables::check_count(inception_v1(), count_inception_v1(true));
    tables::check_count(bn_inception(), count_bn_inception());
    tables::check_count(inception_v3(), count_inception_v3(kInceptionV3), 299);
    tables::check_count(inception_v3(kFactorisedInceptionV2),
                        count_inception_v3(kFactorisedInceptionV2), 299);
}

}  // namespace inception_table_test
