// Lumbar: the classic CNN backbones on a CPU. This header holds everything that needs xsimd alone;
// <lumbar/image.hpp> adds pictures, <lumbar/runtime/verify.hpp> probes (with nlohmann-json).
#pragma once

#include <lumbar/image/top_k.hpp>
#include <lumbar/models/registry.hpp>
#include <lumbar/runtime/compile.hpp>
#include <lumbar/runtime/network.hpp>
#include <lumbar/weights/load.hpp>
