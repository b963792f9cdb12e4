// Which network a program runs, with which weights, pictures and labels: as the options say, and
// where they say nothing, as the file of weights tells.
#pragma once

#include "fashion_mnist/network.hpp"
#include "options.hpp"
#include "program.hpp"

#include <lumbar/image.hpp>
#include <lumbar/image/imagenet_labels.hpp>
#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/recognise.hpp>

#include <string>
#include <vector>

/// A network that is not compiled yet, and how its pictures are prepared.
struct ChosenNetwork {
    lumbar::Graph graph;
    lumbar::Weights weights;
    lumbar::Preprocess preset;
    bool shipped = false;  ///< the network that comes with the library

    explicit ChosenNetwork(const NetworkOptions& o) {
        using namespace lumbar;
        if (!o.model.empty()) (void)try_make(o.model).value();  // an Error that lists the names
        if (!o.model.empty() && o.weights.empty()) {
            Status::raise(
                Error(Error::Code::argument, "--model " + o.model + " needs --weights FILE"));
        }
        weights =
            load_weights(o.weights.empty() ? folder() + "fashion_mnist.safetensors" : o.weights);
        const ModelInfo* model = find_model(o.model);
        if (o.model.empty() && !o.weights.empty()) model = recognise_model(weights).model;
        shipped = !model;  // or a file like its own, as convert writes
        if (shipped) {
            graph = fashion_mnist::network();
            preset = fashion_mnist::kPreset;
        } else {
            const auto asked = parse_numerics(o.numerics);
            const Numerics numerics = asked ? *asked : recognise_numerics(*model, weights);
            graph = make(model->name, {.numerics = numerics});
            preset = usual_preset(*model, numerics);
        }
        if (o.size > 0) preset = preset.with_size(o.size);
        if (o.crop == "squash") {
            preset.crop = Preprocess::Crop::squash;
            preset.crop_fraction = 1.0;
            preset.resize_to = 0;
        } else if (o.crop == "center") {
            preset.crop = Preprocess::Crop::center;
        }
    }

    /// What `compiled` holds; where the weights do not fit, its Error with what they may be for.
    template <class T>
    T value(const lumbar::Result<T>& compiled, const NetworkOptions& o) const {
        using namespace lumbar;
        if (compiled) return *compiled;
        std::string message = compiled.error().message();
        if (compiled.error().code() == Error::Code::weights) {
            message += o.model.empty() && shipped
                           ? "; --model tells what it is for, if it is of one"
                           : model_advice(weights, graph.name());
        }
        Result<T>::raise(Error(compiled.error().code(), message));
    }

    /// The names of the network's classes.
    std::vector<std::string> labels(const NetworkOptions& o, int classes) const {
        using namespace lumbar;
        std::vector<std::string> names;
        if (!o.labels.empty()) {
            names = read_labels(o.labels);
        } else if (shipped) {
            names = read_labels(folder() + "labels.txt");
        } else if (classes == 1000 || classes == 1001) {
            if (classes == 1001) names.push_back("background");
            names.insert(names.end(), labels::imagenet.begin(), labels::imagenet.end());
        } else {
            for (int i = 0; i < classes; ++i) names.push_back("class " + std::to_string(i));
        }
        if (names.size() != static_cast<std::size_t>(classes)) {
            Status::raise(
                Error(Error::Code::argument, o.labels + " has " + std::to_string(names.size()) +
                                                 " labels, but " + graph.name() + " has " +
                                                 std::to_string(classes) + " classes"));
        }
        return names;
    }

   private:
    /// Whose names the tensors have tells how pictures are prepared; otherwise the model's best
    /// known file does.
    lumbar::Preprocess usual_preset(const lumbar::ModelInfo& model,
                                    lumbar::Numerics numerics) const {
        using namespace lumbar;
        const auto at_usual_size = [&](std::string_view name) {
            return presets::find(name)->with_size(model.input_size);
        };
        if (numerics == Numerics::tf) return at_usual_size("tensorflow");
        const Dialect* dialect = recognise_dialect(graph, weights);
        if (dialect && *dialect->preset) return at_usual_size(dialect->preset);
        if (model.weights().empty()) return at_usual_size("imagenet");
        return *presets::find(model.weights()[0].preset);
    }

    static std::string folder() { return LUMBAR_SOURCE_DIR "/examples/fashion_mnist/"; }
};
