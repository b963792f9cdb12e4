// The tar archives that PyTorch wrote before 0.2, malformed.
#include "torch_malformed.hpp"

#include <lumbar/weights/load.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace torch_tar_test {

using namespace lumbar;
using namespace lumbar_test;
using namespace std::string_literals;

namespace {

// A file with the storage 7 of four floats and the tensor 9 of them. What is given replaces a part.
struct Tar {
    std::string storage_count = number(1);
    std::string storage_id = tuple({number(7), text("cpu"), global("torch", "FloatStorage")});
    std::string storage = little(4, 8) + std::string(16, '\1');
    std::string views = "]";
    std::string tensor_count = number(1);
    std::string tensor_id = tuple({number(9), number(7), global("torch", "FloatTensor")});
    std::string tensor = little(1, 8) + little(4, 8) + little(1, 8) + little(0, 8);
    std::string object = dict({text("w"), number(9) + "Q"});

    std::string storages() const {
        return pickle(storage_count) + pickle(storage_id) + storage + pickle(views);
    }
    std::string tensors() const { return pickle(tensor_count) + pickle(tensor_id) + tensor; }
    std::string file() const {
        return tar_of(
            {{"storages", storages()}, {"tensors", tensors()}, {"pickle", pickle(object)}});
    }
};

}  // namespace

TEST_CASE("a tar archive is refused where a part of it is wrong") {
    struct Case {
        std::string what;
        std::string file;
        std::string message;  // empty: it loads
    };
    const std::string ones(16, '\1');
    const std::string good = Tar().file();
    std::string damaged = good;
    damaged[10] = 'x';
    const std::string not_torch =
        "is a tar archive, but no PyTorch checkpoint (it has no members 'storages', 'tensors' and "
        "'pickle'); unpack it first";
    const std::string not_valid = "not a valid PyTorch file: ";
    const std::string cut = "; fetch the file again";
    const auto view = [](std::int64_t root, std::int64_t begin, std::int64_t count) {
        return Tar{.views = "]" + numbers({8, root, begin, count}) + "a"}.file();
    };
    const std::string no_part = not_valid + "a view of a storage is no part of it";
    const auto rank = [&](std::uint64_t n) {
        return Tar{.tensor = little(n, 8) + std::string(8 * 40, '\0')}.file();
    };
    const Case cases[] = {
        {"good", good, ""},
        {"another archive", tar_of({{"README", "hello"}}), not_torch},
        {"a member is missing",
         tar_of({{"storages", Tar().storages()}, {"tensors", Tar().tensors()}}), not_torch},
        {"a member twice", tar_of({{"pickle", "x"}, {"pickle", "y"}}),
         not_valid + "it has two members named 'pickle'"},
        {"a damaged header", damaged,
         not_valid + "a tar member has a damaged header at byte 0" + cut},
        {"cut off", good.substr(0, 514), not_valid + "a tar member is cut off at byte 512" + cut},
        {"no number of storages", Tar{.storage_count = "N"}.file(),
         not_valid + "its member 'storages' does not begin with a number of things"},
        {"a negative number of storages", Tar{.storage_count = number(-1)}.file(),
         not_valid + "its member 'storages' does not begin with a number of things"},
        {"2^63 - 1 storages", Tar{.storage_count = number(INT64_MAX)}.file(),
         not_valid + "storage 1 has no key, location and type"},
        {"a storage without a type", Tar{.storage_id = tuple({number(7), "N", "N"})}.file(),
         not_valid + "storage 0 has no key, location and type"},
        {"a storage of 2^62", Tar{.storage = little(1ull << 62, 8) + ones}.file(),
         not_valid + "storage 0 of 4611686018427387904 elements of F32 is cut off" + cut},
        {"a storage of -1", Tar{.storage = little(~0ull, 8) + ones}.file(),
         not_valid + "storage 0 of -1 elements of F32 is cut off" + cut},
        {"views that are no list", Tar{.views = "}"}.file(),
         not_valid + "its views of storages are no list"},
        {"a view", view(7, 1, 3), ""},
        {"a view of another storage", view(6, 0, 1), no_part},
        {"a view from -1", view(7, -1, 1), no_part},
        {"a view that ends beyond", view(7, 2, 3), no_part},
        {"a view that wraps", view(7, 2, INT64_MAX), no_part},
        {"two views of the same place",
         Tar{.views = "](" + numbers({8, 7, 0, 4}) + numbers({6, 7, 1, 3}) + "e"}.file(), ""},
        {"a view of a view",
         Tar{.views = "](" + numbers({8, 7, 0, 4}) + numbers({6, 8, 0, 4}) + "e"}.file(), no_part},
        {"a view of three numbers", Tar{.views = "]" + numbers({8, 7, 0}) + "a"}.file(), no_part},
        {"a view with a storage's key", Tar{.views = "]" + numbers({7, 7, 0, 1}) + "a"}.file(),
         not_valid + "two of its storages have the key 7"},
        {"a view 100,000 times",
         Tar{.views = "](" + numbers({8, 7, 0, 4}) + "q\1" + repeated("h\1", 99'999) + "e"}.file(),
         not_valid + "two of its storages have the key 8"},
        {"a tensor of an unknown storage",
         Tar{.tensor_id = tuple({number(9), number(6), "N"})}.file(),
         not_valid + "tensor 0 of its member 'tensors' has an unknown storage"},
        {"a tensor without a key", Tar{.tensor_id = tuple({"N", number(7), "N"})}.file(),
         not_valid + "tensor 0 of its member 'tensors' has no key, storage and type"},
        {"nine dimensions", rank(9),
         not_valid + "tensor 0 of its member 'tensors' has 9 dimensions; at most 8 are read"},
        {"2^32 - 1 dimensions", rank(~0ull),
         not_valid +
             "tensor 0 of its member 'tensors' has 4294967295 dimensions; at most 8 are read"},
        {"a shape cut off", Tar{.tensor = little(3, 8) + little(1, 8)}.file(),
         not_valid + "tensor 0 of its member 'tensors' is cut off" + cut},
        {"a tensor that begins before its storage",
         Tar{.tensor = little(1, 8) + little(1, 8) + little(1, 8) + little(~0ull, 8)}.file(),
         not_valid + "tensor 0 of its member 'tensors' begins at element -1 of a storage of 4"},
        {"a tensor that ends beyond its storage",
         Tar{.tensor = little(1, 8) + little(5, 8) + little(1, 8) + little(0, 8)}.file(),
         "tensor 'w' of shape [5] (F32) needs 20 bytes but has 16"},
        {"an unknown tensor", Tar{.object = dict({text("w"), number(5) + "Q"})}.file(),
         not_valid + "a persistent id is the key of no tensor"},
        {"a class by its source",
         Tar{.object = tuple({"N", text("f.py"), text("class")}) + "Q"}.file(),
         not_valid + "a persistent id is the key of no tensor"},
        {"protocol 3", Tar{.object = "N"}.file().replace(good.find("pickle") + 513, 1, "\3"),
         not_valid + "byte 0 of its pickle pickle: it has protocol 3, and only 2 is read, which "
                     "torch.save writes where nothing else is asked for"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.what);
        const auto result = load(c.file);
        if (c.message.empty()) {
            if (!result) FAIL(result.error().message());
            CHECK(result->find("w") != nullptr);
        } else {
            REQUIRE_FALSE(result);
            CHECK(result.error().message() == "bad.pth: " + c.message);
        }
    }
}

TEST_CASE("a tar archive has no more storages, views and tensors than the limit") {
    const auto with_limit = [](const std::string& file, std::size_t tensors) {
        LoadLimits limits;
        limits.tensors = tensors;
        const auto result = try_load_weights(std::as_bytes(std::span(file)), "bad.pth", limits);
        return result ? std::string() : result.error().message();
    };
    const std::string views =
        Tar{.views = "](" + numbers({8, 7, 0, 4}) + numbers({6, 7, 1, 3}) + "e"}.file();
    CHECK(with_limit(views, 3) == "");
    CHECK(with_limit(views, 2) ==
          "bad.pth: not a valid PyTorch file: it has more than 2 storages (LoadLimits::tensors)");
    Tar two;
    two.storage_count = number(2);
    two.storage += pickle(tuple({number(6), text("cpu"), global("torch", "FloatStorage")})) +
                   little(4, 8) + std::string(16, '\1');
    CHECK(with_limit(two.file(), 2) == "");
    CHECK(with_limit(two.file(), 1) ==
          "bad.pth: not a valid PyTorch file: it has more than 1 storages (LoadLimits::tensors)");
    two = {};
    two.tensor_count = number(2);
    two.tensor +=
        pickle(tuple({number(5), number(7), global("torch", "FloatTensor")})) + Tar().tensor;
    CHECK(with_limit(two.file(), 2) == "");
    CHECK(with_limit(two.file(), 1) ==
          "bad.pth: not a valid PyTorch file: it has more than 1 tensors (LoadLimits::tensors)");
}

}  // namespace torch_tar_test
