// Safetensors files that are unusual and right, and must load.
#include "safetensors_bytes.hpp"

#include <lumbar/weights/safetensors.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace safetensors_test {

using namespace lumbar;
using namespace lumbar_test;

namespace {

template <class T>
std::string raw(const std::vector<T>& values) {
    std::string out(values.size() * sizeof(T), '\0');
    std::memcpy(out.data(), values.data(), out.size());
    return out;
}

// The Weights, which own a copy of the file.
Weights read(const std::string& file) {
    const auto owner = std::make_shared<const std::string>(file);
    auto result = try_read_safetensors(as_bytes(*owner), owner, "good.st");
    if (!result) FAIL(result.error().message());
    return std::move(result).value();
}

std::vector<float> floats(const TensorData* tensor) {
    REQUIRE(tensor != nullptr);
    std::vector<float> values(static_cast<std::size_t>(tensor->size()));
    REQUIRE(try_read_floats(*tensor, 0, values));
    return values;
}

}  // namespace

TEST_CASE("tensors of the four float types load with their values") {
    const std::vector<float> f32 = {1.0f, -2.5f};
    const std::vector<double> f64 = {1.0 / 3.0};
    const std::vector<std::uint16_t> f16 = {0x3C00, 0x0001, 0x7C00, 0x7E00};
    const std::vector<std::uint16_t> bf16 = {0x3FC0, 0xFF80};
    const Weights weights = read(file_of("{" + member("d", "F64", "[1]", "[0,8]") + "," +
                                             member("f", "F32", "[2]", "[8,16]") + "," +
                                             member("h", "F16", "[2,2]", "[16,24]") + "," +
                                             member("b", "BF16", "[1,2]", "[24,28]") + "}",
                                         raw(f64) + raw(f32) + raw(f16) + raw(bf16)));
    CHECK(weights.size() == 4);
    CHECK(weights.source() == "good.st");
    CHECK(floats(weights.find("f")) == f32);
    const auto half = floats(weights.find("h"));
    CHECK(half[0] == 1.0f);
    CHECK(half[1] == 0x1p-24f);
    CHECK(std::isinf(half[2]));
    CHECK(std::isnan(half[3]));
    const auto brain = floats(weights.find("b"));
    CHECK(brain[0] == 1.5f);
    CHECK(brain[1] == -INFINITY);
    std::vector<double> wide(1);
    REQUIRE(try_read_doubles(*weights.find("d"), 0, wide));
    CHECK(wide[0] == 1.0 / 3.0);
    CHECK(weights.find("h")->shape == Dims{2, 2});
}

TEST_CASE("a float at an odd address loads") {
    const std::string header =
        "{" + member("u", "U8", "[1]", "[0,1]") + "," + member("f", "F32", "[1]", "[1,5]") + "}";
    for (int padding = 0; padding < 8; ++padding) {
        CAPTURE(padding);
        const Weights weights =
            read(file_of(header + std::string(static_cast<std::size_t>(padding), ' '),
                         "x" + raw(std::vector<float>{42.0f})));
        CHECK(floats(weights.find("f")) == std::vector<float>{42.0f});
    }
}

TEST_CASE("blanks around the header, an empty header, scalars and empty tensors load") {
    CHECK(read(file_of("{}")).empty());
    CHECK(read(file_of(" \t\r\n{ } \n\t\r ")).empty());
    CHECK(read(file_of("{\"__metadata__\":{}}")).empty());

    const Weights weights =
        read(file_of("{" + member("scalar", "F32", "[]", "[0,4]") + "," +
                         member("empty", "F32", "[0]", "[0,0]") + "," +
                         member("empty2", "F32", "[3,0,5]", "[4,4]") + "," +
                         member("wide", "F32", "[281474976710655,0]", "[0,0]") + "," +
                         member("", "F32", "[1,1,1,1,1,1,1,1]", "[4,8]") + "}",
                     raw(std::vector<float>{5.0f, 6.0f})));
    CHECK(weights.size() == 5);
    CHECK(floats(weights.find("scalar")) == std::vector<float>{5.0f});
    CHECK(floats(weights.find("empty")).empty());
    CHECK(floats(weights.find("empty2")).empty());
    CHECK(weights.find("wide")->size() == 0);
    CHECK(floats(weights.find("")) == std::vector<float>{6.0f});
}

TEST_CASE("tensors listed in any order, with fields in any order, load") {
    const Weights weights =
        read(file_of("{\"b\":{\"data_offsets\":[4,8],\"shape\":[1],\"dtype\":\"F32\"},"
                     "\"a\":{\"shape\":[1],\"dtype\":\"F32\",\"data_offsets\":[0,4]}}",
                     raw(std::vector<float>{1.0f, 2.0f})));
    CHECK(floats(weights.find("a"))[0] == 1.0f);
    CHECK(floats(weights.find("b"))[0] == 2.0f);
}

TEST_CASE("known types that are not floats load as data, and are not readable as numbers") {
    std::string header = "{";
    std::string data;
    for (const auto& info : detail::kDtypes) {
        const std::size_t bytes = static_cast<std::size_t>(info.bits);  // eight elements
        header += (data.empty() ? "" : ",") + member(std::string(info.name), std::string(info.name),
                                                     "[8]",
                                                     "[" + std::to_string(data.size()) + "," +
                                                         std::to_string(data.size() + bytes) + "]");
        data += std::string(bytes, static_cast<char>(info.bits));
    }
    const Weights weights = read(file_of(header + "}", data));
    CHECK(weights.size() == std::size(detail::kDtypes));
    for (const TensorData& tensor : weights) {
        CAPTURE(tensor.name);
        CHECK(to_string(tensor.dtype) == tensor.name);
        CHECK(tensor.byte_size == static_cast<std::size_t>(size_in_bits(tensor.dtype)));
        CHECK(tensor.bytes[0] == static_cast<std::byte>(size_in_bits(tensor.dtype)));
        std::vector<float> out(8);
        const auto status = try_read_floats(tensor, 0, out);
        CHECK(status.has_value() == is_readable_float(tensor.dtype));
    }
}

TEST_CASE("escaped names and metadata are decoded") {
    const Weights weights = read(file_of(
        "{\"__metadata__\":{\"format\":\"pt\",\"a\\\"\\u00e9\\ud83d\\ude00\":\"x\\ny\\u0000z\"}," +
            member("w\\u0065ight\\/\\\\", "F32", "[]", "[0,4]") + "}",
        raw(std::vector<float>{1.0f})));
    CHECK(weights.find("weight/\\") != nullptr);
    CHECK(weights.metadata().size() == 2);
    CHECK(weights.metadata().at("format") == "pt");
    CHECK(weights.metadata().at("a\"\xC3\xA9\xF0\x9F\x98\x80") == std::string("x\ny\0z", 5));
}

TEST_CASE("names and dimensions up to the limits load") {
    const std::string name(1024, 'n');
    const Weights weights =
        read(file_of("{" + member(name, "F32", "[1,1,1,1,1,1,1,2]", "[0,8]") + "}",
                     raw(std::vector<float>{1.0f, 2.0f})));
    CHECK(floats(weights.find(name))[1] == 2.0f);
}

TEST_CASE("the weights outlive the caller's handle on the bytes") {
    auto owner = std::make_shared<const std::string>(
        file_of("{" + member("a", "F32", "[]", "[0,4]") + "}", raw(std::vector<float>{3.0f})));
    const std::weak_ptr<const std::string> watch = owner;
    {
        auto result = try_read_safetensors(as_bytes(*owner), owner, "good.st");
        REQUIRE(result);
        const Weights weights = std::move(result).value();
        owner.reset();
        CHECK_FALSE(watch.expired());
        CHECK(floats(weights.find("a"))[0] == 3.0f);
        CHECK(reinterpret_cast<const char*>(weights.find("a")->bytes) ==
              watch.lock()->data() + watch.lock()->size() - 4);  // viewed, not copied
    }
    CHECK(watch.expired());
}

}  // namespace safetensors_test
