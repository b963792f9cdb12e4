// The library in a program without exceptions and run-time type information: the forms that return
// a result. Compiled by no_exceptions_test.sh.
#include <lumbar/lumbar.hpp>

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    const auto weights = lumbar::try_load_weights(argv[1]);
    if (!weights) return 1;
    const auto net =
        lumbar::try_compile(lumbar::resnet50(), *weights, {.height = 224, .width = 224});
    return net ? 0 : 1;
}
