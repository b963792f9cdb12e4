#include "../../benchmarks/network_layers.hpp"

#include <lumbar/graph/cost.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace network_layers_test {

namespace {

std::vector<std::string> names_of(const bench::NetworkLayers& layers) {
    std::vector<std::string> names;
    for (const bench::ConvLayer& c : layers.convolutions) names.push_back(c.name());
    for (const bench::LinearCase& c : layers.linear) names.push_back(c.name());
    return names;
}

bool contains(const std::vector<std::string>& names, const char* name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

TEST_CASE("a network's distinct layers have names that say their geometry") {
    bench::NetworkLayers layers;
    layers.add(*lumbar::find_model("resnet50"));
    const std::vector<std::string> names = names_of(layers);
    for (const char* const name :
         {"first7x7s2/224x224x3->64", "conv3x3/56x56x64->64", "conv3x3s2/56x56x128->128",
          "conv1x1/56x56x64->256", "conv1x1s2/56x56x256->512", "linear/2048->1000"}) {
        CAPTURE(name);
        CHECK(contains(names, name));
    }
}

TEST_CASE("layers of all networks and those beside them have different names") {
    bench::NetworkLayers layers;
    for (const lumbar::ModelInfo& model : lumbar::models()) layers.add(model);
    std::vector<std::string> names = names_of(layers);
    for (const bench::ConvLayer& c : bench::more_convolutions()) names.push_back(c.name());
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    CHECK_MESSAGE(twice == names.end(), (twice == names.end() ? std::string() : *twice));
}

TEST_CASE("a layer of several networks is one, which counts them") {
    bench::NetworkLayers layers;
    layers.add(*lumbar::find_model("vgg16"));
    const std::size_t count = layers.convolutions.size();
    layers.add(*lumbar::find_model("vgg16_bn"));
    CHECK(layers.convolutions.size() == count);
    CHECK(layers.convolutions[0].origin.label() == "vgg16 features.0, 2 networks");
}

}  // namespace network_layers_test
