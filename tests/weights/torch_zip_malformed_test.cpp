// Zip archives that are no checkpoints of PyTorch, by hand or by malice.
#include "torch_malformed.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace torch_zip_malformed_test {

using namespace lumbar;
using namespace lumbar_test;
using namespace std::string_literals;

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
        return body + zip64_end(count, length, begin, record, signature);
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
        {"another method before the data", changed({.name = name, .data = "3", .local_method = 8}),
         "its entry 'a/version' is described otherwise before its data than in the directory"},
        {"extra fields cut off before the data",
         changed({.name = name, .data = "3", .local_extra = little(1, 2) + little(9, 2) + "1"}),
         "its entry 'a/version' has damaged extra fields before its data"},
        {"another size than is stored", changed({.name = name, .data = "3", .unpacked_size = 2}),
         "its entry 'a/version' is stored in 1 bytes, but said to have 2"},
        {"one byte into the directory", changed({.name = name, .data = "3", .directory_size = 2}),
         "its entry 'a/version' of 2 bytes reaches beyond the archive's data"},
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
        {"strongly encrypted", changed({.name = name, .data = "3", .flags = 1 << 6}),
         "its entry 'a/version' is encrypted"},
        {"with an encrypted directory", changed({.name = name, .data = "3", .flags = 1 << 13}),
         "its entry 'a/version' is encrypted"},
        {"another checksum, as PyTorch may write", changed({.name = name, .data = "3", .crc = 1}),
         ""},
        {"deflated", changed({.name = name, .data = "3", .method = 8}),
         "its record 'a/version' is compressed, which torch.save never does (method 8); unzip it, "
         "and zip it again with zip -0"},
        {"deflated by method 9", changed({.name = name, .data = "3", .method = 9}),
         "its record 'a/version' is compressed, which torch.save never does (method 9); unzip it, "
         "and zip it again with zip -0"},
        {"of bzip2", changed({.name = name, .data = "3", .method = 12}),
         "its record 'a/version' is compressed, which torch.save never does (method 12); unzip it, "
         "and zip it again with zip -0"},
        {"of method 99", changed({.name = name, .data = "3", .method = 99}),
         "its record 'a/version' is compressed, which torch.save never does (method 99); unzip it, "
         "and zip it again with zip -0"},
        {"sizes after the data, and before it too",
         changed({.name = name, .data = "3", .flags = 8}), ""},
        {"twice the same name",
         zip_of({{"a/data.pkl", pickle(good_code())}, {"a/v", "3"}, {"a/v", "3"}}),
         "it has two entries named 'a/v'"},
        {"a folder", changed({.name = name, .data = "3", .attributes = 16}),
         "its entry 'a/version' is a folder, but said to have 1 bytes"},
        {"a folder by name", zip_of({{"a/data.pkl", pickle(good_code())}, {"a/v/", "3"}}),
         "its entry 'a/v/' is a folder, but said to have 1 bytes"},
        {"an empty folder",
         zip_of({{"a/data.pkl", pickle(good_code())},
                 {"a/data/0", std::string(16, '\1')},
                 {"a/version", "3"},
                 {.name = "a/data/", .data = "", .attributes = 16}}),
         ""},
        {"twice but for case", zip_of({{"a/data.pkl", pickle(good_code())}, {"a/Data.pkl", "x"}}),
         "it has two entries named 'a/data.pkl' but for the case of letters, which PyTorch does "
         "not tell apart"},
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
        {"NumPy's", zip_of({{"arr_0.npy", ""}}),
         "seems to be NumPy's .npz; load_numpy (lumbar/weights/numpy.hpp) reads it"},
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

TEST_CASE("an archive of very many entries costs what it has bytes") {
    std::vector<ZipMember> members = checkpoint(good_code());
    for (int i = 0; i < 100'000; ++i) members.push_back({"a/x" + std::to_string(i), ""});
    check_all({{"100,000 entries", zip_of(members), ""}});
    members.push_back({"a/x0", ""});
    check_all({{"and one of them twice", zip_of(members), "it has two entries named 'a/x0'"}});
}

TEST_CASE("a million times one entry is refused") {
    std::size_t begin = 0;
    const std::string one = zip_body({{"a", ""}}, begin);
    std::string file = one.substr(0, begin) + repeated(one.substr(begin), 1'000'000);
    file += zip64_end(1'000'000, file.size() - begin, begin, file.size());
    const auto weights = load(file);
    REQUIRE_FALSE(weights);
    CHECK(weights.error().message() ==
          "bad.pth: not a valid PyTorch file: its entries 'a' and 'a' overlap");
}

}  // namespace torch_zip_malformed_test
