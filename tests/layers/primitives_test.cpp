#include <oracle/guarded.hpp>
#include <oracle/kernel_tables.hpp>
#include <oracle/oracle.hpp>

#include <lumbar/core/thread_pool.hpp>
#include <lumbar/layers/primitives.hpp>

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <vector>

namespace primitives_test {

using lumbar::Activation;
using lumbar::BlockedTensor;
using lumbar::BlockedView;
using lumbar::ConvGeometry;
using lumbar::Executor;
using lumbar::Extent;
using lumbar::KernelTable;
using lumbar::Padding;
using lumbar::PoolGeometry;
using lumbar::Shape;
using lumbar::Size2d;
using lumbar::Tensor;
using oracle::Array;

namespace {

/// The values of a blocked view.
Tensor plain(const BlockedView& v) {
    Tensor t(v.shape);
    lumbar::from_blocked(v, t);
    return t;
}

std::vector<float> floats(std::int64_t count, std::uint64_t seed, float low = -1, float high = 1) {
    return oracle::random_floats(static_cast<std::size_t>(count), seed, low, high);
}

/// Runs a primitive alone and on threads: the same bits, and close to `want`.
template <class Run>
std::string check(const Array& want, BlockedTensor& y, double relative, Run&& run) {
    run(static_cast<Executor*>(nullptr));
    const Tensor alone = plain(y);
    static lumbar::ThreadPool pool(3);
    run(static_cast<Executor*>(&pool));
    const Tensor together = plain(y);
    for (std::size_t i = 0; i < alone.values().size(); ++i) {
        if (!oracle::same_bits(alone.data()[i], together.data()[i])) return "threads change bits";
    }
    return oracle::mismatch(want, alone, relative);
}

/// The input of a layer, filled.
template <class Layer>
BlockedTensor input_of(const Layer& layer, const Tensor& x) {
    BlockedTensor blocked(layer.input_layout(x.shape()));
    lumbar::to_blocked(x, blocked);
    return blocked;
}

constexpr double kClose = 64 * oracle::kRounding;

template <class Layer>
void check_conv(const Layer& layer, const std::vector<float>& weights,
                const std::vector<float>& bias, const Tensor& x, const ConvGeometry& g,
                Activation activation) {
    CHECK(layer.geometry().padding == g.padding);
    const Array want =
        oracle::activate(oracle::conv2d(Array(x.view()), weights, bias, g), activation);
    BlockedTensor in = input_of(layer, x);
    BlockedTensor y(layer.output_layout(x.shape(), {1, 0, 2, 1}));
    CHECK(check(want, y, kClose, [&](Executor* e) { layer(in, y, e); }) == "");
}

}  // namespace

TEST_CASE("Conv2d takes its kernel, stride and activation as template arguments") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const Tensor x = oracle::random_tensor({2, 13, 9, 11}, 1);
        {
            const auto w = floats(17 * 13 * 9, 2), b = floats(17, 3);
            const lumbar::Conv2d<3, 2, Activation::relu> layer(
                w, b, {.in_channels = 13, .out_channels = 17}, *kernels);
            check_conv(layer, w, b, x,
                       {.in_channels = 13,
                        .out_channels = 17,
                        .kernel = {3, 3},
                        .stride = {2, 2},
                        .padding = Padding::all(1)},
                       Activation::relu);
        }
        {
            const auto w = floats(5 * 13 * 7, 2);
            const lumbar::Conv2d<Size2d(1, 7)> layer(w, {}, {.in_channels = 13, .out_channels = 5},
                                                     *kernels);
            check_conv(
                layer, w, {}, x,
                {.in_channels = 13, .out_channels = 5, .kernel = {1, 7}, .padding = {0, 3, 0, 3}},
                Activation::none);
        }
        {
            const auto w = floats(26 * 9, 2), b = floats(26, 3);
            const lumbar::Conv2d<3, 1, Activation::sigmoid> layer(w, b,
                                                                  {.in_channels = 13,
                                                                   .out_channels = 26,
                                                                   .padding = Padding{1, 2, 3, 0},
                                                                   .dilation = {2, 1},
                                                                   .groups = 13},
                                                                  *kernels);
            check_conv(layer, w, b, x,
                       {.in_channels = 13,
                        .out_channels = 26,
                        .kernel = {3, 3},
                        .dilation = {2, 1},
                        .padding = {1, 2, 3, 0},
                        .groups = 13},
                       Activation::sigmoid);
        }
        {
            const auto w = floats(40 * 13, 2), b = floats(40, 3);
            const lumbar::PointwiseConv2d<Activation::hard_swish> layer(
                w, b, {.in_channels = 13, .out_channels = 40}, *kernels);
            check_conv(layer, w, b, x, {.in_channels = 13, .out_channels = 40},
                       Activation::hard_swish);
        }
        {
            const auto w = floats(13 * 25, 2), b = floats(13, 3);
            const lumbar::DepthwiseConv2d<5, 2, Activation::relu6> layer(w, b, {.channels = 13},
                                                                         *kernels);
            check_conv(layer, w, b, x,
                       {.in_channels = 13,
                        .out_channels = 13,
                        .kernel = {5, 5},
                        .stride = {2, 2},
                        .padding = Padding::all(2),
                        .groups = 13},
                       Activation::relu6);
        }
    }
}

TEST_CASE("Conv2d adds a residual, also in place") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const Shape shape{1, 21, 6, 7};
        const auto w = floats(21 * 21 * 9, 2), b = floats(21, 3);
        const Tensor x = oracle::random_tensor(shape, 1), r = oracle::random_tensor(shape, 4);
        const lumbar::Conv2d<3, 1, Activation::relu> layer(
            w, b, {.in_channels = 21, .out_channels = 21}, *kernels);
        BlockedTensor in = input_of(layer, x);
        BlockedTensor y(layer.output_layout(shape));
        const Array want = oracle::activate(
            oracle::add(oracle::conv2d(Array(x.view()), w, b, layer.geometry()), Array(r.view())),
            Activation::relu);
        CHECK(check(want, y, kClose, [&](Executor* e) {
                  lumbar::to_blocked(r, y);
                  layer(in, y, y, e);
              }) == "");
    }
}

TEST_CASE("FirstConv2d reads a plain tensor") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const Tensor x = oracle::random_tensor({2, 3, 23, 19}, 1);
        const auto w = floats(24 * 3 * 49, 2), b = floats(24, 3);
        const lumbar::FirstConv2d<7, 2, Activation::relu> layer(
            w, b, {.in_channels = 3, .out_channels = 24}, *kernels);
        const Array want = oracle::activate(oracle::conv2d(Array(x.view()), w, b, layer.geometry()),
                                            Activation::relu);
        BlockedTensor y(layer.output_layout(x.shape()));
        CHECK(check(want, y, kClose, [&](Executor* e) { layer(x, y, e); }) == "");
    }
}

TEST_CASE("pooling primitives pool") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const Tensor x = oracle::random_tensor({2, 19, 12, 13}, 1);
        const auto check_pool = [&](const auto& layer, const PoolGeometry& g) {
            BlockedTensor in = input_of(layer, x);
            BlockedTensor y(layer.output_layout(x.shape(), Padding::all(1)));
            CHECK(check(oracle::pool(Array(x.view()), g), y,
                        g.kind == PoolGeometry::Kind::max ? 0 : kClose,
                        [&](Executor* e) { layer(in, y, e); }) == "");
        };
        constexpr auto kAverage = PoolGeometry::Kind::average;
        check_pool(lumbar::MaxPool2d<2>(*kernels), {});
        check_pool(
            lumbar::MaxPool2d<3, 2>({.padding = Padding::all(1), .ceil_mode = true}, *kernels),
            {.kernel = {3, 3}, .stride = {2, 2}, .padding = Padding::all(1), .ceil_mode = true});
        check_pool(lumbar::AvgPool2d<3, 1>({.padding = Padding::all(1), .count_include_pad = false},
                                           *kernels),
                   {.kind = kAverage,
                    .kernel = {3, 3},
                    .stride = {1, 1},
                    .padding = Padding::all(1),
                    .count_include_pad = false});
        check_pool(lumbar::AdaptiveAvgPool2d({7, 5}, *kernels),
                   {.kind = kAverage, .adaptive = {7, 5}});
        check_pool(lumbar::GlobalAvgPool(*kernels), {.kind = kAverage, .adaptive = {1, 1}});
    }
}

TEST_CASE("elementwise primitives agree with the definition, in place") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const Shape shape{2, 19, 5, 6};
        const Tensor x = oracle::random_tensor(shape, 1, -5, 5);
        const Tensor b = oracle::random_tensor(shape, 2, -5, 5);
        const Array ax(x.view()), ab(b.view());
        BlockedTensor y(shape, kernels->lanes, Padding::all(1));
        BlockedTensor other(shape, kernels->lanes);
        lumbar::to_blocked(b, other);

        const auto in_place = [&](const auto& layer, const Array& want) {
            CHECK(check(want, y, kClose, [&](Executor* e) {
                      lumbar::to_blocked(x, y);
                      layer(y, y, e);
                  }) == "");
        };
        in_place(lumbar::Relu(*kernels), oracle::activate(ax, Activation::relu));
        in_place(lumbar::Relu6(*kernels), oracle::activate(ax, Activation::relu6));
        in_place(lumbar::HardSwish(*kernels), oracle::activate(ax, Activation::hard_swish));
        in_place(lumbar::HardSigmoid(*kernels), oracle::activate(ax, Activation::hard_sigmoid));
        in_place(lumbar::Sigmoid(*kernels), oracle::activate(ax, Activation::sigmoid));
        in_place(lumbar::Softmax(*kernels), oracle::softmax(ax));

        const auto gamma = floats(19, 3), beta = floats(19, 4), mean = floats(19, 5),
                   variance = floats(19, 6, 0.1f, 2);
        in_place(lumbar::BatchNorm2d<Activation::relu>(
                     {.gamma = gamma, .beta = beta, .mean = mean, .variance = variance},
                     {.channels = 19, .epsilon = 1e-3}, *kernels),
                 oracle::activate(oracle::batch_norm(ax, gamma, beta, mean, variance, 1e-3),
                                  Activation::relu));
        in_place(
            lumbar::BatchNorm2d<>({.mean = mean, .variance = variance}, {.channels = 19}, *kernels),
            oracle::batch_norm(ax, {}, {}, mean, variance, 1e-5));

        const lumbar::Add<Activation::relu> add(*kernels);
        CHECK(check(oracle::activate(oracle::add(ax, ab), Activation::relu), y, kClose,
                    [&](Executor* e) {
                        lumbar::to_blocked(x, y);
                        add(y, other, y, e);
                    }) == "");

        const lumbar::LocalResponseNorm lrn({.size = 5, .alpha = 0.5f}, *kernels);
        CHECK(check(oracle::local_response_norm(ab, 5, 0.5, 0.75, 1), y, kClose,
                    [&](Executor* e) { lrn(other, y, e); }) == "");
    }
}

TEST_CASE("Concat joins any channels") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        std::vector<Array> arrays;
        std::vector<BlockedTensor> tensors;
        std::vector<BlockedView> views;
        int channels = 0;
        for (const int c : {5, 16, 1, 24}) {
            const Tensor x = oracle::random_tensor({2, c, 4, 7}, static_cast<std::uint64_t>(c));
            arrays.emplace_back(x.view());
            tensors.emplace_back(x.shape(), kernels->lanes);
            views.push_back(tensors.back().view());
            lumbar::to_blocked(x, views.back());
            channels += c;
        }
        BlockedTensor y(Shape{2, channels, 4, 7}, kernels->lanes, Padding::all(1));
        const lumbar::Concat concat(*kernels);
        CHECK(check(oracle::concat(arrays), y, 0, [&](Executor* e) { concat(views, y, e); }) == "");
        BlockedTensor two(Shape{2, 21, 4, 7}, kernels->lanes);
        CHECK(check(oracle::concat({arrays[0], arrays[1]}), two, 0, [&](Executor* e) {
                  concat({views[0], views[1]}, two, e);
              }) == "");
    }
}

TEST_CASE("Linear flattens as PyTorch does") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const Tensor x = oracle::random_tensor({3, 13, 7, 7}, 1);
        const auto w = floats(29 * 13 * 49, 2), b = floats(29, 3);
        const lumbar::Linear<Activation::sigmoid> layer(
            w, b, {.in = {.c = 13, .h = 7, .w = 7}, .outputs = 29}, *kernels);
        BlockedTensor in = input_of(layer, x);
        BlockedTensor y(layer.output_layout(x.shape()));
        CHECK(
            check(oracle::activate(oracle::linear(Array(x.view()), w, b, 29), Activation::sigmoid),
                  y, kClose, [&](Executor* e) { layer(in, y, e); }) == "");
    }
}

TEST_CASE("SqueezeExcite gates channels by their averages") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const Shape shape{2, 24, 6, 5};
        const Tensor x = oracle::random_tensor(shape, 1);
        const auto w1 = floats(6 * 24, 2), b1 = floats(6, 3), w2 = floats(24 * 6, 4, -4, 4),
                   b2 = floats(24, 5);
        const lumbar::SqueezeExcite<Activation::sigmoid> layer(
            {.squeeze_weights = w1, .squeeze_bias = b1, .expand_weights = w2, .expand_bias = b2},
            {.channels = 24, .squeezed = 6}, *kernels);
        const Array ax(x.view());
        const Array squeezed = oracle::activate(
            oracle::linear(oracle::global_average_pool(ax), w1, b1, 6), Activation::relu);
        const Array gate =
            oracle::activate(oracle::linear(squeezed, w2, b2, 24), Activation::sigmoid);
        BlockedTensor y(shape, kernels->lanes, Padding::all(1));
        CHECK(check(oracle::scale_channels(ax, gate), y, kClose, [&](Executor* e) {
                  lumbar::to_blocked(x, y);
                  layer(y, y, e);
              }) == "");
    }
}

TEST_CASE("primitives make a small network") {
    // A first layer, an inverted residual with squeeze-and-excite, a head: MobileNet V3 in small.
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        using enum Activation;
        const KernelTable& k = *kernels;
        const auto w0 = floats(8 * 3 * 9, 1), b0 = floats(8, 2);
        const auto w1 = floats(20 * 8, 3), b1 = floats(20, 4);
        const auto w2 = floats(20 * 9, 5), b2 = floats(20, 6);
        const auto s1 = floats(5 * 20, 7), t1 = floats(5, 8), s2 = floats(20 * 5, 9),
                   t2 = floats(20, 10);
        const auto w3 = floats(8 * 20, 11), b3 = floats(8, 12);
        const auto w4 = floats(10 * 8, 13), b4 = floats(10, 14);

        const lumbar::FirstConv2d<3, 2, hard_swish> stem(w0, b0,
                                                         {.in_channels = 3, .out_channels = 8}, k);
        const lumbar::PointwiseConv2d<relu> expand(w1, b1, {.in_channels = 8, .out_channels = 20},
                                                   k);
        const lumbar::DepthwiseConv2d<3, 1, relu> depthwise(w2, b2, {.channels = 20}, k);
        const lumbar::SqueezeExcite<hard_sigmoid> gate(
            {.squeeze_weights = s1, .squeeze_bias = t1, .expand_weights = s2, .expand_bias = t2},
            {.channels = 20, .squeezed = 5}, k);
        const lumbar::Conv2d<1> project(w3, b3, {.in_channels = 20, .out_channels = 8}, k);
        const lumbar::GlobalAvgPool pool(k);
        const lumbar::Linear<> head(w4, b4, {.in = {.c = 8}, .outputs = 10}, k);
        const lumbar::Softmax softmax(k);

        const Tensor image = oracle::random_tensor({2, 3, 15, 13}, 99);
        const Shape small = stem.output_shape(image.shape());
        BlockedTensor a(stem.output_layout(image.shape()));
        BlockedTensor wide(
            expand.output_layout(small, depthwise.border(expand.output_shape(small))));
        BlockedTensor filtered(depthwise.output_layout(wide.shape()));
        BlockedTensor averages(pool.output_layout(small));
        BlockedTensor y(head.output_layout(averages.shape()));

        Array v = oracle::activate(oracle::conv2d(Array(image.view()), w0, b0, stem.geometry()),
                                   hard_swish);
        const Array shortcut = v;
        v = oracle::activate(oracle::conv2d(v, w1, b1, expand.geometry()), relu);
        v = oracle::activate(oracle::conv2d(v, w2, b2, depthwise.geometry()), relu);
        Array g = oracle::activate(oracle::linear(oracle::global_average_pool(v), s1, t1, 5), relu);
        g = oracle::activate(oracle::linear(g, s2, t2, 20), hard_sigmoid);
        v = oracle::scale_channels(v, g);
        v = oracle::add(oracle::conv2d(v, w3, b3, project.geometry()), shortcut);
        v = oracle::softmax(oracle::linear(oracle::global_average_pool(v), w4, b4, 10));

        CHECK(check(v, y, 16 * kClose, [&](Executor* e) {
                  stem(image, a, e);
                  expand(a, wide, e);
                  depthwise(wide, filtered, e);
                  gate(filtered, filtered, e);
                  project(filtered, a, a, e);
                  pool(a, averages, e);
                  head(averages, y, e);
                  softmax(y, y, e);
              }) == "");
    }
}

#if LUMBAR_HAS_EXCEPTIONS
namespace {
/// The message of the Error that f raises, or "".
template <class F>
std::string message_of(F&& f) {
    try {
        f();
    } catch (const lumbar::Error& e) {
        CHECK(e.code() == lumbar::Error::Code::argument);
        return e.message();
    }
    return "";
}
bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}
}  // namespace

TEST_CASE("primitives say what does not fit") {
    const auto w = floats(16 * 8 * 9, 1), b = floats(16, 2);
    using Conv = lumbar::Conv2d<3>;
    const Conv layer(w, b, {.in_channels = 8, .out_channels = 16});
    const int lanes = lumbar::native_kernels().lanes;

    const std::span<const float> few(w.data(), 100);
    CHECK(message_of([&] { Conv(few, b, {.in_channels = 8, .out_channels = 16}); }) ==
          "Conv2d: weights has 100 values, expected 1152");
    CHECK(message_of([&] { Conv(w, few, {.in_channels = 8, .out_channels = 16}); }) ==
          "Conv2d: bias has 100 values, expected 16");
    CHECK(contains(
        message_of([&] { Conv(w, b, {.in_channels = 8, .out_channels = 16, .groups = 3}); }),
        "3 groups do not divide 8 and 16 channels"));
    CHECK(contains(message_of([&] { Conv(w, b, {.out_channels = 16}); }), "in_channels is 0"));

    BlockedTensor x(layer.input_layout({1, 8, 5, 5}));
    BlockedTensor y(layer.output_layout({1, 8, 5, 5}));
    CHECK(message_of([&] { layer(x, y); }) == "");
    BlockedTensor bare(Shape{1, 8, 5, 5}, lanes);
    CHECK(contains(message_of([&] { layer(bare, y); }), "border of the input"));
    BlockedTensor wrong(Shape{1, 7, 5, 5}, lanes, Padding::all(1));
    CHECK(contains(message_of([&] { layer(wrong, y); }), "1x7x5x5, expected 1x8x5x5"));
    CHECK(contains(message_of([&] { layer(x, x); }), "output is 1x8x5x5, expected 1x16x5x5"));
    BlockedTensor lane(Shape{1, 16, 5, 5}, lanes * 2);
    CHECK(contains(message_of([&] { layer(x, lane); }), "lanes"));

    const lumbar::MaxPool2d<7> pool;
    CHECK(contains(message_of([&] { pool(bare, bare); }), "smaller than the window"));
    CHECK(contains(message_of([] { lumbar::MaxPool2d<2>({.padding = Padding::all(2)}); }),
                   "half of the kernel"));
    const lumbar::Linear<> linear(w, b, {.in = {.c = 8, .h = 3, .w = 3}, .outputs = 16});
    BlockedTensor bordered(Shape{1, 8, 3, 3}, lanes, Padding::all(1));
    BlockedTensor out(Shape{1, 16, 1, 1}, lanes);
    CHECK(contains(message_of([&] { linear(bordered, out); }), "without a border"));
}
#endif

}  // namespace primitives_test
