// What programs that draw a network's inside share: the network, its weights and labels by
// options, and the picture as the network sees it.
#pragma once

#include "drawing.hpp"
#include "network_options.hpp"

#include <lumbar/graph/output_stride.hpp>

#include <cmath>
#include <string>

struct PictureNetwork : ChosenNetwork {
    drawing::Font font;

    explicit PictureNetwork(const PictureOptions& o)
        : ChosenNetwork(o), font(drawing::Font::load(o.font)) {
        using namespace lumbar;
        if (font.empty()) {
            Status::raise(Error(Error::Code::argument,
                                o.font.empty() ? "no font is found: install DejaVu "
                                                 "(fonts-dejavu-core), or name one with --font "
                                                 "FILE.ttf"
                                               : o.font + " is no TrueType font"));
        }
        if (o.output_stride > 0) graph = with_output_stride(std::move(graph), o.output_stride);
    }

    lumbar::Image read(const std::string& path) const {
        return lumbar::read_image(path, {.channels = preset.channels, .orient = true});
    }

    lumbar::CompileOptions options() const {
        return {.height = preset.height, .width = preset.width};
    }

    /// What the network sees of a picture, in `side` x `side` pixels.
    lumbar::Image as_seen(const lumbar::Image& picture, int side) const {
        lumbar::Preprocess p = preset.with_size(side);
        p.mean = {0.0f, 0.0f, 0.0f};
        p.std = {1.0f, 1.0f, 1.0f};
        p.divisor = 1.0f;
        p.bgr = false;
        const lumbar::Tensor values = preprocess(picture, p);
        lumbar::Image seen({.height = side, .width = side, .channels = p.channels});
        std::uint8_t* to = seen.data();
        for (int y = 0; y < side; ++y) {
            for (int x = 0; x < side; ++x) {
                for (int c = 0; c < p.channels; ++c) {
                    *to++ = static_cast<std::uint8_t>(std::lround(values(0, c, y, x)));
                }
            }
        }
        return seen;
    }
};

/// Saves, tells so, and throws where that fails.
inline void save(const drawing::Canvas& canvas, const std::string& path) {
    if (!canvas.save_png(path)) {
        lumbar::Status::raise(
            lumbar::Error(lumbar::Error::Code::io, path + ": the file cannot be written"));
    }
    std::printf("%s\n", path.c_str());
    std::fflush(stdout);
}
