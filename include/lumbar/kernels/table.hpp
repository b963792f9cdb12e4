// The kernels of one instruction set as plain data: what the floors above see instead of an
// architecture. A binary may hold several tables; `compile` takes the one it is given.
#pragma once

#include <lumbar/kernels/across_channels.hpp>
#include <lumbar/kernels/affine_row.hpp>
#include <lumbar/kernels/conv_tile.hpp>
#include <lumbar/kernels/depthwise_tile.hpp>
#include <lumbar/kernels/linear_tile.hpp>
#include <lumbar/kernels/pool_row.hpp>
#include <lumbar/kernels/winograd_tile.hpp>

LUMBAR_NAMESPACE_BEGIN

struct KernelTable {
    const char* isa = "";
    int lanes = 1;
    int registers = 16;
    ConvTileTable conv{};  ///< [groups - 1][pixels - 1], null where there is no such tile
    WinogradTileTable winograd{};
    DepthwiseTileTable depthwise_3x3{};
    DepthwiseTileTable depthwise_5x5{};
    DepthwiseTileTable depthwise{};
    DepthwisePairTable depthwise_pairs_3x3{};
    DepthwisePairTable depthwise_pairs_5x5{};
    LinearTileTable linear{};
    PoolRowFunction max_pool = nullptr;
    PoolRowFunction average_pool = nullptr;
    AffineRowFunction affine = nullptr;
    SoftmaxFunction softmax = nullptr;
    LrnFunction local_response_norm = nullptr;

    /// Pixels of the widest tile with so many groups; 0 where there is none.
    constexpr int max_pixels(int groups) const {
        if (groups < 1 || groups > kMaxTileGroups) return 0;
        int pixels = 0;
        while (pixels < kMaxTilePixels &&
               conv[static_cast<std::size_t>(groups - 1)][static_cast<std::size_t>(pixels)]) {
            ++pixels;
        }
        return pixels;
    }
    constexpr int max_groups() const {
        int groups = kMaxTileGroups;
        while (groups > 1 && max_pixels(groups) == 0) --groups;
        return groups;
    }
};

template <class Arch>
constexpr const char* isa_name() {
    if constexpr (std::is_same_v<Arch, simd::Scalar>) {
        return "scalar";
    } else {
        return Arch::name();
    }
}

template <class Arch>
constexpr KernelTable make_kernel_table() {
    return {
        .isa = isa_name<Arch>(),
        .lanes = simd::lanes<Arch>,
        .registers = simd::registers<Arch>,
        .conv = conv_tiles<Arch>(),
        .winograd = winograd_tiles<Arch>(),
        .depthwise_3x3 = depthwise_tiles<Arch, 3>(),
        .depthwise_5x5 = depthwise_tiles<Arch, 5>(),
        .depthwise = depthwise_tiles<Arch, 0>(),
        .depthwise_pairs_3x3 = depthwise_pairs<Arch, 3>(),
        .depthwise_pairs_5x5 = depthwise_pairs<Arch, 5>(),
        .linear = linear_tiles<Arch>(),
        .max_pool = &max_pool_row<Arch>,
        .average_pool = &average_pool_row<Arch>,
        .affine = &affine_row<Arch>,
        .softmax = &softmax<Arch>,
        .local_response_norm = &local_response_norm<Arch>,
    };
}

/// The kernels compiled for one architecture tag: an xsimd architecture, or simd::Scalar.
template <class Arch>
inline const KernelTable& kernel_table() {
    static constexpr KernelTable table = make_kernel_table<Arch>();
    return table;
}

#if defined(LUMBAR_DISPATCH)
/// The kernels of the best instruction set that the program has and this CPU can; defined by what
/// lumbar_add_dispatch adds to the program.
const KernelTable& native_kernels();
#else
/// The kernels of the including file's flags.
inline const KernelTable& native_kernels() { return kernel_table<simd::Native>(); }
#endif

LUMBAR_NAMESPACE_END
