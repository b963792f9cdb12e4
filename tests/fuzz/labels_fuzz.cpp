// Files of class names.
#include "fuzz_target.hpp"

#include <lumbar/image/labels.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto labels = lumbar::detail::split_labels(text, "fuzz");
    if (!labels) return 0;
    std::size_t characters = 0;
    for (const std::string& label : *labels) {
        characters += label.size();
        if (label.find('\n') != std::string::npos) std::abort();
    }
    if (characters > size) std::abort();
    return 0;
}
