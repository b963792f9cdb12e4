// Each half has to get its own kernels, whichever the linker meets first: see two_isas_test.sh.
#include <cstdio>
#include <cstring>

const void* older(const char** isa);
const void* newer(const char** isa);

int main() {
    const char* older_isa = "";
    const char* newer_isa = "";
    const bool different = older(&older_isa) != newer(&newer_isa);
    std::printf("older: %s, newer: %s\n", older_isa, newer_isa);
    return different && std::strcmp(older_isa, newer_isa) != 0 ? 0 : 1;
}
