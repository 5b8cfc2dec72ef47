"""Tensors out of files that ``torch.save`` wrote, without PyTorch and without running them.

Two forms are in use. Since version 1.6 a file is a zip archive::

    <name>/data.pkl     a pickle of the object; a tensor refers to the key of its storage
    <name>/byteorder    "little" or "big" (newer versions)
    <name>/data/<key>   the bytes of each storage

The older form is a row of pickles, followed by bytes::

    pickle    the magic number 0x1950a86a20f9469cfc6c
    pickle    the version of the protocol, 1001
    pickle    a dictionary; "little_endian" is among its keys
    pickle    the object; a tensor refers to the key of its storage
    pickle    the list of all keys
    for each key: the number of elements (int64), then their bytes

A storage is a row of elements; a tensor is a view of one: offset, shape and strides. Where a
storage once lay ("cpu", "cuda:0") is noted in the file and of no concern here.
"""

import mmap
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.models.archive import open_archive, open_member, read_at_most, read_exactly
from tinygrad_cnn.pickle_reader import Known, PickleReader, RefusedError, dictionary

__all__ = ["StoredTensor", "read_pytorch_file", "widen_bfloat16"]

Array = npt.NDArray[Any]
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
ZIP_MAGIC = b"PK\x03\x04"
_LARGEST_PICKLE = 64 << 20  # names and shapes of several hundred thousand tensors, in bytes

_REMEDY = "Save the state dictionary alone, with PyTorch, where you trust the file"

_BFLOAT16 = "bfloat16"  # the upper half of a float32, which NumPy does not have
_ELEMENTS: dict[str, str] = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


@dataclass(frozen=True)
class Storage:
    """A row of `count` elements that the file keeps under `key`."""

    key: str
    element: str
    count: int

    @property
    def nbytes(self) -> int:
        """Its length in bytes."""
        return self.count * (2 if self.element == _BFLOAT16 else np.dtype(self.element).itemsize)

    def as_array(self, raw: bytearray) -> Array:
        """Return its bytes as elements."""
        if self.element == _BFLOAT16:
            return widen_bfloat16(raw)
        if self.element == "|b1":
            return np.frombuffer(raw, np.uint8) != 0
        return np.frombuffer(raw, self.element)


@dataclass(frozen=True)
class StoredTensor:
    """A view of a storage: where it begins, its shape, and its strides in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, elements: Array) -> Array:
        """Return this view of the storage's elements; `check` has seen that it fits."""
        steps = [step * elements.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(elements[self.offset :], self.shape, steps)

    def check(self) -> None:
        """Refuse a view that reaches beyond its storage."""
        sizes = (self.offset, *self.shape, *self.strides)
        if not all(type(size) is int and 0 <= size < 1 << 62 for size in sizes) or len(
            self.shape
        ) != len(self.strides):
            raise RefusedError(
                "a tensor has an offset, and a size and a stride for each axis, none negative",
                f"{len(self.shape)} sizes and {len(self.strides)} strides",
            )
        last = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        needed = self.offset + (0 if 0 in self.shape else last + 1)
        if needed > self.storage.count:
            raise RefusedError(
                "a tensor lies within its storage",
                f"one that ends at element {needed} of {self.storage.count}",
            )


def widen_bfloat16(raw: bytes | bytearray) -> Array:
    """Return bfloat16 numbers, two bytes each, as float32; no bit is lost.

    Examples
    --------
    >>> widen_bfloat16(bytes([0x80, 0x3F, 0x00, 0xC0]))
    array([ 1., -2.], dtype=float32)
    """
    return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)


def _rebuild(
    storage: Any, offset: Any, shape: Any, strides: Any, *_flags_and_hooks: Any
) -> StoredTensor:
    """Stand for ``torch._utils._rebuild_tensor_v2``."""
    if not isinstance(storage, Storage):
        raise RefusedError("a tensor is a view of a storage", type(storage).__name__)
    if not isinstance(shape, tuple | list) or not isinstance(strides, tuple | list):
        raise RefusedError("a tensor has sizes and strides", type(shape).__name__)
    tensor = StoredTensor(storage, offset, tuple(shape), tuple(strides))
    tensor.check()
    return tensor


KNOWN: dict[str, Known] = {
    known.name: known
    for known in (
        Known("collections.OrderedDict", dictionary),
        Known("torch._utils._rebuild_tensor", _rebuild),
        Known("torch._utils._rebuild_tensor_v2", _rebuild),
        Known("torch._utils._rebuild_parameter", lambda tensor, *_flags_and_hooks: tensor),
        Known("torch.Size", lambda sizes=(): tuple(sizes)),
        Known("torch.device", lambda *_where: "device"),
        *(Known(f"torch.{name}") for name in _ELEMENTS),
    )
}


def read_pytorch_file(path: Path, choose: Callable[[Any], dict[str, Any]]) -> dict[str, Array]:
    """Read tensors from a file that ``torch.save`` wrote, in either form.

    Parameters
    ----------
    path : path
    choose : callable
        Given the object in the file, with a :class:`StoredTensor` for each tensor, returns
        those to be read, by name.

    Returns
    -------
    dict of ndarray
        Tensors that shared a storage share memory. bfloat16 is widened to float32.

    Raises
    ------
    RefusedError
        If the file is damaged, or holds more than tensors in plain containers.
    """
    with path.open("rb") as stream:
        form = _zip_form if stream.read(len(ZIP_MAGIC)) == ZIP_MAGIC else _older_form
    with form(path) as (content, fetch):
        tensors = choose(content)
        storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        elements = {key: storage.as_array(fetch(storage)) for key, storage in storages.items()}
    return {name: tensor.of(elements[tensor.storage.key]) for name, tensor in tensors.items()}


Fetch = Callable[[Storage], bytearray]


class _Storages:
    """The storages that a pickle refers to."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}

    def __call__(self, reference: Any) -> Storage:
        """Note what a pickle's reference says of a storage."""
        if not isinstance(reference, tuple) or len(reference) not in (5, 6):
            raise RefusedError("a storage is named by 5 or 6 values", str(type(reference)))
        what, kind, key, _location, count, *view = reference
        element = _ELEMENTS.get(kind.name.removeprefix("torch.")) if type(kind) is Known else None
        if what != "storage" or element is None or view not in ([], [None]):
            raise RefusedError(
                "only whole storages of real numbers are read",
                f"{what if isinstance(what, str) else type(what).__name__!r}",
            )
        if not isinstance(key, str) or type(count) is not int or not 0 <= count < 1 << 62:
            raise RefusedError("a storage has a key and a length", type(key).__name__)
        storage = self.by_key.setdefault(key, Storage(key, element, count))
        if storage != Storage(key, element, count):
            raise RefusedError("a storage has one length and type", "two for one key")
        return storage


@contextmanager
def _zip_form(path: Path) -> Iterator[tuple[Any, Fetch]]:
    with open_archive(path) as archive:
        found = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(found) != 1:
            raise RefusedError("an archive holds one data.pkl", str(len(found)))
        root = found[0].removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist():
            with open_member(archive, f"{root}byteorder") as stream:
                order = bytes(read_at_most(stream, 16))
            if order != b"little":
                raise RefusedError("the byte order is little", repr(order)[1:])
        with open_member(archive, found[0]) as stream:
            pickled = bytes(read_at_most(stream, _LARGEST_PICKLE))
        storages = _Storages()
        content = PickleReader(pickled, KNOWN, storages, remedy=_REMEDY).load()

        def fetch(storage: Storage) -> bytearray:
            with open_member(archive, f"{root}data/{storage.key}") as stream:
                return read_exactly(archive, stream, storage.nbytes)

        yield content, fetch


@contextmanager
def _older_form(path: Path) -> Iterator[tuple[Any, Fetch]]:
    if not path.stat().st_size:
        raise RefusedError("the file has a content", "an empty file")
    with (
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        if data[:1] != b"\x80":
            raise RefusedError(
                "a file of PyTorch starts as a zip archive or a pickle does",
                f"the bytes {data[:4].hex(' ')}",
            )
        storages = _Storages()
        reader = PickleReader(data, KNOWN, storages, remedy=_REMEDY)
        if (magic := reader.load()) != MAGIC_NUMBER or reader.load() != PROTOCOL_VERSION:
            raise RefusedError(
                "the first pickle is PyTorch's magic number, the second version 1001",
                "another number" if magic != MAGIC_NUMBER else "another version",
            )
        system = reader.load()
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise RefusedError("the byte order is little", "another one")
        content, keys = reader.load(), reader.load()
        starts = _starts(data, reader.position, keys, storages.by_key)

        def fetch(storage: Storage) -> bytearray:
            start = starts[storage.key]
            return bytearray(data[start : start + storage.nbytes])

        yield content, fetch


def _starts(
    data: mmap.mmap, position: int, keys: Any, storages: dict[str, Storage]
) -> dict[str, int]:
    """Return the byte at which each storage begins."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise RefusedError("the last pickle lists the keys", type(keys).__name__)
    if len(keys) != len(storages) or set(keys) != storages.keys():
        raise RefusedError(
            "the last pickle lists each storage once", f"{len(keys)} keys, {len(storages)} storages"
        )
    starts = {}
    for key in keys:
        storage, left = storages[key], len(data) - position - 8
        count = struct.unpack_from("<q", data, position)[0] if left >= 0 else 0
        if left < storage.nbytes or count != storage.count:
            raise RefusedError(
                f"{storage.count} elements and their number follow for each storage",
                f"the number {count} and room for {max(left, 0)} bytes",
            )
        starts[key] = position + 8
        position += 8 + storage.nbytes
    return starts
