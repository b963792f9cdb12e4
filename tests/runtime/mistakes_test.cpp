// What a user reads after the likeliest mistakes, word by word: a message that is changed is read
// here once more.
#include "weights/scratch.hpp"

#include <lumbar/image/imagenet_labels.hpp>
#include <lumbar/image/top_k.hpp>
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

namespace mistakes_test {

using namespace lumbar;
using lumbar_test::Scratch;
using namespace std::string_literals;

namespace {

const std::string kData = LUMBAR_SOURCE_DIR "/tests/weights/data/";

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
    struct Case {
        std::string file, message;
    };
    for (const Case& c :
         {Case{"zip_types.pth",
               "not a valid PyTorch file: it does not end with a zip archive's end record; it may "
               "be cut off, or something was added to it: fetch it again"},
          Case{"legacy_wrapped.pth",
               "not a valid PyTorch file: storage '86989392' is cut off; fetch the file again"},
          Case{"tar_python2.pth",
               "not a valid PyTorch file: a tar member is cut off at byte 2560; fetch the file "
               "again"}}) {
        const auto bytes = try_read_file(kData + c.file).value();
        const auto whole = bytes->span();
        // A tar archive ends with zeros that nothing needs.
        const std::size_t size = c.file[0] == 't' ? whole.size() / 2 : whole.size() * 9 / 10;
        const std::string path = scratch.path(c.file);
        (void)scratch.write(c.file, std::string(reinterpret_cast<const char*>(whole.data()), size));
        CHECK(loading(path) == path + ": " + c.message);
    }
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

TEST_CASE("what is more than weights, or less, is told with how to save the weights") {
    struct Case {
        std::string file, message;
    };
    for (const Case& c :
         {Case{"module_zip.pth",
               "is no plain state dict: it names the Python object "
               "'torch.nn.modules.linear.Linear', as a whole pickled module or the state of a "
               "training does; save the tensors alone, if you trust the file: python3 -c \"import "
               "torch; m = torch.load('IN', map_location='cpu', weights_only=False); "
               "torch.save(m['model'] if isinstance(m, dict) else m.state_dict(), 'OUT.pth')\""},
          Case{"torchscript.pt",
               "is TorchScript, a program with its weights, which is not read here; save the "
               "weights alone: python3 -c \"import torch; m = torch.jit.load('IN', "
               "map_location='cpu'); torch.save(m.state_dict(), 'OUT.pth')\""},
          Case{"quantised.pth",
               "holds quantised tensors ('torch._utils._rebuild_qtensor'), which are not read "
               "here; give the weights of the network before it was quantised"}}) {
        const std::string path = kData + "refused/" + c.file;
        CHECK(loading(path) == path + ": " + c.message);
    }
}

TEST_CASE("names of other classes than the weights have are told with both numbers") {
    const Network network = compile(resnet18(), synthetic_weights(resnet18({.classes = 10})),
                                    {.height = 32, .width = 32, .threads = 1});
    const Tensor logits = network(synthetic_input({1, 3, 32, 32}));
    const auto top = try_top_k(logits, 5, labels::imagenet);
    REQUIRE_FALSE(top);
    CHECK(top.error().message() ==
          "top_k: 10 logits but 1000 labels; give the names of the classes that the weights were "
          "trained for");
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

}  // namespace mistakes_test
