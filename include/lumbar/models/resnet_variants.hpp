// What became of ResNet: its table with a field or two changed. ResNeXt (Xie et al.,
// arXiv:1611.05431, table 1), Wide ResNet (Zagoruyko & Komodakis, arXiv:1605.07146), ResNet-D (He
// et al., "Bag of Tricks for Image Classification", arXiv:1812.01187, section 4.2),
// squeeze-and-excite (Hu et al., arXiv:1709.01507), and the paper's own placement of the stride, in
// two dialects.
//
//   network              parameters     MACs at 224    of      weights
//   resnext50_32x4d       25,028,904     4.230 G       50      torchvision
//   resnext101_32x8d      88,791,336    16.414 G       101     torchvision
//   resnext101_64x4d      83,455,272    15.460 G       101     torchvision
//   wide_resnet50_2       68,883,240    11.398 G       50      torchvision
//   wide_resnet101_2     126,886,696    22.753 G       101     torchvision
//   resnet18d             11,708,744     2.054 G       18      timm (resnet18d.ra2_in1k, ...)
//   resnet34d             21,816,904     3.903 G       34      timm
//   resnet50d             25,576,264     4.329 G       50      timm
//   resnet101d            44,568,392     8.041 G       101     timm (trained at 256)
//   resnet152d            60,212,040    11.753 G       152     timm (trained at 256)
//   seresnet50            28,088,024     4.092 G       50      timm (seresnet50.a1_in1k)
//   seresnext50_32x4d     27,559,896     4.233 G       50      timm (seresnext50_32x4d.racm_in1k)
//   resnet50_v1           25,583,592     3.858 G       50      Keras (ResNet50)
//   resnet101_v1          44,601,832     7.570 G       101     Keras (ResNet101)
//   resnet152_v1          60,268,520    11.282 G       152     Keras (ResNet152)
//   cafferesnet101        44,549,160     7.570 G       101     pretrainedmodels
//
// The MACs are torchvision's for its networks, and counted here for the others. (timm says 4.11 G
// for seresnet50, as it says 4.11 G for resnet50, where torchvision has 4.089.)
//
// Wide networks are as torchvision has them: bottlenecks whose 3x3 convolution is twice as wide
// (the paper widens basic blocks). timm's gates squeeze to a sixteenth, in multiples of 8. Keras's
// and Caffe's weights want pictures as BGR, 0 to 255 (presets::caffe). Keras publishes 25,636,712
// parameters for ResNet50: it counts the running statistics too.
#pragma once

#include <lumbar/models/resnet.hpp>

LUMBAR_NAMESPACE_BEGIN

namespace detail {
/// ResNeXt and Wide ResNet: 3x3 convolutions of `groups` groups, `width` channels each in conv2_x.
constexpr ResNetTable grouped(const char* name, ResNetTable t, int groups, int width) {
    t.name = name;
    t.groups = groups;
    t.group_width = width;
    return t;
}
constexpr ResNetTable squeezing(const char* name, ResNetTable t) {
    t.name = name;
    t.squeeze_excite = true;
    return t;
}
constexpr ResNetTable resnet_d(const char* name, ResNetTable t) {
    t.name = name;
    t.deep_stem = t.average_shortcut = true;
    return t;
}
constexpr ResNetTable as_in_keras(const char* name, ResNetTable t) {
    t.name = name;
    t.stride_on_3x3 = false;
    t.bias = true;
    t.epsilon = 1.001e-5;
    return t;
}
constexpr ResNetTable as_in_caffe(const char* name, ResNetTable t) {
    t.name = name;
    t.stride_on_3x3 = false;
    t.stem_pool_padded = false;
    return t;
}
}  // namespace detail

// clang-format off
inline constexpr ResNetTable kResNeXt50x32x4d   = detail::grouped("resnext50_32x4d", kResNet50, 32, 4);
inline constexpr ResNetTable kResNeXt101x32x8d  = detail::grouped("resnext101_32x8d", kResNet101, 32, 8);
inline constexpr ResNetTable kResNeXt101x64x4d  = detail::grouped("resnext101_64x4d", kResNet101, 64, 4);
inline constexpr ResNetTable kWideResNet50      = detail::grouped("wide_resnet50_2", kResNet50, 1, 128);
inline constexpr ResNetTable kWideResNet101     = detail::grouped("wide_resnet101_2", kResNet101, 1, 128);
inline constexpr ResNetTable kResNet18d         = detail::resnet_d("resnet18d", kResNet18);
inline constexpr ResNetTable kResNet34d         = detail::resnet_d("resnet34d", kResNet34);
inline constexpr ResNetTable kResNet50d         = detail::resnet_d("resnet50d", kResNet50);
inline constexpr ResNetTable kResNet101d        = detail::resnet_d("resnet101d", kResNet101);
inline constexpr ResNetTable kResNet152d        = detail::resnet_d("resnet152d", kResNet152);
inline constexpr ResNetTable kSeResNet50        = detail::squeezing("seresnet50", kResNet50);
inline constexpr ResNetTable kSeResNeXt50x32x4d = detail::squeezing("seresnext50_32x4d", kResNeXt50x32x4d);
inline constexpr ResNetTable kResNet50v1        = detail::as_in_keras("resnet50_v1", kResNet50);
inline constexpr ResNetTable kResNet101v1       = detail::as_in_keras("resnet101_v1", kResNet101);
inline constexpr ResNetTable kResNet152v1       = detail::as_in_keras("resnet152_v1", kResNet152);
inline constexpr ResNetTable kCaffeResNet101    = detail::as_in_caffe("cafferesnet101", kResNet101);
// clang-format on

LUMBAR_NAMESPACE_END
