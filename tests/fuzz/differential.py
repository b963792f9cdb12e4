#!/usr/bin/env python3
"""Changes files of torch.save and safetensors, and compares what PyTorch finds in them with what
Lumbar does: a file that both accept must have the same names, types, shapes and bytes for both.

    python3 differential.py LIST_TENSORS [--mutations N] [--seed S] [--keep FOLDER]

LIST_TENSORS is the program of list_tensors.cpp. PyTorch reads with weights_only, so nothing in a
file is run. Exit code 1 where the two disagree (the files go to FOLDER), 77 without PyTorch.
"""
import argparse
import collections
import io
import json
import os
import pathlib
import pickletools
import random
import struct
import subprocess
import sys
import warnings
import zipfile

try:
    import torch
except ImportError as missing:
    print(f"skipped: {missing} (python3-torch)")
    sys.exit(77)
try:
    import safetensors.torch
except ImportError as missing:
    safetensors = None
    print(f"without safetensors files: {missing}")

warnings.simplefilter("ignore")
DATA = pathlib.Path(__file__).resolve().parents[1] / "weights" / "data"
TYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
         torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
         torch.uint8: "U8", torch.bool: "BOOL", torch.complex64: "C64"}


# ---------------------------------------------------------------- what the two find
def tensors_of(content):
    """The tensors by name, as Lumbar documents that it finds them in what torch.load returns."""
    if not isinstance(content, dict):
        return None
    usual = ("state_dict", "model_state_dict", "model_state", "model", "net", "params")
    inner = [v for k, v in content.items() if isinstance(k, str) and k in usual and isinstance(v, dict)]
    content = inner[0] if inner else content
    found = {k: v for k, v in content.items()
             if isinstance(v, (torch.Tensor, torch.storage.TypedStorage))}
    for prefix in ("module.", "_orig_mod.", "module."):
        if all(isinstance(k, str) and k.startswith(prefix) for k in found):
            found = {k[len(prefix):]: v for k, v in found.items()}
    return found


def line(name, value):
    """As list_tensors writes it."""
    if isinstance(value, torch.storage.TypedStorage):
        value = torch.tensor([], dtype=value.dtype).set_(value)
    name = name.encode("utf-8", "surrogatepass") if isinstance(name, str) else repr(name).encode()
    dtype = TYPES.get(value.dtype, value.dtype)
    if value.dtype == torch.bool:  # whose bytes a copy makes 0 or 1
        value = value.view(torch.uint8)
    raw = torch.empty(value.numel(), dtype=value.dtype)
    raw.copy_(value.detach().reshape(-1))
    raw = raw.view(torch.uint8).numpy().tobytes() if len(raw) else b""
    shape = "x".join(map(str, value.shape))
    return f"{name.hex() or '-'} {dtype} {shape or '-'} {raw.hex() or '-'}"


def by_torch(file):
    """The tensors by name, or the exception that refuses the file."""
    try:
        if file[:2] == b"PK" or file[:2] == b"\x80\x02":
            found = tensors_of(torch.load(io.BytesIO(file), map_location="cpu", weights_only=True))
        else:
            found = safetensors.torch.load(file)
    except Exception as refusal:  # whatever the bytes made of it
        return refusal
    return ValueError("no dict") if found is None else found


class Lumbar:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, file):
        self.process.stdin.write(struct.pack("<I", len(file)) + file)
        self.process.stdin.flush()
        first = self.process.stdout.readline().decode("utf-8", "replace").rstrip("\n")
        if not first:
            raise SystemExit(f"FAILED: list_tensors ended with {self.process.wait()}")
        if first.startswith("refused"):
            return ValueError(first)
        return {self.process.stdout.readline().decode().rstrip("\n") for _ in range(int(first))}


# ---------------------------------------------------------------- changes of bytes
def change_bytes(rng, data, spare):
    """One to three changes: bits, bytes, a piece gone, twice, cut off, or from `spare`."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        length = rng.choice((1, 1, 2, 4, 8, rng.randrange(1, 65)))
        how = rng.randrange(8)
        if how < 3 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif how < 5 and at < len(data):
            data[at] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif how == 5:
            begin = rng.randrange(len(spare) + 1)
            piece = spare[begin:begin + length]
            data[at:at + len(piece) * rng.randrange(2)] = piece
        elif how == 6:
            del data[at:at + length]
        elif rng.randrange(4) == 0:
            del data[at:]
    return bytes(data)


# ---------------------------------------------------------------- pickles
INTEGERS = b"KMJ\x8a"
STORAGES = ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool",
            "ComplexFloat")
SIZES = dict(zip(STORAGES, (4, 2, 2, 8, 8, 4, 2, 1, 1, 1, 8)))


def name_code(module, name):
    return f"c{module}\n{name}\n".encode()


GLOBALS = [name_code("collections", "OrderedDict"), name_code("torch.nn.parameter", "Parameter"),
           name_code("torch", "Size"), name_code("torch", "Tensor"), name_code("torch", "FloatTensor"),
           name_code("torch", "UntypedStorage"), name_code("torch.storage", "UntypedStorage"),
           name_code("torch", "float32")]
GLOBALS += [name_code("torch._utils", "_rebuild_" + n) for n in ("tensor", "tensor_v2", "parameter")]
GLOBALS += [name_code("torch", kind + "Storage") for kind in STORAGES]


def integer_code(rng, value):
    codes = [b"\x8a\x08" + struct.pack("<q", value)] if -2**63 <= value < 2**63 else []
    if -2**31 <= value < 2**31:
        codes += [b"J" + struct.pack("<i", value)] * 2
    if 0 <= value < 256:
        codes += [b"K" + struct.pack("<B", value)] * 4
    if 0 <= value < 65536:
        codes += [b"M" + struct.pack("<H", value)] * 2
    return rng.choice(codes or [b"K\0"])


def operations(pickle):
    """The bytes of each operation."""
    places = [position for _, _, position in pickletools.genops(pickle)] + [len(pickle)]
    return [pickle[a:b] for a, b in zip(places, places[1:])]


def without_floats(pickle):
    """The pickle with None for floating-point numbers, which PyTorch 1.13 does not read so."""
    return b"".join(b"N" if op[:1] == b"G" else op for op in operations(pickle))


def change_operations(rng, ops, pool):
    ops = list(ops)
    for _ in range(rng.choice((1, 1, 2, 3))):
        integers = [i for i, op in enumerate(ops) if op[:1] in INTEGERS]
        texts = [i for i, op in enumerate(ops) if op[:1] in b"XU"]
        names = [i for i, op in enumerate(ops) if op[:1] == b"c"]
        at = rng.randrange(len(ops))
        how = rng.randrange(12)
        if how < 3 and integers:  # sizes, strides, offsets, counts
            at = rng.choice(integers)
            old = next(pickletools.genops(ops[at] + b"."))[1]
            new = rng.choice((0, 1, 2, 3, 4, old + 1, old - 1, 2 * old, old // 2, -1, 2**31, 2**62))
            ops[at] = integer_code(rng, new)
        elif how < 6 and len(integers) > 1:
            i = rng.randrange(len(integers) - 1)
            j = min(i + rng.randrange(1, 6), len(integers) - 1)
            a, b = integers[i], integers[j]
            ops[a], ops[b] = ops[b], ops[a]
        elif how == 6 and texts:
            ops[rng.choice(texts)] = ops[rng.choice(texts)]
        elif how == 7 and names:
            ops[rng.choice(names)] = rng.choice(GLOBALS)
        elif how == 8:
            del ops[at:at + rng.choice((1, 1, 2, 5))]
        elif how == 9:
            begin = rng.randrange(len(ops))
            ops[at:at] = ops[begin:begin + rng.choice((1, 1, 2, 5, 20))]
        elif how == 10:
            begin = rng.randrange(len(pool))
            ops[at:at + rng.randrange(2)] = pool[begin:begin + rng.choice((1, 1, 3))]
        elif ops:
            other = rng.randrange(len(ops))
            ops[at], ops[other] = ops[other], ops[at]
        if not ops:
            ops = [b"."]
    return b"".join(ops)


class Assembler:
    """Writes pickles of state dicts that torch.save could have written, or nearly."""

    def __init__(self, rng, legacy):
        self.rng, self.legacy = rng, legacy
        self.storages = {}
        for i in range(rng.randrange(1, 4)):
            key = rng.choice((str(i), str(94000 + i)))
            kind = rng.choice(STORAGES if rng.randrange(3) == 0 else ("Float", "Half", "Long"))
            count = rng.choice((0, 1, 4, 12, 24, 36))
            self.storages[key] = (kind, count, rng.randbytes(count * SIZES[kind]) if kind != "Bool"
                                  else bytes(rng.randrange(2) for _ in range(count)))
        self.used = set()
        self.views = 0

    def rare(self, times=40):
        return self.rng.randrange(times) == 0

    def text(self, value):
        value = value.encode()
        if self.rare(8):
            return b"U" + struct.pack("<B", len(value)) + value
        return b"X" + struct.pack("<I", len(value)) + value

    def integer(self, value):
        if self.rare(100):
            value = self.rng.choice((value + 1, value - 1, 0, -1, 2 * value, 2**40))
        return integer_code(self.rng, value)

    def tuple(self, items):
        if 1 <= len(items) <= 3 and self.rng.randrange(2):
            return b"".join(items) + b"\x85\x86\x87"[len(items) - 1:len(items)]
        return b")" if not items else b"(" + b"".join(items) + b"t"

    def name(self, module, attribute):
        return name_code(module, attribute)

    def with_memo(self, pickle):
        """The pickle with names, and what p and g mark, remembered and recalled as in savers' ones."""
        memo, out = {}, []
        for op in operations(pickle):
            what = op[1:] if op[:1] in b"pg" else op
            if op[:1] == b"g":
                out.append(b"h" + bytes([memo[what]]))
            elif op[:1] == b"c" and what in memo and not self.rare(4):
                out.append(b"h" + bytes([memo[what]]))
            elif op[:1] in b"cp" and len(memo) < 250:
                memo.setdefault(what, len(memo))
                out.append((op if op[:1] == b"c" else b"") + b"q" + bytes([memo[what]]))
            else:
                out.append(op)
        return b"".join(out)

    def storage(self, key):
        """The code of a storage, or in legacy files of a part, and its number of elements."""
        kind, count, _ = self.storages[key]
        self.used.add(key)
        if self.rare(100):
            kind = self.rng.choice(STORAGES)
        code = [self.text("storage"), self.name("torch", kind + "Storage"), self.text(key),
                self.text(self.rng.choice(("cpu", "cpu", "cuda:0"))), self.integer(count)]
        if self.legacy:
            if self.rng.randrange(3) or count == 0:
                code.append(b"N")
            else:
                begin = self.rng.randrange(count)
                count = self.rng.randrange(count - begin + 1)
                view = self.views
                if self.rare(10):  # perhaps one that was there already
                    view = self.rng.randrange(view + 1)
                self.views = max(self.views, view + 1)
                code.append(self.tuple([self.text(str(90000 + view)), self.integer(begin),
                                        self.integer(count)]))
        return self.tuple(code) + b"Q", count

    def shape(self, count):
        """A shape, strides and an offset, of a part of `count` elements in some order."""
        rng = self.rng
        rank = rng.randrange(5)
        shape = [rng.choice((1, 1, 2, 3, 4, 0 if self.rare(8) else 2)) for _ in range(rank)]
        strides, step = [0] * rank, 1
        order = list(range(rank))[::-1]
        if rng.randrange(2):
            rng.shuffle(order)
        for axis in order:
            strides[axis] = step
            step *= max(shape[axis], 1)
            if self.rare(8):
                step += rng.randrange(3)
            if self.rare(8):
                strides[axis] = rng.choice((0, 1, 2, 3))
        reach = 1 + sum((n - 1) * s for n, s in zip(shape, strides)) if 0 not in shape else 0
        if reach > count and not self.rare():
            return [count], [1], 0
        return shape, strides, rng.randrange(max(count - reach, 0) + 1)

    def tensor(self):
        rng = self.rng
        key = rng.choice(list(self.storages))
        storage, count = self.storage(key)
        shape, strides, offset = self.shape(count)
        code = [storage, self.integer(offset),
                self.tuple([self.integer(n) for n in shape]),
                self.tuple([self.integer(n) for n in strides])]
        if self.rare(20):  # a list, or torch.Size
            code[2] = rng.choice((b"](" + b"".join(self.integer(n) for n in shape) + b"e",
                                  self.name("torch", "Size") + self.tuple([code[2]]) + b"R"))
        how = "_rebuild_tensor"
        if rng.randrange(4):
            how = "_rebuild_tensor_v2"
            code += [b"\x89", self.name("collections", "OrderedDict") + b")R"]
        code = self.name("torch._utils", how) + self.tuple(code) + b"R"
        wrap = rng.randrange(12)
        if wrap < 2:
            code = (self.name("torch._utils", "_rebuild_parameter")
                    + self.tuple([code, b"\x89", self.name("collections", "OrderedDict") + b")R"]) + b"R")
        elif wrap == 2:
            state = [code, b"N", self.name("collections", "OrderedDict") + b")R", b"\x89", b"\x89"]
            given = self.tuple([self.tensor()] if self.rare(4) else [])
            code = (self.name("torch.nn.parameter", "Parameter") + given + rng.choice((b"\x81", b"R"))
                    + self.tuple(state) + b"b")
        elif wrap == 3 and self.rare(4):
            code = storage
        return code

    def anything(self):
        rng = self.rng
        return rng.choice((b"N", b"\x88", b"]", b"}", b")", self.integer(rng.randrange(300)),
                           b"G" + rng.randbytes(8), self.text("text"),
                           self.name("torch", "Size") + self.tuple([self.tuple([self.integer(2)])]) + b"R",
                           self.name("torch", "FloatTensor") + b")R", self.name("torch", "float32"),
                           self.name("torch.nn.parameter", "Parameter") + b")R"))

    def dict(self, pairs):
        rng = self.rng
        how = rng.randrange(4)
        if how == 0:
            code = b"".join(b"](" + k + v + b"e" for k, v in pairs)
            return self.name("collections", "OrderedDict") + b"](" + code + b"e\x85R"
        begin = b"}" if how == 1 else self.name("collections", "OrderedDict") + b")R"
        if how == 2:
            return begin + b"".join(k + v + b"s" for k, v in pairs)
        return begin + b"(" + b"".join(k + v for k, v in pairs) + b"u"

    def state_dict(self):
        rng = self.rng
        prefix = rng.choice(("", "", "module.", "_orig_mod.", "module._orig_mod.", "module.module."))
        pairs = []
        for i in range(rng.randrange(1, 6)):
            key = rng.choice((f"{prefix}layer{i}.weight", f"{prefix}{i}", "same" if self.rare(8) else f"b{i}"))
            pairs.append((self.text(key), self.anything() if self.rare(12) else self.tensor()))
            if self.rare(8):  # the same once more
                mark = str(i).encode() + b"\n"
                pairs[-1] = (pairs[-1][0], pairs[-1][1] + b"p" + mark)
                pairs.append((self.text(key + "_tied"), b"g" + mark))
        code = self.dict(pairs)
        if rng.randrange(4) == 0:
            usual = ("state_dict", "model_state_dict", "model", "net", "params", "other")
            pairs = [(self.text("epoch"), self.anything()), (self.text(rng.choice(usual)), code)]
            if self.rare(4):
                pairs.append((self.text(rng.choice(usual)), self.dict([(self.text("x"), self.tensor())])))
            rng.shuffle(pairs)
            code = self.dict(pairs)
        return self.with_memo(b"\x80\x02" + code + b".")


# ---------------------------------------------------------------- containers
def zip_file(entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in entries:
            file.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def zip_entries(file):
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def change_entries(rng, entries):
    entries = list(entries)
    at = rng.randrange(len(entries))
    name, content = entries[at]
    how = rng.randrange(7)
    if how == 0:
        rng.shuffle(entries)
    elif how == 1:
        del entries[at]
    elif how == 2:  # twice, or nearly
        folder, rest = name.split("/", 1)
        again = rng.choice((name, f"{folder}/{rest.upper()}", name.upper(), f"{folder}//{rest}", "./" + name,
                            name + "\0"))
        content = (change_operations(rng, operations(content), GLOBALS) if name.endswith("pkl")
                   else rng.randbytes(len(content)))
        entries.insert(rng.randrange(len(entries) + 1), (again, content))
    elif how == 3:
        other = rng.randrange(len(entries))
        entries[at], entries[other] = (name, entries[other][1]), (entries[other][0], content)
    elif how == 4:
        entries[at] = (name, change_bytes(rng, content, content) if content else b"\0")
    elif how == 5:
        entries[at] = (rng.choice((name.upper(), name.replace("/", "//"), "x/" + name, name.replace("data", "Data"))), content)
    else:
        entries[at] = (name, content + rng.randbytes(rng.choice((1, 4, 8))))
    return entries


def legacy_pickles(file):
    """The five pickles and what follows them."""
    stream, pickles = io.BytesIO(file), []
    for _ in range(5):
        begin = stream.tell()
        collections.deque(pickletools.genops(stream), maxlen=0)
        pickles.append(file[begin:stream.tell()])
    return pickles, file[stream.tell():]


def safetensors_file(header, data):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def change_header(rng, file):
    size, = struct.unpack("<Q", file[:8])
    header, data = json.loads(file[8:8 + size]), file[8 + size:]
    names = [name for name in header if name != "__metadata__"]
    for _ in range(rng.choice((1, 1, 2))):
        entry, other = header[rng.choice(names)], header[rng.choice(names)]
        how = rng.randrange(6)
        if how == 0:
            rng.shuffle(entry["shape"])
        elif how == 1:
            entry["dtype"] = rng.choice(list(TYPES.values()))
        elif how == 2 and entry["shape"]:
            i = rng.randrange(len(entry["shape"]))
            entry["shape"][i] = rng.choice((0, 1, 2, entry["shape"][i] * 2, entry["shape"][i] // 2, -1, 2**40))
        elif how == 3:
            entry["data_offsets"], other["data_offsets"] = other["data_offsets"], entry["data_offsets"]
        elif how == 4:
            entry["shape"], other["shape"] = other["shape"], entry["shape"]
        else:
            entry["data_offsets"][rng.randrange(2)] += rng.choice((-4, -1, 1, 4))
    text = json.dumps(header)
    if rng.randrange(4) == 0:  # what JSON readers differ in
        old, new = rng.choice((('"dtype"', '"d\\u0074ype"'), (" ", "\n"), ("[", "[ "), (": 0", ": -0"), ("0", "0.0"),
                               (", ", ",\t"), ("}}", '}, "x": null}'), ('"F', '"\\u0046'), ("{", '{"dtype": "F32", ')))
        text = text.replace(old, new, rng.choice((1, -1)))
    return safetensors_file(text.encode() + b" " * rng.choice((0, 0, 3)), data)


class Files:
    """Real files, and what is made of them: change(i) is the same for the same seed and i."""

    def __init__(self, seed):
        self.seed = seed
        read = lambda pattern: [p.read_bytes() for p in sorted(DATA.glob(pattern))]
        self.zips = [[(name, without_floats(content) if name.endswith("data.pkl") else content)
                      for name, content in zip_entries(file)] for file in read("zip_*.pth")]
        self.zip_files = [zip_file(entries) for entries in self.zips] + read("zip_*.pth")
        self.legacy_files = read("legacy_*.pth")
        self.legacies = [legacy_pickles(file) for file in self.legacy_files]
        for pickles, _ in self.legacies:
            pickles[3] = without_floats(pickles[3])
        pickles = [content for entries in self.zips for name, content in entries if name.endswith("data.pkl")]
        pickles += [parts[3] for parts, _ in self.legacies]
        self.pool = [op for pickle in pickles for op in operations(pickle)] + GLOBALS
        self.kinds = ["zip bytes", "zip entries", "zip pickle bytes", "zip operations", "zip assembled",
                      "legacy bytes", "legacy operations", "legacy assembled"]
        if safetensors:
            many = {"a.weight": torch.arange(12.).reshape(3, 4), "b": torch.ones(2, 3).half(),
                    "c": torch.tensor(3.), "d": torch.zeros(0, 2), "e": torch.arange(6).reshape(2, 3),
                    "f": torch.tensor([True, False]), "g": torch.ones(3).bfloat16()}
            self.safetensors = [safetensors.torch.save(many, {"format": "pt"}),
                                safetensors.torch.save({"w": torch.ones(2, 2), "v": torch.arange(4.)})]
            self.kinds += ["safetensors bytes", "safetensors header"]

    def change(self, index):
        rng = random.Random(f"{self.seed} {index}")
        kind = self.kinds[index % len(self.kinds)]
        return kind, getattr(self, kind.replace(" ", "_"))(rng)

    def zip_bytes(self, rng):
        return change_bytes(rng, rng.choice(self.zip_files), rng.choice(self.zip_files))

    def zip_entries(self, rng):
        return zip_file(change_entries(rng, rng.choice(self.zips)))

    def zip_pickle(self, rng, change):
        entries = rng.choice(self.zips)
        return zip_file([(n, change(c) if n.endswith("data.pkl") else c) for n, c in entries])

    def zip_pickle_bytes(self, rng):
        return self.zip_pickle(rng, lambda content: change_bytes(rng, content, content))

    def zip_operations(self, rng):
        return self.zip_pickle(rng, lambda content: change_operations(rng, operations(content), self.pool))

    def assembled(self, rng, legacy):
        """An assembler and its pickle, which half the time is changed once more."""
        assembler = Assembler(rng, legacy)
        pickle = assembler.state_dict()
        if rng.randrange(2):
            pickle = change_operations(rng, operations(pickle), self.pool)
        return assembler, pickle

    def zip_assembled(self, rng):
        assembler, pickle = self.assembled(rng, False)
        entries = [("archive/data.pkl", pickle), ("archive/version", b"3\n")]
        entries += [(f"archive/data/{key}", raw) for key, (_, _, raw) in assembler.storages.items()]
        return zip_file(entries)

    def legacy_bytes(self, rng):
        return change_bytes(rng, rng.choice(self.legacy_files), rng.choice(self.legacy_files))

    def legacy_operations(self, rng):
        pickles, rest = rng.choice(self.legacies)
        pickles = list(pickles)
        at = rng.choice((3, 3, 3, 4, 2))
        pickles[at] = change_operations(rng, operations(pickles[at]), self.pool)
        return b"".join(pickles) + rest

    def legacy_assembled(self, rng):
        assembler, pickle = self.assembled(rng, True)
        used = [key for key in assembler.storages if key in assembler.used]
        keys = b"\x80\x02](" + b"".join(assembler.text(key) for key in used) + b"e."
        rest = b"".join(struct.pack("<q", assembler.storages[key][1]) + assembler.storages[key][2] for key in used)
        return b"".join(self.legacies[0][0][:3]) + pickle + keys + rest

    def safetensors_bytes(self, rng):
        return change_bytes(rng, rng.choice(self.safetensors), rng.choice(self.safetensors))

    def safetensors_header(self, rng):
        return change_header(rng, rng.choice(self.safetensors))


# ---------------------------------------------------------------- the comparison
OUTCOMES = ("both", "lumbar", "torch", "neither")


def compare(files, lumbar, first, last, out):
    """Files `first` to `last`; a line for each to `out`: the file's number, kind and outcome."""
    for index in range(first, last):
        kind, file = files.change(index)
        out.write(f"{index}\n")  # so that one knows at what PyTorch crashed
        out.flush()
        ours = lumbar.read(file)
        theirs = by_torch(file)
        accepted = (not isinstance(ours, Exception), not isinstance(theirs, Exception))
        outcome = {(1, 1): "both", (1, 0): "lumbar", (0, 1): "torch", (0, 0): "neither"}[accepted]
        differ = outcome == "both" and ours != {line(*tensor) for tensor in theirs.items()}
        reason = " ".join(str(theirs).split("error: ")[-1].split()) if outcome == "lumbar" else ""
        out.write(f"{index}\t{kind}\t{outcome}\t{int(differ)}\t{reason}\n")
        out.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("list_tensors")
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, default=pathlib.Path("differential"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = Files(options.seed)
    counts, ours_alone = collections.Counter(), collections.Counter()
    differ, next_file = [], 0
    while next_file < options.mutations:
        # In a child, for PyTorch 1.13 may crash on a storage that is shorter than it is said to be.
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            compare(files, Lumbar(options.list_tensors), next_file, options.mutations, os.fdopen(write, "w"))
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as answers:
            for answer in answers:
                index, *found = answer.rstrip("\n").split("\t")
                next_file = int(index) + 1
                if found:
                    kind, outcome, wrong, why = found
                    counts[kind, outcome] += 1
                    ours_alone[why[:100]] += outcome == "lumbar"
                    if wrong == "1":
                        differ.append(next_file - 1)
        _, status = os.waitpid(child, 0)
        if status != 0:
            if not os.WIFSIGNALED(status):
                sys.exit(f"FAILED: at file {next_file - 1}")
            counts[files.change(next_file - 1)[0], "crash"] += 1

    print(f"{'':20}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES + ("crash",)))
    for kind in files.kinds:
        print(f"{kind:20}" + "".join(f"{counts[kind, outcome]:9}" for outcome in OUTCOMES + ("crash",)))
    total = collections.Counter()
    for (_, outcome), count in counts.items():
        total[outcome] += count
    print(f"{'all':20}" + "".join(f"{total[outcome]:9}" for outcome in OUTCOMES + ("crash",)))
    for why, count in ours_alone.most_common(8):
        print(f"accepted by Lumbar alone: {count}: {why}")
    for index in differ:
        options.keep.mkdir(exist_ok=True, parents=True)
        path = options.keep / f"{options.seed}_{index}"
        path.write_bytes(files.change(index)[1])
        print(f"DIFFERENT: {files.change(index)[0]}: {path}")
    if total["both"] == 0:
        sys.exit("FAILED: no file was accepted by both")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
