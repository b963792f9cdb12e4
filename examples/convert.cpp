// convert: writes weights of any format that is read as safetensors, with the name of their model,
// so that later neither has to be told; and with a probe, so that the numbers can be verified.
#include "options.hpp"
#include "program.hpp"

#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/recognise.hpp>
#include <lumbar/runtime/verify.hpp>
#include <lumbar/weights/half_weights.hpp>
#include <lumbar/weights/numpy.hpp>
#include <lumbar/weights/onnx.hpp>
#include <lumbar/weights/safetensors_save.hpp>
#if defined(LUMBAR_EXAMPLE_ZLIB)
#include <lumbar/zlib.hpp>
#endif

#include <array>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <optional>
#include <span>
#include <string>

namespace {

using namespace lumbar;

#if defined(LUMBAR_EXAMPLE_ZLIB)
constexpr Inflate kInflate = inflate_with_zlib;
#else
constexpr Inflate kInflate = nullptr;
#endif

/// What the file is for: as told, otherwise as the file says or its tensors show.
FileModel model_of(const Weights& weights, const ConvertOptions& o) {
    FileModel file;
    if (o.model.empty()) {
        file = recognise_model(weights);
        if (file.evidence == FileModel::Evidence::resembles) file.model = nullptr;
    } else {
        (void)try_make(o.model).value();  // an Error that lists the names
        file.model = find_model(o.model);
        file.numerics = recognise_numerics(*file.model, weights);
        Graph graph = file.model->build({});
        const Weights named = in_names_of(graph, weights);
        const Result<Graph> bound = try_bind_weights(graph, named, false);
        if (!bound) {
            Result<Graph>::raise(Error(bound.error().code(),
                                       bound.error().message() + model_advice(weights, o.model)));
        }
    }
    file.numerics = parse_numerics(o.numerics).value_or(file.numerics);
    return file;
}

/// Whatever the file is called: by its first bytes.
Weights load(const std::string& path) {
    std::array<char, 300> head{};
    std::ifstream file(path, std::ios::binary);
    file.read(head.data(), head.size());
    const auto count = static_cast<std::size_t>(file.gcount());
    switch (sniff(std::as_bytes(std::span(head)).first(count))) {
        case FileKind::npz:
        case FileKind::npy: return load_numpy(path, {}, kInflate);
        case FileKind::onnx: return load_onnx(path);
        default: return load_weights(path);
    }
}

int run(const ConvertOptions& o) {
    Weights weights = load(o.in);
    Weights::Metadata metadata = weights.metadata();
    // What a probe of the file before says is not what is asked for now.
    for (const char* key : {kArchitectureKey, kNumericsKey, "padding", kProbeKey})
        metadata.erase(key);
    const FileModel file = model_of(weights, o);
    if (file.model) metadata.merge(model_metadata(*file.model, file.numerics));
    if (o.half) weights = as_half(weights);
    if (o.probe) {
        if (!file.model) {
            Result<Success>::raise(
                Error(Error::Code::argument, o.in + ": --probe needs --model, for the file is of "
                                                    "no model that is known here"));
        }
        const int size = o.size > 0 ? o.size : file.model->input_size;
        const Network network = compile(file.model->build({.numerics = file.numerics}), weights,
                                        {.height = size, .width = size, .exact = true});
        metadata.merge(probe_metadata(try_make_probe(network).value()));
    }
    save_safetensors(o.out, weights.tensors(), metadata);
    const std::string name = file.model ? std::string(file.model->name) : "no known model";
    const char* const tf = file.numerics == Numerics::tf ? ", TensorFlow's numerics" : "";
    std::printf("%s: %zu tensors of %s%s%s%s\n", o.out.c_str(), weights.size(), name.c_str(), tf,
                o.half ? ", filters as F16" : "", o.probe ? ", with a probe" : "");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    ConvertOptions o;
    CLI::App app{
        "Writes a file of weights as safetensors, with the name of the model that it is for. For "
        "example:\n  convert resnet50.pth resnet50.safetensors --half --probe"};
    o.add_to(app);
    return run_program("convert", app, argc, argv, [&] { return run(o); });
}
