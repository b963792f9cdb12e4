// Softmax over the channels of each pixel, and local response normalisation.
#pragma once

#include <lumbar/core/view.hpp>
#include <lumbar/kernels/table.hpp>

#include <cstddef>
#include <optional>

LUMBAR_NAMESPACE_BEGIN

/// What one run works on; views of one shape. Softmax may run in place, normalisation may not.
struct ChannelsCall {
    BlockedView in{};
    BlockedView out{};
};

class AcrossChannels {
   public:
    AcrossChannels() = default;
    static AcrossChannels softmax(const KernelTable& kernels) {
        AcrossChannels layer;
        layer.kernels_ = &kernels;
        return layer;
    }
    static AcrossChannels local_response_norm(const KernelTable& kernels, LrnParameters p) {
        AcrossChannels layer;
        layer.kernels_ = &kernels;
        layer.lrn_ = p;
        return layer;
    }

    std::int64_t units(const ChannelsCall& call) const {
        return std::int64_t{call.out.shape.n} * call.out.shape.h;
    }

    void run(const ChannelsCall& call, std::int64_t begin, std::int64_t end) const noexcept {
        const int height = call.out.shape.h;
        ChannelVector c;
        c.channels = call.out.shape.c;
        c.in_group = call.in.group;
        c.out_group = call.out.group;
        for (std::int64_t unit = begin; unit < end; ++unit) {
            const int y = static_cast<int>(unit % height), n = static_cast<int>(unit / height);
            for (int x = 0; x < call.out.shape.w; ++x) {
                c.in = call.in.pixel(n, 0, y, x);
                c.out = call.out.pixel(n, 0, y, x);
                if (lrn_) {
                    kernels_->local_response_norm(c, *lrn_);
                } else {
                    kernels_->softmax(c);
                }
            }
            for (int g = 0; g < call.out.groups(); ++g) clear_border_of_row(call.out, n, g, y);
        }
    }

   private:
    const KernelTable* kernels_ = nullptr;
    std::optional<LrnParameters> lrn_;
};

LUMBAR_NAMESPACE_END
