// embedded: a classifier in one file. Weights and labels are part of the program: see
// lumbar_embed_weights in examples/CMakeLists.txt.
#include "fashion_mnist/network.hpp"
#include "program.hpp"

#include <lumbar/image.hpp>
#include <lumbar/lumbar.hpp>

#include <cstdio>
#include <embedded/fashion_mnist.hpp>
#include <embedded/labels.hpp>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    std::vector<std::string> pictures;
    CLI::App app{
        "Tells which of ten kinds of clothes, light on black, pictures show; needs no file."};
    app.add_option("PICTURE", pictures)->required();
    return run_program("embedded", app, argc, argv, [&] {
        using namespace lumbar;
        const Preprocess& preset = fashion_mnist::kPreset;
        const Network net = compile(fashion_mnist::network(),
                                    load_weights(embedded::fashion_mnist(), "fashion_mnist"),
                                    {.height = preset.height, .width = preset.width, .threads = 1});
        const std::vector<std::string> labels = read_labels(embedded::labels());
        for (const std::string& path : pictures) {
            const Image picture = read_image(path, {.channels = preset.channels});
            const auto best = top_k(net(preprocess(picture, preset)), 1, labels);
            std::printf("%s: %s (%.1f%%)\n", path.c_str(), best[0].label,
                        100.0 * static_cast<double>(best[0].probability));
        }
        return 0;
    });
}
