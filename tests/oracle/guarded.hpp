// Blocked activations amid memory that must not be touched, and runs of layers over them in one go
// and in shuffled pieces.
#pragma once

#include <oracle/array.hpp>

#include <lumbar/core/memory.hpp>
#include <lumbar/core/view.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace oracle {

using lumbar::BlockedView;
using lumbar::Padding;

/// A blocked view whose images, groups and rows lie apart, as those of a slice of a concatenation
/// do. All its memory starts as a marked NaN: what a layer reads without having been given it
/// shows in the results, and what it writes where it should not shows in damage().
class Guarded {
   public:
    struct Options {
        Padding border{};
        int extra_groups = 1;   ///< groups of a neighbour between two images
        int extra_columns = 0;  ///< pixels between two rows that are not part of the border
    };

    Guarded(Shape shape, int lanes) : Guarded(shape, lanes, Options{}) {}
    Guarded(Shape shape, int lanes, const Options& options) : shape_(shape) {
        const Padding& b = options.border;
        view_.shape = shape;
        view_.lanes = lanes;
        view_.border = b;
        view_.row = std::ptrdiff_t{shape.w + b.left + b.right + options.extra_columns} * lanes;
        view_.group = (shape.h + b.top + b.bottom) * view_.row;
        view_.image = (view_.groups() + options.extra_groups) * view_.group;
        buffer_ =
            lumbar::AlignedBuffer(static_cast<std::size_t>(2 * kGuard + shape.n * view_.image));
        view_.data = buffer_.data() + kGuard + b.top * view_.row + std::ptrdiff_t{b.left} * lanes;
        kinds_.assign(buffer_.size(), Kind::outside);
        for (int n = 0; n < shape.n; ++n)
            for (int g = 0; g < view_.groups(); ++g)
                for (int y = -b.top; y < shape.h + b.bottom; ++y)
                    for (int x = -b.left; x < shape.w + b.right; ++x)
                        for (int lane = 0; lane < lanes; ++lane) {
                            const bool inside = y >= 0 && y < shape.h && x >= 0 && x < shape.w;
                            kinds_[offset(view_.pixel(n, g, y, x) + lane)] =
                                !inside                      ? Kind::border
                                : g * lanes + lane < shape.c ? Kind::value
                                                             : Kind::tail;
                        }
        poison();
    }

    const BlockedView& view() const { return view_; }

    void poison() {
        for (std::size_t i = 0; i < buffer_.size(); ++i) buffer_.data()[i] = mark();
    }

    /// Takes the values of a tensor, with this in all lanes beyond the last channel and a border
    /// of zeros.
    void fill(const lumbar::ConstTensorView& from, float tail = 0) {
        poison();
        lumbar::to_blocked(from, view_);
        set(Kind::tail, tail);
    }
    void fill_border(float value) { set(Kind::border, value); }

    lumbar::Tensor values() const {
        lumbar::Tensor t(shape_);
        lumbar::from_blocked(view_, t);
        return t;
    }

    /// What is wrong with the memory after a layer has written the view, in words, or "": touched
    /// outside, border not zero, or lanes beyond the last channel not finite.
    std::string damage() const {
        for (std::size_t i = 0; i < buffer_.size(); ++i) {
            const float v = buffer_.data()[i];
            const std::string at = " at float " + std::to_string(i) + " of the memory";
            if (kinds_[i] == Kind::outside && !same_bits(v, mark())) return "touched outside" + at;
            if (kinds_[i] == Kind::border && !(v == 0)) return "border not zero" + at;
            if (kinds_[i] == Kind::tail && !std::isfinite(v)) return "tail not finite" + at;
        }
        return "";
    }

    /// All of the memory, for comparisons bit by bit.
    std::vector<std::uint32_t> bits() const {
        std::vector<std::uint32_t> result(buffer_.size());
        std::memcpy(result.data(), buffer_.data(), buffer_.size() * sizeof(float));
        return result;
    }

   private:
    enum class Kind : unsigned char { outside, border, value, tail };
    static constexpr std::ptrdiff_t kGuard = 64;
    static float mark() { return std::bit_cast<float>(std::uint32_t{0x7fc5a5a5u}); }

    std::size_t offset(const float* p) const {
        return static_cast<std::size_t>(p - buffer_.data());
    }
    void set(Kind kind, float value) {
        for (std::size_t i = 0; i < buffer_.size(); ++i) {
            if (kinds_[i] == kind) buffer_.data()[i] = value;
        }
    }

    Shape shape_;
    BlockedView view_;
    lumbar::AlignedBuffer buffer_;
    std::vector<Kind> kinds_;
};

/// Calls run(begin, end) over pieces of [0, units) of random lengths, in random order.
template <class Run>
void run_in_pieces(std::int64_t units, std::uint64_t seed, Run&& run) {
    Random random(seed);
    std::vector<std::pair<std::int64_t, std::int64_t>> pieces;
    for (std::int64_t begin = 0; begin < units;) {
        const std::int64_t end = std::min(units, begin + 1 + random.below(units / 3 + 2));
        pieces.emplace_back(begin, end);
        begin = end;
    }
    for (std::size_t i = pieces.size(); i > 1; --i) {
        std::swap(pieces[i - 1],
                  pieces[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i)))]);
    }
    for (const auto& [begin, end] : pieces) run(begin, end);
}

/// Runs a layer over all its units at once, and again in pieces, each time after `reset`. What is
/// wrong, in words, or "": damage to an output, or results that depend on the pieces.
template <class Reset, class Run>
std::string run_both_ways(const std::vector<Guarded*>& outputs, std::int64_t units, Reset&& reset,
                          Run&& run) {
    if (units < 1) return "no units of work";
    reset();
    run(std::int64_t{0}, units);
    std::vector<std::vector<std::uint32_t>> whole;
    for (const Guarded* out : outputs) {
        if (std::string damage = out->damage(); !damage.empty()) return damage;
        whole.push_back(out->bits());
    }
    reset();
    run_in_pieces(units, static_cast<std::uint64_t>(units), run);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (outputs[i]->bits() != whole[i]) return "results depend on how the work is split";
    }
    return "";
}

template <class Run>
std::string run_both_ways(const std::vector<Guarded*>& outputs, std::int64_t units, Run&& run) {
    return run_both_ways(
        outputs, units,
        [&] {
            for (Guarded* out : outputs) out->poison();
        },
        run);
}

}  // namespace oracle
