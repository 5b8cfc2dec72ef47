"""A formula as a graph of scalar elements: the same engine, one number at a time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.derivation.chain import Chain
from tinygrad_cnn.explain.derivation.evaluation import axes_for, present, whole
from tinygrad_cnn.explain.derivation.expression import (
    Apply,
    Array,
    Condition,
    Divide,
    Expression,
    Largest,
    Number,
    Plus,
    Power,
    Sum,
    Symbol,
    Times,
    Value,
    substituted,
    walk,
)
from tinygrad_cnn.explain.derivation.forms import Equation
from tinygrad_cnn.explain.recording import Step
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.scalar import Scalar

MOST_TERMS = 20_000  # in one graph of scalars: what it is still quick for


@dataclass
class ScalarLeaves:
    """What the graphs of one expansion have in common: leaves, and how many terms they have.

    Attributes
    ----------
    scalars : dict of (Array, index) to Scalar
        One leaf for each recorded number that takes part.
    terms : int
    """

    scalars: dict[tuple[Array, Shape], Scalar] = field(default_factory=dict)
    terms: int = 0


class ScalarGraph:
    """Builds formulas of one element from scalars.

    Numbers that want no gradient, labels, winners and drawn masks are constants, as is which
    side of a kink a number lies on. What the element itself computed, be it a mean that the
    other numbers of a batch take part in, is expanded as well, once for each number of it.

    Parameters
    ----------
    chain : Chain
    step : Step
    leaves : ScalarLeaves
    """

    def __init__(self, chain: Chain, step: Step, leaves: ScalarLeaves) -> None:
        self.step, self.leaves = step, leaves
        form = chain.form(step)
        self.told: dict[Array, Equation] = {}
        self.made: dict[tuple[Array, Shape], Any] = {}
        self.renamed = 0
        self.known = [chain.array(kept.key) for kept in step.inputs if kept.requires_grad]
        for position, kept in enumerate(step.outputs):
            equation = None if form is None else form.output(position)
            if equation is not None:
                self.told[chain.array(kept.key)] = equation
            signal = chain.signal(kept.key)
            self.known += [] if signal is None else [signal]

    def written_out(self, formula: Expression) -> Expression:
        """Return a formula with what the element itself computed in place of its outputs."""
        if isinstance(formula, Value) and formula.array in self.told:
            equation = self.told[formula.array]
            self.renamed += 1
            own = {letter for part in walk(equation.right) for letter in _summed(part)}
            fresh = {letter: Symbol(f"{letter.name}~{self.renamed}") for letter in own}
            by = dict(zip(equation.letters, formula.index, strict=True))
            right = substituted(_renamed(equation.right, fresh), by)
            return self.written_out(right)
        return formula.rebuilt(self.written_out)

    def scalar(self, formula: Expression) -> Any:
        """Return a formula of numbers as a Scalar, or as a float where nothing is variable."""
        return getattr(self, f"_{type(formula).__name__.lower()}")(formula)

    def _number(self, formula: Number) -> Any:
        return float(formula.value)

    def _value(self, formula: Value) -> Any:
        index = tuple(int(whole(each, {})) for each in formula.index)
        array = formula.array
        if formula.padded and not np.all(present(formula, {})):
            return 0.0
        if array in self.told:
            if (array, index) not in self.made:
                self.made[array, index] = self.scalar(self.told[array].at(index))
            return self.made[array, index]
        if array not in self.known or array.data.dtype.kind != "f":
            return float(array.data[index])
        if (array, index) not in self.leaves.scalars:
            leaf = Scalar(float(array.data[index]), requires_grad=True)
            self.leaves.scalars[array, index] = leaf
        return self.leaves.scalars[array, index]

    def _plus(self, formula: Plus) -> Any:
        return _added([self.scalar(term) for term in formula.terms])

    def _times(self, formula: Times) -> Any:
        product: Any = None
        for factor in formula.factors:
            each = self.scalar(factor)
            product = each if product is None else product * each
        return product

    def _divide(self, formula: Divide) -> Any:
        return self.scalar(formula.above) / self.scalar(formula.below)

    def _power(self, formula: Power) -> Any:
        base, exponent = self.scalar(formula.base), self.scalar(formula.exponent)
        return base * base if exponent == 2.0 else base**exponent

    def _condition(self, formula: Condition) -> Any:
        fixed = Condition(self.fixed(formula.left), formula.relation, self.fixed(formula.right))
        return float(whole(fixed, {}))

    def fixed(self, formula: Expression) -> Expression:
        """Return a side of a condition as a number: it has no derivative."""
        value = self.scalar(formula)
        return Number(float(value))

    def _apply(self, formula: Apply) -> Any:
        given = [self.scalar(each) for each in formula.arguments]
        if formula.function in ("max", "min"):
            if formula.function == "max" and given[0] == 0.0 and isinstance(given[1], Scalar):
                return given[1].relu()
            choose = max if formula.function == "max" else min
            return choose(given, key=float)
        if formula.function == "sign":
            return float(np.sign(float(given[0])))
        if isinstance(given[0], Scalar):
            return getattr(given[0], formula.function)()
        return float(getattr(Scalar(given[0]), formula.function)())

    def _sum(self, formula: Sum) -> Any:
        return _added([self.scalar(term) for term in self.terms(formula)])

    def _largest(self, formula: Largest) -> Any:
        numbers = list(map(self.scalar, self.terms(formula)))
        largest = max(map(float, numbers))
        winners = [each for each in numbers if float(each) == largest]
        ties = self.step.settings.get("ties", "first")
        if ties == "split":
            return _added(winners) / float(len(winners))
        if ties == "all":  # each receives the whole signal
            return _added(winners) - (len(winners) - 1) * largest
        return winners[-1 if ties == "last" else 0]

    def terms(self, formula: Sum) -> list[Expression]:
        """Return the single terms of a sum."""
        self.leaves.terms += math.prod(size for _, size in formula.over)
        if self.leaves.terms > MOST_TERMS:
            raise OptionError(
                f"zoom: a graph of scalars has at most {MOST_TERMS:,} terms; got "
                f"{self.leaves.terms:,} and more in one number of {self.step.label}. Record a run "
                "of fewer or smaller images; derive() checks numbers of any size without a graph"
            )
        inner, _, sizes = axes_for(formula, {})
        there: Any = np.asarray(present(formula.body, inner))
        for condition in formula.where:
            there = np.logical_and(there, whole(condition, inner))
        found = []
        for index in np.argwhere(np.broadcast_to(there, sizes)):
            pairs = zip((letter for letter, _ in formula.over), index, strict=True)
            by: dict[Symbol, Expression] = {letter: Number(int(k)) for letter, k in pairs}
            found.append(substituted(formula.body, by))
        return found


def _added(terms: list[Any]) -> Any:
    total: Any = None
    for term in terms:
        total = term if total is None else total + term
    return 0.0 if total is None else total


def _summed(formula: Expression) -> list[Symbol]:
    return [letter for letter, _ in formula.over] if isinstance(formula, Sum) else []


def _renamed(formula: Expression, by: Mapping[Symbol, Symbol]) -> Expression:
    """Return a formula with other letters, also those that its sums run over."""
    if isinstance(formula, Symbol):
        return by.get(formula, formula)
    inside = formula.rebuilt(lambda part: _renamed(part, by))
    if not isinstance(formula, Sum) or not isinstance(inside, Sum):
        return inside
    over = tuple((by[letter], size) for letter, size in formula.over)
    return replace(inside, over=over)
