// What a user reads after the likeliest mistakes, word by word: a message that is changed is read
// here once more.
#include "weights/scratch.hpp"

#include <lumbar/models/resnet.hpp>
#include <lumbar/models/vgg.hpp>
#include <lumbar/runtime/compile.hpp>
#include <lumbar/runtime/recognise.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>
#include <lumbar/weights/load.hpp>
#include <lumbar/weights/safetensors_save.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace lumbar;
using lumbar_test::Scratch;
using namespace std::string_literals;

namespace {

std::string loading(const std::string& path) {
    const Result<Weights> weights = try_load_weights(path);
    return weights ? "" : weights.error().message();
}

}  // namespace

TEST_CASE("a file that is no weights is named, with what to do") {
    const Scratch scratch;
    struct Case {
        std::string name, content, message;
    };
    const Case cases[] = {
        {"page.pth", "<!DOCTYPE html><html>404</html>",
         "seems to be a web page, not weights; the download went wrong: open the address in a "
         "browser to see what it says"},
        {"pointer.safetensors",
         "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
         "is a Git LFS pointer, not the file itself; fetch it with: git lfs pull"},
        {"empty.safetensors", "", "the file is empty"},
        {"net.onnx", "\x08\x07\x12\x07pytorch\x1a\x03"s + "1.9",
         "seems to be an ONNX model, which load_weights does not read; load_onnx "
         "(lumbar/weights/onnx.hpp) reads its tensors, or save the state dict of the PyTorch model "
         "that it came from"},
    };
    for (const Case& c : cases) {
        const std::string path = scratch.write(c.name, c.content);
        CHECK(loading(path) == path + ": " + c.message);
    }
    CHECK(loading(scratch.path("none.pth")) ==
          scratch.path("none.pth") + ": the file cannot be opened: No such file or directory");
    const std::string folder = scratch.path(".");
    CHECK(loading(folder) == folder + ": is a directory, not a regular file");
    CHECK(loading("") == "(no path): the path of the file is empty");
}

TEST_CASE("a download that was cut off says so, with what to do") {
    const Scratch scratch;
    const std::string path = scratch.path("resnet18.safetensors");
    const Weights weights = Weights::from_tensors({{"w", {8}, std::vector<float>(8)}});
    save_safetensors(path, weights.tensors());
    const auto file = try_read_file(path).value();
    const std::string whole(reinterpret_cast<const char*>(file->span().data()), file->size());
    (void)scratch.write("resnet18.safetensors", whole.substr(0, whole.size() - 10));
    CHECK(loading(path) ==
          path +
              ": not a valid safetensors file: the file is cut off: its tensors need 32 bytes "
              "after the header, and 22 are there; fetch it again");
}

TEST_CASE("the wrong model is told with the right one") {
    const Weights weights = synthetic_weights(resnet50({.classes = 10}));
    const Result<Network> network = try_compile(resnet18(), weights);
    REQUIRE_FALSE(network);
    CHECK(network.error().message() + model_advice(weights, "resnet18") ==
          "synthetic weights does not fit resnet18: 25 of 102 tensors are misshapen: "
          "layer1.0.conv1.weight (expected [64, 64, 3, 3], found [64, 64, 1, 1]), "
          "layer1.1.conv1.weight (expected [64, 64, 3, 3], found [64, 256, 1, 1]), "
          "layer2.0.conv1.weight (expected [128, 64, 3, 3], found [128, 256, 1, 1]), "
          "layer2.0.downsample.0.weight (expected [128, 64, 1, 1], found [512, 256, 1, 1]) and 21 "
          "more; 165 tensors are not part of the network: layer1.0.bn3.bias, "
          "layer1.0.bn3.running_mean, layer1.0.bn3.running_var, layer1.0.bn3.weight and 161 more; "
          "it seems to be for resnet50");
}

TEST_CASE("a classifier for another size of picture is told with both shapes") {
    std::vector<NamedTensor> tensors;
    for (const TensorData& t : synthetic_weights(resnet18({.classes = 10}))) {
        NamedTensor copy{std::string(t.name), t.shape, {}};
        if (copy.name == "fc.weight") copy.shape = {10, 2048};
        copy.values.resize(static_cast<std::size_t>(checked_element_count(copy.shape).value()));
        tensors.push_back(std::move(copy));
    }
    const Result<Network> network =
        try_compile(resnet18(), Weights::from_tensors(std::move(tensors), "my.safetensors"));
    REQUIRE_FALSE(network);
    CHECK(network.error().message() ==
          "my.safetensors does not fit resnet18: 2 of 102 tensors are misshapen: fc.weight "
          "(expected [1000, 512], found [10, 2048]), fc.bias (expected [1000], found [10])");
}
