// own_network: a network written with the library's own words, and a layer used without any
// network.
#include <lumbar/layers/primitives.hpp>
#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <cstdio>
#include <cstring>
#include <vector>

using namespace lumbar;

/// Five layers and a shortcut, for grey images of any size. The names are those that the weight
/// file has: "stem.weight", "norm.running_mean", ...
Graph own_network(int classes) {
    Graph graph("own_network");
    Value x = graph.input(1);
    x = relu(batch_norm(conv<3>(x, "stem", {.out_channels = 16, .stride = 2}), "norm"));
    Value y = relu6(depthwise_conv<3>(x, "filter"));
    y = conv<1>(y, "mix", {.out_channels = 16, .bias = true});
    x = max_pool(x + y, {.kernel = 2, .stride = 2});
    graph.output(linear(global_avg_pool(x), "classes", {.outputs = classes}));
    return graph;
}

int main(int argc, char** argv) {
    if (argc > 1) {
        std::printf(
            "own_network: runs a small network of its own on synthetic weights, and one layer\n");
        return std::strcmp(argv[1], "--help") == 0 ? 0 : 1;
    }
    const Graph graph = own_network(10);
    // With a file: load_weights("own.safetensors"); with values at hand: Weights::from_tensors.
    const Network net =
        compile(graph, synthetic_weights(graph), {.height = 48, .width = 64, .threads = 1});
    const Tensor logits = net(synthetic_input(net.input_shape()));
    for (const Prediction& p : top_k(logits, 3)) {
        std::printf("class %d: %4.1f %%\n", p.index, 100.0 * static_cast<double>(p.probability));
    }

    // A layer alone: PyTorch's weights, activations in the blocked layout with the border it needs.
    const std::vector<float> weights(24 * 3 * 3, 1.0f / 9), bias(24, 0.0f);
    const DepthwiseConv2d<3, 2, Activation::relu6> blur(weights, bias, {.channels = 24});
    const Shape shape{.n = 1, .c = 24, .h = 32, .w = 32};
    BlockedTensor x(blur.input_layout(shape)), y(blur.output_layout(shape));
    to_blocked(synthetic_input(shape), x.view());
    blur(x, y);
    Tensor plain(blur.output_shape(shape));
    from_blocked(y.view(), plain.view());
    std::printf("blurred to %s, first value %.3f\n", to_string(plain.shape()).c_str(),
                static_cast<double>(plain(0, 0, 0, 0)));
    return 0;
}
