// The models by name: what programs, tests and benchmarks run over.
#pragma once

#include <lumbar/models/inception_v1.hpp>
#include <lumbar/models/inception_v2.hpp>
#include <lumbar/models/inception_v3.hpp>
#include <lumbar/models/mobilenet_v1.hpp>
#include <lumbar/models/mobilenet_v2.hpp>
#include <lumbar/models/mobilenet_v3.hpp>
#include <lumbar/models/resnet.hpp>
#include <lumbar/models/vgg.hpp>

#include <array>
#include <span>
#include <string>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN

/// What may be asked of any model.
struct ModelOptions {
    int classes = 1000;
    int input_channels = 3;
    double width = 1.0;                   ///< families with a width multiplier only
    Numerics numerics = Numerics::torch;  ///< families that exist in both worlds only
};

/// A row of the registry.
struct ModelInfo {
    std::string_view name;
    std::string_view family;
    std::string_view paper;   ///< arXiv number
    std::int64_t parameters;  ///< published, 1000 classes
    double gmacs;             ///< published, at input_size
    int input_size;           ///< height and width that the published weights were tested at
    bool scalable;            ///< has width multiplier and TensorFlow numerics
    Graph (*build)(const ModelOptions&);
};

namespace detail {
template <const VggTable& Table, bool BatchNorm>
Graph build_vgg(const ModelOptions& o) {
    return vgg(Table,
               {.classes = o.classes, .input_channels = o.input_channels, .batch_norm = BatchNorm});
}
template <const ResNetTable& Table>
Graph build_resnet(const ModelOptions& o) {
    return resnet(Table, {.classes = o.classes, .input_channels = o.input_channels});
}
inline Graph build_mobilenet_v1(const ModelOptions& o) {
    return mobilenet_v1({.classes = o.classes,
                         .input_channels = o.input_channels,
                         .width = o.width,
                         .numerics = o.numerics});
}
inline Graph build_mobilenet_v2(const ModelOptions& o) {
    return mobilenet_v2({.classes = o.classes,
                         .input_channels = o.input_channels,
                         .width = o.width,
                         .numerics = o.numerics});
}
template <const MobileNetV3Table& Table>
Graph build_mobilenet_v3(const ModelOptions& o) {
    return mobilenet_v3(Table, {.classes = o.classes,
                                .input_channels = o.input_channels,
                                .width = o.width,
                                .numerics = o.numerics});
}
inline Graph build_googlenet(const ModelOptions& o) {
    return googlenet({.classes = o.classes, .input_channels = o.input_channels});
}
inline Graph build_bn_inception(const ModelOptions& o) {
    return bn_inception({.classes = o.classes, .input_channels = o.input_channels});
}
inline Graph build_inception_v3(const ModelOptions& o) {
    return inception_v3({.classes = o.classes, .input_channels = o.input_channels});
}

// clang-format off
inline constexpr std::array kModels{
    ModelInfo{"vgg11",              "vgg",       "1409.1556",  132863336,  7.609, 224, false, build_vgg<kVgg11, false>},
    ModelInfo{"vgg11_bn",           "vgg",       "1409.1556",  132868840,  7.609, 224, false, build_vgg<kVgg11, true>},
    ModelInfo{"vgg13",              "vgg",       "1409.1556",  133047848, 11.308, 224, false, build_vgg<kVgg13, false>},
    ModelInfo{"vgg13_bn",           "vgg",       "1409.1556",  133053736, 11.308, 224, false, build_vgg<kVgg13, true>},
    ModelInfo{"vgg16",              "vgg",       "1409.1556",  138357544, 15.470, 224, false, build_vgg<kVgg16, false>},
    ModelInfo{"vgg16_bn",           "vgg",       "1409.1556",  138365992, 15.470, 224, false, build_vgg<kVgg16, true>},
    ModelInfo{"vgg19",              "vgg",       "1409.1556",  143667240, 19.632, 224, false, build_vgg<kVgg19, false>},
    ModelInfo{"vgg19_bn",           "vgg",       "1409.1556",  143678248, 19.632, 224, false, build_vgg<kVgg19, true>},
    ModelInfo{"resnet18",           "resnet",    "1512.03385",  11689512,  1.814, 224, false, build_resnet<kResNet18>},
    ModelInfo{"resnet34",           "resnet",    "1512.03385",  21797672,  3.664, 224, false, build_resnet<kResNet34>},
    ModelInfo{"resnet50",           "resnet",    "1512.03385",  25557032,  4.089, 224, false, build_resnet<kResNet50>},
    ModelInfo{"resnet101",          "resnet",    "1512.03385",  44549160,  7.801, 224, false, build_resnet<kResNet101>},
    ModelInfo{"resnet152",          "resnet",    "1512.03385",  60192808, 11.514, 224, false, build_resnet<kResNet152>},
    ModelInfo{"mobilenet_v1",       "mobilenet", "1704.04861",   4231976,  0.569, 224, true,  build_mobilenet_v1},
    ModelInfo{"mobilenet_v2",       "mobilenet", "1801.04381",   3504872,  0.301, 224, true,  build_mobilenet_v2},
    ModelInfo{"mobilenet_v3_large", "mobilenet", "1905.02244",   5483032,  0.217, 224, true,  build_mobilenet_v3<kMobileNetV3Large>},
    ModelInfo{"mobilenet_v3_small", "mobilenet", "1905.02244",   2542856,  0.057, 224, true,  build_mobilenet_v3<kMobileNetV3Small>},
    ModelInfo{"googlenet",          "inception", "1409.4842",    6624904,  1.498, 224, false, build_googlenet},
    ModelInfo{"bn_inception",       "inception", "1502.03167",  11295240,  2.033, 224, false, build_bn_inception},
    ModelInfo{"inception_v3",       "inception", "1512.00567",  23834568,  5.713, 299, false, build_inception_v3},
};
// clang-format on
}  // namespace detail

/// All models, family by family.
inline std::span<const ModelInfo> models() { return detail::kModels; }

/// The model of that name, or nullptr.
inline const ModelInfo* find_model(std::string_view name) {
    for (const ModelInfo& m : models()) {
        if (m.name == name) return &m;
    }
    return nullptr;
}

/// The graph of the model of that name; an Error lists the names there are.
inline Result<Graph> try_make(std::string_view name, const ModelOptions& options = {}) {
    if (const ModelInfo* m = find_model(name)) return m->build(options);
    std::string known;
    for (const ModelInfo& m : models()) known += (known.empty() ? "" : ", ") + std::string(m.name);
    return Error(Error::Code::argument,
                 "no model is named '" + std::string(name) + "'; there are " + known);
}
inline Graph make(std::string_view name, const ModelOptions& options = {}) {
    return try_make(name, options).value();
}

LUMBAR_NAMESPACE_END
