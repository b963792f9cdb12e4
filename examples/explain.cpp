// explain: draws where in a picture a network sees the class that it gives it.
#include "picture_network.hpp"

#include <lumbar/runtime/class_activation.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace lumbar;

/// Light where it is light in the picture, coloured by the map: more where it is stronger.
drawing::Colour overlaid(drawing::Colour pixel, double strength) {
    const double grey = 0.299 * drawing::channel(pixel, 0) + 0.587 * drawing::channel(pixel, 1) +
                        0.114 * drawing::channel(pixel, 2);
    const auto level = static_cast<drawing::Colour>(std::lround(grey));
    const drawing::Colour pale = drawing::mix(pixel, level << 16 | level << 8 | level, 0.7);
    return drawing::mix(pale, drawing::colour_of(drawing::kInferno, strength), 0.6);
}

int run(const ExplainOptions& o) {
    const PictureNetwork network(o);
    const Image picture = network.read(o.image);
    const ClassActivation activation = network.value(
        ClassActivation::try_make(network.graph, network.weights, network.options()), o);
    Workspace w = activation.network().workspace();
    preprocess_into(picture, network.preset, w.input());
    activation.network().run(w);
    const ConstTensorView logits = activation.logits(w);
    const std::vector<std::string> labels = network.labels(o, logits.shape.c);
    if (o.klass >= logits.shape.c) {
        Status::raise(
            Error(Error::Code::argument, "--class is 0 to " + std::to_string(logits.shape.c - 1)));
    }
    std::vector<Prediction> ranking = top_k(logits, logits.shape.c);
    const Prediction shown =
        o.klass < 0 ? ranking[0]
                    : *std::find_if(ranking.begin(), ranking.end(),
                                    [&](const Prediction& p) { return p.index == o.klass; });
    const std::string label = labels[static_cast<std::size_t>(shown.index)];
    char probability[16];
    std::snprintf(probability, sizeof probability, "%.1f %%",
                  100.0 * static_cast<double>(shown.probability));

    const Tensor map = activation.map(w, shown.index);
    const drawing::Plane plane{map.data(), map.shape().h, map.shape().w};
    const float largest = *std::max_element(map.values().begin(), map.values().end());
    const double high = largest > 0.0f ? static_cast<double>(largest) : 1.0;

    constexpr int kMargin = 32, kSide = 480, kGap = 24, kBar = 20, kNumbers = 80;
    constexpr int kTop = kMargin + 84;
    drawing::Canvas canvas(2 * kMargin + 2 * kSide + 2 * kGap + kBar + kNumbers,
                           kTop + kSide + kMargin, network.font);
    canvas.text(kMargin, kMargin + 22, label + ", " + probability,
                {.size = 34, .most = 1.0 * canvas.width() - 2 * kMargin});
    canvas.text(kMargin, kMargin + 58,
                activation.network().name() + ": class activation map of " +
                    std::to_string(plane.height) + " × " + std::to_string(plane.width) +
                    ", in the logit's units",
                {.size = 19, .colour = drawing::kGrey});
    const Image seen = network.as_seen(picture, kSide);
    canvas.draw(seen, kMargin, kTop);
    const drawing::Box right{kMargin + kSide + kGap, kTop, kSide, kSide};
    canvas.draw(seen, right.x, right.y);
    int at = 0;
    canvas.paint(right, [&](double y, double x) {
        const int i = at++;
        return overlaid(canvas.get(right.x + i % kSide, right.y + i / kSide),
                        plane.sample(y, x) / high);
    });
    canvas.colour_bar({right.x + kSide + kGap, kTop, kBar, kSide}, drawing::kInferno, 0, high,
                      {.size = 19, .colour = drawing::kGrey});
    std::printf("%s  %s\n", probability, label.c_str());
    save(canvas, o.out);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    ExplainOptions o;
    CLI::App app{
        "Draws where a network sees the class that it gives a picture: the picture beside itself "
        "with the class activation map laid over (Grad-CAM, which is CAM for networks that end in "
        "an average and one layer: there the mean of the map, with what is negative and not shown, "
        "is the class's logit without its bias). For example:\n"
        "  explain cat.jpg --model resnet50 --weights resnet50.safetensors --out cat.png"};
    o.add_to(app);
    return run_program("explain", app, argc, argv, [&] { return run(o); });
}
