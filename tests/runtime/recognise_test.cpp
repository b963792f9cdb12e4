#include <lumbar/runtime/recognise.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace recognise_test {

using namespace lumbar;
using Evidence = FileModel::Evidence;

namespace {

/// The weights with other metadata, and without the first `dropped` tensors.
Weights changed(const Weights& weights, Weights::Metadata metadata, std::size_t dropped = 0) {
    Weights::Builder builder("changed");
    builder.keep(std::make_shared<const Weights>(weights));
    for (const TensorData& tensor : weights.tensors().subspan(dropped)) {
        builder.add(std::string(tensor.name), tensor);
    }
    builder.set_metadata(std::move(metadata));
    return std::move(builder).try_build().value();
}

}  // namespace

TEST_CASE("a model's weights are recognised, whatever their classes and width") {
    struct Case {
        std::string name;
        ModelOptions options;
    };
    const Case cases[] = {{"vgg11_bn", {.classes = 3}},
                          {"resnet18", {}},
                          {"resnet50", {.classes = 10}},
                          {"mobilenet_v1", {.width = 0.25}},
                          {"mobilenet_v2", {.width = 0.5}},
                          {"mobilenet_v3_small", {}},
                          {"googlenet", {}},
                          {"bn_inception", {}}};
    for (const Case& c : cases) {
        CAPTURE(c.name);
        const FileModel file = recognise_model(synthetic_weights(make(c.name, c.options)));
        CHECK(file.evidence == Evidence::fits);
        REQUIRE(file.model);
        CHECK(file.model->name == c.name);
        CHECK(file.numerics == Numerics::torch);
    }
}

TEST_CASE("metadata say the model and its numerics, and 1001 classes hint at TensorFlow") {
    const Weights plain = synthetic_weights(mobilenet_v2({.width = 0.25}));
    const auto read = [](const Weights& weights, Weights::Metadata metadata) {
        return recognise_model(changed(weights, std::move(metadata)));
    };
    for (const Numerics numerics : {Numerics::torch, Numerics::tf, Numerics::timm}) {
        const FileModel file = read(plain, model_metadata(*find_model("mobilenet_v2"), numerics));
        CHECK(file.evidence == Evidence::stated);
        CHECK(file.model->name == "mobilenet_v2");
        CHECK(file.numerics == numerics);
    }
    CHECK(read(plain, {{"padding", "same"}}).numerics == Numerics::tf);
    CHECK(read(plain, {{"architecture", "nonsense"}}).evidence == Evidence::fits);
    const Weights more = synthetic_weights(mobilenet_v2({.classes = 1001, .width = 0.25}));
    CHECK(read(more, {}).numerics == Numerics::tf);
    CHECK(read(more, {{"numerics", "torch"}}).numerics == Numerics::torch);
    CHECK(model_metadata(*find_model("vgg16"), Numerics::torch).size() == 1);
}

TEST_CASE("Inception V3 has TensorFlow's numerics without a width multiplier") {
    const ModelInfo& v3 = *find_model("inception_v3");
    const Weights weights = synthetic_weights(make("inception_v3", {.classes = 1001}));
    CHECK(recognise_numerics(v3, weights) == Numerics::tf);
    const Weights::Metadata metadata = model_metadata(v3, Numerics::tf);
    CHECK(metadata.at(kNumericsKey) == "tf");
    CHECK(recognise_numerics(v3, changed(synthetic_weights(make("inception_v3")), metadata)) ==
          Numerics::tf);
    CHECK(try_make("inception_v3", {.width = 0.5}).error().message() ==
          "inception_v3 has no width multiplier");
}

TEST_CASE("an incomplete file resembles its model, and a strange one none") {
    const Weights whole = synthetic_weights(resnet50({.classes = 10}));
    const FileModel file = recognise_model(changed(whole, {}, 2));
    CHECK(file.evidence == Evidence::resembles);
    REQUIRE(file.model);
    CHECK(file.model->name == "resnet50");
    CHECK(model_advice(changed(whole, {}, 2), "resnet18") == "; it seems to be for resnet50");
    CHECK(model_advice(whole, "resnet50") == "");
    CHECK(recognise_model(Weights()).evidence == Evidence::none);
    CHECK(recognise_model(Weights::from_tensors({{"w", {1}, {1.0f}}})).model == nullptr);
}

}  // namespace recognise_test
