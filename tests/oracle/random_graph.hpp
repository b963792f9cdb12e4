// Small networks that nobody would design: every operation on every earlier value, values with many
// readers, outputs in the middle. For what must hold for any graph.
#pragma once

#include <oracle/array.hpp>

#include <lumbar/graph/build.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace oracle {

/// Makes the graph of one seed. All values keep the image's size, so that any two can be joined.
class RandomGraph {
   public:
    static lumbar::Graph make(std::uint64_t seed, int nodes = 14) {
        return RandomGraph(seed).build(nodes);
    }

   private:
    using Value = lumbar::Value;

    explicit RandomGraph(std::uint64_t seed)
        : random_(seed), graph_("random " + std::to_string(seed)) {}

    lumbar::Graph build(int nodes) {
        ids_.push_back(graph_.input(pick(2) ? 3 : 8).id());
        while (static_cast<int>(ids_.size()) <= nodes) ids_.push_back(next().id());
        for (const int id : ids_) {
            if (id != 0 && pick(8) == 0) graph_.output({graph_, id});
        }
        graph_.output({graph_, ids_.back()});
        if (pick(4) == 0) graph_.output({graph_, ids_.back()});  // twice the same
        return graph_;
    }

    int pick(int below) { return static_cast<int>(random_.below(below)); }
    std::string name() { return "layer" + std::to_string(ids_.size()); }

    /// Mostly the latest value, as in real networks; sometimes any.
    Value any() {
        const std::size_t count = ids_.size();
        const int back = pick(3) ? 0 : pick(static_cast<int>(count));
        return {graph_, ids_[count - 1 - static_cast<std::size_t>(back)]};
    }

    /// An earlier value with as many channels as x (x itself among them), or x.
    Value like(Value x) {
        std::vector<int> fitting;
        for (const int id : ids_) {
            if (graph_.node(id).channels == x.channels()) fitting.push_back(id);
        }
        if (fitting.empty()) return x;
        return {graph_, fitting[static_cast<std::size_t>(pick(static_cast<int>(fitting.size())))]};
    }

    lumbar::Activation any_activation() {
        using lumbar::Activation;
        constexpr Activation kAll[] = {Activation::relu, Activation::relu6, Activation::hard_swish,
                                       Activation::hard_sigmoid, Activation::sigmoid};
        return kAll[pick(5)];
    }

    Value any_conv(Value x) {
        const int channels = pick(2) ? x.channels() : 4 * (1 + pick(5));
        const bool bias = pick(2) == 0;
        switch (pick(4)) {
            case 0: return conv<1>(x, name(), {.out_channels = channels, .bias = bias});
            case 1: return lumbar::depthwise_conv<3>(x, name(), {.bias = bias});
            case 2:
                return conv<3>(
                    x, name(),
                    {.out_channels = channels, .padding = 2, .dilation = 2, .bias = bias});
            default: return conv<3>(x, name(), {.out_channels = channels, .bias = bias});
        }
    }

    /// An Inception's pooling branch.
    Value pooled(Value x) {
        const bool counts = pick(2) == 0;
        x = avg_pool(x, {.kernel = 3, .stride = 1, .padding = 1, .count_include_pad = counts});
        const bool bias = pick(2) == 0;
        x = conv<1>(x, name(), {.out_channels = 1 + pick(x.channels()), .bias = bias});
        if (pick(2)) x = batch_norm(x, name() + ".bn");
        if (pick(2)) x = activate(x, any_activation());
        return pick(3) ? x
                       : conv<1>(x, name() + ".second", {.out_channels = 1 + pick(x.channels())});
    }

    /// A convolution as it usually stands: batch norm, perhaps a shortcut, perhaps an activation.
    Value block(Value x) {
        Value y = any_conv(x);
        y = batch_norm(y, name() + ".bn");
        if (pick(2)) y = pick(2) ? y + like(y) : like(y) + y;
        return pick(4) ? activate(y, any_activation()) : y;
    }

    Value next() {
        const Value x = any();
        switch (pick(24)) {
            case 0:
            case 1:
            case 2:
            case 3: return any_conv(x);
            case 4:
            case 5:
            case 6: return batch_norm(x, name());
            case 7:
            case 8:
            case 9: return activate(x, any_activation());
            case 10:
            case 11: return x + like(x);
            case 12: return lumbar::concat({x, any(), any()});
            case 13: return max_pool(x, {.kernel = 3, .stride = 1, .padding = 1});
            case 14:
                return avg_pool(
                    x, {.kernel = 3, .stride = 1, .padding = 1, .count_include_pad = false});
            case 15:
            case 16:
            case 17:
            case 18: return block(x);
            case 19: return lumbar::pad_channels(x, {.before = pick(6), .after = pick(6)});
            case 20:
            case 21: return pooled(x);
            case 22: return lumbar::local_response_norm(x, {.size = 1 + pick(5), .alpha = 0.5f});
            default:
                return squeeze_excite(x, name(),
                                      {.squeezed_channels = 2, .gate = any_activation()});
        }
    }

    Random random_;
    lumbar::Graph graph_;
    std::vector<int> ids_;
};

}  // namespace oracle
