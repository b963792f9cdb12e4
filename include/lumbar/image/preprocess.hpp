// From a picture to a network's input: resize, crop, normalise. A preset holds what a published
// checkpoint was evaluated with.
#pragma once

#include <lumbar/core/tensor.hpp>
#include <lumbar/image/resize.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN

/// How a checkpoint wants its pictures. Aggregate: presets::imagenet and the others are starting
/// points, `auto mine = presets::imagenet; mine.bgr = true;` is the way on.
struct Preprocess {
    enum class Crop {
        center,  ///< keep the proportions, take the middle
        squash,  ///< scale each side on its own, take the middle
    };

    int height = 224;
    int width = 224;
    Crop crop = Crop::center;
    /// The short side before cropping (torchvision's rule). 0: it follows from crop_fraction.
    int resize_to = 0;
    /// The part of the resized picture that the crop keeps: floor(size / crop_fraction) is what is
    /// resized to (timm's rule).
    double crop_fraction = 0.875;
    Interpolation interpolation = Interpolation::bilinear;
    /// Of value / divisor, in the order in which the network sees its channels.
    std::array<float, 3> mean{0.0f, 0.0f, 0.0f};
    std::array<float, 3> std{1.0f, 1.0f, 1.0f};
    /// The channels in the order blue, green, red (Caffe).
    bool bgr = false;
    /// The pixel value that becomes 1: 255, or 1 for networks that take 0 to 255.
    float divisor = 255.0f;
    /// 3, or 1 for networks that take grey pictures (mean[0] and std[0] apply).
    int channels = 3;

    /// The same at another size, with the short side before cropping in proportion.
    constexpr Preprocess with_size(int size) const {
        Preprocess other = *this;
        const int shorter = std::min(height, width);
        if (resize_to > 0 && shorter > 0)
            other.resize_to = static_cast<int>(std::int64_t{resize_to} * size / shorter);
        other.height = other.width = size;
        return other;
    }
    /// The same at a size that need not be square: the picture covers height x width and a margin.
    constexpr Preprocess with_size(int new_height, int new_width) const {
        if (new_height == new_width) return with_size(new_height);
        Preprocess other = *this;
        if (resize_to > 0) other.crop_fraction = double(std::min(height, width)) / resize_to;
        other.resize_to = 0;
        other.height = new_height;
        other.width = new_width;
        return other;
    }
    /// The same with another crop fraction (timm's crop_pct).
    constexpr Preprocess with_crop(double fraction) const {
        Preprocess other = *this;
        other.resize_to = 0;
        other.crop_fraction = fraction;
        return other;
    }
};

/// What published checkpoints were evaluated with. Another size: presets::imagenet.with_size(160).
namespace presets {

/// torchvision's IMAGENET1K_V1 weights: short side 256, middle 224.
inline constexpr Preprocess imagenet{
    .resize_to = 256, .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};
/// torchvision's IMAGENET1K_V2 weights: short side 232, middle 224.
inline constexpr Preprocess imagenet_v2{
    .resize_to = 232, .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};
/// timm's default: bicubic, crop_pct 0.875.
inline constexpr Preprocess timm{.interpolation = Interpolation::bicubic,
                                 .mean = {0.485f, 0.456f, 0.406f},
                                 .std = {0.229f, 0.224f, 0.225f}};
/// timm's recipe a1: crop_pct 0.95; and ra2 of the large networks, at 256.
inline constexpr Preprocess timm_95 = timm.with_crop(0.95);
inline constexpr Preprocess timm_256 = timm_95.with_size(256);
/// timm with mean and deviation 0.5 (mobilenetv1_*.ra4), with crop_pct 0.9 (ra4 of ResNets) and
/// 0.95 (a1h), and at 299 (inception_v3).
inline constexpr Preprocess timm_half{
    .interpolation = Interpolation::bicubic, .mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f}};
inline constexpr Preprocess timm_half_90 = timm_half.with_crop(0.9);
inline constexpr Preprocess timm_half_95 = timm_half.with_crop(0.95);
inline constexpr Preprocess timm_half_299 = timm_half.with_size(299);
/// TensorFlow's checkpoints as timm evaluates them (tf_*): bilinear, the central 0.875.
inline constexpr Preprocess tensorflow{.mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f}};
/// TensorFlow's checkpoints on the whole picture, its proportions given up.
inline constexpr Preprocess tensorflow_squash{.crop = Preprocess::Crop::squash,
                                              .crop_fraction = 1.0,
                                              .mean = {0.5f, 0.5f, 0.5f},
                                              .std = {0.5f, 0.5f, 0.5f}};
/// torchvision's inception_v3: short side 342, middle 299. What its transform_input does to
/// ImageNet-normalised input comes down to this mean and deviation, so it is not done again.
inline constexpr Preprocess inception_v3{.height = 299,
                                         .width = 299,
                                         .resize_to = 342,
                                         .mean = {0.5f, 0.5f, 0.5f},
                                         .std = {0.5f, 0.5f, 0.5f}};
/// torchvision's googlenet: short side 256, middle 224; transform_input as in inception_v3.
inline constexpr Preprocess googlenet{
    .resize_to = 256, .mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f}};
/// Caffe's VGG and ResNet, and Keras' "caffe" mode: BGR, 0 to 255, minus the mean.
inline constexpr Preprocess caffe{
    .resize_to = 256, .mean = {103.939f, 116.779f, 123.68f}, .bgr = true, .divisor = 1.0f};
/// pretrainedmodels' bn_inception: as caffe, with rounder means.
inline constexpr Preprocess bn_inception{
    .resize_to = 256, .mean = {104.0f, 117.0f, 128.0f}, .bgr = true, .divisor = 1.0f};

/// Caffe's bvlc_googlenet: as caffe, with rounder means.
inline constexpr Preprocess bvlc{
    .resize_to = 256, .mean = {104.0f, 117.0f, 123.0f}, .bgr = true, .divisor = 1.0f};
/// pretrainedmodels' cafferesnet101: as caffe, with means of its own.
inline constexpr Preprocess cafferesnet{
    .resize_to = 256, .mean = {102.9801f, 115.9465f, 122.7717f}, .bgr = true, .divisor = 1.0f};

/// The preset of that name (models/weight_files.hpp has them), or nullptr.
inline const Preprocess* find(std::string_view name) {
    struct Named {
        std::string_view name;
        const Preprocess* preset;
    };
    static constexpr Named kAll[] = {
        {"imagenet", &imagenet},
        {"imagenet_v2", &imagenet_v2},
        {"timm", &timm},
        {"timm_95", &timm_95},
        {"timm_256", &timm_256},
        {"timm_half", &timm_half},
        {"timm_half_90", &timm_half_90},
        {"timm_half_95", &timm_half_95},
        {"timm_half_299", &timm_half_299},
        {"tensorflow", &tensorflow},
        {"googlenet", &googlenet},
        {"inception_v3", &inception_v3},
        {"caffe", &caffe},
        {"bn_inception", &bn_inception},
        {"bvlc", &bvlc},
        {"cafferesnet", &cafferesnet},
    };
    for (const Named& n : kAll) {
        if (n.name == name) return n.preset;
    }
    return nullptr;
}

}  // namespace presets

namespace detail {

inline Status check_preprocess(const Image& image, const Preprocess& p) {
    const auto wrong = [](const std::string& what) {
        return Error(Error::Code::argument, "preprocess: " + what);
    };
    if (image.empty()) return wrong("the image is empty");
    constexpr int kMaxSide = 1 << 14;
    if (p.height <= 0 || p.width <= 0 || p.height > kMaxSide || p.width > kMaxSide ||
        p.resize_to < 0 || p.resize_to > kMaxSide)
        return wrong("sizes are 1 to " + std::to_string(kMaxSide) + ", not " +
                     std::to_string(p.width) + " x " + std::to_string(p.height) +
                     " from a short side of " + std::to_string(p.resize_to));
    if (!(p.crop_fraction >= 0.01 && p.crop_fraction <= 1.0))
        return wrong("crop_fraction is above 0 (at least 0.01) and at most 1, not " +
                     std::to_string(p.crop_fraction));
    if (p.channels != 1 && p.channels != 3)
        return wrong("a network takes 1 or 3 channels, not " + std::to_string(p.channels));
    for (int c = 0; c < p.channels; ++c)
        if (p.std[static_cast<std::size_t>(c)] == 0.0f || p.divisor == 0.0f)
            return wrong("std and divisor are divided by: they must not be 0");
    return Success{};
}

/// The size of the whole picture before cropping.
inline ResizedSize resized_size(const Image& image, const Preprocess& p) {
    const auto before_crop = [&p](int side) {
        return static_cast<int>(std::floor(side / p.crop_fraction));
    };
    const int height = before_crop(p.height);
    const int width = before_crop(p.width);
    if (p.crop == Preprocess::Crop::squash) {
        if (p.resize_to == 0) return {height, width};
        return {p.resize_to, p.resize_to};
    }
    if (p.resize_to > 0) return short_side_size(image, p.resize_to);
    if (height == width) return short_side_size(image, height);
    // timm's ResizeKeepRatio: the picture just covers height x width.
    const double ratio = std::min(static_cast<double>(image.height()) / height,
                                  static_cast<double>(image.width()) / width);
    const auto scaled = [ratio](int side) {
        return std::max<std::int64_t>(static_cast<std::int64_t>(std::nearbyint(side / ratio)), 1);
    };
    return {scaled(image.height()), scaled(image.width())};
}

/// What a channel's 256 pixel values become, each step rounded to float32 as torchvision's
/// to_tensor (div) and normalize (sub, div) do. The steps go through memory, so that -ffast-math
/// in an application does not turn the divisions into products: its networks see the same input.
inline std::array<float, 256> normalized_values(const Preprocess& p, std::size_t channel) {
    const volatile float divisor = p.divisor;
    const volatile float deviation = p.std[channel];
    std::array<float, 256> values;
    for (std::size_t v = 0; v < values.size(); ++v) {
        const volatile float unit = static_cast<float>(v) / divisor;
        const volatile float centered = unit - p.mean[channel];
        values[v] = centered / deviation;
    }
    return values;
}

}  // namespace detail

/// Writes the network's input for one picture into image n of a plain NCHW tensor
/// [N, preset.channels, preset.height, preset.width]; the way to fill a batch. Pixels beyond the
/// picture are those of black. Fails for an empty image, an impossible preset or another shape.
inline Status try_preprocess_into(const Image& image, const Preprocess& preset, TensorView to,
                                  int n = 0) {
    if (Status ok = detail::check_preprocess(image, preset); !ok) return ok;
    const Shape expected{
        .n = to.shape.n, .c = preset.channels, .h = preset.height, .w = preset.width};
    if (to.shape != expected || n < 0 || n >= to.shape.n)
        return Error(
            Error::Code::argument,
            "preprocess: image " + std::to_string(n) + " of a tensor of " + to_string(to.shape) +
                " cannot hold an input of " +
                to_string(Shape{.n = 1, .c = expected.c, .h = expected.h, .w = expected.w}));

    const bool to_grey_first = preset.channels == 1 && image.channels() == 3;
    const Image grey = to_grey_first ? to_grey(image) : Image();
    const Image& source = to_grey_first ? grey : image;

    const detail::ResizedSize size = detail::resized_size(source, preset);
    const detail::CenterWindow rows = detail::center_window(size.height, preset.height);
    const detail::CenterWindow columns = detail::center_window(size.width, preset.width);
    const Image window = detail::resample(
        source,
        {.vertical = {.length = size.height, .begin = rows.begin, .count = rows.count},
         .horizontal = {.length = size.width, .begin = columns.begin, .count = columns.count}},
        preset.interpolation);

    const bool padded = rows.count < preset.height || columns.count < preset.width;
    for (int c = 0; c < preset.channels; ++c) {
        const auto values = detail::normalized_values(preset, static_cast<std::size_t>(c));
        float* plane = &to(n, c, 0, 0);
        if (padded) std::fill_n(plane, std::int64_t{preset.height} * preset.width, values[0]);
        const int pixel = source.channels();
        const int from_channel = pixel == 1 ? 0 : (preset.bgr ? 2 - c : c);
        for (int y = 0; y < rows.count; ++y) {
            const std::uint8_t* from = window.row(y) + from_channel;
            float* out = plane + std::int64_t{rows.offset + y} * preset.width + columns.offset;
            for (int x = 0; x < columns.count; ++x) out[x] = values[from[x * pixel]];
        }
    }
    return Success{};
}
/// The same; throws the Error.
inline void preprocess_into(const Image& image, const Preprocess& preset, TensorView to,
                            int n = 0) {
    (void)try_preprocess_into(image, preset, to, n).value();
}

/// The network's input for one picture: [1, preset.channels, preset.height, preset.width].
inline Result<Tensor> try_preprocess(const Image& image, const Preprocess& preset) {
    if (Status ok = detail::check_preprocess(image, preset); !ok) return ok.error();
    Tensor input(Shape{.n = 1, .c = preset.channels, .h = preset.height, .w = preset.width});
    if (Status ok = try_preprocess_into(image, preset, input); !ok) return ok.error();
    return input;
}
/// The same; throws the Error.
inline Tensor preprocess(const Image& image, const Preprocess& preset) {
    return try_preprocess(image, preset).value();
}

LUMBAR_NAMESPACE_END
