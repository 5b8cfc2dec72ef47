"""Fan-ins: what came back to a value by each of the paths that reach it.

A value that several elements read gets an error signal from each of them, and δ is their sum::

    x ──▶ F ──▶ +        δ(x) = δ by the branch F + δ by the shortcut
    └───────────┘

How much each of them brought cannot be seen in the sum. So a recording holds the contributions
to such a value until all have arrived, keeps of them their inner products ``⟨c_i, c_j⟩``, and
lets them go. Norms, cosines and shares follow from these.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.kernels.stand_in import is_stand_in


class Contribution(NamedTuple):
    """What one element sent to a value that it had read."""

    element: int  # its order in the recording
    position: int  # of the value among its inputs
    norm: float  # Euclidean


@dataclass(frozen=True)
class FanIn:
    """The contributions to one error signal, in the order in which they arrived.

    Attributes
    ----------
    contributions : tuple of Contribution
    products : tuple of tuple of float
        Inner products of the contributions, each with each.
    norm : float
        ‖Σ c‖, of their sum: δ, unless a hook replaced it or a walk also started there.

    Examples
    --------
    >>> fan_in = FanIn.of([(2, 0, np.array([3.0, 0.0])), (1, 0, np.array([-3.0, 4.0]))])
    >>> fan_in.norm, fan_in.norm_shares, fan_in.cosine(0, 1)
    (4.0, (0.375, 0.625), -0.6)
    >>> fan_in.cancellation, fan_in.shares
    (0.5, (0.0, 1.0))
    """

    contributions: tuple[Contribution, ...]
    products: tuple[tuple[float, ...], ...]
    norm: float

    @classmethod
    def of(cls, arrived: Iterable[tuple[int, int, Any]]) -> "FanIn":
        """Measure contributions, given as (element, position, value)."""
        places, values = [], []
        for element, position, value in arrived:
            places.append((element, position))
            values.append(np.asarray(value, np.float64))
        with np.errstate(all="ignore"):
            total = values[0]
            for value in values[1:]:
                total = total + value
            rows = [[float(np.sum(one * other)) for other in values] for one in values]
            norm = float(np.sqrt(np.sum(total * total)))
        contributions = (
            Contribution(*place, math.sqrt(rows[k][k])) for k, place in enumerate(places)
        )
        return cls(tuple(contributions), tuple(map(tuple, rows)), norm)

    @property
    def norm_shares(self) -> tuple[float, ...]:
        """‖c_k‖ / Σ ‖c_i‖: how much each brought, whatever became of it in the sum."""
        total = sum(each.norm for each in self.contributions)
        return tuple(_ratio(each.norm, total) for each in self.contributions)

    @property
    def shares(self) -> tuple[float, ...]:
        """⟨c_k, δ⟩ / ‖δ‖²: how much of δ each is. They add up to 1; below 0 is against δ."""
        square = self.norm * self.norm
        return tuple(_ratio(sum(row), square) for row in self.products)

    @property
    def cancellation(self) -> float:
        """‖Σ c‖ / Σ ‖c‖: 1 where all point the same way, 0 where nothing is left."""
        return _ratio(self.norm, sum(each.norm for each in self.contributions))

    def cosine(self, one: int, other: int) -> float:
        """Return the cosine between two contributions; NaN where one of them is zero."""
        norms = self.contributions[one].norm * self.contributions[other].norm
        return _ratio(self.products[one][other], norms)

    # -- as part of a document -------------------------------------------------------

    def to_json(self, value: int, numbers: Mapping[int, int], plain: Any) -> dict[str, Any]:
        """Return the part of a document: `numbers` are those of elements, by their order."""
        return {
            "value": value,
            "norm": plain(self.norm),
            "contributions": [
                {"element": numbers[sent.element], "input": sent.position, "norm": plain(sent.norm)}
                for sent in self.contributions
            ],
            "products": [list(map(plain, row)) for row in self.products],
        }

    @classmethod
    def from_json(cls, fan_in: Mapping[str, Any], elements: int, values: int) -> "FanIn":
        """Read what :meth:`to_json` wrote, in a document of so many elements and values."""
        sent = tuple(
            Contribution(each["element"], each["input"], float(each["norm"]))
            for each in fan_in["contributions"]
        )
        if not all(1 <= each.element <= elements for each in sent):
            raise IndexError("a contribution comes from an element of the document")
        if not 0 <= fan_in["value"] < values:
            raise IndexError("contributions go to a value of the document")
        rows = tuple(tuple(map(float, row)) for row in fan_in["products"])
        return cls(sent, rows, float(fan_in["norm"]))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan


class FanInCollector:
    """Holds what arrives at values that are read several times, until all of it is there.

    The contributions themselves are held, not copies of them: while somebody looks on, a walk
    adds error signals up in memory of its own and leaves these alone.
    """

    def __init__(self) -> None:
        self._readers: Counter[int] = Counter()
        self._waiting: dict[int, list[tuple[int, int, Any]]] = {}
        self._finished: dict[int, FanIn] = {}
        self._last = 0  # order of the element that was visited last; a walk goes down

    def read(self, key: int) -> None:
        """Count one more input that an error signal may come back from."""
        self._readers[key] += 1

    def visit(self, order: int, made: Iterable[int], sent: Iterable[tuple[int, Any]]) -> None:
        """Take what an element sent, as (key of the value, signal) for each of its inputs."""
        if order >= self._last:  # another walk: leaves that not all readers reached are finished
            self.finish()
        self._last = order
        for key in made:  # to be visited, all that comes to its outputs had to arrive
            self._measure(key)
        for position, (key, value) in enumerate(sent):
            if value is None or self._readers[key] < 2 or is_stand_in(value):
                continue
            waiting = self._waiting.setdefault(key, [])
            waiting.append((order, position, value))
            if len(waiting) == self._readers[key]:
                self._measure(key)

    def finish(self) -> None:
        """Measure what is held, and hold nothing any more."""
        for key in list(self._waiting):
            self._measure(key)

    def _measure(self, key: int) -> None:
        waiting = self._waiting.pop(key, ())
        if len(waiting) > 1:
            self._finished[key] = FanIn.of(waiting)
        elif waiting:  # of several readers one alone sent something: no fan-in of this walk
            self._finished.pop(key, None)

    def among(self, elements: Iterable[int], keys: Iterable[int]) -> dict[int, FanIn]:
        """Return the fan-ins at values with these keys, whose paths lead through these elements."""
        self.finish()
        known = set(elements)
        return {
            key: fan_in
            for key in keys
            if (fan_in := self._finished.get(key)) is not None
            and known.issuperset(sent.element for sent in fan_in.contributions)
        }
