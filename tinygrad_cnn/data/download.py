"""Fetching published files: mirrors in turn, checksums, and nothing half-written.

pooch asks the server and compares the checksum. A file is written into a folder of its own
beside its place and moved there when it is whole and right, so that whoever finds a file under
its name finds all of it: also after a kill, on a full disk, or when two processes fetch at once.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tinygrad_cnn.data.source import UNKNOWN, PublishedFile, Source

__all__ = ["Progress", "fetch_files", "folder_of_parts", "is_published", "move_into_place"]

Progress = Callable[[str, int, int | None], None]
"""Told while a file is fetched: its name, the bytes that are here, and all, if that is known."""

_SECONDS_TO_ANSWER = 10.0
_CHUNK = 1 << 16  # bytes
_PARTS = ".parts-"
# What a killed process left is removed by the next one, but not what another one still writes.
_SECONDS_TO_LEFTOVER = 24 * 3600.0


def fetch_files(source: Source, folder: Path, progress: Progress | None = None) -> list[str]:
    """Fetch what a data set consists of, or its archive; leave alone what is there and right.

    Parameters
    ----------
    source : Source
    folder : Path
        It is made where it does not exist, and removed again if nothing comes into it.
    progress : callable, optional
        See :data:`Progress`.

    Returns
    -------
    list of str
        Why it failed, one reason for each mirror; empty if it did not.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        return [f"{folder} cannot be made: {reason.strerror}"]
    mirrors = list(source.mirrors)
    for file in source.fetched:
        failures = []
        for mirror in tuple(mirrors):
            failure, answered = _fetch(mirror + file.name, file, folder, progress)
            if not failure:
                break
            failures.append(failure)
            if not answered and len(mirrors) > 1:
                mirrors.remove(mirror)  # nobody waits for it once more per file
        else:
            with suppress(OSError):  # folders stay that hold something by now
                for path in new:
                    path.rmdir()
            return failures
    return []


def _fetch(
    address: str, file: PublishedFile, folder: Path, progress: Progress | None
) -> tuple[str, bool]:
    """Fetch one file; return what went wrong, if anything, and whether the server answered."""
    import pooch

    path = folder / file.name
    responses: list[Any] = []
    meter = _Meter(file, progress)
    http = pooch.HTTPDownloader(
        timeout=_SECONDS_TO_ANSWER,
        # The checksum is about the bytes as stored, not as compressed on the way.
        headers={"Accept-Encoding": "identity"},
        hooks={"response": lambda response, *_, **__: responses.append(response)},
        progressbar=meter,
        chunk_size=_CHUNK,
    )

    def downloader(address: str, part: str, retriever: Any) -> None:
        meter.part = part
        http(address, part, retriever)

    try:
        if path.is_file() and is_published(path, file):
            return "", True
        with _quiet(pooch.get_logger()), folder_of_parts(folder) as parts:
            pooch.retrieve(
                address, file.checksum, fname=file.name, path=parts, downloader=downloader
            )
            move_into_place(parts / file.name, path)
    except _TooLongError:
        return f"{address} holds more than the {file.size:,} bytes that are published", True
    except OSError as failure:  # of the network, or of the disk
        response = getattr(failure, "response", None)
        if response is not None:
            return f"{address} answered with HTTP status {response.status_code}", True
        if failure.strerror:
            return f"{folder} cannot be written: {failure.strerror}", True
        return f"{address} failed with {type(failure).__name__}", False
    except ValueError:
        algorithm = str(file.checksum).partition(":")[0].upper()
        return f"{address} holds a file whose {algorithm} sum is not the published one", True
    finally:
        for response in responses:
            response.close()
    return "", True


class _TooLongError(Exception):
    """A server that sends more than there is."""


class _Meter:
    """What pooch asks to show how far it has come; it also stops a file that has no end.

    pooch counts every piece as a full one, also where a server sends small ones; so the part
    that is written already is looked at instead.
    """

    part = ""

    def __init__(self, file: PublishedFile, progress: Progress | None) -> None:
        self.file, self.progress = file, progress
        self.total = 0  # set by pooch: what the server announces

    def update(self, _count: int) -> None:
        """Look how much is here."""
        done, size = os.path.getsize(self.part), self.file.size
        if size is not None and done > size:
            raise _TooLongError
        if self.progress is not None:
            self.progress(self.file.name, done, size or self.total or None)

    def reset(self) -> None:
        """Do nothing: what is here stays."""

    def close(self) -> None:
        """Do nothing: whoever shows the progress ends it."""


def is_published(path: Path, file: PublishedFile) -> bool:
    """Whether a file is the published one, as far as its size and checksum are known."""
    if file.size is not None and path.stat().st_size != file.size:
        return False
    if file.checksum is None:
        return True
    if file.checksum == UNKNOWN:
        return False
    algorithm, _, digest = file.checksum.partition(":")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest() == digest


@contextmanager
def folder_of_parts(folder: Path) -> Iterator[Path]:
    """Give a folder inside `folder` for files that are still written; it is removed after.

    Those that killed processes left behind a day ago or earlier are removed too.
    """
    for leftover in folder.glob(f"{_PARTS}*"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _SECONDS_TO_LEFTOVER:
                shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PARTS, dir=folder) as parts:
        yield Path(parts)


def move_into_place(part: Path, path: Path) -> None:
    """Give a whole file its name; its bytes are on the disk before its name is."""
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    part.replace(path)


@contextmanager
def _quiet(logger: Any) -> Iterator[None]:
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)
