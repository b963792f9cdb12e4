// Whole networks from files that torch.save wrote: loaded, compiled and run, they must give the
// reference's logits.
#include "golden.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <weights/scratch.hpp>

namespace torch_weights_test {

using namespace lumbar;
using namespace lumbar_test;

namespace {

const std::string kFolder = std::string(LUMBAR_SOURCE_DIR) + "/tests/goldens/";

}  // namespace

TEST_CASE("a small checkpoint of a training, in float16, gives PyTorch's logits") {
    std::ifstream file(kFolder + "narrow.json");
    const auto expected = nlohmann::json::parse(file, nullptr, false);
    REQUIRE(expected.is_object());
    const int size = expected["input"][2].get<int>();
    const auto logits = expected["logits"].get<std::vector<double>>();

    const Weights weights = load_weights(kFolder + "narrow.pth");
    const Network network =
        compile(mobilenet_v1({.width = 0.0625}), weights, {.height = size, .width = size});
    const Tensor found =
        network(synthetic_input({1, 3, size, size}, expected["seed"].get<std::uint64_t>()));
    REQUIRE(found.values().size() == logits.size());
    double largest = 0;
    for (const double logit : logits) largest = std::max(largest, std::abs(logit));
    for (std::size_t i = 0; i < logits.size(); ++i) {
        CHECK(std::abs(static_cast<double>(found.values()[i]) - logits[i]) <=
              kWinogradRelative * largest);
    }
}

TEST_CASE("every network's .pth gives the reference's logits" * doctest::test_suite("slow")) {
    const Scratch scratch;
    const std::string path = scratch.path("weights.pth");
    int checked = 0;
    for (const auto& entry : all_goldens()["cases"]) {
        const auto name = entry["name"].get<std::string>();
        if (entry["width"] != 1.0 || entry["numerics"] != "pytorch") continue;
        if (entry["input"][0] != 1) continue;
        if (entry["input"][2] < 224 && name.find("_cifar") == std::string::npos) continue;
        CAPTURE(name);
        const std::string command =
            "python3 " + kFolder + "make_torch_weights.py " + name + " " + path + " 2>&1";
        const int status = std::system(command.c_str());
        if (status != 0) {
            MESSAGE("skipped: " << name
                                << " (make_torch_weights.py needs torch, torchvision, timm "
                                   "and pretrainedmodels)");
            continue;
        }
        const Golden golden = load(entry);
        const auto weights = try_load_weights(path);
        if (!weights) FAIL(weights.error().message());
        const Network network = compile(golden.graph, *weights, golden.options());
        const double error = error_in_e32(golden, network(golden.image));
        CHECK(error <= kWinogradBound);
        CHECK(error * golden.e32 <= kWinogradRelative);
        MESSAGE(name << ": " << error << " times the reference's own error in float32");
        ++checked;
        std::filesystem::remove(path);
    }
    CHECK((checked == 0 || checked >= 22));
}

}  // namespace torch_weights_test
