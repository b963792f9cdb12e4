#include <lumbar/models/resnet.hpp>
#include <lumbar/runtime/bind_weights.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mismatch_test {

using namespace lumbar;

namespace {

/// A convolution and a classifier.
Graph tiny() {
    Graph graph("tiny");
    const Value x = batch_norm(conv<1>(graph.input(3), "conv1", {.out_channels = 2}), "bn1");
    graph.output(linear(global_avg_pool(x), "fc", {.outputs = 2}));
    graph.ignore("aux.");
    return graph;
}

NamedTensor tensor(std::string name, const Dims& shape) {
    const auto size = static_cast<std::size_t>(checked_element_count(shape).value());
    return {std::move(name), shape, std::vector<float>(size, 1.0f)};
}

std::vector<NamedTensor> tensors(const std::string& prefix = "") {
    std::vector<NamedTensor> all;
    for (const auto& [name, shape] : {std::pair<const char*, Dims>{"conv1.weight", {2, 3, 1, 1}},
                                      {"bn1.weight", {2}},
                                      {"bn1.bias", {2}},
                                      {"bn1.running_mean", {2}},
                                      {"bn1.running_var", {2}},
                                      {"fc.weight", {2, 2}},
                                      {"fc.bias", {2}}}) {
        all.push_back(tensor(prefix + name, shape));
    }
    return all;
}

std::string message(std::vector<NamedTensor> all, Weights::Metadata metadata = {}) {
    const Weights weights = Weights::from_tensors(std::move(all), "w", std::move(metadata));
    const Result<Graph> bound = try_bind_weights(tiny(), weights, false);
    return bound ? "" : bound.error().message();
}

}  // namespace

TEST_CASE("what fits, and what inference does not need, is no mistake") {
    std::vector<NamedTensor> all = tensors();
    all.push_back(tensor("bn1.num_batches_tracked", {}));
    all.push_back(tensor("aux.fc.weight", {5, 5}));
    CHECK(message(std::move(all), {{"architecture", "resnet18"}}) == "");
}

TEST_CASE("a misspelt name is told beside the one that is missing") {
    std::vector<NamedTensor> all = tensors();
    all[0].name = "conv1.wieght";
    CHECK(message(std::move(all)) ==
          "w does not fit tiny: 1 of 7 tensors is missing: conv1.weight (the file has "
          "'conv1.wieght'); 1 tensor is not part of the network: conv1.wieght");
}

TEST_CASE("names behind a folder are told for the first, and the rest is counted") {
    CHECK(message(tensors("module.")) ==
          "w does not fit tiny: 7 of 7 tensors are missing: conv1.weight (the file has "
          "'module.conv1.weight'), bn1.weight (the file has 'module.bn1.weight'), bn1.bias (the "
          "file has 'module.bn1.bias'), bn1.running_mean (the file has "
          "'module.bn1.running_mean') and 3 more; 7 tensors are not part of the network: "
          "module.bn1.bias, module.bn1.running_mean, module.bn1.running_var, module.bn1.weight "
          "and 3 more");
}

TEST_CASE("another shape is told with both, and what the file says it is for") {
    std::vector<NamedTensor> all = tensors();
    all[2] = tensor("bn1.bias", {3});
    CHECK(message(std::move(all), {{"architecture", "resnet18"}}) ==
          "w does not fit tiny: 1 of 7 tensors is misshapen: bn1.bias (expected [2], found [3]); "
          "the file says that it is for 'resnet18'");
}

TEST_CASE("a shape of as many elements is another shape") {
    struct Case {
        std::size_t tensor;
        Dims shape;
        std::string words;
    };
    const Case cases[] = {
        {0,
         {3, 2, 1, 1},
         "conv1.weight (expected [2, 3, 1, 1], found [3, 2, 1, 1])"},  // transposed
        {0, {6, 1, 1, 1}, "conv1.weight (expected [2, 3, 1, 1], found [6, 1, 1, 1])"},  // depthwise
        {0, {2, 1, 1, 1}, "conv1.weight (expected [2, 3, 1, 1], found [2, 1, 1, 1])"},  // in groups
        {5, {4, 1}, "fc.weight (expected [2, 2], found [4, 1])"},
        {5, {4}, "fc.weight (expected [2, 2], found [4])"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.words);
        std::vector<NamedTensor> all = tensors();
        all[c.tensor] = tensor(all[c.tensor].name, c.shape);
        CHECK(message(std::move(all)) ==
              "w does not fit tiny: 1 of 7 tensors is misshapen: " + c.words);
    }
}

TEST_CASE("whole numbers where floats are needed are told with their type") {
    const std::vector<NamedTensor> all = tensors();
    const std::vector<std::byte> bytes(64);
    Weights::Builder builder("w");
    for (const NamedTensor& t : all) {
        const bool whole = t.name == "conv1.weight", flag = t.name == "bn1.bias";
        builder.add(t.name, contiguous_tensor(whole  ? Dtype::i64
                                              : flag ? Dtype::boolean
                                                     : Dtype::f32,
                                              t.shape, bytes));
    }
    const Weights weights = std::move(builder).try_build().value();
    const Result<Graph> bound = try_bind_weights(tiny(), weights, false);
    REQUIRE_FALSE(bound);
    CHECK(bound.error().message() ==
          "w does not fit tiny: 2 of 7 tensors are not of a floating-point type: conv1.weight "
          "(I64), bn1.bias (BOOL)");
}

TEST_CASE("an empty tensor of a vast shape is misshapen like any other") {
    std::vector<NamedTensor> all = tensors();
    constexpr std::int64_t kVast = std::int64_t{1} << 40;
    all[5] = tensor("fc.weight", {0, kVast, kVast});
    CHECK(message(std::move(all)) ==
          "w does not fit tiny: 1 of 7 tensors is misshapen: fc.weight (expected [2, 2], found [0, "
          "1099511627776, 1099511627776])");
}

TEST_CASE("what may be meant by a name") {
    struct Case {
        std::string a;
        std::string b;
        bool near;
    };
    const Case cases[] = {
        {"conv1.weight", "conv1.wieght", true},
        {"conv1.weight", "conv_1.weight", true},
        {"conv1.weight", "Conv1.weight", true},
        {"conv1.weight", "conv1.weights", true},
        {"conv1.weight", "conv2.weight", false},
        {"conv1.weight", "conv11.weight", false},
        {"conv1.weight", "conv1.bias", false},
        {"conv1.weight", "conv1.1.weight", false},
        {"conv1.weight", "net.conv1.weight", true},
        {"conv1.weight", "my_conv1.weight", false},
        {"", "ab", true},
        {"", "abc", false},
        {"a", ".a", false},
        {"1", "", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.a);
        CAPTURE(c.b);
        CHECK(detail::may_mean(c.a, c.b) == c.near);
        CHECK(detail::may_mean(c.b, c.a) == c.near);
    }
}

TEST_CASE("a hostile file's message is one short line") {
    std::vector<NamedTensor> all;
    for (int i = 0; i < 3000; ++i) {
        all.push_back(tensor(std::to_string(i) + "\x1B[2J\n" + std::string(1000, 'x'), {2}));
    }
    const Weights weights =
        Weights::from_tensors(std::move(all), "w", {{"architecture", std::string(100000, '\n')}});
    const Result<Graph> bound = try_bind_weights(resnet152(), weights, false);
    REQUIRE_FALSE(bound);
    CHECK(bound.error().message().size() < 2000);
    CHECK(bound.error().message().find('\n') == std::string::npos);
    CHECK(bound.error().message().find('\x1B') == std::string::npos);
}

}  // namespace mismatch_test
