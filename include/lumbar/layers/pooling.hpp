// Maximum, average, adaptive and global pooling on blocked activations.
#pragma once

#include <lumbar/core/pooling.hpp>
#include <lumbar/core/view.hpp>
#include <lumbar/kernels/table.hpp>
#include <lumbar/layers/row_order.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// What one run of a pooling layer works on. The border of `in` is never read.
struct PoolCall {
    BlockedView in{};
    BlockedView out{};
    const float* bias = nullptr;  ///< per channel, padded to whole groups; averages only
    Epilogue epilogue{};          ///< after the bias; averages only
};

class Pooling {
   public:
    Pooling() = default;
    LUMBAR_COLD Pooling(const KernelTable& kernels, const PoolGeometry& geometry, const Shape& in)
        : kernels_(&kernels), geometry_(geometry) {
        const Shape out = output_shape(geometry, in);
        rows_ = spans(out.h, in.h, geometry.adaptive.h > 0, geometry.kernel.h, geometry.stride.h,
                      geometry.dilation.h, geometry.padding.top, geometry.padding.bottom);
        std::vector<PoolSpan> columns =
            spans(out.w, in.w, geometry.adaptive.h > 0, geometry.kernel.w, geometry.stride.w,
                  geometry.dilation.w, geometry.padding.left, geometry.padding.right);
        if (geometry.kind == PoolGeometry::Kind::average && !geometry.count_include_pad) {
            for (PoolSpan& s : rows_) s.counted = s.count;
            for (PoolSpan& s : columns) s.counted = s.count;
        }
        runs_ = runs_of(columns, geometry.dilation.w);
    }

    const PoolGeometry& geometry() const { return geometry_; }

    std::int64_t units(const PoolCall& call) const {
        return std::int64_t{call.out.shape.n} * call.out.groups() * call.out.shape.h;
    }

    void run(const PoolCall& call, std::int64_t begin, std::int64_t end) const noexcept {
        const bool max = geometry_.kind == PoolGeometry::Kind::max;
        const PoolRowFunction pool = max ? kernels_->max_pool : kernels_->average_pool;
        const RowOrder order{call.out.groups(), call.out.shape.h};
        PoolRow row;
        row.runs = runs_.data();
        row.run_count = static_cast<int>(runs_.size());
        row.epilogue = call.epilogue;
        row.tap_row = geometry_.dilation.h * call.in.row;
        row.tap_col = std::ptrdiff_t{geometry_.dilation.w} * call.in.lanes;
        for (std::int64_t unit = begin; unit < end; ++unit) {
            const auto [n, g, y, count] = order.at(unit);
            row.bias = call.bias ? call.bias + std::ptrdiff_t{g} * call.out.lanes : nullptr;
            row.rows = rows_[static_cast<std::size_t>(y)];
            row.in = call.in.pixel(n, g, row.rows.begin, 0);
            row.out = call.out.pixel(n, g, y, 0);
            pool(row);
            clear_border_of_row(call.out, n, g, y);
        }
    }

   private:
    static std::vector<PoolSpan> spans(int outputs, int input, bool adaptive, int kernel,
                                       int stride, int dilation, int before, int after) {
        std::vector<PoolSpan> result(static_cast<std::size_t>(std::max(outputs, 0)));
        for (int i = 0; i < outputs; ++i) {
            PoolSpan& s = result[static_cast<std::size_t>(i)];
            if (adaptive) {
                const std::int64_t length = input;
                s.begin = static_cast<int>(i * length / outputs);
                const int end = static_cast<int>(((i + 1) * length + outputs - 1) / outputs);
                s.count = s.counted = end - s.begin;
                continue;
            }
            int first = i * stride - before;
            // ATen, AvgPoolKernel.cpp: the window that an average divides by is cut at the end of
            // the padding, so what ceil_mode adds beyond it never counts.
            s.counted = std::min(first + kernel, input + after) - first;
            int taps = kernel;
            while (taps > 0 && first < 0) {
                first += dilation;
                --taps;
            }
            s.begin = std::min(first, input);
            s.count = first < input ? std::min(taps, (input - 1 - first) / dilation + 1) : 0;
        }
        return result;
    }

    /// Runs of windows that are alike, in strips with as many of their columns as fit.
    LUMBAR_COLD static std::vector<PoolRun> runs_of(const std::vector<PoolSpan>& windows,
                                                    int dilation) {
        std::vector<PoolRun> runs;
        std::size_t opened = 0;  // the first run of the strip
        int begin = 0, end = 0;  // of the strip; an end of 0: there is none
        for (const PoolSpan& w : windows) {
            const int last = w.begin + (std::max(w.count, 1) - 1) * dilation + 1;
            const bool wide = last - w.begin > kPoolColumns;
            const bool in_strip = w.count > 0 && !wide;
            // With dilation, a window that starts in the padding may begin after the next.
            const int first = std::min(begin, w.begin), after = std::max(end, last);
            const bool opens = in_strip && (end == 0 || after - first > kPoolColumns);
            if (opens) opened = runs.size();
            begin = opens ? w.begin : first;
            end = !in_strip ? 0 : opens ? last : after;
            if (!runs.empty() && !opens && !wide && joins(runs.back(), w)) {
                PoolRun& run = runs.back();
                run.step = (w.begin - run.first.begin) / run.outputs;
                ++run.outputs;
            } else {
                runs.push_back({.outputs = 1, .first = w, .wide = wide});
            }
            if (in_strip) close_strip(runs, opened, begin, end);
        }
        return runs;
    }
    /// True where `w` continues the run.
    static bool joins(const PoolRun& run, const PoolSpan& w) {
        if (run.wide || run.first.count != w.count || run.first.counted != w.counted) return false;
        return w.count == 0 || run.outputs == 1 ||
               w.begin - run.first.begin == run.outputs * run.step;
    }
    /// Tells the runs from `opened` on where their strip lies, as far as it is known.
    static void close_strip(std::vector<PoolRun>& runs, std::size_t opened, int begin, int end) {
        for (std::size_t i = opened; i < runs.size(); ++i) {
            runs[i].strip = begin;
            runs[i].columns = i == opened ? end - begin : 0;
        }
    }

    const KernelTable* kernels_ = nullptr;
    PoolGeometry geometry_;
    std::vector<PoolSpan> rows_;
    std::vector<PoolRun> runs_;
};

LUMBAR_NAMESPACE_END
