// classify --stream from the inside: the queue, the input, and whole runs on streams in memory.
#include "../../examples/classify_stream.hpp"
#include "../../examples/fashion_mnist/network.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <thread>
#include <vector>

namespace stream_test {

using namespace lumbar;

namespace {

struct Number {
    int value = 0;
    bool prepared = false;
};

/// Whether the condition comes true within ten seconds.
template <class Condition>
bool soon(Condition&& condition) {
    for (int i = 0; i < 10000 && !condition(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return condition();
}

std::string error_of(const std::function<void()>& body) {
    try {
        body();
    } catch (const std::exception& e) {
        return e.what();
    }
    return "(nothing thrown)";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

/// A length as --stream=bytes has it.
std::string prefix(std::uint32_t length) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(length >> shift & 255);
    return text;
}

/// A folder that is gone at the end, with pictures of 28 x 28 that differ.
struct Pictures {
    static constexpr int kCount = 14;
    const std::string folder = "stream_test.scratch/";
    const std::string out = folder + "out.jsonl";
    std::vector<std::string> files;
    std::string paths;  ///< a line each, and every seventh of no file

    Pictures() {
        std::filesystem::remove_all(folder);
        std::filesystem::create_directory(folder);
        for (int i = 0; i < kCount; ++i) {
            std::string file = "P5 28 28 255\n";
            for (int p = 0; p < 28 * 28; ++p) {
                const bool inside = p % 28 > i % 9 && p / 28 > i % 5 + 3;
                file += static_cast<char>(inside ? 200 - 7 * i + p % 5 : 0);
            }
            files.push_back(file);
            const std::string path = folder + std::to_string(i) + ".pgm";
            if (i % 7 != 3) write(path, file);
            paths += path + "\n";
        }
    }
    ~Pictures() {
        std::error_code none;
        std::filesystem::remove_all(folder, none);
    }
};

const Classifier& classifier() {
    static const Classifier made = [] {
        const std::string folder = LUMBAR_SOURCE_DIR "/examples/fashion_mnist/";
        const Weights weights = load_weights(folder + "fashion_mnist.safetensors");
        return Classifier{
            compile(fashion_mnist::network(), weights, {.height = 28, .width = 28, .threads = 2}),
            weights, fashion_mnist::kPreset, read_labels(folder + "labels.txt")};
    }();
    return made;
}

void run(const std::string& input, const StreamOptions& o) {
    std::istringstream in(input);
    classify_stream(classifier(), o, 3, in);
}

}  // namespace

TEST_CASE("a queue gives every item once and in order, and never holds more than its slots") {
    constexpr int kItems = 20000, kSlots = 7;
    StreamQueue<Number> queue(std::vector<Number>(kSlots), 3);
    std::atomic<int> inside = 0, most = 0;
    std::vector<std::jthread> threads;
    threads.emplace_back([&] {
        for (int i = 0; i < kItems; ++i) {
            queue.push(static_cast<std::uint64_t>(i % 3), [&](Number& slot) {
                slot = {i, false};
                most = std::max<int>(most, ++inside);
            });
        }
        queue.finish();
    });
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            while (queue.prepare([](Number& slot) {
                if (slot.value % 97 == 0) std::this_thread::yield();
                slot.prepared = true;
            })) {
            }
        });
    }
    int next = 0, wrong = 0;
    for (;;) {
        std::size_t wanted = 0;
        const auto taken = queue.take([&](Number&) { return ++wanted == 5; });
        if (taken.empty()) break;
        wrong += taken.size() > 5;
        for (const Number* number : taken) wrong += number->value != next++ || !number->prepared;
        inside -= static_cast<int>(taken.size());
        queue.release(taken.size());
    }
    CHECK(next == kItems);
    CHECK(wrong == 0);
    CHECK(most <= kSlots);
}

TEST_CASE("a queue holds nothing back for an item that has not come") {
    StreamQueue<Number> queue(std::vector<Number>(4), 100);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(queue.push(1, [&](Number& slot) { slot.value = i; }));
        REQUIRE(queue.prepare([](Number&) {}));
        CHECK(queue.take([](Number&) { return false; }).size() == 1);  // it would hang
        queue.release(1);
    }
}

TEST_CASE("a queue bounds the weight of what is not prepared, and lets a heavy item go alone") {
    StreamQueue<Number> queue(std::vector<Number>(8), 10);
    std::atomic<int> pushed = 0;
    std::jthread reader([&] {
        for (const std::uint64_t weight : {6u, 4u, 1u, 50u, 1u}) {
            queue.push(weight, [](Number&) {});
            ++pushed;
        }
    });
    REQUIRE(soon([&] { return pushed == 2; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(pushed == 2);
    queue.prepare([](Number&) {});
    REQUIRE(soon([&] { return pushed == 3; }));
    queue.prepare([](Number&) {});
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(pushed == 3);
    queue.prepare([](Number&) {});
    REQUIRE(soon([&] { return pushed == 4; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(pushed == 4);
    queue.prepare([](Number&) {});
    REQUIRE(soon([&] { return pushed == 5; }));
}

TEST_CASE("closing a queue frees who waits; a failure is thrown after the last item") {
    StreamQueue<Number> full(std::vector<Number>(1), 10);
    full.push(0, [](Number&) {});
    full.prepare([](Number&) {});
    {
        std::jthread reader([&] { CHECK_FALSE(full.push(0, [](Number&) {})); });
        std::jthread preparer([&] { CHECK_FALSE(full.prepare([](Number&) {})); });
        full.close();
    }
    StreamQueue<Number> failing(std::vector<Number>(2), 10);
    failing.push(0, [](Number&) {});
    failing.finish(std::make_exception_ptr(std::runtime_error("no more")));
    CHECK(failing.prepare([](Number&) {}));
    CHECK_FALSE(failing.prepare([](Number&) {}));
    CHECK(failing.take([](Number&) { return false; }).size() == 1);
    failing.release(1);
    CHECK_THROWS_WITH_AS((void)failing.take([](Number&) { return false; }), "no more",
                         std::runtime_error);
}

TEST_CASE("paths are lines, as they are") {
    const std::string longest(StreamInput::kMaxPath, 'a');
    std::istringstream in("one\n\n two \r\n\xFF\n" + longest + "\n" + longest + "b\nlast");
    StreamInput input(in, false);
    for (const std::string& path : {std::string("one"), std::string(), std::string(" two \r"),
                                    std::string("\xFF"), longest}) {
        const auto item = input.next();
        REQUIRE(item);
        CHECK(item->path == path);
        CHECK(item->error == "");
    }
    const auto too_long = input.next();
    REQUIRE(too_long);
    CHECK(too_long->path == longest);
    CHECK(too_long->error == "a line of 65537 bytes is no path; at most 65536 are read");
    const auto last = input.next();
    REQUIRE(last);
    CHECK(last->path == "last");
    CHECK_FALSE(input.next());
    CHECK(input.consumed() == in.str().size());
}

TEST_CASE("images come behind their lengths; too large ones are skipped") {
    std::istringstream in(prefix(3) + "abc" + prefix(0) + prefix(70000) + std::string(70000, 'x') +
                          prefix(2) + std::string("\0\n", 2));
    StreamInput input(in, true, 69999);
    const auto bytes_of = [&] {
        const auto item = input.next();
        REQUIRE(item);
        CHECK(item->error == "");
        return std::string(item->bytes.begin(), item->bytes.end());
    };
    CHECK(bytes_of() == "abc");
    CHECK(bytes_of() == "");
    CHECK(input.next().value().error == "the image has 70000 bytes; at most 69999 are read");
    CHECK(bytes_of() == std::string("\0\n", 2));
    CHECK_FALSE(input.next());
}

TEST_CASE("an input that ends within an image is an error, whatever length it promised") {
    const struct {
        std::string tail, message;
    } cases[] = {{"\1\2", "2 of 4 bytes of its length"},
                 {prefix(4) + "abc", "3 of 4 bytes"},
                 {prefix(1u << 28) + "abc", "3 of 268435456 bytes"},
                 {prefix(0xFFFFFFFF) + "abc", "3 of 4294967295 bytes"}};
    for (const auto& c : cases) {
        std::istringstream in(prefix(1) + "a" + c.tail);
        StreamInput input(in, true);
        REQUIRE(input.next());
        CHECK(error_of([&] { (void)input.next(); }) ==
              "standard input ends within image 1: " + c.message);
    }
}

TEST_CASE("lines do not depend on batches and threads, and are what the network says") {
    const Pictures pictures;
    run(pictures.paths, {.stream = "paths", .resume = pictures.out, .batch = 1});
    const std::string expected = content(pictures.out);
    std::istringstream lines(expected);
    std::string text;
    for (int i = 0; i < Pictures::kCount; ++i) {
        CAPTURE(i);
        REQUIRE(std::getline(lines, text));
        const auto line = nlohmann::json::parse(text);
        CHECK(line["index"] == i);
        CHECK(line["image"] == pictures.folder + std::to_string(i) + ".pgm");
        CHECK(line.contains("error") == (i % 7 == 3));
        if (i % 7 == 3) {
            CHECK(contains(line["error"], "No such file"));
            continue;
        }
        const auto best =
            top_k(classifier().network(preprocess(
                      read_image(pictures.folder + std::to_string(i) + ".pgm", {.channels = 1}),
                      classifier().preset)),
                  3);
        REQUIRE(line["top"].size() == best.size());
        for (std::size_t k = 0; k < best.size(); ++k) {
            CHECK(line["top"][k]["class"] == best[k].index);
            CHECK(line["top"][k]["label"] == classifier().label(best[k]));
            CHECK(line["top"][k]["logit"].get<float>() == best[k].logit);
            CHECK(line["top"][k]["probability"].get<float>() == best[k].probability);
        }
    }
    CHECK_FALSE(std::getline(lines, text));
    for (const int batch : {2, 3, 8, 64}) {
        for (const int threads : {1, 5}) {
            CAPTURE(batch);
            CAPTURE(threads);
            std::filesystem::remove(pictures.out);
            run(pictures.paths, {.stream = "paths",
                                 .resume = pictures.out,
                                 .batch = batch,
                                 .decode_threads = threads});
            CHECK(content(pictures.out) == expected);
        }
    }
}

TEST_CASE("images in bytes give the lines that their files give") {
    const Pictures pictures;
    std::string paths, bytes;
    for (int i = 0; i < Pictures::kCount; ++i) {
        if (i % 7 == 3) continue;
        const std::string& file = pictures.files[static_cast<std::size_t>(i)];
        paths += pictures.folder + std::to_string(i) + ".pgm\n";
        bytes += prefix(static_cast<std::uint32_t>(file.size())) + file;
    }
    run(paths, {.stream = "paths", .resume = pictures.out});
    run(bytes, {.stream = "bytes", .resume = pictures.folder + "bytes"});
    std::istringstream by_path(content(pictures.out)), by_bytes(content(pictures.folder + "bytes"));
    std::string a, b;
    int lines = 0;
    for (; std::getline(by_path, a) && std::getline(by_bytes, b); ++lines) {
        auto with_path = nlohmann::json::parse(a);
        with_path.erase("image");
        CHECK(with_path == nlohmann::json::parse(b));
    }
    CHECK(lines == 12);
    // What is no image costs its line, and an end within an image comes after the lines before it.
    std::filesystem::remove(pictures.out);
    CHECK(contains(error_of([&] {
                       run(prefix(2) + "no" + prefix(0) + prefix(9) + "x",
                           {.stream = "bytes", .resume = pictures.out});
                   }),
                   "ends within image 2"));
    CHECK(content(pictures.out) ==
          "{\"index\":0,\"error\":\"cannot read an image in memory: it is not a JPEG, PNG, BMP or "
          "PNM image\"}\n"
          "{\"index\":1,\"error\":\"cannot read an image in memory: it is empty\"}\n");
}

TEST_CASE("a run goes on wherever it ended") {
    const Pictures pictures;
    const StreamOptions options{
        .stream = "paths", .resume = pictures.out, .batch = 4, .decode_threads = 2};
    run(pictures.paths, options);
    const std::string whole = content(pictures.out);
    std::vector<std::size_t> ends;
    for (std::size_t end = 0; end <= whole.size(); ++end) {
        const std::size_t line = end == 0 ? 0 : whole.rfind('\n', end - 1) + 1;
        const std::size_t into = end - line;  // at a line's beginning, within its index, further on
        if (into == 0 || into == 10 || into == 60) ends.push_back(end);
    }
    CHECK(ends.size() == 3 * Pictures::kCount + 1);
    for (const std::size_t end : ends) {
        CAPTURE(end);
        write(pictures.out, whole.substr(0, end));
        run(pictures.paths, options);
        CHECK(content(pictures.out) == whole);
    }
    run(pictures.paths, options);
    CHECK(content(pictures.out) == whole);
}

TEST_CASE("a file that is of another run is refused and left alone") {
    const Pictures pictures;
    const StreamOptions options{.stream = "paths", .resume = pictures.out};
    run(pictures.paths, options);
    const std::string whole = content(pictures.out);
    const struct {
        std::string file, message;
    } cases[] = {
        {"a letter, without an end", "line 1 is not of this input's image 0"},
        {"a letter\n", "line 1 is not of this input's image 0"},
        {"[]\n", "line 1 is not of this input's image 0"},
        {"{\"index\":\"0\"}\n", "line 1 is not of this input's image 0"},
        {"{\"index\":0,\"image\":\"other.png\"}\n", "line 1 is not of this input's image 0"},
        {whole.substr(whole.find('\n') + 1), "line 1 is not of this input's image 0"},
        {whole.substr(0, whole.find('\n') + 1) + "{\"index\":9,", "line 2 is not of"},
        {whole + "\n", "has more lines than the input has images (14)"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.file);
        write(pictures.out, c.file);
        CHECK(contains(error_of([&] { run(pictures.paths, options); }), c.message));
        CHECK(content(pictures.out) == c.file);
    }
    CHECK(contains(
        error_of([&] { run("", {.stream = "paths", .resume = pictures.folder + "none/out"}); }),
        "none/out: cannot be opened: No such file"));
    CHECK(contains(error_of([&] { run("", {.stream = "paths", .resume = pictures.folder}); }),
                   "is not a regular file"));
}

namespace {

/// Lines, each of which comes only when the one before has been answered.
class AskingBuffer : public std::streambuf {
   public:
    AskingBuffer(std::string lines, std::string answers)
        : lines_(std::move(lines)), answers_(std::move(answers)) {}
    int unanswered() const { return unanswered_; }

   private:
    int_type underflow() override {
        unanswered_ += !soon([&] { return std::ranges::count(content(answers_), '\n') >= asked_; });
        ++asked_;
        const std::size_t end = lines_.find('\n', at_);
        if (end == std::string::npos) return traits_type::eof();
        setg(&lines_[at_], &lines_[at_], &lines_[end] + 1);
        at_ = end + 1;
        return traits_type::to_int_type(*gptr());
    }

    std::string lines_, answers_;
    std::size_t at_ = 0;
    int asked_ = 0;
    std::atomic<int> unanswered_ = 0;
};

}  // namespace

TEST_CASE("a program that asks for one image at a time is answered") {
    const Pictures pictures;
    AskingBuffer buffer(pictures.paths, pictures.out);
    std::istream in(&buffer);
    classify_stream(classifier(), {.stream = "paths", .resume = pictures.out, .batch = 16}, 3, in);
    CHECK(buffer.unanswered() == 0);
    CHECK(std::ranges::count(content(pictures.out), '\n') == Pictures::kCount);
}

}  // namespace stream_test
