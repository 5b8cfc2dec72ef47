"""Index forms of affine maps, of sums over axes, and of elements that only move numbers."""

import math
from collections.abc import Sequence

from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Condition,
    Expression,
    Number,
    Symbol,
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
    letters,
    letters_for,
    primed,
    sizes,
)
from tinygrad_cnn.graph import Shape


@form("affine", "affine_relu", "affine_sigmoid", "affine_tanh")
def affine(place: Place) -> IndexForm:
    """Write out z = W x + b for each vector of a batch; of scalars z = w·x + b."""
    x, weight, bias = place.inputs[0], place.inputs[1], place.input(2)
    out = place.outputs[0].data.shape
    # Of scalars there is one of each, and no letter.
    e, d = (letters("e"), letters("d")) if weight.data.shape else ((), ())
    batch = letters_for(out[:-1]) if len(out) != 2 else letters("n")
    over_e, over_d = sizes(e, weight.data.shape[:1]), sizes(d, weight.data.shape[1:])
    right = sum_over(over_d, weight[(*e, *d)] * x[(*batch, *d)])
    if bias is not None:
        right = right + bias[e]
    form = IndexForm(Equation((*batch, *e), place.activated(right)))
    if place.signals[0] is None:
        return form
    signal, over_batch = place.through(*batch, *e), sizes(batch, out[: len(batch)])
    form.signals[0] = Equation((*batch, *d), sum_over(over_e, signal * weight[(*e, *d)]))
    form.signals[1] = Equation((*e, *d), sum_over(over_batch, signal * x[(*batch, *d)]))
    form.signals[2] = Equation(e, sum_over(over_batch, signal))
    return form


@form("matmul")
def product(place: Place) -> IndexForm:
    """Write out y = a·b for each pair of matrices of two stacks, which broadcast."""
    a, b, out = place.inputs[0], place.inputs[1], place.outputs[0].data.shape
    i, k, j = letters("i k j")
    stack = letters("n c m l")[: len(out) - 2]
    inner = [(k, a.data.shape[-1])]

    def own(array: Array) -> tuple[list[Expression], Letters, list[tuple[Symbol, int]]]:
        """Return an operand's index into its stack, its letters, and those it is repeated over."""
        shape = array.data.shape[:-2]
        last = stack[len(stack) - len(shape) :]
        both = zip(last, shape, strict=True)
        index: list[Expression] = [Number(0) if s == 1 else each for each, s in both]
        repeated = [
            (letter, size)
            for axis, (letter, size) in enumerate(zip(stack, out[:-2], strict=True))
            if axis < len(stack) - len(shape) or shape[axis - len(stack)] == 1
        ]
        return index, last, repeated

    (of_a, a_letters, over_a), (of_b, b_letters, over_b) = own(a), own(b)
    left, right = a[(*of_a, i, k)], b[(*of_b, k, j)]
    form = IndexForm(Equation((*stack, i, j), sum_over(inner, left * right)))
    if place.signals[0] is not None:
        signal = place.signal()[(*stack, i, j)]
        to_a = sum_over([*over_a, (j, out[-1])], signal * right)
        to_b = sum_over([*over_b, (i, out[-2])], left * signal)
        form.signals[0] = Equation((*a_letters, i, k), to_a)
        form.signals[1] = Equation((*b_letters, k, j), to_b)
    return form


@form("sum", "mean")
def totals(place: Place) -> IndexForm:
    """Write out y = Σ x over some axes, divided by their size for the mean."""
    x, axes = place.inputs[0], place.settings["axes"]
    given = letters_for(x.data.shape)
    over = [pair for axis, pair in enumerate(sizes(given, x.data.shape)) if axis in axes]
    count = max(math.prod(size for _, size in over), 1) if place.step.name == "mean" else 1
    rest = tuple(letter for axis, letter in enumerate(given) if axis not in axes)
    read: tuple[Expression, ...] = rest
    if place.settings["keepdim"]:  # axes of size one have letters of their own, which are 0
        both = enumerate(zip(given, primed(given), strict=True))
        rest = tuple(other if axis in axes else letter for axis, (letter, other) in both)
        read = tuple(Number(0) if k in axes else letter for k, letter in enumerate(given))
    form = IndexForm(Equation(rest, sum_over(over, x[given]) / count))
    if place.signals[0] is not None:
        form.signals[0] = Equation(given, place.signal()[read] / count)
    return form


@form("broadcast_to")
def repeats(place: Place) -> IndexForm:
    """Write out y = x repeated; its adjoint adds up over the repeats."""
    x, out = place.inputs[0], place.outputs[0]
    full, own = out.data.shape, x.data.shape
    given = letters_for(full)
    skipped = len(full) - len(own)
    index = tuple(
        Number(0) if size == 1 else letter
        for letter, size in zip(given[skipped:], own, strict=True)
    )
    over = [
        (letter, size)
        for axis, (letter, size) in enumerate(sizes(given, full))
        if axis < skipped or own[axis - skipped] == 1
    ]
    form = IndexForm(Equation(given, x[index]))
    if place.signals[0] is not None:
        form.signals[0] = Equation(given[skipped:], sum_over(over, place.signal()[given]))
    return form


# -- the same numbers at other places ------------------------------------------------------


@form("reshape")
def reshaped(place: Place) -> IndexForm:
    """Write out where each number stands, in (N, C, H, W) order."""
    x, out = place.inputs[0], place.outputs[0]
    form = IndexForm(_moved(x, letters_for(out.data.shape), out.data.shape))
    if place.signals[0] is not None:
        given = letters_for(x.data.shape)
        form.signals[0] = _moved(place.signal(), given, x.data.shape)
    return form


def _moved(source: Array, given: Letters, shape: Shape) -> Equation:
    """Read, with letters for one shape, an array that has the same numbers in another."""
    other = source.data.shape
    same = 0  # leading axes that both have
    while same < min(len(shape), len(other)) and shape[same] == other[same]:
        same += 1
    flat: Expression = Number(0)
    for letter, size in zip(given[same:], shape[same:], strict=True):
        flat = flat * size + (letter if size != 1 else 0)
    return Equation(given, source[(*given[:same], *_unravelled(flat, other[same:]))])


def _unravelled(flat: Expression, shape: Sequence[int]) -> list[Expression]:
    """Return the index into a shape of the number at a place of the whole row."""
    index = []
    below = math.prod(shape)
    for axis, size in enumerate(shape):
        below //= max(size, 1)
        whole = flat // max(below, 1)
        index.append(whole if axis == 0 or size == 1 else whole % size)
    return [Number(0) if size == 1 else each for each, size in zip(index, shape, strict=True)]


@form("transpose")
def transposed(place: Place) -> IndexForm:
    """Write out y with the axes of x in another order."""
    x, axes = place.inputs[0], place.settings["axes"]
    given = letters_for(x.data.shape)
    turned = tuple(given[axis] for axis in axes)
    form = IndexForm(Equation(turned, x[given]))
    if place.signals[0] is not None:
        form.signals[0] = Equation(given, place.signal()[turned])
    return form


@form("concatenate")
def joined(place: Place) -> IndexForm:
    """Write out y as its parts, each of which counts 0 beyond its own channels."""
    axis, shape = place.settings["dim"], place.outputs[0].data.shape
    given = letters_for(shape)
    form = IndexForm(None)
    begin, right = 0, expression(0)
    for position, part in enumerate(place.inputs):
        moved = given[axis] - begin
        right = right + part.padded(*given[:axis], moved, *given[axis + 1 :])
        if place.signals[0] is not None:
            index = (*given[:axis], given[axis] + begin, *given[axis + 1 :])
            form.signals[position] = Equation(given, place.signal()[index])
        begin += part.data.shape[axis]
    form.forward = Equation(given, right)
    return form


@form("stack_scalars")
def stacked(place: Place) -> IndexForm:
    """Write out a row of scalars."""
    (k,) = letters("k")
    right, form = expression(0), IndexForm(None)
    for position, part in enumerate(place.inputs):
        right = right + equals(k, position) * part[()]
        if place.signals[0] is not None:
            form.signals[position] = Equation((), place.signal()[(position,)])
    form.forward = Equation((k,), right)
    return form


@form("unstack_scalars")
def unstacked(place: Place) -> IndexForm:
    """Write out single numbers of a row, and the row of their error signals."""
    (k,) = letters("k")
    form = IndexForm(None)
    right = expression(0)
    for position, signal in enumerate(place.signals):
        form.outputs[position] = Equation((), place.inputs[0][(position,)])
        if signal is not None:
            right = right + equals(k, position) * signal[()]
    form.forward = form.outputs[0]
    form.signals[0] = Equation((k,), right)
    return form


@form("pad")
def surrounded(place: Place) -> IndexForm:
    """Write out y as x within a border of one value."""
    x, before = place.inputs[0], [first for first, _ in place.settings["widths"]]
    given = letters_for(x.data.shape)
    inner = [letter - first for letter, first in zip(given, before, strict=True)]
    right: Expression = x.padded(*inner)
    if value := place.settings["value"]:
        inside: Expression = expression(1)
        pairs = zip(inner, x.data.shape, place.outputs[0].data.shape, strict=True)
        for each, size, whole in pairs:
            if size != whole:
                within = Condition(each, "≥", Number(0)) * Condition(each, "<", Number(size))
                inside = inside * within
        right = right + value * (1 - inside)
    form = IndexForm(Equation(given, right))
    if place.signals[0] is not None:
        outer = [letter + first for letter, first in zip(given, before, strict=True)]
        form.signals[0] = Equation(given, place.signal().padded(*outer))
    return form
