"""Reader of the IDX format, in which MNIST and its kin are published.

::

    offset  type            value
    0       2 bytes         zero
    2       1 byte          type of an element (the table below)
    3       1 byte          number of dimensions d
    4       d x int32       the sizes, big-endian
    4 + 4d  elements        row by row, big-endian

The format is described on http://yann.lecun.com/exdb/mnist/. Files come compressed by gzip
as a rule; both forms are read.
"""

import gzip
import math
import os
import sys
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DataError, MissingDataError

__all__ = ["read_idx"]

_ELEMENTS: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"
# One byte of a deflate stream stands for at most 1,032 bytes (zlib's technical details), so
# sizes beyond that are refused before anything of that length is asked for.
_LARGEST_GZIP_FACTOR = 1032
_MOST_DIMENSIONS = 32  # what every supported NumPy can hold
_CHUNK = 1 << 20


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Read an array from an IDX file, compressed by gzip or not.

    Parameters
    ----------
    path : str or path
        Compression is recognised by content; a name that ends in ``.gz`` promises it.

    Returns
    -------
    ndarray
        Of the shape the file states, uint8, int8, int16, int32, float32 or float64 in the
        machine's byte order, and writable.

    Raises
    ------
    MissingDataError
        If there is no such file.
    DataError
        If the file is damaged or no IDX file; the message says in what way.

    Examples
    --------
    >>> import tempfile
    >>> header = bytes([0, 0, 0x08, 2]) + bytes([0, 0, 0, 1]) + bytes([0, 0, 0, 3])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "three-pixels-idx2-ubyte")
    ...     _ = path.write_bytes(header + bytes([10, 20, 30]))
    ...     read_idx(path)
    array([[10, 20, 30]], dtype=uint8)
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"read_idx: the file exists; got no file at {path}")
    length = path.stat().st_size
    with path.open("rb") as stream:
        compressed = stream.read(2) == _GZIP_MAGIC
        stream.seek(0)
        if not compressed:
            if path.suffix == ".gz":
                start = stream.read(4).hex(" ") or "an empty file"
                raise _damage(path, "a file named .gz starts with the bytes 1f 8b", start)
            return _parse(path, stream, length)
        try:
            with gzip.open(stream) as unpacked:
                source = cast(BinaryIO, unpacked)
                return _parse(path, source, length * _LARGEST_GZIP_FACTOR)
        except EOFError:
            raise _damage(
                path, "a gzip file ends with its checksum", f"{length} bytes, cut off"
            ) from None
        except (gzip.BadGzipFile, zlib.error) as reason:
            raise _damage(path, "a gzip file unpacks without error", str(reason)) from None


def _parse(path: Path, stream: BinaryIO, limit: int) -> npt.NDArray[Any]:
    """Read header and elements; `limit` is the most bytes that the file can hold."""
    magic = stream.read(4)
    if len(magic) < 4:
        raise _damage(path, "an IDX file begins with four bytes", f"{len(magic)} bytes in all")
    if magic[:2] != b"\0\0" or magic[2] not in _ELEMENTS:
        rule = "an IDX file starts with two zero bytes and a type of 08, 09 or 0b to 0e"
        raise _damage(path, rule, magic.hex(" "))
    dtype, dimensions = _ELEMENTS[magic[2]], magic[3]
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise _damage(path, f"an array has 1 to {_MOST_DIMENSIONS} dimensions", str(dimensions))
    header = stream.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise _damage(
            path,
            f"{dimensions} sizes of 4 bytes follow the type",
            f"{len(header)} bytes for them",
        )
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    expected = math.prod(shape) * dtype.itemsize
    # The second test is for NumPy, which counts a size of 0 as 1 in its own limit.
    if expected > limit or math.prod(size or 1 for size in shape) > sys.maxsize // 8:
        raise _damage(
            path,
            "the data fit into the file",
            f"sizes {shape} of {dtype.itemsize} bytes each and room for at most {limit} bytes",
        )
    data = bytearray()
    # In pieces, and one byte further than needed: memory grows with what is really there,
    # data in excess are noticed, and gzip checks its sum only when it meets the end.
    while len(data) <= expected:
        piece = stream.read(min(_CHUNK, expected + 1 - len(data)))
        if not piece:
            break
        data += piece
    if len(data) != expected:
        found = f"{len(data)} bytes" if len(data) < expected else "more"
        raise _damage(path, f"sizes {shape} take {expected} bytes of data", found)
    elements: npt.NDArray[Any] = np.frombuffer(data, dtype).reshape(shape)
    return elements.astype(dtype.type, copy=False)


def _damage(path: Path, rule: str, got: str) -> DataError:
    return DataError(f"read_idx: {rule}; got {got} in {path}; delete the file and fetch it again")
