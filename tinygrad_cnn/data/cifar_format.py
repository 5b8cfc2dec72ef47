"""Readers of the two forms in which CIFAR-10 and CIFAR-100 are published.

An image is 3072 bytes in both: 1024 red, 1024 green, 1024 blue, each row by row. In the binary
form a label byte comes before each image, or two (coarse, fine) in CIFAR-100::

    <label> <3072 pixels> <label> <3072 pixels> ...

The Python form is a pickle of a dictionary, written by Python 2: ``data``, an array of uint8 of
shape (N, 3072); ``labels``, or ``fine_labels`` and ``coarse_labels``, lists of N whole numbers;
file names and a title. A pickle is a program. This one is run by a machine of our own
(:mod:`tinygrad_cnn.pickle_reader`) that knows three names, those by which NumPy's arrays are
written, and puts in their place what makes an array of bytes and nothing else.
"""

import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DataError, MissingDataError
from tinygrad_cnn.pickle_reader import Built, Known, PickleReader, RefusedError

__all__ = ["IMAGE_SHAPE", "read_binary_batch", "read_python_batch"]

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

IMAGE_SHAPE = (3, 32, 32)
_PIXELS = math.prod(IMAGE_SHAPE)
_OPERATION = "read_cifar"


class _ByteType(Built):
    """Stand for the dtype uint8; the byte order and the like in its state say nothing."""

    def __init__(self, code: Any, *_align_and_copy: Any) -> None:
        if code not in (b"u1", "u1"):
            raise TypeError(f"elements of type {code!r} where pixels are uint8, 'u1'")

    def build(self, state: Any) -> None:
        pass


class _ByteArray(Built):
    """Stand for an array of uint8; what it holds comes as its state."""

    def __init__(self, kind: Any, *_shape_and_type: Any) -> None:
        if kind is not _ARRAY:
            raise TypeError("something else than an array")
        self.array: Pixels = np.zeros((0, _PIXELS), np.uint8)

    def build(self, state: Any) -> None:
        _version, shape, dtype, columns_first, content = state
        if not (type(dtype) is _ByteType and type(content) is bytes and columns_first is False):
            raise TypeError("an array that is not of bytes, row by row")
        if not (type(shape) is tuple and all(type(size) is int for size in shape)):
            raise TypeError("a shape that is not of whole numbers")
        if len(shape) != 2 or shape[1] != _PIXELS or shape[0] * _PIXELS != len(content):
            raise ValueError(f"shape {str(shape)[:80]} for {len(content)} bytes")
        self.array = np.frombuffer(content, np.uint8).reshape(shape)


_ARRAY = Known("numpy.ndarray")
_TABLE = {
    "numpy.ndarray": _ARRAY,
    "numpy.dtype": Known("numpy.dtype", _ByteType),
    "numpy.core.multiarray._reconstruct": Known("_reconstruct", _ByteArray),
}


def read_python_batch(path: Path, keys: tuple[str, ...]) -> tuple[Pixels, tuple[Labels, ...]]:
    """Read a batch of the Python form; nothing in the file is ever run.

    Parameters
    ----------
    path : Path
    keys : tuple of str
        Names of the lists of labels: ``labels``, or ``fine_labels`` and ``coarse_labels``.

    Returns
    -------
    images : ndarray of uint8, shape (N, 3, 32, 32), read-only
    labels : tuple of ndarray of int64, shape (N,)
        One for each key.

    Raises
    ------
    MissingDataError
        If there is no such file.
    DataError
        If it is damaged, something else, or a pickle that asks for other names.
    """
    if not path.is_file():
        raise MissingDataError(f"{_OPERATION}: the file exists; got no file at {path}")
    try:
        with path.open("rb") as stream:
            if path.stat().st_size == 0:
                raise RefusedError("a batch is a pickle", "an empty file")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                reader = PickleReader(data, _TABLE, old_strings=bytes)
                batch = reader.load()
                if reader.position != len(data):
                    raise RefusedError("a batch is one pickle", "more after it")
        images = _entry(batch, "data")
        if type(images) is not _ByteArray:
            raise RefusedError("the images are an array of bytes", type(images).__name__)
        count = len(images.array)
        labels = tuple(_labels(_entry(batch, key), key, count) for key in keys)
    except RefusedError as refused:
        raise _damage(path, refused.rule, refused.got) from None
    return images.array.reshape(count, *IMAGE_SHAPE), labels


def read_binary_batch(path: Path, label_bytes: int) -> tuple[Pixels, tuple[Labels, ...]]:
    """Read a batch of the binary form.

    Parameters
    ----------
    path : Path
    label_bytes : int
        Label bytes before each image: 1 in CIFAR-10, 2 (coarse, fine) in CIFAR-100.

    Returns
    -------
    images : ndarray of uint8, shape (N, 3, 32, 32)
    labels : tuple of ndarray of int64, shape (N,)
        One for each label byte, in their order.

    Raises
    ------
    MissingDataError
        If there is no such file.
    DataError
        If its length is not that of whole images.
    """
    if not path.is_file():
        raise MissingDataError(f"{_OPERATION}: the file exists; got no file at {path}")
    record = label_bytes + _PIXELS
    size = path.stat().st_size
    if size % record or not size:
        raise _damage(path, f"an image with its label takes {record} bytes", f"{size} bytes")
    records = np.fromfile(path, np.uint8).reshape(-1, record)
    images = np.ascontiguousarray(records[:, label_bytes:]).reshape(-1, *IMAGE_SHAPE)
    return images, tuple(records[:, place].astype(np.int64) for place in range(label_bytes))


def _entry(batch: Any, key: str) -> Any:
    if type(batch) is not dict:
        raise RefusedError("a batch is a dictionary", type(batch).__name__)
    for name in (key.encode(), key):  # as Python 2 and as Python 3 write it
        if name in batch:
            return batch[name]
    raise RefusedError(f"a batch has {key!r}", ", ".join(map(repr, batch))[:200] or "nothing")


def _labels(values: Any, key: str, count: int) -> Labels:
    if type(values) is not list or not all(type(value) is int for value in values):
        raise RefusedError(f"{key!r} is a list of whole numbers", type(values).__name__)
    if len(values) != count:
        raise RefusedError("there is one label for each image", f"{len(values)} for {count} images")
    if any(not 0 <= value <= 255 for value in values):
        raise RefusedError("a label is 0 to 255", f"{min(values)} to {max(values)}")
    return np.array(values, np.int64)


def _damage(path: Path, rule: str, got: str) -> DataError:
    return DataError(
        f"{_OPERATION}: {rule}; got {got} in {path}; delete the file and fetch it again"
    )
