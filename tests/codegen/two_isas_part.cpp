// One half of a program whose halves are compiled for different instruction sets: see
// two_isas_test.sh, which gives the function its name.
#include <lumbar/lumbar.hpp>

#ifndef PART
#define PART part
#endif

// The table's address keeps every kernel in the object file.
const void* PART(const char** isa) {
    const lumbar::KernelTable& kernels = lumbar::native_kernels();
    *isa = kernels.isa;
    return &kernels;
}
