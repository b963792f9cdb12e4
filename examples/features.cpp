// features: draws what a network makes of a picture on its way: a sheet of feature maps per stage.
#include "picture_network.hpp"

#include <lumbar/graph/features.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace lumbar;
using drawing::Box;
using drawing::Plane;

/// One stage of the network.
struct Stage {
    std::string title;  ///< "stride 8", or the layer that was asked for
    FeatureInfo info;
    ConstTensorView maps;
};

Plane plane(const ConstTensorView& maps, int c) {
    return {maps.data + c * maps.shape.pixels(), maps.shape.h, maps.shape.w};
}

double deviation(const Plane& p) {
    const std::int64_t count = std::int64_t{p.height} * p.width;
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const double v = static_cast<double>(p.values[i]);
        sum += v;
        squares += v * v;
    }
    const double mean = sum / static_cast<double>(count);
    return squares / static_cast<double>(count) - mean * mean;
}

/// The channels that vary most over the image, in the network's order.
std::vector<int> liveliest(const ConstTensorView& maps, int count) {
    std::vector<double> varies;
    for (int c = 0; c < maps.shape.c; ++c) varies.push_back(deviation(plane(maps, c)));
    std::vector<int> order(varies.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        return varies[static_cast<std::size_t>(a)] > varies[static_cast<std::size_t>(b)];
    });
    order.resize(std::min(order.size(), static_cast<std::size_t>(count)));
    std::sort(order.begin(), order.end());
    return order;
}

/// What one and 99 per cent of the values shown are below.
std::pair<double, double> limits(const ConstTensorView& maps, const std::vector<int>& channels) {
    std::vector<float> values;
    for (const int c : channels) {
        const Plane p = plane(maps, c);
        values.insert(values.end(), p.values, p.values + maps.shape.pixels());
    }
    const auto at = [&](double part) {
        const auto i = static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
        std::nth_element(values.begin(), values.begin() + i, values.end());
        return static_cast<double>(values[static_cast<std::size_t>(i)]);
    };
    const double low = at(0.01), high = at(0.99);
    return {low, high > low ? high : low + 1};
}

std::string text(Extent e) { return std::to_string(e.h) + " × " + std::to_string(e.w); }

void draw_sheet(const PictureNetwork& network, const Image& picture, const Stage& stage,
                const std::string& model, int most, const std::string& path) {
    constexpr int kMargin = 32, kGap = 12, kColumns = 8, kSide = 308, kCell = 120, kLabel = 18;
    const std::vector<int> channels = liveliest(stage.maps, most);
    const int rows = ceil_div(static_cast<int>(channels.size()), kColumns);
    const int columns = std::min(kColumns, static_cast<int>(channels.size()));
    const int left = kMargin + kSide + 36, top = kMargin + 52;
    const int grid = rows * (kCell + kLabel + kGap) - kGap;
    drawing::Canvas canvas(left + columns * (kCell + kGap) - kGap + kMargin,
                           top + std::max(grid, kSide + 235) + kMargin, network.font);

    canvas.text(kMargin, kMargin + 22, model + ", " + stage.title,
                {.size = 32, .most = 1.0 * canvas.width() - 2 * kMargin});
    canvas.draw(network.as_seen(picture, kSide), kMargin, top);
    canvas.frame({kMargin, top, kSide, kSide}, drawing::kGrey);
    const Shape& s = stage.maps.shape;
    int y = top + kSide + 30;
    const auto line = [&](const std::string& words) {
        canvas.text(kMargin, y, words, {.size = 18, .colour = drawing::kGrey, .most = kSide});
        y += 25;
    };
    line("after " + stage.info.layer);
    line(std::to_string(s.c) + " maps of " + text({s.h, s.w}));
    line(stage.info.stride.h > 0 ? "each value sees " + text(stage.info.receptive_field) + " pixels"
                                 : std::string("each value sees the whole picture"));
    line(static_cast<int>(channels.size()) == s.c ? "all maps"
         : channels.size() == 1
             ? "the map that varies most"
             : "the " + std::to_string(channels.size()) + " maps that vary most");
    line("colours: 1st to 99th percentile");
    const auto [low, high] = limits(stage.maps, channels);
    canvas.colour_bar({kMargin, y + 4, kSide, 18}, drawing::kViridis, low, high,
                      {.size = 17, .colour = drawing::kGrey});

    for (std::size_t i = 0; i < channels.size(); ++i) {
        const int column = static_cast<int>(i) % kColumns, row = static_cast<int>(i) / kColumns;
        const Box cell{left + column * (kCell + kGap), top + row * (kCell + kLabel + kGap), kCell,
                       kCell};
        const Plane p = plane(stage.maps, channels[i]);
        const bool coarse = kCell >= 3 * p.width;  // pixels that are large enough to be seen
        canvas.paint(cell, [&, low = low, high = high](double v, double u) {
            const double value = coarse ? p.nearest(v, u) : p.sample(v, u);
            return drawing::colour_of(drawing::kViridis, (value - low) / (high - low));
        });
        canvas.text(cell.x + kCell / 2, cell.y + kCell + kLabel - 3, std::to_string(channels[i]),
                    {.size = 15, .colour = drawing::kGrey, .align = drawing::Align::centre});
    }
    save(canvas, path);
}

int run(const FeaturesOptions& o) {
    const PictureNetwork network(o);
    const Image picture = network.read(o.image);
    const std::vector<std::string_view> layers(o.layers.begin(), o.layers.end());
    std::vector<int> strides = o.strides;
    for (const int stride : {4, 8, 16, 32}) {
        if (!o.strides.empty()) break;
        if (!features(network.graph, {stride}).error()) strides.push_back(stride);
    }
    const Graph graph = layers.empty()
                            ? features(network.graph, strides,
                                       o.expanded ? FeatureTap::expanded : FeatureTap::block)
                            : features(network.graph, std::span<const std::string_view>(layers));
    const Network backbone =
        network.value(try_compile(graph, network.weights, network.options()), o);
    std::error_code failure;
    std::filesystem::create_directories(o.out, failure);
    if (failure) {
        Status::raise(Error(Error::Code::io, o.out + ": " + failure.message()));
    }
    Workspace w = backbone.workspace();
    preprocess_into(picture, network.preset, w.input());
    backbone.run(w);
    const std::vector<FeatureInfo> info = feature_info(backbone.source_graph());
    for (std::size_t i = 0; i < info.size(); ++i) {
        const std::string title =
            layers.empty() ? "stride " + std::to_string(strides[i]) : o.layers[i];
        std::string file = backbone.name() + " " + title + ".png";
        std::replace_if(
            file.begin(), file.end(), [](char c) { return c == ' ' || c == '/'; }, '_');
        draw_sheet(network, picture, {title, info[i], w.output(static_cast<int>(i))},
                   backbone.name(), o.maps, (std::filesystem::path(o.out) / file).string());
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    FeaturesOptions o;
    CLI::App app{
        "Draws feature maps of a picture: for each stride or layer a PNG with the picture, the "
        "maps that vary most, and the scale of their colours. For example:\n"
        "  features cat.jpg --model resnet50 --weights resnet50.safetensors --out maps"};
    o.add_to(app);
    return run_program("features", app, argc, argv, [&] { return run(o); });
}
