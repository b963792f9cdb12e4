#include "scratch.hpp"

#include <lumbar/weights/load.hpp>
#include <lumbar/weights/safetensors_save.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace safetensors_save_test {

using namespace lumbar;
using lumbar_test::Scratch;

namespace {

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

std::vector<float> floats(const TensorData* tensor) {
    REQUIRE(tensor != nullptr);
    std::vector<float> values(static_cast<std::size_t>(tensor->size()));
    REQUIRE(try_read_floats(*tensor, 0, values));
    return values;
}

Weights some_weights() {
    return Weights::from_tensors({{"fc.weight", {2, 3}, {1, 2, 3, 4, 5, 6}},
                                  {"a \"quoted\\\n\xC3\xA9 name", {}, {7}},
                                  {"empty", {0, 3}, {}}},
                                 "memory", {{"format", "pt"}, {"note", "line\nbreak"}});
}

}  // namespace

TEST_CASE("what is saved to a file loads again, values, names and metadata") {
    const Scratch scratch;
    const std::string path = scratch.path("saved.safetensors");
    const Weights before = some_weights();
    {
        const auto status = try_save_safetensors(path, before.tensors(), before.metadata());
        if (!status) FAIL(status.error().message());
    }
    auto after = try_load_weights(path);
    if (!after) FAIL(after.error().message());
    CHECK(after->source() == path);
    CHECK(after->size() == before.size());
    CHECK(after->metadata() == before.metadata());
    for (const TensorData& tensor : before) {
        CAPTURE(tensor.name);
        const TensorData* again = after->find(tensor.name);
        REQUIRE(again != nullptr);
        CHECK(again->shape == tensor.shape);
        CHECK(floats(again) == floats(&tensor));
    }
    // Saving over the file that was loaded from is no danger: it was read, not mapped.
    CHECK(try_save_safetensors(path, after->tensors(), after->metadata()));
    CHECK(floats(after->find("fc.weight"))[5] == 6.0f);
}

TEST_CASE("tensors begin at multiples of their element size, behind a header padded to eight") {
    const std::vector<std::byte> bytes(64, std::byte{1});
    std::vector<TensorData> tensors;
    for (const auto& [name, dtype] : {std::pair{"flag", Dtype::boolean},
                                      {"half", Dtype::f16},
                                      {"count", Dtype::i64},
                                      {"float", Dtype::f32}}) {
        const auto size = static_cast<std::size_t>(size_in_bytes(dtype)) * 3;
        tensors.push_back(contiguous_tensor(dtype, {3}, std::span(bytes).first(size)));
        tensors.back().name = name;
    }
    const auto file = try_encode_safetensors(tensors);
    REQUIRE(file);
    std::uint64_t header = 0;
    std::memcpy(&header, file->data(), sizeof header);
    CHECK(header % 8 == 0);
    CHECK((*file)[8] == std::byte{'{'});
    const auto weights = try_read_safetensors(*file, nullptr, "memory");
    REQUIRE(weights);
    for (const TensorData& tensor : *weights) {
        CAPTURE(tensor.name);
        CHECK((tensor.bytes - file->data()) % size_in_bytes(tensor.dtype) == 0);
    }
    CHECK(weights->size() == 4);
}

TEST_CASE("strided tensors are saved densely in row-major order") {
    constexpr std::int64_t rows = 300;
    constexpr std::int64_t columns = 200;  // more than one piece of the writer's buffer
    std::vector<float> values(rows * columns);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    TensorData transposed =
        contiguous_tensor(Dtype::f32, {columns, rows}, std::as_bytes(std::span(values)));
    transposed.strides = {1, columns};
    transposed.name = "transposed";
    const auto file = try_encode_safetensors(std::span(&transposed, 1));
    REQUIRE(file);
    const auto weights = try_read_safetensors(*file, nullptr, "memory");
    REQUIRE(weights);
    const TensorData* dense = weights->find("transposed");
    REQUIRE(dense != nullptr);
    CHECK(dense->is_contiguous());
    CHECK(dense->shape == Dims{columns, rows});
    CHECK(floats(dense) == floats(&transposed));
    CHECK(floats(dense)[1] == static_cast<float>(columns));
}

TEST_CASE("no tensors make a valid file") {
    const auto file = try_encode_safetensors({});
    REQUIRE(file);
    CHECK(file->size() == 16);
    const auto weights = try_read_safetensors(*file, nullptr, "memory");
    REQUIRE(weights);
    CHECK(weights->empty());
}

TEST_CASE("what could not be read back is not written") {
    const std::vector<std::byte> bytes(8);
    struct Case {
        std::string name;
        Dtype dtype;
        std::int64_t count;
        const char* message;
    };
    const Case cases[] = {
        {"not utf-8 \xFF", Dtype::f32, 2, "not valid JSON"},
        {std::string("zero\0byte", 9), Dtype::f32, 2, "zero byte"},
        {std::string(2000, 'x'), Dtype::f32, 2, "has 2000 bytes"},
        {"__metadata__", Dtype::f32, 2, "__metadata__"},
        {"long", Dtype::f32, 3, "'long' of shape [3] (F32) needs 12 bytes but has 8"},
        {"nibbles", Dtype::f4, 3, "tensor 'nibbles'"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.message);
        TensorData tensor = contiguous_tensor(c.dtype, {c.count}, bytes);
        tensor.name = c.name;
        const auto file = try_encode_safetensors(std::span(&tensor, 1));
        REQUIRE_FALSE(file);
        CHECK(file.error().code() == Error::Code::argument);
        CHECK(contains(file.error().message(), c.message));
    }
    TensorData twice[] = {contiguous_tensor(Dtype::f32, {2}, bytes),
                          contiguous_tensor(Dtype::f32, {2}, bytes)};
    twice[0].name = twice[1].name = "w";
    const auto file = try_encode_safetensors(twice);
    REQUIRE_FALSE(file);
    CHECK(contains(file.error().message(), "two tensors are named 'w'"));
    const auto metadata = try_encode_safetensors({}, {{"bad\xC0", "x"}});
    CHECK_FALSE(metadata);
}

TEST_CASE("a path that cannot be written is an error that names it") {
    const Weights weights = some_weights();
    const Scratch scratch;
    const std::string directory = scratch.path("");
    for (const std::string& path : {directory, scratch.path("missing/x.safetensors")}) {
        CAPTURE(path);
        const auto status = try_save_safetensors(path, weights.tensors());
        REQUIRE_FALSE(status);
        CHECK(status.error().code() == Error::Code::io);
        CHECK(contains(status.error().message(), path.c_str()));
        CHECK(contains(status.error().message(), "cannot be created"));
    }
    CHECK_FALSE(try_save_safetensors("", weights.tensors()));
    if (std::filesystem::exists("/dev/full")) {
        const auto status = try_save_safetensors("/dev/full", weights.tensors());
        REQUIRE_FALSE(status);
        CHECK(contains(status.error().message(), "/dev/full: writing failed"));
    }
}

}  // namespace safetensors_save_test
