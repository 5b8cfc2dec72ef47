"""The folder of a run: what was asked, what happened, and how to go on.

===================================  ==================================================
``config.json``                      what the run was asked to do
``log.jsonl``                        one line of JSON for each finished epoch
``curves.png``                       loss and accuracy by epoch
``checkpoint.safetensors``           from where the run goes on
``previous-checkpoint.safetensors``  from where it goes on if that one is damaged
``backward.txt``                     the story of one backward pass
``tensorboard/``                     event files, where they were asked for
===================================  ==================================================
"""

import dataclasses
import json
import os
import time
from pathlib import Path

from tinygrad_cnn.atomic import plain_writing, remove_leftovers, write_atomically
from tinygrad_cnn.errors import RunDirectoryError
from tinygrad_cnn.train.checkpoint import former_of
from tinygrad_cnn.train.configuration import RunConfiguration
from tinygrad_cnn.train.lock import FolderLock
from tinygrad_cnn.train.state import EpochRecord
from tinygrad_cnn.train.tensorboard import EventLog

__all__ = ["RunDirectory"]


class RunDirectory:
    """A folder and the files of one run in it.

    Parameters
    ----------
    path : Path
        Where it is; see :meth:`create` for a new one.

    Attributes
    ----------
    lock : FolderLock
        Held by the process that works on the run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = FolderLock(path)
        self.config = path / "config.json"
        self.log = path / "log.jsonl"
        self.curves = path / "curves.png"
        self.checkpoint = path / "checkpoint.safetensors"
        self.previous = former_of(self.checkpoint)
        self.story = path / "backward.txt"
        self.tensorboard = path / "tensorboard"

    @classmethod
    def create(cls, path: str | os.PathLike[str] | None, model: str, data: str) -> "RunDirectory":
        """Make a new folder, or take an empty one.

        Parameters
        ----------
        path : path, optional
            Without it ``runs/<model>-<data>-<date>-<time>`` in the folder one is in.
        model, data : str

        Raises
        ------
        RunDirectoryError
            If it cannot be made, or holds something: nothing is ever overwritten.
        """
        chosen = _fresh_name(model, data) if path is None else Path(path)
        with plain_writing(chosen):
            if chosen.exists() and (not chosen.is_dir() or any(chosen.iterdir())):
                kind = "a folder with something in it" if chosen.is_dir() else "a file"
                raise RunDirectoryError(
                    f"run directory: a new run takes a folder that is new or empty; got {kind}, "
                    f"{chosen}. Choose another folder, or continue the run that is in it."
                )
            chosen.mkdir(parents=True, exist_ok=True)
        return cls(chosen)

    def write_config(self, configuration: RunConfiguration) -> None:
        """Write down what the run was asked to do."""
        text = json.dumps(configuration.to_json(), indent=2) + "\n"
        write_atomically(self.config, text.encode())

    def write_story(self, story: str) -> None:
        """Write down the story of a backward pass."""
        write_atomically(self.story, f"{story}\n".encode())

    def make_tensorboard(self) -> None:
        """Make the folder of event files: where there is one, they are written."""
        with plain_writing(self.tensorboard):
            self.tensorboard.mkdir(exist_ok=True)

    def open_tensorboard(self, history: list[EpochRecord]) -> EventLog | None:
        """Return the log of event files after these epochs, where they were asked for."""
        return EventLog(self.tensorboard, history) if self.tensorboard.is_dir() else None

    def append_log(self, record: EpochRecord) -> None:
        """Add the line of a finished epoch."""
        with plain_writing(self.log), self.log.open("a", encoding="utf-8") as stream:
            stream.write(_line(record))

    def go_back(self) -> None:
        """Put the checkpoint before the last one in its place; that one is lost."""
        with plain_writing(self.checkpoint):
            self.previous.replace(self.checkpoint)

    def mend(self, history: list[EpochRecord]) -> None:
        """Make the folder agree with its checkpoint, whatever a killed run left in it."""
        written = (self.checkpoint, self.previous, self.log, self.config, self.curves, self.story)
        for path in written:
            remove_leftovers(path)
        write_atomically(self.log, "".join(map(_line, history)).encode())


def _line(record: EpochRecord) -> str:
    return json.dumps(dataclasses.asdict(record)) + "\n"


def _fresh_name(model: str, data: str) -> Path:
    name = f"{model}-{data}-{time.strftime('%Y%m%d-%H%M%S')}"
    path, number = Path("runs") / name, 2
    while path.exists():
        path, number = Path("runs") / f"{name}-{number}", number + 1
    return path
