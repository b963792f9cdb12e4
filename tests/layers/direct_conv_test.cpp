#include "layer_cases.hpp"
#include <oracle/kernel_tables.hpp>

#include <lumbar/layers/direct_conv.hpp>

#include <doctest/doctest.h>

#include <numeric>
#include <optional>

namespace direct_conv_test {

using namespace layer_cases;
using lumbar::BlockedView;
using lumbar::ConvCall;
using lumbar::DirectConv;
using lumbar::Epilogue;
using lumbar::KernelTable;

namespace {

struct Case {
    Shape in;
    ConvGeometry g;
};

std::string describe(const Case& c) {
    return to_string(c.in) + " -> " + std::to_string(c.g.out_channels) + ", kernel " +
           std::to_string(c.g.kernel.h) + "x" + std::to_string(c.g.kernel.w) + ", stride " +
           std::to_string(c.g.stride.h) + "x" + std::to_string(c.g.stride.w) + ", groups " +
           std::to_string(c.g.groups);
}

struct RunOptions {
    bool plain = false;
    int row_pixels = 14;
    std::vector<int> destinations{};
    bool residual = false;
    Activation activation = Activation::none;
    Padding out_border{};
    bool dense_residual = false;  ///< else it has the output's border
    int extra_columns = 0;        ///< keeps planes from being dense
};

/// Runs one convolution, with NaN in the input's tail lanes and around all views, and compares.
/// Returns what is wrong, or "".
std::string check_conv(const KernelTable& kernels, const Case& c, const RunOptions& o) {
    const ConvGeometry& g = c.g;
    const lumbar::Tensor x = oracle::random_tensor(c.in, 7);
    const Filters filters(g, 11);
    const Shape out_shape = output_shape(g, c.in);
    const lumbar::Tensor residual = oracle::random_tensor(out_shape, 13);
    const Array residual_array{residual.view()};
    const Expected want = expect_conv(Array{x.view()}, filters, g,
                                      o.residual ? &residual_array : nullptr, o.activation);

    const DirectConv conv(
        kernels, g,
        {.plain_input = o.plain, .row_pixels = o.row_pixels, .destinations = o.destinations});
    const lumbar::AlignedBuffer packed = pack(conv, filters.reader());

    Guarded in(c.in, kernels.lanes,
               {.border = border_read(g, c.in), .extra_columns = o.extra_columns});
    in.fill(x, oracle::kNan);
    Guarded added(out_shape, kernels.lanes,
                  {.border = o.dense_residual ? Padding{} : o.out_border});
    added.fill(residual);

    std::vector<int> channels = o.destinations;
    if (channels.empty()) channels = {g.out_channels};
    std::vector<Guarded> outs;
    std::vector<BlockedView> views;
    std::vector<Guarded*> pointers;
    outs.reserve(channels.size());
    for (std::size_t d = 0; d < channels.size(); ++d) {
        Shape shape = out_shape;
        shape.c = channels[d];
        // Every other destination has another border.
        const Padding border = d % 2 == 0 ? o.out_border : Padding{0, 1, 2, 1};
        outs.emplace_back(shape, kernels.lanes,
                          Guarded::Options{.border = border, .extra_columns = o.extra_columns});
        views.push_back(outs.back().view());
        pointers.push_back(&outs.back());
    }
    ConvCall call;
    call.in = in.view();
    call.out = views;
    call.epilogue = Epilogue::of(o.activation);
    if (o.plain) {
        call.in = {};
        call.plain = x;
    }
    const BlockedView residual_view = added.view();
    if (o.residual) call.residual = &residual_view;

    lumbar::AlignedBuffer scratch(conv.scratch_size(out_shape));
    const std::string wrong = oracle::run_both_ways(
        pointers, conv.units(call), [&](std::int64_t begin, std::int64_t end) {
            std::fill_n(scratch.data(), scratch.size(), oracle::kNan);
            conv.run(call, packed.data(), begin, end, scratch.data());
        });
    if (!wrong.empty()) return wrong;

    int first = 0;
    for (std::size_t d = 0; d < channels.size(); first += channels[d], ++d) {
        Expected part;
        for (auto [whole, slice] :
             {std::pair{&want.value, &part.value}, std::pair{&want.tolerance, &part.tolerance}}) {
            *slice = Array(outs[d].view().shape);
            for (int n = 0; n < slice->shape.n; ++n)
                for (int k = 0; k < channels[d]; ++k)
                    for (int y = 0; y < slice->shape.h; ++y)
                        for (int w = 0; w < slice->shape.w; ++w)
                            (*slice)(n, k, y, w) = (*whole)(n, first + k, y, w);
        }
        if (std::string text = part.mismatch(outs[d]); !text.empty())
            return "destination " + std::to_string(d) + ": " + text;
    }
    return "";
}

constexpr ConvGeometry square(int in, int out, int kernel, int stride = 1) {
    return {.in_channels = in,
            .out_channels = out,
            .kernel = {kernel, kernel},
            .stride = {stride, stride},
            .padding = Padding::all(kernel / 2)};
}

// Channels below, at and above multiples of the lanes (1, 4, 8, 16); images below, at and above
// the widest tile.
constexpr Case kCases[] = {
    // pointwise
    {{1, 1, 1, 1}, square(1, 1, 1)},
    {{2, 3, 1, 5}, square(3, 8, 1)},
    {{1, 17, 7, 7}, square(17, 33, 1)},
    {{3, 24, 4, 9}, square(24, 40, 1)},
    {{1, 16, 14, 14}, square(16, 16, 1)},
    {{1, 33, 5, 3}, square(33, 65, 1)},
    {{1, 13, 2, 2}, square(13, 5, 1)},
    {{2, 8, 13, 17}, square(8, 24, 1, 2)},
    {{1, 5, 7, 8}, square(5, 17, 1, 3)},
    // spatial
    {{1, 3, 13, 17}, square(3, 5, 3)},
    {{2, 17, 7, 7}, square(17, 13, 3)},
    {{1, 8, 28, 15}, square(8, 33, 3)},
    {{1, 24, 2, 2}, square(24, 8, 3)},
    {{1, 5, 1, 1}, square(5, 17, 3)},
    {{1, 13, 1, 19}, square(13, 24, 3, 2)},
    {{1, 16, 9, 29}, square(16, 48, 3, 2)},
    {{1, 5, 9, 11}, square(5, 8, 5)},
    {{2, 3, 12, 12}, square(3, 17, 5, 2)},
    {{1, 3, 15, 16}, square(3, 24, 7, 2)},
    {{1, 8, 7, 7}, square(8, 5, 7)},
    // rectangular, as in Inception
    {{1, 17, 8, 9},
     {.in_channels = 17, .out_channels = 13, .kernel = {1, 7}, .padding = {0, 3, 0, 3}}},
    {{1, 17, 9, 8},
     {.in_channels = 17, .out_channels = 13, .kernel = {7, 1}, .padding = {3, 0, 3, 0}}},
    {{2, 24, 4, 17},
     {.in_channels = 24, .out_channels = 8, .kernel = {1, 3}, .padding = {0, 1, 0, 1}}},
    {{2, 24, 17, 4},
     {.in_channels = 24, .out_channels = 8, .kernel = {3, 1}, .padding = {1, 0, 1, 0}}},
    {{1, 5, 6, 7}, {.in_channels = 5, .out_channels = 3, .kernel = {2, 4}, .stride = {1, 2}}},
    // a stride larger than the kernel, padding on one side, padding as large as the kernel
    {{1, 8, 11, 13}, {.in_channels = 8, .out_channels = 8, .kernel = {2, 2}, .stride = {4, 5}}},
    {{1, 3, 8, 8},
     {.in_channels = 3,
      .out_channels = 5,
      .kernel = {3, 3},
      .stride = {2, 2},
      .padding = {0, 0, 1, 1}}},
    {{1, 3, 5, 6},
     {.in_channels = 3, .out_channels = 5, .kernel = {3, 2}, .padding = {2, 0, 0, 1}}},
    {{1, 5, 2, 3},
     {.in_channels = 5, .out_channels = 8, .kernel = {2, 2}, .padding = {3, 2, 2, 4}}},
    {{1, 5, 3, 2}, {.in_channels = 5, .out_channels = 8, .padding = {1, 1, 2, 1}}},
    // dilation
    {{1, 13, 9, 10},
     {.in_channels = 13,
      .out_channels = 17,
      .kernel = {3, 3},
      .dilation = {2, 2},
      .padding = Padding::all(2)}},
    {{1, 4, 11, 16},
     {.in_channels = 4,
      .out_channels = 4,
      .kernel = {3, 2},
      .stride = {2, 1},
      .dilation = {3, 5},
      .padding = {3, 0, 2, 5}}},
    // groups: 2, 3, 4, 8, 20 per group; multipliers
    {{1, 8, 6, 5},
     {.in_channels = 8,
      .out_channels = 8,
      .kernel = {3, 3},
      .padding = Padding::all(1),
      .groups = 4}},
    {{1, 9, 6, 5},
     {.in_channels = 9,
      .out_channels = 15,
      .kernel = {3, 3},
      .padding = Padding::all(1),
      .groups = 3}},
    {{2, 36, 5, 5},
     {.in_channels = 36,
      .out_channels = 36,
      .kernel = {3, 3},
      .stride = {2, 2},
      .padding = Padding::all(1),
      .groups = 9}},
    {{1, 64, 4, 4},
     {.in_channels = 64,
      .out_channels = 32,
      .kernel = {3, 3},
      .padding = Padding::all(1),
      .groups = 8}},
    {{1, 40, 4, 6}, {.in_channels = 40, .out_channels = 60, .groups = 2}},
    {{1, 12, 7, 6},
     {.in_channels = 12,
      .out_channels = 24,
      .kernel = {3, 3},
      .padding = Padding::all(1),
      .groups = 12}},
    {{1, 17, 4, 4},
     {.in_channels = 17,
      .out_channels = 17,
      .kernel = {3, 3},
      .padding = Padding::all(1),
      .groups = 17}},
};

constexpr Case kFirstLayers[] = {
    {{1, 3, 17, 19}, square(3, 32, 3, 2)},
    {{2, 3, 23, 21}, square(3, 17, 7, 2)},
    {{1, 3, 9, 8},
     {.in_channels = 3,
      .out_channels = 24,
      .kernel = {3, 3},
      .stride = {2, 2},
      .padding = {0, 0, 1, 1}}},
    {{3, 1, 28, 28}, square(1, 6, 5)},
    {{1, 4, 11, 9}, {.in_channels = 4, .out_channels = 33, .kernel = {2, 2}, .stride = {3, 4}}},
    {{1, 2, 5, 7},
     {.in_channels = 2,
      .out_channels = 8,
      .kernel = {3, 3},
      .dilation = {2, 3},
      .padding = {4, 5, 3, 2}}},
    {{1, 4, 6, 6},
     {.in_channels = 4,
      .out_channels = 10,
      .kernel = {3, 3},
      .padding = Padding::all(1),
      .groups = 2}},
    {{1, 3, 1, 1}, square(3, 5, 3)},
    {{1, 3, 1, 4},
     {.in_channels = 3,
      .out_channels = 5,
      .kernel = {1, 2},
      .stride = {1, 3},
      .padding = {2, 6, 1, 5}}},
    {{1, 1, 3, 2}, square(1, 1, 1)},
};

}  // namespace

TEST_CASE("direct convolution agrees with the definition for every geometry") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Case& c : kCases) {
            CAPTURE(describe(c));
            CHECK(check_conv(*kernels, c, {}) == "");
        }
    }
}

TEST_CASE("direct convolution zeroes the borders of its output and no more") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Case& c : kCases) {
            CAPTURE(describe(c));
            CHECK(check_conv(*kernels, c,
                             {.activation = Activation::relu, .out_border = {1, 2, 3, 4}}) == "");
            CHECK(check_conv(*kernels, c, {.out_border = {2, 0, 1, 0}, .extra_columns = 1}) == "");
        }
    }
}

TEST_CASE("direct convolution agrees with the definition however rows are cut") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const int row_pixels : {1, 7, 49, 1000}) {
            CAPTURE(row_pixels);
            CHECK(check_conv(*kernels, {{1, 17, 6, 35}, square(17, 80, 1)},
                             {.row_pixels = row_pixels}) == "");
            CHECK(check_conv(*kernels, {{1, 5, 3, 31}, square(5, 50, 3)},
                             {.row_pixels = row_pixels}) == "");
        }
    }
}

TEST_CASE("a convolution adds the residual before any activation that can be fused") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Activation activation : fusable_activations()) {
            CAPTURE(to_string(activation));
            for (const bool residual : {false, true}) {
                CAPTURE(residual);
                RunOptions o{.residual = residual, .activation = activation};
                CHECK(check_conv(*kernels, {{2, 13, 5, 9}, square(13, 21, 3)}, o) == "");
                CHECK(check_conv(*kernels, {{2, 13, 5, 9}, square(13, 21, 1)}, o) == "");
                o.out_border = Padding::all(1);
                CHECK(check_conv(*kernels, {{2, 13, 5, 9}, square(13, 21, 1)}, o) == "");
                o.plain = true;
                CHECK(check_conv(*kernels, {{2, 3, 5, 9}, square(3, 21, 3)}, o) == "");
            }
        }
    }
}

TEST_CASE("pointwise tiles go across the rows of an output with a border") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Shape in : {Shape{2, 9, 14, 14},
                               {1, 9, 7, 7},
                               {2, 9, 3, 17},
                               {1, 9, 60, 5},
                               {1, 9, 9, 4},
                               {1, 9, 5, 33},
                               {2, 9, 1, 19}}) {
            CAPTURE(to_string(in));
            for (const int out : {5, 13, 24, 70})
                for (const bool residual : {false, true}) {
                    CAPTURE(out);
                    CAPTURE(residual);
                    CHECK(check_conv(*kernels, {in, square(9, out, 1)},
                                     {.row_pixels = static_cast<int>(in.pixels()),
                                      .residual = residual,
                                      .activation = Activation::relu6,
                                      .out_border = {1, 2, 3, 1},
                                      .dense_residual = true}) == "");
                }
        }
    }
}

TEST_CASE("sums over more weights than L2 holds wait in the output") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Padding& border : {Padding{}, Padding{1, 2, 3, 1}})
            for (const bool residual : {false, true}) {
                CAPTURE(border.top);
                CAPTURE(residual);
                RunOptions o{
                    .residual = residual, .activation = Activation::relu6, .out_border = border};
                CHECK(check_conv(*kernels, {{1, 330, 5, 9}, square(330, 50, 5, 2)}, o) == "");
                o.row_pixels = 20;
                CHECK(check_conv(*kernels, {{2, 2100, 4, 5}, square(2100, 64, 1)}, o) == "");
            }
    }
}

TEST_CASE("a first layer reads a plain image") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const Case& c : kFirstLayers) {
            CAPTURE(describe(c));
            CHECK(check_conv(*kernels, c, {.plain = true}) == "");
            CHECK(check_conv(*kernels, c, {.plain = true, .out_border = {1, 2, 3, 4}}) == "");
        }
    }
}

TEST_CASE("a convolution writes several destinations") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        for (const bool plain : {false, true}) {
            CAPTURE(plain);
            for (const std::vector<int>& channels :
                 {std::vector{16, 32}, {5, 1, 40}, {24, 17, 3, 8}, {7}}) {
                CAPTURE(channels.size());
                const int out = std::accumulate(channels.begin(), channels.end(), 0);
                const RunOptions o{.plain = plain,
                                   .destinations = channels,
                                   .activation = Activation::relu,
                                   .out_border = Padding::all(1)};
                CHECK(check_conv(*kernels, {{2, 3, 6, 7}, square(3, out, 1)}, o) == "");
                CHECK(check_conv(*kernels, {{2, 3, 6, 7}, square(3, out, 3)}, o) == "");
                RunOptions flat = o;
                flat.out_border = {};
                CHECK(check_conv(*kernels, {{1, 3, 6, 7}, square(3, out, 1)}, flat) == "");
            }
        }
        // Groups of 4 channels, destinations that cut through them.
        CHECK(check_conv(*kernels,
                         {{1, 24, 5, 5},
                          {.in_channels = 24,
                           .out_channels = 24,
                           .kernel = {3, 3},
                           .padding = Padding::all(1),
                           .groups = 6}},
                         {.destinations = {6, 13, 5}}) == "");
    }
}

TEST_CASE("a convolution may write onto its residual") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const Shape shape{2, 21, 5, 9};
        const ConvGeometry g = square(21, 21, 3);
        const lumbar::Tensor x = oracle::random_tensor(shape, 1),
                             r = oracle::random_tensor(shape, 2);
        const Filters filters(g, 3);
        const DirectConv conv(*kernels, g, {});
        const lumbar::AlignedBuffer packed = pack(conv, filters.reader());
        Guarded in(shape, kernels->lanes, {.border = Padding::all(1)});
        Guarded out(shape, kernels->lanes, {.border = Padding::all(1)});
        in.fill(x);
        const BlockedView view = out.view();
        ConvCall call{.in = in.view(), .out = {&view, 1}, .residual = &view};
        CHECK(oracle::run_both_ways(
                  {&out}, conv.units(call), [&] { out.fill(r); },
                  [&](std::int64_t begin, std::int64_t end) {
                      conv.run(call, packed.data(), begin, end, nullptr);
                  }) == "");
        const Array added{r.view()};
        CHECK(expect_conv(Array{x.view()}, filters, g, &added, Activation::none).mismatch(out) ==
              "");
    }
}

TEST_CASE("a convolution of small integers is exact") {
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        CAPTURE(std::string(kernels->isa));
        const ConvGeometry g = square(37, 29, 3);
        const Shape shape{1, 37, 9, 10};
        Filters filters(g, 0);
        filters.weights = oracle::random_integers(filters.weights.size(), 1, 8);
        filters.bias = oracle::random_integers(filters.bias.size(), 2, 100);
        lumbar::Tensor x(shape);
        const auto integers = oracle::random_integers(x.values().size(), 3, 16);
        std::copy(integers.begin(), integers.end(), x.data());

        const DirectConv conv(*kernels, g, {.row_pixels = 10});
        const lumbar::AlignedBuffer packed = pack(conv, filters.reader());
        Guarded in(shape, kernels->lanes, {.border = Padding::all(1)});
        Guarded out(output_shape(g, shape), kernels->lanes);
        in.fill(x);
        const BlockedView view = out.view();
        const ConvCall call{.in = in.view(), .out = {&view, 1}};
        conv.run(call, packed.data(), 0, conv.units(call), nullptr);
        CHECK(oracle::mismatch(oracle::conv2d(Array{x.view()}, filters.weights, filters.bias, g),
                               out.values()) == "");
    }
}

}  // namespace direct_conv_test
