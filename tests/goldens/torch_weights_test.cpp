// Whole networks from files that torch.save wrote: loaded, compiled and run, they must give the
// reference's logits.
#include "golden.hpp"

#include <lumbar/core/crc32.hpp>

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

TEST_CASE("a narrow network of every family, from every kind of file, gives PyTorch's logits") {
    std::ifstream file(kFolder + "narrow.json");
    const auto files = nlohmann::json::parse(file, nullptr, false);
    REQUIRE(files.size() == 36);
    for (const auto& entry : files) {
        const auto path = entry["file"].get<std::string>();
        CAPTURE(path);
        const auto loaded = try_load_weights(kFolder + path);
        if (!loaded) FAIL(loaded.error().message());
        // The bytes of all tensors in turn.
        std::vector<std::byte> bytes;
        for (const TensorData& t : *loaded) {
            CHECK(t.is_contiguous());
            if (t.dtype != Dtype::i64) {
                CHECK(to_string(t.dtype) == entry["dtype"].get<std::string>());
            }
            bytes.insert(bytes.end(), t.bytes, t.bytes + t.byte_size);
        }
        CHECK(loaded->size() == entry["tensors"].get<std::size_t>());
        CHECK(lumbar::detail::crc32(bytes) == entry["crc"].get<std::uint32_t>());

        const int size = entry["input"][2].get<int>();
        const Graph graph = make(entry["model"].get<std::string>(), {});
        const Network network = compile(graph, *loaded, {.height = size, .width = size});
        const Tensor found = network(synthetic_input({1, 3, size, size}));
        const auto logits = entry["logits"].get<std::vector<double>>();
        REQUIRE(found.values().size() == logits.size());
        double largest = 0, error = 0;
        for (std::size_t i = 0; i < logits.size(); ++i) {
            largest = std::max(largest, std::abs(logits[i]));
            error = std::max(error, std::abs(static_cast<double>(found.values()[i]) - logits[i]));
        }
        CHECK(error <= kWinogradRelative * largest);
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
