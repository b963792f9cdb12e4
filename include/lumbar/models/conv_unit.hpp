// What torchvision's Inceptions consist of: a convolution without bias, batch normalisation, ReLU.
#pragma once

#include <lumbar/graph/build.hpp>

#include <string>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// Of batch normalisation in TensorFlow's Inceptions, which torchvision's weights come from.
inline constexpr double kTensorFlowEpsilon = 1e-3;

/// Convolution -> batch normalisation -> ReLU, with the names NAME.conv and NAME.bn.
LUMBAR_COLD inline Value conv_unit(Value x, const std::string& name, const op::Conv& c) {
    return relu(batch_norm(conv(x, name + ".conv", c), name + ".bn", kTensorFlowEpsilon));
}

/// A kernel of any shape at stride 1, padded so that the size stays.
LUMBAR_COLD inline Value conv_unit(Value x, const std::string& name, int channels, Extent kernel) {
    const int h = kernel.h / 2, w = kernel.w / 2;
    return conv_unit(x, name,
                     {.out_channels = channels,
                      .kernel = kernel,
                      .stride = {},
                      .dilation = {},
                      .padding = {.top = h, .left = w, .bottom = h, .right = w}});
}

}  // namespace detail
LUMBAR_NAMESPACE_END
