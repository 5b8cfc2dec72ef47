"""The slow interpreter: evaluate a formula with recorded numbers, and say how sure that is.

An index letter stands for a number or for an array of numbers, so one walk evaluates a formula
at many places. Beside each value a bound of its rounding error is carried along ("running error
analysis", N. J. Higham, "Accuracy and stability of numerical algorithms", 2nd edition, SIAM
2002, section 3.3), in the precision of the kernels: two ways of computing the same thing may
differ by that much and no more, whatever the order of their sums. That is the tolerance; no
number of it was chosen to make a comparison pass.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.explain.derivation.expression import (
    Apply,
    Condition,
    Divide,
    Expression,
    FloorDivide,
    Largest,
    Modulo,
    Number,
    Plus,
    Power,
    Sum,
    Symbol,
    Times,
    Value,
)

Numbers = npt.NDArray[Any]
TERMS_AT_ONCE = 2_000_000  # how many terms are held in memory


class Bounded(NamedTuple):
    """A value, and a bound of the rounding error of a kernel that computes it."""

    value: Any
    error: Any


_RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": np.equal,
    "≠": np.not_equal,
    "<": np.less,
    "≤": np.less_equal,
    ">": np.greater,
    "≥": np.greater_equal,
}

# A function, and how much its result moves with its argument: |f'|.
_FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[[Any, Any], Any]]] = {
    "exp": (np.exp, lambda x, y: y),
    "log": (np.log, lambda x, y: 1 / np.abs(x)),
    "sqrt": (np.sqrt, lambda x, y: 0.5 / y),
    "tanh": (np.tanh, lambda x, y: 1 - y * y),
    "abs": (np.abs, lambda x, y: 1.0),
    "sign": (np.sign, lambda x, y: 0.0),
}
_ROUNDINGS = 4  # units in the last place that a library's exp, log … may be off


def evaluate(formula: Expression, at: Mapping[Symbol, Any], unit: float) -> Bounded:
    """Evaluate a formula with numbers, or arrays of numbers that broadcast, for its letters.

    Parameters
    ----------
    formula : Expression
    at : mapping of Symbol to int or ndarray of int
    unit : float
        Distance of 1 from the next number in the precision of the kernels.

    Returns
    -------
    Bounded
        Value and bound of the rounding error.
    """
    with np.errstate(all="ignore"):
        return _Evaluation(unit).of(formula, dict(at))


def whole(formula: Expression, at: Mapping[Symbol, Any]) -> Any:
    """Evaluate an index or a condition: whole numbers or truth values."""
    return evaluate(formula, at, 0.0).value


def present(formula: Expression, at: Mapping[Symbol, Any]) -> Any:
    """Tell where a term is there at all: no factor of it lies outside its array."""
    inside: Any = True
    if isinstance(formula, Value) and formula.padded:
        index = (whole(each, at) for each in formula.index)
        inside = _inside(tuple(index), formula.array.data.shape)
    elif isinstance(formula, Times):
        for factor in formula.factors:
            inside = np.logical_and(inside, present(factor, at))
    elif isinstance(formula, Condition):
        inside = whole(formula, at) != 0
    elif isinstance(formula, Divide):
        inside = present(formula.above, at)
    return inside


def _inside(index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    inside: Any = True
    for each, size in zip(index, shape, strict=True):
        inside = np.logical_and(inside, np.logical_and(each >= 0, each < size))
    return inside


def _roundings(terms: int) -> float:
    """Return how many roundings the sum of so many terms is off, in whatever order it is made.

    At most n, and all but never more than λ √n, since they go up as often as down: with λ = 8 the
    chance is below 2 n exp(-λ²/2), about one in 10¹³ for each term (N. J. Higham, T. Mary, "A new
    approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41(5), 2019,
    section 2).
    """
    return min(float(terms), 8.0 * math.sqrt(terms))


class _Evaluation:
    """One walk over a formula."""

    def __init__(self, unit: float) -> None:
        self.unit = unit

    def of(self, formula: Expression, at: dict[Symbol, Any]) -> Bounded:
        """Evaluate by the kind of a formula."""
        return getattr(self, f"_{type(formula).__name__.lower()}")(formula, at)

    def _number(self, formula: Number, at: dict[Symbol, Any]) -> Bounded:
        return Bounded(formula.value, 0.0)

    def _symbol(self, formula: Symbol, at: dict[Symbol, Any]) -> Bounded:
        return Bounded(at[formula], 0.0)

    def _value(self, formula: Value, at: dict[Symbol, Any]) -> Bounded:
        data = formula.array.data
        index = tuple(self.of(each, at).value for each in formula.index)
        if not formula.padded or not index:
            return Bounded(data[index], 0.0)
        inside = _inside(index, data.shape)
        if data.size == 0:
            return Bounded(np.zeros(np.shape(inside)), 0.0)
        near = (np.clip(each, 0, size - 1) for each, size in zip(index, data.shape, strict=True))
        return Bounded(np.where(inside, data[tuple(near)], 0), 0.0)

    def _plus(self, formula: Plus, at: dict[Symbol, Any]) -> Bounded:
        total = Bounded(0, 0.0)
        for term in formula.terms:
            value, error = self.of(term, at)
            value = total.value + value
            total = Bounded(value, total.error + error + self.unit * np.abs(value))
        return total

    def _times(self, formula: Times, at: dict[Symbol, Any]) -> Bounded:
        product = Bounded(1, 0.0)
        for factor in formula.factors:
            value, error = self.of(factor, at)
            error = np.abs(product.value) * error + product.error * (np.abs(value) + error)
            value = product.value * value
            product = Bounded(value, error + self.unit * np.abs(value))
        return product

    def _divide(self, formula: Divide, at: dict[Symbol, Any]) -> Bounded:
        above, below = self.of(formula.above, at), self.of(formula.below, at)
        value = above.value / below.value
        error = (above.error + np.abs(value) * below.error) / np.abs(below.value)
        return Bounded(value, error + self.unit * np.abs(value))

    def _floordivide(self, formula: FloorDivide, at: dict[Symbol, Any]) -> Bounded:
        return Bounded(self.of(formula.whole, at).value // formula.by, 0.0)

    def _modulo(self, formula: Modulo, at: dict[Symbol, Any]) -> Bounded:
        return Bounded(self.of(formula.whole, at).value % formula.by, 0.0)

    def _power(self, formula: Power, at: dict[Symbol, Any]) -> Bounded:
        base, exponent = self.of(formula.base, at), self.of(formula.exponent, at)
        value = np.power(np.asarray(base.value, np.float64), exponent.value)
        slope = np.abs(exponent.value * value / base.value)
        error = np.where(base.error == 0, 0.0, slope * base.error)
        if np.any(exponent.error):
            error = error + np.abs(value * np.log(base.value)) * exponent.error
        return Bounded(value, error + _ROUNDINGS * self.unit * np.abs(value))

    def _apply(self, formula: Apply, at: dict[Symbol, Any]) -> Bounded:
        given = [self.of(each, at) for each in formula.arguments]
        if formula.function in ("max", "min"):
            choose = np.maximum if formula.function == "max" else np.minimum
            value = choose(given[0].value, given[1].value)
            return Bounded(value, np.maximum(given[0].error, given[1].error))
        function, slope = _FUNCTIONS[formula.function]
        value = function(given[0].value)
        error = given[0].error
        if np.any(error):
            error = np.abs(slope(given[0].value, value)) * error
        return Bounded(value, error + _ROUNDINGS * self.unit * np.abs(value))

    def _condition(self, formula: Condition, at: dict[Symbol, Any]) -> Bounded:
        left, right = self.of(formula.left, at).value, self.of(formula.right, at).value
        return Bounded(np.where(_RELATIONS[formula.relation](left, right), 1, 0), 0.0)

    def _sum(self, formula: Sum, at: dict[Symbol, Any]) -> Bounded:
        """Sum over the letters, once for each place that the terms tell apart.

        The sums of a normalisation are the same for all pixels of a channel.
        """
        used = letters_of(formula)
        many = {letter: each for letter, each in at.items() if np.ndim(each)}
        known = [letter for letter in many if letter in used]
        if formula.over and len(known) < len(many):
            shape = np.broadcast_shapes(*(np.shape(each) for each in many.values()))
            fewer = {letter: each for letter, each in at.items() if letter not in many}
            if not known:
                value, error = self._every(formula, fewer)
                return Bounded(np.broadcast_to(value, shape), np.broadcast_to(error, shape))
            rows = np.stack([np.broadcast_to(many[k], shape).reshape(-1) for k in known])
            places, back = np.unique(rows, axis=1, return_inverse=True)
            if places.shape[1] * 2 <= rows.shape[1]:
                fewer |= dict(zip(known, places, strict=True))
                value, error = (np.asarray(each) for each in self._every(formula, fewer))
                back = back.reshape(shape)
                return Bounded(value[back], error[back])
        return self._every(formula, at)

    def _every(self, formula: Sum, at: dict[Symbol, Any]) -> Bounded:
        if not formula.over:  # conditions alone
            value, error = self.of(formula.body, at)
            holds = self._holds(formula, at)
            return Bounded(np.where(holds, value, 0), np.where(holds, error, 0))
        inner, axes, sizes = axes_for(formula, at)
        value, error = self.of(formula.body, inner)
        holds = self._holds(formula, inner)
        shape = np.broadcast_shapes(
            np.shape(value), np.shape(holds), *(np.shape(each) for each in inner.values())
        )
        value, error = (np.broadcast_to(np.where(holds, each, 0), shape) for each in (value, error))
        roundings = _roundings(math.prod(sizes)) * self.unit
        total = np.abs(value).sum(axis=axes)
        return Bounded(value.sum(axis=axes), error.sum(axis=axes) + roundings * total)

    def _largest(self, formula: Largest, at: dict[Symbol, Any]) -> Bounded:
        inner, axes, _ = axes_for(formula, at)
        value, error = self.of(formula.body, inner)
        value = np.where(present(formula.body, inner), value, -np.inf)
        return Bounded(value.max(axis=axes), np.max(error))

    def _holds(self, formula: Sum, at: dict[Symbol, Any]) -> Any:
        holds: Any = True
        for condition in formula.where:
            holds = np.logical_and(holds, self.of(condition, at).value)
        return holds


def axes_for(
    formula: Sum, at: Mapping[Symbol, Any]
) -> tuple[dict[Symbol, Any], tuple[int, ...], tuple[int, ...]]:
    """Return letters with an axis for each letter of a sum, those axes, and their sizes."""
    count = len(formula.over)
    inner = {
        letter: np.asarray(each)[(..., *(None,) * count)] if np.ndim(each) else each
        for letter, each in at.items()
    }
    for position, (letter, size) in enumerate(formula.over):
        shape = [1] * count
        shape[position] = size
        inner[letter] = np.arange(size).reshape(shape)
    return inner, tuple(range(-count, 0)), tuple(size for _, size in formula.over)


def letters_of(formula: Expression) -> frozenset[Symbol]:
    """Return the letters that a formula depends on: not those that its own sums run over."""
    if isinstance(formula, Symbol):
        return frozenset((formula,))
    inside = frozenset[Symbol]().union(*map(letters_of, formula.parts()))
    if isinstance(formula, Sum):
        return inside - {letter for letter, _ in formula.over}
    return inside


class Work(NamedTuple):
    """Terms of a sum, nested ones included, and the places that it has to be made for."""

    terms: int
    places: int


def works(formula: Expression, sizes: Mapping[Symbol, int]) -> list[Work]:
    """Return what it takes to evaluate a formula everywhere: one entry for each innermost sum.

    Parameters
    ----------
    formula : Expression
    sizes : mapping of Symbol to int
        How many numbers each letter stands for.
    """
    inner = [work for part in formula.parts() for work in works(part, sizes)]
    if not isinstance(formula, Sum):
        return inner
    own = math.prod(size for _, size in formula.over)
    places = math.prod(sizes.get(letter, 1) for letter in letters_of(formula))
    return [Work(own * work.terms, max(places, 1)) for work in inner] or [Work(own, places)]
