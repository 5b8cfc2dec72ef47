"""Files that are there in full or not at all, whatever happens while they are written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinygrad_cnn.errors import RunDirectoryError

__all__ = ["plain_writing", "remove_leftovers", "write_atomically"]


@contextmanager
def plain_writing(path: Path, operation: str = "run directory") -> Iterator[None]:
    """Turn a disk that is full, or a folder that is closed, into an error with a remedy.

    Raises
    ------
    RunDirectoryError
        If the operating system refuses what happens inside the ``with`` block.
    """
    try:
        yield
    except RunDirectoryError:
        raise
    except OSError as reason:
        raise RunDirectoryError(
            f"{operation}: {path} has to be written; got {reason.strerror or reason}. Make room, "
            "or choose another folder; what was there before, checkpoints too, is untouched."
        ) from reason


def write_atomically(
    path: Path, content: bytes, former: Path | None = None, *, operation: str = "run directory"
) -> None:
    """Replace a file by new content, so that a reader finds the old or the new one, whole.

    The content goes to a temporary file beside it and to the disk itself; then one rename
    puts it in place, and the folder is flushed so that the rename survives a power cut too.

    Parameters
    ----------
    path : Path
    content : bytes
    former : Path, optional
        A name in the same folder under which the old file is kept. `path` itself is never
        missing meanwhile.
    operation : str
        Who writes, for messages.

    Raises
    ------
    RunDirectoryError
        If it cannot be written; the old file is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with plain_writing(path, operation):
        try:
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            if former is not None and path.exists():
                _keep(path, former)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)


def _keep(path: Path, former: Path) -> None:
    """Give a file a second name; or copy it, where the file system knows no second names."""
    # Not named as a temporary file is: that would be written into, and this is the old file.
    second = former.with_name(f".{former.name}.{os.getpid()}.link")
    second.unlink(missing_ok=True)
    try:
        os.link(path, second)
    except OSError:
        write_atomically(former, path.read_bytes())
        return
    try:
        second.replace(former)
    finally:
        second.unlink(missing_ok=True)  # still there if both were names of one file already


def remove_leftovers(path: Path) -> None:
    """Remove temporary files of processes that were killed while they wrote a file.

    Parameters
    ----------
    path : Path
        The file they would have replaced.
    """
    with plain_writing(path):
        for leftover in path.parent.glob(f".{path.name}.*"):
            leftover.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
