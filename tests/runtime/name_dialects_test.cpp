#include <lumbar/graph/features.hpp>
#include <lumbar/models/densenet.hpp>
#include <lumbar/models/mobilenet_v1.hpp>
#include <lumbar/models/mobilenet_v2.hpp>
#include <lumbar/models/mobilenet_v3.hpp>
#include <lumbar/models/resnet_variants.hpp>
#include <lumbar/models/vgg.hpp>
#include <lumbar/runtime/compile.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace name_dialects_test {

using namespace lumbar;

namespace {

const Dialect& dialect_of(const Graph& graph, const std::string& name) {
    for (const Dialect& d : graph.dialects()) {
        if (d.name == name) return d;
    }
    FAIL("no dialect " << name);
    return graph.dialects()[0];
}

std::vector<float> values_of(const TensorData& tensor) {
    std::vector<float> values(static_cast<std::size_t>(tensor.size()));
    read_floats(tensor, 0, values);
    return values;
}

/// The weights with other names, element by element in the order of Keras where the dialect is its.
Weights spoken(const Graph& graph, const Weights& weights, const Dialect& dialect,
               const std::string& prefix = "", int spelling = 0) {
    std::vector<NamedTensor> tensors;
    for (const Parameter& p : parameters(graph)) {
        NamedTensor t{prefix + detail::name_in(dialect, p, spelling), {}, {}};
        t.values = values_of(*weights.find(p.name));
        t.shape = weights.find(p.name)->shape;
        const auto* l = graph.node(p.node).as<op::Linear>();
        const auto* c = graph.node(p.node).as<op::Conv>();
        if (dialect.style == TensorStyle::keras && p.role == Parameter::Role::filter) {
            const std::vector<float> from = std::move(t.values);
            const std::int64_t out = t.shape[0], pixels = l ? l->pixels : 1;
            const std::int64_t in = l ? t.shape[1] / pixels : t.shape[1];
            const std::int64_t hw = l ? pixels : t.shape[2] * t.shape[3];
            const bool depthwise = c && c->groups > 1;
            t.values = {};
            for (std::int64_t at = 0; at < hw; ++at) {
                for (std::int64_t i = 0; i < (depthwise ? out : in); ++i) {
                    for (std::int64_t o = 0; o < (depthwise ? 1 : out); ++o) {
                        const std::int64_t filter = depthwise ? i : o * in + i;
                        t.values.push_back(from[static_cast<std::size_t>(filter * hw + at)]);
                    }
                }
            }
            if (l) {
                t.shape = {hw * in, out};
            } else if (depthwise) {
                t.shape = {t.shape[2], t.shape[3], out, 1};
            } else {
                t.shape = {t.shape[2], t.shape[3], in, out};
            }
        }
        tensors.push_back(std::move(t));
    }
    return Weights::from_tensors(std::move(tensors), "renamed");
}

void check_same_tensors(const Weights& found, const Weights& wanted) {
    REQUIRE(found.size() == wanted.size());
    for (const TensorData& tensor : wanted) {
        CAPTURE(std::string(tensor.name));
        const TensorData* other = found.find(tensor.name);
        REQUIRE(other);
        CHECK(values_of(*other) == values_of(tensor));
    }
}

/// A network whose every kind of layer a dialect names, small enough for any build.
Graph small_vgg() {
    Graph graph("small");
    graph.set_dialects(vgg16().dialects());
    Value x = graph.input(3);
    x = relu(conv<3>(x, "features.0", {.out_channels = 5, .bias = true}));
    x = relu(conv<3>(x, "features.2", {.out_channels = 4, .stride = 2, .bias = true}));
    x = relu(linear(x, "classifier.0", {.outputs = 7, .pixels = 3 * 4}));
    graph.output(linear(x, "classifier.6", {.outputs = 6}));
    return graph;
}

}  // namespace

TEST_CASE("rules carry numbers from name to name") {
    static constexpr int kStages[] = {1, 2, 3};
    static constexpr NameRule kRules[] = {
        {"stem", "first"},          {"a#.b#", "x+_y#"}, {"block#.conv", "s@.c"},
        {"deep#.#.#.#", "#-#-#-#"}, {"p#", "q-"},       {"s#.#", "n*"},
    };
    const Dialect dialect{"test", kRules, kStages};
    struct Case {
        const char* ours;
        const char* theirs;
    };
    constexpr Case kCases[] = {
        {"stem", "first"},
        {"stem2", "stem2"},
        {"a1.b10", "x2_y10"},
        {"block1.conv", "s0.0.c"},
        {"block2.conv", "s1.0.c"},
        {"block3.conv", "s1.1.c"},
        {"block6.conv", "s2.2.c"},
        {"block7.conv", "s3.0.c"},
        {"block.conv", "block.conv"},
        {"p12", "q11"},
        {"s0.0", "n1"},
        {"s1.1", "n3"},
        {"s2.2", "n6"},
        {"", ""},
        {"a1.bx", "a1.bx"},
        {"a1.b", "a1.b"},
    };
    for (const Case& c : kCases) {
        CAPTURE(std::string(c.ours));
        CHECK(layer_name(dialect, c.ours) == c.theirs);
    }
}

TEST_CASE("every dialect of every family is recognised, and its elements are the same") {
    struct Case {
        Graph graph;
        const char* dialect;
    };
    const Case cases[] = {
        {small_vgg(), "timm"},
        {small_vgg(), "pretrainedmodels"},
        {small_vgg(), "Keras"},
        {resnet18(), "pretrainedmodels"},
        {mobilenet_v1({.width = 0.25}), "Keras"},
        {mobilenet_v2({.width = 0.25}), "timm"},
        {mobilenet_v2({.width = 0.25}), "Keras"},
        {mobilenet_v3_small({.width = 0.25}), "timm"},
        {mobilenet_v3_small({.width = 0.25}), "Keras"},
        {mobilenet_v3_large({.width = 0.25}), "timm"},
        {densenet121(), "torchvision's files"},
        {densenet121(), "Keras"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.graph.name());
        CAPTURE(std::string(c.dialect));
        const Weights own = synthetic_weights(c.graph);
        Graph graph = c.graph;
        const Weights other = spoken(graph, own, dialect_of(graph, c.dialect));
        check_same_tensors(in_names_of(graph, other), own);
        CHECK(try_bind_weights(graph, in_names_of(graph, other), false));
    }
}

TEST_CASE("Keras's names bring its numerics along, its own do not change") {
    Graph graph = mobilenet_v2({.width = 0.25});
    const Weights own = synthetic_weights(graph);
    const Weights keras = spoken(graph, own, dialect_of(graph, "Keras"));
    (void)in_names_of(graph, own);
    int symmetric = 0;
    for (const Node& node : graph.nodes()) {
        if (const auto* b = node.as<op::BatchNorm>()) CHECK(b->epsilon == 1e-5);
        const auto* c = node.as<op::Conv>();
        symmetric += c && c->kernel.h > 1 && c->mode == PaddingMode::given;
    }
    CHECK(symmetric == 18);
    (void)in_names_of(graph, keras);
    for (const Node& node : graph.nodes()) {
        if (const auto* b = node.as<op::BatchNorm>()) CHECK(b->epsilon == 1e-3);
        const auto* c = node.as<op::Conv>();
        if (c && c->kernel.h > 1) CHECK(c->mode == PaddingMode::same);
    }
}

TEST_CASE("timm's epsilon comes with its names, but for TensorFlow's weights") {
    for (const bool tf : {false, true}) {
        CAPTURE(tf);
        Graph graph =
            mobilenet_v3_small({.width = 0.25, .numerics = tf ? Numerics::tf : Numerics::torch});
        const Weights timm = spoken(graph, synthetic_weights(graph), dialect_of(graph, "timm"));
        (void)in_names_of(graph, timm);
        for (const Node& node : graph.nodes()) {
            if (const auto* b = node.as<op::BatchNorm>()) CHECK(b->epsilon == (tf ? 1e-3 : 1e-5));
        }
    }
}

TEST_CASE("timm's minimal networks are TensorFlow's, as their names alone tell") {
    for (const MobileNetV3Table* table : {&kMobileNetV3LargeMinimal, &kMobileNetV3SmallMinimal}) {
        Graph graph = mobilenet_v3(*table, {.width = 0.25});
        const Weights weights = synthetic_weights(graph);
        (void)in_names_of(graph, spoken(graph, weights, dialect_of(graph, "timm")));
        int same = 0;
        for (const Node& node : graph.nodes()) {
            if (const auto* norm = node.as<op::BatchNorm>()) CHECK(norm->epsilon == 1e-3);
            const auto* c = node.as<op::Conv>();
            if (c && c->mode == PaddingMode::same) ++same;
        }
        CHECK(same >= 5);
    }
}

TEST_CASE("how pictures are prepared comes with the names") {
    const auto preset = [](const Graph& graph, const char* dialect) -> std::string {
        const Weights weights = spoken(graph, synthetic_weights(graph), dialect_of(graph, dialect));
        const Dialect* found = recognise_dialect(graph, weights);
        REQUIRE(found);
        CHECK(found->name == std::string(dialect));
        return found->preset;
    };
    CHECK(preset(mobilenet_v1({.width = 0.25}), "Keras") == "tensorflow");
    CHECK(preset(mobilenet_v2({.width = 0.25}), "Keras") == "tensorflow");
    CHECK(preset(mobilenet_v2({.width = 0.25}), "timm") == "timm");
    CHECK(preset(mobilenet_v3_small({.width = 0.25}), "Keras") == "tensorflow");
    CHECK(preset(mobilenet_v3_small({.width = 0.25}), "timm") == "timm");
    CHECK(preset(resnet(kResNet50v1), "Keras") == "caffe");
    const Graph own = mobilenet_v2({.width = 0.25});
    CHECK(recognise_dialect(own, synthetic_weights(own)) == nullptr);
    for (const Dialect& d : mobilenet_v3_small({.numerics = Numerics::tf}).dialects()) {
        CHECK(d.preset == std::string("tensorflow"));
    }
}

TEST_CASE("Keras's files may keep more of the path") {
    Graph graph = small_vgg();
    const Weights own = synthetic_weights(graph);
    for (int spelling = 0; spelling < 3; ++spelling) {
        CAPTURE(spelling);
        for (const char* prefix : {"", "model_weights/"}) {
            CAPTURE(std::string(prefix));
            const Weights keras = spoken(graph, own, dialect_of(graph, "Keras"), prefix, spelling);
            check_same_tensors(in_names_of(graph, keras), own);
        }
    }
}

TEST_CASE("what wrappers put before the names is taken off") {
    Graph graph = mobilenet_v2({.width = 0.25});
    const Weights own = synthetic_weights(graph);
    for (const char* prefix :
         {"module.", "model.", "state_dict.model.module.", "a.features.0.0."}) {
        CAPTURE(std::string(prefix));
        check_same_tensors(in_names_of(graph, spoken(graph, own, Dialect{}, prefix)), own);
        check_same_tensors(
            in_names_of(graph, spoken(graph, own, dialect_of(graph, "timm"), prefix)), own);
    }
}

TEST_CASE("tensors that do not belong keep their names, but lose the prefix") {
    Graph graph = small_vgg();
    const Weights own = synthetic_weights(graph);
    std::vector<NamedTensor> tensors;
    for (const TensorData& t : own) {
        tensors.push_back({"module." + std::string(t.name), t.shape, values_of(t)});
    }
    tensors.push_back({"module.aux1.weight", {1}, {0.0f}});
    tensors.push_back({"epoch", {1}, {0.0f}});
    const Weights all = in_names_of(graph, Weights::from_tensors(std::move(tensors)));
    CHECK(all.size() == own.size() + 2);
    CHECK(all.find("aux1.weight"));
    CHECK(all.find("epoch"));
    CHECK_FALSE(try_bind_weights(graph, all, false));
    CHECK(try_bind_weights(graph, all, true));
}

TEST_CASE("nothing changes where nothing fits, or everything does") {
    Graph graph = small_vgg();
    const Weights own = synthetic_weights(graph);
    CHECK(in_names_of(graph, own).begin() == own.begin());
    CHECK(in_names_of(graph, Weights()).empty());
    const Weights foreign = Weights::from_tensors({{"weight", {1}, {0.0f}}});
    CHECK(in_names_of(graph, foreign).begin() == foreign.begin());
}

TEST_CASE("two tensors that would become one leave the file as it is") {
    Graph graph = small_vgg();
    std::vector<NamedTensor> tensors;
    for (const TensorData& t : synthetic_weights(graph)) {
        tensors.push_back({"module." + std::string(t.name), t.shape, values_of(t)});
    }
    tensors.push_back({"features.0.weight", {1}, {0.0f}});
    const Weights twice = Weights::from_tensors(std::move(tensors));
    CHECK(in_names_of(graph, twice).begin() == twice.begin());
}

TEST_CASE("a network compiled from Keras's weights gives the same bits") {
    const Graph graph = small_vgg();
    const Weights own = synthetic_weights(graph);
    const Weights keras = spoken(graph, own, dialect_of(graph, "Keras"));
    const CompileOptions options{.height = 5, .width = 8, .threads = 1};
    const Tensor image = synthetic_input({1, 3, 5, 8});
    const Tensor a = compile(graph, own, options)(image);
    const Tensor b = compile(graph, keras, options)(image);
    CHECK(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
}

TEST_CASE("a backbone has no use for its classifier, whatever that is called") {
    const Graph whole = small_vgg();
    const Weights own = synthetic_weights(whole);
    Graph backbone = features(whole, {2});
    for (const char* name : {"Keras", "timm"}) {
        CAPTURE(std::string(name));
        const Weights all = spoken(whole, own, dialect_of(whole, name), "module.");
        CHECK(try_bind_weights(backbone, in_names_of(backbone, all), false));
    }
}

}  // namespace name_dialects_test
