// Which model of the registry a weight file is for. Opt-in: it links every model.
#pragma once

#include <lumbar/models/registry.hpp>
#include <lumbar/runtime/bind_weights.hpp>
#include <lumbar/runtime/name_dialects.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// Where a file's metadata name its numerics, as to_string and parse_numerics do.
inline constexpr const char* kNumericsKey = "numerics";

/// "torch", "tf" or "timm".
constexpr const char* to_string(Numerics numerics) {
    return numerics == Numerics::tf ? "tf" : numerics == Numerics::timm ? "timm" : "torch";
}

/// The numerics of that name, or nothing.
constexpr std::optional<Numerics> parse_numerics(std::string_view name) {
    for (const Numerics n : {Numerics::torch, Numerics::tf, Numerics::timm}) {
        if (name == to_string(n)) return n;
    }
    return std::nullopt;
}

/// What a weight file is for, and how that is known.
struct FileModel {
    enum class Evidence {
        none,       ///< model is null
        resembles,  ///< more than half of the model's tensors are there
        fits,       ///< its tensors are the model's, and no others
        stated,     ///< the file's metadata say so
    };
    const ModelInfo* model = nullptr;
    Numerics numerics = Numerics::torch;
    Evidence evidence = Evidence::none;
};

/// Metadata that a file tells its network by, such as {"architecture": "mobilenet_v2", "numerics":
/// "tf"}; recognise_model understands them.
LUMBAR_COLD inline Weights::Metadata model_metadata(const ModelInfo& model, Numerics numerics) {
    Weights::Metadata metadata{{kArchitectureKey, std::string(model.name)}};
    if (model.tensorflow) metadata[kNumericsKey] = to_string(numerics);
    return metadata;
}

namespace detail {

/// The share of the model's parameters that are in the file, with as many dimensions.
LUMBAR_COLD inline double resemblance(const Graph& graph, const Weights& weights) {
    const std::vector<Parameter> wanted = parameters(graph);
    std::size_t there = 0;
    for (const Parameter& p : wanted) {
        const TensorData* found = weights.find(p.name);
        if (found && found->shape.rank() == p.shape.size()) ++there;
    }
    const std::size_t all = std::max(wanted.size(), weights.size());
    return all ? static_cast<double>(there) / static_cast<double>(all) : 0.0;
}

}  // namespace detail

/// Which numerics a file wants. They are not in its tensors: they are what the metadata say
/// ("numerics": "tf", or "padding": "same"), otherwise TensorFlow's for 1001 classes.
LUMBAR_COLD inline Numerics recognise_numerics(const ModelInfo& model, const Weights& weights) {
    if (!model.tensorflow) return Numerics::torch;
    const auto stated = [&](const char* key) {
        const auto at = weights.metadata().find(key);
        return at != weights.metadata().end() ? std::string_view(at->second) : std::string_view();
    };
    if (const auto numerics = parse_numerics(stated(kNumericsKey))) return *numerics;
    if (stated("padding") == "same") return Numerics::tf;
    Graph graph = model.build({});
    const Weights named = in_names_of(graph, weights);
    const Result<Graph> bound = try_bind_weights(graph, named, true);
    const bool background = bound && bound->node(bound->outputs()[0]).channels == 1001;
    return background ? Numerics::tf : Numerics::torch;
}

/// The model that the file is for: what its metadata say ("architecture"), otherwise the one whose
/// tensors it holds; of several with the same tensors (ResNet's and Caffe's, say) the first.
LUMBAR_COLD inline FileModel recognise_model(const Weights& weights) {
    FileModel result;
    const auto stated = weights.metadata().find(kArchitectureKey);
    if (stated != weights.metadata().end()) result.model = find_model(stated->second);
    if (result.model) result.evidence = FileModel::Evidence::stated;
    double best = 0.5;
    for (const ModelInfo& model : models()) {
        if (result.evidence >= FileModel::Evidence::fits) break;
        Graph graph = model.build({});
        const Weights named = in_names_of(graph, weights);
        if (try_bind_weights(graph, named, false)) {
            result.model = &model;
            result.evidence = FileModel::Evidence::fits;
        } else if (const double share = detail::resemblance(graph, named); share > best) {
            best = share;
            result.model = &model;
            result.evidence = FileModel::Evidence::resembles;
        }
    }
    if (result.model) result.numerics = recognise_numerics(*result.model, weights);
    return result;
}

/// "; it seems to be for resnet50": what a program adds to the message of try_compile. Nothing
/// where nothing better than `tried` is known, or the file says it itself, which that message
/// repeats.
LUMBAR_COLD inline std::string model_advice(const Weights& weights, std::string_view tried) {
    const FileModel file = recognise_model(weights);
    if (!file.model || file.model->name == tried) return "";
    if (file.evidence == FileModel::Evidence::stated) return "";
    return detail::cat({"; it seems to be for ", file.model->name});
}

LUMBAR_NAMESPACE_END
