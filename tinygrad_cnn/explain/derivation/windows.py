"""Index forms of sliding windows: convolution and pooling."""

from typing import Any, NamedTuple

from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Condition,
    Expression,
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


@form("conv_transpose2d")
def transposed_convolution(place: Place) -> IndexForm:
    """Write out the adjoint of a convolution used forward: filters spread over a larger image."""
    x, weight, bias = place.inputs[0], place.inputs[1], place.input(2)
    out, window = place.outputs[0].data.shape, place.settings["window"]
    axes = axes_of(window, x.data.shape[2:], out[2:])
    n, o, c = letters("n o c")
    groups = window.groups
    filters, channels = out[1] // groups, x.data.shape[1] // groups
    small, large, taps = zip(*((a.out, a.pixel, a.tap) for a in axes), strict=True)
    over_taps = [(axis.tap, axis.kernel) for axis in axes]
    first_channel: Any = o // filters * channels if groups > 1 else 0
    first_filter: Any = c // channels * filters if groups > 1 else 0
    own_filter = o % filters if groups > 1 else o
    right = sum_over(
        [(c, channels), *over_taps],
        x.padded(n, first_channel + c, *(axis.wrote(axis.tap) for axis in axes))
        * weight[(first_channel + c, own_filter, *taps)],
        *(axis.fits(axis.tap) for axis in axes),
    )
    form = IndexForm(Equation((n, o, *large), right if bias is None else right + bias[o]))
    if place.signals[0] is None:
        return form
    signal = pixels_of(place.signal(), axes, (n, first_filter + o), taps)
    form.signals[0] = Equation(
        (n, c, *small), sum_over([(o, filters), *over_taps], signal * weight[(c, o, *taps)])
    )
    over_small = [(n, out[0]), *((axis.out, axis.outputs) for axis in axes)]
    form.signals[1] = Equation((c, o, *taps), sum_over(over_small, signal * x[(n, c, *small)]))
    over_large = [(n, out[0]), *((axis.pixel, axis.pixels) for axis in axes)]
    form.signals[2] = Equation((o,), sum_over(over_large, place.signal()[(n, o, *large)]))
    return form
