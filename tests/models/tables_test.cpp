// All models against the published numbers. (The tables themselves: *_table_test.cpp.)
#include <algorithm>
#include <cmath>
#include <models/table_count.hpp>
#include <set>
#include <string>
#include <string_view>

namespace tables_test {

using namespace lumbar;

TEST_CASE("every model of the registry has the published parameters and MACs") {
    for (const ModelInfo& m : models()) {
        CAPTURE(std::string(m.name));
        const Graph graph = m.build({});
        REQUIRE_FALSE(graph.error());
        CHECK(parameter_count(graph) == m.parameters);
        const double gmacs = static_cast<double>(tables::macs_at(graph, m.input_size)) * 1e-9;
        CHECK(std::abs(gmacs - m.gmacs) < 0.50001e-3);
    }
}

TEST_CASE("a model's MACs are somebody's, or counted here where nobody publishes them") {
    // torchvision documents those of the networks that it has; the rest of the files that PyTorch
    // reads are pretrainedmodels'.
    const std::set<std::string_view> from_elsewhere{"cafferesnet101", "bn_inception"};
    for (const ModelInfo& m : models()) {
        CAPTURE(std::string(m.name));
        const auto files = m.weights();
        const bool has_torch_file = std::any_of(files.begin(), files.end(), [](const auto& w) {
            return w.format == WeightFormat::torch;
        });
        CHECK((m.gmacs_from == "torchvision") ==
              (has_torch_file && !from_elsewhere.contains(m.name)));
        CHECK((m.gmacs_from == "the paper") == (m.name == "mobilenet_v1"));
        CHECK(
            (m.gmacs_from.empty() || m.gmacs_from == "torchvision" || m.gmacs_from == "the paper"));
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
        const ReceptiveField last = tables::field_of_features(graph);
        CHECK(last.size == Extent::square(c.size));
        CHECK(last.stride == Extent::square(c.stride));
    }
}

}  // namespace tables_test
