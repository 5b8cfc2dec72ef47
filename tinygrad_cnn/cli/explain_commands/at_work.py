"""What a command shows while it computes: on a terminal a line that moves, and elsewhere nothing.

It stands on standard error and vanishes, so that what is piped or kept is the answer alone.
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinygrad_cnn.train.progress import Display

__all__ = ["at_work", "bar"]


def at_work(text: str) -> AbstractContextManager[Callable[[str], None]]:
    """Count the seconds of a ``with`` block; what it yields, ``say(text)``, puts other words."""
    return _display().waiting(text)


def bar(text: str, total: int) -> AbstractContextManager[Callable[[int, str], None]]:
    """Show how much of a ``with`` block is done; it yields ``advance(done, text)``."""
    return _display().steps(text, total)


def _display() -> "Display":
    from tinygrad_cnn.train.progress import Display

    return Display(sys.stderr, quiet=not sys.stderr.isatty())
