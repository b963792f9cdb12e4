// Malformed PyTorch files: what the tests of them share.
#pragma once

#include "bounded.hpp"
#include "torch_bytes.hpp"

#include <lumbar/weights/load.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <ctime>
#include <span>
#include <string>
#include <vector>

namespace lumbar_test {

using namespace lumbar;

struct Malformed {
    std::string what;
    std::string file;
    std::string message;  // without "bad.pth: " and "not a valid PyTorch file: "; empty: it loads
};

// An operation of a pickle may be one byte, and makes a value of 32 and a place on the stack of 4;
// arrays that double while they grow take up to four times what they hold in all.
inline constexpr std::size_t kTimesTheFile = 4 * (32 + 4);

inline Result<Weights> load(const std::string& file) {
    return load_bounded(file, kTimesTheFile, [](std::span<const std::byte> bytes) {
        return try_load_weights(bytes, "bad.pth");
    });
}

inline void check_all(const std::vector<Malformed>& files) {
    for (const Malformed& file : files) {
        CAPTURE(file.what);
        const std::clock_t begin = std::clock();  // of this process, whatever else runs
        const auto result = load(file.file);
        CHECK(std::clock() - begin < 5 * CLOCKS_PER_SEC);
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

inline std::string repeated(const std::string& piece, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += piece;
    return out;
}

// A checkpoint whose dict has the tensor "w".
inline std::string with(const std::string& tensor_code) {
    return zip_of(checkpoint(dict({text("w"), tensor_code})));
}
inline std::string good_code() { return dict({text("w"), plain_tensor()}); }

// What the pickle with this code must say; `at` is the byte of the operation that fails.
inline Malformed bad_pickle(const std::string& what, const std::string& code, std::size_t at,
                            const std::string& message) {
    return {what, zip_of({{"a/data.pkl", "\x80\x02" + code}, {"a/version", "3"}}),
            "byte " + std::to_string(at) + " of its pickle data.pkl: " + message};
}

inline std::string refusal_of(const std::string& name) {
    return "is no plain state dict: it names the Python object '" + name +
           "', as a whole pickled module or the state of a training does; save the tensors alone, "
           "if you trust the file: python3 -c \"import torch; m = torch.load('IN', "
           "map_location='cpu', weights_only=False); torch.save(m['model'] if isinstance(m, dict) "
           "else m.state_dict(), 'OUT.pth')\"";
}

inline constexpr const char* kNoEnd =
    "it does not end with a zip archive's end record; it may be cut off, or something was added to "
    "it: fetch it again";

}  // namespace lumbar_test
