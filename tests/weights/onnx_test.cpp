#include "bounded.hpp"

#include <lumbar/weights/onnx.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace onnx_test {

using namespace lumbar;
using namespace std::string_literals;

namespace {

const std::string kData = LUMBAR_SOURCE_DIR "/tests/weights/data/onnx/";

std::string varint(std::uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
    return out + static_cast<char>(value);
}
std::string number(int field, std::uint64_t value) {
    return varint(static_cast<std::uint64_t>(field) << 3) + varint(value);
}
std::string bytes(int field, const std::string& content) {
    return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(content.size()) + content;
}
/// A model with these initialisers.
std::string model(const std::string& tensor, const std::string& more = "") {
    return number(1, 8) + bytes(7, bytes(5, tensor) + more);
}
std::string tensor(const std::string& dims, int type, const std::string& data) {
    return dims + number(2, static_cast<std::uint64_t>(type)) + bytes(8, "w") + data;
}

std::string problem(const std::string& file, const LoadLimits& limits = {}) {
    const auto weights = lumbar_test::load_bounded(file, 16, [&](std::span<const std::byte> bytes) {
        return try_read_onnx(bytes, nullptr, "m", limits);
    });
    return weights ? "" : weights.error().message();
}

}  // namespace

TEST_CASE("what PyTorch exports with its names gives the tensors of the checkpoint") {
    const Weights weights = load_onnx(kData + "kept.onnx");
    // In the order of the state dict, num_batches_tracked left out.
    const std::pair<const char*, float> first[] = {
        {"conv1.weight", 0.0f},      {"bn1.weight", -1.0f},      {"bn1.bias", -2.0f},
        {"bn1.running_mean", -3.0f}, {"bn1.running_var", -4.0f}, {"fc.weight", -6.0f},
        {"fc.bias", -7.0f}};
    CHECK(weights.size() == std::size(first));
    for (const auto& [name, value] : first) {
        const TensorData* t = weights.find(name);
        REQUIRE(t);
        CHECK(ElementReader(*t)(0) == value);
    }
    CHECK(weights.find("conv1.weight")->shape == Dims{4, 3, 3, 3});
    for (const TensorData& t : weights) {
        CAPTURE(std::string(t.name));
        const ElementReader at(t);
        for (std::int64_t i = 0; i < t.size(); ++i)
            CHECK(at(i) == at(0) + static_cast<float>(i) / 8);
    }
    // With constants folded the convolution has another name, and the batch norm is gone.
    const Weights folded = load_onnx(kData + "folded.onnx");
    CHECK(folded.find("conv1.weight") == nullptr);
    CHECK(folded.find("fc.weight") != nullptr);
}

TEST_CASE("values are read from raw and from float data, extents alone or together") {
    const std::string two = number(1, 2), eight(8, '\0');
    CHECK(problem(model(tensor(two, 1, bytes(9, eight)))) == "");
    CHECK(problem(model(tensor(two, 1, bytes(4, eight)))) == "");
    CHECK(problem(model(tensor(bytes(1, "\x02\x01"), 10, bytes(9, "abcd")))) == "");
    CHECK(problem(model(tensor("", 1, bytes(9, "abcd")))) == "");
    CHECK(problem(model(tensor(number(1, 0), 1, ""))) == "");
}

TEST_CASE("a forged model is refused in one line") {
    const std::string two = number(1, 2), eight(8, '\0');
    const std::string good = tensor(two, 1, bytes(9, eight));
    struct Case {
        std::string file, words;
    };
    const Case cases[] = {
        {"", "it has no graph"},
        {number(1, 8), "it has no graph"},
        {model(good) + bytes(7, ""), "two graphs"},
        {model(good).substr(0, 20), "cut off or damaged"},
        {model(good) + "\xFF", "cut off or damaged"},
        {model(good) + std::string(20, '\xFF'), "cut off or damaged"},
        {model(good) + "\x0B", "cut off or damaged"},  // a group
        {bytes(7, "\x2A\x7F"), "its graph is damaged"},
        {bytes(7, "\x2A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "its graph is damaged"},
        {model(good, bytes(5, good)), "two tensors are named 'w'"},
        {model(bytes(8, std::string(1025, 'w')) + good),
         "has a name that is no text, or has more than 1024 bytes"},
        {model(number(8, 1) + good), "has a name that is no text, or has more than 1024 bytes"},
        {model(tensor(number(1, 3), 1, bytes(9, eight))), "has 8 bytes in raw_data or float_data"},
        {model(tensor(two, 1, "")), "has 0 bytes"},
        {model(tensor(two, 1, bytes(9, eight) + bytes(9, eight))), "values of several kinds"},
        {model(tensor(two, 11, bytes(4, std::string(16, '\0')))), "values of several kinds"},
        {model(tensor(number(1, ~std::uint64_t{0}), 1, bytes(9, eight))), "a negative extent"},
        {model(tensor(number(1, 1ull << 62) + number(1, 4), 1, bytes(9, eight))),
         "more than can be counted"},
        {model(tensor(bytes(1, std::string(9, '\x01')), 1, bytes(9, "abcd"))),
         "too many dimensions"},
        {model(tensor(bytes(1, "\x80"), 1, bytes(9, "abcd"))), "initialiser '' is damaged"},
        {model(tensor(two, 8, bytes(9, eight))), "the element type 8"},
        {model(tensor(two, 99, bytes(9, eight))), "the element type 99"},
        {model(good + number(14, 1)), "in another file (external data)"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.words);
        const std::string message = problem(c.file);
        CAPTURE(message);
        CHECK(message.find("m: ") == 0);
        CHECK(message.find(c.words) != std::string::npos);
    }
    CHECK(problem(model(good, bytes(5, good)), {.tensors = 1}).find("LoadLimits::tensors") !=
          std::string::npos);
}

TEST_CASE("a cut-off or damaged model is an error or other numbers, never worse") {
    const auto file = try_read_file(kData + "kept.onnx").value();
    const std::string whole(reinterpret_cast<const char*>(file->span().data()), file->size());
    for (std::size_t at = 0; at < whole.size(); ++at) {
        (void)problem(whole.substr(0, at));
        for (const char change : {'\x01', '\x80', '\xFF'}) {
            std::string damaged = whole;
            damaged[at] = static_cast<char>(damaged[at] ^ change);
            (void)problem(damaged);
        }
    }
}

}  // namespace onnx_test
