// classify: names what is in pictures. Without --weights it uses the small network that is shipped.
#include "classify_stream.hpp"
#include "network_options.hpp"

#include <lumbar/runtime/verify.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace lumbar;

std::array<float, 3> three(const std::vector<float>& values) {
    if (values.size() == 1) return {values[0], values[0], values[0]};
    return {values[0], values[1], values[2]};
}

Classifier make_classifier(const ClassifyOptions& o) {
    const ChosenNetwork chosen(o);
    Preprocess preset = chosen.preset;
    if (!o.interpolation.empty()) {
        preset.interpolation =
            o.interpolation == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
    }
    if (!o.mean.empty()) preset.mean = three(o.mean);
    if (!o.std.empty()) preset.std = three(o.std);
    const Network network = chosen.value(
        try_compile(chosen.graph, chosen.weights,
                    {.height = preset.height, .width = preset.width, .threads = o.threads}),
        o);
    return {network, chosen.weights, preset, chosen.labels(o, network.output_shapes()[0].c)};
}

void classify(const Classifier& c, Workspace& workspace, const std::string& path,
              const Image& image, const ClassifyOptions& o) {
    preprocess_into(image, c.preset, workspace.input());
    const auto start = std::chrono::steady_clock::now();
    c.network.run(workspace);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    const std::vector<Prediction> best = top_k(workspace.output(0), o.top);
    if (o.json) {
        nlohmann::ordered_json line;
        line["image"] = path;
        line["top"] = c.to_json(best);
        line["milliseconds"] = time.count();
        std::printf("%s\n", json_line(line).c_str());
        return;
    }
    std::printf("%s  (%s, %d threads, %.2f ms)\n", path.c_str(), c.network.name().c_str(),
                c.network.threads(), time.count());
    for (const Prediction& p : best) {
        std::printf("  %5.1f%%  %s\n", 100.0 * static_cast<double>(p.probability),
                    c.label(p).c_str());
    }
}

/// Compares the network with the probe in its file, and says by how much it is off.
bool verified(const Classifier& c, std::FILE* to) {
    const Verification v = verify(c.network, try_read_probe(c.weights).value());
    std::fprintf(v.passed() ? to : stderr,
                 "%s: %s: logits are off by %.2g of the largest, at most by %.2g if all is well\n",
                 c.network.name().c_str(), v.passed() ? "verified" : "WRONG NUMBERS", v.error,
                 v.tolerance);
    return v.passed();
}

int run(const ClassifyOptions& o) {
    const auto refuse = [](const std::string& what) {
        Result<Success>::raise(Error(Error::Code::argument, what));
    };
    if (o.list_models) {
        for (const ModelInfo& m : models()) {
            std::printf("%-26.*s %6.1f M parameters %7.3f GMACs  arXiv:%.*s\n",
                        static_cast<int>(m.name.size()), m.name.data(),
                        static_cast<double>(m.parameters) * 1e-6, m.gmacs,
                        static_cast<int>(m.paper.size()), m.paper.data());
            for (const WeightFile& w : m.weights()) {
                std::printf("    %-58.*s %-12s", static_cast<int>(w.file.size()), w.file.data(),
                            to_string(w.format));
                if (w.top1 > 0) std::printf(" top-1 %.1f %%", w.top1);
                std::printf("\n");
            }
        }
        return 0;
    }
    const bool streams = !o.stream.empty();
    if (o.images.empty() && !o.verify && !streams) refuse("no picture is given; see --help");
    if (!o.images.empty() && streams) refuse("--stream reads standard input, and takes no IMAGE");
    for (const auto* values : {&o.mean, &o.std}) {
        if (values->size() != 0 && values->size() != 1 && values->size() != 3) {
            refuse("--mean and --std take one number or three");
        }
    }
    const Classifier classifier = make_classifier(o);
    if (o.verify && !verified(classifier, streams ? stderr : stdout)) return 1;
    if (streams) {
#ifdef SIGPIPE
        std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is an error like others
#endif
        std::ios::sync_with_stdio(false);  // much faster
        classify_stream(classifier, o, o.top, std::cin);
        return 0;
    }
    Workspace workspace = classifier.network.workspace();
    int bad = 0;
    for (const std::string& path : o.images) {
        const Result<Image> image =
            try_read_image(path, {.channels = classifier.preset.channels, .orient = true});
        if (image) {
            classify(classifier, workspace, path, *image, o);
        } else {  // costs its line, not the others
            std::fprintf(stderr, "classify: %s\n", one_line(image.error().message()).c_str());
            ++bad;
        }
    }
    return bad ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    ClassifyOptions o;
    CLI::App app{
        "Names what is in pictures (JPEG, PNG, BMP, PNM). Without --weights it uses the shipped "
        "network, which knows ten kinds of clothes, light on black (Fashion-MNIST). For example:\n"
        "  classify --weights resnet50-0676ba61.pth cat.jpg\n"
        "  classify --model mobilenet_v2 --weights v2.safetensors --numerics tf cat.jpg"};
    o.add_to(app);
    return run_program("classify", app, argc, argv, [&] { return run(o); });
}
