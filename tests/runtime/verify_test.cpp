#include <lumbar/models/mobilenet_v2.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>
#include <lumbar/runtime/verify.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

namespace verify_test {

using namespace lumbar;

namespace {

Network network(std::uint64_t seed = 1, int size = 32) {
    const Graph graph = mobilenet_v2({.classes = 5, .width = 0.25});
    return compile(graph, synthetic_weights(graph, seed),
                   {.height = size, .width = size, .threads = 1});
}

Weights with_metadata(Weights::Metadata metadata) {
    return Weights::from_tensors({}, "file", std::move(metadata));
}

std::string error_of(const std::string& probe) {
    const Result<Probe> read = try_read_probe(with_metadata({{kProbeKey, probe}}));
    return read ? "" : read.error().message();
}

}  // namespace

TEST_CASE("a probe survives metadata to the bit, and its network verifies at any size") {
    const Probe made = try_make_probe(network(), 7).value();
    CHECK(made.logits.size() == 5);
    const Probe read = try_read_probe(with_metadata(probe_metadata(made))).value();
    CHECK(read.height == 32);
    CHECK(read.width == 32);
    CHECK(read.seed == 7);
    CHECK(read.tolerance == made.tolerance);
    CHECK(read.logits == made.logits);
    for (const int size : {32, 64}) {
        const Verification v = verify(network(1, size), read);
        CHECK(v.passed());
        CHECK(v.error == 0.0);
    }
}

TEST_CASE("the picture is the one that synthetic_input makes") {
    const Network net = network();
    const Tensor logits = net(synthetic_input({1, 3, 32, 32}, 7));
    CHECK(try_make_probe(net, 7).value().logits[3] == logits.values()[3]);
}

TEST_CASE("wrong numbers are told with how far they are off") {
    Probe probe = try_make_probe(network()).value();
    CHECK_FALSE(verify(network(2), probe).passed());
    float largest = 0.0f;
    for (const float logit : probe.logits) largest = std::max(largest, std::abs(logit));
    probe.logits[2] += 0.01f * largest;
    const Verification v = verify(network(), probe);
    CHECK_FALSE(v.passed());
    CHECK(v.worst == 2);
    CHECK(v.error == doctest::Approx(0.01).epsilon(0.02));
    probe.tolerance = 0.02;
    CHECK(verify(network(), probe).passed());
    probe.logits[1] = std::numeric_limits<float>::quiet_NaN();
    CHECK_FALSE(verify(network(), probe).passed());
    probe.logits.assign(5, 0.0f);
    CHECK_FALSE(verify(network(), probe).passed());
    probe.logits.assign(6, 0.0f);
    const Result<Verification> other = try_verify(network(), probe);
    REQUIRE_FALSE(other);
    CHECK(other.error().message() ==
          "mobilenet_v2 has 5 logits, and the probe is of 6: it was made for another network");
}

TEST_CASE("weights that give no finite logits give no probe") {
    const Graph graph = mobilenet_v2({.classes = 5, .width = 0.25});
    const Weights weights = synthetic_weights(graph);
    std::vector<NamedTensor> tensors;
    for (const TensorData& t : weights) {
        NamedTensor copy{std::string(t.name), t.shape, {}};
        copy.values.assign(static_cast<std::size_t>(t.size()),
                           std::numeric_limits<float>::infinity());
        tensors.push_back(std::move(copy));
    }
    const Network net = compile(graph, Weights::from_tensors(std::move(tensors)),
                                {.height = 32, .width = 32, .threads = 1});
    CHECK_FALSE(try_make_probe(net));
}

TEST_CASE("a probe that could not be read back is not made") {
    const Network wide = network().resized({.height = 32, .width = 1056});
    CHECK(try_make_probe(wide).error().message() ==
          "mobilenet_v2: a probe's picture has at most 1024 pixels on a side");
}

TEST_CASE("a forged probe is an error in one line") {
    const std::string good =
        R"({"height":32,"width":32,"seed":1,"tolerance":1e-4,"logits":[1,-0.5]})";
    CHECK(error_of(good) == "");
    struct Case {
        std::string from;
        std::string to;
        const char* words;
    };
    const Case cases[] = {
        {"{", "[", "not a JSON object"},
        {"}", "", "not a JSON object"},
        {"32", "0", "from 1 to 1024"},
        {"32", "-3", "from 1 to 1024"},
        {"32", "1e9", "from 1 to 1024"},
        {"32", "4294967328", "from 1 to 1024"},
        {"\"width\"", "\"w\"", "from 1 to 1024"},
        {"\"seed\":1", "\"seed\":-1", "needs a seed"},
        {"1e-4", "\"small\"", "needs a tolerance"},
        {"1e-4", "0", "needs a tolerance"},
        {"1e-4", "-1", "needs a tolerance"},
        {"1e-4", "1e9", "needs a tolerance"},
        {"[1,-0.5]", "[]", "1 to 4096 logits"},
        {"[1,-0.5]", "{}", "1 to 4096 logits"},
        {"[1,-0.5]", "[[]]", "must be numbers"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.to);
        std::string forged = good;
        forged.replace(forged.find(c.from), c.from.size(), c.to);
        const std::string message = error_of(forged);
        CAPTURE(message);
        CHECK(message.find("file: ") == 0);
        CHECK(message.find(c.words) != std::string::npos);
    }
    CHECK(error_of(std::string(100000, '[')).find("not a JSON object") != std::string::npos);
    CHECK(error_of(std::string((1 << 20) + 1, '[')) ==
          "file: its probe has more than a mebibyte; convert --probe makes another");
    CHECK(try_read_probe(with_metadata({})).error().message() ==
          "file: holds no probe to verify with; convert --probe adds one");
}

}  // namespace verify_test
