#include <oracle/allocations.hpp>

#include <lumbar/core/file.hpp>
#include <lumbar/weights/weights.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weights_test {

using namespace lumbar;

namespace {

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("tensors are found by name and listed in the order of their names") {
    const Weights weights = Weights::from_tensors(
        {{"fc.weight", {2, 3}, {1, 2, 3, 4, 5, 6}}, {"bn.bias", {2}, {7, 8}}, {"a", {}, {9}}},
        "three tensors", {{"format", "pt"}});
    CHECK(weights.size() == 3);
    CHECK_FALSE(weights.empty());
    CHECK(weights.source() == "three tensors");
    CHECK(weights.metadata().at("format") == "pt");

    std::vector<std::string> names;
    for (const TensorData& tensor : weights) names.emplace_back(tensor.name);
    CHECK(names == std::vector<std::string>{"a", "bn.bias", "fc.weight"});

    const TensorData* fc = weights.find("fc.weight");
    REQUIRE(fc != nullptr);
    CHECK(fc->shape == Dims{2, 3});
    CHECK(ElementReader(*fc)(4) == 5.0f);
    CHECK(weights.find("fc.weigh") == nullptr);
    CHECK(weights.find("zz") == nullptr);
    CHECK(weights.find("") == nullptr);
}

TEST_CASE("no weights at all are a valid handle") {
    const Weights none;
    CHECK(none.empty());
    CHECK(none.begin() == none.end());
    CHECK(none.find("a") == nullptr);
    CHECK(none.metadata().empty());
    CHECK(none.source() == "no weights");
    CHECK(Weights::from_tensors({}).empty());
}

TEST_CASE("copies share tensors, and the last one keeps them alive") {
    Weights last;
    const TensorData* tensor = nullptr;
    {
        const Weights first = Weights::from_tensors({{"w", {2}, {1.0f, 2.0f}}});
        tensor = first.find("w");
        const Weights second = first;
        CHECK(second.find("w") == tensor);
        last = second;
    }
    REQUIRE(last.find("w") == tensor);
    CHECK(tensor->name == "w");
    CHECK(ElementReader(*tensor)(1) == 2.0f);
}

TEST_CASE("values that do not fill their shape are refused") {
    struct Case {
        Dims shape;
        std::size_t values;
        const char* message;
    };
    const Case cases[] = {
        {{2, 3}, 5, "'conv.weight' of shape [2, 3] is given 5 values; it needs 6"},
        {{2, 3}, 7, "given 7 values; it needs 6"},
        {{}, 0, "given 0 values; it needs 1"},
        {{0}, 1, "given 1 values; it needs 0"},
        {{-1}, 1, "given 1 values"},
        {{std::int64_t{1} << 40, std::int64_t{1} << 40}, 1, "given 1 values"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.message);
        const auto result =
            Weights::try_from_tensors({{"conv.weight", c.shape, std::vector<float>(c.values)}});
        REQUIRE_FALSE(result);
        CHECK(result.error().code() == Error::Code::argument);
        CHECK(contains(result.error().message(), c.message));
    }
    CHECK(Weights::try_from_tensors({{"empty", {0, 4}, {}}}));
}

TEST_CASE("the builder refuses two tensors of one name and views beyond their bytes") {
    const std::vector<float> values = {1, 2, 3, 4};
    const auto bytes = std::as_bytes(std::span(values));
    {
        Weights::Builder builder("pair.bin");
        builder.add("w", contiguous_tensor(Dtype::f32, {4}, bytes));
        builder.add("w", contiguous_tensor(Dtype::f32, {2}, bytes));
        const auto result = std::move(builder).try_build();
        REQUIRE_FALSE(result);
        CHECK(result.error().message() == "pair.bin: two tensors are named 'w'");
    }
    {
        Weights::Builder builder("long.bin");
        builder.add("w", contiguous_tensor(Dtype::f32, {5}, bytes));
        const auto result = std::move(builder).try_build();
        REQUIRE_FALSE(result);
        CHECK(
            contains(result.error().message(), "long.bin: tensor 'w' of shape [5] (F32) needs 20"));
    }
    {
        Weights::Builder builder("good.bin");
        TensorData column = contiguous_tensor(Dtype::f32, {2}, bytes);
        column.strides = {2};
        builder.add("column", column);
        const auto result = std::move(builder).try_build();
        REQUIRE(result);
        CHECK(ElementReader(*result->find("column"))(1) == 3.0f);
    }
}

TEST_CASE("the strides of a tensor without elements are zero, whatever a file says") {
    TensorData empty;
    empty.dtype = Dtype::f32;
    empty.shape = {25088, 0};
    empty.strides = {std::int64_t{1} << 62, std::int64_t{1} << 62};
    Weights::Builder builder("w");
    builder.add("fc1/kernel", empty);
    const auto weights = std::move(builder).try_build();
    REQUIRE(weights);
    CHECK(weights->find("fc1/kernel")->strides == Dims{0, 0});
}

#if !defined(LUMBAR_TEST_KEEP_OPERATOR_NEW)
TEST_CASE("what is allocated is counted, so that bounds on it mean something") {
    const std::size_t before = lumbar_test::allocated_bytes;
    const auto bytes = Bytes::try_allocate(1000);
    const std::vector<int> numbers(1000);
    // Seen by somebody, or else the compiler may leave the allocation out.
    [[maybe_unused]] const int* const volatile seen = numbers.data();
    CHECK(lumbar_test::allocated_bytes - before >= 1000 + 1000 * sizeof(int));
}
#endif

}  // namespace weights_test
