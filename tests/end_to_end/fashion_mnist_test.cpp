// The shipped network on the 10,000 test pictures, against PyTorch's answers.
#include "../../examples/fashion_mnist/network.hpp"

#include <lumbar/image.hpp>
#include <lumbar/lumbar.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace fashion_mnist_test {

using namespace lumbar;

namespace {

const std::string kFolder = LUMBAR_SOURCE_DIR "/examples/fashion_mnist/";
const std::string kDataset = "/usr/share/datasets/fashion-mnist/";  // Debian's package

nlohmann::json expected() {
    std::ifstream file(kFolder + "expected.json");
    return nlohmann::json::parse(file);
}

Network network(int batch) {
    return compile(fashion_mnist::network(), load_weights(kFolder + "fashion_mnist.safetensors"),
                   {.height = 28, .width = 28, .batch = batch, .threads = 2});
}

/// What gzip unpacks, or nothing where the file is not there.
std::string unpacked(const std::string& path) {
    if (!std::ifstream(path)) return {};
    std::string bytes;
    if (std::FILE* pipe = popen(("gzip -dc " + path).c_str(), "r")) {
        char part[1 << 16];
        for (std::size_t n; (n = std::fread(part, 1, sizeof part, pipe)) > 0;) {
            bytes.append(part, n);
        }
        pclose(pipe);
    }
    return bytes;
}

}  // namespace

TEST_CASE("the shipped pictures give PyTorch's logits") {
    const Network net = network(1);
    const nlohmann::json answers = expected();
    for (const auto& entry : answers["images"]) {
        const std::string file = entry["file"];
        CAPTURE(file);
        const Tensor logits = net(preprocess(
            read_image(kFolder + "images/" + file, {.channels = 1}), fashion_mnist::kPreset));
        const std::vector<float> want = entry["logits"];
        REQUIRE(logits.values().size() == want.size());
        for (std::size_t i = 0; i < want.size(); ++i) {
            CHECK(std::abs(logits.values()[i] - want[i]) < 2e-5f);
        }
        CHECK(top_k(logits, 1)[0].index == entry["label"].get<int>());
    }
}

TEST_CASE("10,000 test pictures give PyTorch's accuracy" * doctest::test_suite("slow")) {
    const std::string images = unpacked(kDataset + "t10k-images-idx3-ubyte.gz");
    const std::string labels = unpacked(kDataset + "t10k-labels-idx1-ubyte.gz");
    if (images.empty() || labels.empty()) {
        MESSAGE("skipped: the package dataset-fashion-mnist is not installed");
        return;
    }
    constexpr int kCount = 10000, kBatch = 100, kPixels = 28 * 28;
    REQUIRE(images.size() == 16 + std::size_t{kCount} * kPixels);
    REQUIRE(labels.size() == 8 + std::size_t{kCount});
    const nlohmann::json answers = expected();
    const std::string predictions = answers["predictions"];
    const Network net = network(kBatch);
    Workspace workspace = net.workspace();
    int correct = 0, equal = 0;
    for (int first = 0; first < kCount; first += kBatch) {
        for (int i = 0; i < kBatch; ++i) {
            const auto* pixels = reinterpret_cast<const std::uint8_t*>(images.data()) + 16 +
                                 std::ptrdiff_t{first + i} * kPixels;
            const Image image = Image::copy({pixels, kPixels}, {28, 28, 1});
            preprocess_into(image, fashion_mnist::kPreset, workspace.input(), i);
        }
        net.run(workspace);
        for (int i = 0; i < kBatch; ++i) {
            const int answer = top_k(logits_of(workspace.output(), i), 1)[0].index;
            correct += answer == labels[8 + static_cast<std::size_t>(first + i)];
            equal += answer == predictions[static_cast<std::size_t>(first + i)] - '0';
        }
    }
    MESSAGE(correct, " of 10,000 correct, ", equal, " answers as PyTorch's");
    CHECK(std::abs(correct - answers["correct"].get<int>()) <= 5);
    CHECK(correct >= 9250);
    CHECK(equal >= 9995);
}

}  // namespace fashion_mnist_test
