// What the command lines of the example programs say, as plain values; nothing is looked up here.
#pragma once

#include "stream_options.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

/// Which network a program runs, with which weights and labels.
struct NetworkOptions {
    std::string model;
    std::string weights;
    std::string labels;
    std::string numerics;
    std::string crop;
    int size = 0;

    void add_to(CLI::App& app) {
        app.add_option("--model", model,
                       "a model's name, such as resnet50; usually the weights tell");
        app.add_option("--weights", weights,
                       "its weights: .pth or safetensors; without them the shipped network, which "
                       "knows ten kinds of clothes, light on black");
        app.add_option(
               "--numerics", numerics,
               "what trained the weights; tf also changes the usual preparation of pictures. "
               "Usual: as the weights' metadata say, or tf for 1001 classes")
            ->check(CLI::IsMember({"torch", "tf", "timm"}));
        app.add_option("--size", size, "height and width of the network's input; 0: its usual size")
            ->check(CLI::Range(0, 4096));
        app.add_option("--crop", crop,
                       "the middle, or the whole picture out of proportion; usual: center")
            ->check(CLI::IsMember({"center", "squash"}));
    }
    void add_labels_to(CLI::App& app) {
        app.add_option("--labels", labels,
                       "names of the classes, a line each; built in for ImageNet's 1000 and "
                       "TensorFlow's 1001");
    }
};

/// A picture that a program draws a network's inside of.
struct PictureOptions : NetworkOptions {
    std::string image;
    std::string font;
    int output_stride = 0;

    void add_to(CLI::App& app) {
        app.option_defaults()->always_capture_default();
        app.add_option("IMAGE", image, "a picture (JPEG, PNG, BMP, PNM)")->required();
        NetworkOptions::add_to(app);
        app.add_option("--output-stride", output_stride,
                       "finer last maps by dilation (ResNet, MobileNet); 0: the usual 32")
            ->check(CLI::IsMember({0, 8, 16, 32}));
        app.add_option("--font", font, "a TrueType file; usual: DejaVu or another system font");
    }
};

struct ClassifyOptions : NetworkOptions, StreamOptions {
    std::string interpolation;
    std::vector<float> mean, std;
    std::vector<std::string> images;
    int threads = 0;
    int top = 5;
    bool json = false;
    bool verify = false;
    bool list_models = false;

    void add_to(CLI::App& app) {
        app.option_defaults()->always_capture_default();
        NetworkOptions::add_to(app);
        add_labels_to(app);
        app.add_option("--interpolation", interpolation, "usual: bilinear")
            ->check(CLI::IsMember({"bilinear", "bicubic"}));
        app.add_option(
               "--mean", mean,
               "of the pixels (0 to 1, or 0 to 255 for bn_inception): A or A,B,C; usual: the "
               "model's, 0.5 for tf")
            ->delimiter(',')
            ->allow_extra_args(false);
        app.add_option("--std", std,
                       "deviation of the pixels: A or A,B,C; usual: the model's, 0.5 for tf")
            ->delimiter(',')
            ->allow_extra_args(false);
        app.add_option("--threads", threads, "0: the cores there are")->check(CLI::Range(0, 256));
        app.add_option("--top", top, "how many classes to print")->check(CLI::Range(1, 1 << 20));
        app.add_flag("--json", json, "one JSON object a line");
        app.add_flag("--verify", verify,
                     "first compares the logits of a synthetic picture with those in the weights' "
                     "metadata (convert --probe)");
        app.add_flag("--list-models", list_models,
                     "print the models, and the weight files that are known");
        auto* streaming =
            app.add_flag(
                   "--stream{paths}", stream,
                   "read paths from standard input, a line each, or with --stream=bytes images, "
                   "each behind its length in 4 bytes, big-endian. Write a JSON line for each, "
                   "in order: index (from 0), image (the path), and top as --json has it, or "
                   "error. A bad image costs its line; the exit code is 0 if all were answered")
                ->check(CLI::IsMember({"paths", "bytes"}));
        app.add_option("--resume", resume,
                       "write the lines to this file; skip the images that it has a line of "
                       "already, so that a run that was killed can be started again as it was")
            ->needs(streaming);
        app.add_option("--batch", batch, "of --stream: how many images are computed together")
            ->check(CLI::Range(1, 1024))
            ->needs(streaming);
        app.add_option("--decode-threads", decode_threads,
                       "of --stream: threads that decode images; 0: the cores there are")
            ->check(CLI::Range(0, 256))
            ->needs(streaming);
        app.add_option("IMAGE", images, "pictures; photos are turned as their EXIF data says");
    }
};

struct FeaturesOptions : PictureOptions {
    std::vector<int> strides;
    std::vector<std::string> layers;
    std::string out;
    int maps = 32;
    bool expanded = false;

    void add_to(CLI::App& app) {
        PictureOptions::add_to(app);
        app.add_option(
               "--strides", strides,
               "pixels of the input between neighbours in a map; usual: those of 4 to 32 there are")
            ->delimiter(',')
            ->allow_extra_args(false);
        app.add_option(
               "--layers", layers,
               "modules instead, as the library names them (summary lists them): layer1,layer2")
            ->delimiter(',')
            ->allow_extra_args(false);
        app.add_flag("--expanded", expanded, "MobileNet's wide maps instead of its narrow ones");
        app.add_option("--maps", maps, "how many maps a sheet has at most")
            ->check(CLI::Range(1, 1024));
        app.add_option("--out", out, "a folder for the sheets, made where it is missing")
            ->required();
    }
};

struct ExplainOptions : PictureOptions {
    std::string out;
    int klass = -1;

    void add_to(CLI::App& app) {
        PictureOptions::add_to(app);
        add_labels_to(app);
        app.add_option("--class", klass, "another class than the first; -1: the first")
            ->check(CLI::Range(-1, 1 << 20));
        app.add_option("--out", out, "the PNG to write")->required();
    }
};

struct ConvertOptions {
    std::string in, out;
    std::string model, numerics;
    int size = 0;
    bool half = false;
    bool probe = false;

    void add_to(CLI::App& app) {
        app.option_defaults()->always_capture_default();
        app.add_option("IN", in,
                       "the file to read: safetensors, PyTorch's .pth, NumPy's .npz, ONNX")
            ->required();
        app.add_option("OUT", out, "the safetensors file to write")->required();
        app.add_option("--model", model, "its model; usually its tensors or metadata tell");
        app.add_option(
               "--numerics", numerics,
               "what trained the weights; usual: as the metadata say, or tf for 1001 classes")
            ->check(CLI::IsMember({"torch", "tf", "timm"}));
        app.add_flag("--half", half, "filters as F16: half the bytes");
        app.add_flag("--probe", probe,
                     "adds the logits of a synthetic picture, which classify --verify compares");
        app.add_option("--size", size,
                       "height and width of that picture; 0: the model's usual size")
            ->check(CLI::Range(0, 1024));
    }
};

struct SummaryOptions {
    std::string model;
    int size = 0;
    int classes = 0;
    double width = 1.0;

    void add_to(CLI::App& app) {
        app.option_defaults()->always_capture_default();
        app.add_option("--model", model,
                       "a model's name, such as resnet50; \"all\": the totals of each")
            ->required();
        app.add_option("--size", size, "height and width of the input; 0: the usual size")
            ->check(CLI::Range(0, 4096));
        app.add_option("--classes", classes)->check(CLI::Range(0, 1 << 20));
        app.add_option("--width", width, "width multiplier (MobileNet)")
            ->check(CLI::Range(0.05, 8.0));
    }
};
