"""Files as torch.save writes them, made by hand: a few bytes at a time, right or wrong."""

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
BINPERSID, REDUCE, STOP = b"Q", b"R", b"."


def body(value: Any) -> bytes:
    """Return the instructions that push a plain value, without protocol and stop."""
    return pickle.dumps(value, protocol=2)[2:-1]


def name(text: str) -> bytes:
    """Return the instruction that pushes a global name."""
    module, _, attribute = text.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def call(function: str, *arguments: bytes) -> bytes:
    """Return the instructions that call a global function."""
    return name(function) + b"(" + b"".join(arguments) + b"t" + REDUCE


def storage(
    key: str = "0", count: int = 6, kind: str = "FloatStorage", where: str = "cuda:0"
) -> bytes:
    """Return the instructions that push a reference to a storage."""
    return (
        b"(" + body("storage") + name(f"torch.{kind}") + body(key) + body(where) + body(count)
        + b"t" + BINPERSID
    )  # fmt: skip


def tensor(
    stored: bytes | None = None,
    offset: Any = 0,
    shape: Any = (2, 3),
    strides: Any = (3, 1),
) -> bytes:
    """Return the instructions that push a tensor."""
    return call(
        "torch._utils._rebuild_tensor_v2",
        storage() if stored is None else stored,
        body(offset), body(shape), body(strides), body(False),
        call("collections.OrderedDict"),
    )  # fmt: skip


def mapping(**values: bytes) -> bytes:
    """Return the instructions that push a dictionary."""
    return b"}(" + b"".join(body(key) + value for key, value in values.items()) + b"u"


def whole(instructions: bytes) -> bytes:
    """Return a pickle of its own."""
    return b"\x80\x02" + instructions + STOP


SIX = np.arange(6, dtype="<f4")


def older_form(
    path: Path,
    content: bytes,
    storages: dict[str, bytes] | None = None,
    system: Any = None,
    magic: int = MAGIC,
    keys: Any = None,
) -> Path:
    """Write a file of PyTorch's older form; float32 storages, unless bytes say else."""
    storages = {"0": SIX.tobytes()} if storages is None else storages
    head = b"".join(pickle.dumps(v, protocol=2) for v in (magic, 1001, system or SYSTEM))
    listed = pickle.dumps(list(storages) if keys is None else keys, protocol=2)
    tail = b"".join(struct.pack("<q", len(raw) // 4) + raw for raw in storages.values())
    path.write_bytes(head + whole(content) + listed + tail)
    return path


def zip_form(
    path: Path,
    content: bytes,
    storages: dict[str, bytes] | None = None,
    compression: int = zipfile.ZIP_STORED,
    **others: bytes,
) -> Path:
    """Write a file of PyTorch's zip form."""
    storages = {"0": SIX.tobytes()} if storages is None else storages
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", whole(content))
        for other, raw in others.items():
            archive.writestr(f"archive/{other}", raw)
        for key, raw in storages.items():
            archive.writestr(f"archive/data/{key}", raw)
    return path
