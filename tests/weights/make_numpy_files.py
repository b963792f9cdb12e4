#!/usr/bin/env python3
"""Writes data/numpy/: archives and arrays for numpy_test.cpp. Needs NumPy.

Element i of every array, in row-major order, is i / 4 - 1 (in integers: i).
"""
import pathlib

import numpy

DATA = pathlib.Path(__file__).parent / "data" / "numpy"


def array(shape, dtype="<f4", order="C"):
    count = int(numpy.prod(shape))
    values = numpy.arange(count).astype(dtype)
    if numpy.dtype(dtype).kind == "f":
        values = (numpy.arange(count) / 4 - 1).astype(dtype)
    return numpy.asarray(values.reshape(shape), order=order)


def main():
    DATA.mkdir(parents=True, exist_ok=True)
    arrays = {
        "conv1.weight": array((4, 3, 2, 2)),
        "conv1.fortran": array((4, 3, 2, 2), order="F"),
        "fc.weight": array((5, 7), "<f8").T.copy().T,  # NumPy stores it in Fortran's order
        "fc.half": array((2, 3), "<f2"),
        "scalar": array(()),
        "empty": array((0, 3)),
        "one": array((3,)),
    }
    for kind in ("<i8", "<i4", "<i2", "i1", "<u8", "<u4", "<u2", "u1", "bool"):
        arrays["whole." + numpy.dtype(kind).name] = array((2, 2), kind)
    numpy.savez(DATA / "stored.npz", **arrays)
    numpy.savez_compressed(DATA / "deflated.npz", **arrays, big=array((100, 100)))
    numpy.save(DATA / "single.npy", array((2, 3)))
    numpy.savez(DATA / "big_endian.npz", w=array((2, 3), ">f4"))
    numpy.savez(DATA / "objects.npz", w=numpy.array([{"a": 1}], dtype=object))
    numpy.savez(DATA / "records.npz", w=numpy.zeros(2, [("a", "<f4"), ("b", "<f4")]))


main()
