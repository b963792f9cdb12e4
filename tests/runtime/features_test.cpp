// Backbones at run time: what is not asked for is neither computed nor asked of the weight file.
#include <lumbar/graph/features.hpp>
#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace features_test {

using namespace lumbar;

namespace {

constexpr CompileOptions kSmall{.height = 64, .width = 96, .threads = 1};

bool same(ConstTensorView a, ConstTensorView b) {
    return a.shape == b.shape &&
           std::equal(a.values().begin(), a.values().end(), b.values().begin(), b.values().end());
}

}  // namespace

TEST_CASE("the weights of what is cut off may be there, and need not") {
    const Graph whole = make("mobilenet_v2");
    const Graph cut = features(whole, {4, 8});
    const Tensor image = synthetic_input({1, 3, 64, 96});
    const Network with_head = compile(cut, synthetic_weights(whole), kSmall);
    // The same elements: they depend on a tensor's name and on what reads its value.
    std::vector<NamedTensor> tensors;
    const Weights all = synthetic_weights(whole);
    for (const Parameter& p : parameters(cut)) {
        const TensorData& t = *all.find(p.name);
        tensors.push_back(
            {p.name, t.shape, std::vector<float>(static_cast<std::size_t>(t.size()))});
        read_floats(t, 0, tensors.back().values);
    }
    const Network without = compile(cut, Weights::from_tensors(std::move(tensors)), kSmall);
    CHECK(same(with_head(image), without(image)));
    // What belongs to no part of the network is still an error.
    Graph other = make("mobilenet_v2");
    other.node(1).name = "other";
    CHECK_FALSE(try_compile(features(other, {4}), synthetic_weights(whole), kSmall));
}

TEST_CASE("nothing beyond the deepest map is computed or packed") {
    const Graph whole = make("resnet18");
    const Weights weights = synthetic_weights(whole);
    const Network all = compile(whole, weights, kSmall);
    const Network first = compile(features(whole, {4}), weights, kSmall);
    CHECK(first.packed_bytes() < all.packed_bytes() / 10);
    CHECK(first.steps().size() < all.steps().size() / 2);
    for (const auto& step : first.steps()) {
        const std::string& name = first.graph().node(step->node).name;
        CHECK_FALSE(name.starts_with("layer2"));
        CHECK(name != "fc");
    }
}

TEST_CASE("widths come from the weight file, also those of feature maps") {
    const Weights narrow = synthetic_weights(make("mobilenet_v2", {.width = 0.5}));
    const Network network = compile(features(make("mobilenet_v2"), {8, 16}), narrow, kSmall);
    const std::vector<FeatureInfo> info = feature_info(network.source_graph());
    REQUIRE(info.size() == 2);
    CHECK(info[0].channels == 16);
    CHECK(info[1].channels == 48);
    CHECK(network.output_shapes()[0] == Shape{1, 16, 8, 12});
    CHECK(network.output_shapes()[1] == Shape{1, 48, 4, 6});
}

TEST_CASE("a map is the same whatever else is asked for") {
    const Graph whole = make("mobilenet_v3_small");
    const Weights weights = synthetic_weights(whole);
    const Tensor image = synthetic_input({1, 3, 64, 96});
    const Network three = compile(features(whole, {16, 4, 8}), weights, kSmall);
    Workspace w = three.workspace();
    three(image, w);
    int i = 0;
    for (const int stride : {16, 4, 8}) {
        CAPTURE(stride);
        CHECK(same(compile(features(whole, {stride}), weights, kSmall)(image), w.output(i++)));
    }
}

TEST_CASE("a mistake in the choice is reported by compile") {
    const Weights weights = synthetic_weights(make("resnet18"));
    const auto network = try_compile(features(make("resnet18"), {64}), weights, kSmall);
    REQUIRE_FALSE(network);
    CHECK(network.error().message() ==
          "resnet18: features: there is no feature map of stride 64, but of 2, 4, 8, 16, 32");
}

}  // namespace features_test
