#include "safetensors_bytes.hpp"
#include "scratch.hpp"

#include <lumbar/weights/load.hpp>
#include <lumbar/weights/safetensors_save.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace load_test {

using namespace lumbar;
using namespace lumbar_test;
using namespace std::string_literals;

namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a file of another kind is refused with what it seems to be and what to do") {
    struct Case {
        std::string what;
        std::string file;
        FileKind kind;
        std::vector<std::string> parts;
    };
    std::string tar(512, '\0');
    tar.replace(0, 8, "sys_info").replace(257, 5, "ustar");
    const std::vector<std::string> zip = {"not a valid PyTorch file", "zip archive"};
    const Case cases[] = {
        {"zip", "PK\x03\x04\x14\x00\x00\x00\x08\x08"s + std::string(20, 'x'), FileKind::zip, zip},
        {"zip of version 0", "PK\x03\x04\x00\x00\x00\x00\x00\x00"s + std::string(20, 'x'),
         FileKind::zip, zip},
        {"empty zip", "PK\x05\x06"s + std::string(18, '\0'), FileKind::zip, zip},
        {"npz",
         "PK\x03\x04\x14\x00\x00\x00\x08\x08"s + std::string(16, '\0') + "\5\0\0\0w.npy"s,
         FileKind::npz,
         {"NumPy's .npz", "load_numpy"}},
        {"legacy torch",
         "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e\x80\x02"s,
         FileKind::torch_legacy,
         {"pickle of the version"}},
        {"tar", tar, FileKind::tar, {"tar member"}},
        {"pickle",
         "\x80\x02}q\x00X\x01\x00\x00\x00w"s,
         FileKind::pickle,
         {"pickle", "any program"}},
        {"newer pickle",
         "\x80\x05\x95\x10\x00\x00\x00\x00\x00\x00\x00}"s,
         FileKind::pickle,
         {"pickle"}},
        {"npy", "\x93NUMPY\x01\x00v\x00{'descr"s, FileKind::npy, {"NumPy", "savez"}},
        {"hdf5", "\x89HDF\r\n\x1a\n\x00\x00"s, FileKind::hdf5, {"HDF5", "Keras"}},
        {"gguf", "GGUF\x03\x00\x00\x00"s, FileKind::gguf, {"GGUF"}},
        {"tflite", "\x1c\x00\x00\x00TFL3\x14\x00"s, FileKind::tflite, {"TensorFlow Lite"}},
        {"onnx",
         "\x08\x07\x12\x07pytorch\x1a\x03"s + "1.9"s,
         FileKind::onnx,
         {"ONNX", "state dict"}},
        {"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00"s, FileKind::compressed, {"unpack"}},
        {"xz",
         "\xfd"
         "7zXZ\x00\x00\x04"s,
         FileKind::compressed,
         {"unpack"}},
        {"zstd", "\x28\xb5\x2f\xfd\x04\x00"s, FileKind::compressed, {"unpack"}},
        {"html", "<!DOCTYPE html>\n<html lang=\"en\">"s, FileKind::html, {"web page", "download"}},
        {"html after blanks", "\r\n  <HTML><head>"s, FileKind::html, {"web page"}},
        {"xml",
         "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>"s,
         FileKind::html,
         {"web page"}},
        {"git lfs",
         "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"s,
         FileKind::git_lfs,
         {"Git LFS pointer", "git lfs pull"}},
        {"json", "{\"weight_map\": {}}"s, FileKind::json, {"JSON"}},
        {"text",
         "hello, this is some text"s,
         FileKind::text,
         {"seems to be a text, not weights", "give the .pth or .safetensors file"}},
        {"text whose last character is cut off",
         std::string(299, 'a') + "\xC3\xA9 and more",
         FileKind::text,
         {"seems to be a text"}},
        {"text with a zero byte",
         "hello, this is\0some text"s,
         FileKind::unknown,
         {"not a valid safetensors file", "nor is it another kind"}},
        {"one byte", "x", FileKind::unknown, {"it has 1 bytes"}},
        {"eight bytes", std::string(8, '\0'), FileKind::unknown, {"JSON"}},
        {"all zero", std::string(1000, '\0'), FileKind::unknown, {"not a valid safetensors"}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.what);
        CHECK(sniff(as_bytes(c.file)) == c.kind);
        const auto result = try_load_weights(as_bytes(c.file), "resnet18.pth");
        REQUIRE_FALSE(result);
        const std::string& message = result.error().message();
        CAPTURE(message);
        CHECK(message.substr(0, 14) == "resnet18.pth: ");
        CHECK(message.find('\n') == std::string::npos);
        for (const std::string& part : c.parts) CHECK(contains(message, part));
        const bool is_read = c.kind == FileKind::zip || c.kind == FileKind::torch_legacy ||
                             c.kind == FileKind::tar || c.kind == FileKind::unknown;
        CHECK((result.error().code() == Error::Code::unsupported) == !is_read);
    }
}

TEST_CASE("no bytes at all are an error") {
    const auto result = try_load_weights(std::span<const std::byte>(), "nothing");
    REQUIRE_FALSE(result);
    CHECK(result.error().message() == "nothing: there are no bytes");
    CHECK(sniff({}) == FileKind::unknown);
}

TEST_CASE("a safetensors file is recognised by its content, under any name") {
    const Weights weights = Weights::from_tensors({{"w", {2}, {1.0f, 2.0f}}});
    const auto file = try_encode_safetensors(weights.tensors());
    REQUIRE(file);
    const auto result = try_load_weights(*file, "model.pth");
    REQUIRE(result);
    CHECK(ElementReader(*result->find("w"))(1) == 2.0f);
    // They are views of the bytes, not copies.
    const std::byte* const view = result->find("w")->bytes;
    CHECK(view >= file->data());
    CHECK(view < file->data() + file->size());
    CHECK(result->source() == "model.pth");
    CHECK(sniff(as_bytes(file_of(" {}"))) == FileKind::safetensors);
    // A cut-off file is still recognised, and the message says that it is cut off.
    const auto half =
        try_load_weights(std::span(*file).first(file->size() - 1), "half.safetensors");
    REQUIRE_FALSE(half);
    CHECK(contains(half.error().message(),
                   "half.safetensors: not a valid safetensors file: the file "
                   "is cut off"));
}

TEST_CASE("every prefix of every kind is recognised or refused, never worse") {
    const std::string heads[] = {
        "PK\x03\x04"s,
        "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"s,
        "\x93NUMPY"s,
        "<!doctype html>"s,
        "\x08\x07\x12\x07"s,
        "version https://git-lfs"s,
        std::string(257, 'x') + "ustar",
        "   \n\t  {"s,
    };
    for (const std::string& head : heads) {
        for (std::size_t size = 0; size <= head.size(); ++size) {
            const std::vector<char> exact(head.begin(), head.begin() + static_cast<long>(size));
            CHECK_FALSE(try_load_weights(std::as_bytes(std::span(exact)), "head"));
        }
    }
}

TEST_CASE("a file's path stands at the beginning of whatever is wrong with it") {
    const auto missing = try_load_weights("no_such_file.safetensors");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code() == Error::Code::io);
    CHECK(contains(missing.error().message(), "no_such_file.safetensors: "));

    const Scratch scratch;
    const std::string path = scratch.write("page.safetensors", "<html>not found</html>");
    const auto page = try_load_weights(path);
    REQUIRE_FALSE(page);
    CHECK(contains(page.error().message(), path + ": seems to be a web page"));
#if LUMBAR_HAS_EXCEPTIONS
    CHECK_THROWS_AS((void)load_weights(path), Error);
#endif
}

TEST_CASE("a real checkpoint loads, if there is one") {
    const std::string path =
        std::string(LUMBAR_SOURCE_DIR) + "/../shared/models/mobilenet_v2_1.0_224.safetensors";
    if (!std::filesystem::exists(path)) {
        MESSAGE("skipped: no ../shared/models/mobilenet_v2_1.0_224.safetensors");
        return;
    }
    const auto weights = try_load_weights(path);
    if (!weights) FAIL(weights.error().message());
    const TensorData* first = weights->find("features.0.0.weight");
    REQUIRE(first != nullptr);
    CHECK(first->shape == Dims{32, 3, 3, 3});
    std::int64_t elements = 0;
    for (const TensorData& tensor : *weights) elements += tensor.size();
    CHECK(elements > 3'000'000);
}

}  // namespace load_test
