// The weight files that are known to fit the models, by the names that their publishers gave them:
// torchvision's and pretrainedmodels' files, timm's repositories (their model.safetensors), Keras's
// and Caffe's. Nothing here downloads anything.
#pragma once

#include <lumbar/config/config.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN

/// keras (HDF5) and caffe files are not read: convert them to safetensors, keeping their names.
enum class WeightFormat { torch, safetensors, keras, caffe };

constexpr const char* to_string(WeightFormat f) {
    switch (f) {
        case WeightFormat::torch: return "torch";
        case WeightFormat::safetensors: return "safetensors";
        case WeightFormat::keras: return "keras";
        case WeightFormat::caffe: return "caffe";
    }
    return "?";
}

struct WeightFile {
    std::string_view model;
    std::string_view file;    ///< "timm/NAME": the repository
    WeightFormat format;      ///< that it is published in
    std::string_view preset;  ///< how its pictures are prepared: a name of lumbar::presets
    double top1;              ///< published, per cent of ImageNet's validation; 0: not known here
};

namespace detail {
// clang-format off
inline constexpr std::array kWeightFiles{
    WeightFile{"vgg11",                     "vgg11-8a719046.pth",                                         WeightFormat::torch,       "imagenet",      69.020},
    WeightFile{"vgg11",                     "timm/vgg11.tv_in1k",                                         WeightFormat::safetensors, "imagenet",      69.020},
    WeightFile{"vgg11_bn",                  "vgg11_bn-6002323d.pth",                                      WeightFormat::torch,       "imagenet",      70.370},
    WeightFile{"vgg11_bn",                  "timm/vgg11_bn.tv_in1k",                                      WeightFormat::safetensors, "imagenet",      70.370},
    WeightFile{"vgg13",                     "vgg13-19584684.pth",                                         WeightFormat::torch,       "imagenet",      69.928},
    WeightFile{"vgg13",                     "timm/vgg13.tv_in1k",                                         WeightFormat::safetensors, "imagenet",      69.928},
    WeightFile{"vgg13_bn",                  "vgg13_bn-abd245e5.pth",                                      WeightFormat::torch,       "imagenet",      71.586},
    WeightFile{"vgg13_bn",                  "timm/vgg13_bn.tv_in1k",                                      WeightFormat::safetensors, "imagenet",      71.586},
    WeightFile{"vgg16",                     "vgg16-397923af.pth",                                         WeightFormat::torch,       "imagenet",      71.592},
    WeightFile{"vgg16",                     "timm/vgg16.tv_in1k",                                         WeightFormat::safetensors, "imagenet",      71.592},
    WeightFile{"vgg16",                     "vgg16_weights_tf_dim_ordering_tf_kernels.h5",                WeightFormat::keras,       "caffe",         71.268},
    WeightFile{"vgg16_bn",                  "vgg16_bn-6c64b313.pth",                                      WeightFormat::torch,       "imagenet",      73.360},
    WeightFile{"vgg16_bn",                  "timm/vgg16_bn.tv_in1k",                                      WeightFormat::safetensors, "imagenet",      73.360},
    WeightFile{"vgg19",                     "vgg19-dcbb9e9d.pth",                                         WeightFormat::torch,       "imagenet",      72.376},
    WeightFile{"vgg19",                     "timm/vgg19.tv_in1k",                                         WeightFormat::safetensors, "imagenet",      72.376},
    WeightFile{"vgg19",                     "vgg19_weights_tf_dim_ordering_tf_kernels.h5",                WeightFormat::keras,       "caffe",         71.256},
    WeightFile{"vgg19_bn",                  "vgg19_bn-c79401a0.pth",                                      WeightFormat::torch,       "imagenet",      74.218},
    WeightFile{"vgg19_bn",                  "timm/vgg19_bn.tv_in1k",                                      WeightFormat::safetensors, "imagenet",      74.218},
    WeightFile{"resnet18",                  "resnet18-f37072fd.pth",                                      WeightFormat::torch,       "imagenet",      69.758},
    WeightFile{"resnet18",                  "timm/resnet18.a1_in1k",                                      WeightFormat::safetensors, "timm_95",       71.504},
    WeightFile{"resnet34",                  "resnet34-b627a593.pth",                                      WeightFormat::torch,       "imagenet",      73.314},
    WeightFile{"resnet34",                  "timm/resnet34.ra4_e3600_r224_in1k",                          WeightFormat::safetensors, "timm_half_90",  77.492},
    WeightFile{"resnet50",                  "resnet50-0676ba61.pth",                                      WeightFormat::torch,       "imagenet",      76.130},
    WeightFile{"resnet50",                  "resnet50-11ad3fa6.pth",                                      WeightFormat::torch,       "imagenet_v2",   80.858},
    WeightFile{"resnet50",                  "timm/resnet50.a1_in1k",                                      WeightFormat::safetensors, "timm_95",       80.382},
    WeightFile{"resnet101",                 "resnet101-63fe2227.pth",                                     WeightFormat::torch,       "imagenet",      77.374},
    WeightFile{"resnet101",                 "resnet101-cd907fc2.pth",                                     WeightFormat::torch,       "imagenet_v2",   81.886},
    WeightFile{"resnet152",                 "resnet152-394f9c45.pth",                                     WeightFormat::torch,       "imagenet",      78.312},
    WeightFile{"resnet152",                 "resnet152-f82ba261.pth",                                     WeightFormat::torch,       "imagenet_v2",   82.284},
    WeightFile{"resnext50_32x4d",           "resnext50_32x4d-7cdf4587.pth",                               WeightFormat::torch,       "imagenet",      77.618},
    WeightFile{"resnext50_32x4d",           "resnext50_32x4d-1a0047aa.pth",                               WeightFormat::torch,       "imagenet_v2",   81.198},
    WeightFile{"resnext50_32x4d",           "timm/resnext50_32x4d.a1_in1k",                               WeightFormat::safetensors, "timm_95",       80.526},
    WeightFile{"resnext101_32x8d",          "resnext101_32x8d-8ba56ff5.pth",                              WeightFormat::torch,       "imagenet",      79.312},
    WeightFile{"resnext101_32x8d",          "resnext101_32x8d-110c445d.pth",                              WeightFormat::torch,       "imagenet_v2",   82.834},
    WeightFile{"wide_resnet50_2",           "wide_resnet50_2-95faca4d.pth",                               WeightFormat::torch,       "imagenet",      78.468},
    WeightFile{"wide_resnet50_2",           "wide_resnet50_2-9ba9bcbe.pth",                               WeightFormat::torch,       "imagenet_v2",   81.602},
    WeightFile{"wide_resnet101_2",          "wide_resnet101_2-32ee1156.pth",                              WeightFormat::torch,       "imagenet",      78.848},
    WeightFile{"wide_resnet101_2",          "wide_resnet101_2-d733dc28.pth",                              WeightFormat::torch,       "imagenet_v2",   82.510},
    WeightFile{"resnext101_64x4d",          "resnext101_64x4d-173b62eb.pth",                              WeightFormat::torch,       "imagenet_v2",   83.246},
    WeightFile{"resnet18d",                 "timm/resnet18d.ra2_in1k",                                    WeightFormat::safetensors, "timm",          72.260},
    WeightFile{"resnet34d",                 "timm/resnet34d.ra2_in1k",                                    WeightFormat::safetensors, "timm",          77.100},
    WeightFile{"resnet50d",                 "timm/resnet50d.ra2_in1k",                                    WeightFormat::safetensors, "timm",          80.546},
    WeightFile{"resnet101d",                "timm/resnet101d.ra2_in1k",                                   WeightFormat::safetensors, "timm_256",      82.260},
    WeightFile{"resnet152d",                "timm/resnet152d.ra2_in1k",                                   WeightFormat::safetensors, "timm_256",      83.140},
    WeightFile{"seresnet50",                "timm/seresnet50.a1_in1k",                                    WeightFormat::safetensors, "timm_95",       80.012},
    WeightFile{"seresnext50_32x4d",         "timm/seresnext50_32x4d.racm_in1k",                           WeightFormat::safetensors, "timm",          81.270},
    WeightFile{"resnet50_v1",               "resnet50_weights_tf_dim_ordering_tf_kernels.h5",             WeightFormat::keras,       "caffe",         74.928},
    WeightFile{"resnet101_v1",              "resnet101_weights_tf_dim_ordering_tf_kernels.h5",            WeightFormat::keras,       "caffe",         76.420},
    WeightFile{"resnet152_v1",              "resnet152_weights_tf_dim_ordering_tf_kernels.h5",            WeightFormat::keras,       "caffe",         76.604},
    WeightFile{"cafferesnet101",            "cafferesnet101-9d633cc0.pth",                                WeightFormat::torch,       "cafferesnet",   76.200},
    WeightFile{"resnetv2_18",               "timm/resnetv2_18.ra4_e3600_r224_in1k",                       WeightFormat::safetensors, "timm_half_90",  73.572},
    WeightFile{"resnetv2_34",               "timm/resnetv2_34.ra4_e3600_r224_in1k",                       WeightFormat::safetensors, "timm_half_90",  77.626},
    WeightFile{"resnetv2_50",               "timm/resnetv2_50.a1h_in1k",                                  WeightFormat::safetensors, "timm_half_95",  80.410},
    WeightFile{"resnetv2_101",              "timm/resnetv2_101.a1h_in1k",                                 WeightFormat::safetensors, "timm_half_95",  82.042},
    WeightFile{"densenet121",               "densenet121-a639ec97.pth",                                   WeightFormat::torch,       "imagenet",      74.434},
    WeightFile{"densenet121",               "densenet121_weights_tf_dim_ordering_tf_kernels.h5",          WeightFormat::keras,       "imagenet",      74.972},
    WeightFile{"densenet169",               "densenet169-b2777c0a.pth",                                   WeightFormat::torch,       "imagenet",      75.600},
    WeightFile{"densenet169",               "densenet169_weights_tf_dim_ordering_tf_kernels.h5",          WeightFormat::keras,       "imagenet",      76.176},
    WeightFile{"densenet201",               "densenet201-c1103571.pth",                                   WeightFormat::torch,       "imagenet",      76.896},
    WeightFile{"densenet201",               "densenet201_weights_tf_dim_ordering_tf_kernels.h5",          WeightFormat::keras,       "imagenet",      77.320},
    WeightFile{"densenet161",               "densenet161-8d451a50.pth",                                   WeightFormat::torch,       "imagenet",      77.138},
    WeightFile{"mobilenet_v1",              "timm/mobilenetv1_100.ra4_e3600_r224_in1k",                   WeightFormat::safetensors, "timm_half",     75.388},
    WeightFile{"mobilenet_v1",              "mobilenet_1_0_224_tf.h5",                                    WeightFormat::keras,       "tensorflow",    70.424},
    WeightFile{"mobilenet_v2",              "mobilenet_v2-b0353104.pth",                                  WeightFormat::torch,       "imagenet",      71.878},
    WeightFile{"mobilenet_v2",              "mobilenet_v2-7ebf99e0.pth",                                  WeightFormat::torch,       "imagenet_v2",   72.154},
    WeightFile{"mobilenet_v2",              "timm/mobilenetv2_100.ra_in1k",                               WeightFormat::safetensors, "timm",          72.910},
    WeightFile{"mobilenet_v2",              "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5", WeightFormat::keras,       "tensorflow",    71.336},
    WeightFile{"mobilenet_v3_large",        "mobilenet_v3_large-8738ca79.pth",                            WeightFormat::torch,       "imagenet",      74.042},
    WeightFile{"mobilenet_v3_large",        "mobilenet_v3_large-5c1a4163.pth",                            WeightFormat::torch,       "imagenet_v2",   75.274},
    WeightFile{"mobilenet_v3_large",        "timm/mobilenetv3_large_100.ra_in1k",                         WeightFormat::safetensors, "timm",          75.784},
    WeightFile{"mobilenet_v3_large",        "timm/tf_mobilenetv3_large_100.in1k",                         WeightFormat::safetensors, "tensorflow",    75.510},
    WeightFile{"mobilenet_v3_large",        "weights_mobilenet_v3_large_224_1.0_float.h5",                WeightFormat::keras,       "tensorflow",    75.600},
    WeightFile{"mobilenet_v3_small",        "mobilenet_v3_small-047dcff4.pth",                            WeightFormat::torch,       "imagenet",      67.668},
    WeightFile{"mobilenet_v3_small",        "timm/mobilenetv3_small_100.lamb_in1k",                       WeightFormat::safetensors, "timm",          67.636},
    WeightFile{"mobilenet_v3_small",        "weights_mobilenet_v3_small_224_1.0_float.h5",                WeightFormat::keras,       "tensorflow",    68.100},
    WeightFile{"mobilenet_v3_large_minimal","timm/tf_mobilenetv3_large_minimal_100.in1k",                 WeightFormat::safetensors, "tensorflow",    72.270},
    WeightFile{"mobilenet_v3_large_minimal","weights_mobilenet_v3_large_minimalistic_224_1.0_float.h5",   WeightFormat::keras,       "tensorflow",    72.300},
    WeightFile{"mobilenet_v3_small_minimal","timm/tf_mobilenetv3_small_minimal_100.in1k",                 WeightFormat::safetensors, "tensorflow",    62.890},
    WeightFile{"mobilenet_v3_small_minimal","weights_mobilenet_v3_small_minimalistic_224_1.0_float.h5",   WeightFormat::keras,       "tensorflow",    61.900},
    WeightFile{"googlenet",                 "googlenet-1378be20.pth",                                     WeightFormat::torch,       "googlenet",     69.778},
    WeightFile{"inception_v1",              "bvlc_googlenet.caffemodel",                                  WeightFormat::caffe,       "bvlc",          68.700},
    WeightFile{"bn_inception",              "bn_inception-52deb4733.pth",                                 WeightFormat::torch,       "bn_inception",  73.524},
    WeightFile{"inception_v3",              "inception_v3_google-0cc3c7bd.pth",                           WeightFormat::torch,       "inception_v3",  77.294},
    WeightFile{"inception_v3",              "timm/inception_v3.tf_adv_in1k",                              WeightFormat::safetensors, "timm_half_299", 77.598},
};
// clang-format on
}  // namespace detail

/// All files, model by model.
inline std::span<const WeightFile> weight_files() { return detail::kWeightFiles; }

/// Those of one model; may be empty.
inline std::span<const WeightFile> weight_files(std::string_view model) {
    const auto all = weight_files();
    std::size_t first = 0;
    while (first < all.size() && all[first].model != model) ++first;
    std::size_t last = first;
    while (last < all.size() && all[last].model == model) ++last;
    return all.subspan(first, last - first);
}

LUMBAR_NAMESPACE_END
