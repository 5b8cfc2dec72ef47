"""Files out of published archives, written by names of our own.

An archive may name its members ``../../.bashrc``, contain links, or unpack to more than any
disk holds. Here nothing is written but the files that a table names, under the names the table
has for them, up to a limit, and only from an archive whose checksum is the published one.
"""

import gzip
import io
import posixpath
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from tinygrad_cnn.data.download import folder_of_parts, is_published, move_into_place
from tinygrad_cnn.data.source import PublishedFile, Source
from tinygrad_cnn.errors import DataError, MissingDataError

__all__ = ["unpack"]

_CHUNK = 1 << 20
# More than any archive of the table unpacks to: EMNIST, the largest, to 562 MB.
_MOST_BYTES = 1 << 30
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    struct.error,
    ValueError,
    NotImplementedError,  # an unknown way to compress
    RuntimeError,  # encrypted
)


def unpack(archive: Path, source: Source, folder: Path) -> tuple[Path, ...]:
    """Write the files of a data set from its archive into a folder, each whole or not at all.

    Parameters
    ----------
    archive : Path
    source : Source
        Its archive's checksum, and the names of the files.
    folder : Path
        Made where it does not exist.

    Returns
    -------
    tuple of Path
        The files, in the order of the source.

    Raises
    ------
    DataError
        If the archive is not the published one, damaged, or lacks a file.
    MissingDataError
        If the folder cannot be written.
    """
    try:
        if source.archive is not None and not is_published(archive, source.archive):
            raise _damage(source, archive, "the archive has the published checksum", "another one")
        folder.mkdir(parents=True, exist_ok=True)
        with folder_of_parts(folder) as parts:
            return _unpack(archive, source, folder, parts)
    except DataError:
        raise
    except _DAMAGE as reason:
        raise _damage(source, archive, "the archive unpacks without error", str(reason)) from None
    except OSError as reason:
        raise MissingDataError(
            f"load {source.name}: the files in {archive} are unpacked into {folder}; got "
            f"{reason.strerror or reason}. Make room, or name another folder with --data-dir"
        ) from None


def _unpack(archive: Path, source: Source, folder: Path, parts: Path) -> tuple[Path, ...]:
    wanted = {file.name: file for file in source.files}
    for name, stream in _members(archive):
        if (file := wanted.pop(name, None)) is not None:
            _copy(stream, parts / name, file)
            if not is_published(parts / name, file):
                raise _damage(source, archive, f"{name} has the published checksum", "another one")
            move_into_place(parts / name, folder / name)
        if not wanted:
            return tuple(folder / file.name for file in source.files)
    rule = f"the archive holds the {len(source.files)} files of {source.title}"
    raise _damage(source, archive, rule, f"no {', '.join(wanted)}")


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the last part of the name, and the content, of each regular file."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as members:
            for entry in members.infolist():
                if not entry.is_dir():
                    with members.open(entry) as stream:
                        yield posixpath.basename(entry.filename), stream
        return
    with (
        gzip.open(archive) as unpacked,
        tarfile.open(fileobj=_Limited(cast(IO[bytes], unpacked)), mode="r|") as members_in_turn,
    ):
        for member in members_in_turn:
            if member.isreg() and (content := members_in_turn.extractfile(member)) is not None:
                yield posixpath.basename(member.name), content


class _Limited(io.RawIOBase):
    """A stream that refuses to give more than :data:`_MOST_BYTES`, also in a single piece."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.left = stream, _MOST_BYTES

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes."""
        if not 0 <= size <= self.left:
            raise ValueError(f"more than {_MOST_BYTES:,} bytes")
        self.left -= size
        return self.stream.read(size)


def _copy(stream: IO[bytes], path: Path, file: PublishedFile) -> None:
    count, most = 0, _MOST_BYTES if file.size is None else file.size
    with path.open("wb") as target:
        while piece := stream.read(_CHUNK):
            count += len(piece)
            if count > most:
                raise ValueError(f"more than {most:,} bytes in {file.name}")
            target.write(piece)


def _damage(source: Source, archive: Path, rule: str, got: str) -> DataError:
    return DataError(
        f"load {source.name}: {rule}; got {got} in {archive}; delete the file and fetch it again"
    )
