// The operator tests that ONNX's authors wrote for its backends, read from their own files, for
// every operator that Lumbar has: those of Debian's libonnx-testdata, or of the folder that
// LUMBAR_ONNX_TESTDATA names (the Python package has one: onnx/backend/test/data).
#include <oracle/kernel_tables.hpp>

#include <lumbar/lumbar.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <conformance/onnx_graph.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace onnx_test {

using namespace lumbar;
namespace fs = std::filesystem;

namespace {

fs::path folder() {
    const char* named = std::getenv("LUMBAR_ONNX_TESTDATA");
    return named ? named : "/usr/share/libonnx-testdata/data";
}

onnx::Tensor read_tensor(const fs::path& path) {
    const auto file = try_read_file(path.string()).value();
    return onnx::read_tensor(file->span());
}

/// 1e-5 of the largest value, or of 1: what sums of some hundred float32 products differ by, and
/// Winograd's algorithm. (ONNX's own runner allows 1e-3 of each value.)
void check_values(const Tensor& found, const onnx::Tensor& expected) {
    REQUIRE(static_cast<std::int64_t>(found.values().size()) == expected.size());
    // Of image-shaped results the shape too: others are arranged by the translation.
    if (expected.dims.size() == 4 && found.shape().w > 1) {
        CHECK(found.shape().n == expected.dims[0]);
        CHECK(found.shape().c == expected.dims[1]);
        CHECK(found.shape().h == expected.dims[2]);
        CHECK(found.shape().w == expected.dims[3]);
    }
    float scale = 1.0f, largest = 0.0f;
    for (const float v : expected.values) scale = std::max(scale, std::abs(v));
    for (std::size_t i = 0; i < expected.values.size(); ++i) {
        const float error = std::abs(found.values()[i] - expected.values[i]);
        if (!(error <= largest)) largest = error;  // keeps a NaN
    }
    CHECK(largest <= 1e-5f * scale);
}

void check(const onnx::Translated& t, const onnx::Tensor& expected) {
    const Shape in = t.image.shape();
    const Weights weights = Weights::from_tensors(t.weights);
    for (const KernelTable* kernels : oracle::kernel_tables()) {
        for (const bool exact : {true, false}) {
            CAPTURE(std::string(kernels->isa));
            CAPTURE(exact);
            const Result<Network> network = try_compile(t.graph, weights,
                                                        {.height = in.h,
                                                         .width = in.w,
                                                         .batch = in.n,
                                                         .threads = 1,
                                                         .executor = nullptr,
                                                         .kernels = kernels,
                                                         .exact = exact,
                                                         .chooser = nullptr,
                                                         .allow_extra_tensors = false});
            if (!network) {
                FAIL_CHECK(network.error().message());
                return;
            }
            check_values((*network)(t.image), expected);
        }
    }
}

/// What became of the tests.
struct Tally {
    int passed = 0;
    int others = 0;
    std::map<std::string, std::vector<std::string>> skipped;  ///< by reason
    std::set<std::string> operators;                          ///< of those that ran
};

void run_case(const fs::path& path, Tally& tally) {
    const std::string name = path.filename().string();
    CAPTURE(name);
    const auto file = try_read_file((path / "model.onnx").string()).value();
    const onnx::Model model = onnx::read_model(file->span());
    if (!onnx::has_all_operators(model) || model.nodes.empty()) {
        ++tally.others;
        return;
    }
    const fs::path set = path / "test_data_set_0";
    std::vector<onnx::Tensor> inputs;
    for (int i = 0; fs::exists(set / ("input_" + std::to_string(i) + ".pb")); ++i) {
        inputs.push_back(read_tensor(set / ("input_" + std::to_string(i) + ".pb")));
    }
    try {
        onnx::Translator translator(model, inputs);
        check(translator.translate(), read_tensor(set / "output_0.pb"));
        ++tally.passed;
        for (const onnx::Node& node : model.nodes) tally.operators.insert(node.type);
    } catch (const onnx::Skip& skip) {
        tally.skipped[skip.reason].push_back(name.substr(5));  // without "test_"
    }
}

void print(const Tally& tally) {
    std::printf("ONNX operator tests: %d ran; %d are of operators that are not Lumbar's\n",
                tally.passed, tally.others);
    for (const auto& [reason, names] : tally.skipped) {
        std::printf("skipped, %s:", reason.c_str());
        for (const std::string& name : names) std::printf(" %s", name.c_str());
        std::printf("\n");
    }
}

}  // namespace

TEST_CASE("operators compute what ONNX's own tests expect") {
    if (!fs::exists(folder() / "node")) {
        MESSAGE("skipped: no ONNX test data in " << folder().string()
                                                 << " (Debian's libonnx-testdata)");
        return;
    }
    Tally tally;
    for (const char* part : {"node", "pytorch-converted", "pytorch-operator", "simple"}) {
        std::vector<fs::path> paths;
        if (!fs::exists(folder() / part)) continue;
        for (const auto& entry : fs::directory_iterator(folder() / part)) {
            if (fs::exists(entry.path() / "model.onnx")) paths.push_back(entry.path());
        }
        std::sort(paths.begin(), paths.end());
        for (const fs::path& path : paths) run_case(path, tally);
    }
    print(tally);
    CHECK(tally.passed >= 90);
    for (const char* type : {"Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Conv",
                             "Gemm", "GlobalAveragePool", "HardSigmoid", "HardSwish", "LRN",
                             "MaxPool", "Mul", "Relu", "Sigmoid", "Softmax"}) {
        CAPTURE(std::string(type));
        CHECK(tally.operators.contains(type));
    }
}

}  // namespace onnx_test
