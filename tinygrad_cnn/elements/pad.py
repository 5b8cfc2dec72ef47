"""Pad: a border of zeros."""

from collections.abc import Sequence
from typing import Any

from tinygrad_cnn.element import ArrayElement, Rule
from tinygrad_cnn.elements.index import IndexElement, put_into_zeros
from tinygrad_cnn.elements.requirements import integers
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.variable import Variable


class PadElement(ArrayElement, name="pad"):
    """Surround with zeros."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x} between zeros",
        {"x": "{δy} without the border"},
        r"y = \operatorname{pad}(x)",
        {"x": r"\delta(x) = \operatorname{crop}(\delta(y))"},
    )

    def __init__(self, widths: Sequence[tuple[int, int]]) -> None:
        self.widths = tuple(widths)

    def options(self) -> dict[str, Any]:
        return {"widths": self.widths}

    def check(self, x: Variable) -> None:
        if len(self.widths) > len(x.shape) or min((min(w) for w in self.widths), default=0) < 0:
            raise ShapeError(
                "pad: widths are not negative and there is a pair for at most each axis; got "
                f"{self.widths} for shape {x.shape}"
            )
        self.widths = ((0, 0),) * (len(x.shape) - len(self.widths)) + self.widths

    def forward(self, x: Any) -> Any:
        if x.ndim not in range(1, 5):
            return self.device.xp.pad(x, self.widths)
        box = tuple((before, 1) for before, _ in self.widths)
        sizes = zip(self.widths, x.shape, strict=True)
        shape = tuple(before + size + after for (before, after), size in sizes)
        return put_into_zeros(self.device, x, box, shape)

    def backward(self, signal: Variable) -> Variable:
        inner = tuple(
            slice(before, before + size)
            for (before, _), size in zip(self.widths, self.inputs[0].shape, strict=True)
        )
        return IndexElement(inner)(signal)


# -- functions -----------------------------------------------------------------------


def pad(x: Any, pad: Sequence[int]) -> Any:
    """Surround with zeros.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    pad : sequence of int, in elements
        Widths (before, after) of the last axis, then of the one before it, and so on, as
        in PyTorch: ``(left, right, top, bottom)`` for images.

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
        If widths are no integers or do not come in pairs.

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
    pairs = list(zip(widths[::2], widths[1::2], strict=True))
    return PadElement(pairs[::-1])(x)
