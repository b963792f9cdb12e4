// Pictures, as they are stored and turned as EXIF says.
#include "fuzz_target.hpp"

#include <lumbar/image/read.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::int64_t kMaxPixels = 1 << 14;
    for (const bool orient : {false, true}) {
        const auto image = lumbar::try_read_image(
            std::span(data, size), {.channels = 3, .max_pixels = kMaxPixels, .orient = orient});
        if (!image) {
            if (image.error().message().find('\n') != std::string::npos) std::abort();
            return 0;
        }
        const std::int64_t pixels = std::int64_t{image->width()} * image->height();
        if (pixels < 1 || pixels > kMaxPixels) std::abort();
        if (image->pixels().size() != static_cast<std::size_t>(3 * pixels)) std::abort();
    }
    return 0;
}
