// The feature maps of every family at every stride, as torchvision's modules and timm's
// features_only have them.
#include <lumbar/graph/features.hpp>
#include <lumbar/graph/output_stride.hpp>
#include <lumbar/models/registry.hpp>

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

namespace model_features_test {

using namespace lumbar;

namespace {

struct Row {
    const char* model;
    std::array<int, 5> channels;  ///< at strides 2, 4, 8, 16, 32
    std::array<const char*, 5> layers;
    int last_field;  ///< receptive field of the last map
};

constexpr std::array<int, 5> kStrides{2, 4, 8, 16, 32};

constexpr Row kBlocks[] = {
    {"vgg16",
     {128, 256, 512, 512, 512},
     {"features.7", "features.14", "features.21", "features.28", "features.28"},
     212},
    {"resnet18",
     {64, 64, 128, 256, 512},
     {"bn1", "layer1.1.bn2", "layer2.1.bn2", "layer3.1.bn2", "layer4.1.bn2"},
     435},
    {"resnet50",
     {64, 256, 512, 1024, 2048},
     {"bn1", "layer1.2.bn3", "layer2.3.bn3", "layer3.5.bn3", "layer4.2.bn3"},
     427},
    {"mobilenet_v1",
     {64, 128, 256, 512, 1024},
     {"blocks.0.0.bn2", "blocks.1.1.bn2", "blocks.2.1.bn2", "blocks.3.5.bn2", "blocks.4.1.bn2"},
     315},
    {"mobilenet_v2",
     {16, 24, 32, 96, 320},
     {"features.1.conv.2", "features.3.conv.3", "features.6.conv.3", "features.13.conv.3",
      "features.17.conv.3"},
     491},
    {"mobilenet_v3_large",
     {16, 24, 40, 112, 160},
     {"features.1.block.1.1", "features.3.block.2.1", "features.6.block.3.1",
      "features.12.block.3.1", "features.15.block.3.1"},
     595},
    {"mobilenet_v3_small",
     {16, 16, 24, 48, 96},
     {"features.0.1", "features.1.block.2.1", "features.3.block.2.1", "features.8.block.3.1",
      "features.11.block.3.1"},
     639},
    {"resnetv2_50",
     {64, 256, 512, 1024, 2048},
     {"stem.conv", "stages.0.blocks.2.conv3", "stages.1.blocks.3.conv3", "stages.2.blocks.5.conv3",
      "stages.3.blocks.2.conv3"},
     427},
    {"densenet121",
     {64, 256, 512, 1024, 1024},
     {"features.norm0", "features.denseblock1.denselayer6.conv2",
      "features.denseblock2.denselayer12.conv2", "features.denseblock3.denselayer24.conv2",
      "features.norm5"},
     2071},
    {"googlenet",
     {64, 192, 480, 832, 1024},
     {"conv1.bn", "conv3.bn", "inception3b.branch4.1.bn", "inception4e.branch4.1.bn",
      "inception5b.branch4.1.bn"},
     379},
    {"bn_inception",
     {64, 192, 320, 608, 1024},
     {"conv1_7x7_s2_bn", "conv2_3x3_bn", "inception_3b_pool_proj_bn", "inception_4d_pool_proj_bn",
      "inception_5b_pool_proj_bn"},
     699},
    {"inception_v3",
     {64, 192, 288, 768, 2048},
     {"Conv2d_2b_3x3.bn", "Conv2d_4a_3x3.bn", "Mixed_5d.branch_pool.bn", "Mixed_6e.branch_pool.bn",
      "Mixed_7c.branch_pool.bn"},
     1311},
};

constexpr Row kExpanded[] = {
    {"mobilenet_v2",
     {96, 144, 192, 576, 1280},
     {"features.2.conv.0.1", "features.4.conv.0.1", "features.7.conv.0.1", "features.14.conv.0.1",
      "features.18.1"},
     491},
    {"mobilenet_v3_large",
     {64, 72, 240, 672, 960},
     {"features.2.block.0.1", "features.4.block.0.1", "features.7.block.0.1",
      "features.13.block.0.1", "features.16.1"},
     595},
    {"mobilenet_v3_small",
     {16, 72, 96, 288, 576},
     {"features.0.1", "features.2.block.0.1", "features.4.block.0.1", "features.9.block.0.1",
      "features.12.1"},
     639},
    {"resnet50",
     {64, 256, 512, 1024, 2048},
     {"bn1", "layer1.2.bn3", "layer2.3.bn3", "layer3.5.bn3", "layer4.2.bn3"},
     427},
};

void check(const Row& row, FeatureTap tap) {
    CAPTURE(std::string(row.model));
    const Graph graph = features(make(row.model), kStrides, tap);
    REQUIRE_FALSE(graph.error());
    const std::vector<FeatureInfo> info = feature_info(graph);
    REQUIRE(info.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) {
        CAPTURE(kStrides[i]);
        CHECK(info[i].layer == row.layers[i]);
        CHECK(info[i].channels == row.channels[i]);
        CHECK(info[i].stride == Extent::square(kStrides[i]));
    }
    CHECK(info[4].receptive_field.h == row.last_field);
    CHECK(info[4].receptive_field.w == row.last_field);
}

}  // namespace

TEST_CASE("every family has the feature maps of its reference") {
    for (const Row& row : kBlocks) check(row, FeatureTap::block);
}

TEST_CASE("expanded maps are what the next reduction reads, and what the head averages") {
    for (const Row& row : kExpanded) check(row, FeatureTap::expanded);
}

TEST_CASE("every model has a map of each stride, no head, and an embedding") {
    for (const ModelInfo& m : models()) {
        CAPTURE(std::string(m.name));
        const bool small = m.input_size <= 32;  // CIFAR's
        const std::vector<int> strides =
            small ? std::vector{1, 2, 4} : std::vector(kStrides.begin(), kStrides.end());
        for (const FeatureTap tap : {FeatureTap::block, FeatureTap::expanded}) {
            const Graph graph = features(m.build({}), strides, tap);
            CHECK_FALSE(graph.error());
        }
        const Graph map = without_head(m.build({}));
        CHECK(feature_info(map)[0].stride == Extent::square(strides.back()));
        for (const Node& node : map.nodes()) CHECK_FALSE(node.as<op::Linear>());
        const FeatureInfo vector = feature_info(embedding(m.build({})))[0];
        CHECK(vector.stride == Extent{0, 0});
        CHECK(vector.channels >= (small ? 64 : 512));
    }
}

TEST_CASE("input channels and widths carry over") {
    const Graph graph =
        features(make("mobilenet_v2", {.input_channels = 1, .width = 0.5}), {8, 32});
    CHECK(graph.node(0).channels == 1);
    CHECK(feature_info(graph)[0].channels == 16);
    CHECK(feature_info(graph)[1].channels == 160);
}

namespace {

/// Nothing but convolutions reduces the image beyond the stem.
bool reduces_by_convolution(const ModelInfo& m) {
    return m.family == "resnet" || m.family == "mobilenet";
}

}  // namespace

TEST_CASE("networks that convolve take output strides of 8 and 16; those that pool refuse") {
    int taken = 0;
    for (const ModelInfo& m : models()) {
        if (m.input_size <= 32) continue;
        CAPTURE(std::string(m.name));
        for (const int stride : {8, 16}) {
            const Graph graph = without_head(with_output_stride(m.build({}), stride));
            REQUIRE(graph.error().has_value() != reduces_by_convolution(m));
            if (graph.error()) continue;
            ++taken;
            CHECK(feature_info(graph)[0].stride == Extent::square(stride));
            const auto shapes = try_infer_shapes(graph, 1, {96, 160});
            REQUIRE(shapes);
            CHECK(shapes->back().h == 96 / stride);
            CHECK(shapes->back().w == 160 / stride);
        }
    }
    CHECK(taken >= 18);
}

}  // namespace model_features_test
