// Real ImageNet weights on real photos, where they lie beside the repository.
#include <lumbar/image.hpp>
#include <lumbar/kernels/bfloat16_table.hpp>
#include <lumbar/lumbar.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <map>
#include <optional>
#include <string>

namespace photos_test {

using namespace lumbar;

TEST_CASE("photos get PyTorch's first class and logits") {
    const std::string shared = LUMBAR_SOURCE_DIR "/../shared/";
    std::ifstream file(shared + "models/expected.json");
    if (!file) {
        MESSAGE("skipped: no weights and photos in ../shared");
        return;
    }
    std::map<std::string, Network> networks, narrow_networks;
    const Bfloat16Kernels* const bfloat16 =
        native_kernels().lanes > 1 ? &bfloat16_kernels() : nullptr;
    const nlohmann::json rows = nlohmann::json::parse(file);
    for (const auto& [key, row] : rows.items()) {  // "mobilenet_v2_1.0_224 cat.bmp"
        const std::string name = key;
        CAPTURE(name);
        const std::string model = name.substr(0, name.find(' '));
        const std::string photo = name.substr(name.find(' ') + 1);
        const int size = row["input"];
        if (!networks.contains(model)) {
            const Graph graph = make(model.substr(0, 12), {.numerics = Numerics::tf});
            const Weights weights = load_weights(shared + "models/" + model + ".safetensors");
            networks.emplace(
                model, compile(graph, weights, {.height = size, .width = size, .threads = 2}));
            narrow_networks.emplace(
                model,
                compile(graph, weights,
                        {.height = size, .width = size, .threads = 2, .bfloat16 = bfloat16}));
        }
        const Tensor input = preprocess(read_image(shared + "images/" + photo),
                                        presets::tensorflow_squash.with_size(size));
        const Tensor logits = networks.at(model)(input);
        CHECK(top_k(logits, 1)[0].index == row["top5"][0]["class"].get<int>());
        // JPEG decoders differ by a level or two.
        const float tolerance = photo.ends_with(".bmp") ? 2e-3f : 0.3f;
        for (const auto& entry : row["top5"]) {
            const float found = logits(0, entry["class"].get<int>(), 0, 0);
            CHECK(std::abs(found - entry["logit"].get<float>()) < tolerance);
        }
        // Weights of half the width: the same class, and logits within 2 % of the largest.
        const Tensor near = narrow_networks.at(model)(input);
        CHECK(top_k(near, 1)[0].index == top_k(logits, 1)[0].index);
        float largest = 0, worst = 0;
        for (int c = 0; c < logits.shape().c; ++c) {
            largest = std::max(largest, std::abs(logits(0, c, 0, 0)));
            worst = std::max(worst, std::abs(near(0, c, 0, 0) - logits(0, c, 0, 0)));
        }
        CHECK(worst < 0.02f * largest);
    }
    CHECK(rows.size() == 14);
}

}  // namespace photos_test
