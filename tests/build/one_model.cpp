// What a small application contains: one network, its weights from a file, and the best class. Its
// compile time is held to a limit by one_model_test.sh.
#include <lumbar/lumbar.hpp>

#include <cstdio>

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    const auto weights = lumbar::load_weights(argv[1]);
    const auto net = lumbar::compile(lumbar::resnet50(), weights, {.height = 224, .width = 224});
    const lumbar::Tensor input({.n = 1, .c = 3, .h = 224, .w = 224});
    const auto logits = net(input);
    std::printf("%g\n", static_cast<double>(logits.data()[0]));
}
