// summary: a network layer by layer: shapes, parameters, multiply-accumulates, receptive fields,
// and what it takes to run it. Needs no weights: it makes some.
#include "options.hpp"
#include "program.hpp"

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace lumbar;

std::string text(Extent e) { return std::to_string(e.h) + "x" + std::to_string(e.w); }

std::string field_of(const ReceptiveField& f) { return f.global ? "all" : text(f.size); }
std::string stride_of(const ReceptiveField& f) { return f.global ? "-" : text(f.stride); }

const char* type_of(const Node& node) {
    struct Name {
        const char* operator()(const op::Input&) const { return "input"; }
        const char* operator()(const op::Conv& c) const {
            if (c.groups > 1 && c.groups == c.out_channels) return "depthwise conv";
            return c.groups > 1 ? "grouped conv" : "conv";
        }
        const char* operator()(const op::BatchNorm&) const { return "batch norm"; }
        const char* operator()(const op::Activate& a) const { return to_string(a.function); }
        const char* operator()(const op::Pool& p) const {
            if (p.geometry.adaptive.h > 0) return "adaptive avg pool";
            return p.geometry.kind == PoolGeometry::Kind::max ? "max pool" : "avg pool";
        }
        const char* operator()(const op::Linear&) const { return "linear"; }
        const char* operator()(const op::Add&) const { return "add"; }
        const char* operator()(const op::Concat&) const { return "concat"; }
        const char* operator()(const op::PadChannels&) const { return "pad channels"; }
        const char* operator()(const op::ScaleChannels&) const { return "scale channels"; }
        const char* operator()(const op::Softmax&) const { return "softmax"; }
        const char* operator()(const op::LocalResponseNorm&) const { return "lrn"; }
    };
    return std::visit(Name{}, node.operation);
}

/// The arena of the network for one thread, which holds all values that are alive together.
double activation_megabytes(const Graph& graph, int size) {
    const Network network =
        compile(graph, synthetic_weights(graph), {.height = size, .width = size, .threads = 1});
    return static_cast<double>(network.arena_bytes()) * 1e-6;
}

/// What papers print where it is not the same, and why; nullptr: nothing.
const char* papers_figures(std::string_view model) {
    struct Row {
        std::string_view model;
        const char* figures;
    };
    static constexpr Row kRows[] = {
        {"vgg16", "138 M parameters, 15.5 G MACs: these"},
        {"vgg19", "144 M parameters, 19.6 G MACs: these"},
        {"resnet50",
         "25.5 M parameters: these; 3.8 G MACs have its stride (resnet50_v1) and no projections"},
        {"resnet50_v1", "3.8 G MACs do not count the projections of shortcuts"},
        {"mobilenet_v1", "4.2 M parameters, 0.569 G MACs: these"},
        {"mobilenet_v2", "3.4 M parameters do not count batch normalisation; 0.3 G MACs: these"},
        {"mobilenet_v3_large", "5.4 M parameters, 0.219 G MACs: these, rounded otherwise"},
        {"mobilenet_v3_small", "2.5 M parameters, 0.056 G MACs: these, rounded otherwise"},
        {"googlenet", "6.8 M parameters, 1.5 G MACs: with 5x5 kernels, see inception_v1"},
        {"inception_v1", "6.8 M parameters, 1.5 G MACs: thousands of 1024, without biases"},
        {"inception_v2", "3.8 to 4.8 G MACs: its branches' widths are not printed, these are V3's"},
        {"inception_v3", "under 25 M parameters: these; 5 G MACs: of table 1, which this is not"},
    };
    for (const Row& row : kRows) {
        if (row.model == model) return row.figures;
    }
    return nullptr;
}

/// Where a model's MACs come from.
std::string source_of_macs(const ModelInfo& m) {
    return m.gmacs_from.empty() ? "counted here" : std::string(m.gmacs_from);
}

/// `usual`: at the size, and with the widths and classes, that figures are published for.
void print(const Graph& graph, int size, const ModelInfo& info, bool usual) {
    const std::vector<Shape> shapes = try_infer_shapes(graph, 1, {size, size}).value();
    const std::vector<ReceptiveField> fields = receptive_fields(graph);
    std::vector<std::int64_t> learned(shapes.size());
    for (const Parameter& p : parameters(graph)) {
        if (p.learned()) learned[static_cast<std::size_t>(p.node)] += p.size();
    }
    std::printf("%-30s %-18s %-16s %12s %15s %9s %7s\n", "layer", "type", "output", "parameters",
                "MACs", "field", "stride");
    for (int id = 0; id < graph.size(); ++id) {
        const std::size_t i = static_cast<std::size_t>(id);
        const Node& node = graph.node(id);
        std::printf("%-30s %-18s %-16s %12lld %15lld %9s %7s\n", node.name.c_str(), type_of(node),
                    to_string(shapes[i]).c_str(), static_cast<long long>(learned[i]),
                    static_cast<long long>(macs(graph, id, shapes)), field_of(fields[i]).c_str(),
                    stride_of(fields[i]).c_str());
    }
    const Network network =
        compile(graph, synthetic_weights(graph), {.height = size, .width = size, .threads = 1});
    const double total = static_cast<double>(macs(graph, shapes));
    std::printf("\n%s at %dx%d\n", graph.name().c_str(), size, size);
    std::printf("  parameters      %15lld\n", static_cast<long long>(parameter_count(graph)));
    std::printf("  MACs            %15.0f  (%.3f G; twice as many FLOPs)\n", total, total * 1e-9);
    if (usual) {
        std::printf("  published MACs  %s\n", info.gmacs_from.empty()
                                                  ? "nobody's to three digits: counted here"
                                                  : (source_of_macs(info) + "'s: these").c_str());
        if (const char* figures = papers_figures(info.name)) {
            std::printf("  the paper       %s\n", figures);
        }
    }
    std::printf("  arena           %15zu bytes of activations\n", network.arena_bytes());
    std::printf("  packed weights  %15zu bytes for %s\n", network.packed_bytes(), network.isa());
    std::printf("  steps           %15zu after fusion, of %d nodes\n", network.steps().size(),
                graph.size());
}

/// One line per model: its totals at its usual size.
void print_all() {
    std::printf("%-27s %5s %13s %9s  %-13s %7s %7s %12s\n", "model", "size", "parameters", "GMACs",
                "published by", "field", "stride", "activations");
    for (const ModelInfo& m : models()) {
        const Graph graph = resolve_shortcuts(m.build({}));
        const int size = m.input_size;
        const std::vector<Shape> shapes = try_infer_shapes(graph, 1, {size, size}).value();
        ReceptiveField features;
        for (const ReceptiveField& f : receptive_fields(graph)) {
            if (!f.global) features = f;
        }
        std::printf("%-27.*s %5d %13lld %9.3f  %-13s %7d %7d %9.1f MB\n",
                    static_cast<int>(m.name.size()), m.name.data(), size,
                    static_cast<long long>(parameter_count(graph)),
                    static_cast<double>(macs(graph, shapes)) * 1e-9, source_of_macs(m).c_str(),
                    features.size.h, features.stride.h, activation_megabytes(graph, size));
    }
}

}  // namespace

int main(int argc, char** argv) {
    SummaryOptions o;
    CLI::App app{
        "Prints a network: for each layer the output's shape (batch x channels x height x width), "
        "parameters, multiply-accumulates (MACs), receptive field and stride in pixels of the "
        "input; then the totals and the memory that it needs."};
    o.add_to(app);
    return run_program("summary", app, argc, argv, [&] {
        if (o.model == "all") {
            print_all();
            return 0;
        }
        const Graph graph =
            resolve_shortcuts(make(o.model, {.classes = o.classes, .width = o.width}));
        const ModelInfo& info = *find_model(o.model);
        const int size = o.size > 0 ? o.size : info.input_size;
        const bool usual = size == info.input_size && o.classes == 0 && o.width == 1.0;
        print(graph, size, info, usual);
        return 0;
    });
}
