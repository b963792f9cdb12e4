// Opt-in: algorithms chosen by measuring them on this machine, and kept in a small file.
//
//     lumbar::Tuner tuner("resnet50.tuning");     // what an earlier run measured, if it is there
//     auto net = lumbar::compile(graph, weights, {.chooser = &tuner});
//     tuner.save();
//
// The file pins the choice: with it, a network computes the same bits on every machine of the same
// instruction set, measured or not.
#pragma once

#include <lumbar/core/file.hpp>
#include <lumbar/core/sorted_order.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/runtime/algorithm.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

namespace detail {

/// "winograd 4x4", or "direct".
LUMBAR_COLD inline std::string algorithm_name(const WinogradTile* tile) {
    if (!tile) return "direct";
    return cat({"winograd ", tile->out_rows, "x", tile->out_columns});
}

/// Everything that a choice depends on.
LUMBAR_COLD inline std::string tuning_key(const KernelTable& kernels, const ConvGeometry& g,
                                          const Shape& out) {
    return cat({kernels.isa, " ", g.in_channels, ">", g.out_channels, " ", g.kernel.h, "x",
                g.kernel.w, " pad ", g.padding.top, ",", g.padding.left, " to ", out.h, "x",
                out.w});
}

/// Seconds of one convolution, the median of a few; its weights come from memory, as in a network.
class ConvTimer {
   public:
    LUMBAR_COLD ConvTimer(const KernelTable& kernels, const ConvGeometry& g, const Shape& out)
        : kernels_(&kernels),
          geometry_(g),
          in_({1, g.in_channels, in_extent(out.h, g.kernel.h, g.padding.top, g.padding.bottom),
               in_extent(out.w, g.kernel.w, g.padding.left, g.padding.right)},
              kernels.lanes, g.padding),
          out_({1, out.c, out.h, out.w}, kernels.lanes) {
        const BlockedView in = in_.view();
        for (int c = 0; c < g.in_channels; ++c) {
            for (int y = 0; y < in.shape.h; ++y) {
                for (int x = 0; x < in.shape.w; ++x) {
                    in.at(0, c, y, x) = static_cast<float>((c + 3 * y + 7 * x) % 17 - 8) / 8;
                }
            }
        }
    }

    /// Null: direct convolution.
    LUMBAR_COLD double seconds(const WinogradTile* tile) {
        const Shape& out = out_.shape();
        if (tile) {
            const WinogradConv layer(*kernels_, *tile, geometry_, out, 1);
            return seconds_of(layer, layer.scratch_size());
        }
        return seconds_of(
            DirectConv(*kernels_, geometry_,
                       {.plain_input = false, .row_pixels = out.w, .destinations = {}, .bands = 1}),
            0);
    }

   private:
    /// The input that yields so many outputs, at stride 1.
    static int in_extent(int out, int kernel, int before, int after) {
        return out + kernel - 1 - before - after;
    }

    template <class Layer>
    LUMBAR_COLD double seconds_of(const Layer& layer, std::size_t scratch_size) {
        using Clock = std::chrono::steady_clock;
        AlignedBuffer packed(layer.packed_size()), scratch(scratch_size);
        for (std::size_t i = 0; i < packed.size(); ++i) {
            packed.data()[i] = static_cast<float>(i % 13) / 100;
        }
        const BlockedView out = out_.view();
        ConvCall call;
        call.in = in_.view();
        call.out = {&out, 1};
        std::vector<double> times;
        for (int i = 0; i < 7; ++i) {
            flush();
            // The input, which another layer has just written, into the cache again.
            float sum = 0;
            for (int g = 0; g < call.in.groups(); ++g) {
                for (int y = 0; y < call.in.shape.h; ++y) {
                    for (int x = 0; x < call.in.shape.w; ++x) sum += *call.in.pixel(0, g, y, x);
                }
            }
            sink_ = sum;
            const Clock::time_point start = Clock::now();
            layer.run(call, packed.data(), 0, layer.units(call), scratch.data());
            times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
        }
        std::nth_element(times.begin(), times.begin() + 3, times.end());
        return times[3];
    }

    /// Reads more than the caches hold.
    void flush() {
        static const AlignedBuffer large(std::size_t{64} << 18);
        float sum = 0;
        for (std::size_t i = 0; i < large.size(); i += 16) sum += large.data()[i];
        sink_ = sum;
    }

    const KernelTable* kernels_;
    ConvGeometry geometry_;
    BlockedTensor in_;
    BlockedTensor out_;
    volatile float sink_ = 0;
};

}  // namespace detail

/// Measures what it has not measured yet; takes some milliseconds for each layer that is new. For
/// one compile() at a time. It must outlive the networks that are resized() later.
class Tuner final : public AlgorithmChooser {
   public:
    /// Begins with what the file holds; a file that is not there is an empty one. An Error where
    /// it is no tuning file.
    LUMBAR_COLD static Result<Tuner> try_open(std::string path) {
        Tuner tuner;
        tuner.path_ = std::move(path);
        if (std::FILE* there = std::fopen(tuner.path_.c_str(), "rb")) {
            std::fclose(there);
        } else {
            return tuner;
        }
        constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 20;
        const auto file = try_read_file(tuner.path_, kMaxBytes);
        if (!file) return file.error();
        const std::span<const std::byte> bytes = (*file)->span();
        std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        for (int line = 1; !text.empty(); ++line) {
            const std::string_view entry = text.substr(0, text.find('\n'));
            text.remove_prefix(std::min(text.size(), entry.size() + 1));
            const std::size_t equals = entry.find(" = ");
            const bool first = line == 1 && entry == kFirstLine;
            if ((line == 1) != first || (line > 1 && equals == std::string_view::npos)) {
                return Error(Error::Code::format,
                             detail::cat({"'", tuner.path_, "' line ", line,
                                          " is not of a tuning file; delete it, and it is made "
                                          "again"}));
            }
            if (line > 1) {
                tuner.chosen_.emplace(entry.substr(0, equals), entry.substr(equals + 3));
            }
        }
        return tuner;
    }
    /// As try_open; throws the Error.
    LUMBAR_COLD explicit Tuner(std::string path) : Tuner(try_open(std::move(path)).value()) {}

    LUMBAR_COLD const WinogradTile* choose(const KernelTable& kernels, const ConvGeometry& g,
                                           const Shape& out) override {
        std::vector<const WinogradTile*> candidates{nullptr};
        for (const WinogradTile& tile : kernels.winograd) {
            if (WinogradConv::serves(tile, g)) candidates.push_back(&tile);
        }
        if (candidates.size() == 1) return nullptr;
        std::string& chosen = chosen_[detail::tuning_key(kernels, g, out)];
        for (const WinogradTile* tile : candidates) {
            if (detail::algorithm_name(tile) == chosen) return tile;
        }
        detail::ConvTimer timer(kernels, g, out);
        std::vector<double> seconds;
        for (const WinogradTile* tile : candidates) seconds.push_back(timer.seconds(tile));
        const auto fastest = std::min_element(seconds.begin(), seconds.end());
        const WinogradTile* const tile =
            candidates[static_cast<std::size_t>(fastest - seconds.begin())];
        chosen = detail::algorithm_name(tile);
        ++measured_;
        return tile;
    }

    /// Layers that were measured since it was opened.
    int measured() const { return measured_; }

    /// Writes the file. An Error where that is not possible.
    LUMBAR_COLD Status try_save() const {
        std::string text = std::string(kFirstLine) + "\n";
        for (const auto& [key, algorithm] : chosen_) text += key + " = " + algorithm + "\n";
        std::FILE* const file = std::fopen(path_.c_str(), "wb");
        const bool written = file && std::fwrite(text.data(), 1, text.size(), file) == text.size();
        if (file && std::fclose(file) == 0 && written) return Success{};
        return Error(Error::Code::io, "cannot write '" + path_ + "'");
    }
    /// As try_save; throws the Error.
    LUMBAR_COLD void save() const { (void)try_save().value(); }

   private:
    static constexpr std::string_view kFirstLine = "lumbar tuning 1";
    Tuner() = default;

    std::string path_;
    std::map<std::string, std::string, std::less<>> chosen_;
    int measured_ = 0;
};

LUMBAR_NAMESPACE_END
