"""Grey pictures of eight bits as PNG files.

ISO/IEC 15948 (Portable Network Graphics), sections 5 and 11: a signature, then chunks of length,
name, content and checksum. Each row begins with the number of its filter; 0 leaves it as it is.
"""

import base64
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["data_uri", "grey_png"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY = 0  # type of colour


def grey_png(pixels: npt.NDArray[Any]) -> bytes:
    """Return a picture as the content of a PNG file.

    Parameters
    ----------
    pixels : array of uint8, shape (H, W)

    Examples
    --------
    >>> grey_png(np.zeros((2, 3), np.uint8))[1:4]
    b'PNG'
    """
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, _GREY, 0, 0, 0)
    content = zlib.compress(rows.tobytes(), 9)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def data_uri(pixels: npt.NDArray[Any]) -> str:
    """Return a picture as an address that contains it.

    Examples
    --------
    >>> data_uri(np.zeros((2, 3), np.uint8)).split(",")[0]
    'data:image/png;base64'
    """
    return f"data:image/png;base64,{base64.b64encode(grey_png(pixels)).decode()}"


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
