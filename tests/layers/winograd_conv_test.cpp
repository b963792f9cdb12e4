#include "layer_cases.hpp"
#include <oracle/kernel_tables.hpp>

#include <lumbar/layers/winograd_conv.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>

namespace winograd_conv_test {

using namespace layer_cases;
using lumbar::BlockedView;
using lumbar::ConvCall;
using lumbar::DirectConv;
using lumbar::Epilogue;
using lumbar::KernelTable;
using lumbar::WinogradConv;
using lumbar::WinogradTile;

namespace {

ConvGeometry geometry(const WinogradTile& tile, int in, int out, const Padding& padding) {
    return {.in_channels = in,
            .out_channels = out,
            .kernel = {tile.taps_h, tile.taps_w},
            .padding = padding};
}
ConvGeometry geometry(const WinogradTile& tile, int in, int out) {
    return geometry(tile, in, out, Padding::symmetric(tile.taps_h / 2, tile.taps_w / 2));
}

std::string describe(const WinogradTile& t) {
    return "F(" + std::to_string(t.out_rows) + "x" + std::to_string(t.out_columns) + ", " +
           std::to_string(t.taps_h) + "x" + std::to_string(t.taps_w) + ")";
}

struct RunOptions {
    bool residual = false;
    Activation activation = Activation::none;
    Padding out_border{};
    int threads = 1;
    bool halves = false;  ///< transform, then multiply, as threads do that share an image
};

/// Runs one convolution, with NaN in the input's tail lanes and around all views, and compares.
/// Returns what is wrong, or "".
std::string check_winograd(const KernelTable& kernels, const WinogradTile& tile, const Shape& shape,
                           const ConvGeometry& g, const RunOptions& o) {
    const lumbar::Tensor x = oracle::random_tensor(shape, 7);
    const Filters filters(g, 11);
    const Shape out_shape = output_shape(g, shape);
    const lumbar::Tensor residual = oracle::random_tensor(out_shape, 13);
    const Array residual_array{residual.view()};
    Expected want = expect_conv(Array{x.view()}, filters, g, o.residual ? &residual_array : nullptr,
                                o.activation);
    // The transforms round too; how much is the subject of a test of its own.
    for (double& t : want.tolerance.values) t = 20 * t + 100 * oracle::kRounding;

    const WinogradConv conv(kernels, tile, g, out_shape, o.threads);
    const lumbar::AlignedBuffer packed = pack(conv, filters.reader());
    Guarded in(shape, kernels.lanes, {.border = border_read(g, shape)});
    in.fill(x, oracle::kNan);
    Guarded added(out_shape, kernels.lanes, {.border = Padding::all(1)});
    added.fill(residual);
    Guarded out(out_shape, kernels.lanes, {.border = o.out_border});
    const BlockedView view = out.view(), residual_view = added.view();
    ConvCall call;
    call.in = in.view();
    call.out = {&view, 1};
    call.epilogue = Epilogue::of(o.activation);
    if (o.residual) call.residual = &residual_view;

    std::string wrong;
    if (o.halves) {
        lumbar::AlignedBuffer transformed(static_cast<std::size_t>(conv.blocks()) *
                                          conv.transformed_size());
        lumbar::AlignedBuffer products(conv.products_size());
        std::fill_n(transformed.data(), transformed.size(), oracle::kNan);
        oracle::run_in_pieces(conv.transform_units(), 3, [&](std::int64_t begin, std::int64_t end) {
            conv.run_transform(call, begin, end, transformed.data());
        });
        wrong = oracle::run_both_ways(
            {&out}, conv.multiply_units(), [&](std::int64_t begin, std::int64_t end) {
                std::fill_n(products.data(), products.size(), oracle::kNan);
                conv.run_multiply(call, packed.data(), begin, end, transformed.data(),
                                  products.data());
            });
    } else {
        lumbar::AlignedBuffer scratch(conv.scratch_size());
        wrong = oracle::run_both_ways({&out}, conv.units(call),
                                      [&](std::int64_t begin, std::int64_t end) {
                                          std::fill_n(scratch.data(), scratch.size(), oracle::kNan);
                                          conv.run(call, packed.data(), begin, end, scratch.data());
                                      });
    }
    return wrong.empty() ? want.mismatch(out) : wrong;
}

template <class Check>
void for_each_tile(Check&& check) {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const WinogradTile& tile : kernels->winograd) {
            if (!tile.input) continue;
            CAPTURE(describe(tile));
            check(*kernels, tile);
        }
    }
}

/// The errors of a layer's results, against the double-precision oracle.
struct Errors {
    double largest = 0;
    double mean_square = 0;
};
Errors errors_of(const Guarded& out, const Array& want) {
    Errors e;
    const lumbar::Tensor found = out.values();
    for (std::size_t i = 0; i < want.values.size(); ++i) {
        const double difference = std::abs(static_cast<double>(found.data()[i]) - want.values[i]);
        e.largest = std::max(e.largest, difference);
        e.mean_square += difference * difference / static_cast<double>(want.values.size());
    }
    return e;
}

/// Of uniform data in [-1, 1], 64 channels.
Errors measure(const KernelTable& kernels, const WinogradTile* tile, const ConvGeometry& g) {
    const Shape shape{1, g.in_channels, 17, 19};
    const lumbar::Tensor x = oracle::random_tensor(shape, 7);
    const Filters filters(g, 11);
    Guarded in(shape, kernels.lanes, {.border = g.padding});
    Guarded out(output_shape(g, shape), kernels.lanes);
    in.fill(x);
    const BlockedView view = out.view();
    const ConvCall call{.in = in.view(), .out = {&view, 1}};
    const auto run = [&](const auto& layer, std::size_t scratch_size) {
        const lumbar::AlignedBuffer packed = pack(layer, filters.reader());
        lumbar::AlignedBuffer scratch(scratch_size);
        layer.run(call, packed.data(), 0, layer.units(call), scratch.data());
    };
    if (tile) {
        const WinogradConv layer(kernels, *tile, g, view.shape, 1);
        run(layer, layer.scratch_size());
    } else {
        run(DirectConv(kernels, g, {}), 0);
    }
    return errors_of(out, oracle::conv2d(Array{x.view()}, filters.weights, filters.bias, g));
}

}  // namespace

TEST_CASE("Winograd convolution agrees with the definition for every residue of its tiles") {
    for_each_tile([](const KernelTable& kernels, const WinogradTile& tile) {
        for (int extra = 0; extra < 5; ++extra) {
            CAPTURE(extra);
            const Shape shape{1, 5, 1 + 2 * extra, 12 - extra};
            CHECK(check_winograd(kernels, tile, shape, geometry(tile, 5, 3), {}) == "");
        }
    });
}

TEST_CASE("Winograd convolution agrees with the definition for any channels and batch") {
    for_each_tile([](const KernelTable& kernels, const WinogradTile& tile) {
        for (const auto& channels : {std::pair{1, 1}, {17, 33}, {16, 48}, {40, 24}, {8, 80}}) {
            const int in = channels.first, out = channels.second;
            CAPTURE(in);
            CAPTURE(out);
            CHECK(check_winograd(kernels, tile, {2, in, 9, 10}, geometry(tile, in, out), {}) == "");
        }
        CHECK(check_winograd(kernels, tile, {3, 4, 31, 29}, geometry(tile, 4, 4), {.threads = 3}) ==
              "");
    });
}

TEST_CASE("Winograd convolution takes any padding, and clears its output's border") {
    for_each_tile([](const KernelTable& kernels, const WinogradTile& tile) {
        const Shape shape{1, 6, 10, 11};
        const RunOptions o{.activation = Activation::relu, .out_border = {1, 2, 3, 4}};
        for (const Padding& padding : {Padding{}, Padding{0, 0, 1, 1}, Padding{2, 3, 1, 0}}) {
            CHECK(check_winograd(kernels, tile, shape, geometry(tile, 6, 9, padding), o) == "");
        }
        CHECK(check_winograd(kernels, tile, {1, 3, 1, 1}, geometry(tile, 3, 5), o) == "");
    });
}

TEST_CASE("Winograd convolution adds the residual before a clamp") {
    for_each_tile([](const KernelTable& kernels, const WinogradTile& tile) {
        for (const Activation a : {Activation::none, Activation::relu, Activation::relu6}) {
            CAPTURE(to_string(a));
            const RunOptions o{.residual = true, .activation = a, .out_border = Padding::all(1)};
            CHECK(check_winograd(kernels, tile, {2, 13, 6, 9}, geometry(tile, 13, 21), o) == "");
        }
    });
}

TEST_CASE("the halves of a Winograd convolution do what the whole does") {
    for_each_tile([](const KernelTable& kernels, const WinogradTile& tile) {
        RunOptions o{.residual = true, .activation = Activation::relu, .halves = true};
        CHECK(check_winograd(kernels, tile, {2, 13, 6, 9}, geometry(tile, 13, 53), o) == "");
        o.threads = 4;
        CHECK(check_winograd(kernels, tile, {2, 13, 12, 13}, geometry(tile, 13, 53), o) == "");
    });
}

TEST_CASE("Winograd convolution whose transformed tiles outgrow L2 multiplies point by point") {
    for_each_tile([](const KernelTable& kernels, const WinogradTile& tile) {
        if (tile.points() < 36 || tile.taps_h != 3) return;
        const Shape shape{2, 200, 15, 26};
        const ConvGeometry g = geometry(tile, 200, 40);
        const WinogradConv layer(kernels, tile, g, output_shape(g, shape), 1);
        CHECK(layer.unit_blocks() ==
              lumbar::ceil_div(lumbar::ceil_div(40, kernels.lanes), layer.tile_groups()));
        CHECK(layer.blocks() > 1);
        const WinogradConv shared(kernels, tile, g, output_shape(g, shape), 2);
        CHECK(shared.unit_blocks() == 1);
        // The same weights, and the same bits, in both orders.
        const Filters filters(g, 11);
        const lumbar::AlignedBuffer packed = pack(layer, filters.reader());
        const lumbar::AlignedBuffer packed_too = pack(shared, filters.reader());
        REQUIRE(shared.packed_size() == layer.packed_size());
        CHECK(std::equal(packed.data(), packed.data() + layer.packed_size(), packed_too.data(),
                         oracle::same_bits));
        Guarded in(shape, kernels.lanes, {.border = border_read(g, shape)});
        in.fill(oracle::random_tensor(shape, 7));
        const auto result = [&](const WinogradConv& conv) {
            Guarded out(output_shape(g, shape), kernels.lanes);
            const BlockedView view = out.view();
            const ConvCall call{.in = in.view(), .out = {&view, 1}};
            lumbar::AlignedBuffer scratch(conv.scratch_size());
            conv.run(call, packed.data(), 0, conv.units(call), scratch.data());
            return out.values();
        };
        const lumbar::Tensor a = result(layer), b = result(shared);
        CHECK(std::equal(a.data(), a.data() + a.shape().size(), b.data(), oracle::same_bits));
        const RunOptions o{.residual = true, .out_border = Padding::all(1)};
        CHECK(check_winograd(kernels, tile, shape, g, o) == "");
    });
}

// Lavin & Gray, arXiv:1509.09308, table 4, "VGG 1.2" (64 channels): the largest error of direct
// convolution 4.0e-5, of F(2x2, 3x3) 1.5e-5, of F(4x4, 3x3) 2.8e-4.
TEST_CASE("Winograd convolution rounds no worse than published, nor than thrice F(4x4, 3x3)") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        double f4 = 0;
        for (const WinogradTile& tile : kernels->winograd) {
            if (!tile.input) continue;
            CAPTURE(describe(tile));
            const ConvGeometry g = geometry(tile, 64, 8);
            const Errors e = measure(*kernels, &tile, g);
            const double direct = std::sqrt(measure(*kernels, nullptr, g).mean_square);
            const double ratio = std::sqrt(e.mean_square) / direct;
            CAPTURE(ratio);
            if (tile.taps_h == 3 && tile.taps_w == 3) {
                CHECK(e.largest <= (tile.out_rows == 2 ? 1.5e-5 : 2.8e-4));
            }
            if (f4 == 0) f4 = ratio;  // the first of the table
            CHECK(ratio <= 3 * f4);
        }
    }
}

}  // namespace winograd_conv_test
