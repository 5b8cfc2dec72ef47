"""Threads that make batches ahead of the loop that wants them.

Threads and not processes: what takes time when a batch is made, kernels, NumPy and Pillow,
runs without Python's lock; a batch need not be sent to another process; and no process is
forked in the middle of a computation.

Batches have numbers. A thread that is free begins the next one, and puts it on a shelf, from
which the loop takes them by number: the order of the batches does not depend on who was first.
The shelf is bounded, counting those that are under way, so a slow loop costs no memory.

The threads know the shelf and not the iterator that the loop holds. So when nobody holds that
any more, because the loop ended, broke off or was interrupted, it is collected, and with its
last breath sends the threads home.
"""

import contextlib
import contextvars
import threading
import weakref
from collections.abc import Callable
from typing import Any

from tinygrad_cnn.kernels.alone import work_alone

__all__ = ["Crew"]

Make = Callable[[int], Any]
_PATIENCE = 5.0  # seconds that a thread has to finish its batch while somebody waits for that


class Crew:
    """Threads that call ``make(number)`` for the numbers from `first` up to `end` - 1.

    Parameters
    ----------
    make : callable
        Called by several threads at once.
    first, end : int
    workers : int
        How many threads.
    prefetch : int
        How many results may wait, beside one for each thread that is under way.
    """

    def __init__(self, make: Make, first: int, end: int, workers: int, prefetch: int) -> None:
        self._shelf = _Shelf(make, first, end, workers + prefetch)
        threads = [
            # With a context of its own: what `kernels.use` asks for holds in threads as well.
            threading.Thread(
                target=contextvars.copy_context().run,
                args=(_work, self._shelf),
                name=f"DataLoader worker {k}",
                daemon=True,  # never what a program waits for at its end
            )
            for k in range(min(workers, end - first))
        ]
        self.dismiss = weakref.finalize(self, _dismiss, self._shelf, threads)
        for thread in threads:
            thread.start()

    def take(self) -> Any:
        """Wait for the next result and return it, or raise what making it raised."""
        return self._shelf.take()


class _Shelf:
    """The results that were made and not taken, and which number is next."""

    def __init__(self, make: Make, first: int, end: int, capacity: int) -> None:
        self.make = make
        self._begun, self._taken, self._end, self._capacity = first, first, end, capacity
        self._made: dict[int, tuple[Any, BaseException | None]] = {}
        self._stopped = False
        self._changed = threading.Condition()

    def begin(self) -> int | None:
        """Wait for room, and return the number to make next; None if there is none left."""
        with self._changed:
            while not self._stopped and self._begun < self._end:
                if self._begun < self._taken + self._capacity:
                    self._begun += 1
                    return self._begun - 1
                self._changed.wait()
            return None

    def put(self, number: int, result: Any, error: BaseException | None) -> None:
        with self._changed:
            if not self._stopped:
                self._made[number] = result, error
            self._changed.notify_all()

    def take(self) -> Any:
        with self._changed:
            while self._taken not in self._made:
                self._changed.wait()
            result, error = self._made.pop(self._taken)
            self._taken += 1
            self._changed.notify_all()
        if error is not None:
            raise error
        return result

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._made.clear()
            self._changed.notify_all()


def _work(shelf: _Shelf) -> None:
    work_alone()
    while (number := shelf.begin()) is not None:
        _make(shelf, number)


def _make(shelf: _Shelf, number: int) -> None:
    # A function of its own, so that a thread that waits for room holds no batch.
    try:
        result = shelf.make(number)
    except BaseException as error:
        shelf.put(number, None, error)
    else:
        shelf.put(number, result, None)


def _dismiss(shelf: _Shelf, threads: list[threading.Thread]) -> None:
    """Stop the threads, and wait for each to finish the batch that it is making.

    Not for ever: garbage may be collected by whoever holds what that thread waits for.
    """
    shelf.stop()
    if threading.current_thread() in threads:
        return  # one of them collects the garbage; the others may wait for what it holds
    for thread in threads:
        with contextlib.suppress(RuntimeError):  # was never started
            thread.join(_PATIENCE)
