// All layer primitives: layers that can be used alone, without a graph. primitive.hpp says how.
#pragma once

#include <lumbar/layers/conv2d.hpp>
#include <lumbar/layers/elementwise.hpp>
#include <lumbar/layers/fully_connected.hpp>
#include <lumbar/layers/pool2d.hpp>
#include <lumbar/layers/primitive.hpp>
