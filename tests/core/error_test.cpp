#include <lumbar/core/error.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

namespace error_test {

namespace {

using lumbar::Error;
using lumbar::Result;
using lumbar::Status;
using lumbar::Success;

Result<int> half(int x) {
    if (x % 2) return Error(Error::Code::argument, std::to_string(x) + " is odd");
    return x / 2;
}

Result<int> quarter(int x) {
    Result<int> result = half(x);
    if (!result) return result.error();
    return half(*result);
}

Status positive(int x) {
    if (x <= 0) return Error(Error::Code::argument, "not positive");
    return Success{};
}

}  // namespace

TEST_CASE("an error tells its code and its message") {
    const Error error(Error::Code::weights, "conv1.weight is missing");
    CHECK(error.code() == Error::Code::weights);
    CHECK(error.message() == "conv1.weight is missing");
    CHECK(std::string(error.what()) == "conv1.weight is missing");
}

TEST_CASE("a result is a value or an error, and passes either on") {
    CHECK(quarter(12));
    CHECK(quarter(12).has_value());
    CHECK(*quarter(12) == 3);
    CHECK_FALSE(quarter(5));
    CHECK(quarter(5).error().message() == "5 is odd");
    CHECK(quarter(6).error().message() == "3 is odd");
    CHECK(quarter(6).error().code() == Error::Code::argument);
}

TEST_CASE("a status is a result without a value") {
    CHECK(positive(1));
    CHECK_FALSE(positive(0));
    CHECK(positive(0).error().message() == "not positive");
    std::move(positive(1)).value();
}

TEST_CASE("a result holds what can only be moved") {
    Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
    CHECK(**result == 7);
    CHECK(*result->get() == 7);
    std::unique_ptr<int> taken = std::move(result).value();
    CHECK(*taken == 7);
    std::unique_ptr<int> again = *Result<std::unique_ptr<int>>(std::move(taken));
    CHECK(*again == 7);
}

TEST_CASE("a value can be changed in its result") {
    Result<std::string> result(std::string("net"));
    *result += "work";
    result->push_back('s');
    const Result<std::string>& read_only = result;
    CHECK(*read_only == "networks");
    CHECK(read_only->size() == 8);
}

TEST_CASE("a result of errors is no contradiction") {
    struct Report {
        Error first;
    };
    const Result<Report> report(Report{Error(Error::Code::io, "seen")});
    REQUIRE(report);
    CHECK(report->first.code() == Error::Code::io);
}

#if LUMBAR_HAS_EXCEPTIONS
TEST_CASE("value() returns the value or throws the error") {
    CHECK(half(4).value() == 2);
    CHECK_THROWS_AS(half(3).value(), Error);
    CHECK_THROWS_AS(half(3).value(), std::exception);
    CHECK_THROWS_WITH(half(3).value(), "3 is odd");
    try {
        positive(-1).value();
        FAIL("nothing was thrown");
    } catch (const Error& error) {
        CHECK(error.code() == Error::Code::argument);
    }
}
#endif

}  // namespace error_test
