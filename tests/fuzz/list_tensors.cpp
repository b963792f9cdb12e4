// What load_weights finds in files, for differential.py. From standard input: for each file its
// size, 4 bytes little-endian, and the file. To standard output: for each file "refused MESSAGE",
// or the number of its tensors and for each a line "NAME TYPE SHAPE BYTES": the name and the
// elements in row-major order in hexadecimal, the shape as 2x3; "-" for what is empty.
#include <lumbar/weights/load.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace lumbar;

void append_hex(std::string& out, const std::byte* bytes, std::size_t size) {
    constexpr char kDigits[] = "0123456789abcdef";
    for (std::size_t i = 0; i < size; ++i) {
        out += kDigits[static_cast<unsigned>(bytes[i]) >> 4];
        out += kDigits[static_cast<unsigned>(bytes[i]) & 15];
    }
}

std::string line(const TensorData& tensor) {
    std::string name, shape, elements;
    append_hex(name, reinterpret_cast<const std::byte*>(tensor.name.data()), tensor.name.size());
    for (const std::int64_t extent : tensor.shape) {
        shape += (shape.empty() ? "" : "x") + std::to_string(extent);
    }
    const auto size = static_cast<std::size_t>(size_in_bytes(tensor.dtype));
    if (size == 0) {  // types smaller than a byte are always dense
        append_hex(elements, tensor.bytes, tensor.byte_size);
    } else if (tensor.size() > 0) {
        detail::for_each_run(tensor, 0, tensor.size(),
                             [&](std::int64_t offset, std::int64_t stride, std::int64_t count) {
                                 for (std::int64_t i = 0; i < count; ++i) {
                                     const std::int64_t at =
                                         (offset + i * stride) * static_cast<std::int64_t>(size);
                                     append_hex(elements, tensor.bytes + at, size);
                                 }
                             });
    }
    const auto field = [](const std::string& text) { return text.empty() ? "-" : text; };
    return field(name) + ' ' + std::string(to_string(tensor.dtype)) + ' ' + field(shape) + ' ' +
           field(elements) + '\n';
}

}  // namespace

int main() {
    std::uint32_t size = 0;
    std::vector<std::byte> file;
    while (std::fread(&size, sizeof size, 1, stdin) == 1) {
        file.resize(size);
        if (std::fread(file.data(), 1, size, stdin) != size) return 1;
        const auto weights = try_load_weights(std::span(std::as_const(file)), "file");
        std::string answer;
        if (weights) {
            answer = std::to_string(weights->size()) + '\n';
            for (const TensorData& tensor : *weights) answer += line(tensor);
        } else {
            answer = "refused " + weights.error().message() + '\n';
        }
        std::fwrite(answer.data(), 1, answer.size(), stdout);
        std::fflush(stdout);
    }
    return 0;
}
