#include <oracle/oracle.hpp>

#include <doctest/doctest.h>

namespace oracle_test {

namespace {

using lumbar::Activation;
using lumbar::PoolGeometry;
using lumbar::Shape;
using oracle::Array;

Array of(Shape shape, std::vector<double> values) {
    Array a(shape);
    REQUIRE(a.values.size() == values.size());
    a.values = std::move(values);
    return a;
}

Array three_by_three() { return of({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}); }

}  // namespace

TEST_CASE("the convolution oracle gives results worked out by hand") {
    const std::vector<float> weights = {1, 10, 100, 1000}, bias = {0.5f};
    SUBCASE("plain") {
        const Array y = oracle::conv2d(three_by_three(), weights, bias,
                                       {.in_channels = 1, .out_channels = 1, .kernel = {2, 2}});
        CHECK(y.values == std::vector<double>{5421.5, 6532.5, 8754.5, 9865.5});
    }
    SUBCASE("stride 2, padding on two sides only") {
        const Array y = oracle::conv2d(three_by_three(), weights, {},
                                       {.in_channels = 1,
                                        .out_channels = 1,
                                        .kernel = {2, 2},
                                        .stride = {2, 2},
                                        .padding = {.top = 1, .left = 1}});
        CHECK(y.values == std::vector<double>{1000, 3200, 7040, 9865});
    }
    SUBCASE("dilation 2") {
        const Array y = oracle::conv2d(
            three_by_three(), weights, {},
            {.in_channels = 1, .out_channels = 1, .kernel = {2, 2}, .dilation = {2, 2}});
        CHECK(y.values == std::vector<double>{9731});
    }
    SUBCASE("two groups read their own channels") {
        const Array x = of({1, 4, 1, 1}, {1, 2, 3, 4});
        const Array y =
            oracle::conv2d(x, weights, {}, {.in_channels = 4, .out_channels = 2, .groups = 2});
        CHECK(y.values == std::vector<double>{21, 4300});
    }
}

TEST_CASE("the pooling oracles give results worked out by hand") {
    const std::vector<double> maxima = oracle::max_pool(three_by_three(), {}).values;
    CHECK(maxima == std::vector<double>{5});
    CHECK(oracle::max_pool(three_by_three(), {.ceil_mode = true}).values ==
          std::vector<double>{5, 6, 8, 9});

    PoolGeometry g{.kind = PoolGeometry::Kind::average, .padding = lumbar::Padding::all(1)};
    CHECK(oracle::average_pool(three_by_three(), g).values ==
          std::vector<double>{0.25, 1.25, 2.75, 7});
    g.count_include_pad = false;
    CHECK(oracle::average_pool(three_by_three(), g).values == std::vector<double>{1, 2.5, 5.5, 7});

    // Windows cut by ceil_mode: columns {1 2}, {3}.
    g = {.kind = PoolGeometry::Kind::average, .ceil_mode = true};
    CHECK(oracle::average_pool(three_by_three(), g).values == std::vector<double>{3, 4.5, 7.5, 9});

    // Rows 0-1 and 1-2 overlap.
    CHECK(oracle::adaptive_average_pool(three_by_three(), {2, 1}).values ==
          std::vector<double>{3.5, 6.5});

    const Array nan = of({1, 1, 2, 2}, {1, static_cast<double>(oracle::kNan), 2, 3});
    CHECK(std::isnan(oracle::max_pool(nan, {}).values[0]));
}

TEST_CASE("the number of windows agrees with ATen's formula") {
    for (int input = 1; input <= 9; ++input)
        for (int kernel = 1; kernel <= 4; ++kernel)
            for (int stride = 1; stride <= 4; ++stride)
                for (int pad = 0; pad <= kernel / 2; ++pad)
                    for (const bool ceil_mode : {false, true}) {
                        CAPTURE(input);
                        CAPTURE(kernel);
                        CAPTURE(stride);
                        CAPTURE(pad);
                        CAPTURE(ceil_mode);
                        // ATen, Pool.h, pooling_output_shape_pad_lr.
                        const int room =
                            input + 2 * pad - (kernel - 1) - 1 + (ceil_mode ? stride - 1 : 0);
                        int want =
                            (room >= 0 ? room / stride : -((stride - 1 - room) / stride)) + 1;
                        if (ceil_mode && (want - 1) * stride >= input + pad) --want;
                        want = std::max(want, 0);
                        const int oracles =
                            oracle::pool_outputs(input, pad, pad, kernel, stride, 1, ceil_mode);
                        CHECK(oracles == want);
                        const int librarys =
                            lumbar::pool_positions(input, pad, pad, kernel, stride, 1, ceil_mode);
                        CHECK(librarys == want);
                    }
}

TEST_CASE("the other oracles give results worked out by hand") {
    const Array x = of({1, 3, 1, 1}, {1, 2, 3});
    const std::vector<float> two = {2, 2, 2}, one = {1, 1, 1};
    CHECK(oracle::batch_norm(x, two, one, two, one, 3).values == std::vector<double>{0, 1, 2});

    // Windows of 2 reach one channel back: 1, 1 + 4, 4 + 9.
    const Array lrn = oracle::local_response_norm(x, 2, 2.0, 1.0, 1.0);
    CHECK(lrn.values[0] == doctest::Approx(1.0 / 2));
    CHECK(lrn.values[1] == doctest::Approx(2.0 / 6));
    CHECK(lrn.values[2] == doctest::Approx(3.0 / 14));

    const Array p = oracle::softmax(of({1, 2, 1, 1}, {0, std::log(3.0)}));
    CHECK(p.values[0] == doctest::Approx(0.25));
    CHECK(p.values[1] == doctest::Approx(0.75));

    CHECK(oracle::concat({x, x}).values == std::vector<double>{1, 2, 3, 1, 2, 3});
    CHECK(oracle::scale_channels(x, x).values == std::vector<double>{1, 4, 9});
    const std::vector<float> weights = {1, 1, 1, 1, 0, 0};
    CHECK(oracle::linear(x, weights, {}, 2).values == std::vector<double>{6, 1});
    const Array h = oracle::activate(of({1, 1, 1, 3}, {-4, 1, 4}), Activation::hard_swish);
    CHECK(h.values[0] == 0);
    CHECK(h.values[1] == doctest::Approx(2.0 / 3));
    CHECK(h.values[2] == 4);
}

TEST_CASE("the tolerance of a sum accepts float32 and rejects one wrong weight") {
    struct Case {
        int channels;
        float low;
    };
    // Random signs, and all of one sign.
    for (const Case& c : {Case{4, -1}, Case{64, -1}, Case{512, -1}, Case{512, 0}}) {
        const int channels = c.channels;
        const float low = c.low;
        CAPTURE(channels);
        const lumbar::ConvGeometry g{.in_channels = channels, .out_channels = 8, .kernel = {3, 3}};
        const lumbar::Tensor x = oracle::random_tensor({1, channels, 3, 3}, 1, low);
        auto weights = oracle::random_floats(static_cast<std::size_t>(8 * g.filter_size()), 2, low);
        const Array want = oracle::conv2d(Array(x), weights, {}, g);
        const Array squares = oracle::conv2d_squares(Array(x), weights, {}, g);
        const auto tolerance = [&](std::size_t i) {
            return oracle::sum_tolerance(want.values[i], squares.values[i],
                                         static_cast<double>(g.filter_size()));
        };
        const auto in_float = [&] {
            lumbar::Tensor got(want.shape);
            for (int o = 0; o < 8; ++o) {
                float sum = 0;
                for (int i = 0; i < g.filter_size(); ++i) {
                    sum += x.data()[i] * weights[static_cast<std::size_t>(o * g.filter_size() + i)];
                }
                got(0, o, 0, 0) = sum;
            }
            return got;
        };
        CHECK(oracle::mismatch(want, in_float(), tolerance) == "");
        weights[static_cast<std::size_t>(5 * g.filter_size() + 7)] += 0.5f;
        CHECK(oracle::mismatch(want, in_float(), tolerance) != "");
    }
}

}  // namespace oracle_test
