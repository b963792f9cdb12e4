// Every way in which PyTorch's files are known to be malformed, by hand or by malice.
#include "torch_bytes.hpp"

#include <lumbar/weights/load.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

using namespace lumbar;
using namespace lumbar_test;
using namespace std::string_literals;

namespace {

struct Malformed {
    std::string what;
    std::string file;
    std::string message;  // without "bad.pth: " and "not a valid PyTorch file: "; empty: it loads
};

Result<Weights> load(const std::string& file) {
    // A block of its own, so that the sanitizer sees a read beyond the file's end.
    const std::vector<char> exact(file.begin(), file.end());
    return try_load_weights(std::as_bytes(std::span(exact)), "bad.pth");
}

void check_all(const std::vector<Malformed>& files) {
    for (const Malformed& file : files) {
        CAPTURE(file.what);
        const auto begin = std::chrono::steady_clock::now();
        const auto result = load(file.file);
        CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
        if (file.message.empty()) {
            if (!result) FAIL(result.error().message());
            continue;
        }
        REQUIRE_FALSE(result);
        std::string message = result.error().message();
        CHECK(message.size() < 700);
        CHECK(message.find('\n') == std::string::npos);
        CHECK(message.substr(0, 9) == "bad.pth: ");
        message.erase(0, 9);
        const std::string prefix = "not a valid PyTorch file: ";
        if (message.substr(0, prefix.size()) == prefix) {
            CHECK(result.error().code() == Error::Code::format);
            message.erase(0, prefix.size());
        } else if (message.substr(0, 7) != "tensor " && message.substr(0, 4) != "two ") {
            CHECK(result.error().code() == Error::Code::unsupported);
        }
        CHECK(message == file.message);
    }
}

std::string repeated(const std::string& piece, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += piece;
    return out;
}

// A checkpoint whose dict has the tensor "w".
std::string with(const std::string& tensor_code) {
    return zip_of(checkpoint(dict({text("w"), tensor_code})));
}
std::string good_code() { return dict({text("w"), plain_tensor()}); }

// What the pickle with this code must say; `at` is the byte of the operation that fails.
Malformed bad_pickle(const std::string& what, const std::string& code, std::size_t at,
                     const std::string& message) {
    return {what, zip_of({{"a/data.pkl", "\x80\x02" + code}, {"a/version", "3"}}),
            "byte " + std::to_string(at) + " of its pickle data.pkl: " + message};
}

std::string refusal_of(const std::string& name) {
    return "is no plain state dict: it names the Python object '" + name +
           "', as a whole pickled module or the state of a training does; save the tensors alone, "
           "if you trust the file: python3 -c \"import torch; m = torch.load('IN', "
           "map_location='cpu', weights_only=False); torch.save(m['model'] if isinstance(m, dict) "
           "else m.state_dict(), 'OUT.pth')\"";
}

const char* const kNoEnd =
    "it does not end with a zip archive's end record; it may be cut off, or something was added to "
    "it: fetch it again";

}  // namespace

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

TEST_CASE("a zip archive's directory must be where and what it says") {
    const std::string good = zip_of(checkpoint(good_code()));
    const std::size_t end = good.size() - 22;
    std::size_t directory = 0;
    const std::string body = zip_body(checkpoint(good_code()), directory);
    const std::size_t size = body.size() - directory;
    const auto at_end = [&](std::size_t at, const std::string& bytes) {
        std::string file = good;
        return file.replace(end + at, bytes.size(), bytes);
    };
    const auto zip64 = [&](std::uint64_t count, std::uint64_t length, std::uint64_t begin,
                           std::uint64_t record, const std::string& signature = "PK\x06\x06") {
        return body + signature + little(44, 8) + little(0x2D'002D, 4) + little(0, 8) +
               little(count, 8) + little(count, 8) + little(length, 8) + little(begin, 8) +
               "PK\x06\x07" + little(0, 4) + little(record, 8) + little(1, 4) +
               zip_end(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF);
    };
    const std::string length = std::to_string(size), start = std::to_string(directory);
    check_all({
        {"the end record cut off", good.substr(0, good.size() - 1), kNoEnd},
        {"no end record", good.substr(0, end), kNoEnd},
        {"bytes after the end record", good + "x", kNoEnd},
        {"a comment", at_end(20, little(4, 2)) + "note", kNoEnd},
        {"an end record in a comment", at_end(20, little(22, 2)) + good.substr(end),
         "its directory is said to be " + length + " bytes from byte " + start +
             " on, but must end at byte " + std::to_string(good.size())},
        {"two end records", good + good.substr(end),
         "its directory is said to be " + length + " bytes from byte " + start +
             " on, but must end at byte " + std::to_string(good.size())},
        {"an archive of nothing", zip_end(0, 0, 0),
         "a zip archive without '/data.pkl', which torch.save writes"},
        {"65535 entries", at_end(8, little(0xFFFF'FFFF, 4)),
         "its directory of " + length + " bytes cannot list 65535 entries"},
        {"fewer entries", at_end(8, little(2 << 16 | 2, 4)),
         "its directory goes on after the last entry"},
        {"one entry too many", at_end(8, little(4 << 16 | 4, 4)),
         size / 46 >= 4 ? "entry 3 of its directory is damaged"
                        : "its directory of " + length + " bytes cannot list 4 entries"},
        {"a part of several archives", at_end(4, little(1, 2)),
         "it is one part of a zip archive in several"},
        {"a directory beyond the file", at_end(16, little(1 << 30, 4)),
         "its directory is said to be " + length +
             " bytes from byte 1073741824 on, but must end at byte " + std::to_string(end)},
        {"a directory of 4 GB", at_end(12, little(0xFFFFFFFF, 4)),
         "its directory is said to be 4294967295 bytes from byte " + start +
             " on, but must end at byte " + std::to_string(end)},
        {"zip64", zip64(3, size, directory, body.size()), ""},
        {"zip64: 2^63 entries", zip64(1ull << 63, size, directory, body.size()),
         "its directory of " + length + " bytes cannot list 9223372036854775808 entries"},
        {"zip64: a place that wraps", zip64(3, ~0ull, directory, body.size()),
         "its directory is said to be 18446744073709551615 bytes from byte " + start +
             " on, but must end at byte " + std::to_string(body.size())},
        {"zip64: a locator that points elsewhere", zip64(3, size, directory, 1ull << 63),
         "its zip64 end record should be just before the locator, which says byte "
         "9223372036854775808"},
        {"zip64: another signature", zip64(3, size, directory, body.size(), "PK\x06\x05"),
         "its zip64 end record should be just before the locator, which says byte " +
             std::to_string(body.size())},
        {"bytes before the archive", "PK\x03\x04" + good,
         "its directory is said to be " + length + " bytes from byte " + start +
             " on, but must end at byte " + std::to_string(end + 4)},
    });
}

TEST_CASE("an entry of a zip archive must be described once, and lie alone") {
    const auto changed = [](const ZipMember& version) {
        auto members = checkpoint(good_code());
        members[2] = version;
        return zip_of(members);
    };
    const std::string name = "a/version";
    const auto zip64_extra = [](std::uint64_t bytes) {
        return little(1, 2) + little(8, 2) + little(bytes, 8);
    };
    check_all({
        {"no header", changed({.name = name, .data = "3", .header = 1}),
         "its entry 'a/version' has no header at byte 1"},
        {"a header beyond the file", changed({.name = name, .data = "3", .header = 1 << 30}),
         "its entry 'a/version' has no header at byte 1073741824"},
        {"another name before the data",
         changed({.name = name, .data = "3", .local_name = "a/versioN"}),
         "its entry 'a/version' is named 'a/versioN' before its data"},
        {"another size before the data", changed({.name = name, .data = "3", .local_size = 2}),
         "its entry 'a/version' is described otherwise before its data than in the directory"},
        {"more than the archive", changed({.name = name, .data = "3", .directory_size = 1000}),
         "its entry 'a/version' of 1000 bytes reaches beyond the archive's data"},
        {"4 GB", changed({.name = name, .data = "3", .directory_size = 0xFFFFFFFE}),
         "its entry 'a/version' of 4294967294 bytes reaches beyond the archive's data"},
        {"zip64 without its field", changed({.name = name, .data = "3", .directory_size = ~0u}),
         "its entry 'a/version' has damaged extra fields"},
        {"zip64, cut off",
         changed({.name = name,
                  .data = "3",
                  .directory_size = ~0u,
                  .extra = little(1, 2) + little(8, 2) + "1234"}),
         "its entry 'a/version' has damaged extra fields"},
        {"zip64, one of two sizes",
         changed({.name = name, .data = "3", .directory_size = ~0u, .extra = zip64_extra(1)}),
         "its entry 'a/version' has damaged extra fields"},
        {"zip64, huge",
         changed({.name = name,
                  .data = "3",
                  .directory_size = ~0u,
                  .extra = little(1, 2) + little(16, 2) + little(~0ull, 8) + little(~0ull, 8)}),
         "its entry 'a/version' of 18446744073709551615 bytes reaches beyond the archive's data"},
        {"encrypted", changed({.name = name, .data = "3", .flags = 1}),
         "its entry 'a/version' is encrypted"},
        {"deflated", changed({.name = name, .data = "3", .method = 8}),
         "its record 'a/version' is compressed, which torch.save never does (method 8); unzip it, "
         "and zip it again with zip -0"},
        {"of method 99", changed({.name = name, .data = "3", .method = 99}),
         "its record 'a/version' is compressed, which torch.save never does (method 99); unzip it, "
         "and zip it again with zip -0"},
        {"sizes after the data, and before it too",
         changed({.name = name, .data = "3", .flags = 8}), ""},
        {"twice the same name",
         zip_of({{"a/data.pkl", pickle(good_code())}, {"a/v", "3"}, {"a/v", "3"}}),
         "it has two entries named 'a/v'"},
        {"overlapping",
         zip_of(
             {{"a/data.pkl", pickle(good_code())},
              {"a/v", zip_of({{"b", ""}}), "", 0, 0, 0, 0, 0, ""},
              {.name = "b",
               .data = "",
               .header = static_cast<std::uint32_t>(30 + 10 + pickle(good_code()).size() + 33)}}),
         "its entries 'a/v' and 'b' overlap"},
    });
}

TEST_CASE("what a zip archive must contain, and what only others do") {
    const auto code = pickle(good_code());
    const std::string ones(16, '\1');
    const auto in_order = [&](const std::string& version, const std::string& order) {
        return zip_of({{"a/data.pkl", code},
                       {"a/data/0", ones},
                       {"a/version", version},
                       {"a/byteorder", order}});
    };
    check_all({
        {"no folder", zip_of({{"data.pkl", code}}),
         "a zip archive without 'data.pkl/data.pkl', which torch.save writes"},
        {"another folder", zip_of({{"b/x", ""}, {"a/data.pkl", code}}),
         "a zip archive without 'b/data.pkl', which torch.save writes"},
        {"an empty name", zip_of({{"", ""}}),
         "a zip archive without '/data.pkl', which torch.save writes"},
        {"names that lead elsewhere",
         zip_of({{"a/data.pkl", code},
                 {"a/data/0", ones},
                 {"a/version", "3"},
                 {"../../x", "y"},
                 {"/etc/x", "y"},
                 {"a\\..\\x", "y"},
                 {"n\0l"s, "y"}}),
         ""},
        {"no storage", zip_of({{"a/data.pkl", code}, {"a/version", "3"}}),
         "its record 'a/data/0' is missing"},
        {"no version", zip_of({{"a/data.pkl", code}, {"a/data/0", ones}}),
         "its record 'a/version' is missing"},
        {"version 11", in_order("11\n", "little"),
         "has the version '11' of PyTorch's format; 1 to 10 are read"},
        {"version x", in_order("x", "little"),
         "has the version 'x' of PyTorch's format; 1 to 10 are read"},
        {"version 10", in_order("10", "little"), ""},
        {"big-endian", in_order("3", "big"),
         "was written on a big-endian machine, which is not read here; save it on a little-endian "
         "one, after torch.load"},
        {"an unknown order", in_order("3", "litle"), "its byteorder is 'litle'"},
        {"TorchScript", zip_of({{"a/data.pkl", code}, {"a/constants.pkl", ""}}),
         "is TorchScript, a program with its weights, which is not read here; save the weights "
         "alone: python3 -c \"import torch; m = torch.jit.load('IN', map_location='cpu'); "
         "torch.save(m.state_dict(), 'OUT.pth')\""},
        {"a storage one byte short", zip_of(checkpoint(good_code(), std::string(15, '\1'))),
         "storage '0' of 4 F32 needs 16 bytes, and its record has 15"},
        {"a storage one byte long", zip_of(checkpoint(good_code(), std::string(17, '\1'))),
         "storage '0' of 4 F32 needs 16 bytes, and its record has 17"},
        {"bytes after the pickle",
         zip_of({{"a/data.pkl", code + "xyz"}, {"a/data/0", ones}, {"a/version", "3"}}),
         "3 bytes follow its pickle data.pkl"},
    });
}

TEST_CASE("a pickle is refused at the operation that is wrong") {
    const std::string none = "it takes a value where there is none";
    const std::string no_end = "it ends without the operation that ends it";
    const auto unknown = [](int code) {
        return "its operation " + std::to_string(code) + " is none that a state dict needs";
    };
    std::vector<Malformed> cases = {
        bad_pickle("nothing", "", 2, no_end),
        bad_pickle("no end", "N", 3, no_end),
        bad_pickle("an end without a value", ".", 2, "it ends with 0 values where one is expected"),
        bad_pickle("an end with two", "NN.", 4, "it ends with 2 values where one is expected"),
        bad_pickle("an end in a tuple", "(N.", 4, "it ends with 1 values where one is expected"),
        bad_pickle("an odd number of items", "}(NNNu.", 7, "it sets a key without a value"),
        bad_pickle("items of a tuple", ")NNs.", 5, "it sets items of what is no dict"),
        bad_pickle("items of a text", text("x") + "NNs.", 10, "it sets items of what is no dict"),
        bad_pickle("items of a tensor", plain_tensor() + "NNs.", 4 + plain_tensor().size(),
                   "it sets items of what is no dict"),
        bad_pickle("appending to a dict", "}Na.", 4, "it appends to what is no list"),
        bad_pickle("appending to a tuple", ")(Ne.", 5, "it appends to what is no list"),
        bad_pickle("an unset memo", "h\x05.", 2, "it recalls value 5, which it has not remembered"),
        bad_pickle("a gap in the memo", "N(tq\x01h\0."s, 7,
                   "it recalls value 0, which it has not remembered"),
        bad_pickle("a memo of 2^32", "Nr\xFF\xFF\xFF\xFF.", 3,
                   "it remembers value 4294967295, but has not made so many"),
        bad_pickle("remembering nothing", "q\0."s, 2, "it remembers a value where there is none"),
        bad_pickle("a text of 4 GB", "X\xFF\xFF\xFF\xFFx.", 2,
                   "an operand of 4294967295 bytes, of which 2 are there"),
        bad_pickle("a name without an end", "cos", 2,
                   "a global's name has no end, or more than 255 bytes"),
        bad_pickle("a name of a megabyte", "c" + std::string(1 << 20, 'x') + "\n", 2,
                   "a global's name has no end, or more than 255 bytes"),
        bad_pickle("calling a number", "K\1)R.", 5,
                   "it calls what is no function, or with no arguments"),
        bad_pickle("calling with a list", global("torch._utils", "_rebuild_tensor_v2") + "]R.", 36,
                   "it calls what is no function, or with no arguments"),
        bad_pickle("calling a type", call(global("torch", "FloatStorage"), {}), 24,
                   "it makes a storage or a dtype by a call"),
        bad_pickle("an OrderedDict of two things",
                   call(global("collections", "OrderedDict"), {"N", "N"}), 31,
                   "an OrderedDict has one list of items at most"),
        bad_pickle("an OrderedDict of numbers",
                   call(global("collections", "OrderedDict"), {"](K\1K\2e"}), 36,
                   "an OrderedDict is made of what are no pairs of keys and values"),
        bad_pickle("the state of a number", "K\1}b.", 5,
                   "it sets the state of what is neither an OrderedDict nor a Parameter"),
        bad_pickle("the state of a dict", "}}b.", 4,
                   "it sets the state of what is neither an OrderedDict nor a Parameter"),
        bad_pickle("the state of a tensor", plain_tensor() + "}b.", 3 + plain_tensor().size(),
                   "it sets the state of what is neither an OrderedDict nor a Parameter"),
        bad_pickle("the state of nothing", "}b.", 3, none),
        bad_pickle("65 marks", repeated("(", 65) + ".", 66,
                   "it nests deeper than 64 levels (LoadLimits::depth)"),
        bad_pickle("a million marks", repeated("(", 1'000'000) + ".", 66,
                   "it nests deeper than 64 levels (LoadLimits::depth)"),
        bad_pickle("too many operations", repeated("N", 4'000'001), 4'000'002,
                   "it has more than 4000000 operations (LoadLimits::pickle_operations)"),
        {"protocol 1", zip_of({{"a/data.pkl", "}."}, {"a/version", "3"}}),
         "byte 0 of its pickle data.pkl: it does not begin as a pickle of protocol 2"},
        {"an empty pickle", zip_of({{"a/data.pkl", ""}, {"a/version", "3"}}),
         "byte 0 of its pickle data.pkl: an operand of 2 bytes, of which 0 are there"},
    };
    for (const int protocol : {0, 1, 3, 4, 5, 255}) {
        cases.push_back({"protocol " + std::to_string(protocol),
                         zip_of({{"a/data.pkl", "\x80"s + static_cast<char>(protocol) + "N."},
                                 {"a/version", "3"}}),
                         "byte 0 of its pickle data.pkl: it has protocol " +
                             std::to_string(protocol) +
                             ", and only 2 is read, which torch.save writes where nothing else is "
                             "asked for"});
    }
    // What takes values from an empty stack, and from one that ends at a mark.
    for (const char* code : {"\x85", "\x86", "\x87", "a", "s", "R", "\x81", "b", "Q"}) {
        cases.push_back(bad_pickle("underflow of "s + code, code + "."s, 2, none));
        cases.push_back(bad_pickle("underflow at a mark of "s + code, "N("s + code + ".", 4, none));
    }
    for (const char* code : {"t", "e", "u"}) {
        cases.push_back(bad_pickle("no mark for "s + code, "N"s + code + ".", 3,
                                   "it closes what it has not opened"));
    }
    for (const auto& [code, size] : std::vector<std::pair<std::string, int>>{
             {"K", 1}, {"M", 2}, {"J", 4}, {"\x8A", 1}, {"G", 8}, {"X", 4}, {"U", 1}}) {
        cases.push_back(
            bad_pickle("cut off: " + code, code, 2,
                       "an operand of " + std::to_string(size) + " bytes, of which 0 are there"));
    }
    for (const char* code : {"q", "r", "h", "j"}) {
        cases.push_back(bad_pickle("cut off: "s + code, "N"s + code, 3,
                                   "an operand of "s + (*code == 'q' || *code == 'h' ? "1" : "4") +
                                       " bytes, of which 0 are there"));
    }
    for (int code = 0; code < 256; ++code) {
        if (std::string(".(NKMJGXU)]}taesuqrhjcRbQ\x80\x81\x85\x86\x87\x88\x89\x8A")
                    .find(static_cast<char>(code)) != std::string::npos &&
            code != 0x80) {
            continue;
        }
        cases.push_back(bad_pickle("operation " + std::to_string(code),
                                   std::string(1, static_cast<char>(code)) + "....", 2,
                                   unknown(code)));
    }
    check_all(cases);
}

TEST_CASE("names that have no business in a state dict are refused, whatever is done with them") {
    for (const auto& [module, name] :
         std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                          {"posix", "system"},
                                                          {"builtins", "eval"},
                                                          {"__builtin__", "eval"},
                                                          {"torch", "load"},
                                                          {"torch.serialization", "load"},
                                                          {"torch", "_utils"},
                                                          {"collections", "Counter"},
                                                          {"torch.nn.modules.conv", "Conv2d"},
                                                          {"torch", "FloatStorage2"},
                                                          {"evil", "FloatStorage"},
                                                          {"torch", "Storage"},
                                                          {"", ""}}) {
        const std::string code = global(module, name) + text("x") + "\x85R.";
        check_all({{module + name, zip_of({{"a/data.pkl", "\x80\x02" + code}, {"a/version", "3"}}),
                    refusal_of(module + "." + name)}});
    }
    check_all({
        {"quantised",
         zip_of({{"a/data.pkl", pickle(global("torch", "QInt8Storage"))}, {"a/version", "3"}}),
         "holds quantised tensors ('torch.QInt8Storage'), which are not read here; give the "
         "weights "
         "of the network before it was quantised"},
        {"a meta tensor",
         zip_of({{"a/data.pkl", pickle(global("torch._utils", "_rebuild_meta_tensor_no_storage"))},
                 {"a/version", "3"}}),
         "holds tensors of a kind that is not read here "
         "('torch._utils._rebuild_meta_tensor_no_storage'); save them as dense ones, with "
         ".to_dense() or .contiguous()"},
    });
}

TEST_CASE("pickles that grow when they are walked cost no more than their bytes") {
    const auto around = [](const std::string& bomb) {
        return zip_of(checkpoint(dict({text("w"), plain_tensor(), text("x"), bomb})));
    };
    std::string doubled = "N";
    for (int i = 0; i < 40; ++i) {
        const auto memo = std::string(1, static_cast<char>(i));
        doubled += "q" + memo + "0h" + memo;
    }
    doubled = ")";
    for (int i = 0; i < 60; ++i) {
        const auto memo = std::string(1, static_cast<char>(i));
        doubled += "q" + memo + "h" + memo + "\x86";
    }
    std::string pairs = "](";
    for (int i = 0; i < 1000; ++i) pairs += "NN\x86";
    pairs += "eq\x01";
    std::string dicts = pairs;
    for (int i = 0; i < 10'000; ++i)
        dicts += global("collections", "OrderedDict") + "h\x01\x85R\x86";
    check_all({
        {"a million tuples in tuples", around(")" + repeated("\x85", 1'000'000)), ""},
        {"a tuple doubled sixty times", around(doubled), ""},
        {"a list that contains itself", around("]q\x01h\x01" + "a"s), ""},
        {"a dict that contains itself", around("}q\x01Nh\x01s"), ""},
        {"the root contains itself",
         zip_of(checkpoint("}q\0(h\0"s + text("w") + "h\0"s + text("v") + plain_tensor() + "u"))
             .replace(0, 0, ""),
         "byte 153 of its pickle data.pkl: it sets a key without a value"},
        {"a thousand pairs ten thousand times", around(dicts),
         "byte 122490 of its pickle data.pkl: it has more than 4000000 operations "
         "(LoadLimits::pickle_operations)"},
        {"its own Parameter",
         with(global("torch.nn.parameter", "Parameter") + ")\x81q\x05(h\x05NNNNtb"),
         "tensor 'w' is made in an unknown way"},
        {"a Parameter of a Parameter",
         with(call(
             global("torch._utils", "_rebuild_parameter"),
             {call(global("torch._utils", "_rebuild_parameter"), {plain_tensor(), "\x89", "N"}),
              "\x89", "N"})),
         "tensor 'w' is made in an unknown way"},
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
        {"no type", id({.type = "N"}), "storage '0' has no type of a storage"},
        {"a function for a type", id({.type = global("torch._utils", "_rebuild_tensor_v2")}),
         "storage '0' has no type of a storage"},
        {"a text for a number", id({.count = text("4")}), "storage '0' has no number of elements"},
        {"a number of 255 bytes", id({.count = "\x8A\xFF" + std::string(255, '\1')}),
         "storage '0' has no number of elements"},
        {"a number of no bytes is 0", id({.count = "\x8A\0"s}),
         "storage '0' of 0 F32 needs 0 bytes, and its record has 16"},
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
        {"a long name", root(dict({text(std::string(1025, 'x')), t})),
         "a tensor's name is no text, or has more than 1024 bytes"},
        {"a zero byte in a name", root(dict({text("a\0b"s), t})),
         "the tensor name 'a\\x00b' holds a zero byte"},
        {"a name twice", root(dict({text("w"), t, text("w"), t})), "two tensors are named 'w'"},
        {"a name with escapes", root(dict({text("\x1B[2J"), t, text("\x1B[2J"), t})),
         "two tensors are named '\\x1b[2J'"},
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
        {"a view of nothing", view(text("v"), 4, 0),
         "tensor 'w' of shape [2] (F32) needs 8 bytes but has 0"},
        {"a view that ends beyond", view(text("v"), 2, 3), outside},
        {"a view that begins beyond", view(text("v"), 5, 0), outside},
        {"a view from -1", view(text("v"), -1, 2), outside},
        {"a view of -1", view(text("v"), 0, -1), outside},
        {"a view that wraps", view(text("v"), 2, INT64_MAX), outside},
        {"a view of two things", legacy_of({.code = code(tuple({text("v"), number(0)}))}), outside},
        {"a view that is a number", legacy_of({.code = code(number(1))}), outside},
        {"a tensor beyond its view", view(text("v"), 1, 1),
         "tensor 'w' of shape [2] (F32) needs 8 bytes but has 4"},
        {"an id of five items", legacy_of({.code = code("")}),
         "a storage's id has 5 items instead of 6"},
        {"a pickled module",
         legacy_of({.code = tuple({text("module"), "N", text("f.py"), text("class")}) + "Q"}),
         "a persistent id is of the kind 'module', and only 'storage' is read"},
    });
}
