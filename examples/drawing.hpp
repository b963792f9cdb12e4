// What the programs draw with: a canvas with text, pictures and colour bars, saved as PNG.
#pragma once

#include <lumbar/image/image.hpp>

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include <stb_image_write.h>
#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_STATIC
#include <stb_truetype.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace drawing {

/// 0xRRGGBB.
using Colour = std::uint32_t;
inline constexpr Colour kInk = 0x202124, kGrey = 0x5f6368, kPaper = 0xffffff;

/// A perceptually uniform colour map: equally distant colours, joined by straight lines.
using ColourMap = std::array<Colour, 17>;
/// viridis, and inferno, by N. J. Smith and S. van der Walt (matplotlib, CC0): every sixteenth of
/// their 256 colours.
inline constexpr ColourMap kViridis{0x440154, 0x48186a, 0x472d7b, 0x424086, 0x3b528b, 0x33638d,
                                    0x2c728e, 0x26818e, 0x21908c, 0x1f9f88, 0x28ae80, 0x3ebc74,
                                    0x5dc963, 0x82d34c, 0xabdc32, 0xd5e21a, 0xfde725};
inline constexpr ColourMap kInferno{0x000004, 0x0b0724, 0x210c4a, 0x3c0965, 0x57106d, 0x70196e,
                                    0x89226a, 0xa32b61, 0xbb3755, 0xd14644, 0xe35932, 0xf1711e,
                                    0xf98d0a, 0xfcab0f, 0xf9ca32, 0xf2e865, 0xfcffa4};

inline int channel(Colour c, int i) { return static_cast<int>(c >> (16 - 8 * i) & 0xff); }

/// From `from` (at 0) to `to` (at 1).
inline Colour mix(Colour from, Colour to, double t) {
    Colour result = 0;
    for (int i = 0; i < 3; ++i) {
        const double v = channel(from, i) + t * (channel(to, i) - channel(from, i));
        result = result << 8 | static_cast<Colour>(std::lround(v));
    }
    return result;
}

/// The colour of t, 0 to 1; what is beyond has the colour of the end, NaN grey.
inline Colour colour_of(const ColourMap& map, double t) {
    if (std::isnan(t)) return 0x808080;
    const double at = std::clamp(t, 0.0, 1.0) * static_cast<double>(map.size() - 1);
    const std::size_t below = std::min(static_cast<std::size_t>(at), map.size() - 2);
    return mix(map[below], map[below + 1], at - static_cast<double>(below));
}

struct Box {
    int x = 0, y = 0, width = 0, height = 0;
};

/// A plane of numbers, and what they are drawn as.
struct Plane {
    const float* values = nullptr;
    int height = 0, width = 0;

    float at(int y, int x) const {
        return values[std::int64_t{std::clamp(y, 0, height - 1)} * width +
                      std::clamp(x, 0, width - 1)];
    }
    /// Between the centres of pixels: bilinear. (y, x) are in units of the plane, 0 to 1.
    double sample(double y, double x) const {
        const double v = y * height - 0.5, u = x * width - 0.5;
        const int y0 = static_cast<int>(std::floor(v)), x0 = static_cast<int>(std::floor(u));
        const double b = v - y0, a = u - x0;
        const auto p = [&](int dy, int dx) { return static_cast<double>(at(y0 + dy, x0 + dx)); };
        return (1 - b) * ((1 - a) * p(0, 0) + a * p(0, 1)) + b * ((1 - a) * p(1, 0) + a * p(1, 1));
    }
    double nearest(double y, double x) const {
        return static_cast<double>(at(static_cast<int>(y * height), static_cast<int>(x * width)));
    }
};

enum class Align { left, centre, right };

struct TextStyle {
    double size = 20;  ///< pixels from the top of a letter to the bottom
    Colour colour = kInk;
    Align align = Align::left;
    double most = 0;  ///< pixels: what would be wider is written smaller; 0: as wide as it comes
};

/// A TrueType font: of a file, or the first of those that systems usually have.
class Font {
   public:
    /// Empty where there is none.
    static Font load(const std::string& path) {
        Font font;
        for (const std::string& candidate : path.empty() ? usual() : std::vector{path}) {
            std::ifstream file(candidate, std::ios::binary);
            font.bytes_.assign(std::istreambuf_iterator<char>(file), {});
            const auto* data = reinterpret_cast<const unsigned char*>(font.bytes_.data());
            const int offset = font.bytes_.size() < 64 ? -1 : stbtt_GetFontOffsetForIndex(data, 0);
            font.valid_ = offset >= 0 && stbtt_InitFont(&font.info_, data, offset) != 0;
            if (font.valid_) break;
        }
        return font;
    }
    Font(Font&&) = default;  // the bytes stay where they are
    Font& operator=(Font&&) = default;

    bool empty() const { return !valid_; }

    /// Calls glyph(codepoint, x) for each letter; returns the width of the text.
    template <class Glyph>
    double walk(std::string_view text, double size, Glyph&& glyph) const {
        const double scale = static_cast<double>(scale_of(size));
        double x = 0;
        int last = 0;
        while (!text.empty()) {
            const int codepoint = next_codepoint(text);
            if (last) x += scale * stbtt_GetCodepointKernAdvance(&info_, last, codepoint);
            glyph(codepoint, x);
            int advance = 0, bearing = 0;
            stbtt_GetCodepointHMetrics(&info_, codepoint, &advance, &bearing);
            x += scale * advance;
            last = codepoint;
        }
        return x;
    }
    double width(std::string_view text, double size) const {
        return walk(text, size, [](int, double) {});
    }
    float scale_of(double size) const {
        return stbtt_ScaleForPixelHeight(&info_, static_cast<float>(size));
    }
    const stbtt_fontinfo& info() const { return info_; }

   private:
    Font() = default;

    static std::vector<std::string> usual() {
        return {"/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
                "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
                "/usr/share/fonts/TTF/DejaVuSans.ttf",
                "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
                "/System/Library/Fonts/Supplemental/Arial.ttf"};
    }

    /// Takes one letter of UTF-8 away; a stray byte is a question mark.
    static int next_codepoint(std::string_view& text) {
        const auto byte = [&](std::size_t i) {
            return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
        };
        const unsigned first = byte(0);
        const std::size_t length = first < 0x80       ? 1
                                   : first >> 5 == 6  ? 2
                                   : first >> 4 == 14 ? 3
                                                      : 0;
        unsigned codepoint = length == 1 ? first : first & (0xffu >> (length + 1));
        for (std::size_t i = 1; i < length; ++i) codepoint = codepoint << 6 | (byte(i) & 0x3f);
        text.remove_prefix(std::clamp<std::size_t>(length, 1, text.size()));
        return length == 0 ? '?' : static_cast<int>(codepoint);
    }

    std::string bytes_;
    stbtt_fontinfo info_{};
    bool valid_ = false;
};

class Canvas {
   public:
    Canvas(int width, int height, const Font& font)
        : image_({.height = height, .width = width, .channels = 3}), font_(&font) {
        fill({0, 0, width, height}, kPaper);
    }

    int width() const { return image_.width(); }
    int height() const { return image_.height(); }

    void set(int x, int y, Colour colour) {
        if (x < 0 || y < 0 || x >= width() || y >= height()) return;
        std::uint8_t* pixel = image_.row(y) + 3 * x;
        for (int i = 0; i < 3; ++i) pixel[i] = static_cast<std::uint8_t>(channel(colour, i));
    }
    Colour get(int x, int y) const {
        const std::uint8_t* pixel = image_.row(y) + 3 * x;
        return static_cast<Colour>(pixel[0] << 16 | pixel[1] << 8 | pixel[2]);
    }

    /// colour(y, x) for every pixel, y and x from 0 to 1 at their centres.
    template <class ColourAt>
    void paint(const Box& box, ColourAt&& colour) {
        for (int y = 0; y < box.height; ++y) {
            for (int x = 0; x < box.width; ++x) {
                set(box.x + x, box.y + y, colour((y + 0.5) / box.height, (x + 0.5) / box.width));
            }
        }
    }
    void fill(const Box& box, Colour colour) {
        paint(box, [&](double, double) { return colour; });
    }
    /// A line of one pixel around the box.
    void frame(const Box& b, Colour colour) {
        fill({b.x - 1, b.y - 1, b.width + 2, 1}, colour);
        fill({b.x - 1, b.y + b.height, b.width + 2, 1}, colour);
        fill({b.x - 1, b.y, 1, b.height}, colour);
        fill({b.x + b.width, b.y, 1, b.height}, colour);
    }
    /// A picture as large as it is.
    void draw(const lumbar::Image& picture, int left, int top) {
        const int channels = picture.channels();
        for (int y = 0; y < picture.height(); ++y) {
            for (int x = 0; x < picture.width(); ++x) {
                const std::uint8_t* p = picture.row(y) + x * channels;
                const auto c = [&](int i) { return static_cast<Colour>(p[channels == 1 ? 0 : i]); };
                set(left + x, top + y, c(0) << 16 | c(1) << 8 | c(2));
            }
        }
    }

    /// Text whose base line is at y.
    void text(int x, int y, std::string_view words, const TextStyle& style = {}) {
        double size = style.size, width = font_->width(words, size);
        if (style.most > 0 && width > style.most) {
            size *= style.most / width;
            width = style.most;
        }
        const double start = x - (style.align == Align::left    ? 0.0
                                  : style.align == Align::right ? width
                                                                : width / 2);
        const float scale = font_->scale_of(size);
        font_->walk(words, size, [&](int codepoint, double at) {
            const double left = start + at, whole = std::floor(left);
            int w = 0, h = 0, dx = 0, dy = 0;
            unsigned char* shades = stbtt_GetCodepointBitmapSubpixel(
                &font_->info(), scale, scale, static_cast<float>(left - whole), 0.0f, codepoint, &w,
                &h, &dx, &dy);
            for (int j = 0; j < h; ++j) {
                for (int i = 0; i < w; ++i) {
                    blend(static_cast<int>(whole) + dx + i, y + dy + j, style.colour,
                          shades[j * w + i] / 255.0);
                }
            }
            stbtt_FreeBitmap(shades, nullptr);
        });
    }

    /// A colour bar, upright where it is higher than wide, with the numbers of its ends.
    void colour_bar(const Box& box, const ColourMap& map, double low, double high,
                    const TextStyle& style) {
        const bool upright = box.height > box.width;
        paint(box, [&](double y, double x) { return colour_of(map, upright ? 1 - y : x); });
        frame(box, kGrey);
        const int size = static_cast<int>(style.size);
        for (int tick = 0; tick <= 2; ++tick) {
            const std::string number = text_of(low + (high - low) * tick / 2);
            TextStyle s = style;
            if (upright) {
                const int y = box.y + box.height - (box.height - 1) * tick / 2;
                fill({box.x + box.width, y - (tick > 0 ? 0 : 1), 5, 1}, kGrey);
                text(box.x + box.width + 10, y + size / 3, number, s);
            } else {
                s.align = tick == 0 ? Align::left : tick == 1 ? Align::centre : Align::right;
                const int x = box.x + (box.width - 1) * tick / 2;
                fill({x, box.y + box.height, 1, 5}, kGrey);
                text(x, box.y + box.height + size + 6, number, s);
            }
        }
    }

    static std::string text_of(double value) {
        char buffer[32];
        std::snprintf(buffer, sizeof buffer, "%.3g", std::abs(value));
        return (value < 0 ? "\u2212" : "") + std::string(buffer);
    }

    bool save_png(const std::string& path) const {
        return stbi_write_png(path.c_str(), width(), height(), 3, image_.data(), 3 * width()) != 0;
    }

   private:
    void blend(int x, int y, Colour colour, double alpha) {
        if (x < 0 || y < 0 || x >= width() || y >= height()) return;
        set(x, y, mix(get(x, y), colour, alpha));
    }

    lumbar::Image image_;
    const Font* font_;
};

}  // namespace drawing
