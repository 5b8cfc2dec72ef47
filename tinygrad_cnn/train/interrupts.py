"""Ctrl-C and termination: noted when they come, acted on where the state is whole.

A handler that raised at once could do so in the middle of an optimiser's update, and the
checkpoint written next would hold half a step. So the handler only takes a note; the
training loop asks between steps.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "Interruption", "noted_interrupts"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """Somebody asked the program to stop; like KeyboardInterrupt no ``Exception``.

    Parameters
    ----------
    number : int
        The signal that asked.

    Examples
    --------
    >>> Interrupted(signal.SIGTERM).exit_code
    143
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.signal = signal.Signals(number)

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that was stopped: 128 + the signal's number."""
        return 128 + int(self.signal)


class Interruption:
    """A note of the first signal that came."""

    def __init__(self) -> None:
        self.number: int | None = None

    def note(self, number: int, frame: FrameType | None = None) -> None:
        """Remember a signal; a second one changes nothing, the first is being obeyed."""
        if self.number is None:
            self.number = number

    def check(self) -> None:
        """Raise what was noted, if anything was.

        Raises
        ------
        Interrupted
            If a signal came since the ``with`` block began.
        """
        if self.number is not None:
            raise Interrupted(self.number)


@contextmanager
def noted_interrupts() -> Iterator[Interruption]:
    """Take notes of SIGINT and SIGTERM in a ``with`` block; the former handlers come back.

    Raises
    ------
    ValueError
        Outside the main thread: Python hands signals to that one alone.

    Examples
    --------
    >>> with noted_interrupts() as interruption:
    ...     interruption.check()  # between two steps
    """
    interruption = Interruption()
    former: dict[signal.Signals, Any] = {}
    try:
        for number in SIGNALS:
            former[number] = signal.signal(number, interruption.note)
        yield interruption
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
