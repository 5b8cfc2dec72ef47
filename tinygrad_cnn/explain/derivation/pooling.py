"""Index forms of pooling: averages, sums and maxima over windows, cells and whole images."""

import math
from typing import Any

import numpy as np

from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Condition,
    Expression,
    Largest,
    Number,
    apply,
    equals,
    sum_over,
)
from tinygrad_cnn.explain.derivation.forms import (
    Equation,
    IndexForm,
    Place,
    form,
    letters,
    primed,
)
from tinygrad_cnn.explain.derivation.windows import Axis, axes_of, pixels_of


def _pooling(place: Place) -> tuple[list[Axis], tuple[Any, ...]]:
    x, out = place.inputs[0], place.outputs[0]
    axes = axes_of(place.settings["window"], out.data.shape[2:4], x.data.shape[2:])
    return axes, letters("n c")


@form("avg_pool2d", "sum_pool2d")
def averages(place: Place) -> IndexForm:
    """Write out y = Σ x / m, and δ(x) as the sum of δ(y) / m over the windows with a pixel."""
    axes, (n, c) = _pooling(place)
    outs, pixels, taps = zip(*((a.out, a.pixel, a.tap) for a in axes), strict=True)
    rows, columns = place.settings["spans"]
    counted = np.outer(rows[:, 2], columns[:, 2])
    same = counted.size > 0 and bool((counted == counted.flat[0]).all())
    share = Array("1/m", 1.0 / counted)
    over = [(axis.tap, axis.kernel) for axis in axes]
    total = sum_over(over, pixels_of(place.inputs[0], axes, (n, c), taps))
    divisor = int(counted.flat[0]) if same else 1
    form = IndexForm(Equation((n, c, *outs), total / divisor if same else share[outs] * total))
    if place.signals[0] is not None:
        index = [axis.wrote(axis.tap) for axis in axes]
        signal = place.signal().padded(n, c, *index)
        form.signals[0] = Equation(
            (n, c, *pixels),
            sum_over(
                over,
                signal / divisor if same else share.padded(*index) * signal,
                *(axis.fits(axis.tap) for axis in axes),
            ),
        )
    return form


@form("max_pool2d")
def maximum(place: Place) -> IndexForm:
    """Write out y = max x, and δ(x) as the sum of δ(y) over the windows that a pixel won."""
    axes, (n, c) = _pooling(place)
    outs, pixels, taps = zip(*((a.out, a.pixel, a.tap) for a in axes), strict=True)
    over = tuple((axis.tap, axis.kernel) for axis in axes)
    right = Largest(over, place.inputs[0].padded(n, c, *(a.read(a.tap) for a in axes)))
    form = IndexForm(Equation((n, c, *outs), right))
    winners, (_, _, height, width) = place.outputs[1], place.inputs[0].data.shape
    winner, columns = winners[(n, c, *outs)], axes[1].kernel
    if place.settings["places"]:
        seen: list[Any] = [
            axis.read(tap if axis.kernel > 1 else 0)
            for axis, tap in zip(axes, (winner // columns, winner % columns), strict=True)
        ]
    else:
        seen = [winner // width if height > 1 else 0, winner % width if width > 1 else 0]
    form.chosen = Equation((n, c, *outs), place.inputs[0].padded(n, c, *seen))
    if place.signals[0] is not None:
        if place.settings["places"]:  # row of the window times its width, plus column
            won = taps[0] * axes[1].kernel + taps[1]
        else:  # row of the image times its width, plus column
            won = pixels[0] * width + pixels[1]
        index = [axis.wrote(axis.tap) for axis in axes]
        form.signals[0] = Equation(
            (n, c, *pixels),
            sum_over(
                over,
                place.signal().padded(n, c, *index),
                *(axis.fits(axis.tap) for axis in axes),
                equals(winners.padded(n, c, *index), won),
            ),
        )
    return form


@form("max_pool2d_shared")
def shared_maximum(place: Place) -> IndexForm:
    """Write out y = max x, with an error signal that all winners receive, or share."""
    axes, (n, c) = _pooling(place)
    outs, pixels, taps = zip(*((a.out, a.pixel, a.tap) for a in axes), strict=True)
    over = tuple((axis.tap, axis.kernel) for axis in axes)
    x, y = place.inputs[0], place.outputs[0]
    form = IndexForm(
        Equation((n, c, *outs), Largest(over, x.padded(n, c, *(a.read(a.tap) for a in axes))))
    )
    if place.signals[0] is not None:
        index = [axis.wrote(axis.tap) for axis in axes]
        signal: Expression = place.signal().padded(n, c, *index)
        if place.settings["ties"] == "split":
            others = primed(taps)
            seen = [
                place_of * axis.stride + tap * axis.dilation - axis.padding
                for axis, place_of, tap in zip(axes, index, others, strict=True)
            ]
            inside = [  # padding never wins
                Condition(each, relation, Number(bound))
                for each, axis in zip(seen, axes, strict=True)
                for relation, bound in (("≥", 0), ("<", axis.pixels))
                if not axis.stays_inside
            ]
            winners = sum_over(
                zip(others, (axis.kernel for axis in axes), strict=True),
                equals(x.padded(n, c, *seen), y.padded(n, c, *index)),
                *inside,
            )
            signal = signal / winners
        form.signals[0] = Equation(
            (n, c, *pixels),
            sum_over(
                over,
                signal,
                *(axis.fits(axis.tap) for axis in axes),
                equals(x[(n, c, *pixels)], y.padded(n, c, *index)),
            ),
        )
    return form


@form("max_unpool2d")
def at_the_winners(place: Place) -> IndexForm:
    """Write out y as values put at row · W + column of an image, and δ read there."""
    x, winners, (n, c, i, j, r, q) = place.inputs[0], place.inputs[1], letters("n c i j r q")
    height, width = place.outputs[0].data.shape[2:]
    over = [(i, x.data.shape[2]), (j, x.data.shape[3])]
    here = equals(winners[n, c, i, j], r * width + q)
    form = IndexForm(Equation((n, c, r, q), sum_over(over, x[n, c, i, j], here)))
    if place.signals[0] is not None:
        won = winners[n, c, i, j]
        row, column = (won // width if height > 1 else 0), (won % width if width > 1 else 0)
        form.signals[0] = Equation((n, c, i, j), place.signal()[n, c, row, column])
    return form


@form("windows")
def beside_each_other(place: Place) -> IndexForm:
    """Write out y as the pixels of each window in a row, and δ(x) as the sum over windows."""
    axes, (n, c) = _pooling(place)
    (k,) = letters("k")
    outs, pixels, taps = zip(*((a.out, a.pixel, a.tap) for a in axes), strict=True)
    width = axes[1].kernel
    seen = (k // width, k % width)
    form = IndexForm(Equation((n, c, *outs, k), pixels_of(place.inputs[0], axes, (n, c), seen)))
    if place.signals[0] is not None:
        index = [axis.wrote(axis.tap) for axis in axes]
        form.signals[0] = Equation(
            (n, c, *pixels),
            sum_over(
                [(axis.tap, axis.kernel) for axis in axes],
                place.signal().padded(n, c, *index, taps[0] * width + taps[1]),
                *(axis.fits(axis.tap) for axis in axes),
            ),
        )
    return form


@form("lp_pool2d")
def power_mean(place: Place) -> IndexForm:
    """Write out y = (Σ |x|^p)^(1/p), and δ(y) (|x| / y)^(p - 1) sign(x) where y is not 0."""
    axes, (n, c) = _pooling(place)
    outs, pixels, taps = zip(*((a.out, a.pixel, a.tap) for a in axes), strict=True)
    over, p = [(axis.tap, axis.kernel) for axis in axes], place.settings["p"]
    x, y = place.inputs[0], place.outputs[0]
    total = sum_over(over, apply("abs", pixels_of(x, axes, (n, c), taps)) ** p)
    form = IndexForm(Equation((n, c, *outs), total ** (1.0 / p)))
    if place.signals[0] is not None:
        index = [axis.wrote(axis.tap) for axis in axes]
        own, norm = x[(n, c, *pixels)], y.padded(n, c, *index)
        share = (apply("abs", own) / norm) ** (p - 1) * apply("sign", own)
        form.signals[0] = Equation(
            (n, c, *pixels),
            sum_over(
                over,
                place.signal().padded(n, c, *index) * share,
                *(axis.fits(axis.tap) for axis in axes),
                Condition(norm, ">", Number(0)),
            ),
        )
    return form


@form("global_avg_pool2d")
def over_all_pixels(place: Place) -> IndexForm:
    """Write out y = Σ x / m over the pixels of a channel."""
    x, out = place.inputs[0], place.outputs[0]
    n, c, i, j = letters("n c i j")
    pixels = x.data.shape[2:]
    m = max(math.prod(pixels), 1)
    total = sum_over([(i, pixels[0]), (j, pixels[1])], x[n, c, i, j])
    rest = len(out.data.shape) - 2
    form = IndexForm(Equation((n, c, *letters("r q")[:rest]), total / m))
    if place.signals[0] is not None:
        signal = place.signal()[(n, c, *(Number(0),) * rest)]
        form.signals[0] = Equation((n, c, i, j), signal / m)
    return form


@form("adaptive_avg_pool2d")
def over_cells(place: Place) -> IndexForm | None:
    """Write out y = Σ x / m over the cells of a grid; a cell ends before `end`."""
    x, out = place.inputs[0], place.outputs[0]
    if out.data.shape[2:] == (1, 1):
        return over_all_pixels(place)
    n, c, i, j, r, q = letters("n c i j r q")
    rows, columns = place.settings["spans"]
    share = Array("1/m", 1.0 / np.outer(rows[:, 2], columns[:, 2]))
    within = [
        Condition(Array(name, table[:, column])[(cell,)] + 0, relation, pixel)
        for name, table, column, cell, relation, pixel in (
            ("first row", rows, 0, i, "≤", r),
            ("end row", rows, 1, i, ">", r),
            ("first column", columns, 0, j, "≤", q),
            ("end column", columns, 1, j, ">", q),
        )
    ]
    over_pixels = list(zip((r, q), x.data.shape[2:], strict=True))
    over_grid = list(zip((i, j), out.data.shape[2:], strict=True))
    total = sum_over(over_pixels, share[i, j] * x[n, c, r, q], *within)
    form = IndexForm(Equation((n, c, i, j), total))
    if place.signals[0] is not None:
        signal = share[i, j] * place.signal()[n, c, i, j]
        form.signals[0] = Equation((n, c, r, q), sum_over(over_grid, signal, *within))
    return form
