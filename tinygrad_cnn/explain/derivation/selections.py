"""Index forms of elements that choose numbers: by a key, by size, by bounds."""

from collections.abc import Sequence
from typing import Any

from tinygrad_cnn.explain.derivation.expression import (
    Condition,
    Expression,
    Largest,
    Number,
    apply,
    equals,
    expression,
    sum_over,
)
from tinygrad_cnn.explain.derivation.forms import (
    Equation,
    IndexForm,
    Place,
    form,
    letters_for,
    primed,
    sizes,
)


@form("index")
def picked(place: Place) -> IndexForm | None:
    """Write out what whole numbers and slices pick; arrays of places are not written out."""
    if "key" not in place.settings:
        return None
    x, key = place.inputs[0], place.settings["key"]
    parts: Sequence[Any] = key if isinstance(key, tuple) else (key,)
    if not all(type(part) in (int, slice) for part in parts):
        return None
    given = letters_for(x.data.shape)
    whole = (slice(None),) * (len(given) - len(parts))
    out, forward, back, conditions = [], list[Expression](), list[Expression](), []
    for letter, part, size in zip(given, (*parts, *whole), x.data.shape, strict=True):
        if isinstance(part, int):
            forward.append(Number(part % size))
            conditions.append(equals(letter, part % size))
            continue
        first, _, step = part.indices(size)
        if step < 0:
            return None
        out.append(letter)
        forward.append(letter * step + first)
        back.append((letter - first) // step)
        conditions.append(equals((letter - first) % step, 0))
    form = IndexForm(Equation(tuple(out), x[tuple(forward)]))
    if place.signals[0] is not None:
        right = sum_over((), place.signal().padded(*back), *conditions)
        form.signals[0] = Equation(given, right)
    return form


@form("max", "min")
def extreme(place: Place) -> IndexForm:
    """Write out y = max x along axes, and δ(y) at the winner."""
    x, axes, keepdim = place.inputs[0], place.settings["axes"], place.settings["keepdim"]
    given = letters_for(x.data.shape)
    pairs = sizes(given, x.data.shape)
    over = tuple(pairs[axis] for axis in axes)
    sign = 1 if place.step.name == "max" else -1
    rest = tuple(letter for axis, letter in enumerate(given) if axis not in axes)
    read: tuple[Expression, ...] = rest
    if keepdim:
        others = zip(given, primed(given), strict=True)
        rest = tuple(o if axis in axes else letter for axis, (letter, o) in enumerate(others))
        read = tuple(Number(0) if k in axes else letter for k, letter in enumerate(given))
    form = IndexForm(Equation(rest, sign * Largest(over, sign * x[given])))
    if place.signals[0] is not None:
        won: Expression = expression(0)
        for letter, size in over:
            won = won * size + letter
        winner = equals(place.outputs[1][read], won)
        form.signals[0] = Equation(given, place.signal()[read] * winner)
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
