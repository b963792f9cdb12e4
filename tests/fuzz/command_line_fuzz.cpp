// The command lines of the example programs: the first byte says of which, zero bytes separate the
// arguments. What is parsed is held against what the options promise; nothing is run.
#include "../../examples/options.hpp"
#include "../../examples/program.hpp"
#include "fuzz_target.hpp"

#include <lumbar/graph/shapes.hpp>
#include <lumbar/models/registry.hpp>
#include <lumbar/runtime/recognise.hpp>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void require_one_of(std::string_view value, std::initializer_list<std::string_view> known) {
    require(std::find(known.begin(), known.end(), value) != known.end());
}

void check(const NetworkOptions& o) {
    require(o.size >= 0 && o.size <= 4096);
    require_one_of(o.numerics, {"", "torch", "tf", "timm"});
    require_one_of(o.crop, {"", "center", "squash"});
    require(lumbar::parse_numerics(o.numerics).has_value() == !o.numerics.empty());
}

void check(const ClassifyOptions& o) {
    check(static_cast<const NetworkOptions&>(o));
    require_one_of(o.interpolation, {"", "bilinear", "bicubic"});
    require(o.threads >= 0 && o.threads <= 256 && o.top >= 1 && o.top <= 1 << 20);
    require_one_of(o.stream, {"", "paths", "bytes"});
    require(o.batch >= 1 && o.batch <= 1024 && o.decode_threads >= 0 && o.decode_threads <= 256);
}

void check(const PictureOptions& o) {
    check(static_cast<const NetworkOptions&>(o));
    require(o.output_stride == 0 || o.output_stride == 8 || o.output_stride == 16 ||
            o.output_stride == 32);
}

void check(const FeaturesOptions& o) {
    check(static_cast<const PictureOptions&>(o));
    require(o.maps >= 1 && o.maps <= 1024);
}

void check(const ExplainOptions& o) {
    check(static_cast<const PictureOptions&>(o));
    require(o.klass >= -1 && o.klass <= 1 << 20);
}

void check(const ConvertOptions& o) {
    require(o.size >= 0 && o.size <= 1024);
    require_one_of(o.numerics, {"", "torch", "tf", "timm"});
}

/// The one program whose options make a network without a file.
void check(const SummaryOptions& o) {
    require(o.size >= 0 && o.size <= 4096);
    const auto graph = lumbar::try_make(o.model, {.classes = o.classes, .width = o.width});
    if (!graph) return;
    const auto shapes = lumbar::try_infer_shapes(*graph, 1, {o.size, o.size});
    require(!shapes || shapes->size() == static_cast<std::size_t>(graph->size()));
}

template <class Options>
void parse(const std::vector<const char*>& arguments) {
    Options options;
    CLI::App app;
    options.add_to(app);
    try {
        app.parse(static_cast<int>(arguments.size()), arguments.data());
    } catch (const CLI::ParseError& e) {
        const std::string line = one_line(e.what());
        require(line.size() < 1000 && line.find('\n') == line.npos);
        return;
    }
    check(options);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    std::vector<const char*> arguments{"program"};
    for (std::size_t at = 0; at < text.size();
         at += std::string_view(arguments.back()).size() + 1) {
        arguments.push_back(text.c_str() + at);
    }
    using Parse = void (*)(const std::vector<const char*>&);
    constexpr Parse kPrograms[] = {&parse<ClassifyOptions>, &parse<FeaturesOptions>,
                                   &parse<ExplainOptions>, &parse<ConvertOptions>,
                                   &parse<SummaryOptions>};
    kPrograms[data[0] % std::size(kPrograms)](arguments);
    return 0;
}
