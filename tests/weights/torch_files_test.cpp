// Files that torch.save wrote, and what torch.load finds in them (made by make_torch_files.py).
#include "torch_malformed.hpp"

#include <lumbar/weights/load.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace torch_files_test {

using namespace lumbar;
using namespace lumbar_test;
using namespace std::string_literals;

namespace {

const std::string kData = std::string(LUMBAR_SOURCE_DIR) + "/tests/weights/data/";

// The tensor's elements in row-major order, as stored.
std::string row_major(const TensorData& tensor) {
    const auto bytes = static_cast<std::size_t>(size_in_bytes(tensor.dtype));
    std::string out;
    for (std::int64_t i = 0; i < tensor.size(); ++i) {
        std::int64_t rest = i, offset = 0;
        for (std::size_t axis = tensor.shape.rank(); axis-- > 0;) {
            offset += rest % tensor.shape[axis] * tensor.strides[axis];
            rest /= tensor.shape[axis];
        }
        const auto* at = reinterpret_cast<const char*>(tensor.bytes);
        out.append(at + static_cast<std::size_t>(offset) * bytes, bytes);
    }
    return out;
}

std::string crc32(const std::string& bytes) {
    std::uint32_t crc = ~0u;
    for (const char c : bytes) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
    }
    char text[9] = {};
    std::snprintf(text, sizeof text, "%08x", ~crc);
    return text;
}

std::string shape_text(const Dims& shape) {
    std::string out;
    for (const std::int64_t extent : shape)
        out += (out.empty() ? "" : ",") + std::to_string(extent);
    return out.empty() ? "-" : out;
}

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("every tensor of torch.save's files has torch.load's type, shape and bytes") {
    std::ifstream index(kData + "index.txt");
    REQUIRE(index);
    std::map<std::string, Weights> files;
    std::map<std::string, std::size_t> counts;
    std::string file, name, dtype, shape, crc;
    while (index >> file >> name >> dtype >> shape >> crc) {
        CAPTURE(file);
        CAPTURE(name);
        if (files.count(file) == 0) {
            auto weights = try_load_weights(kData + file);
            if (!weights) FAIL(weights.error().message());
            files.emplace(file, *std::move(weights));
        }
        const TensorData* const tensor = files.at(file).find(name);
        REQUIRE(tensor != nullptr);
        CHECK(to_string(tensor->dtype) == dtype);
        CHECK(shape_text(tensor->shape) == shape);
        CHECK(crc32(row_major(*tensor)) == crc);
        ++counts[file];
    }
    CHECK(files.size() == 11);
    for (const auto& [path, weights] : files) CHECK(weights.size() == counts[path]);
}

TEST_CASE("tensors are views of the file: nothing is copied") {
    const std::string bytes = contents(kData + "zip_views.pth");
    const auto weights = detail::try_read_torch_zip(as_bytes(bytes), nullptr, "views", {});
    REQUIRE(weights);
    const TensorData& base = *weights->find("base");
    const TensorData& part = *weights->find("part");
    CHECK(part.bytes == base.bytes + 18 * sizeof(float));
    for (const TensorData& tensor : *weights) {
        const auto* begin = as_bytes(bytes).data();
        CHECK((tensor.bytes >= begin && tensor.bytes + tensor.byte_size <= begin + bytes.size()));
    }
    CHECK_FALSE(weights->find("channels_last")->is_contiguous());
    CHECK(weights->find("expanded")->strides == Dims{1, 0});
}

TEST_CASE("what only Python should open is refused by name, with advice") {
    struct Case {
        const char* file;
        const char* message;
    };
    const Case cases[] = {
        {"module_zip.pth",
         "is no plain state dict: it names the Python object 'torch.nn.modules.linear.Linear', as "
         "a whole pickled module or the state of a training does; save the tensors alone, if you "
         "trust the file: python3 -c \"import torch; m = torch.load('IN', map_location='cpu', "
         "weights_only=False); torch.save(m['model'] if isinstance(m, dict) else m.state_dict(), "
         "'OUT.pth')\""},
        {"module_legacy.pth", "the Python object 'torch.nn.modules.linear.Linear'"},
        {"torchscript.pt",
         "is TorchScript, a program with its weights, which is not read here; save the weights "
         "alone: python3 -c \"import torch; m = torch.jit.load('IN', map_location='cpu'); "
         "torch.save(m.state_dict(), 'OUT.pth')\""},
        {"quantised.pth",
         "holds quantised tensors ('torch._utils._rebuild_qtensor'), which are not read here; give "
         "the weights of the network before it was quantised"},
        {"sparse.pth",
         "holds tensors of a kind that is not read here ('torch._utils._rebuild_sparse_tensor')"},
        {"protocol4.pth",
         "byte 0 of its pickle data.pkl: it has protocol 4, and only 2 is read, which torch.save "
         "writes where nothing else is asked for"},
        {"list.pth", "it holds no dict of names and tensors, but one value of another kind"},
        {"no_tensors.pth",
         "it holds no tensors in a dict, nor in its 'state_dict', 'model' or the like; it has: "
         "'epoch', 'lr'"},
        {"deflated.pth",
         "its record 'zip_types/version' is compressed, which torch.save never does (method 8); "
         "unzip it, and zip it again with zip -0"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.file);
        const auto result = try_load_weights(kData + "refused/" + c.file);
        REQUIRE_FALSE(result);
        CAPTURE(result.error().message());
        CHECK(result.error().message().find(c.message) != std::string::npos);
        CHECK(result.error().message().find(kData) == 0);
    }
}

TEST_CASE("every file of torch.save cut off anywhere is refused") {
    for (const char* name : {"zip_wrapped.pth", "legacy_views.pth", "legacy_python2.pth",
                             "tar_python2.pth", "tar_pax.pth"}) {
        const std::string whole = contents(kData + name);
        CAPTURE(name);
        // A tar archive ends with zeros that nothing needs.
        const std::size_t needed = whole.find_last_not_of('\0') + 1;
        REQUIRE(needed > 500);
        for (std::size_t size = 0; size < needed; size += size < 600 ? 1 : 7) {
            CAPTURE(size);
            CHECK_FALSE(load(whole.substr(0, size)));
        }
    }
}

TEST_CASE("bytes changed at random are read or refused, never worse") {
    std::uint32_t random = 1;
    for (const char* name : {"zip_types.pth", "zip_reordered.pth", "legacy_wrapped.pth",
                             "legacy_python2.pth", "tar_python2.pth"}) {
        const std::string whole = contents(kData + name);
        int good = 0;
        for (int round = 0; round < 500; ++round) {
            std::string changed = whole;
            for (int change = 0; change <= round % 3; ++change) {
                random = random * 1664525 + 1013904223;
                changed[(random >> 8) % changed.size()] = static_cast<char>(random >> 24);
            }
            const auto weights = load(changed);
            if (!weights) continue;
            ++good;
            for (const TensorData& tensor : *weights) row_major(tensor);
        }
        CHECK(good > 0);
        CHECK(good < 500);
    }
}

TEST_CASE("limits are errors that name them") {
    const std::string path = kData + "zip_views.pth";
    struct Case {
        LoadLimits limits;
        const char* message;
    };
    const Case cases[] = {
        {{.bytes = 1000}, "the file has 3045 bytes; at most 1000 are read"},
        {{.tensors = 3}, "it has more than 3 tensors (LoadLimits::tensors)"},
        {{.depth = 2}, "it nests deeper than 2 levels (LoadLimits::depth)"},
        {{.pickle_operations = 50},
         "it has more than 50 operations (LoadLimits::pickle_operations)"},
    };
    for (const Case& c : cases) {
        const auto result = try_load_weights(path, c.limits);
        REQUIRE_FALSE(result);
        CAPTURE(result.error().message());
        CHECK(result.error().message().find(c.message) != std::string::npos);
    }
    CHECK(try_load_weights(path, {.bytes = 3045, .tensors = 9, .depth = 3}));
    const std::string bytes = contents(path);
    const auto too_large = try_load_weights(as_bytes(bytes), "views", {.bytes = 3044});
    REQUIRE_FALSE(too_large);
    CHECK(too_large.error().message() == "views: there are 3045 bytes; at most 3044 are read");
    const Weights two = Weights::from_tensors({{"a", {1}, {1}}, {"b", {1}, {1}}});
    CHECK(two.size() == 2);
}

}  // namespace torch_files_test
