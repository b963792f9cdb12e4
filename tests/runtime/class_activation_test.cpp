#include <oracle/interpreter.hpp>

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/class_activation.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace class_activation_test {

using namespace lumbar;

namespace {

/// Heads of all kinds on a feature map of eight channels.
Value head(Value x, int kind) {
    switch (kind) {
        case 0: return linear(global_avg_pool(x), "fc", {.outputs = 5});
        case 1:  // MobileNet V3
            x = hard_swish(linear(global_avg_pool(x), "one", {.outputs = 12}));
            return linear(x, "fc", {.outputs = 5});
        case 2:  // VGG
            x = relu(linear(adaptive_avg_pool(x, {3, 2}), "one", {.outputs = 12, .pixels = 6}));
            x = relu6(linear(x, "two", {.outputs = 9}));
            return linear(x, "fc", {.outputs = 5});
        default:  // timm's MobileNet V3, and gates
            x = conv<1>(global_avg_pool(x), "one", {.out_channels = 12, .bias = true});
            x = activate(linear(hard_swish(x), "two", {.outputs = 9}), Activation::sigmoid);
            x = activate(linear(x, "three", {.outputs = 7}), Activation::hard_sigmoid);
            return linear(x, "fc", {.outputs = 5, .bias = false});
    }
}

Graph network(int kind) {
    Graph graph("net");
    Value x = conv<3>(graph.input(3), "conv1", {.out_channels = 8, .stride = 2});
    graph.output(head(relu(batch_norm(x, "bn1")), kind));
    return graph;
}
Graph head_alone(int kind) {
    Graph graph("head");
    graph.output(head(graph.input(8), kind));
    return graph;
}

constexpr Shape kImage{2, 3, 13, 18};
CompileOptions options() { return {.height = 13, .width = 18, .batch = 2, .threads = 1}; }

}  // namespace

TEST_CASE("a channel counts as much as the logit changes when all of it does") {
    for (const int kind : {0, 1, 2, 3}) {
        CAPTURE(kind);
        const Weights weights = synthetic_weights(network(kind));
        const ClassActivation activation = ClassActivation::make(network(kind), weights, options());
        Workspace w = activation.network().workspace();
        activation.network()(synthetic_input(kImage), w);
        const oracle::Array features(w.output(0));
        for (int image = 0; image < 2; ++image) {
            const std::vector<double> weight = activation.channel_weights(w, 3, image);
            REQUIRE(weight.size() == 8);
            for (int c = 0; c < 8; ++c) {
                CAPTURE(c);
                const auto logit_with = [&](double change) {
                    oracle::Array moved = features;
                    for (int y = 0; y < moved.shape.h; ++y) {
                        for (int x = 0; x < moved.shape.w; ++x) moved(image, c, y, x) += change;
                    }
                    return oracle::interpret_outputs(head_alone(kind), moved, weights)[0](image, 3,
                                                                                          0, 0);
                };
                const double slope = (logit_with(1e-5) - logit_with(-1e-5)) / 2e-5;
                CHECK(std::abs(weight[static_cast<std::size_t>(c)] - slope) <
                      1e-6 + 1e-4 * std::abs(slope));
            }
        }
    }
}

TEST_CASE("after an average and one layer the map's mean is the logit but for the bias") {
    const Weights weights = synthetic_weights(network(0));
    const ClassActivation activation = ClassActivation::make(network(0), weights, options());
    Workspace w = activation.network().workspace();
    activation.network()(synthetic_input(kImage), w);
    const ConstTensorView features = w.output(0);
    for (int klass = 0; klass < 5; ++klass) {
        CAPTURE(klass);
        const std::vector<double> count = activation.channel_weights(w, klass, 1);
        const Tensor map = activation.map(w, klass, 1);
        CHECK(map.shape() == Shape{1, 1, 7, 9});
        double mean = 0;
        for (int y = 0; y < 7; ++y) {
            for (int x = 0; x < 9; ++x) {
                double sum = 0;
                for (int c = 0; c < 8; ++c) {
                    const int place = ((8 + c) * 7 + y) * 9 + x;
                    sum += count[static_cast<std::size_t>(c)] *
                           static_cast<double>(features.data[place]);
                }
                mean += sum / 63;
                CHECK(std::abs(static_cast<double>(map(0, 0, y, x)) - std::max(sum, 0.0)) < 1e-5);
            }
        }
        const std::vector<float> bias = oracle::tensor_values(weights, "fc.bias");
        const double logit = static_cast<double>(activation.logits(w)(1, klass, 0, 0)) -
                             static_cast<double>(bias[static_cast<std::size_t>(klass)]);
        CHECK(std::abs(mean - logit) < 1e-5);
    }
}

TEST_CASE("every model has a class activation map, with the logits that it has without") {
    for (const char* name : {"vgg11", "resnet18", "mobilenet_v1", "mobilenet_v2",
                             "mobilenet_v3_small", "googlenet", "bn_inception"}) {
        CAPTURE(std::string(name));
        const Result<std::vector<int>> chain = detail::head_of(make(name));
        REQUIRE(chain);
        const bool linear_head = std::string(name).find("v3") == std::string::npos &&
                                 std::string(name).find("vgg") == std::string::npos;
        CHECK((chain->size() == 3) == linear_head);
    }
    const Graph graph = make("mobilenet_v3_small", {.classes = 10});
    const Weights weights = synthetic_weights(graph);
    const CompileOptions at{.height = 64, .width = 96, .threads = 1};
    const ClassActivation activation = ClassActivation::make(graph, weights, at);
    const Tensor image = synthetic_input({1, 3, 64, 96});
    Workspace w = activation.network().workspace();
    activation.network()(image, w);
    const Tensor logits = compile(graph, weights, at)(image);
    for (int i = 0; i < 10; ++i) {
        CHECK(std::abs(logits(0, i, 0, 0) - activation.logits(w)(0, i, 0, 0)) < 1e-5f);
    }
    CHECK(activation.map(w, 0).shape() == Shape{1, 1, 2, 3});
}

TEST_CASE("weights behind a prefix and in another dialect's names have the same map") {
    Graph graph = make("mobilenet_v3_small", {.classes = 5, .width = 0.5});
    const Weights own = synthetic_weights(graph);
    const Dialect& timm = graph.dialects()[0];
    std::vector<NamedTensor> renamed;
    for (const TensorData& tensor : own) {
        const std::string name(tensor.name);
        const std::size_t dot = name.rfind('.');
        std::vector<float> values(static_cast<std::size_t>(tensor.size()));
        read_floats(tensor, 0, values);
        renamed.push_back({"module." + layer_name(timm, name.substr(0, dot)) + name.substr(dot),
                           tensor.shape, std::move(values)});
    }
    const Weights theirs = Weights::from_tensors(std::move(renamed));
    // The names bring timm's epsilon along.
    graph = make("mobilenet_v3_small", {.classes = 5, .width = 0.5, .numerics = Numerics::timm});
    const CompileOptions at{.height = 64, .width = 64, .threads = 1};
    const ClassActivation a = ClassActivation::make(graph, own, at);
    const ClassActivation b = ClassActivation::make(graph, theirs, at);
    const Tensor image = synthetic_input({1, 3, 64, 64});
    Workspace wa = a.network().workspace(), wb = b.network().workspace();
    a.network()(image, wa);
    b.network()(image, wb);
    CHECK(a.channel_weights(wa, 1) == b.channel_weights(wb, 1));
}

TEST_CASE("a head that is no chain has none") {
    const auto message = [](const Graph& graph) {
        const auto made = ClassActivation::try_make(graph, synthetic_weights(graph), options());
        REQUIRE_FALSE(made);
        return made.error().message();
    };
    Graph headless("net");
    headless.output(relu(conv<3>(headless.input(3), "conv1", {.out_channels = 8})));
    CHECK(message(headless) == "net: no class activation map: it does not end in classes");
    Graph summed("net");
    const Value x = global_avg_pool(conv<3>(summed.input(3), "conv1", {.out_channels = 8}));
    summed.output(x + x);
    CHECK(message(summed) ==
          "net: no class activation map: add is neither pooling, linear layer nor activation");
    CHECK(message(Graph("net")) == "net: no class activation map: it has no output");
}

}  // namespace class_activation_test
