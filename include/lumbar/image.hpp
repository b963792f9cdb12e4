// Everything about pictures: reading, resizing, preprocessing, and the classes that come out.
// Opt-in, because it needs stb_image. The names of ImageNet's classes are in
// <lumbar/image/imagenet_labels.hpp>.
#pragma once

#include <lumbar/image/image.hpp>
#include <lumbar/image/labels.hpp>
#include <lumbar/image/preprocess.hpp>
#include <lumbar/image/read.hpp>
#include <lumbar/image/resize.hpp>
#include <lumbar/image/top_k.hpp>
