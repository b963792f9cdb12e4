// The network that is shipped: a small MobileNet V2 for the 28x28 grey pictures of Fashion-MNIST.
// Its table shows how to write a network of one's own from the library's rows.
#pragma once

#include <lumbar/image/preprocess.hpp>
#include <lumbar/models/mobilenet_v2.hpp>

#include <array>

namespace fashion_mnist {

inline constexpr std::array<lumbar::InvertedResidualRow, 4> kRows{{
    // t, c, n, s
    {1, 16, 1, 1},  // 28
    {4, 32, 2, 2},  // 14
    {4, 48, 3, 2},  // 7
    {4, 80, 2, 1},  // 7
}};
inline constexpr lumbar::MobileNetV2Table kTable{"fashion_mnist", 16, 1, kRows, 320};

inline lumbar::Graph network() {
    return lumbar::mobilenet_v2(kTable, {.classes = 10, .input_channels = 1});
}

/// What train.py does to its pictures.
inline constexpr lumbar::Preprocess kPreset{.height = 28,
                                            .width = 28,
                                            .crop = lumbar::Preprocess::Crop::squash,
                                            .crop_fraction = 1.0,
                                            .mean = {0.2860f, 0.0f, 0.0f},
                                            .std = {0.3530f, 1.0f, 1.0f},
                                            .channels = 1};

}  // namespace fashion_mnist
