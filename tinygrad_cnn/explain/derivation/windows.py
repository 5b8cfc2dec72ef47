"""Index forms of sliding windows: convolution and pooling."""

import math
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Condition,
    Expression,
    Largest,
    Number,
    Symbol,
    equals,
    sum_over,
)
from tinygrad_cnn.explain.derivation.forms import (
    Equation,
    IndexForm,
    Place,
    form,
    letters,
)
from tinygrad_cnn.kernels.geometry import Window


class Axis(NamedTuple):
    """One direction of a window: sizes, and the letters of output, input and tap."""

    kernel: int
    stride: int
    padding: int
    dilation: int
    outputs: int
    pixels: int
    out: Symbol
    pixel: Symbol
    tap: Symbol

    def read(self, tap: Any) -> Expression:
        """Return the pixel under a tap: i·s + u·d - p."""
        return self.out * self.stride + tap * self.dilation - self.padding

    def wrote(self, tap: Any) -> Expression:
        """Return the output that reads this pixel with a tap: (r + p - u·d) / s."""
        return (self.pixel + self.padding - tap * self.dilation) // self.stride

    def fits(self, tap: Any) -> Condition:
        """Return the condition that there is such an output: the stride divides."""
        return equals((self.pixel + self.padding - tap * self.dilation) % self.stride, 0)

    @property
    def stays_inside(self) -> bool:
        """Whether no tap ever lies on padding."""
        last = (self.outputs - 1) * self.stride + (self.kernel - 1) * self.dilation
        return self.padding == 0 and last < self.pixels


def axes_of(window: Window, outputs: Any, pixels: Any) -> list[Axis]:
    """Return the directions of a window: two of an image, the last alone of a row."""
    down, across = letters("i r u"), letters("j q v")
    both = [
        ((window.kh, window.sh, window.ph, window.dh), down),
        ((window.kw, window.sw, window.pw, window.dw), across),
    ]
    return [
        Axis(*sizes, o, p, *names)
        for (sizes, names), o, p in zip(both[-len(outputs) :], outputs, pixels, strict=True)
    ]


def pixels_of(x: Array, axes: list[Axis], first: tuple[Any, ...], taps: Any) -> Expression:
    """Return the number of x under taps; 0 where that is padding."""
    index = [axis.read(tap) for axis, tap in zip(axes, taps, strict=True)]
    if all(axis.stays_inside for axis in axes):
        return x[(*first, *index)]
    return x.padded(*first, *index)


@form("conv1d", "conv2d", "conv2d_relu", "conv2d_sigmoid", "conv2d_tanh")
def convolution(place: Place) -> IndexForm:
    """Write out z = w ⋆ x + b, or flipped w * x + b, and its three adjoints."""
    x, weight, bias = place.inputs[0], place.inputs[1], place.input(2)
    out, window = place.outputs[0].data.shape, place.settings["window"]
    axes = axes_of(window, out[2:], x.data.shape[2:])
    n, o, c = letters("n o c")
    groups = window.groups
    filters, channels = out[1] // groups, x.data.shape[1] // groups
    outs, pixels, taps = zip(*((a.out, a.pixel, a.tap) for a in axes), strict=True)
    over_taps = [(axis.tap, axis.kernel) for axis in axes]
    over_out = [(n, out[0]), *((axis.out, axis.outputs) for axis in axes)]

    def turned(tap_letters: Any) -> list[Any]:
        """Return the taps as they are, or as a flipped filter has them."""
        if not place.settings["flip"]:
            return list(tap_letters)
        return [axis.kernel - 1 - tap for axis, tap in zip(axes, tap_letters, strict=True)]

    first_channel: Any = o // filters * channels if groups > 1 else 0
    right = sum_over(
        [(c, channels), *over_taps],
        weight[(o, c, *turned(taps))] * pixels_of(x, axes, (n, first_channel + c), taps),
    )
    if bias is not None:
        right = right + bias[o]
    form = IndexForm(Equation((n, o, *outs), place.activated(right)))
    if place.signals[0] is None:
        return form

    first_filter: Any = c // channels * filters if groups > 1 else 0
    wrote = [axis.wrote(axis.tap) for axis in axes]
    form.signals[0] = Equation(
        (n, c, *pixels),
        sum_over(
            [(o, filters), *over_taps],
            place.through(n, first_filter + o, *wrote, padded=True)
            * weight[(first_filter + o, c % channels if groups > 1 else c, *turned(taps))],
            *(axis.fits(axis.tap) for axis in axes),
        ),
    )
    signal = place.through(n, o, *outs)
    form.signals[1] = Equation(
        (o, c, *taps),
        sum_over(over_out, signal * pixels_of(x, axes, (n, first_channel + c), turned(taps))),
    )
    form.signals[2] = Equation((o,), sum_over(over_out, signal))
    return form


# -- pooling -------------------------------------------------------------------------------


def _pooling(place: Place) -> tuple[list[Axis], tuple[Any, ...]]:
    x, out = place.inputs[0], place.outputs[0]
    axes = axes_of(place.settings["window"], out.data.shape[2:], x.data.shape[2:])
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
    if place.signals[0] is not None:
        winners, width = place.outputs[1], place.inputs[0].data.shape[3]
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
