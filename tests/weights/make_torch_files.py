#!/usr/bin/env python3
"""Writes the .pth files in data/, with PyTorch 1.13, and index.txt: what torch.load finds in them.

    python3 make_torch_files.py

A line of the index: file, tensor, type, shape ('-' for a scalar), CRC-32 of the elements' bytes in
row-major order. Files that PyTorch itself no longer writes (from Python 2, tar archives, records in
another order) are put together here and confirmed by torch.load; refused/ has files that only
Python should open.
"""
import collections
import io
import pathlib
import pickle
import struct
import tarfile
import zipfile
import zlib

import torch

torch.manual_seed(7)
DATA = pathlib.Path(__file__).resolve().parent / "data"
TYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
         torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
         torch.uint8: "U8", torch.bool: "BOOL"}


def types():
    """Every type of element; numbers that are hard to get right; a scalar and nothing."""
    hard = torch.tensor([1.0, -2.5, 0.0, -0.0, 65504.0, 6e-8, float("inf"), float("nan")])
    state = collections.OrderedDict()
    for dtype, name in TYPES.items():
        values = hard if dtype.is_floating_point else torch.tensor([1, 0, 2, 3])
        state[f"types.{name.lower()}"] = values.to(dtype)
    state["types.large"] = torch.tensor([1e300, -1e-300], dtype=torch.float64)
    state["scalar"] = torch.tensor(3.5)
    state["empty"] = torch.zeros(2, 0, 3)
    state["bn.num_batches_tracked"] = torch.tensor(12)
    return state


def views():
    """Storages that tensors share, or see in other orders than their own."""
    base = torch.randn(4, 3, 3, 2)
    return {
        "base": base,
        "part": base[1:3],
        "column": base[:, 1],
        "transposed": torch.randn(5, 3).t(),
        "channels_last": torch.randn(4, 3, 3, 2).to(memory_format=torch.channels_last),
        "expanded": torch.tensor([1.0, 2.0]).reshape(2, 1).expand(2, 3),
        "half": torch.randn(6, 4).half()[::2, 1:3],
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "of_parameter": torch.nn.Parameter(torch.randn(3, 2)).t(),
    }


def wrapped():
    """What training scripts save: the network, under DataParallel's names, among other things."""
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.randn(1, 2, 4, 4)).sum().backward()
    sgd.step()
    return {"epoch": 3, "arch": "tiny", "best": 0.25, "done": False, "nothing": None, "big": 1 << 80,
            "state_dict": torch.nn.DataParallel(net).state_dict(), "optimizer": sgd.state_dict()}


def save_in_parts(name, content):
    torch.save(content, DATA / f"zip_{name}.pth")
    torch.save(content, DATA / f"legacy_{name}.pth", _use_new_zipfile_serialization=False)


def reorder(source, target):
    """As torch 2.7 and later: the version first, more records, and sizes before the data."""
    old = zipfile.ZipFile(source)
    with zipfile.ZipFile(target, "w") as new:
        def add(name, content):
            with new.open(zipfile.ZipInfo(f"archive/{name}"), "w", force_zip64=True) as entry:
                entry.write(content)
        add(".format_version", b"1")
        add(".storage_alignment", b"64")
        add("byteorder", b"little")
        add("version", b"3\n")
        for info in reversed(old.infolist()):
            name = info.filename.split("/", 1)[1]
            if name != "version":
                add(name, old.read(info))
        add(".data/serialization_id", b"0" * 40)


# ---------------------------------------------------------------- pickles of Python 2
class Raw:
    """A value that is written as these bytes."""
    def __init__(self, code):
        self.code = code


def py2(value):
    """`value` as Python 2's cPickle writes it with protocol 2: texts are byte strings."""
    if isinstance(value, Raw):
        return value.code
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        if 0 <= value < 256:
            return b"K" + struct.pack("<B", value)
        if -2**31 <= value < 2**31:
            return b"J" + struct.pack("<i", value)
        long = pickle.encode_long(value)
        return b"\x8a" + struct.pack("<B", len(long)) + long
    if isinstance(value, str):
        return b"U" + struct.pack("<B", len(value)) + value.encode()
    if isinstance(value, tuple):
        return b"(" + b"".join(map(py2, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(py2, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(py2(k) + py2(v) for k, v in value.items()) + b"u"
    raise TypeError(value)


def py2_pickle(value):
    return b"\x80\x02" + py2(value) + b"."


def name(module, attribute):
    return Raw(f"c{module}\n{attribute}\n".encode())


def call(function, *arguments):
    return Raw(function.code + py2(tuple(arguments)) + b"R")


def persistent(key):
    return Raw(py2(key) + b"Q")


def ordered_dict(pairs):
    return call(name("collections", "OrderedDict"), [list(pair) for pair in pairs])


def old_parameter(tensor):
    """A Parameter as of 0.1: its state is (data, gradient, hooks, requires_grad, volatile)."""
    state = py2((tensor, None, ordered_dict([]), True, False))
    return Raw(name("torch.nn.parameter", "Parameter").code + b")\x81" + state + b"b")


FLOATS = struct.pack("<12f", *range(12))
DOUBLES = struct.pack("<4d", 0.5, -1.5, 2.5, 1e-3)


def legacy_python2():
    """Tensors that have parts of a storage for their own, as before 0.4."""
    def storage(kind, key, count, view):
        return persistent(("storage", name("torch", kind + "Storage"), key, "cpu", count, view))

    def tensor(of, offset, shape, strides):
        return call(name("torch._utils", "_rebuild_tensor"), of, offset, shape, strides)

    content = ordered_dict([
        ("whole", tensor(storage("Float", "94100", 12, None), 0, (3, 4), (4, 1))),
        ("view", tensor(storage("Float", "94100", 12, ("94200", 4, 8)), 2, (2, 3), (3, 1))),
        ("of_view", tensor(storage("Float", "94100", 12, ("94200", 4, 8)), 0, (2, 2), (1, 4))),
        ("double", old_parameter(tensor(storage("Double", "94300", 4, None), 0, (4,), (1,)))),
    ])
    system = {"protocol_version": 1001, "little_endian": True,
              "type_sizes": {"short": 2, "int": 4, "long": 8}}
    out = py2_pickle(0x1950a86a20f9469cfc6c) + py2_pickle(1001) + py2_pickle(system)
    out += py2_pickle(content) + py2_pickle(["94100", "94300"])
    out += struct.pack("<q", 12) + FLOATS + struct.pack("<q", 4) + DOUBLES
    (DATA / "legacy_python2.pth").write_bytes(out)


def tar_file(file, keys, format):
    """The tar archives of 0.1: keys are addresses in memory."""
    def storage(key, kind, count, raw):
        return py2_pickle((key, "cpu", name("torch", kind + "Storage"))) + struct.pack("<q", count) + raw

    def tensor(key, of, kind, shape, strides, offset):
        rank = len(shape)
        return (py2_pickle((key, of, name("torch", kind + "Tensor"))) + struct.pack("<ii", rank, 0x55)
                + struct.pack(f"<{2 * rank}q", *shape, *strides) + struct.pack("<q", offset))

    floats, doubles, view, a, b, c, d = keys
    members = {
        "sys_info": py2_pickle({"protocol_version": 1000, "little_endian": True}),
        "storages": py2_pickle(2) + storage(floats, "Float", 12, FLOATS)
                    + storage(doubles, "Double", 4, DOUBLES) + py2_pickle([(view, floats, 4, 8)]),
        "tensors": py2_pickle(4) + tensor(a, floats, "Float", (3, 4), (4, 1), 0)
                   + tensor(b, view, "Float", (2, 3), (3, 1), 2)
                   + tensor(c, floats, "Float", (4, 3), (1, 4), 0)
                   + tensor(d, doubles, "Double", (4,), (1,), 0),
        "pickle": py2_pickle(ordered_dict([("whole", persistent(a)), ("view", persistent(b)),
                                           ("transposed", persistent(c)),
                                           ("double", old_parameter(persistent(d)))])),
    }
    with tarfile.open(DATA / file, "w:", format=format) as tar:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            info.mtime = 1.5  # which pax puts into a member of its own
            tar.addfile(info, io.BytesIO(content))
    # Without the padding of tarfile's records.
    content = (DATA / file).read_bytes().rstrip(b"\0")
    (DATA / file).write_bytes(content + bytes(-len(content) % 512 + 1024))


def refused():
    folder = DATA / "refused"
    folder.mkdir(exist_ok=True)
    linear = torch.nn.Linear(2, 1)
    torch.save(linear, folder / "module_zip.pth")
    torch.save(linear, folder / "module_legacy.pth", _use_new_zipfile_serialization=False)
    torch.jit.script(linear).save(str(folder / "torchscript.pt"))
    quantised = torch.quantize_per_tensor(torch.ones(2), 0.5, 0, torch.qint8)
    torch.save({"w": quantised}, folder / "quantised.pth")
    torch.save({"w": torch.eye(2).to_sparse()}, folder / "sparse.pth")
    torch.save({"w": torch.ones(2)}, folder / "protocol4.pth", pickle_protocol=4)
    torch.save([torch.ones(2)], folder / "list.pth")
    torch.save({"epoch": 3, "lr": 0.5}, folder / "no_tensors.pth")
    with zipfile.ZipFile(DATA / "zip_types.pth") as old, \
            zipfile.ZipFile(folder / "deflated.pth", "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))


def unwrap(content):
    for key in ("state_dict", "model"):
        content = content.get(key, content) if isinstance(content, dict) else content
    return content


def index():
    lines = []
    for path in sorted(DATA.glob("*.pth")):
        for key, value in unwrap(torch.load(path)).items():
            value = value.detach().contiguous()
            raw = value.reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b""
            shape = ",".join(map(str, value.shape)) or "-"
            key = key[len("module."):] if key.startswith("module.") else key
            lines.append(f"{path.name} {key} {TYPES[value.dtype]} {shape} {zlib.crc32(raw):08x}\n")
    (DATA / "index.txt").write_text("".join(lines))


def main():
    DATA.mkdir(exist_ok=True)
    for name, content in (("types", types()), ("views", views()), ("wrapped", wrapped())):
        save_in_parts(name, content)
    torch.save({"model": {"w": torch.ones(2)}}, DATA / "zip_model.pth")
    reorder(DATA / "zip_views.pth", DATA / "zip_reordered.pth")
    legacy_python2()
    tar_file("tar_pax.pth", range(1, 8), tarfile.PAX_FORMAT)
    tar_file("tar_python2.pth", [94_000_000_000_000 + 16 * i for i in range(7)], tarfile.USTAR_FORMAT)
    refused()
    index()


if __name__ == "__main__":
    main()
