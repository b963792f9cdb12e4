// The kernels of an instruction set without fused multiply-adds, in a file of their own: it is
// compiled without contraction, so that what they multiply and add in two steps stays so although
// the flags would allow one.
#include <oracle/kernel_tables.hpp>

#include <lumbar/simd/simd.hpp>

namespace oracle {

const lumbar::KernelTable* kernels_without_fma() {
#if defined(__AVX2__)
    return &lumbar::kernel_table<xsimd::sse4_2>();
#else
    return nullptr;
#endif
}

}  // namespace oracle
