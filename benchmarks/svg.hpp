// Drawings as SVG, written by hand: a document that takes shapes and texts, and the axes of charts.
#pragma once

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace bench {

struct Point {
    double x = 0;
    double y = 0;
};

/// A rectangle; y grows downwards.
struct Box {
    double x = 0;
    double y = 0;
    double w = 0;
    double h = 0;

    double right() const { return x + w; }
    double bottom() const { return y + h; }
    bool overlaps(const Box& o) const {
        return x < o.right() && o.x < right() && y < o.bottom() && o.y < bottom();
    }
};

struct Stroke {
    const char* colour = "#e2e5ea";
    double width = 1;
    const char* dashes = "";  ///< lengths of dashes and gaps; empty: a full line
};

struct TextStyle {
    double size = 11;
    const char* anchor = "start";  ///< start, middle or end: which part of it lies at the point
    const char* colour = "#3b4252";
    bool bold = false;
    double angle = 0;  ///< degrees, clockwise
    bool rim = false;  ///< of white, for texts above lines and dots
};

/// A number with so many digits after the point.
inline std::string fixed(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}
/// The same without zeros at its end.
inline std::string number(double value, int digits) {
    std::string s = fixed(value, digits);
    if (s.find('.') == std::string::npos) return s;
    while (s.back() == '0') s.pop_back();
    if (s.back() == '.') s.pop_back();
    return s == "-0" ? "0" : s;
}

/// A drawing. Every shape may have a tip, which viewers show under the pointer.
class Svg {
   public:
    Svg(double width, double height) : width_(width), height_(height) {}

    void rect(const Box& b, const std::string& fill, const std::string& tip = "") {
        shape("rect",
              attribute("x", b.x) + attribute("y", b.y) + attribute("width", b.w) +
                  attribute("height", b.h) + attribute("fill", fill),
              tip);
    }
    void circle(const Point& centre, double radius, const std::string& fill,
                const std::string& tip = "") {
        shape("circle",
              attribute("cx", centre.x) + attribute("cy", centre.y) + attribute("r", radius) +
                  attribute("fill", fill) + " fill-opacity=\"0.7\" stroke=\"#fff\"" +
                  attribute("stroke-width", 0.7),
              tip);
    }
    void line(const Point& from, const Point& to, const Stroke& s) {
        std::string a = attribute("x1", from.x) + attribute("y1", from.y) + attribute("x2", to.x) +
                        attribute("y2", to.y) + attribute("stroke", s.colour) +
                        attribute("stroke-width", s.width);
        if (*s.dashes) a += attribute("stroke-dasharray", s.dashes);
        shape("line", a, "");
    }
    void text(const Point& at, const std::string& what, const TextStyle& s = {}) {
        std::string a = attribute("x", at.x) + attribute("y", at.y) +
                        attribute("font-size", s.size) + attribute("fill", s.colour) +
                        attribute("text-anchor", s.anchor);
        if (s.bold) a += attribute("font-weight", "bold");
        if (s.rim) a += " stroke=\"#fff\" stroke-width=\"2.5\" paint-order=\"stroke\"";
        if (s.angle != 0) {
            a += attribute("transform", "rotate(" + number(s.angle, 1) + " " + number(at.x, 1) +
                                            " " + number(at.y, 1) + ")");
        }
        body_ += "<text" + a + ">" + escaped(what) + "</text>\n";
    }

    /// The whole file.
    std::string to_string() const {
        const std::string size = number(width_, 1) + " " + number(height_, 1);
        return "<svg xmlns=\"http://www.w3.org/2000/svg\"" + attribute("width", width_) +
               attribute("height", height_) + attribute("viewBox", "0 0 " + size) +
               " font-family=\"DejaVu Sans, Verdana, sans-serif\">\n" +
               "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" + body_ + "</svg>\n";
    }

    /// About how wide a text is, in a usual sans-serif.
    static double text_width(const std::string& what, double size) {
        return 0.57 * size * static_cast<double>(what.size());
    }

   private:
    static std::string escaped(const std::string& what) {
        std::string to;
        for (const char c : what) {
            if (c == '&') {
                to += "&amp;";
            } else if (c == '<') {
                to += "&lt;";
            } else if (c == '>') {
                to += "&gt;";
            } else if (c == '"') {
                to += "&quot;";
            } else {
                to += c;
            }
        }
        return to;
    }
    static std::string attribute(const char* name, const std::string& value) {
        return std::string(" ") + name + "=\"" + escaped(value) + "\"";
    }
    static std::string attribute(const char* name, double value) {
        return attribute(name, number(value, 2));
    }
    void shape(const char* element, const std::string& attributes, const std::string& tip) {
        body_ += std::string("<") + element + attributes;
        body_ += tip.empty() ? "/>\n" : "><title>" + escaped(tip) + "</title></" + element + ">\n";
    }

    double width_;
    double height_;
    std::string body_;
};

/// An axis along which equal factors take equal room, from pixel `first` to pixel `last`.
struct LogAxis {
    double low = 1;
    double high = 10;
    double first = 0;
    double last = 1;

    double at(double value) const {
        return first + (last - first) * std::log(value / low) / std::log(high / low);
    }
    bool has(double value) const { return value >= low && value <= high; }

    struct Tick {
        double value = 0;
        bool labelled = false;  ///< a power of ten; on a short axis 2 and 5 times one too
    };
    std::vector<Tick> ticks() const {
        std::vector<Tick> result;
        const bool is_short = high < 200 * low;
        for (int e = static_cast<int>(std::floor(std::log10(low))); std::pow(10, e) <= high; ++e) {
            for (int digit = 1; digit < 10; ++digit) {
                const double value = digit * std::pow(10, e);
                const bool labelled = digit == 1 || (is_short && (digit == 2 || digit == 5));
                if (has(value)) result.push_back({value, labelled});
            }
        }
        return result;
    }
};

/// An axis from 0 to `high`.
struct LinearAxis {
    double high = 1;
    double first = 0;
    double last = 1;

    double at(double value) const { return first + (last - first) * value / high; }

    /// The round distance (1, 2 or 5 times a power of ten) that gives at most `most` ticks.
    double step(int most) const {
        const double least = high / most, power = std::pow(10, std::floor(std::log10(least)));
        for (const double factor : {1.0, 2.0, 5.0}) {
            if (factor * power >= least) return factor * power;
        }
        return 10 * power;
    }
};

}  // namespace bench
