"""Pixels as PNG files, without a further library.

A file is a signature, then chunks of length, name, content and checksum; each row begins with
the number of its filter, and 0 leaves it as it is (ISO/IEC 15948, Portable Network Graphics,
sections 5, 9 and 11).
"""

import base64
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import ShapeError

__all__ = ["data_uri", "png"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR_WITH_OPACITY = 0, 6  # types of colour


def png(pixels: npt.NDArray[Any]) -> bytes:
    r"""Return pixels as a PNG file.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 4)
        Greys; or red, green, blue and opacity.

    Raises
    ------
    ShapeError
        If these are no pixels.

    Examples
    --------
    >>> png(np.zeros((1, 1, 4), np.uint8))[:4]
    b'\x89PNG'
    """
    is_grey = pixels.ndim == 2
    if not (is_grey or pixels.shape[2:] == (4,)) or pixels.dtype != np.uint8 or not pixels.size:
        raise ShapeError(
            "png: pixels are bytes of shape (H, W) or (H, W, 4); got "
            f"{pixels.dtype} of {pixels.shape}"
        )
    height, width = pixels.shape[:2]
    bytes_of_row = pixels.reshape(height, -1)
    rows = np.zeros((height, 1 + bytes_of_row.shape[1]), np.uint8)
    rows[:, 1:] = bytes_of_row
    kind = _GREY if is_grey else _COLOUR_WITH_OPACITY
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    content = zlib.compress(rows.tobytes(), 9)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def data_uri(pixels: npt.NDArray[Any]) -> str:
    """Return a PNG file as an address that stands in a page or picture itself.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 4)

    Examples
    --------
    >>> data_uri(np.zeros((1, 1), np.uint8))[:22]
    'data:image/png;base64,'
    """
    return f"data:image/png;base64,{base64.b64encode(png(pixels)).decode('ascii')}"


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
