"""Members of zip archives, whose stated sizes are not believed."""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tinygrad_cnn.pickle_reader import RefusedError

__all__ = ["open_archive", "open_member", "read_at_most", "read_exactly"]

# One byte of a deflate stream stands for at most 1,032 bytes (zlib's technical details).
_LARGEST_FACTOR = 1032
_CHUNK = 1 << 20
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # an unknown way to compress
    RuntimeError,  # encrypted
    struct.error,
    OSError,
    ValueError,
    IndexError,
)


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive for reading.

    Raises
    ------
    RefusedError
        If it is none, or damaged.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as reason:
        raise _damaged(reason) from None
    with archive:
        yield archive


@contextmanager
def open_member(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    """Open a member for reading, compressed or not; damage found on the way is refused.

    Raises
    ------
    RefusedError
        If there is none of that name, or it is damaged.
    """
    try:
        with archive.open(name) as stream:
            yield stream
    except KeyError:
        raise RefusedError("the archive holds what its parts refer to", f"no {name!r}") from None
    except _DAMAGE as reason:
        raise _damaged(reason) from None


def read_at_most(stream: IO[bytes], most: int) -> bytearray:
    """Read to the end, in pieces: memory grows with what is really there.

    Raises
    ------
    RefusedError
        If there are more than `most` bytes.
    """
    data = bytearray()
    while piece := stream.read(min(_CHUNK, most + 1 - len(data))):
        data += piece
        if len(data) > most:
            raise RefusedError(f"there are at most {most} bytes", "more")
    return data


def read_exactly(archive: zipfile.ZipFile, stream: IO[bytes], count: int) -> bytearray:
    """Read to the end, which comes after `count` bytes.

    Raises
    ------
    RefusedError
        If there are fewer or more, or the file cannot hold so many.
    """
    room = _LARGEST_FACTOR * Path(str(archive.filename)).stat().st_size
    if count > room:
        raise RefusedError(
            "what is claimed fits into the file", f"{count} bytes and room for at most {room}"
        )
    data = read_at_most(stream, count)
    if len(data) != count:
        raise RefusedError(f"{count} bytes are there as claimed", f"{len(data)}")
    return data


def _damaged(reason: Exception) -> RefusedError:
    said = str(reason).splitlines() or [type(reason).__name__]
    return RefusedError("the file is a whole zip archive of whole members", said[0][:200])
