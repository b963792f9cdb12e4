// The models by name: what programs, tests and benchmarks run over.
#pragma once

#include <lumbar/models/densenet.hpp>
#include <lumbar/models/inception_v1.hpp>
#include <lumbar/models/inception_v2.hpp>
#include <lumbar/models/inception_v3.hpp>
#include <lumbar/models/mobilenet_v1.hpp>
#include <lumbar/models/mobilenet_v2.hpp>
#include <lumbar/models/mobilenet_v3.hpp>
#include <lumbar/models/resnet.hpp>
#include <lumbar/models/resnet_cifar.hpp>
#include <lumbar/models/resnet_v2.hpp>
#include <lumbar/models/resnet_variants.hpp>
#include <lumbar/models/vgg.hpp>
#include <lumbar/models/weight_files.hpp>

#include <array>
#include <span>
#include <string>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN

/// What may be asked of any model.
struct ModelOptions {
    int classes = 0;  ///< 0: the model's own (1000, or CIFAR's 10); none: without_head, embedding
    int input_channels = 3;
    double width = 1.0;                   ///< families with a width multiplier only
    Numerics numerics = Numerics::torch;  ///< families that exist in several worlds only
};

/// A row of the registry.
struct ModelInfo {
    std::string_view name;
    std::string_view family;
    std::string_view paper;       ///< arXiv number
    std::int64_t parameters;      ///< published, all classes
    double gmacs;                 ///< multiply-adds at input_size
    std::string_view gmacs_from;  ///< who publishes them to these digits; "": nobody, counted here
    int input_size;               ///< usual height and width of the image
    bool scalable;                ///< has a width multiplier
    bool tensorflow;              ///< has TensorFlow's numerics
    Graph (*build)(const ModelOptions&);

    /// The files that are known to fit, the best known first; may be empty.
    std::span<const WeightFile> weights() const { return weight_files(name); }
    /// Per cent of ImageNet's validation pictures that the first file classifies correctly; 0: not
    /// known.
    double top1() const { return weights().empty() ? 0 : weights()[0].top1; }
};

namespace detail {
constexpr int classes_of(const ModelOptions& o, int usual = 1000) {
    return o.classes > 0 ? o.classes : usual;
}
template <const VggTable& Table, bool BatchNorm>
Graph build_vgg(const ModelOptions& o) {
    return vgg(
        Table,
        {.classes = classes_of(o), .input_channels = o.input_channels, .batch_norm = BatchNorm});
}
template <const ResNetTable& Table>
Graph build_resnet(const ModelOptions& o) {
    return resnet(Table, {.classes = classes_of(o), .input_channels = o.input_channels});
}
template <const ResNetTable& Table>
Graph build_resnet_v2(const ModelOptions& o) {
    return resnet_v2(Table, {.classes = classes_of(o), .input_channels = o.input_channels});
}
template <int N>
Graph build_resnet_cifar(const ModelOptions& o) {
    return resnet_cifar(N, {.classes = classes_of(o, 10), .input_channels = o.input_channels});
}
template <const DenseNetTable& Table>
Graph build_densenet(const ModelOptions& o) {
    return densenet(Table, {.classes = classes_of(o), .input_channels = o.input_channels});
}
inline Graph build_mobilenet_v1(const ModelOptions& o) {
    return mobilenet_v1({.classes = classes_of(o),
                         .input_channels = o.input_channels,
                         .width = o.width,
                         .numerics = o.numerics});
}
inline Graph build_mobilenet_v2(const ModelOptions& o) {
    return mobilenet_v2({.classes = classes_of(o),
                         .input_channels = o.input_channels,
                         .width = o.width,
                         .numerics = o.numerics});
}
template <const MobileNetV3Table& Table>
Graph build_mobilenet_v3(const ModelOptions& o) {
    return mobilenet_v3(Table, {.classes = classes_of(o),
                                .input_channels = o.input_channels,
                                .width = o.width,
                                .numerics = o.numerics});
}
inline Graph build_googlenet(const ModelOptions& o) {
    return googlenet({.classes = classes_of(o), .input_channels = o.input_channels});
}
inline Graph build_inception_v1(const ModelOptions& o) {
    return inception_v1({.classes = classes_of(o), .input_channels = o.input_channels});
}
inline Graph build_bn_inception(const ModelOptions& o) {
    return bn_inception({.classes = classes_of(o), .input_channels = o.input_channels});
}
template <const InceptionV3Table& Table>
Graph build_inception_v3(const ModelOptions& o) {
    return inception_v3(Table, {.classes = classes_of(o),
                                .input_channels = o.input_channels,
                                .average_counts_padding = o.numerics != Numerics::tf});
}

// clang-format off
inline constexpr std::array kModels{
    ModelInfo{"vgg11",                      "vgg",       "1409.1556",  132863336,  7.609, "torchvision", 224, false, false, build_vgg<kVgg11, false>},
    ModelInfo{"vgg11_bn",                   "vgg",       "1409.1556",  132868840,  7.609, "torchvision", 224, false, false, build_vgg<kVgg11, true>},
    ModelInfo{"vgg13",                      "vgg",       "1409.1556",  133047848, 11.308, "torchvision", 224, false, false, build_vgg<kVgg13, false>},
    ModelInfo{"vgg13_bn",                   "vgg",       "1409.1556",  133053736, 11.308, "torchvision", 224, false, false, build_vgg<kVgg13, true>},
    ModelInfo{"vgg16",                      "vgg",       "1409.1556",  138357544, 15.470, "torchvision", 224, false, false, build_vgg<kVgg16, false>},
    ModelInfo{"vgg16_bn",                   "vgg",       "1409.1556",  138365992, 15.470, "torchvision", 224, false, false, build_vgg<kVgg16, true>},
    ModelInfo{"vgg19",                      "vgg",       "1409.1556",  143667240, 19.632, "torchvision", 224, false, false, build_vgg<kVgg19, false>},
    ModelInfo{"vgg19_bn",                   "vgg",       "1409.1556",  143678248, 19.632, "torchvision", 224, false, false, build_vgg<kVgg19, true>},
    ModelInfo{"resnet18",                   "resnet",    "1512.03385",  11689512,  1.814, "torchvision", 224, false, false, build_resnet<kResNet18>},
    ModelInfo{"resnet34",                   "resnet",    "1512.03385",  21797672,  3.664, "torchvision", 224, false, false, build_resnet<kResNet34>},
    ModelInfo{"resnet50",                   "resnet",    "1512.03385",  25557032,  4.089, "torchvision", 224, false, false, build_resnet<kResNet50>},
    ModelInfo{"resnet101",                  "resnet",    "1512.03385",  44549160,  7.801, "torchvision", 224, false, false, build_resnet<kResNet101>},
    ModelInfo{"resnet152",                  "resnet",    "1512.03385",  60192808, 11.514, "torchvision", 224, false, false, build_resnet<kResNet152>},
    ModelInfo{"resnext50_32x4d",            "resnet",    "1611.05431",  25028904,  4.230, "torchvision", 224, false, false, build_resnet<kResNeXt50x32x4d>},
    ModelInfo{"resnext101_32x8d",           "resnet",    "1611.05431",  88791336, 16.414, "torchvision", 224, false, false, build_resnet<kResNeXt101x32x8d>},
    ModelInfo{"resnext101_64x4d",           "resnet",    "1611.05431",  83455272, 15.460, "torchvision", 224, false, false, build_resnet<kResNeXt101x64x4d>},
    ModelInfo{"wide_resnet50_2",            "resnet",    "1605.07146",  68883240, 11.398, "torchvision", 224, false, false, build_resnet<kWideResNet50>},
    ModelInfo{"wide_resnet101_2",           "resnet",    "1605.07146", 126886696, 22.753, "torchvision", 224, false, false, build_resnet<kWideResNet101>},
    ModelInfo{"resnet18d",                  "resnet",    "1812.01187",  11708744,  2.054, "",            224, false, false, build_resnet<kResNet18d>},
    ModelInfo{"resnet34d",                  "resnet",    "1812.01187",  21816904,  3.903, "",            224, false, false, build_resnet<kResNet34d>},
    ModelInfo{"resnet50d",                  "resnet",    "1812.01187",  25576264,  4.329, "",            224, false, false, build_resnet<kResNet50d>},
    ModelInfo{"resnet101d",                 "resnet",    "1812.01187",  44568392,  8.041, "",            224, false, false, build_resnet<kResNet101d>},
    ModelInfo{"resnet152d",                 "resnet",    "1812.01187",  60212040, 11.753, "",            224, false, false, build_resnet<kResNet152d>},
    ModelInfo{"seresnet50",                 "resnet",    "1709.01507",  28088024,  4.092, "",            224, false, false, build_resnet<kSeResNet50>},
    ModelInfo{"seresnext50_32x4d",          "resnet",    "1709.01507",  27559896,  4.233, "",            224, false, false, build_resnet<kSeResNeXt50x32x4d>},
    ModelInfo{"resnet50_v1",                "resnet",    "1512.03385",  25583592,  3.858, "",            224, false, false, build_resnet<kResNet50v1>},
    ModelInfo{"resnet101_v1",               "resnet",    "1512.03385",  44601832,  7.570, "",            224, false, false, build_resnet<kResNet101v1>},
    ModelInfo{"resnet152_v1",               "resnet",    "1512.03385",  60268520, 11.282, "",            224, false, false, build_resnet<kResNet152v1>},
    ModelInfo{"cafferesnet101",             "resnet",    "1512.03385",  44549160,  7.570, "",            224, false, false, build_resnet<kCaffeResNet101>},
    ModelInfo{"resnetv2_18",                "resnet",    "1603.05027",  11687720,  1.814, "",            224, false, false, build_resnet_v2<kResNetV2x18>},
    ModelInfo{"resnetv2_34",                "resnet",    "1603.05027",  21795880,  3.664, "",            224, false, false, build_resnet_v2<kResNetV2x34>},
    ModelInfo{"resnetv2_50",                "resnet",    "1603.05027",  25549352,  4.089, "",            224, false, false, build_resnet_v2<kResNetV2x50>},
    ModelInfo{"resnetv2_101",               "resnet",    "1603.05027",  44541480,  7.801, "",            224, false, false, build_resnet_v2<kResNetV2x101>},
    ModelInfo{"resnetv2_152",               "resnet",    "1603.05027",  60185128, 11.514, "",            224, false, false, build_resnet_v2<kResNetV2x152>},
    ModelInfo{"resnet20_cifar",             "resnet",    "1512.03385",    269722,  0.041, "",            32, false, false, build_resnet_cifar<3>},
    ModelInfo{"resnet32_cifar",             "resnet",    "1512.03385",    464154,  0.069, "",            32, false, false, build_resnet_cifar<5>},
    ModelInfo{"resnet44_cifar",             "resnet",    "1512.03385",    658586,  0.097, "",            32, false, false, build_resnet_cifar<7>},
    ModelInfo{"resnet56_cifar",             "resnet",    "1512.03385",    853018,  0.125, "",            32, false, false, build_resnet_cifar<9>},
    ModelInfo{"resnet110_cifar",            "resnet",    "1512.03385",   1727962,  0.253, "",            32, false, false, build_resnet_cifar<18>},
    ModelInfo{"densenet121",                "densenet",  "1608.06993",   7978856,  2.834, "torchvision", 224, false, false, build_densenet<kDenseNet121>},
    ModelInfo{"densenet169",                "densenet",  "1608.06993",  14149480,  3.360, "torchvision", 224, false, false, build_densenet<kDenseNet169>},
    ModelInfo{"densenet201",                "densenet",  "1608.06993",  20013928,  4.291, "torchvision", 224, false, false, build_densenet<kDenseNet201>},
    ModelInfo{"densenet161",                "densenet",  "1608.06993",  28681000,  7.728, "torchvision", 224, false, false, build_densenet<kDenseNet161>},
    ModelInfo{"mobilenet_v1",               "mobilenet", "1704.04861",   4231976,  0.569, "the paper",   224, true,  true,  build_mobilenet_v1},
    ModelInfo{"mobilenet_v2",               "mobilenet", "1801.04381",   3504872,  0.301, "torchvision", 224, true,  true,  build_mobilenet_v2},
    ModelInfo{"mobilenet_v3_large",         "mobilenet", "1905.02244",   5483032,  0.217, "torchvision", 224, true,  true,  build_mobilenet_v3<kMobileNetV3Large>},
    ModelInfo{"mobilenet_v3_small",         "mobilenet", "1905.02244",   2542856,  0.057, "torchvision", 224, true,  true,  build_mobilenet_v3<kMobileNetV3Small>},
    ModelInfo{"mobilenet_v3_large_minimal", "mobilenet", "1905.02244",   3924288,  0.209, "",            224, true,  true,  build_mobilenet_v3<kMobileNetV3LargeMinimal>},
    ModelInfo{"mobilenet_v3_small_minimal", "mobilenet", "1905.02244",   2044736,  0.052, "",            224, true,  true,  build_mobilenet_v3<kMobileNetV3SmallMinimal>},
    ModelInfo{"googlenet",                  "inception", "1409.4842",    6624904,  1.498, "torchvision", 224, false, false, build_googlenet},
    ModelInfo{"inception_v1",               "inception", "1409.4842",    6998552,  1.583, "",            224, false, false, build_inception_v1},
    ModelInfo{"bn_inception",               "inception", "1502.03167",  11295240,  2.033, "",            224, false, false, build_bn_inception},
    ModelInfo{"inception_v2",               "inception", "1512.00567",  25954248,  6.353, "",            299, false, true,  build_inception_v3<kFactorisedInceptionV2>},
    ModelInfo{"inception_v3",               "inception", "1512.00567",  23834568,  5.713, "torchvision", 299, false, true,  build_inception_v3<kInceptionV3>},
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

namespace detail {
/// Equal but for capitals, underscores, hyphens and dots.
LUMBAR_COLD inline bool may_be_named(std::string_view a, std::string_view b) {
    const auto plain = [](std::string_view name) {
        std::string text;
        for (const char c : name) {
            if (c == '_' || c == '-' || c == '.') continue;
            text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
        return text;
    };
    return plain(a) == plain(b);
}
}  // namespace detail

/// The graph of the model of that name; an Error lists the names there are, or says that the model
/// has no width multiplier.
inline Result<Graph> try_make(std::string_view name, const ModelOptions& options = {}) {
    if (const ModelInfo* m = find_model(name)) {
        if (m->scalable || options.width == 1.0) return m->build(options);
        return Error(Error::Code::argument, std::string(name) + " has no width multiplier");
    }
    std::string known, meant;
    for (const ModelInfo& m : models()) {
        known += (known.empty() ? "" : ", ") + std::string(m.name);
        if (detail::may_be_named(m.name, name)) meant = detail::cat({" (is ", m.name, " meant?)"});
    }
    return Error(Error::Code::argument,
                 detail::cat({"no model is named '", name, "'", meant, "; there are ", known}));
}
inline Graph make(std::string_view name, const ModelOptions& options = {}) {
    return try_make(name, options).value();
}

LUMBAR_NAMESPACE_END
