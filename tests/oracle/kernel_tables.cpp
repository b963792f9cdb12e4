#include <oracle/kernel_tables.hpp>

#include <lumbar/simd/simd.hpp>

namespace oracle {

const std::vector<const lumbar::KernelTable*>& kernel_tables() {
    static const std::vector<const lumbar::KernelTable*> tables = {
        &lumbar::native_kernels(),
        &lumbar::kernel_table<lumbar::simd::Scalar>(),
#if defined(__AVX512F__) && defined(__FMA__)
        &lumbar::kernel_table<xsimd::fma3<xsimd::avx2>>(),
#endif
#if defined(__AVX2__)
        kernels_without_fma(),
#endif
    };
    return tables;
}

}  // namespace oracle
