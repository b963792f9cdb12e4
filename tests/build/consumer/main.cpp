#include <lumbar/lumbar.hpp>

#include <cstdio>

std::size_t other();

int main() {
    lumbar::Tensor tensor({.n = 1, .c = 3, .h = 4, .w = 4});
    std::printf("lumbar %d.%d.%d\n", LUMBAR_VERSION_MAJOR, LUMBAR_VERSION_MINOR,
                LUMBAR_VERSION_PATCH);
    return tensor.values().size() == other() ? 0 : 1;
}
