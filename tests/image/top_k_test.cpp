// Rankings: order, ties, numbers that are none, and names.
#include <lumbar/image/imagenet_labels.hpp>
#include <lumbar/image/labels.hpp>
#include <lumbar/image/top_k.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace top_k_test {

using namespace lumbar;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<int> indices(const std::vector<Prediction>& predictions) {
    std::vector<int> result;
    for (const Prediction& p : predictions) result.push_back(p.index);
    return result;
}

Tensor network_output(int n) {
    Tensor logits(Shape{.n = n, .c = 1000});
    logits(n - 1, 285, 0, 0) = 20.0f;
    logits(n - 1, 281, 0, 0) = 18.0f;
    return logits;
}

std::string scratch_path(const std::string& name) {
    return (std::filesystem::temp_directory_path() /
            ("lumbar_" + std::to_string(reinterpret_cast<std::uintptr_t>(&name)) + name))
        .string();
}

}  // namespace

TEST_CASE("the best classes come first, with the softmax over all classes") {
    const std::vector<float> logits = {1.0f, 3.0f, 2.0f, -1.0f};
    const std::vector<Prediction> best = top_k(logits, 2);
    CHECK(indices(best) == std::vector<int>{1, 2});
    const double sum = std::exp(1.0) + std::exp(3.0) + std::exp(2.0) + std::exp(-1.0);
    CHECK(best[0].logit == 3.0f);
    CHECK(best[0].probability == doctest::Approx(std::exp(3.0) / sum));
    CHECK(best[1].probability == doctest::Approx(std::exp(2.0) / sum));
}

TEST_CASE("k is limited to the classes that there are") {
    const std::vector<float> logits = {1.0f, 3.0f};
    CHECK(top_k(logits, 5).size() == 2);
    CHECK(top_k(logits, 0).empty());
    CHECK(top_k(logits, -3).empty());
    CHECK(top_k(std::vector<float>(), 5).empty());
}

TEST_CASE("equal logits rank by index") {
    CHECK(indices(top_k(std::vector<float>{1.0f, 2.0f, 2.0f, 1.0f, 2.0f}, 5)) ==
          std::vector<int>{1, 2, 4, 0, 3});
    CHECK(indices(top_k(std::vector<float>{-0.0f, 0.0f, -0.0f}, 3)) == std::vector<int>{0, 1, 2});
}

TEST_CASE("great logits do not overflow") {
    const std::vector<Prediction> best = top_k(std::vector<float>{1e30f, 3e38f, -3e38f}, 3);
    CHECK(best[0].probability == 1.0f);
    CHECK(best[1].probability == 0.0f);
}

TEST_CASE("NaN ranks last and infinities share the probability") {
    const std::vector<Prediction> with_nan =
        top_k(std::vector<float>{kNaN, 1.0f, -kInfinity, 1.0f}, 4);
    CHECK(indices(with_nan) == std::vector<int>{1, 3, 2, 0});
    CHECK(with_nan[0].probability == 0.5f);
    CHECK(with_nan[2].probability == 0.0f);
    CHECK(with_nan[3].probability == 0.0f);

    const std::vector<Prediction> infinite =
        top_k(std::vector<float>{kInfinity, 5.0f, kInfinity, kNaN}, 4);
    CHECK(indices(infinite) == std::vector<int>{0, 2, 1, 3});
    CHECK(infinite[1].probability == 0.5f);
    CHECK(infinite[2].probability == 0.0f);

    const std::vector<Prediction> lowest = top_k(std::vector<float>{-kInfinity, -kInfinity}, 2);
    CHECK(lowest[0].probability == 0.5f);
    const std::vector<Prediction> none = top_k(std::vector<float>{kNaN, -kNaN}, 2);
    CHECK(indices(none) == std::vector<int>{0, 1});
    CHECK(none[0].probability == 0.0f);
}

TEST_CASE("a name and a probability come out of each prediction") {
    std::string printed;
    for (auto [label, p] : top_k(network_output(1), 2, labels::imagenet)) {
        static_assert(std::is_same_v<decltype(label), const char*>);
        static_assert(std::is_same_v<decltype(p), float>);
        printed += std::string(label) + (p > 0.5f ? "!" : "?");
    }
    CHECK(printed == "Egyptian cat!tabby?");
    const std::vector<LabeledPrediction> best = top_k(network_output(1), 1, labels::imagenet);
    CHECK(best[0].index == 285);
    CHECK(best[0].logit == 20.0f);
}

TEST_CASE("a batch is ranked picture by picture") {
    const Tensor batch = network_output(2);
    CHECK_FALSE(try_top_k(batch, 5));
    CHECK(top_k(logits_of(batch, 1), 1)[0].index == 285);
    CHECK(top_k(logits_of(batch, 0), 1)[0].index == 0);
    CHECK(top_k(network_output(1).view(), 1)[0].index == 285);
    CHECK_FALSE(try_top_k(Tensor(Shape{.n = 1, .c = 3, .h = 2, .w = 2}), 1));
}

TEST_CASE("another number of labels than of logits is an error") {
    const Tensor background(Shape{.n = 1, .c = 1001});
    const auto best = try_top_k(background, 5, labels::imagenet);
    REQUIRE_FALSE(best);
    CHECK(best.error().message().find("1001 logits but 1000 labels") != std::string::npos);
    CHECK(best.error().message().find("background") != std::string::npos);
    const std::vector<std::string> names = {"a", "b"};
    CHECK_FALSE(try_top_k(std::vector<float>(3), 1, names));
    CHECK(top_k(std::vector<float>{0.0f, 1.0f}, 1, names)[0].label == std::string_view("b"));
}

TEST_CASE("ImageNet's names stand at their indices") {
    struct Case {
        std::size_t index;
        std::string_view name;
    };
    constexpr Case cases[] = {
        {0, "tench"},    {1, "goldfish"},        {134, "crane bird"}, {207, "golden retriever"},
        {281, "tabby"},  {285, "Egyptian cat"},  {517, "crane"},      {638, "maillot"},
        {934, "hotdog"}, {999, "toilet tissue"},
    };
    static_assert(labels::imagenet.size() == 1000);
    for (const Case& c : cases) CHECK(std::string_view(labels::imagenet[c.index]) == c.name);
    const std::set<std::string_view> different(labels::imagenet.begin(), labels::imagenet.end());
    CHECK(different.size() == 1000);
}

TEST_CASE("labels are read a line each, whatever the line ends") {
    const std::string path = scratch_path("labels.txt");
    struct Case {
        std::string text;
        std::vector<std::string> expected;
    };
    const Case cases[] = {
        {"cat\ndog\n", {"cat", "dog"}},
        {"cat\ndog", {"cat", "dog"}},
        {"cat\r\n\r\ndog\r\n", {"cat", "", "dog"}},
        {"\xEF\xBB\xBF"
         "chat\n",
         {"chat"}},
        {"\n", {""}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        std::ofstream(path, std::ios::binary) << c.text;
        CHECK(read_labels(path) == c.expected);
    }
    std::ofstream(path, std::ios::binary) << std::string("cat\0dog", 7);
    CHECK_FALSE(try_read_labels(path));
    std::ofstream(path, std::ios::binary) << std::string(1000001, '\n');
    CHECK_FALSE(try_read_labels(path));
    std::filesystem::remove(path);
    const auto missing = try_read_labels(path);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().message().find(path) != std::string::npos);
    CHECK_FALSE(try_read_labels(std::filesystem::temp_directory_path().string()));
}

}  // namespace top_k_test
