// The papers' tables against the published numbers of parameters and multiply-accumulates, by
// arithmetic over the tables' rows alone: a row with a typo does not compile. At run time the
// graphs that the models build have to agree.
#include <lumbar/graph/cost.hpp>
#include <lumbar/graph/parameters.hpp>
#include <lumbar/models/registry.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

using namespace lumbar;

namespace {

/// Learned parameters, and multiply-accumulates per image.
struct Count {
    std::int64_t parameters = 0;
    std::int64_t macs = 0;

    /// A convolution with `in` inputs per filter, whose output is size x size.
    constexpr void conv(std::int64_t in, std::int64_t out, Extent kernel, std::int64_t size,
                        bool bias = false) {
        parameters += in * out * kernel.h * kernel.w + (bias ? out : 0);
        macs += in * out * kernel.h * kernel.w * size * size;
    }
    constexpr void conv(std::int64_t in, std::int64_t out, int kernel, std::int64_t size,
                        bool bias = false) {
        conv(in, out, Extent::square(kernel), size, bias);
    }
    constexpr void batch_norm(std::int64_t channels) { parameters += 2 * channels; }
    constexpr void conv_bn(std::int64_t in, std::int64_t out, Extent kernel, std::int64_t size,
                           bool bias = false) {
        conv(in, out, kernel, size, bias);
        batch_norm(out);
    }
    constexpr void conv_bn(std::int64_t in, std::int64_t out, int kernel, std::int64_t size,
                           bool bias = false) {
        conv_bn(in, out, Extent::square(kernel), size, bias);
    }
    constexpr void linear(std::int64_t in, std::int64_t out) {
        parameters += in * out + out;
        macs += in * out;
    }
};

constexpr Count count_vgg(const VggTable& table, bool batch_norm) {
    Count count;
    int channels = 3, size = 224;
    for (std::size_t stage = 0; stage < kVggChannels.size(); ++stage, size /= 2) {
        for (int i = 0; i < table.convolutions[stage]; ++i) {
            count.conv(channels, kVggChannels[stage], 3, size, true);
            channels = kVggChannels[stage];
            if (batch_norm) count.batch_norm(channels);
        }
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

constexpr Count count_resnet(const ResNetTable& table) {
    Count count;
    count.conv_bn(3, 64, 7, 112);
    const bool basic = table.block == ResNetBlock::basic;
    int channels = 64, size = 56;
    for (std::size_t stage = 0; stage < table.blocks.size(); ++stage) {
        const int middle = kResNetChannels[stage], out = basic ? middle : 4 * middle;
        for (int i = 0; i < table.blocks[stage]; ++i) {
            const int before = size;
            if (stage > 0 && i == 0) size /= 2;
            if (basic) {
                count.conv_bn(channels, middle, 3, size);
                count.conv_bn(middle, out, 3, size);
            } else {
                count.conv_bn(channels, middle, 1, table.stride_on_3x3 ? before : size);
                count.conv_bn(middle, middle, 3, size);
                count.conv_bn(middle, out, 1, size);
            }
            if (channels != out) count.conv_bn(channels, out, 1, size);
            channels = out;
        }
    }
    count.linear(channels, 1000);
    return count;
}

/// Layers with weights on the way from image to logits: what the paper counts.
constexpr int weight_layers(const ResNetTable& table) {
    int blocks = 0;
    for (const int n : table.blocks) blocks += n;
    return 2 + blocks * (table.block == ResNetBlock::basic ? 2 : 3);
}

constexpr Count count_mobilenet_v1() {
    Count count;
    int channels = kMobileNetV1Stem, size = 112;
    count.conv_bn(3, channels, 3, size);
    for (const SeparableRow& row : kMobileNetV1Rows) {
        for (int i = 0; i < row.n; ++i) {
            if (i == 0) size /= row.s;
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
    for (const InvertedResidualRow& row : table.rows) {
        for (int i = 0; i < row.n; ++i) {
            const int expanded = channels * row.t;
            if (row.t != 1) count.conv_bn(channels, expanded, 1, size);
            if (i == 0) size /= row.s;
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
    for (const MobileNetV3Row& row : table.rows) {
        if (row.expanded != channels) count.conv_bn(channels, row.expanded, 1, size);
        size = (size + row.s - 1) / row.s;
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

constexpr Count count_googlenet() {
    Count count;
    count.conv_bn(3, 64, 7, 112);
    count.conv_bn(64, 64, 1, 56);
    count.conv_bn(64, 192, 3, 56);
    int channels = 192;
    for (const InceptionV1Row& row : kInceptionV1Rows) {
        const int size = row.name[0] == '3' ? 28 : row.name[0] == '4' ? 14 : 7;
        count.conv_bn(channels, row.c1x1, 1, size);
        count.conv_bn(channels, row.c3x3_reduce, 1, size);
        count.conv_bn(row.c3x3_reduce, row.c3x3, 3, size);
        count.conv_bn(channels, row.c5x5_reduce, 1, size);
        count.conv_bn(row.c5x5_reduce, row.c5x5, 3, size);
        count.conv_bn(channels, row.pool_projection, 1, size);
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
    int channels = 192, size = 28;
    for (const InceptionV2Row& row : kInceptionV2Rows) {
        const bool pass = row.pool == InceptionPool::max_pass_through;
        const int out = pass ? size / 2 : size;
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

constexpr Count count_inception_v3() {
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
    count.conv_bn(64, 80, 1, 73);
    count.conv_bn(80, 192, 3, 71);
    constexpr Extent one{1, 1}, three{3, 3}, row7{1, 7}, column7{7, 1}, row3{1, 3}, column3{3, 1};
    int channels = 192;
    for (const InceptionV3Row& row : kInceptionV3Rows) {
        const int c = channels, w = row.width;
        switch (row.block) {
            case InceptionV3Block::figure5:
                chain(c, {{64, one}}, 35);
                chain(c, {{48, one}, {64, {5, 5}}}, 35);
                chain(c, {{64, one}, {96, three}, {96, three}}, 35);
                chain(c, {{w, one}}, 35);
                channels = 64 + 64 + 96 + w;
                break;
            case InceptionV3Block::reduction:
                chain(c, {{384, three}}, 17);
                chain(c, {{64, one}, {96, three}}, 35);
                chain(96, {{96, three}}, 17);
                channels = 384 + 96 + c;
                break;
            case InceptionV3Block::figure6:
                chain(c, {{192, one}}, 17);
                chain(c, {{w, one}, {w, row7}, {192, column7}}, 17);
                chain(c, {{w, one}, {w, column7}, {w, row7}, {w, column7}, {192, row7}}, 17);
                chain(c, {{192, one}}, 17);
                channels = 4 * 192;
                break;
            case InceptionV3Block::reduction2:
                chain(c, {{192, one}}, 17);
                chain(192, {{320, three}}, 8);
                chain(c, {{192, one}, {192, row7}, {192, column7}}, 17);
                chain(192, {{192, three}}, 8);
                channels = 320 + 192 + c;
                break;
            case InceptionV3Block::figure7:
                chain(c, {{320, one}}, 8);
                chain(c, {{384, one}, {384, row3}}, 8);
                chain(384, {{384, column3}}, 8);
                chain(c, {{448, one}, {384, three}, {384, row3}}, 8);
                chain(384, {{384, column3}}, 8);
                chain(c, {{192, one}}, 8);
                channels = 320 + 4 * 384 + 192;
                break;
        }
    }
    count.linear(channels, 1000);
    return count;
}

/// A registry row: the published numbers. GMACs are published to three digits after the point.
constexpr bool published(std::string_view name, const Count& count) {
    for (const ModelInfo& m : detail::kModels) {
        if (m.name != name) continue;
        const double off = m.gmacs * 1e9 - static_cast<double>(count.macs);
        return m.parameters == count.parameters && off < 0.6e6 && off > -0.6e6;
    }
    return false;
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

static_assert(published("resnet18", count_resnet(kResNet18)));
static_assert(published("resnet34", count_resnet(kResNet34)));
static_assert(published("resnet50", count_resnet(kResNet50)));
static_assert(published("resnet101", count_resnet(kResNet101)));
static_assert(published("resnet152", count_resnet(kResNet152)));
static_assert(weight_layers(kResNet18) == 18 && weight_layers(kResNet34) == 34);
static_assert(weight_layers(kResNet50) == 50 && weight_layers(kResNet101) == 101);
static_assert(weight_layers(kResNet152) == 152);

static_assert(published("mobilenet_v1", count_mobilenet_v1()));
static_assert(published("mobilenet_v2", count_mobilenet_v2(kMobileNetV2)));
static_assert(published("mobilenet_v3_large", count_mobilenet_v3(kMobileNetV3Large)));
static_assert(published("mobilenet_v3_small", count_mobilenet_v3(kMobileNetV3Small)));

static_assert(published("googlenet", count_googlenet()));
static_assert(published("bn_inception", count_bn_inception()));
static_assert(published("inception_v3", count_inception_v3()));

std::int64_t macs_at(const Graph& graph, int size) {
    const auto shapes = try_infer_shapes(graph, 1, {size, size});
    REQUIRE(shapes);
    return macs(graph, *shapes);
}

}  // namespace

TEST_CASE("every model of the registry has the published parameters and MACs") {
    for (const ModelInfo& m : models()) {
        CAPTURE(std::string(m.name));
        const Graph graph = m.build({});
        REQUIRE_FALSE(graph.error());
        CHECK(parameter_count(graph) == m.parameters);
        const double gmacs = static_cast<double>(macs_at(graph, m.input_size)) * 1e-9;
        CHECK(std::abs(gmacs - m.gmacs) < 0.6e-3);
    }
}

TEST_CASE("graphs cost exactly what the tables' arithmetic says") {
    const auto check = [](const Graph& graph, const Count& count, int size = 224) {
        CAPTURE(graph.name());
        CHECK(parameter_count(graph) == count.parameters);
        CHECK(macs_at(graph, size) == count.macs);
    };
    check(vgg16({.batch_norm = true}), count_vgg(kVgg16, true));
    check(resnet34(), count_resnet(kResNet34));
    check(resnet50(), count_resnet(kResNet50));
    check(mobilenet_v1(), count_mobilenet_v1());
    check(mobilenet_v2(), count_mobilenet_v2(kMobileNetV2));
    check(mobilenet_v3_large(), count_mobilenet_v3(kMobileNetV3Large));
    check(mobilenet_v3_small(), count_mobilenet_v3(kMobileNetV3Small));
    check(googlenet(), count_googlenet());
    check(bn_inception(), count_bn_inception());
    check(inception_v3(), count_inception_v3(), 299);
}

TEST_CASE("the paper's placement of a bottleneck's stride costs less, and as many parameters") {
    ResNetTable paper = kResNet50;
    paper.stride_on_3x3 = false;
    const Graph graph = resnet(paper);
    CHECK(parameter_count(graph) == 25557032);
    CHECK(macs_at(graph, 224) == count_resnet(paper).macs);
    // The paper's table 1 says 3.8e9, without the shortcuts' projections.
    CHECK(std::abs(static_cast<double>(macs_at(graph, 224)) * 1e-9 - 3.86) < 0.01);
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
        CHECK(std::abs(static_cast<double>(macs_at(graph, 224)) * 1e-6 - c.millions_of_macs) <=
              0.01 * c.millions_of_macs + 0.5);
    }
}

TEST_CASE("receptive fields are those of the literature") {
    // Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill
    // 2019, table 1; ResNets differ from theirs where the stride sits elsewhere.
    struct Case {
        const char* model;
        int size;
        int stride;
    };
    constexpr Case kCases[] = {
        {"vgg16", 212, 32},        {"resnet18", 435, 32},      {"resnet34", 899, 32},
        {"resnet50", 427, 32},     {"mobilenet_v1", 315, 32},  {"mobilenet_v2", 491, 32},
        {"bn_inception", 699, 32}, {"inception_v3", 1311, 32},
    };
    for (const Case& c : kCases) {
        CAPTURE(c.model);
        const Graph graph = make(c.model);
        ReceptiveField last;
        for (const ReceptiveField& f : receptive_fields(graph)) {
            if (f.global) break;
            last = f;
        }
        CHECK(last.size == Extent::square(c.size));
        CHECK(last.stride == Extent::square(c.stride));
    }
}
