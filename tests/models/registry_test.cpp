#include <lumbar/graph/parameters.hpp>
#include <lumbar/graph/shapes.hpp>
#include <lumbar/image/preprocess.hpp>
#include <lumbar/models/registry.hpp>
#include <lumbar/runtime/bind_weights.hpp>
#include <lumbar/runtime/name_dialects.hpp>
#include <lumbar/weights/synthetic.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace registry_test {

using namespace lumbar;

namespace {

/// The parameters as make_parameter_names.py writes them: in the graph's own names with their
/// shapes, or in a dialect's alone.
std::vector<std::string> parameter_lines(const Graph& graph, const Dialect* dialect) {
    std::vector<std::string> lines;
    for (const Parameter& p : parameters(graph)) {
        std::string line = dialect ? detail::name_in(*dialect, p, 0) : p.name;
        for (const std::int64_t extent : p.shape) {
            if (!dialect) line += " " + std::to_string(extent);
        }
        lines.push_back(line + "\n");
    }
    std::sort(lines.begin(), lines.end());
    return lines;
}

const Dialect* find_dialect(const Graph& graph, const std::string& name) {
    for (const Dialect& d : graph.dialects()) {
        if (d.name == name) return &d;
    }
    return nullptr;
}

}  // namespace

TEST_CASE("parameters are named and shaped as in the reference implementations' checkpoints") {
    std::ifstream file(std::string(LUMBAR_SOURCE_DIR) + "/tests/models/parameter_names.txt");
    REQUIRE(file);
    std::set<std::string> seen;
    std::string name, dialect;
    std::size_t count = 0;
    std::uint64_t hash = 0;
    while (file >> name >> dialect >> std::dec >> count >> std::hex >> hash) {
        CAPTURE(name);
        CAPTURE(dialect);
        const auto graph = try_make(name);
        REQUIRE(graph);
        const bool own = dialect == "own";
        REQUIRE((own || find_dialect(*graph, dialect)));
        const auto lines = parameter_lines(*graph, find_dialect(*graph, dialect));
        CHECK(lines.size() == count);
        CHECK(std::adjacent_find(lines.begin(), lines.end()) == lines.end());
        std::string text;
        for (const std::string& line : lines) text += line;
        CHECK(detail::fnv1a_64(text) == hash);
        if (own) seen.insert(name);
    }
    for (const ModelInfo& m : models()) {
        CAPTURE(std::string(m.name));
        CHECK(seen.contains(std::string(m.name)));
    }
}

TEST_CASE("models are found by name, and every graph carries its own") {
    for (const ModelInfo& m : models()) {
        CAPTURE(std::string(m.name));
        CHECK(find_model(m.name) == &m);
        CHECK(std::count_if(models().begin(), models().end(),
                            [&](const ModelInfo& other) { return other.name == m.name; }) == 1);
        const Graph graph = make(m.name);
        CHECK(graph.name() == m.name);
        CHECK(std::set<std::string_view>{"vgg", "resnet", "densenet", "mobilenet", "inception"}
                  .contains(m.family));
        CHECK(m.paper.find('.') == 4);
    }
    CHECK(find_model("") == nullptr);
    CHECK(find_model("resnet") == nullptr);
    CHECK(find_model("ResNet18") == nullptr);
}

TEST_CASE("weight files belong to models, and stand together") {
    std::set<std::string_view> seen;
    std::string_view before;
    for (const WeightFile& w : weight_files()) {
        CAPTURE(std::string(w.file));
        CHECK(find_model(w.model));
        if (w.model != before) CHECK(seen.insert(w.model).second);
        before = w.model;
        CHECK((w.top1 == 0 || (w.top1 > 50 && w.top1 < 90)));
        CHECK_FALSE(w.preset.empty());
    }
    CHECK(find_model("resnet50")->weights().size() == 3);
    CHECK(find_model("resnet50")->top1() == 76.130);
    CHECK(find_model("inception_v2")->weights().empty());
    CHECK(find_model("inception_v2")->top1() == 0);
}

TEST_CASE("an unknown name is an error that lists the names there are") {
    const auto graph = try_make("resnet51");
    REQUIRE_FALSE(graph);
    CHECK(graph.error().code() == Error::Code::argument);
    const std::string& message = graph.error().message();
    CHECK(message.find("'resnet51'") != std::string::npos);
    for (const ModelInfo& m : models()) {
        CHECK(message.find(m.name) != std::string::npos);
    }
}

TEST_CASE("classes and input channels are options of every model") {
    for (const ModelInfo& m : models()) {
        CAPTURE(std::string(m.name));
        const Graph graph = m.build({.classes = 7, .input_channels = 1});
        REQUIRE_FALSE(graph.error());
        CHECK(graph.node(0).channels == 1);
        const auto shapes = try_infer_shapes(graph, 2, {m.input_size, m.input_size});
        REQUIRE(shapes);
        REQUIRE(graph.outputs().size() == 1);
        CHECK((*shapes)[static_cast<std::size_t>(graph.outputs()[0])] == Shape{2, 7, 1, 1});
    }
}

TEST_CASE("every model takes images of other sizes, odd and oblong ones included") {
    for (const ModelInfo& m : models()) {
        CAPTURE(std::string(m.name));
        for (const Extent& image :
             {Extent{32, 32}, Extent{75, 97}, Extent{97, 131}, Extent{331, 224}}) {
            CAPTURE(image.h);
            // What inception_v2.hpp and inception_v3.hpp say about sizes.
            const bool fits = m.name == "bn_inception" ? (image.h + 1) % 32 < 8
                              : m.name == "inception_v3" || m.name == "inception_v2"
                                  ? std::min(image.h, image.w) >= 75
                                  : true;
            CHECK(bool(try_infer_shapes(make(m.name), 1, image)) == fits);
        }
    }
}

TEST_CASE("an image that is too small names the model and the layer") {
    const auto shapes = try_infer_shapes(make("vgg16"), 1, {31, 64});
    REQUIRE_FALSE(shapes);
    CHECK(shapes.error().code() == Error::Code::graph);
    CHECK(shapes.error().message().starts_with("vgg16: max_pool: "));
}

TEST_CASE("scalable models have widths, and TensorFlow's numerics, at the same parameters") {
    int scalable = 0;
    for (const ModelInfo& m : models()) {
        if (!m.scalable) continue;
        CAPTURE(std::string(m.name));
        ++scalable;
        CHECK(parameter_count(m.build({.width = 0.5})) < m.parameters / 2 + 400000);
        const Graph tf = m.build({.numerics = Numerics::tf});
        CHECK(parameter_count(tf) == m.parameters);
        bool same = false;
        for (const Node& node : tf.nodes()) {
            if (const auto* b = node.as<op::BatchNorm>()) CHECK(b->epsilon == 1e-3);
            const auto* c = node.as<op::Conv>();
            same = same || (c && c->mode == PaddingMode::same && c->stride.h == 2);
        }
        CHECK(same);
    }
    CHECK(scalable == 6);
}

TEST_CASE("every preset that a weight file or a dialect names is there") {
    for (const WeightFile& f : weight_files()) {
        CAPTURE(std::string(f.file));
        CHECK(presets::find(f.preset));
    }
    for (const ModelInfo& m : models()) {
        for (const Dialect& d : m.build({}).dialects()) {
            CHECK((*d.preset == '\0' || presets::find(d.preset)));
        }
    }
}

TEST_CASE("tensors of auxiliary heads are ignored, others are not") {
    struct Case {
        const char* model;
        const char* tensor;
        bool ignored;
    };
    constexpr Case kCases[] = {
        {"googlenet", "aux1.conv.conv.weight", true},
        {"googlenet", "aux2.fc2.bias", true},
        {"googlenet", "aux3.fc2.bias", false},
        {"inception_v3", "AuxLogits.conv0.bn.running_mean", true},
        {"inception_v3", "Mixed_8a.conv.weight", false},
    };
    for (const Case& c : kCases) {
        CAPTURE(c.tensor);
        CHECK(detail::is_ignored(make(c.model), c.tensor) == c.ignored);
    }
}

TEST_CASE("options of the Inceptions are the papers' and TensorFlow's") {
    // A 5x5 filter has 25 - 9 elements more.
    std::int64_t wider = 0;
    for (const InceptionV1Row& row : kInceptionV1Rows) wider += 16 * row.c5x5_reduce * row.c5x5;
    const Graph paper = googlenet({.branch3_kernel = 5, .last_pool_kernel = 3});
    CHECK(parameter_count(paper) == parameter_count(googlenet()) + wider);
    CHECK(try_infer_shapes(paper, 1, {224, 224}));

    int averages = 0;
    const Graph tensorflow = inception_v3({.average_counts_padding = false});
    for (const Node& node : tensorflow.nodes()) {
        const auto* p = node.as<op::Pool>();
        if (!p || p->geometry.kind == PoolGeometry::Kind::max || p->geometry.adaptive.h > 0) {
            continue;
        }
        CHECK_FALSE(p->geometry.count_include_pad);
        ++averages;
    }
    CHECK(averages == 9);
}

TEST_CASE("channels of narrow networks are multiples of 8, never more than a tenth too few") {
    struct Case {
        double value;
        int result;
    };
    constexpr Case kCases[] = {{32, 32},          {16 * 0.75, 16}, {24 * 0.5, 16}, {32 * 0.25, 8},
                               {16 * 0.1, 8},     {32 * 1.4, 48},  {24 * 1.4, 32}, {96 * 0.35, 32},
                               {320 * 0.35, 112}, {90, 88},        {12, 16}};
    for (const Case& c : kCases) {
        CAPTURE(c.value);
        CHECK(make_divisible(c.value) == c.result);
        CHECK(make_divisible(c.value) >= 0.9 * c.value);
        CHECK(make_divisible(c.value) % 8 == 0);
    }
}

TEST_CASE("a name that is nearly a model's is answered with that model") {
    for (const char* name : {"MobileNet_V2", "mobilenetv2", "mobilenet-v2"}) {
        CAPTURE(name);
        const auto result = lumbar::try_make(name);
        REQUIRE_FALSE(result);
        CHECK(result.error().message().find("(is mobilenet_v2 meant?); there are vgg11") !=
              std::string::npos);
    }
    CHECK(lumbar::try_make("nope").error().message().find("meant") == std::string::npos);
}

}  // namespace registry_test
