// What a preset makes of a picture, value by value.
#include <lumbar/image/preprocess.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

namespace preprocess_test {

using namespace lumbar;

namespace {

Image uniform(ImageShape shape, int red, int green, int blue) {
    Image image(shape);
    const int values[] = {red, green, blue};
    for (std::size_t i = 0; i < image.pixels().size(); ++i)
        image.data()[i] = static_cast<std::uint8_t>(values[i % 3]);
    return image;
}

Image gradient(ImageShape shape) {
    Image image(shape);
    for (std::size_t i = 0; i < image.pixels().size(); ++i)
        image.data()[i] = static_cast<std::uint8_t>(i * 37 % 251);
    return image;
}

}  // namespace

TEST_CASE("values are normalised in torchvision's order, to the bit") {
    const Image image = uniform({.height = 240, .width = 300}, 255, 124, 3);
    const Tensor input = preprocess(image, presets::imagenet);
    CHECK(input.shape() == Shape{.n = 1, .c = 3, .h = 224, .w = 224});
    // What torchvision 0.14's to_tensor and normalize give.
    CHECK(input(0, 0, 10, 20) == 0x1.1fdc3ap+1f);
    CHECK(input(0, 1, 223, 223) == 0x1.14cba6p-3f);
    CHECK(input(0, 2, 0, 0) == -0x1.c08d5ap+0f);
}

TEST_CASE("Caffe's networks see blue first, in steps of one") {
    const Tensor input =
        preprocess(uniform({.height = 224, .width = 224}, 200, 100, 50), presets::caffe);
    CHECK(input(0, 0, 5, 5) == 50.0f - 103.939f);
    CHECK(input(0, 1, 5, 5) == 100.0f - 116.779f);
    CHECK(input(0, 2, 5, 5) == 200.0f - 123.68f);
}

TEST_CASE("TensorFlow's range is -1 to 1") {
    const Image image = uniform({.height = 9, .width = 4}, 255, 0, 255);
    const Tensor input = preprocess(image, presets::tensorflow_squash.with_size(16));
    CHECK(input(0, 0, 8, 8) == 1.0f);
    CHECK(input(0, 1, 8, 8) == -1.0f);
}

TEST_CASE("the picture is resized, then cropped, as with the functions by themselves") {
    struct Case {
        const char* name;
        Preprocess preset;
        int short_side;
    };
    const Case cases[] = {
        {"imagenet", presets::imagenet, 256},
        {"imagenet_v2", presets::imagenet_v2, 232},
        {"timm", presets::timm, 256},
        {"timm_95", presets::timm_95, 235},
        {"timm_half at 0.9", presets::timm_half.with_crop(0.9), 248},
        {"tensorflow at 299", presets::tensorflow.with_size(299), 341},
        {"inception_v3", presets::inception_v3, 342},
        {"googlenet", presets::googlenet, 256},
        {"bn_inception", presets::bn_inception, 256},
        {"imagenet at 160", presets::imagenet.with_size(160), 182},
        {"timm at 128", presets::timm.with_size(128), 146},
    };
    for (const ImageShape shape :
         {ImageShape{.height = 300, .width = 201}, ImageShape{.height = 90, .width = 133}}) {
        const Image image = gradient(shape);
        for (const Case& c : cases) {
            CAPTURE(c.name);
            CAPTURE(shape.width);
            const Image expected =
                center_crop(resize_short_side(image, c.short_side, c.preset.interpolation),
                            c.preset.height, c.preset.width);
            const Tensor input = preprocess(image, c.preset);
            int wrong = 0;
            for (int ch = 0; ch < 3; ++ch)
                for (int y = 0; y < c.preset.height; ++y)
                    for (int x = 0; x < c.preset.width; ++x) {
                        const int from = c.preset.bgr ? 2 - ch : ch;
                        const auto i = static_cast<std::size_t>(ch);
                        const float value =
                            (static_cast<float>(expected.row(y)[x * 3 + from]) / c.preset.divisor -
                             c.preset.mean[i]) /
                            c.preset.std[i];
                        wrong += input(0, ch, y, x) != doctest::Approx(value).epsilon(1e-5) ? 1 : 0;
                    }
            CHECK(wrong == 0);
        }
    }
}

TEST_CASE("squashing gives up the proportions and keeps the whole picture") {
    const Image image = gradient({.height = 31, .width = 77});
    const Image squashed = resize(image, {.width = 20, .height = 20});
    const Preprocess preset{.height = 20,
                            .width = 20,
                            .crop = Preprocess::Crop::squash,
                            .crop_fraction = 1.0,
                            .divisor = 1.0f};
    const Tensor input = preprocess(image, preset);
    for (int y = 0; y < 20; ++y)
        for (int x = 0; x < 20; ++x)
            CHECK(input(0, 1, y, x) == static_cast<float>(squashed.row(y)[x * 3 + 1]));
}

TEST_CASE("a size that is not square is covered by the picture") {
    const Preprocess preset = presets::imagenet.with_size(64, 128);
    CHECK(preset.resize_to == 0);
    CHECK(preset.crop_fraction == doctest::Approx(0.875));
    const Tensor input = preprocess(uniform({.height = 50, .width = 60}, 255, 255, 255), preset);
    CHECK(input.shape() == Shape{.n = 1, .c = 3, .h = 64, .w = 128});
    for (const float v : input.values()) CHECK(v > 2.0f);
}

TEST_CASE("what the crop takes beyond the picture is black, normalised") {
    Preprocess preset = presets::tensorflow.with_size(8);
    preset.resize_to = 4;
    const Tensor input = preprocess(uniform({.height = 4, .width = 4}, 255, 255, 255), preset);
    CHECK(input(0, 0, 0, 0) == -1.0f);
    CHECK(input(0, 0, 2, 2) == 1.0f);
    CHECK(input(0, 2, 5, 5) == 1.0f);
    CHECK(input(0, 2, 6, 5) == -1.0f);
}

TEST_CASE("grey pictures fill three channels, and networks with one channel see grey") {
    const Image grey = uniform({.height = 30, .width = 30, .channels = 1}, 90, 90, 90);
    const Tensor three = preprocess(grey, presets::tensorflow.with_size(16));
    CHECK(three(0, 0, 3, 3) == three(0, 2, 3, 3));
    Preprocess preset = presets::tensorflow.with_size(16);
    preset.channels = 1;
    preset.divisor = 1.0f;
    preset.mean = {0.0f, 0.0f, 0.0f};
    preset.std = {1.0f, 1.0f, 1.0f};
    const Tensor one = preprocess(uniform({.height = 30, .width = 30}, 255, 0, 0), preset);
    CHECK(one.shape() == Shape{.n = 1, .c = 1, .h = 16, .w = 16});
    CHECK(one(0, 0, 7, 7) == 76.0f);
}

TEST_CASE("a batch is filled picture by picture, and only there") {
    Tensor batch(Shape{.n = 3, .c = 3, .h = 32, .w = 32});
    const Preprocess preset = presets::imagenet.with_size(32);
    const Image image = gradient({.height = 50, .width = 40});
    preprocess_into(image, preset, batch, 1);
    const Tensor alone = preprocess(image, preset);
    for (int y = 0; y < 32; ++y) {
        CHECK(batch(1, 2, y, 31) == alone(0, 2, y, 31));
        CHECK(batch(0, 2, y, 31) == 0.0f);
        CHECK(batch(2, 0, y, 0) == 0.0f);
    }
    CHECK_FALSE(try_preprocess_into(image, preset, batch, 3));
    CHECK_FALSE(try_preprocess_into(image, preset, batch, -1));
    const Status wrong = try_preprocess_into(image, presets::imagenet, batch, 0);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().message().find("3x3x32x32") != std::string::npos);
    CHECK(wrong.error().message().find("1x3x224x224") != std::string::npos);
}

TEST_CASE("a picture that is one long thread costs no more than its crop") {
    const Tensor input =
        preprocess(Image({.height = 1, .width = 60000, .channels = 1}), presets::imagenet);
    CHECK(input.shape().h == 224);
}

TEST_CASE("impossible presets and empty pictures are errors") {
    const Image image({.height = 5, .width = 5});
    CHECK_FALSE(try_preprocess(Image(), presets::imagenet));
    CHECK_FALSE(try_preprocess(image, presets::imagenet.with_size(0)));
    CHECK_FALSE(try_preprocess(image, presets::imagenet.with_size(-5)));
    CHECK_FALSE(try_preprocess(image, presets::imagenet.with_size(1 << 20)));
    CHECK_FALSE(try_preprocess(image, presets::timm.with_crop(0.0)));
    CHECK_FALSE(try_preprocess(image, presets::timm.with_crop(1.5)));
    Preprocess preset = presets::imagenet;
    preset.channels = 4;
    CHECK_FALSE(try_preprocess(image, preset));
    preset = presets::imagenet;
    preset.std[1] = 0.0f;
    CHECK_FALSE(try_preprocess(image, preset));
}

}  // namespace preprocess_test
