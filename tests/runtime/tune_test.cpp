#include <oracle/oracle.hpp>

#include <lumbar/graph/build.hpp>
#include <lumbar/runtime/compile.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>
#include <lumbar/runtime/tune.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <weights/scratch.hpp>

namespace tune_test {

using namespace lumbar;

namespace {

/// A 3x3 convolution for which there are three algorithms, and a 1x1 for which there is one.
Graph small_network() {
    Graph graph("small");
    Value x = graph.input(8);
    x = conv<1>(x, "narrow", {.out_channels = 16});
    x = relu(conv<3>(x, "wide", {.out_channels = 32}));
    graph.output(conv<3>(x, "halved", {.out_channels = 8, .stride = 2}));
    return graph;
}

Network network(AlgorithmChooser* chooser) {
    CompileOptions options;
    options.height = options.width = 12;
    options.threads = 1;
    options.chooser = chooser;
    return compile(small_network(), synthetic_weights(small_network()), options);
}

std::string algorithm_of(const Network& n, const std::string& node) {
    for (const auto& step : n.steps()) {
        if (n.graph().node(step->node).name == node) return step->algorithm;
    }
    return "";
}

/// Always the same tile.
class Fixed final : public AlgorithmChooser {
   public:
    explicit Fixed(int out_rows) : out_rows_(out_rows) {}
    const WinogradTile* choose(const KernelTable& kernels, const ConvGeometry& g,
                               const Shape& out) override {
        CHECK(out.n == 1);
        for (const WinogradTile& tile : kernels.winograd) {
            if (WinogradConv::serves(tile, g) && tile.out_rows == out_rows_) return &tile;
        }
        return nullptr;
    }

   private:
    int out_rows_;
};

}  // namespace

TEST_CASE("a chooser decides between direct and Winograd convolution") {
    Fixed four(4), two(2), none(0);
    CHECK(algorithm_of(network(&four), "wide").starts_with("winograd 4x4"));
    CHECK(algorithm_of(network(&two), "wide").starts_with("winograd 2x2"));
    CHECK(algorithm_of(network(&none), "wide").starts_with("direct"));
    CHECK(algorithm_of(network(&four), "narrow").starts_with("direct"));
    const Tensor image = synthetic_input({1, 8, 12, 12});
    const Tensor direct = network(&none)(image), winograd = network(&four)(image);
    double largest = 0, difference = 0;
    for (std::size_t i = 0; i < direct.values().size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(direct.data()[i])));
        difference = std::max(difference, std::abs(static_cast<double>(direct.data()[i]) -
                                                   static_cast<double>(winograd.data()[i])));
    }
    CHECK(difference < 1e-5 * largest);
}

TEST_CASE("a tuner measures each layer once, and its file pins the choice") {
    const lumbar_test::Scratch directory;
    const std::string path = directory.path("small.tuning");
    std::string first;
    {
        Tuner tuner(path);
        first = algorithm_of(network(&tuner), "wide");
        CHECK(tuner.measured() == 1);
        CHECK(algorithm_of(network(&tuner), "wide") == first);
        CHECK(tuner.measured() == 1);
        tuner.save();
    }
    Tuner again(path);
    CHECK(algorithm_of(network(&again), "wide") == first);
    CHECK(again.measured() == 0);

    // What the file says is done, whatever is faster.
    for (const std::string algorithm : {"direct", "winograd 2x2"}) {
        CAPTURE(algorithm);
        Tuner tuner(path);
        directory.write("small.tuning", "lumbar tuning 1\n" +
                                            detail::tuning_key(native_kernels(),
                                                               {.in_channels = 16,
                                                                .out_channels = 32,
                                                                .kernel = {3, 3},
                                                                .padding = Padding::all(1)},
                                                               {1, 32, 12, 12}) +
                                            " = " + algorithm + "\n");
        Tuner pinned(path);
        CHECK(algorithm_of(network(&pinned), "wide").starts_with(algorithm));
        CHECK(pinned.measured() == 0);
    }
}

TEST_CASE("a file that is no tuning file is an error, and so is one that cannot be written") {
    const lumbar_test::Scratch directory;
    for (const std::string text : {"hello\n", "lumbar tuning 1\nhello\n", "\n"}) {
        CAPTURE(text);
        directory.write("bad.tuning", text);
        const auto tuner = Tuner::try_open(directory.path("bad.tuning"));
        REQUIRE_FALSE(tuner);
        CHECK(tuner.error().code() == Error::Code::format);
        CHECK(tuner.error().message().find("bad.tuning' line ") != std::string::npos);
    }
    auto nowhere = Tuner::try_open(directory.path("no/such/folder/x.tuning"));
    REQUIRE(nowhere);
    const Status saved = nowhere->try_save();
    REQUIRE_FALSE(saved);
    CHECK(saved.error().code() == Error::Code::io);
}

}  // namespace tune_test
