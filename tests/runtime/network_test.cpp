// What a compiled network promises beside its numbers: no allocation in a run, the same bits on any
// number of threads and under load, the caller's floating-point state, errors that name tensors.
#include <oracle/allocations.hpp>

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace network_test {

using namespace lumbar;

namespace {

constexpr InvertedResidualRow kRows[] = {{1, 16, 1, 1}, {4, 24, 2, 2}, {4, 40, 2, 2}};
constexpr MobileNetV2Table kTable{"small", 16, 2, kRows, 64};

Graph small_graph() { return mobilenet_v2(kTable, {.classes = 20}); }

Network small_network(int threads, int size = 64) {
    return compile(small_graph(), synthetic_weights(small_graph()),
                   {.height = size, .width = size, .threads = threads});
}

std::vector<float> bits(ConstTensorView v) { return {v.values().begin(), v.values().end()}; }

std::string error_of(const Graph& graph, const Weights& weights, CompileOptions options = {}) {
    const Result<Network> network = try_compile(graph, weights, options);
    return network ? "" : network.error().message();
}

/// The small network's weights as a list that a test can spoil.
std::vector<NamedTensor> small_tensors() {
    const Weights weights = synthetic_weights(small_graph());
    std::vector<NamedTensor> tensors;
    for (const TensorData& t : weights.tensors()) {
        NamedTensor copy{std::string(t.name), t.shape, {}};
        copy.values.resize(static_cast<std::size_t>(t.size()));
        read_floats(t, 0, copy.values);
        tensors.push_back(std::move(copy));
    }
    return tensors;
}

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a run does not allocate") {
#if !defined(LUMBAR_TEST_KEEP_OPERATOR_NEW)
    for (const int threads : {1, 2, 3}) {
        CAPTURE(threads);
        const Network network = small_network(threads);
        Workspace workspace = network.workspace();
        network.run(workspace);
        const long before = lumbar_test::allocations;
        for (int i = 0; i < 10; ++i) network.run(workspace);
        CHECK(lumbar_test::allocations == before);
    }
#else
    MESSAGE("skipped: allocations cannot be counted under this sanitizer");
#endif
}

TEST_CASE("every number of threads gives the same bits, under load too") {
    const Tensor image = synthetic_input({1, 3, 64, 64});
    const std::vector<float> expected = bits(small_network(1)(image));
    std::atomic<bool> stop{false};
    std::vector<std::thread> load;
    for (int i = 0; i < 3; ++i) {
        load.emplace_back([&] {
            while (!stop) std::this_thread::yield();
        });
    }
    for (int threads = 2; threads <= 8; ++threads) {
        CAPTURE(threads);
        const Network network = small_network(threads);
        for (int i = 0; i < 5; ++i) CHECK(bits(network(image)) == expected);
    }
    stop = true;
    for (std::thread& t : load) t.join();
}

TEST_CASE("threads share a network, each with its own workspace") {
    const Network network = small_network(2);
    const int count = 8;
    std::vector<std::vector<float>> expected(count), found(count);
    for (int i = 0; i < count; ++i) {
        expected[static_cast<std::size_t>(i)] =
            bits(network(synthetic_input({1, 3, 64, 64}, static_cast<std::uint64_t>(i))));
    }
    std::vector<std::thread> callers;
    for (int i = 0; i < count; ++i) {
        callers.emplace_back([&, i] {
            const Tensor image = synthetic_input({1, 3, 64, 64}, static_cast<std::uint64_t>(i));
            Workspace workspace = network.workspace();
            for (int repeat = 0; repeat < 20; ++repeat) {
                found[static_cast<std::size_t>(i)] = bits(network(image, workspace));
            }
        });
    }
    for (std::thread& t : callers) t.join();
    CHECK(found == expected);
}

TEST_CASE("an application lends its own threads") {
    struct Counting final : Executor {
        int jobs = 0;
        int concurrency() const noexcept override { return 3; }
        void parallel_for(int chunks, ChunkFunction fn, void* context) noexcept override {
            ++jobs;
            for (int i = chunks - 1; i >= 0; --i) fn(context, i);
        }
    } executor;
    const Network network =
        compile(small_graph(), synthetic_weights(small_graph()),
                {.height = 64, .width = 64, .threads = 0, .executor = &executor});
    const Tensor image = synthetic_input({1, 3, 64, 64});
    CHECK(bits(network(image)) == bits(small_network(1)(image)));
    CHECK(executor.jobs > 0);
}

#if defined(__linux__)
TEST_CASE("no more threads are started than were asked for, and none is left") {
    const auto threads_now = [] {
        const std::filesystem::directory_iterator tasks("/proc/self/task");
        return std::distance(begin(tasks), end(tasks));
    };
    const auto before = threads_now();
    for (const int threads : {1, 3}) {  // one first: it leaves nothing for the other to count
        const Network network = small_network(threads);
        CHECK(bits(network(synthetic_input({1, 3, 64, 64}))).size() == 20);
        CHECK(threads_now() <= before + threads - 1);
    }
    // A thread that was joined may be seen for a moment more.
    for (int wait = 0; wait < 1000 && threads_now() != before; ++wait) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK(threads_now() == before);
}
#endif

TEST_CASE("the caller's floating-point state is as it was") {
    const Network network = small_network(2);
    Workspace workspace = network.workspace();
    const volatile float tiny = std::numeric_limits<float>::min();
    const int rounding = std::fegetround();
    network.run(workspace);
    const volatile float denormal = tiny / 4;
    CHECK(denormal > 0.0f);
    CHECK(std::fegetround() == rounding);
}

#if defined(__SSE2__) || defined(__aarch64__)  // elsewhere nothing is known of the control register
namespace {
/// Without biases, so that all values are as small as the input.
Graph unbiased_graph() {
    Graph graph("unbiased");
    Value x = graph.input(3);
    for (const char* name : {"first", "second", "third"}) {
        x = relu(conv<3>(x, name, {.out_channels = 32}));
    }
    graph.output(conv<1>(x, "last", {.out_channels = 8}));
    return graph;
}

Tensor scaled_input(float factor) {
    Tensor input = synthetic_input({1, 3, 64, 64});
    for (float& value : input.view().values()) value *= factor;
    return input;
}
}  // namespace

TEST_CASE("denormal numbers, slow on many CPUs, are zero in a run, on every thread") {
    for (const int threads : {1, 4}) {
        const Network network = compile(unbiased_graph(), synthetic_weights(unbiased_graph()),
                                        {.height = 64, .width = 64, .threads = threads});
        const std::vector<float> logits = bits(network(scaled_input(1e-40f)));
        CHECK(std::all_of(logits.begin(), logits.end(), [](float x) { return x == 0; }));
        const std::vector<float> usual = bits(network(scaled_input(1)));
        CHECK(std::any_of(usual.begin(), usual.end(), [](float x) { return x != 0; }));
    }
}
#endif

TEST_CASE("the input survives a run, and a second run gives the same") {
    const Network network = small_network(2);
    const Tensor image = synthetic_input({1, 3, 64, 64});
    Workspace workspace = network.workspace();
    std::copy_n(image.data(), image.shape().size(), workspace.input().data);
    network.run(workspace);
    const std::vector<float> first = bits(workspace.output());
    network.run(workspace);
    CHECK(bits(workspace.output()) == first);
    CHECK(bits(workspace.input()) == bits(image.view()));
}

TEST_CASE("classes and widths are those of the file") {
    const Graph narrow = mobilenet_v2({.classes = 7, .width = 0.5});
    const Network network = compile(mobilenet_v2(), synthetic_weights(narrow),
                                    {.height = 64, .width = 64, .threads = 1});
    CHECK(network.output_shapes()[0] == Shape{1, 7, 1, 1});
    const Tensor image = synthetic_input({1, 3, 64, 64});
    const Network expected =
        compile(narrow, synthetic_weights(narrow), {.height = 64, .width = 64, .threads = 1});
    CHECK(bits(network(image)) == bits(expected(image)));
}

TEST_CASE("a padded shortcut is as wide as what it is added to") {
    const auto graph = [](int channels, op::PadChannels pad) {
        Graph g("padded");
        const Value x = conv<3>(g.input(3), "a", {.out_channels = channels});
        const Value y = conv<3>(x, "b", {.out_channels = 2 * channels});
        g.output(y + pad_channels(x, pad));
        return g;
    };
    const Graph nominal = graph(16, {.before = 4, .after = 12});
    const Tensor image = synthetic_input({1, 3, 32, 32});
    const CompileOptions options{.height = 32, .width = 32, .threads = 1};
    for (const int channels : {4, 8, 12, 32}) {
        CAPTURE(channels);
        const Graph other =
            graph(channels, {.before = channels / 4, .after = channels - channels / 4});
        const Weights weights = synthetic_weights(other);
        CHECK(bits(compile(nominal, weights, options)(image)) ==
              bits(compile(other, weights, options)(image)));
    }
}

TEST_CASE("what does not fit is listed in one error") {
    std::vector<NamedTensor> tensors = small_tensors();
    std::erase_if(tensors, [](const NamedTensor& t) { return t.name == "features.0.1.bias"; });
    for (NamedTensor& t : tensors) {
        if (t.name != "features.1.conv.2.weight") continue;
        t.shape = {17};
        t.values.resize(17);
    }
    tensors.push_back({"stranger", {2}, {1.0f, 2.0f}});
    tensors.push_back({"features.0.1.num_batches_tracked", {1}, {1.0f}});
    const std::string message =
        error_of(small_graph(), Weights::from_tensors(std::move(tensors), "my.safetensors"));
    CAPTURE(message);
    CHECK(contains(message, "my.safetensors does not fit small"));
    CHECK(contains(message, " tensors is missing: features.0.1.bias"));
    CHECK(contains(message, "features.1.conv.2.weight (expected [16], found [17])"));
    CHECK(contains(message, "not part of the network: stranger"));
    CHECK_FALSE(contains(message, "num_batches_tracked"));
    CHECK_FALSE(contains(message, "\n"));
}

TEST_CASE("tensors that are not needed may be allowed") {
    std::vector<NamedTensor> tensors = small_tensors();
    tensors.push_back({"stranger", {2}, {1.0f, 2.0f}});
    const Weights weights = Weights::from_tensors(std::move(tensors));
    CHECK(error_of(small_graph(), weights,
                   {.height = 64, .width = 64, .threads = 1, .allow_extra_tensors = true})
              .empty());
}

TEST_CASE("an input that is too small or absurd is refused with its node or numbers") {
    const Weights weights = synthetic_weights(vgg11({.classes = 2}));
    CHECK(contains(error_of(vgg11({.classes = 2}), weights, {.height = 8, .width = 8}),
                   "max_pool: no window fits"));
    CHECK(contains(
        error_of(small_graph(), synthetic_weights(small_graph()), {.height = 0, .width = 1 << 20}),
        "must be 1 to"));
}

TEST_CASE("a shortcut of another size is refused, whichever operand comes first") {
    for (const int first_stride : {1, 2}) {
        CAPTURE(first_stride);
        Graph graph("unequal");
        const Value x = graph.input(3);
        const Value a = conv<3>(x, "a", {.out_channels = 4, .stride = first_stride});
        const Value b = conv<3>(x, "b", {.out_channels = 4, .stride = 3 - first_stride});
        graph.output(a + b);
        const std::string message =
            error_of(graph, synthetic_weights(graph), {.height = 64, .width = 64});
        CAPTURE(message);
        CHECK(contains(message, "unequal: add: adds images of"));
    }
}

TEST_CASE("shortcuts appear where the file's widths make operands equal") {
    // At a quarter of the width 32 -> 8 and 16 -> 8: the first block has a shortcut there.
    for (const double width : {0.1, 0.25, 0.35, 1.0, 1.4}) {
        CAPTURE(width);
        const Graph narrow = mobilenet_v2({.classes = 5, .width = width});
        const Weights weights = synthetic_weights(narrow);
        const CompileOptions options{.height = 32, .width = 32, .threads = 1};
        const Tensor image = synthetic_input({1, 3, 32, 32});
        CHECK(bits(compile(mobilenet_v2(), weights, options)(image)) ==
              bits(compile(narrow, weights, options)(image)));
    }
}

TEST_CASE("layers that share a name share nothing else") {
    Graph graph("shared");
    const Value x = graph.input(4);
    graph.output(conv<1>(x, "a", {.out_channels = 4, .bias = true}));
    graph.output(conv<1>(x, "a", {.out_channels = 4}));
    const Network network =
        compile(graph,
                Weights::from_tensors({{"a.weight", {4, 4, 1, 1}, std::vector<float>(16, 0.0f)},
                                       {"a.bias", {4}, std::vector<float>(4, 5.0f)}}),
                {.height = 2, .width = 2, .threads = 1});
    Workspace workspace = network.workspace();
    network.run(workspace);
    CHECK(workspace.output(0)(0, 0, 0, 0) == 5.0f);
    CHECK(workspace.output(1)(0, 0, 0, 0) == 0.0f);
}

TEST_CASE("a linear layer does not read the lanes of a neighbour in a concatenation") {
    Graph graph("neighbours");
    const Value x = graph.input(1);
    const Value a = conv<1>(x, "a", {.out_channels = 20});
    const Value b = conv<1>(x, "b", {.out_channels = 20});
    graph.output(concat({a, b}));
    graph.output(linear(a, "l", {.outputs = 1, .pixels = 4, .bias = false}));
    const float infinity = std::numeric_limits<float>::infinity();
    const Network network = compile(
        graph,
        Weights::from_tensors({{"a.weight", {20, 1, 1, 1}, std::vector<float>(20, 1.0f)},
                               {"b.weight", {20, 1, 1, 1}, std::vector<float>(20, infinity)},
                               {"l.weight", {1, 80}, std::vector<float>(80, 1.0f)}}),
        {.height = 2, .width = 2, .threads = 1});
    Workspace workspace = network.workspace();
    std::fill_n(workspace.input().data, 4, 1.0f);
    network.run(workspace);
    CHECK(workspace.output(1)(0, 0, 0, 0) == 80.0f);
}

TEST_CASE("shapes are compared exactly, but for the ones that old files have") {
    Graph graph("row");
    const Value x = graph.input(1);
    graph.output(batch_norm(
        conv(x, "a",
             {.out_channels = 2, .kernel = {1, 7}, .stride = {}, .dilation = {}, .padding = {}}),
        "n"));
    const auto message = [&](Dims filter, Dims vector) {
        std::vector<NamedTensor> tensors{{"a.weight", filter, std::vector<float>(14, 1.0f)}};
        for (const char* name : {"n.weight", "n.bias", "n.running_mean", "n.running_var"}) {
            tensors.push_back({name, vector, std::vector<float>(2, 1.0f)});
        }
        return error_of(graph, Weights::from_tensors(std::move(tensors)),
                        {.height = 7, .width = 7, .threads = 1});
    };
    CHECK(message({2, 1, 1, 7}, {2}).empty());
    CHECK(message({2, 1, 1, 7}, {1, 2}).empty());
    CHECK(contains(message({2, 1, 7, 1}, {2}), "a.weight (expected [2, 1, 1, 7]"));
    CHECK(contains(message({2, 1, 1, 7}, {2, 1}), "n.weight (expected [2]"));
}

TEST_CASE("weights that are no sensible numbers do no harm") {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
    struct Case {
        const char* name;  // of the tensors that are spoiled: how their names end
        float value;
        bool finite;
    };
    constexpr Case cases[] = {
        {"", kNan, false},
        {"", kInfinity, false},
        {"", 1e38f, false},
        {"", 1e-40f, true},
        {".running_var", 0.0f, true},
        {".running_var", -1.0f, false},
        {".running_var", kNan, false},
        {".running_var", kInfinity, true},
    };
    const Tensor image = synthetic_input({1, 3, 64, 64});
    for (const Case& c : cases) {
        CAPTURE(c.name);
        CAPTURE(c.value);
        std::vector<NamedTensor> tensors = small_tensors();
        for (NamedTensor& t : tensors) {
            if (t.name.ends_with(c.name)) std::fill(t.values.begin(), t.values.end(), c.value);
        }
        const Network network = compile(small_graph(), Weights::from_tensors(std::move(tensors)),
                                        {.height = 64, .width = 64, .threads = 1});
        const Tensor logits = network(image);
        CHECK(std::all_of(logits.values().begin(), logits.values().end(),
                          [](float x) { return std::isfinite(x); }) == c.finite);
    }
}

TEST_CASE("sizes that nothing can hold are refused") {
    const Weights weights = synthetic_weights(small_graph());
    CHECK(contains(
        error_of(small_graph(), weights, {.height = 32768, .width = 32768, .batch = 16384}),
        "more than 2^38"));
}

TEST_CASE("resized networks share Winograd's weights, in whatever order they multiply") {
    Graph graph;
    Value x = relu(conv<1>(graph.input(3), "wide", {.out_channels = 128}));
    graph.output(relu(conv<3>(x, "deep", {.out_channels = 480})));
    // The transformed tiles of the larger image outgrow L2; both are F(4x4), with blocks of as many
    // groups, on every CPU.
    const Network small =
        compile(graph, synthetic_weights(graph), {.height = 12, .width = 32, .threads = 1});
    CHECK(small.steps()[1]->algorithm.starts_with("winograd"));
    const std::size_t packed = small.packed_bytes();
    const Network large = small.resized({.height = 32, .width = 32});
    CHECK(large.steps()[1]->algorithm == small.steps()[1]->algorithm);
    CHECK(large.packed_bytes() == packed);
}

#if LUMBAR_HAS_EXCEPTIONS
TEST_CASE("a tensor of another shape is refused") {
    const Network network = small_network(1);
    CHECK_THROWS_WITH_AS(network(synthetic_input({1, 3, 64, 63})),
                         doctest::Contains("compiled for an input of 1x3x64x64, not 1x3x64x63"),
                         Error);
}

TEST_CASE("a workspace of another network is refused") {
    const Network network = small_network(1);
    Workspace workspace = network.workspace();
    const Network larger = network.resized({.height = 96, .width = 96});
    CHECK_THROWS_WITH_AS(larger(synthetic_input({1, 3, 96, 96}), workspace),
                         doctest::Contains("belongs to another network"), Error);
}
#endif

}  // namespace network_test
