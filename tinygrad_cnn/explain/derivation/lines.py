"""Lines of a derivation: equations that can be printed, evaluated and checked.

A line says what one error signal is made of: at every place of an array, in letters, or at one
place, in single terms. :meth:`Line.check` evaluates it with the recorded numbers and compares
the result with what the kernels computed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_cnn.explain.derivation.evaluation import (
    TERMS_AT_ONCE,
    Work,
    axes_for,
    evaluate,
    letters_of,
    present,
    whole,
    works,
)
from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Expression,
    Largest,
    Number,
    Plus,
    Sum,
    Symbol,
    Value,
    plus,
    substituted,
    walk,
)
from tinygrad_cnn.graph import Shape

MOST_TERMS = 10_000_000  # that one line is checked with; of a longer one only some places are


@dataclass(frozen=True)
class Check:
    """How an equation and a kernel compare.

    Attributes
    ----------
    checked, places : int
        How many numbers were evaluated, of how many.
    index : tuple of int
        Where they differ most, by the measure of the rounding that is to be expected.
    said, computed : float
        What the equation says there, and what the kernel computed.
    allowed : float
        How far rounding alone can take them from each other.
    """

    checked: int
    places: int
    index: Shape
    said: float
    computed: float
    allowed: float

    @property
    def agrees(self) -> bool:
        """Whether they differ by no more than rounding explains."""
        if math.isnan(self.said) or math.isnan(self.computed):
            return math.isnan(self.said) and math.isnan(self.computed)
        return self.said == self.computed or abs(self.said - self.computed) <= self.allowed


@dataclass(frozen=True)
class Terms:
    """Single terms of a sum: those to be shown, by size or in order, and how many there are."""

    shown: list[Expression]
    count: int


@dataclass(frozen=True)
class Line:
    """One equation: ``left[letters] = right``, or ``left[index] = right`` at one place.

    Parameters
    ----------
    label : str
        The element whose rule this is.
    left : Array
        An error signal, or a forward value, as it was recorded.
    letters : tuple of Symbol
        One for each axis of the left side.
    right : Expression or None
        What it is made of; None where the element has no index form.
    unit : float
        Distance of 1 from the next number in its type.
    index : tuple of int, optional
        The place, if it is one.
    remark : str
        What a reader should know of it.
    """

    label: str
    left: Array
    letters: tuple[Symbol, ...]
    right: Expression | None
    unit: float
    index: Shape | None = None
    remark: str = ""

    def at(self, index: Shape) -> "Line":
        """Return the line at one place."""
        by: dict[Symbol, Expression] = {
            letter: Number(int(k)) for letter, k in zip(self.letters, index, strict=True)
        }
        right = None if self.right is None else substituted(self.right, by)
        return replace(self, right=right, index=tuple(map(int, index)))

    @property
    def left_side(self) -> Value:
        """The left side as a formula."""
        return self.left[self.letters if self.index is None else self.index]

    def result(self) -> float:
        """Return the recorded number at the place of a line."""
        return float(self.left.data[self.index or ()])

    # -- single terms ----------------------------------------------------------------------

    def terms(self, most: int | None) -> Terms:
        """Take the right side apart; of more than `most` terms return the largest three."""
        found: list[tuple[float, Expression]] = []
        count = 0
        for part in self.right.terms if isinstance(self.right, Plus) else (self.right,):
            if part is None:
                continue
            if isinstance(part, Sum) and not isinstance(part, Largest):
                total, pairs = _largest_terms(part, most, self.unit)
                count += total
                found += pairs
            else:
                count += 1
                found.append((abs(float(evaluate(part, {}, 0.0).value)), part))
        if most is not None and count > most:
            found = sorted(found, key=lambda pair: -pair[0])[:3]
        else:
            found.sort(key=lambda pair: _place_of_signal(pair[1]))
        return Terms([term for _, term in found], count)

    # -- checking --------------------------------------------------------------------------

    def check(self) -> Check | None:
        """Evaluate the line and compare it with what was recorded; None without a right side."""
        if self.right is None:
            return None
        data = np.asarray(self.left.data)
        if self.index is not None or not self.letters:
            value, error = evaluate(self.right, {}, self.unit)
            index = self.index or ()
            bound = 2.0 * float(error) + self.unit * abs(float(value))
            return Check(1, 1, index, float(value), float(data[index]), bound)
        chosen = self._places(data.size)
        said, allowed = np.zeros(len(chosen)), np.zeros(len(chosen))
        done = 0
        for part in self._portions(chosen):
            index = np.unravel_index(part, data.shape)
            at: dict[Symbol, Any] = dict(zip(self.letters, index, strict=True))
            value, error = evaluate(self.right, at, self.unit)
            said[done : done + len(part)], allowed[done : done + len(part)] = value, error
            done += len(part)
        if not len(chosen):
            return Check(0, 0, (), 0.0, 0.0, 0.0)
        # A kernel may compute neighbours together, so what rounding does to the largest of
        # them it may do to all. Both sides are rounded, and the result once more to be stored.
        allowed = 2.0 * allowed + self.unit * np.abs(said)
        bound = float(np.max(np.where(np.isfinite(allowed), allowed, 0.0)))
        computed = data.reshape(-1)[chosen].astype(np.float64)
        with np.errstate(invalid="ignore"):
            differs = np.abs(said - computed)
        same = (said == computed) | (np.isnan(said) & np.isnan(computed))
        differs = np.where(same, 0.0, np.where(np.isnan(differs), np.inf, differs))
        worst = int(np.argmax(differs))
        index = tuple(int(k) for k in np.unravel_index(chosen[worst], data.shape))
        facts = float(said[worst]), float(computed[worst]), bound
        return Check(len(chosen), data.size, index, *facts)

    def _places(self, size: int) -> Any:
        total = sum(work.terms * work.places for work in self._works())
        if total <= MOST_TERMS:
            return np.arange(size)
        most = max(1, int(size * MOST_TERMS / total))
        return np.unique(np.linspace(0, size - 1, most).astype(np.intp))

    def _portions(self, chosen: Any) -> Iterator[Any]:
        at_once = TERMS_AT_ONCE
        for work in self._works():
            if work.terms * work.places > TERMS_AT_ONCE:
                at_once = min(at_once, max(1, TERMS_AT_ONCE // work.terms))
        for begin in range(0, len(chosen), at_once):
            yield chosen[begin : begin + at_once]

    def _works(self) -> list[Work]:
        sizes = dict(zip(self.letters, self.left.data.shape, strict=True))
        return [] if self.right is None else works(self.right, sizes)

    def received(self) -> list[tuple[int, Shape]]:
        """Return the error signals that stand on the right side, by key and place."""
        found: dict[tuple[int, Shape], None] = {}
        for part in walk(self.right) if self.right is not None else ():
            if not isinstance(part, Value) or part.array.key is None or letters_of(part):
                continue
            place = tuple(int(whole(each, {})) for each in part.index)
            if all(0 <= k < n for k, n in zip(place, part.array.data.shape, strict=True)):
                found[part.array.key, place] = None
        return list(found)


def _place_of_signal(term: Expression) -> Shape:
    """Return the index of the error signal in a term: δ1·w3 comes before δ2·w2."""
    for part in walk(term):
        if isinstance(part, Value) and part.array.key is not None:
            return tuple(int(each.value) for each in part.index if isinstance(each, Number))
    return ()


def _largest_terms(
    total: Sum, most: int | None, unit: float
) -> tuple[int, list[tuple[float, Expression]]]:
    """Return how many terms a sum has, and all of them in order, or the largest three."""
    inner, _, sizes = axes_for(total, {})
    there = np.asarray(present(total.body, inner))
    for condition in total.where:
        there = np.logical_and(there, evaluate(condition, inner, 0.0).value)
    there = np.broadcast_to(there, sizes)
    value = np.broadcast_to(np.abs(evaluate(total.body, inner, unit).value), sizes)
    places = np.flatnonzero(there)
    count = len(places)
    if most is not None and count > most:
        order = np.argsort(-value.reshape(-1)[places], kind="stable")[:3]
        places = places[order]
    pairs = []
    for place in places:
        index = np.unravel_index(place, sizes)
        letters = (letter for letter, _ in total.over)
        by: dict[Symbol, Expression] = {
            letter: Number(int(k)) for letter, k in zip(letters, index, strict=True)
        }
        pairs.append((float(value.reshape(-1)[place]), substituted(total.body, by)))
    return count, pairs


def together(terms: list[Expression]) -> Expression:
    """Return the sum of terms, in their order."""
    return plus(*terms)
