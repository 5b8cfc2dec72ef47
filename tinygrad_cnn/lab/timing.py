"""How long several ways of doing one thing take, measured so that they can be compared.

The contestants take turns, so that a busy machine disturbs all of them alike. A turn is a
burst of calls after a rest, and its first call does not count, for before it another
contestant has filled the caches. Of the others the median is kept, with the quartiles as the
spread.

The rest is for the threads of the libraries measured: they wait for their next task without
sleeping, for 100 ms in the case of OpenBLAS, and would take a core from whoever is next.
"""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.errors import OptionError

_BURST = 0.05  # seconds that a turn lasts, or two calls
_NAP = 0.005  # seconds of rest, until all threads sleep through one
_LONGEST_REST = 0.5
_MOST = 2000  # calls that count, however short they are


class Timing(NamedTuple):
    """Median, lower and upper quartile in seconds, of so many calls."""

    seconds: float
    low: float
    high: float
    repeats: int


class Effort(NamedTuple):
    """How much time measuring may take.

    Parameters
    ----------
    seconds : float
        For one contestant in one discipline, about.
    repeats : int, optional
        So many calls that count, however long they take.
    fewest : int
        Calls that count at the least, where `repeats` is not given.
    """

    seconds: float = 0.3
    repeats: int | None = None
    fewest: int = 5


def rest() -> None:
    """Wait until no thread of this process is busy, or half a second."""
    end = time.perf_counter() + _LONGEST_REST
    busy = _NAP
    while busy > 0.2 * _NAP and time.perf_counter() < end:
        before = time.process_time()
        time.sleep(_NAP)
        busy = time.process_time() - before


def take_turns(contestants: Mapping[str, Callable[[], Any]], effort: Effort) -> dict[str, Timing]:
    """Measure functions against each other; each has run once before, to be ready.

    Raises
    ------
    OptionError
        If there is less than one repeat.

    Examples
    --------
    >>> timings = take_turns({"list": list, "dict": dict}, Effort(repeats=3))
    >>> [(name, timing.repeats) for name, timing in timings.items()]
    [('list', 3), ('dict', 3)]
    """
    if effort.repeats is not None and effort.repeats < 1:
        raise OptionError(f"bench: there is at least one repeat; got {effort.repeats}")
    times: dict[str, list[float]] = {name: [] for name in contestants}
    spent = dict.fromkeys(contestants, 0.0)
    waiting = list(contestants)
    while waiting:
        for name in tuple(waiting):
            seen = _burst(contestants[name], effort.repeats, len(times[name]))
            spent[name] += sum(seen)
            times[name] += seen[1:]
            if _enough(len(times[name]), spent[name], effort):
                waiting.remove(name)
    return {name: _summed_up(seen) for name, seen in times.items()}


def _burst(run: Callable[[], Any], repeats: int | None, done: int) -> list[float]:
    most = _MOST if repeats is None else repeats - done
    seen: list[float] = []
    rest()
    end = time.perf_counter() + _BURST
    while len(seen) < 2 or (len(seen) <= most and time.perf_counter() < end):
        begin = time.perf_counter()
        run()
        seen.append(time.perf_counter() - begin)
    return seen


def _enough(calls: int, spent: float, effort: Effort) -> bool:
    if effort.repeats is not None:
        return calls >= effort.repeats
    return calls >= effort.fewest and (spent >= effort.seconds or calls >= _MOST)


def _summed_up(seen: list[float]) -> Timing:
    low, high = np.quantile(seen, [0.25, 0.75])
    return Timing(median(seen), float(low), float(high), len(seen))
