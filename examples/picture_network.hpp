// What programs that draw a network's inside share: the network, its weights and labels by
// options, and the picture as the network sees it.
#pragma once

#include "drawing.hpp"
#include "fashion_mnist/network.hpp"
#include "program.hpp"

#include <lumbar/graph/output_stride.hpp>
#include <lumbar/image.hpp>
#include <lumbar/image/imagenet_labels.hpp>
#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/recognise.hpp>

#include <string>
#include <vector>

struct PictureOptions {
    std::string image;
    std::string model;
    std::string weights;
    std::string labels;
    std::string numerics;
    std::string crop;
    std::string font;
    int size = 0;
    int output_stride = 0;

    void add_to(CLI::App& app) {
        app.option_defaults()->always_capture_default();
        app.add_option("IMAGE", image, "a picture (JPEG, PNG, BMP, PNM)")->required();
        app.add_option("--model", model,
                       "a model's name, such as resnet50; usually the weights tell");
        app.add_option("--weights", weights,
                       "its weights; without them the shipped network, which knows ten kinds of "
                       "clothes, light on black");
        app.add_option("--numerics", numerics, "what trained the weights; usually they tell")
            ->check(CLI::IsMember({"torch", "tf", "timm"}));
        app.add_option("--size", size, "height and width of the network's input; 0: its usual size")
            ->check(CLI::Range(0, 2048));
        app.add_option("--crop", crop,
                       "the middle, or the whole picture out of proportion; usual: center")
            ->check(CLI::IsMember({"center", "squash"}));
        app.add_option("--output-stride", output_stride,
                       "finer last maps by dilation (ResNet, MobileNet); 0: the usual 32")
            ->check(CLI::IsMember({0, 8, 16, 32}));
        app.add_option("--font", font, "a TrueType file; usual: DejaVu or another system font");
    }
};

struct PictureNetwork {
    lumbar::Graph graph;
    lumbar::Weights weights;
    lumbar::Preprocess preset;
    drawing::Font font;
    bool shipped = false;  ///< the network that comes with the library

    explicit PictureNetwork(const PictureOptions& o) : font(drawing::Font::load(o.font)) {
        using namespace lumbar;
        const auto refuse = [](const std::string& what) {
            Status::raise(Error(Error::Code::argument, what));
        };
        if (font.empty()) {
            refuse(o.font.empty() ? "no font is found: install DejaVu (fonts-dejavu-core), or name "
                                    "one with --font FILE.ttf"
                                  : o.font + " is no TrueType font");
        }
        if (!o.model.empty()) (void)try_make(o.model).value();  // lists the names there are
        if (!o.model.empty() && o.weights.empty()) {
            refuse("--model " + o.model + " needs --weights FILE");
        }
        shipped = o.weights.empty();
        weights = load_weights(shipped ? LUMBAR_SOURCE_DIR
                                   "/examples/fashion_mnist/fashion_mnist.safetensors"
                                       : o.weights);
        const ModelInfo* model =
            o.model.empty() ? recognise_model(weights).model : find_model(o.model);
        if (shipped) {
            graph = fashion_mnist::network();
            preset = fashion_mnist::kPreset;
        } else if (model) {
            const Numerics numerics = o.numerics == "tf"      ? Numerics::tf
                                      : o.numerics == "timm"  ? Numerics::timm
                                      : o.numerics == "torch" ? Numerics::torch
                                                              : recognise_numerics(*model, weights);
            graph = make(model->name, {.numerics = numerics});
            preset = numerics == Numerics::tf   ? presets::tensorflow
                     : model->weights().empty() ? presets::imagenet.with_size(model->input_size)
                                                : *presets::find(model->weights()[0].preset);
        } else {
            refuse(o.weights + ": --model tells what it is for");
        }
        if (o.output_stride > 0) graph = with_output_stride(std::move(graph), o.output_stride);
        if (o.size > 0) preset = preset.with_size(o.size);
        if (o.crop == "squash") {
            preset.crop = Preprocess::Crop::squash;
            preset.crop_fraction = 1.0;
            preset.resize_to = 0;
        } else if (o.crop == "center") {
            preset.crop = Preprocess::Crop::center;
        }
    }

    lumbar::Image read(const std::string& path) const {
        return lumbar::read_image(path, {.channels = preset.channels});
    }

    lumbar::CompileOptions options() const {
        return {.height = preset.height, .width = preset.width};
    }

    /// What the network sees of a picture, in `side` x `side` pixels.
    lumbar::Image as_seen(const lumbar::Image& picture, int side) const {
        lumbar::Preprocess p = preset.with_size(side);
        p.mean = {0.0f, 0.0f, 0.0f};
        p.std = {1.0f, 1.0f, 1.0f};
        p.divisor = 1.0f;
        p.bgr = false;
        const lumbar::Tensor values = preprocess(picture, p);
        lumbar::Image seen({.height = side, .width = side, .channels = p.channels});
        std::uint8_t* to = seen.data();
        for (int y = 0; y < side; ++y) {
            for (int x = 0; x < side; ++x) {
                for (int c = 0; c < p.channels; ++c) {
                    *to++ = static_cast<std::uint8_t>(std::lround(values(0, c, y, x)));
                }
            }
        }
        return seen;
    }
};

/// Saves, tells so, and throws where that fails.
inline void save(const drawing::Canvas& canvas, const std::string& path) {
    if (!canvas.save_png(path)) {
        lumbar::Status::raise(
            lumbar::Error(lumbar::Error::Code::io, path + ": the file cannot be written"));
    }
    std::printf("%s\n", path.c_str());
    std::fflush(stdout);
}
