// PyTorch's files whose tensors, dicts or legacy streams are malformed, by hand or by malice.
#include "torch_malformed.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace torch_malformed_test {

using namespace lumbar;
using namespace lumbar_test;
using namespace std::string_literals;

TEST_CASE("the files of these tests load where nothing is wrong with them") {
    const std::string tar_storages =
        pickle(number(1)) +
        pickle(tuple({number(7), text("cpu"), global("torch", "FloatStorage")})) + little(4, 8) +
        std::string(16, '\1') + pickle("]");
    const std::string tar_tensors =
        pickle(number(1)) + pickle(tuple({number(9), number(7), global("torch", "FloatTensor")})) +
        little(1, 8) + little(4, 8) + little(1, 8) + little(0, 8);
    check_all({
        {"zip", zip_of(checkpoint(good_code())), ""},
        {"legacy",
         legacy_of({.code = dict({text("w"), tensor(storage({.more = "N"}), number(0), numbers({4}),
                                                    numbers({1}))})}),
         ""},
        {"tar",
         tar_of({{"storages", tar_storages},
                 {"tensors", tar_tensors},
                 {"pickle", pickle(dict({text("w"), number(9) + "Q"}))}}),
         ""},
    });
}

TEST_CASE("a persistent id must name a storage") {
    const auto id = [](const StorageId& storage_id) {
        return with(tensor(storage(storage_id), number(0), numbers({4}), numbers({1})));
    };
    const auto raw = [](const std::string& code) { return with(code + "Q"); };
    const std::string no_text = "a persistent id is no tuple that begins with a text";
    check_all({
        {"a number", raw("K\1"), no_text},
        {"an empty tuple", raw(")"), no_text},
        {"a tuple of a number", raw("K\1\x85"), no_text},
        {"one item", raw(text("storage") + "\x85"), "a storage's id has 1 items instead of 5"},
        {"four items", raw(tuple({text("storage"), "N", "N", "N"})),
         "a storage's id has 4 items instead of 5"},
        {"seven items", raw(tuple({text("storage"), "N", "N", "N", "N", "N", "N"})),
         "a storage's id has 7 items instead of 5"},
        {"a module", raw(tuple({text("module"), "N", text("f.py"), text("class")})),
         "a persistent id is of the kind 'module', and only 'storage' is read"},
        {"a kind of a megabyte", raw(text(std::string(1 << 20, 'x')) + "\x85"),
         "a persistent id is of the kind '" + std::string(120, 'x') +
             "...', and only 'storage' is read"},
        {"a key that is a number", id({.key = number(0)}),
         "a storage's key is no text, or a long one"},
        {"a key of a megabyte", id({.key = text(std::string(1 << 20, '0'))}),
         "a storage's key is no text, or a long one"},
        {"a key that leads elsewhere", id({.key = text("../x")}),
         "its record 'a/data/../x' is missing"},
        {"a key of the pickle", id({.key = text("../data.pkl")}),
         "its record 'a/data/../data.pkl' is missing"},
        {"a location of bytes",
         with(tensor(tuple({text("storage"), global("torch", "FloatStorage"), text("0"), "C\3cpu",
                            number(4)}) +
                         "Q",
                     number(0), numbers({4}), numbers({1}))),
         "byte 83 of its pickle data.pkl: its operation 67 is none that a state dict needs"},
        {"no type", id({.type = "N"}), "storage '0' has no type of a storage"},
        {"a function for a type", id({.type = global("torch._utils", "_rebuild_tensor_v2")}),
         "storage '0' has no type of a storage"},
        {"a text for a number", id({.count = text("4")}), "storage '0' has no number of elements"},
        {"a number of 255 bytes", id({.count = "\x8A\xFF" + std::string(255, '\1')}),
         "storage '0' has no number of elements"},
        {"a number of no bytes is 0", id({.count = "\x8A\0"s}),
         "storage '0' of 0 F32 needs 0 bytes, and its record has 16"},
        {"a number of 9 bytes: 2^63", id({.count = "\x8A\x09" + little(1ull << 63, 8) + "\0"s}),
         "storage '0' has no number of elements"},
        {"-1 elements", id({.count = number(-1)}), "storage '0' has no number of elements"},
        {"2^63 - 1 elements", id({.count = number(INT64_MAX)}),
         "storage '0' is said to have 9223372036854775807 elements"},
        {"2^40 elements", id({.count = number(std::int64_t{1} << 40)}),
         "storage '0' of 1099511627776 F32 needs 4398046511104 bytes, and its record has 16"},
        {"a second number", with(storage({.count = number(3)}) + plain_tensor() + "\x86"),
         "storage '0' is said to have 3 elements of F32, and 4 of F32"},
        {"a second type",
         with(storage({.type = global("torch", "IntStorage")}) + plain_tensor() + "\x86"),
         "storage '0' is said to have 4 elements of I32, and 4 of F32"},
    });
}

TEST_CASE("a tensor must lie within its storage") {
    const auto view = [](std::int64_t offset, std::initializer_list<std::int64_t> shape,
                         std::initializer_list<std::int64_t> strides) {
        return with(tensor(storage(), number(offset), numbers(shape), numbers(strides)));
    };
    const std::string way = "tensor 'w' is made in an unknown way";
    const std::string no_shape = "tensor 'w' has no shape of at most 8 whole numbers";
    const std::int64_t max = INT64_MAX;
    const auto rebuilt = [](const std::string& function,
                            std::initializer_list<std::string> arguments) {
        return with(call(global("torch._utils", function), arguments));
    };
    const std::string s = storage(), o = number(0), n = numbers({4}), u = numbers({1});
    check_all({
        {"the last element", view(3, {1}, {1}), ""},
        {"one beyond", view(1, {4}, {1}),
         "tensor 'w' of shape [4] (F32) needs 16 bytes but has 12"},
        {"begins at the end", view(4, {1}, {1}),
         "tensor 'w' of shape [1] (F32) needs 4 bytes but has 0"},
        {"begins beyond", view(5, {1}, {1}), "tensor 'w' begins at element 5 of a storage of 4"},
        {"begins before", view(-1, {1}, {1}), "tensor 'w' begins at element -1 of a storage of 4"},
        {"an offset that wraps", view(max, {1}, {1}),
         "tensor 'w' begins at element 9223372036854775807 of a storage of 4"},
        {"a stride beyond", view(0, {2, 2}, {3, 1}),
         "tensor 'w' of shape [2, 2] (F32) needs 20 bytes but has 16"},
        {"a stride that wraps", view(0, {3}, {max}),
         "tensor 'w' of shape [3] (F32) needs more bytes than can be counted but has 16"},
        {"a negative stride", view(3, {2}, {-1}), "tensor 'w' has a negative stride"},
        {"a negative extent", view(0, {-1}, {1}), "tensor 'w' has the impossible shape [-1]"},
        {"an extent of 2^63 - 1", view(0, {max, 2}, {1, 1}),
         "tensor 'w' has the impossible shape [9223372036854775807, 2]"},
        {"a size that wraps to 4", view(0, {1LL << 32, 1LL << 32}, {0, 0}),
         "tensor 'w' has the impossible shape [4294967296, 4294967296]"},
        {"strides of zero", view(0, {3, 4}, {0, 1}), ""},
        {"strides of zero, 10^12 elements", view(0, {1'000'000, 1'000'000}, {0, 0}),
         "tensor 'w' of shape [1000000, 1000000] (F32) and those before it would unfold to more "
         "than 16 times the file"},
        {"a scalar", view(2, {}, {}), ""},
        {"nothing, anywhere", view(max, {2, 0}, {max, max}), ""},
        {"an overlapping view", view(0, {2, 3}, {1, 1}), ""},
        {"fewer strides", view(0, {2, 2}, {1}), "tensor 'w' has 2 extents but 1 strides"},
        {"more strides", view(0, {2}, {1, 1}), "tensor 'w' has 1 extents but 2 strides"},
        {"eight dimensions", view(0, {1, 1, 1, 1, 1, 1, 1, 4}, {4, 4, 4, 4, 4, 4, 4, 1}), ""},
        {"nine dimensions", view(0, {1, 1, 1, 1, 1, 1, 1, 1, 4}, {4, 4, 4, 4, 4, 4, 4, 4, 1}),
         no_shape},
        {"a million dimensions", with(tensor(s, o, "(" + repeated("K\1", 1'000'000) + "t", u)),
         no_shape},
        {"a number for a shape", with(tensor(s, o, number(4), u)), no_shape},
        {"texts in a shape", with(tensor(s, o, tuple({text("4")}), u)), no_shape},
        {"texts in the strides", with(tensor(s, o, n, tuple({text("1")}))),
         "tensor 'w' has no strides, at most 8 whole numbers"},
        {"a text for an offset", with(tensor(s, text("0"), n, u)), "tensor 'w' has no offset"},
        {"a text for a storage", with(tensor(text("0"), o, n, u)), "tensor 'w' has no storage"},
        {"no arguments", rebuilt("_rebuild_tensor_v2", {}), way},
        {"v2 with five", rebuilt("_rebuild_tensor_v2", {s, o, n, u, "\x89"}), way},
        {"v2 with seven", rebuilt("_rebuild_tensor_v2", {s, o, n, u, "\x89", "N", "N"}), ""},
        {"v2 with eight", rebuilt("_rebuild_tensor_v2", {s, o, n, u, "\x89", "N", "N", "N"}), way},
        {"the first version", rebuilt("_rebuild_tensor", {s, o, n, u}), ""},
        {"the first with three", rebuilt("_rebuild_tensor", {s, o, n}), way},
        {"v3 without a dtype", rebuilt("_rebuild_tensor_v3", {s, o, n, u, "\x89", "N", "N"}),
         "tensor 'w' has no dtype"},
        {"v3 with six", rebuilt("_rebuild_tensor_v3", {s, o, n, u, "\x89", "N"}), way},
        {"v3 with nine", rebuilt("_rebuild_tensor_v3", {s, o, n, u, "\x89", "N", "N", "N", "N"}),
         way},
        {"a Parameter of nothing", rebuilt("_rebuild_parameter", {}), way},
        {"a Parameter of a number", rebuilt("_rebuild_parameter", {o, "\x88", "N"}), way},
        {"v3 over bytes",
         rebuilt("_rebuild_tensor_v3",
                 {storage({.type = global("torch.storage", "UntypedStorage"), .count = number(16)}),
                  o, n, u, "\x89", "N", global("torch", "float32")}),
         ""},
        {"v3 beyond its bytes",
         rebuilt("_rebuild_tensor_v3",
                 {storage({.type = global("torch.storage", "UntypedStorage"), .count = number(16)}),
                  o, n, u, "\x89", "N", global("torch", "float64")}),
         "tensor 'w' of shape [4] (F64) needs 32 bytes but has 16"},
        {"a Parameter", rebuilt("_rebuild_parameter", {plain_tensor(), "\x88", "N"}), ""},
        {"a Parameter of nothing", rebuilt("_rebuild_parameter", {"N", "\x88", "N"}), way},
        {"a Parameter of 0.3",
         with(global("torch.nn.parameter", "Parameter") + "(" + plain_tensor() +
              "\x88t\x81\x88\x89N\x87" + "b"),
         ""},
    });
}

TEST_CASE("a state dict is a dict of names and tensors, or holds one") {
    const auto root = [](const std::string& code) { return zip_of(checkpoint(code)); };
    const std::string other =
        "it holds no dict of names and tensors, but one value of another kind";
    const std::string t = plain_tensor();
    check_all({
        {"a bare tensor", root(t), other},
        {"a list of tensors", root("](" + t + t + "e"), other},
        {"a number", root("K\1"), other},
        {"nothing", root("N"), other},
        {"an empty dict", root("}"),
         "it holds no tensors in a dict, nor in its 'state_dict', 'model' or the like"},
        {"a dict of dicts", root(dict({text("a"), dict({text("w"), t})})),
         "it holds no tensors in a dict, nor in its 'state_dict', 'model' or the like; it has: "
         "'a'"},
        {"no tensors in the model",
         root(dict({text("model"), dict({text("a"), "N"}), text("w"), t})),
         "it holds no tensors in a dict, nor in its 'state_dict', 'model' or the like; it has: "
         "'a'"},
        {"a number for a name", root(dict({number(1), t})),
         "a tensor's name is no text, or has more than 1024 bytes"},
        {"a dict for a name", root(dict({"}", t})),
         "a tensor's name is no text, or has more than 1024 bytes"},
        {"a long name", root(dict({text(std::string(1025, 'x')), t})),
         "a tensor's name is no text, or has more than 1024 bytes"},
        {"a zero byte in a name", root(dict({text("a\0b"s), t})),
         "the tensor name 'a\\x00b' holds a zero byte"},
        {"a name twice", root(dict({text("w"), t, text("w"), t})),
         "its dict has the key 'w' twice"},
        {"a name of a tensor and of a number", root(dict({text("w"), t, text("w"), "K\1"})),
         "its dict has the key 'w' twice"},
        {"two dicts of one name",
         root(dict({text("model"), dict({text("w"), t}), text("model"), dict({text("v"), t})})),
         "its dict has the key 'model' twice"},
        {"a name with escapes", root(dict({text("\x1B[2J"), t, text("\x1B[2J"), t})),
         "its dict has the key '\\x1b[2J' twice"},
    });
    for (const char* key :
         {"state_dict", "model_state_dict", "model_state", "model", "net", "params"}) {
        const auto weights = load(
            root(dict({text("epoch"), "K\3", text("ema"), dict({text("w"), t}), text(key),
                       dict({text("module.w"), t, text("module.v"), t, text("step"), "K\1"})})));
        CAPTURE(key);
        REQUIRE(weights);
        CHECK(weights->size() == 2);
        CHECK(weights->find("w") != nullptr);
    }
    // A prefix that not all names have is a name's own; a network may be called "model".
    const auto own = load(root(dict({text("module.w"), t, text("v"), t, text("model"), t})));
    REQUIRE(own);
    CHECK(own->find("module.w") != nullptr);
    CHECK(own->find("model") != nullptr);
    const auto compiled = load(root(dict({text("_orig_mod.module.w"), t})));
    REQUIRE(compiled);
    CHECK(compiled->find("w") != nullptr);
}

TEST_CASE("a legacy file is refused where a part of it is wrong") {
    const auto code = [](const std::string& more) {
        return dict(
            {text("w"), tensor(storage({.more = more}), number(0), numbers({2}), numbers({1}))});
    };
    const auto view = [&](const std::string& key, std::int64_t begin, std::int64_t count) {
        return legacy_of({.code = code(tuple({key, number(begin), number(count)}))});
    };
    const std::string good = legacy_of({.code = code("N")});
    const std::string outside = "a view of storage '0' is no part of its 4 elements";
    const std::string ones(16, '\1');
    const auto two = dict(
        {text("w"), tensor(storage({.more = "N"}), number(0), numbers({2}), numbers({1})),
         text("v"),
         tensor(storage({.key = text("1"), .more = "N"}), number(0), numbers({2}), numbers({1}))});
    const auto two_views = [](const std::string& key, std::int64_t begin) {
        const auto part = [](const std::string& of, std::int64_t from) {
            return tensor(storage({.more = tuple({text(of), number(from), number(2)})}), number(0),
                          numbers({2}), numbers({1}));
        };
        return legacy_of({.code = dict({text("w"), part("v", 0), text("x"), part(key, begin)})});
    };
    const auto keys = [](const std::string& items) { return "](" + items + "e"; };
    const std::string more = little(4, 8) + ones;
    check_all({
        {"good", good, ""},
        {"a bad magic number", "\x80\x03" + good.substr(2),
         "it does not begin with the whole of PyTorch's magic number"},
        {"half a magic number", good.substr(0, 14),
         "it does not begin with the whole of PyTorch's magic number"},
        {"only the magic number", magic(),
         "byte 0 of its pickle of the version: an operand of 2 bytes, of which 0 are there"},
        {"version 1000", legacy_of({.code = code("N"), .version = number(1000)}),
         "has another version of PyTorch's format than 1001"},
        {"version None", legacy_of({.code = code("N"), .version = "N"}),
         "has another version of PyTorch's format than 1001"},
        {"no system", legacy_of({.code = code("N"), .system = "N"}),
         "its system is described by no dict"},
        {"a big-endian writer, whose file is little-endian",
         legacy_of({.code = code("N"), .system = dict({text("little_endian"), "\x89"})}), ""},
        {"keys that are no list", legacy_of({.code = code("N"), .keys = "}"}),
         "its storages' keys are no list"},
        {"a key that is a number", legacy_of({.code = code("N"), .keys = keys(number(0))}),
         "a storage's key in the list is no text"},
        {"no keys", legacy_of({.code = code("N"), .keys = "]", .storages = ""}),
         "storage '0' is not in the list of storages"},
        {"an unknown key", legacy_of({.code = code("N"), .keys = keys(text("x"))}),
         "storage 'x' is listed, but no tensor has it"},
        {"a key twice",
         legacy_of(
             {.code = code("N"), .keys = keys(text("0") + text("0")), .storages = more + more}),
         "storage '0' is listed twice"},
        {"keys in any order",
         legacy_of({.code = two, .keys = keys(text("1") + text("0")), .storages = more + more}),
         ""},
        {"another count", legacy_of({.code = code("N"), .storages = little(3, 8) + ones}),
         "storage '0' of 4 elements is said to have 3 where it begins"},
        {"a negative count", legacy_of({.code = code("N"), .storages = little(~0ull, 8) + ones}),
         "storage '0' of 4 elements is said to have 18446744073709551615 where it begins"},
        {"a count of 2^62",
         legacy_of({.code = code("N"), .storages = little(1ull << 62, 8) + ones}),
         "storage '0' of 4 elements is said to have 4611686018427387904 where it begins"},
        {"a huge storage in a small file",
         legacy_of(
             {.code = dict({text("w"), tensor(storage({.count = number(1LL << 40), .more = "N"}),
                                              number(0), numbers({2}), numbers({1}))}),
              .storages = little(1ull << 40, 8) + ones}),
         "storage '0' needs 4398046511104 bytes, of which 16 are there: the file is cut off; fetch "
         "it again"},
        {"cut off in a count", legacy_of({.code = code("N"), .storages = little(4, 7)}),
         "storage '0' is cut off; fetch the file again"},
        {"cut off in the data", good.substr(0, good.size() - 1),
         "storage '0' needs 16 bytes, of which 15 are there: the file is cut off; fetch it again"},
        {"bytes at the end", good + "x", "1 bytes follow its last storage"},
        {"a view", view(text("v"), 2, 2), ""},
        {"a view of a long key", view(text(std::string(65, 'v')), 2, 2),
         "a view of storage '0' has a key of 65 bytes"},
        {"two views that overlap",
         legacy_of(
             {.code = dict({text("w"),
                            tensor(storage({.more = tuple({text("v"), number(0), number(3)})}),
                                   number(0), numbers({3}), numbers({1})),
                            text("x"),
                            tensor(storage({.more = tuple({text("u"), number(1), number(3)})}),
                                   number(0), numbers({3}), numbers({1}))})}),
         ""},
        {"a view of a view",
         legacy_of(
             {.code = dict({text("w"),
                            tensor(storage({.more = tuple({text("v"), number(0), number(3)})}),
                                   number(0), numbers({3}), numbers({1})),
                            text("x"),
                            tensor(storage({.key = text("v"),
                                            .count = number(3),
                                            .more = tuple({text("u"), number(1), number(2)})}),
                                   number(0), numbers({2}), numbers({1}))})}),
         "storage 'v' is not in the list of storages"},
        {"a view of nothing", view(text("v"), 4, 0),
         "tensor 'w' of shape [2] (F32) needs 8 bytes but has 0"},
        {"a view that ends beyond", view(text("v"), 2, 3), outside},
        {"a view that begins beyond", view(text("v"), 5, 0), outside},
        {"a view from -1", view(text("v"), -1, 2), outside},
        {"a view of -1", view(text("v"), 0, -1), outside},
        {"a view that wraps", view(text("v"), 2, INT64_MAX), outside},
        {"a view of two things", legacy_of({.code = code(tuple({text("v"), number(0)}))}), outside},
        {"a view that is a number", legacy_of({.code = code(number(1))}), outside},
        {"a view without a key", view("N", 2, 2), outside},
        {"a view twice", two_views("v", 0), ""},
        {"two views", two_views("u", 2), ""},
        {"two views of one key", two_views("v", 2), "two parts of its storages have the key 'v'"},
        {"a view with a storage's key", view(text("0"), 2, 2),
         "two parts of its storages have the key '0'"},
        {"a tensor beyond its view", view(text("v"), 1, 1),
         "tensor 'w' of shape [2] (F32) needs 8 bytes but has 4"},
        {"an id of five items", legacy_of({.code = code("")}),
         "a storage's id has 5 items instead of 6"},
        {"a pickled module",
         legacy_of({.code = tuple({text("module"), "N", text("f.py"), text("class")}) + "Q"}),
         "a persistent id is of the kind 'module', and only 'storage' is read"},
    });
}

TEST_CASE("a legacy file cut off within a pickle names it") {
    const std::string code =
        dict({text("w"), tensor(storage({.more = "N"}), number(0), numbers({4}), numbers({1}))});
    const Legacy parts{.code = code};
    std::string file = magic();
    for (const auto& [name, content] :
         {std::pair<std::string, std::string>{"of the version", parts.version},
          {"of the system", parts.system},
          {"of the object", parts.code},
          {"of the keys", parts.keys}}) {
        file += "\x80\x02" + content;
        check_all({{name, file,
                    "byte " + std::to_string(2 + content.size()) + " of its pickle " + name +
                        ": it ends without the operation that ends it"}});
        file += ".";
    }
}

}  // namespace torch_malformed_test
