#!/usr/bin/env python3
"""Writes data/resize_goldens.hpp: what Pillow's Image.resize makes of small noise pictures.

The pictures come from a linear congruential generator that resize_test.cpp repeats, so only
results are stored: all bytes of a small one, a 64-bit FNV-1a hash of the others.

Run with Pillow and NumPy installed: python3 tests/image/make_resize_goldens.py
"""
import pathlib

import numpy
import PIL
from PIL import Image

FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
# (height, width) of the input, and what it is resized to.
SIZES = [
    ((17, 13), (17, 13)), ((17, 13), (5, 7)), ((17, 13), (1, 1)), ((17, 13), (34, 26)),
    ((17, 13), (40, 9)), ((17, 13), (6, 50)), ((17, 13), (17, 4)), ((17, 13), (3, 13)),
    ((1, 1), (4, 3)), ((1, 64), (1, 17)), ((64, 1), (31, 1)), ((2, 3), (224, 224)),
    ((150, 201), (96, 128)), ((97, 61), (224, 224)), ((120, 90), (7, 89)),
]


def noise(height, width, channels):
    state, values = 1, []
    for _ in range(height * width * channels):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values.append(state >> 24)
    shape = (height, width) if channels == 1 else (height, width, 3)
    return Image.fromarray(numpy.array(values, numpy.uint8).reshape(shape))


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def main():
    lines = [
        f"// Written by make_resize_goldens.py with Pillow {PIL.__version__}.",
        "#pragma once",
        "",
        "#include <cstdint>",
        "",
        "struct ResizeGolden {",
        "    int height, width, channels;",
        "    int to_height, to_width;",
        "    bool bicubic;",
        "    std::uint64_t hash;",
        "};",
        "inline constexpr ResizeGolden kResizeGoldens[] = {",
    ]
    for (height, width), (to_height, to_width) in SIZES:
        for channels in (1, 3):
            for name, pillow_filter in FILTERS.items():
                result = noise(height, width, channels).resize((to_width, to_height), pillow_filter)
                bicubic = "true" if name == "bicubic" else "false"
                lines.append(f"    {{{height}, {width}, {channels}, {to_height}, {to_width}, "
                             f"{bicubic}, 0x{fnv1a(result.tobytes()):016X}u}},")
    lines.append("};")
    for name, pillow_filter in FILTERS.items():
        values = list(noise(17, 13, 1).resize((7, 5), pillow_filter).tobytes())
        lines += ["", "// 13 x 17 grey noise to 7 x 5 pixels.",
                  f"inline constexpr std::uint8_t kSmall{name.capitalize()}[5 * 7] = {{"]
        for row in range(5):
            lines.append("    " + ", ".join(map(str, values[row * 7:row * 7 + 7])) + ",")
        lines.append("};")
    target = pathlib.Path(__file__).parent / "data" / "resize_goldens.hpp"
    target.write_text("\n".join(lines) + "\n")


main()
