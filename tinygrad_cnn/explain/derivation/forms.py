"""Index forms: the rule of an element, written out for each number of its arrays.

The rule of an element says ``δ(x) = δ(z) * weight``; its index form says which numbers are
multiplied and added up: ``δ(x)[n,c,r,q] = Σ_{o,u,v} δ(z)[n,o,r+p-u,q+p-v]·weight[o,c,u,v]``, with
the stride, padding, dilation and groups of this element. A form is a function of a
:class:`Place`; :func:`form` enters it into :data:`FORMS`, where the contract test finds it.

Letters are those of the kernels (:mod:`tinygrad_cnn.kernels.geometry`): n image, o and c output
and input channel, i and j output row and column, r and q input row and column, u and v kernel row
and column; d and e features in and out, k class.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.element import ELEMENTS
from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Expression,
    Number,
    Symbol,
    substituted,
)
from tinygrad_cnn.explain.derivation.rule_text import read_rule
from tinygrad_cnn.explain.recording import Step
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.rule import Rule

Letters = tuple[Symbol, ...]


class Equation(NamedTuple):
    """One side of an equation for every number of an array, with a letter for each axis."""

    letters: Letters
    right: Expression

    def at(self, index: Shape) -> Expression:
        """Return the right side at one place."""
        by: dict[Symbol, Expression] = {
            letter: Number(int(k)) for letter, k in zip(self.letters, index, strict=True)
        }
        return substituted(self.right, by)


@dataclass
class IndexForm:
    """What an element computes, and the error signals of its inputs, by their positions.

    Attributes
    ----------
    forward : Equation or None
        The first output.
    signals : dict of int to Equation
    outputs : dict of int to Equation
        Other outputs, where they are told.
    chosen : Equation or None
        The first output once more, read where the element says that it was found: winners.
    """

    forward: Equation | None
    signals: dict[int, Equation] = field(default_factory=dict)
    outputs: dict[int, Equation] = field(default_factory=dict)
    chosen: Equation | None = None

    def output(self, position: int) -> Equation | None:
        """Return how one of the outputs is computed, if it is told."""
        return self.forward if position == 0 else self.outputs.get(position)


@dataclass
class Place:
    """What a form sees of one element of a recording.

    Parameters
    ----------
    step : Step
    inputs, outputs : sequence of Array
        Recorded values under their names.
    signals : sequence of Array or None
        Error signals of the outputs.
    """

    step: Step
    inputs: Sequence[Array]
    outputs: Sequence[Array]
    signals: Sequence[Array | None]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the element was given besides its inputs: window, axes, reduction."""
        return self.step.settings

    @property
    def rule(self) -> Rule:
        """The rule of the element."""
        return self.step.rule

    def signal(self) -> Array:
        """Return the error signal of the first output."""
        found = self.signals[0]
        if found is None:  # derive() asks elements that were walked alone
            raise LookupError(self.step.label)
        return found

    def input(self, position: int) -> Array | None:
        """Return an optional input."""
        return self.inputs[position] if position < len(self.inputs) else None

    def activation(self) -> Rule | None:
        """Return the rule of the activation that is part of this element."""
        kind = getattr(ELEMENTS[self.step.name], "activation", None)
        return None if kind is None else kind.rule

    def activated(self, z: Expression) -> Expression:
        """Return a result as the activation of this element lets it through."""
        rule = self.activation()
        return z if rule is None else read_rule(rule.forward, {"z": z})

    def through(self, *index: Any, padded: bool = False) -> Expression:
        """Return δ at an index of the output, sent back through the activation if there is one.

        If it is `padded`, what lies outside the output counts 0.
        """
        rule, signal, output = self.activation(), self.signal(), self.outputs[0]
        here = signal.padded(*index) if padded else signal[index]
        if rule is None:
            return here
        a = output.padded(*index) if padded else output[index]
        return read_rule(rule.backward["z"], {"δa": here, "a": a})


Form = Callable[[Place], IndexForm | None]
FORMS: dict[str, Form] = {}

# Why an element has no index form.
WITHOUT_FORM = {
    "checkpoint": "it runs a function again on the walk back, so that nothing of its inside was "
    "kept. Run that part without tg.checkpoint to see its elements",
}


def form(*names: str) -> Callable[[Form], Form]:
    """Enter a function as the index form of elements; it may decline with None."""

    def enter(function: Form) -> Form:
        for name in names:
            FORMS[name] = function
        return function

    return enter


def letters(names: str) -> Letters:
    """Return index letters: one for each word."""
    return tuple(map(Symbol, names.split()))


_USUAL = {0: "", 1: "k", 2: "n k", 3: "n c i", 4: "n c i j"}


def letters_for(shape: Shape) -> Letters:
    """Return letters for the axes of an array that no rule names."""
    named = _USUAL.get(len(shape))
    return letters(named if named is not None else " ".join(f"a{k}" for k in range(len(shape))))


def primed(given: Letters) -> Letters:
    """Return other letters for the same axes."""
    return tuple(Symbol(f"{letter.name}'") for letter in given)


def sizes(given: Letters, shape: Shape) -> tuple[tuple[Symbol, int], ...]:
    """Return letters with the sizes of their axes."""
    return tuple(zip(given, shape, strict=True))


def size_of(array: Array) -> int:
    """Return how many numbers there are."""
    return int(np.size(array.data))
