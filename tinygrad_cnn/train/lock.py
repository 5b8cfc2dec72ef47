"""A folder that one process at a time works in."""

import importlib
import os
from pathlib import Path
from typing import Any

from tinygrad_cnn.errors import RunDirectoryError

__all__ = ["FolderLock"]


class FolderLock:
    """Keeps other processes out of a folder, as far as they ask.

    The operating system holds the lock, and releases it when the process ends, however it
    ends: nothing is written, nothing is left behind. Where there are no such locks, on
    Windows and on some network file systems, nobody is kept out.

    Parameters
    ----------
    path : Path
        The folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = FolderLock(Path(folder))
    ...     lock.acquire()
    ...     lock.release()
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; one that is held already stays held.

        Raises
        ------
        RunDirectoryError
            If somebody else holds it.
        """
        if self._descriptor is not None:
            return
        try:
            system: Any = importlib.import_module("fcntl")
            descriptor = os.open(self.path, os.O_RDONLY)
        except (ImportError, OSError):  # no locks here, or no folder: whoever reads it will say
            return
        try:
            system.flock(descriptor, system.LOCK_EX | system.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise RunDirectoryError(
                f"run directory: one process at a time works on a run; got {self.path}, which is "
                "in use. Wait for the other one to end, or stop it."
            ) from None
        except OSError:  # a file system without locks
            os.close(descriptor)
            return
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others in; without a lock nothing happens."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
