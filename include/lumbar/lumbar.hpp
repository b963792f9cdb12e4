// Lumbar: the classic CNN backbones on a CPU. This header holds everything that needs xsimd (and
// nlohmann-json, for the header of safetensors files) alone; <lumbar/image.hpp> adds pictures.
#pragma once

#include <lumbar/image/top_k.hpp>
#include <lumbar/models/registry.hpp>
#include <lumbar/runtime/compile.hpp>
#include <lumbar/runtime/network.hpp>
#include <lumbar/weights/load.hpp>
