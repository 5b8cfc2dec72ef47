"""A small language for index sums: what is printed of a derivation is what is evaluated.

``Σ_{i<3} δ(y)[i]·x[i+v]`` is :class:`Sum` over i of :class:`Times` of two :class:`Value`, whose
indices are expressions of the same language. Recorded arrays stand in it under their names
(:class:`Array`), so that an expression can be printed (:mod:`.notation`), evaluated
with recorded numbers (:mod:`.evaluation`) and taken apart into single terms.

Expressions are built with operators, and whole numbers are added up as they are built: with
stride 1 and no padding ``(r + 0 - u·1) // 1`` is ``r - u`` at once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Union

import numpy as np
import numpy.typing as npt

Operand = Union["Expression", int, float]


class Expression:
    """A formula; operators build larger ones."""

    def __add__(self, other: Operand) -> "Expression":
        return plus(self, other)

    def __radd__(self, other: Operand) -> "Expression":
        return plus(other, self)

    def __sub__(self, other: Operand) -> "Expression":
        return plus(self, -expression(other))

    def __rsub__(self, other: Operand) -> "Expression":
        return plus(other, -self)

    def __mul__(self, other: Operand) -> "Expression":
        return times(self, other)

    def __rmul__(self, other: Operand) -> "Expression":
        return times(other, self)

    def __neg__(self) -> "Expression":
        return times(-1, self)

    def __truediv__(self, other: Operand) -> "Expression":
        below = expression(other)
        return self if below == ONE else Divide(self, below)

    def __rtruediv__(self, other: Operand) -> "Expression":
        return expression(other) / self

    def __floordiv__(self, other: int) -> "Expression":
        if isinstance(self, Number):
            return Number(self.value // other)
        return self if other == 1 else FloorDivide(self, other)

    def __mod__(self, other: int) -> "Expression":
        if isinstance(self, Number):
            return Number(self.value % other)
        return Number(0) if other == 1 else Modulo(self, other)

    def __pow__(self, other: Operand) -> "Expression":
        return Power(self, expression(other))

    def parts(self) -> "tuple[Expression, ...]":
        """Return the expressions that this one is made of."""
        return ()

    def rebuilt(self, change: "Callable[[Expression], Expression]") -> "Expression":
        """Return the same with each part changed."""
        return self


@dataclass(frozen=True)
class Symbol(Expression):
    """An index letter."""

    name: str


@dataclass(frozen=True)
class Number(Expression):
    """A number; whole ones are Python integers."""

    value: int | float


ONE = Number(1)


@dataclass(frozen=True, eq=False)
class Array:
    """A recorded array under the name that a reader knows it by.

    Parameters
    ----------
    name : str
        As it is printed: ``C3.weight``, ``δ(C3)``.
    data : ndarray
        What was recorded of it.
    key : int, optional
        Of an error signal: which value of the recording it belongs to.
    of : str, optional
        Of an error signal: name of the value.
    parameter : bool
        Of an error signal: whether it is written as a derivative, ``∂L/∂C3.weight``.
    """

    name: str
    data: npt.NDArray[Any]
    key: int | None = None
    of: str = ""
    parameter: bool = False

    def __getitem__(self, index: Any) -> "Value":
        index = index if isinstance(index, tuple) else (index,)
        return Value(self, tuple(map(expression, index)))

    def padded(self, *index: Operand) -> "Value":
        """Return a value that counts 0 where the index lies outside."""
        return Value(self, tuple(map(expression, index)), padded=True)


@dataclass(frozen=True)
class Value(Expression):
    """An element of a recorded array; where it is `padded`, 0 outside."""

    array: Array
    index: tuple[Expression, ...]
    padded: bool = False

    def parts(self) -> tuple[Expression, ...]:
        return self.index

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        return replace(self, index=tuple(map(change, self.index)))


@dataclass(frozen=True)
class Plus(Expression):
    """A sum of terms."""

    terms: tuple[Expression, ...]

    def parts(self) -> tuple[Expression, ...]:
        return self.terms

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        return plus(*map(change, self.terms))


@dataclass(frozen=True)
class Times(Expression):
    """A product."""

    factors: tuple[Expression, ...]

    def parts(self) -> tuple[Expression, ...]:
        return self.factors

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        return times(*map(change, self.factors))


@dataclass(frozen=True)
class Divide(Expression):
    """A fraction."""

    above: Expression
    below: Expression

    def parts(self) -> tuple[Expression, ...]:
        return self.above, self.below

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        return change(self.above) / change(self.below)


@dataclass(frozen=True)
class FloorDivide(Expression):
    """How often a whole number goes into another."""

    whole: Expression
    by: int

    def parts(self) -> tuple[Expression, ...]:
        return (self.whole,)

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        return change(self.whole) // self.by


@dataclass(frozen=True)
class Modulo(Expression):
    """What is left of a whole number."""

    whole: Expression
    by: int

    def parts(self) -> tuple[Expression, ...]:
        return (self.whole,)

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        return change(self.whole) % self.by


@dataclass(frozen=True)
class Power(Expression):
    """A power."""

    base: Expression
    exponent: Expression

    def parts(self) -> tuple[Expression, ...]:
        return self.base, self.exponent

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        return Power(change(self.base), change(self.exponent))


@dataclass(frozen=True)
class Apply(Expression):
    """A function: exp, log, sqrt, tanh, abs, sign, max or min."""

    function: str
    arguments: tuple[Expression, ...]

    def parts(self) -> tuple[Expression, ...]:
        return self.arguments

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        return Apply(self.function, tuple(map(change, self.arguments)))


@dataclass(frozen=True)
class Condition(Expression):
    """A bracket [left = right], 1 where it holds and 0 elsewhere: a winner, a kink, a label."""

    left: Expression
    relation: str  # one of = ≠ < ≤ > ≥
    right: Expression

    def parts(self) -> tuple[Expression, ...]:
        return self.left, self.right

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        return Condition(change(self.left), self.relation, change(self.right))

    @property
    def is_plain(self) -> bool:
        """Whether it holds by itself: 0 = 0, what a stride of 1 leaves of a condition."""
        return self.relation == "=" and self.left == self.right


@dataclass(frozen=True)
class Sum(Expression):
    """A sum over index letters, each from 0, where all conditions hold."""

    over: tuple[tuple[Symbol, int], ...]
    body: Expression
    where: tuple[Condition, ...] = field(default=())

    def parts(self) -> tuple[Expression, ...]:
        return self.body, *self.where

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        conditions = [change(each) for each in self.where]
        return sum_over(self.over, change(self.body), *conditions)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Largest(Sum):
    """The largest number over index letters; what lies outside its array is none."""

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        return replace(self, body=change(self.body))


# -- building ------------------------------------------------------------------------------


def expression(operand: Operand) -> Expression:
    """Return an operand as an expression."""
    return operand if isinstance(operand, Expression) else Number(operand)


def _flat(kind: type, operands: Iterable[Operand]) -> Iterator[Expression]:
    for operand in map(expression, operands):
        if isinstance(operand, kind):
            yield from operand.parts()
        else:
            yield operand


def _whole(each: Expression) -> bool:
    return isinstance(each, Number) and isinstance(each.value, int)


def plus(*operands: Operand) -> Expression:
    """Add; whole numbers are put together behind the rest, and opposite terms vanish."""
    total, terms = 0, list[Expression]()
    for term in _flat(Plus, operands):
        if _whole(term):
            total += term.value  # type: ignore[attr-defined]
        elif times(-1, term) in terms and is_index(term):
            terms.remove(times(-1, term))
        else:
            terms.append(term)
    if total or not terms:
        terms.append(Number(total))
    return terms[0] if len(terms) == 1 else Plus(tuple(terms))


def is_index(formula: Expression) -> bool:
    """Tell whether a formula is made of index letters and whole numbers alone."""
    if isinstance(formula, Symbol) or _whole(formula):
        return True
    parts = formula.parts() if isinstance(formula, Plus | Times | FloorDivide | Modulo) else ()
    return bool(parts) and all(map(is_index, parts))


def times(*operands: Operand) -> Expression:
    """Multiply; whole numbers are put together before the rest, and multiply out index sums."""
    factor, factors = 1, list[Expression]()
    for each in _flat(Times, operands):
        if _whole(each):
            factor *= each.value  # type: ignore[attr-defined]
        else:
            factors.append(each)
    if factor == 0 or not factors:
        return Number(factor)
    if len(factors) == 1 and isinstance(factors[0], Plus) and factor != 1:
        terms = factors[0].terms
        if all(is_index(term) for term in terms):
            return plus(*(times(factor, term) for term in terms))
    if factor != 1:
        factors.insert(0, Number(factor))
    return factors[0] if len(factors) == 1 else Times(tuple(factors))


def sum_over(over: Iterable[tuple[Symbol, int]], body: Expression, *where: Condition) -> Expression:
    """Sum over index letters; one that can only be 0 is put in, and plain conditions go."""
    over = tuple(over)
    single: dict[Symbol, Expression] = {letter: Number(0) for letter, size in over if size == 1}
    if single:
        body = substituted(body, single)
        where = tuple(substituted(each, single) for each in where)  # type: ignore[misc]
    rest = tuple((letter, size) for letter, size in over if size != 1)
    conditions = tuple(each for each in where if not each.is_plain)
    return Sum(rest, body, conditions) if rest or conditions else body


def substituted(formula: Expression, by: Mapping[Symbol, Expression]) -> Expression:
    """Return a formula with expressions in place of index letters."""
    if isinstance(formula, Symbol):
        return by.get(formula, formula)
    if isinstance(formula, Number):
        return formula
    if isinstance(formula, Sum):  # its own letters stay
        own = {letter for letter, _ in formula.over}
        by = {letter: each for letter, each in by.items() if letter not in own}
    return formula.rebuilt(lambda part: substituted(part, by))


def walk(formula: Expression) -> Iterator[Expression]:
    """Yield a formula and all that it is made of."""
    yield formula
    for part in formula.parts():
        yield from walk(part)


def apply(function: str, *arguments: Operand) -> Expression:
    """Return a function of expressions."""
    return Apply(function, tuple(map(expression, arguments)))


def equals(left: Operand, right: Operand) -> Condition:
    """Return the bracket [left = right]."""
    return Condition(expression(left), "=", expression(right))


def as_array(value: Any) -> npt.NDArray[Any]:
    """Return a recorded value for an :class:`Array`: numbers in the widest type of their kind.

    Places of winners are kept in bytes, which an index formula would overflow.
    """
    array = np.asarray(value)
    widest = {"f": np.float64, "i": np.int64, "u": np.int64}.get(array.dtype.kind)
    return array if widest is None else array.astype(widest)
