// An application: a small network with one layer of most kinds, on weights of its own. It succeeds
// where the numbers are right, however it was compiled (also without exceptions, and with
// -ffast-math).
#if defined(SINGLE_HEADER)
#include <lumbar.hpp>
#else
#include <lumbar/lumbar.hpp>
#endif

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

std::size_t other();
bool embedded_weights_load();

namespace {

using namespace lumbar;

/// Numbers in [centre - amplitude, centre + amplitude) that are the same everywhere.
class Numbers {
   public:
    float next(float centre, float amplitude) {
        state_ = state_ * 1664525u + 1013904223u;
        return centre + amplitude * (static_cast<float>(state_ >> 8) * 0x1p-23f - 1.0f);
    }
    NamedTensor tensor(std::string name, Dims shape, float centre, float amplitude) {
        std::size_t size = 1;
        for (const auto extent : shape) size *= static_cast<std::size_t>(extent);
        NamedTensor t{std::move(name), shape, std::vector<float>(size)};
        for (float& value : t.values) value = next(centre, amplitude);
        return t;
    }

   private:
    std::uint32_t state_ = 1;
};

Graph network() {
    Graph graph("small");
    Value x = graph.input(3);
    x = relu(batch_norm(conv<3>(x, "stem", {.out_channels = 16, .stride = 2}), "norm"));
    x = x + conv<1>(relu6(depthwise_conv<3>(x, "filter")), "mix", {.out_channels = 16});
    x = concat(
        {conv<3>(x, "left", {.out_channels = 20}), conv<1>(x, "right", {.out_channels = 4})});
    x = max_pool(hard_swish(x), {.kernel = 3, .stride = 2});
    x = squeeze_excite(x, "gate", {.squeezed_channels = 8});
    graph.output(linear(global_avg_pool(x), "classes", {.outputs = 5}));
    return graph;
}

std::vector<NamedTensor> tensors() {
    Numbers n;
    std::vector<NamedTensor> all;
    all.push_back(n.tensor("stem.weight", {16, 3, 3, 3}, 0.0f, 0.5f));
    all.push_back(n.tensor("norm.weight", {16}, 1.0f, 0.5f));
    all.push_back(n.tensor("norm.bias", {16}, 0.0f, 0.5f));
    all.push_back(n.tensor("norm.running_mean", {16}, 0.0f, 0.5f));
    all.push_back(n.tensor("norm.running_var", {16}, 1.0f, 0.5f));
    all.push_back(n.tensor("filter.weight", {16, 1, 3, 3}, 0.0f, 1.0f));
    all.push_back(n.tensor("mix.weight", {16, 16, 1, 1}, 0.0f, 0.5f));
    all.push_back(n.tensor("left.weight", {20, 16, 3, 3}, 0.0f, 0.2f));
    all.push_back(n.tensor("right.weight", {4, 16, 1, 1}, 0.0f, 0.5f));
    all.push_back(n.tensor("gate.fc1.weight", {8, 24, 1, 1}, 0.0f, 0.3f));
    all.push_back(n.tensor("gate.fc1.bias", {8}, 0.0f, 0.3f));
    all.push_back(n.tensor("gate.fc2.weight", {24, 8, 1, 1}, 0.0f, 0.3f));
    all.push_back(n.tensor("gate.fc2.bias", {24}, 0.0f, 0.3f));
    all.push_back(n.tensor("classes.weight", {5, 24}, 0.0f, 2.0f));
    all.push_back(n.tensor("classes.bias", {5}, 0.0f, 1.0f));
    return all;
}

bool fails(const Error& error) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    return false;
}

/// The logits of a picture, with threads and Winograd's algorithm or without.
bool logits_are_right() {
    constexpr float kExpected[] = {-13.42163f, 18.62592f, 5.813386f, 13.14685f, 0.7989011f};
    const auto weights = Weights::try_from_tensors(tensors());
    if (!weights) return fails(weights.error());
    Numbers n;
    for (const bool exact : {false, true}) {
        const auto net = try_compile(network(), *weights,
                                     {.height = 27, .width = 22, .threads = 2, .exact = exact});
        if (!net) return fails(net.error());
        Workspace w = net->workspace();
        for (float& value : std::span(w.input().data, 3 * 27 * 22)) {
            value = n.next(0.0f, 2.0f);
        }
        net->run(w);
        const float* logits = w.output(0).data;
        float most = 0.0f;
        for (int i = 0; i < 5; ++i) most = std::max(most, std::fabs(logits[i] - kExpected[i]));
        std::printf("%s: %.7g %.7g %.7g %.7g %.7g\n", net->isa(), static_cast<double>(logits[0]),
                    static_cast<double>(logits[1]), static_cast<double>(logits[2]),
                    static_cast<double>(logits[3]), static_cast<double>(logits[4]));
        if (!(most < 1e-3f)) return false;
        n = Numbers();
    }
    return true;
}

/// By its bits: -ffast-math takes nothing for NaN.
bool is_nan(const float& x) { return (std::bit_cast<std::uint32_t>(x) & 0x7FFFFFFF) > 0x7F800000; }

/// NaN passes through activations and pooling, as in PyTorch.
bool nan_stays() {
    Graph graph("nan");
    const Value x = graph.input(2);
    for (const Value& y : {relu(x), relu6(x), hard_swish(x)}) {
        graph.output(max_pool(y, {.kernel = 2, .stride = 2}));
    }
    const auto net = try_compile(graph, Weights(), {.height = 4, .width = 4, .threads = 1});
    if (!net) return fails(net.error());
    Workspace w = net->workspace();
    for (int i = 0; i < 2 * 4 * 4; ++i) {
        constexpr std::uint32_t kNan = 0x7FC00000;
        w.input().data[i] = 1.0f;
        if (i % 8 == 2) std::memcpy(&w.input().data[i], &kNan, sizeof kNan);
    }
    net->run(w);
    for (int i = 0; i < w.outputs(); ++i) {
        for (int k = 0; k < 2 * 2 * 2; ++k) {
            const bool expected = k % 2 == 1;
            if (is_nan(w.output(i).data[k]) != expected) {
                std::fprintf(stderr, "output %d, value %d: %s\n", i, k,
                             expected ? "NaN was lost" : "NaN from nowhere");
                return false;
            }
        }
    }
    return true;
}

}  // namespace

int main() {
    std::printf("lumbar %d.%d.%d\n", LUMBAR_VERSION_MAJOR, LUMBAR_VERSION_MINOR,
                LUMBAR_VERSION_PATCH);
    const Tensor tensor({.n = 1, .c = 3, .h = 4, .w = 4});
    if (tensor.values().size() != other()) return 1;
    return embedded_weights_load() && logits_are_right() && nan_stays() ? 0 : 1;
}
