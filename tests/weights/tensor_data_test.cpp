#include <lumbar/weights/tensor_data.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

namespace tensor_data_test {

using namespace lumbar;

namespace {

// Bytes of values at an odd address, so that a reader that casts pointers is caught by UBSan.
template <class T>
struct Unaligned {
    std::vector<std::byte> bytes;

    explicit Unaligned(const std::vector<T>& values) : bytes(values.size() * sizeof(T) + 1) {
        std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(T));
    }
    std::span<const std::byte> span() const { return std::span(bytes).subspan(1); }
};

TensorData strided(const Unaligned<float>& storage, const Dims& shape, const Dims& strides) {
    TensorData tensor = contiguous_tensor(Dtype::f32, shape, storage.span());
    tensor.strides = strides;
    return tensor;
}

std::vector<float> counting(int count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), 0.0f);
    return values;
}

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("floats of every readable type are read from odd addresses") {
    const std::vector<float> values = {0.0f, -1.5f, 0x1p-24f, 65504.0f, 3.140625f};
    std::vector<std::uint16_t> halves;
    std::vector<std::uint16_t> brains;
    std::vector<double> doubles;
    for (const float value : values) {
        halves.push_back(float_to_half(value));
        brains.push_back(float_to_bfloat16(value));
        doubles.push_back(value);
    }
    const Unaligned<float> f32(values);
    const Unaligned<std::uint16_t> f16(halves);
    const Unaligned<std::uint16_t> bf16(brains);
    const Unaligned<double> f64(doubles);
    const TensorData tensors[] = {
        contiguous_tensor(Dtype::f32, {5}, f32.span()),
        contiguous_tensor(Dtype::f16, {5}, f16.span()),
        contiguous_tensor(Dtype::bf16, {5}, bf16.span()),
        contiguous_tensor(Dtype::f64, {5}, f64.span()),
    };
    for (const TensorData& tensor : tensors) {
        CAPTURE(to_string(tensor.dtype));
        std::vector<float> floats(5);
        std::vector<double> wide(5);
        REQUIRE(try_read_floats(tensor, 0, floats));
        REQUIRE(try_read_doubles(tensor, 0, wide));
        const ElementReader at(tensor);
        for (std::size_t i = 0; i < values.size(); ++i) {
            const float expected =
                tensor.dtype == Dtype::bf16 ? bfloat16_to_float(brains[i]) : values[i];
            CHECK(floats[i] == expected);
            CHECK(wide[i] == double{expected});
            CHECK(at(static_cast<std::int64_t>(i)) == expected);
        }
    }
}

TEST_CASE("doubles keep their bits as doubles and are rounded as floats") {
    const Unaligned<double> storage({1.0 / 3.0, 1e300, -1e300, 1e-300});
    const TensorData tensor = contiguous_tensor(Dtype::f64, {4}, storage.span());
    std::vector<double> doubles(4);
    std::vector<float> floats(4);
    read_doubles(tensor, 0, doubles);
    read_floats(tensor, 0, floats);
    CHECK(doubles[0] == 1.0 / 3.0);
    CHECK(doubles[1] == 1e300);
    CHECK(floats[0] == static_cast<float>(1.0 / 3.0));
    CHECK(floats[1] == std::numeric_limits<float>::infinity());
    CHECK(floats[2] == -std::numeric_limits<float>::infinity());
    CHECK(floats[3] == 0.0f);
}

TEST_CASE("strided tensors are read in row-major order from any element on") {
    const Unaligned<float> storage(counting(120));
    struct Case {
        const char* what;
        Dims shape;
        Dims strides;
    };
    const Case cases[] = {
        {"dense", {2, 3, 4, 5}, {60, 20, 5, 1}},
        {"channels last", {2, 3, 4, 5}, {60, 1, 15, 3}},
        {"transposed matrix", {10, 12}, {1, 10}},
        {"1x1 kernel, channels last", {12, 10, 1, 1}, {10, 1, 10, 10}},
        {"depthwise kernel, channels last", {12, 1, 3, 3}, {9, 9, 3, 1}},
        {"a column", {10}, {12}},
        {"expanded scalar", {3, 4}, {0, 0}},
        {"expanded row", {3, 4}, {0, 1}},
        {"overlapping windows", {5, 4}, {2, 1}},
        {"scalar", {}, {}},
        {"eight dimensions", {2, 1, 2, 1, 2, 1, 2, 3}, {3, 7, 6, 7, 12, 7, 24, 1}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.what);
        const TensorData tensor = strided(storage, c.shape, c.strides);
        REQUIRE_FALSE(detail::view_problem(tensor));
        std::vector<float> expected;
        for (std::int64_t i = 0; i < tensor.size(); ++i) {
            std::int64_t offset = 0;
            std::int64_t rest = i;
            for (std::size_t d = c.shape.rank(); d-- > 0; rest /= c.shape[d]) {
                offset += rest % c.shape[d] * c.strides[d];
            }
            expected.push_back(static_cast<float>(offset));
        }
        const ElementReader at(tensor);
        for (std::int64_t first = 0; first <= tensor.size(); ++first) {
            for (std::int64_t count : {std::int64_t{1}, std::int64_t{7}, tensor.size()}) {
                count = std::min(count, tensor.size() - first);
                std::vector<float> got(static_cast<std::size_t>(count));
                std::vector<double> wide(static_cast<std::size_t>(count));
                REQUIRE(try_read_floats(tensor, first, got));
                REQUIRE(try_read_doubles(tensor, first, wide));
                const auto from = expected.begin() + first;
                CHECK(std::equal(got.begin(), got.end(), from));
                CHECK(std::equal(wide.begin(), wide.end(), from));
            }
            if (first < tensor.size())
                CHECK(at(first) == expected[static_cast<std::size_t>(first)]);
        }
    }
}

TEST_CASE("dense tensors are recognised whatever the strides of extents of one") {
    const Unaligned<float> storage(counting(24));
    CHECK(strided(storage, {2, 3, 4}, {12, 4, 1}).is_contiguous());
    CHECK(strided(storage, {24, 1, 1}, {1, 99, 7}).is_contiguous());
    CHECK(strided(storage, {}, {}).is_contiguous());
    CHECK(strided(storage, {0, 3}, {77, 5}).is_contiguous());
    CHECK_FALSE(strided(storage, {2, 3, 4}, {12, 1, 3}).is_contiguous());
    CHECK_FALSE(strided(storage, {4}, {2}).is_contiguous());
}

TEST_CASE("reading outside of a tensor or as the wrong type is an error that says so") {
    const Unaligned<float> storage(counting(6));
    TensorData tensor = contiguous_tensor(Dtype::f32, {2, 3}, storage.span());
    tensor.name = "fc.bias";
    std::vector<float> out(4);
    CHECK(try_read_floats(tensor, 2, out));
    CHECK(try_read_floats(tensor, 6, std::span<float>()));
    for (const std::int64_t first :
         {std::int64_t{-1}, std::int64_t{3}, std::int64_t{7},
          std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
        CAPTURE(first);
        const auto status = try_read_floats(tensor, first, out);
        REQUIRE_FALSE(status);
        CHECK(status.error().code() == Error::Code::argument);
        CHECK(contains(status.error().message(), "'fc.bias' has 6 elements"));
    }
    tensor.dtype = Dtype::i32;
    const auto status = try_read_doubles(tensor, 0, std::span<double>());
    REQUIRE_FALSE(status);
    CHECK(status.error().code() == Error::Code::unsupported);
    CHECK(contains(status.error().message(), "'fc.bias' holds I32"));
#if LUMBAR_HAS_EXCEPTIONS
    CHECK_THROWS_AS(read_floats(tensor, 0, out), Error);
#endif
}

TEST_CASE("a view that leaves its bytes is noticed") {
    const Unaligned<float> storage(counting(6));
    constexpr std::int64_t big = std::int64_t{1} << 62;
    struct Case {
        Dims shape;
        Dims strides;
        const char* message;  // null: fine
    };
    const Case cases[] = {
        {{2, 3}, {3, 1}, nullptr},
        {{6}, {1}, nullptr},
        {{7}, {1}, "needs 28 bytes but has 24"},
        {{2, 3}, {4, 1}, "needs 28 bytes but has 24"},
        {{0, 9}, {1, 1}, nullptr},
        {{1000000}, {0}, nullptr},  // one float, a million times: legal
        {{3}, {big}, "more bytes than can be counted"},
        {{2, 2}, {big, big}, "more bytes than can be counted"},
        {{big, big}, {0, 0}, "impossible shape"},
        {{-1}, {1}, "impossible shape"},
        {{2}, {-1}, "negative stride"},
        {{2, 3}, {1}, "2 extents but 1 strides"},
    };
    for (const Case& c : cases) {
        CAPTURE(to_string(c.shape));
        CAPTURE(to_string(c.strides));
        const auto problem = detail::view_problem(strided(storage, c.shape, c.strides));
        CHECK(problem.has_value() == (c.message != nullptr));
        if (problem && c.message) CHECK(contains(*problem, c.message));
    }
    TensorData nowhere;
    nowhere.byte_size = 4;
    CHECK(detail::view_problem(nowhere).has_value());
    TensorData nibbles = contiguous_tensor(Dtype::f4, {2, 24}, storage.span());
    CHECK_FALSE(detail::view_problem(nibbles));
    nibbles.strides = {1, 2};
    CHECK(contains(*detail::view_problem(nibbles), "smaller than a byte"));
}

}  // namespace tensor_data_test
