// Fully connected layer. The input is a blocked activation whose planes are dense (an image is one
// run of memory), flattened as PyTorch flattens NCHW: the packed weights take the permutation.
#pragma once

#include <lumbar/core/view.hpp>
#include <lumbar/kernels/table.hpp>
#include <lumbar/layers/pack_filters.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// What one run of a fully connected layer works on. `in` has no border; `out` is N x out x 1 x 1.
struct LinearCall {
    BlockedView in{};
    BlockedView out{};
    Epilogue epilogue{};
};

class LinearLayer {
   public:
    LinearLayer() = default;
    /// `in` gives the channels, height and width that are flattened; its batch does not matter.
    /// `bfloat16`: weights of half the width; null: floats.
    LUMBAR_COLD LinearLayer(const KernelTable& kernels, const Shape& in, int outputs,
                            const Bfloat16Kernels* bfloat16 = nullptr)
        : kernels_(&kernels),
          tiles_(bfloat16 ? &bfloat16->linear : &kernels.linear),
          pairs_(bfloat16 != nullptr),
          in_(in),
          outputs_(outputs),
          inputs_(std::ptrdiff_t{round_up(in.c, kernels.lanes)} * in.h * in.w),
          blocks_(ceil_div(outputs, kernels.lanes * kLinearGroups)) {
        assert(!bfloat16 || kernels.lanes > 1);
        // Lanes beyond the last channel multiply zeros; with one pixel they need not be visited.
        if (in.h * in.w == 1) inputs_ = pairs_ ? round_up(in.c, 2) : in.c;
    }

    /// Weights of one output, in PyTorch's order.
    std::int64_t filter_size() const { return in_.c * in_.pixels(); }

    std::size_t packed_size() const {
        return static_cast<std::size_t>(blocks_) * static_cast<std::size_t>(block_size());
    }

    /// As DirectConv::pack, with filters in the order [channel][row][column].
    template <class ReadFilter>
    LUMBAR_HOT void pack(ReadFilter&& read_filter, float* packed) const {
        const std::ptrdiff_t width = block_width();
        const int lanes = kernels_->lanes;
        const int pixels = static_cast<int>(in_.pixels());
        std::vector<float> rows(pairs_ ? static_cast<std::size_t>(inputs_ * width) : 0);
        for (int o = 0; o < outputs_; o += lanes) {
            const int count = std::min(lanes, outputs_ - o);
            const std::ptrdiff_t column = o % width;
            float* const block = packed + o / width * block_size();
            float* const to = pairs_ ? rows.data() : block;
            const std::vector<float> filters = read_filters(read_filter, o, count, filter_size(),
                                                            block + weight_rows() * width + column);
            for (int c = 0; c < in_.c; ++c) {
                for (int p = 0; p < pixels; ++p) {
                    const std::ptrdiff_t input =
                        (std::ptrdiff_t{c / lanes} * pixels + p) * lanes + c % lanes;
                    write_side_by_side(filters.data(), filter_size(), count,
                                       std::int64_t{c} * pixels + p, to + input * width + column);
                }
            }
            if (pairs_ && (column + lanes == width || o + lanes >= outputs_)) {
                pair_rows(rows.data(), inputs_, width, block);
                std::fill(rows.begin(), rows.end(), 0.0f);
            }
        }
    }

    std::int64_t units(const LinearCall&) const { return blocks_; }

    void run(const LinearCall& call, const float* packed, std::int64_t begin,
             std::int64_t end) const noexcept {
        assert(call.in.dense() && call.in.border == Padding{});
        LinearTile t;
        t.inputs = inputs_;
        t.in_image = call.in.image;
        t.out_image = call.out.image;
        t.out_group = call.out.group;
        t.epilogue = call.epilogue;
        const int images = call.out.shape.n;
        for (std::int64_t block = begin; block < end; ++block) {
            const int first = static_cast<int>(block) * kLinearGroups;
            t.weights = packed + block * block_size();
            t.bias = t.weights + weight_rows() * block_width();
            t.out_groups = std::min(kLinearGroups, call.out.groups() - first);
            for (int n = 0; n < images; n += kMaxLinearImages) {
                const int count = std::min(kMaxLinearImages, images - n);
                (*tiles_)[static_cast<std::size_t>(count - 1)](t, call.in.pixel(n, 0, 0, 0),
                                                               call.out.pixel(n, first, 0, 0));
                for (int i = n; i < n + count; ++i) {
                    for (int g = 0; g < t.out_groups; ++g) clear_border(call.out, i, first + g);
                }
            }
        }
    }

   private:
    std::ptrdiff_t block_width() const { return std::ptrdiff_t{kLinearGroups} * kernels_->lanes; }
    std::ptrdiff_t weight_rows() const { return pairs_ ? inputs_ / 2 : inputs_; }
    std::ptrdiff_t block_size() const { return (weight_rows() + 1) * block_width(); }

    const KernelTable* kernels_ = nullptr;
    const LinearTileTable* tiles_ = nullptr;
    bool pairs_ = false;
    Shape in_;
    int outputs_ = 0;
    std::ptrdiff_t inputs_ = 0;
    int blocks_ = 0;
};

LUMBAR_NAMESPACE_END
