#!/usr/bin/env python3
"""Writes data/kinds/: small pictures of the kinds that go wrong elsewhere, and what Pillow sees.

values.txt has a line for each: file, whether it was turned as EXIF says, width, height, and the RGB
values in hexadecimal. Run with Pillow (10.2 or newer) and NumPy installed: python3 tests/image/make_pillow_values.py
"""
import io
import pathlib
import struct

import numpy
from PIL import Image, ImageOps

DATA = pathlib.Path(__file__).parent / "data" / "kinds"
WIDTH, HEIGHT = 9, 7


def exif(orientation, order):
    """A TIFF header with one entry behind a thumbnail-like stranger: little- (<) or big-endian."""
    body = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, 8)
    body += struct.pack(order + "H", 2)
    body += struct.pack(order + "HHII", 0x010E, 2, 4, 0x41414100)
    body += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + body + struct.pack(order + "I", 0)


def main():
    DATA.mkdir(exist_ok=True)
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = numpy.stack([28 * x, 40 * y, 7 * (x + y)], -1).astype(numpy.uint8)
    colour = Image.fromarray(rgb)
    lines = []

    def keep(name, content, turned=False, read=True):
        (DATA / name).write_bytes(content)
        if not read:
            return
        image = Image.open(io.BytesIO(content))
        image = (ImageOps.exif_transpose(image) if turned else image).convert("RGB")
        lines.append(f"{name} {int(turned)} {image.width} {image.height} {image.tobytes().hex()}")

    def save(image, kind, **options):
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    jpeg = {"quality": 97, "subsampling": 0}
    for orientation in range(1, 9):
        order = "<>"[orientation % 2]
        keep(f"turned{orientation}.jpg",
             save(colour, "JPEG", exif=exif(orientation, order), optimize=True, **jpeg), True)
    for orientation in (3, 6):
        keep(f"turned{orientation}.png", save(colour, "PNG", exif=exif(orientation, "<")), True)
    keep("not_turned6.jpg", save(colour, "JPEG", exif=exif(6, "<"), optimize=True, **jpeg))

    cmyk = numpy.dstack([28 * x, 40 * y, 7 * (x + y), 10 * x]).astype(numpy.uint8)
    keep("cmyk.jpg", save(Image.fromarray(cmyk, "CMYK"), "JPEG", **jpeg))
    keep("cmyk_progressive.jpg",
         save(Image.fromarray(cmyk, "CMYK"), "JPEG", progressive=True, **jpeg))
    # Photoshop's: the marker of its own says that the first three are Y, Cb and Cr.
    ycck = save(Image.fromarray(cmyk, "CMYK"), "JPEG", **jpeg)
    marker = ycck.index(b"Adobe") + 11
    keep("ycck.jpg", ycck[:marker] + b"\2" + ycck[marker + 1:])
    keep("restarted.jpg", save(colour, "JPEG", restart_marker_blocks=1, **jpeg))
    # Flat colours: how chroma is enlarged is the decoder's business.
    keep("subsampled.jpg",
         save(Image.new("RGB", (WIDTH, HEIGHT), (200, 90, 40)), "JPEG", quality=97, subsampling=2))
    few = colour.quantize(4, dither=0)
    keep("two_bit_palette.png", save(few, "PNG", bits=2))
    keep("four_bit_palette.png", save(colour.quantize(16, dither=0), "PNG", bits=4))
    frames = [colour, colour.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    keep("animated.png", save(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    alpha = Image.fromarray(numpy.dstack([rgb, 255 - 20 * x]).astype(numpy.uint8))
    keep("alpha.png", save(alpha, "PNG"))  # dropped, not composited

    # Kinds that are not read.
    small = colour.resize((2, 2))
    keep("animated.gif", save(small, "GIF", save_all=True, append_images=[small.rotate(90)]),
         read=False)
    keep("picture.tif", save(small, "TIFF"), read=False)
    keep("picture.webp", save(small, "WEBP"), read=False)
    (DATA / "values.txt").write_text("\n".join(lines) + "\n")


main()
