// What a network is compiled for.
#pragma once

#include <lumbar/core/executor.hpp>
#include <lumbar/kernels/table.hpp>

LUMBAR_NAMESPACE_BEGIN

class AlgorithmChooser;
struct Bfloat16Kernels;

struct CompileOptions {
    int height = 224;  ///< of the input image
    int width = 224;
    int batch = 1;
    int threads = 0;  ///< the caller included; 0: the cores that this process may use
    /// The application's own threads, or a ThreadPool that networks share; takes the place of
    /// `threads`. It must outlive the network.
    Executor* executor = nullptr;
    /// The instruction set to run on, outliving the network; null: that of the including file's
    /// flags.
    const KernelTable* kernels = nullptr;
    /// No Winograd convolution: the logits are as near to float64 as the reference's own (three
    /// times its float32 error), and the largest convolutions take up to three times as long.
    bool exact = false;
    /// Chooses between direct and Winograd convolution; null: a model of their cost does
    /// (runtime/algorithm.hpp). It must outlive the network. See runtime/tune.hpp.
    AlgorithmChooser* chooser = nullptr;
    /// Weights of half the width, rounded to bfloat16: of fully connected layers, and of
    /// convolutions where the CPU multiplies bfloat16 by itself and that is faster (their inputs
    /// are rounded then, too). Logits move by up to 2 % of the largest. &bfloat16_kernels(), of
    /// kernels/bfloat16_table.hpp, or a table that outlives the network; null: floats. Not with
    /// `exact`, and not in programs of lumbar_add_dispatch, whose kernels have none beside them.
    const Bfloat16Kernels* bfloat16 = nullptr;
    /// Accept weight files with tensors that the network has no use for.
    bool allow_extra_tensors = false;
};

LUMBAR_NAMESPACE_END
