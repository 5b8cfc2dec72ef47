"""What runs there are in a folder, and how far each of them came."""

import time
from pathlib import Path
from typing import NamedTuple

from tinygrad_cnn.errors import CheckpointError, MissingDataError, RunDirectoryError
from tinygrad_cnn.train.checkpoint import Checkpoint, peek_checkpoint
from tinygrad_cnn.train.run_directory import RunDirectory

__all__ = ["RunSummary", "find_runs"]


class RunSummary(NamedTuple):
    """A line about a run.

    Attributes
    ----------
    path : Path
    model, data : str
        Empty where the checkpoint cannot be read.
    epochs, of : int
        Finished, and at most.
    accuracy : float, optional
        Of the test images, 0 to 1; None before the first epoch is finished.
    when : str
        When the checkpoint was written, in local time.
    state : str
        "finished", "stopped early", "under way", "can be resumed", "damaged", or "damaged: resume
        --previous" where the checkpoint before can be read; the other fields are of that one.
    """

    path: Path
    model: str
    data: str
    epochs: int
    of: int
    accuracy: float | None
    when: str
    state: str


def find_runs(folder: Path) -> list[RunSummary]:
    """Return the runs in a folder, and in the folder itself if it is one; the oldest first.

    Raises
    ------
    MissingDataError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as empty:
    ...     find_runs(Path(empty))
    []
    """
    if not folder.is_dir():
        raise MissingDataError(
            f"runs: a folder holds the folders of runs; got none at {folder}. Name it, or start a "
            "run with tinygrad-cnn train."
        )
    found = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    written = {}
    for path in found:
        checkpoint = RunDirectory(path).checkpoint
        if checkpoint.is_file():
            written[path] = checkpoint.stat().st_mtime
    return [_summary(path, written[path]) for path in sorted(written, key=written.__getitem__)]


def _summary(path: Path, written: float) -> RunSummary:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(written))
    directory = RunDirectory(path)
    checkpoint, whole = _peek(directory.checkpoint), True
    if checkpoint is None:
        checkpoint, whole = _peek(directory.previous), False
    if checkpoint is None:
        return RunSummary(path, "", "", 0, 0, None, when, "damaged")
    configuration, state = checkpoint.configuration, checkpoint.state
    epochs = configuration.recipe.epochs
    if not whole:
        label = "damaged: resume --previous"
    elif state.ends(epochs):
        label = "stopped early" if state.stopped else "finished"
    else:
        label = "under way" if _in_use(directory) else "can be resumed"
    accuracy = state.result.accuracy if state.history else None
    return RunSummary(
        path, configuration.model, configuration.data, state.epoch, epochs, accuracy, when, label
    )


def _peek(path: Path) -> Checkpoint | None:
    try:
        return peek_checkpoint(path)
    except CheckpointError:
        return None


def _in_use(directory: RunDirectory) -> bool:
    try:
        directory.lock.acquire()
    except RunDirectoryError:
        return True
    directory.lock.release()
    return False
