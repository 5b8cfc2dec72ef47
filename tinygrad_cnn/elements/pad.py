"""Pad: a border of one number, usually zero."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.index import IndexElement, put_into_zeros
from tinygrad_cnn.elements.requirements import integers
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class PadElement(ArrayElement, name="pad"):
    """Surround with one number."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x} between zeros",
        {"x": "{δy} without the border"},
        r"y = \operatorname{pad}(x)",
        {"x": r"\delta(x) = \operatorname{crop}(\delta(y))"},
    )

    def __init__(self, widths: Sequence[tuple[int, int]], value: float = 0.0) -> None:
        self.widths, self.value = tuple(widths), value
        if value:
            self.rule = replace(self.rule, forward=f"{{x}} between numbers {value:g}")

    def options(self) -> dict[str, Any]:
        return {"widths": self.widths} | ({"value": self.value} if self.value else {})

    def check(self, x: Variable) -> None:
        if len(self.widths) > len(x.shape) or min((min(w) for w in self.widths), default=0) < 0:
            raise ShapeError(
                "pad: widths are not negative and there is a pair for at most each axis; got "
                f"{self.widths} for shape {x.shape}"
            )
        self.widths = ((0, 0),) * (len(x.shape) - len(self.widths)) + self.widths

    def forward(self, x: Any) -> Any:
        if self.value or x.ndim not in range(1, 5):
            return self._between_numbers(x)
        box = tuple((before, 1) for before, _ in self.widths)
        sizes = zip(self.widths, x.shape, strict=True)
        shape = tuple(before + size + after for (before, after), size in sizes)
        return put_into_zeros(self.device, x, box, shape)

    def _between_numbers(self, x: Any) -> Any:
        pad = self.device.xp.pad
        if layout.is_channels_last(x):
            n, c, h, w = self.widths
            last = pad(layout.channels_last(x), (n, h, w, c), constant_values=self.value)
            return layout.user_view(last)
        return pad(x, self.widths, constant_values=self.value)

    def backward(self, signal: Variable) -> Variable:
        inner = tuple(
            slice(before, before + size)
            for (before, _), size in zip(self.widths, self.inputs[0].shape, strict=True)
        )
        return IndexElement(inner)(signal)


# -- functions -----------------------------------------------------------------------


def pad(x: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """Surround with zeros, or with another number.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    pad : sequence of int, in elements
        Widths (before, after) of the last axis, then of the one before it, and so on, as
        in PyTorch: ``(left, right, top, bottom)`` for images.
    mode : {"constant"}
        Stands where PyTorch has it; a border that repeats the image is not built.
    value : float, optional
        What the border consists of; 0 by default.

    Returns
    -------
    Tensor, shape of x with each size enlarged by its two widths

    Raises
    ------
    ShapeError
        If a width is negative, or there are more pairs than axes.
    DTypeError
        If x is no Tensor.
    OptionError
        If widths are no integers or do not come in pairs, `value` is no number, or `mode` is
        another one.

    Notes
    -----
    ``δ(x)`` is ``δ(y)`` without the border.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.pad(tg.Tensor([1.0, 2.0]), (1, 0)).tolist()
    [0.0, 1.0, 2.0]
    """
    widths = integers("pad", "widths", pad)
    if len(widths) % 2:
        raise OptionError(f"pad: widths come in pairs (before, after); got {widths}")
    if mode != "constant":
        raise OptionError(f"pad: mode is 'constant', another one is not built; got {mode!r}")
    pairs = list(zip(widths[::2], widths[1::2], strict=True))
    if value is not None and not isinstance(value, Real):
        raise OptionError(f"pad: value is a number; got {value!r}")
    return PadElement(pairs[::-1], float(value or 0.0))(x)
