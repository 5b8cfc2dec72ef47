"""Index forms of elements that choose numbers by size or by bounds."""

import math
from typing import NamedTuple

from tinygrad_cnn.explain.derivation.expression import (
    Condition,
    Expression,
    Largest,
    Number,
    Symbol,
    apply,
    equals,
    expression,
    sum_over,
)
from tinygrad_cnn.explain.derivation.forms import (
    Equation,
    IndexForm,
    Letters,
    Place,
    form,
    letters_for,
    primed,
    sizes,
)


class _Axes(NamedTuple):
    """Letters of an extreme along axes: those of x, of the result, and how x reads the result."""

    given: Letters
    over: tuple[tuple[Symbol, int], ...]
    rest: Letters
    read: tuple[Expression, ...]


def _axes(place: Place) -> _Axes:
    axes = place.settings["axes"]
    given = letters_for(place.inputs[0].data.shape)
    pairs = sizes(given, place.inputs[0].data.shape)
    over = tuple(pairs[axis] for axis in axes)
    if not place.settings["keepdim"]:
        rest = tuple(letter for axis, letter in enumerate(given) if axis not in axes)
        return _Axes(given, over, rest, rest)
    both = enumerate(zip(given, primed(given), strict=True))
    rest = tuple(other if axis in axes else letter for axis, (letter, other) in both)
    read = tuple(Number(0) if k in axes else letter for k, letter in enumerate(given))
    return _Axes(given, over, rest, read)


def _extreme(place: Place, axes: _Axes) -> IndexForm:
    x, sign = place.inputs[0], 1 if place.step.name.startswith("max") else -1
    return IndexForm(Equation(axes.rest, sign * Largest(axes.over, sign * x[axes.given])))


@form("max", "min")
def extreme(place: Place) -> IndexForm:
    """Write out y = max x along axes, and δ(y) at the winner."""
    axes = _axes(place)
    form = _extreme(place, axes)
    winner: Expression = place.outputs[1][axes.rest]
    below, seen = math.prod(size for _, size in axes.over), dict[Symbol, Expression]()
    for position, (letter, size) in enumerate(axes.over):
        below //= size
        place_of = winner // below
        seen[letter] = place_of % size if position and size > 1 else place_of
    index = tuple(seen.get(letter, letter) for letter in axes.given)
    form.chosen = Equation(axes.rest, place.inputs[0][index])
    if place.signals[0] is not None:
        won: Expression = expression(0)
        for letter, size in axes.over:
            won = won * size + letter
        here = equals(place.outputs[1][axes.read], won)
        form.signals[0] = Equation(axes.given, place.signal()[axes.read] * here)
    return form


@form("max_shared", "min_shared")
def shared_extreme(place: Place) -> IndexForm:
    """Write out y = max x along axes, and δ(y) that all winners receive, or share."""
    axes, x, y = _axes(place), place.inputs[0], place.outputs[0]
    form = _extreme(place, axes)
    if place.signals[0] is not None:
        right = place.signal()[axes.read] * equals(x[axes.given], y[axes.read])
        if place.settings["ties"] == "split":
            other = dict(zip(axes.given, primed(axes.given), strict=True))
            over = [(other[letter], size) for letter, size in axes.over]
            along = {letter for letter, _ in axes.over}
            there = tuple(other[k] if k in along else k for k in axes.given)
            right = right / sum_over(over, equals(x[there], y[axes.read]))
        form.signals[0] = Equation(axes.given, right)
    return form


@form("clamp")
def bounded(place: Place) -> IndexForm:
    """Write out y = min(max(x, a), b), and its mask."""
    x, (least, most) = place.inputs[0], (place.settings[name] for name in ("least", "most"))
    given = letters_for(x.data.shape)
    right: Expression = x[given]
    within: Expression = expression(1)
    if least is not None:
        right = apply("max", right, least)
        within = within * Condition(x[given], "≥", Number(least))
    if most is not None:
        right = apply("min", right, most)
        within = within * Condition(x[given], "≤", Number(most))
    form = IndexForm(Equation(given, right))
    if place.signals[0] is not None:
        form.signals[0] = Equation(given, place.signal()[given] * within)
    return form
