// The charts of a network's profile: a roofline, and a bar for each step's time.
#pragma once

#include "profile_steps.hpp"
#include "svg.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace bench {

namespace detail {

inline const char* colour_of(Kind kind) {
    // Told apart by the colour-blind too; the kinds that take most of the time stand out.
    constexpr const char* colours[kKinds] = {"#2f6fb5", "#e07b1f", "#b4489a", "#159a80",
                                             "#79c4a4", "#c23b3b", "#c9a227", "#8a929e"};
    return colours[static_cast<int>(kind)];
}

inline std::string micros(double seconds) {
    const double us = seconds * 1e6;
    return fixed(us, us < 10 ? 2 : us < 100 ? 1 : 0);
}
inline std::string giga(double rate) { return fixed(rate * 1e-9, rate < 1e10 ? 1 : 0); }
inline std::string percent(double part) { return fixed(100 * part, 1); }

/// What a viewer shows under the pointer.
inline std::string tip_of(const StepProfile& s, const NetworkProfile& p) {
    std::string tip = s.name + ": " + s.algorithm + ", " + micros(s.seconds) + " us";
    if (s.macs > 0) {
        tip += ", " + giga(s.rate()) + " GFLOP/s (" + percent(s.rate() / p.peak) + " %), " +
               number(s.intensity(), 1) + " FLOP/byte";
    }
    return s.why.empty() ? tip : tip + "; " + s.why;
}

// ---------------------------------------------------------------- roofline

/// Arithmetic intensity against rate, both logarithmic; a dot's area is the step's time.
class Roofline {
   public:
    Roofline(const NetworkProfile& profile, const Box& box) : profile_(profile), box_(box) {
        double least = 1e300, most = 0, slowest = 1e300, fastest = profile.peak;
        for (const StepProfile& s : profile.steps) {
            if (s.macs <= 0) continue;
            least = std::min(least, s.intensity());
            most = std::max(most, s.intensity());
            slowest = std::min(slowest, s.rate());
            fastest = std::max(fastest, s.rate());
        }
        if (most <= 0) least = 1, most = 100, slowest = profile.peak / 100;
        x_ = {std::min(least / 1.6, 0.4),
              std::max(most * 1.6, 2 * profile.peak / profile.memory_read), box.x, box.right()};
        y_ = {slowest * 1e-9 / 2, fastest * 1e-9 * 1.9, box.bottom(), box.y};
    }

    void draw(Svg& svg) {
        draw_axes(svg);
        draw_roofs(svg);
        draw_dots(svg);
    }

   private:
    Point at(double intensity, double rate) const { return {x_.at(intensity), y_.at(rate * 1e-9)}; }

    void draw_axes(Svg& svg) const {
        svg.rect(box_, "#fbfbfd");
        for (const LogAxis::Tick& t : x_.ticks()) {
            const double x = x_.at(t.value);
            svg.line({x, box_.y}, {x, box_.bottom()}, {t.labelled ? "#cfd4dc" : "#edeff3"});
            if (!t.labelled) continue;
            svg.text({x, box_.bottom() + 15}, number(t.value, 3), {.anchor = "middle"});
        }
        for (const LogAxis::Tick& t : y_.ticks()) {
            const double y = y_.at(t.value);
            svg.line({box_.x, y}, {box_.right(), y}, {t.labelled ? "#cfd4dc" : "#edeff3"});
            if (t.labelled) svg.text({box_.x - 6, y + 4}, number(t.value, 3), {.anchor = "end"});
        }
        svg.text({box_.x + box_.w / 2, box_.bottom() + 34},
                 "arithmetic intensity, FLOP / byte of input, output and weights",
                 {.anchor = "middle"});
        svg.text({box_.x - 44, box_.y + box_.h / 2}, "GFLOP/s", {.anchor = "middle", .angle = -90});
    }

    void draw_roofs(Svg& svg) {
        const double peak = profile_.peak;
        const double ridge = std::max(peak / profile_.l2_read, x_.low);
        svg.line(at(ridge, peak), at(x_.high, peak), {"#2b303b", 1.8});
        const std::string label = "multiply-add peak, " + giga(peak) + " GFLOP/s";
        const Point end = at(x_.high, peak);
        svg.text({end.x - 6, end.y - 6}, label,
                 {.anchor = "end", .colour = "#2b303b", .bold = true});
        const double width = Svg::text_width(label, 12);
        taken_.push_back({end.x - width, end.y - 17, width, 14});
        draw_slope(svg, "L2, one core", profile_.l2_read, {"#5e6675", 1.5});
        draw_slope(svg, "memory, one core", profile_.memory_read, {"#5e6675", 1.5, "6 4"});
    }

    /// The roof that a bandwidth makes, as far as it lies below the peak.
    void draw_slope(Svg& svg, const std::string& what, double bandwidth, const Stroke& stroke) {
        const double low = std::max(x_.low, y_.low * 1e9 / bandwidth);
        const double ridge = profile_.peak / bandwidth;
        if (low >= ridge) return;
        const Point from = at(low, low * bandwidth), to = at(ridge, profile_.peak);
        svg.line(from, to, stroke);
        const double angle = std::atan2(to.y - from.y, to.x - from.x) * 57.29578;
        const std::string label = what + ", " + giga(bandwidth) + " GB/s";
        const Point middle{(from.x + to.x) / 2, (from.y + to.y) / 2};
        svg.text(
            {middle.x - 4, middle.y - 6}, label,
            {.size = 10, .anchor = "middle", .colour = "#5e6675", .angle = angle, .rim = true});
    }

    void draw_dots(Svg& svg) {
        std::vector<const StepProfile*> order;
        for (const StepProfile& s : profile_.steps) {
            if (s.macs > 0) order.push_back(&s);
        }
        std::sort(order.begin(), order.end(),
                  [](const auto* a, const auto* b) { return a->seconds > b->seconds; });
        for (const StepProfile* s : order) {
            svg.circle(at(s->intensity(), s->rate()), radius(*s), colour_of(s->kind),
                       tip_of(*s, profile_));
            const Point p = at(s->intensity(), s->rate());
            const double r = 0.7 * radius(*s);
            taken_.push_back({p.x - r, p.y - r, 2 * r, 2 * r});
        }
        // The largest have their names beside them, where there is room.
        for (std::size_t i = 0; i < order.size() && i < 8; ++i) label(svg, *order[i]);
    }
    double radius(const StepProfile& s) const {
        return std::max(2.2, 36 * std::sqrt(s.seconds / profile_.all_steps));
    }
    void label(Svg& svg, const StepProfile& s) {
        const Point p = at(s.intensity(), s.rate());
        const double width = Svg::text_width(s.name, 9), r = radius(s);
        const Box places[] = {{p.x + r + 2, p.y - 5, width, 10},
                              {p.x - r - 2 - width, p.y - 5, width, 10},
                              {p.x - width / 2, p.y + r + 2, width, 10},
                              {p.x - width / 2, p.y - r - 12, width, 10},
                              {p.x - width / 2, p.y + r + 16, width, 10}};
        for (const Box& b : places) {
            const bool inside =
                b.x > box_.x && b.right() < box_.right() && b.bottom() < box_.bottom();
            if (!inside || std::any_of(taken_.begin(), taken_.end(),
                                       [&](const Box& o) { return o.overlaps(b); })) {
                continue;
            }
            svg.text({b.x, b.bottom() - 2}, s.name, {.size = 9, .rim = true});
            taken_.push_back(b);
            return;
        }
    }

    const NetworkProfile& profile_;
    Box box_;
    LogAxis x_;
    LogAxis y_;
    std::vector<Box> taken_;  ///< by labels
};

// ---------------------------------------------------------------- bars

/// A row for each step: name, bar, numbers.
class StepBars {
   public:
    /// From `top` on, as high as it takes.
    StepBars(const NetworkProfile& profile, double top) : profile_(profile), top_(top) {
        const bool many = profile.steps.size() > 70;
        row_ = many ? 13 : 17;
        size_ = many ? 9 : 10.5;
        double longest = 0;
        for (const StepProfile& s : profile.steps) longest = std::max(longest, s.seconds);
        axis_ = {std::max(longest, 1e-9) * 1e6, 225, 555};
    }

    double bottom() const { return top_ + row_ * static_cast<double>(profile_.steps.size()); }

    void draw(Svg& svg) const {
        draw_axis(svg);
        double y = top_;
        for (const StepProfile& s : profile_.steps) {
            draw_row(svg, s, y);
            y += row_;
        }
    }

   private:
    struct Column {
        const char* heading;
        double x;
    };
    static constexpr Column kColumns[] = {
        {"us", 608}, {"% time", 660}, {"% peak", 714}, {"% read", 768}, {"GFLOP/s", 828}};
    static constexpr double kAlgorithm = 842;

    void draw_axis(Svg& svg) const {
        const double step = axis_.step(6);
        for (int i = 0; i * step <= axis_.high * (1 + 1e-9); ++i) {
            const double x = axis_.at(i * step);
            svg.line({x, top_ - 3}, {x, bottom() + 3}, {});
            svg.text({x, top_ - 8}, number(i * step, 3), {.size = 10, .anchor = "middle"});
            svg.text({x, bottom() + 15}, number(i * step, 3), {.size = 10, .anchor = "middle"});
        }
        svg.text({(axis_.first + axis_.last) / 2, bottom() + 31}, "microseconds, median",
                 {.anchor = "middle"});
        const TextStyle heading{.size = 10, .anchor = "end", .bold = true};
        for (const Column& c : kColumns) svg.text({c.x, top_ - 8}, c.heading, heading);
        svg.text({axis_.first - 8, top_ - 8}, "step", heading);
        svg.text({kAlgorithm, top_ - 8}, "algorithm", {.size = 10, .bold = true});
    }

    void draw_row(Svg& svg, const StepProfile& s, double y) const {
        const double base = y + row_ / 2 + size_ * 0.36, length = axis_.at(s.seconds * 1e6);
        const TextStyle right{.size = size_, .anchor = "end"};
        svg.text({axis_.first - 8, base}, shortened(s.name), right);
        svg.rect({axis_.first, y + 1.5, std::max(length - axis_.first, 0.8), row_ - 3},
                 colour_of(s.kind), tip_of(s, profile_));
        const bool works = s.macs > 0;
        const std::string values[] = {micros(s.seconds), percent(s.seconds / profile_.all_steps),
                                      works ? percent(s.rate() / profile_.peak) : "",
                                      percent(s.reading / s.seconds), works ? giga(s.rate()) : ""};
        for (std::size_t i = 0; i < std::size(values); ++i) {
            svg.text({kColumns[i].x, base}, values[i], right);
        }
        svg.text({kAlgorithm, base}, s.algorithm, {.size = size_});
    }

    /// The end of a long name says more than its beginning.
    static std::string shortened(const std::string& name) {
        constexpr std::size_t kLongest = 33;
        return name.size() <= kLongest ? name : "..." + name.substr(name.size() - kLongest + 3);
    }

    const NetworkProfile& profile_;
    double top_;
    double row_;
    double size_;
    LinearAxis axis_;
};

// ---------------------------------------------------------------- the page

/// The kinds that the network has, with their shares of its time.
inline void draw_legend(Svg& svg, const NetworkProfile& p, Point at) {
    double seconds[kKinds] = {};
    for (const StepProfile& s : p.steps) seconds[static_cast<int>(s.kind)] += s.seconds;
    const double left = at.x;
    for (int i = 0; i < kKinds; ++i) {
        if (seconds[i] <= 0) continue;
        const Kind kind = static_cast<Kind>(i);
        const std::string text =
            std::string(name_of(kind)) + " " + percent(seconds[i] / p.all_steps) + " %";
        const double width = Svg::text_width(text, 11) + 34;
        if (at.x + width > 990) at = {left, at.y + 18};
        svg.rect({at.x, at.y - 9, 11, 11}, colour_of(kind));
        svg.text({at.x + 16, at.y}, text);
        at.x += width;
    }
}

}  // namespace detail

/// Both charts, with title and legend.
inline std::string draw_charts(const NetworkProfile& p) {
    using namespace detail;
    constexpr double width = 1000;
    constexpr Box roofline{80, 156, 880, 380};
    const StepBars bars(p, roofline.bottom() + 100);
    Svg svg(width, bars.bottom() + 44);
    svg.text({30, 36}, p.model + ", step by step", {.size = 20, .colour = "#1f2430", .bold = true});
    svg.text({30, 58},
             number(p.seconds * 1e3, 3) + " ms a run; " + p.isa + ", threads: " +
                 std::to_string(p.threads) + ", median of " + std::to_string(p.runs) +
                 (p.exact ? " runs, without Winograd convolution" : " runs"),
             {.size = 12});
    draw_legend(svg, p, {30, 88});
    svg.text({30, roofline.y - 12}, "Roofline: the size of a dot is the step's time",
             {.size = 13, .colour = "#1f2430", .bold = true});
    svg.text(
        {960, roofline.y - 12},
        "by the definition's multiplications: Winograd's algorithm, which does fewer, may pass "
        "the peak",
        {.size = 9.5, .anchor = "end"});
    Roofline(p, roofline).draw(svg);
    svg.text({30, roofline.bottom() + 66}, "Time of each step",
             {.size = 13, .colour = "#1f2430", .bold = true});
    svg.text(
        {960, roofline.bottom() + 66},
        "% read: the time for reading input, output and weights at the bandwidth of their level",
        {.size = 9.5, .anchor = "end"});
    bars.draw(svg);
    return svg.to_string();
}

}  // namespace bench
