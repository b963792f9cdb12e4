#!/usr/bin/env python3
"""Writes the small pictures of data/ that read_test.cpp decodes.

They show one picture of 9 x 7 pixels: r = 28 x, g = 40 y, b = 7 (x + y); or grey 10 x + 20 y.
Run with Pillow and NumPy installed: python3 tests/image/make_test_images.py
"""
import pathlib
import struct
import zlib

import numpy
from PIL import Image

DATA = pathlib.Path(__file__).parent / "data"
WIDTH, HEIGHT = 9, 7


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(ihdr_tail, rows, width=WIDTH, height=HEIGHT):
    """A PNG from its rows, each with its filter byte."""
    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">II", width, height) + bytes(ihdr_tail))
            + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def adam7(pixels):
    """Interlaced rows, since Pillow writes none."""
    rows = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                           (1, 0, 2, 2), (0, 1, 1, 2)]:
        part = pixels[y0::dy, x0::dx]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    return rows


def main():
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = numpy.stack([28 * x, 40 * y, 7 * (x + y)], -1).astype(numpy.uint8)
    grey = (10 * x + 20 * y).astype(numpy.uint8)
    alpha = (255 - 20 * x).astype(numpy.uint8)
    colour = Image.fromarray(rgb)

    colour.save(DATA / "rgb.png")
    Image.fromarray(grey).save(DATA / "grey.png")
    Image.fromarray(numpy.dstack([rgb, alpha])).save(DATA / "rgba.png")
    Image.fromarray(numpy.dstack([grey, alpha]), "LA").save(DATA / "grey_alpha.png")
    palette = colour.quantize(64, dither=0)
    assert numpy.array_equal(numpy.asarray(palette.convert("RGB")), rgb)
    palette.save(DATA / "palette.png")
    palette.save(DATA / "palette_transparent.png", transparency=3)
    Image.fromarray((x + y) % 2 == 0).save(DATA / "one_bit.png")
    # The lower bytes must not matter.
    wide = (rgb.astype(numpy.uint16) << 8) + 77
    (DATA / "rgb16.png").write_bytes(
        png([16, 2, 0, 0, 0], b"".join(b"\0" + r.tobytes() for r in wide.astype(">u2"))))
    (DATA / "interlaced.png").write_bytes(png([8, 2, 0, 0, 1], adam7(rgb)))
    # 3 x 2 pixels that inflate to 4 MiB.
    (DATA / "bomb.png").write_bytes(png([8, 0, 0, 0, 0], bytes(1 << 22), 3, 2))

    colour.save(DATA / "rgb.bmp")
    palette.save(DATA / "palette.bmp")
    colour.save(DATA / "rgb.ppm")
    Image.fromarray(grey).save(DATA / "grey.pgm")

    colour.save(DATA / "rgb.jpg", quality=97, subsampling=0, optimize=True)
    colour.save(DATA / "progressive.jpg", quality=97, subsampling=0, progressive=True)
    Image.fromarray(grey).save(DATA / "grey.jpg", quality=97, optimize=True)


main()
