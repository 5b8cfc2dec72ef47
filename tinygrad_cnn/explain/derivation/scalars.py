"""A formula as a graph of scalar elements: the same engine, one number at a time."""

import math
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
)
from tinygrad_cnn.explain.recording import Step
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.scalar import Scalar

MOST_TERMS = 20_000  # of one number: what a graph of scalars is still quick for


class ScalarGraph:
    """Builds a formula from scalars: one leaf for each recorded number that takes part.

    Numbers that want no gradient, labels and winners are constants, as is which side of a kink a
    number lies on. What the element itself computed is expanded as well.

    Attributes
    ----------
    leaves : dict of (Array, index) to Scalar
    """

    def __init__(self, chain: Chain, step: Step) -> None:
        self.step = step
        self.leaves: dict[tuple[Array, Shape], Scalar] = {}
        form = chain.form(step)
        self.forward = None if form is None else form.forward
        self.outputs = [chain.array(kept.key) for kept in step.outputs]
        self.known = [chain.array(kept.key) for kept in step.inputs if kept.requires_grad]
        signal = chain.signal(step.outputs[0].key)
        self.known += [] if signal is None else [signal]

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
        if array is self.outputs[0] and self.forward is not None:
            letters: dict[Symbol, Expression] = {
                letter: Number(k) for letter, k in zip(self.forward.letters, index, strict=True)
            }
            return self.scalar(substituted(self.forward.right, letters))
        if array not in self.known or array.data.dtype.kind != "f":
            if array in self.outputs and array.data.dtype.kind == "f":
                raise OptionError(
                    f"zoom: a number is expanded into those that an element read; got "
                    f"{self.step.label}, whose rule speaks of {array.name} of the whole batch"
                )
            return float(array.data[index])
        if (array, index) not in self.leaves:
            leaf = Scalar(float(array.data[index]), requires_grad=True)
            self.leaves[array, index] = leaf
        return self.leaves[array, index]

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
        count = math.prod(size for _, size in formula.over)
        if count > MOST_TERMS:
            raise OptionError(
                f"zoom: a number of at most {MOST_TERMS:,} terms is expanded; got {count:,} of "
                f"{self.step.label}"
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
