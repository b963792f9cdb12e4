// PyTorch's tar archives. Wherever a header begins, its checksum is made right first: no fuzzer
// finds sums.
#include "fuzz_target.hpp"

#include <lumbar/weights/torch_tar.hpp>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

void make_checksums_right(std::vector<std::uint8_t>& file) {
    std::size_t at = 0;
    while (file.size() - at >= 512 && file[at] != 0) {
        std::uint8_t* const header = file.data() + at;
        std::memset(header + 148, ' ', 8);
        unsigned sum = 0;
        for (int i = 0; i < 512; ++i) sum += header[i];
        char text[8] = {};
        std::snprintf(text, sizeof text, "%06o", sum & 0777777);
        std::memcpy(header + 148, text, 7);
        std::size_t size = 0;
        for (int i = 124; i < 135; ++i) size = size * 8 + (header[i] & 7);
        at += 512;
        const std::size_t padded = (size + 511) / 512 * 512;
        at = padded > file.size() - at ? file.size() : at + padded;
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::vector<std::uint8_t> file(data, data + size);
    if (size > 0 && data[size - 1] != 0xFF) make_checksums_right(file);
    lumbar_test::read_all(
        lumbar::detail::try_read_torch_tar(lumbar_test::as_span(file.data(), file.size()), nullptr,
                                           "fuzz", lumbar_test::kFuzzLimits),
        size);
    return 0;
}
