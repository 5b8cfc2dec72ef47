"""What a run shows while it goes on: a bar on a terminal, plain lines in a log.

On a terminal a bar moves below the lines that stay. Anywhere else, in a file or the log of
a build server, only these lines are written, at once and without control codes.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tinygrad_cnn.train.state import EpochRecord, TrainingState

__all__ = ["Display", "counted", "epoch_heading", "epoch_line", "step_line"]

# Heading, and how the number below it is written; columns are as wide as their heading.
_COLUMNS: tuple[tuple[str, Callable[[EpochRecord], str]], ...] = (
    ("epoch", lambda record: f"{record.epoch}"),
    ("train loss", lambda record: f"{record.train_loss:.4f}"),
    ("train accuracy", lambda record: f"{100 * record.train.accuracy:.2f} %"),
    ("test loss", lambda record: f"{record.test_loss:.4f}"),
    ("test accuracy", lambda record: f"{100 * record.test.accuracy:.2f} %"),
    ("learning rate", lambda record: f"{record.lr:.3g}"),
    ("seconds", lambda record: f"{record.seconds:.2f}"),
)


def counted(number: int, one: str, more: str | None = None) -> str:
    """Return a number of things in words.

    Examples
    --------
    >>> counted(1, "epoch"), counted(2, "epoch"), counted(3, "batch", "batches")
    ('1 epoch', '2 epochs', '3 batches')
    """
    return f"{number} {one if number == 1 else more or one + 's'}"


def epoch_heading() -> str:
    """Return the heading of the table of epochs.

    Examples
    --------
    >>> epoch_heading()
    'epoch  train loss  train accuracy  test loss  test accuracy  learning rate  seconds'
    """
    return "  ".join(heading for heading, _ in _COLUMNS)


def epoch_line(record: EpochRecord) -> str:
    """Return the line of one epoch in the table.

    Examples
    --------
    >>> epoch_line(EpochRecord(7, 0.004, 0.251, 1300, 1438, 0.2, 340, 359, 0.31))
    '    7      0.2510         90.40 %     0.2000        94.71 %          0.004     0.31'
    """
    return "  ".join(write(record).rjust(len(heading)) for heading, write in _COLUMNS)


def step_line(state: TrainingState, epochs: int) -> str:
    """Return what stands beside the bar: means over the epoch under way, and the pace.

    Examples
    --------
    >>> step_line(TrainingState(epoch=2, step=5, loss_sum=80, correct=120, seen=160, seconds=2), 9)
    'epoch 3 of 9  loss 0.500  accuracy 75.0 %  80 images/s'
    """
    seen = max(state.seen, 1)
    return (
        f"epoch {state.epoch + 1} of {epochs}  loss {state.loss_sum / seen:.3f}  accuracy "
        f"{100 * state.correct / seen:.1f} %  {state.seen / max(state.seconds, 1e-9):,.0f} images/s"
    )


class Display:
    """Writes lines, and moves a bar below them where somebody can see it move.

    Parameters
    ----------
    stream : text stream, optional
        By default standard output.
    quiet : bool
        Show nothing but what is said with ``always=True``.

    Examples
    --------
    >>> display = Display()
    >>> with display.steps("training", total=2) as advance:
    ...     display.line("halfway")
    ...     advance(1, "epoch 1 of 1")
    halfway
    """

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self.stream = sys.stdout if stream is None else stream
        self.quiet = quiet
        self._console: Any = None
        if not quiet and self.stream.isatty():
            from rich.console import Console

            console = Console(file=self.stream)
            if not console.is_dumb_terminal:
                self._console = console

    def line(self, text: str = "", always: bool = False) -> None:
        """Write a line, or several."""
        if self.quiet and not always:
            return
        if self._console is None:
            print(text, file=self.stream, flush=True)
        else:  # rich keeps the bar below it
            self._console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    @contextmanager
    def waiting(self, text: str) -> Iterator[Callable[[str], None]]:
        """Say what is being done for as long as the ``with`` block takes.

        On a terminal the seconds are counted, and what is yielded, called as ``say(text)``,
        puts other words in their place; all of it vanishes with the block.
        """
        if self._console is None:
            self.line(f"{text} …")
            yield lambda text: None
            return
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        words = TextColumn("{task.description}", markup=False)
        columns = (SpinnerColumn(), words, TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(f"{text} …", total=None)
            yield lambda text: progress.update(task, description=text)

    @contextmanager
    def steps(self, text: str, total: int, done: int = 0) -> Iterator[Callable[[int, str], None]]:
        """Show a bar of `total` steps; call what is yielded as ``advance(done, text)``."""
        if self._console is None:
            yield lambda done, text: None
            return
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(text, total=total, completed=done)

            def advance(done: int, text: str) -> None:
                progress.update(task, completed=done, description=text)

            yield advance
