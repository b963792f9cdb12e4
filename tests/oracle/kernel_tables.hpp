// The kernel tables that this build can run: the native one first, then the scalar one, then those
// of older instruction sets that the flags include.
//
// Tables take seconds to compile, so they are compiled once for all test programs, in
// kernel_tables.cpp.
#pragma once

#include <lumbar/kernels/table.hpp>

#include <vector>

namespace oracle {

const std::vector<const lumbar::KernelTable*>& kernel_tables();

/// SSE4.2's, compiled as for a CPU that has no more (lesser_kernels.cpp); null without AVX2.
const lumbar::KernelTable* kernels_without_fma();

}  // namespace oracle
