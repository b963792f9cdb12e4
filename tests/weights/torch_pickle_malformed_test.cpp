// Pickles that are no state dict's, by hand or by malice.
#include "torch_malformed.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace torch_pickle_malformed_test {

using namespace lumbar;
using namespace lumbar_test;
using namespace std::string_literals;

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
        bad_pickle("appending to nothing", "(Ne.", 4, none),
        bad_pickle("setting items of nothing", "(NNu.", 5, none),
        bad_pickle("an unset memo", "h\x05.", 2, "it recalls value 5, which it has not remembered"),
        bad_pickle("a gap in the memo", "N(tq\x01h\0."s, 7,
                   "it recalls value 0, which it has not remembered"),
        bad_pickle("a memo of 2^32", "Nr\xFF\xFF\xFF\xFF.", 3,
                   "it remembers value 4294967295, but has not made so many"),
        bad_pickle("remembering nothing", "q\0."s, 2, "it remembers a value where there is none"),
        bad_pickle("a text of 4 GB", "X\xFF\xFF\xFF\xFFx.", 2,
                   "an operand of 4294967295 bytes, of which 2 are there"),
        bad_pickle("a short text cut off", "U\x05xy", 2,
                   "an operand of 5 bytes, of which 2 are there"),
        bad_pickle("a number cut off", "\x8A\x05xy", 2,
                   "an operand of 5 bytes, of which 2 are there"),
        bad_pickle("a number of 255 bytes cut off", "\x8A\xFFxy", 2,
                   "an operand of 255 bytes, of which 2 are there"),
        bad_pickle("a name without an end", "cos", 2,
                   "a global's name has no end, or more than 255 bytes"),
        bad_pickle("a name of a megabyte", "c" + std::string(1 << 20, 'x') + "\n", 2,
                   "a global's name has no end, or more than 255 bytes"),
        bad_pickle("calling a number", "K\1)R.", 5,
                   "it calls what is no function, or with no arguments"),
        bad_pickle("calling with a list", global("torch._utils", "_rebuild_tensor_v2") + "]R.", 36,
                   "it calls what is no function, or with no arguments"),
        bad_pickle("calling a type", call(global("torch", "FloatStorage"), {}), 24,
                   "it makes a tensor, a storage or a dtype by calling its type"),
        bad_pickle("calling a tensor's type", call(global("torch", "FloatTensor"), {}), 23,
                   "it makes a tensor, a storage or a dtype by calling its type"),
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
        bad_pickle("the state of a tuple", ")}b.", 4,
                   "it sets the state of what is neither an OrderedDict nor a Parameter"),
        bad_pickle("the state of a tensor", plain_tensor() + "}b.", 3 + plain_tensor().size(),
                   "it sets the state of what is neither an OrderedDict nor a Parameter"),
        bad_pickle("the state of nothing", "}b.", 3, none),
        bad_pickle("another tensor for a Parameter",
                   global("torch.nn.parameter", "Parameter") + plain_tensor() + "\x85R(" +
                       plain_tensor() + "NNNNtb.",
                   40 + 2 * plain_tensor().size(),
                   "it sets another state of a Parameter than three things"),
        bad_pickle("65 marks", repeated("(", 65) + ".", 66,
                   "it nests deeper than 64 levels (LoadLimits::depth)"),
        bad_pickle("a million marks", repeated("(", 1'000'000) + ".", 66,
                   "it nests deeper than 64 levels (LoadLimits::depth)"),
        bad_pickle("too many operations", repeated("N", 4'000'001), 4'000'002,
                   "it has more than 4000000 operations (LoadLimits::pickle_operations)"),
        {"protocol 1", zip_of({{"a/data.pkl", "}."}, {"a/version", "3"}}),
         "byte 0 of its pickle data.pkl: it does not begin as a pickle of protocol 2"},
        {"half a protocol", zip_of({{"a/data.pkl", "\x80"}, {"a/version", "3"}}),
         "byte 0 of its pickle data.pkl: an operand of 2 bytes, of which 1 are there"},
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

TEST_CASE("all pickles of a file share its budget of operations") {
    const std::string bytes = "\x80\x02N.\x80\x02N."s;
    for (const bool both : {true, false}) {
        CAPTURE(both);
        detail::TorchFile file{std::as_bytes(std::span(bytes)), "two", {}};
        file.limits.pickle_operations = both ? 6 : 3;
        detail::Pickle first(file), second(file);
        std::size_t at = 0;
        CHECK(first.try_read(at, bytes.size(), "one"));
        CHECK(bool{second.try_read(at, bytes.size(), "two")} == both);
    }
}

TEST_CASE("pickles that grow when they are walked cost no more than their bytes") {
    const auto around = [](const std::string& bomb) {
        return zip_of(checkpoint(dict({text("w"), plain_tensor(), text("x"), bomb})));
    };
    // A dict of `w` and of one key that is recalled in two bytes.
    const auto keys = [](const std::string& key, int times) {
        return zip_of(checkpoint("}(" + text("w") + plain_tensor() + text(key) + "q\1N" +
                                 repeated("h\1N", times - 1) + "u"));
    };
    std::string doubled = ")";
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
        {"a key of a megabyte, 30,000 times", keys(std::string(1 << 20, 'k'), 30'000), ""},
        {"a key of 1024 bytes, 30,000 times", keys(std::string(1024, 'k'), 30'000),
         "its dict has the key '" + std::string(120, 'k') + "...' twice"},
        {"100,001 keys", keys("k", 100'000), "its dict has more than 100000 keys"},
        {"a list that contains itself", around("]q\x01h\x01" + "a"s), ""},
        {"a dict that contains itself", around("}q\x01Nh\x01s"), ""},
        {"the root contains itself",
         zip_of(checkpoint("}q\0(h\0"s + text("w") + "h\0"s + text("v") + plain_tensor() + "u"))
             .replace(0, 0, ""),
         "byte 153 of its pickle data.pkl: it sets a key without a value"},
        {"a thousand pairs ten thousand times", around(dicts),
         "byte 12120 of its pickle data.pkl: it repeats more items than the file has bytes"},
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

}  // namespace torch_pickle_malformed_test
