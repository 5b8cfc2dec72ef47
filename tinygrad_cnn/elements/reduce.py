"""Sums and means over axes, and the broadcasting that runs the other way."""

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_cnn.element import ArrayElement, FunctionElement
from tinygrad_cnn.elements.requirements import (
    Axes,
    any_float_type,
    integers,
    normalise_axes,
)
from tinygrad_cnn.elements.shape import reshape
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class BroadcastElement(ArrayElement, name="broadcast_to"):
    """Repeat a value along axes of size one, or along new leading axes."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x} repeated",
        {"x": "Σ {δy} over the repeats"},
        r"y = x \text{ repeated}",
        {"x": r"\delta(x) = \sum_{\text{repeats}} \delta(y)"},
    )
    shares_memory = True

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def check(self, x: Variable) -> None:
        fits = len(x.shape) <= len(self.shape) and all(
            size in (1, target)
            for size, target in zip(reversed(x.shape), reversed(self.shape), strict=False)
        )
        if not fits:
            raise ShapeError(
                "broadcast_to: axes of size one are repeated, all others stay; got "
                f"{x.shape} for {self.shape}"
            )

    def forward(self, x: Any) -> Any:
        return self.device.xp.broadcast_to(x, self.shape)

    def backward(self, signal: Variable) -> Variable:
        return sum_to(signal, self.inputs[0].shape)


class SumElement(ArrayElement, name="sum"):
    """Add up the elements along axes."""

    rule = Rule(
        ("x",),
        ("y",),
        "Σ {x}",
        {"x": "{δy} repeated"},
        r"y = \sum x",
        {"x": r"\delta(x) = \delta(y) \text{ repeated}"},
    )
    sees_everything = True

    def __init__(self, dim: Axes = None, keepdim: bool = False) -> None:
        self.dim, self.keepdim = dim, keepdim

    def options(self) -> dict[str, Any]:
        return {} if self.dim is None else {"dim": self.dim}

    def check(self, x: Variable) -> None:
        self.axes = normalise_axes(self.name, self.dim, len(x.shape))

    def forward(self, x: Any) -> Any:
        kind = x.dtype if x.dtype.kind == "f" else None
        return self.device.xp.asarray(x.sum(axis=self.axes, keepdims=self.keepdim, dtype=kind))

    def backward(self, signal: Variable) -> Variable:
        return spread(signal, self.inputs[0].shape, self.axes)


class MeanElement(ArrayElement, name="mean"):
    """Average the elements along axes."""

    rule = Rule(
        ("x",),
        ("y",),
        "Σ {x} / m",
        {"x": "{δy} / m repeated"},
        r"y = \frac{1}{m} \sum x",
        {"x": r"\delta(x) = \frac{1}{m} \delta(y) \text{ repeated}"},
    )
    sees_everything = True

    def __init__(self, dim: Axes = None, keepdim: bool = False) -> None:
        self.dim, self.keepdim = dim, keepdim

    def options(self) -> dict[str, Any]:
        return {} if self.dim is None else {"dim": self.dim}

    def check(self, x: Variable) -> None:
        any_float_type("mean", x.dtype)
        self.axes = normalise_axes(self.name, self.dim, len(x.shape))
        self.count = math.prod(x.shape[axis] for axis in self.axes)

    def forward(self, x: Any) -> Any:
        total = self.device.xp.asarray(x.sum(axis=self.axes, keepdims=self.keepdim))
        return total / total.dtype.type(self.count) if self.count else total * math.nan

    def backward(self, signal: Variable) -> Variable:
        share: Variable = signal / (self.count or 1)  # type: ignore[assignment, operator]
        return spread(share, self.inputs[0].shape, self.axes)


class ChannelSumElement(FunctionElement, name="channel_sum"):
    """Add up an error signal over everything but the channels: the gradient of a bias."""

    rule = Rule(
        ("δ",),
        ("y",),
        "Σ {δ}",
        {"δ": "{δy} repeated"},
        r"y_o = \sum \delta_o",
        {"δ": r"\delta(\delta) = \delta(y) \text{ repeated}"},
    )

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, signal: Any) -> Any:
        return self.device.channel_totals(signal, self.axis)

    def backward(self, signal: Variable) -> Variable:
        shape = self.inputs[0].shape
        kept = range(len(shape))[self.axis :][:1]  # no axis of a single number
        return spread(signal, shape, tuple(k for k in range(len(shape)) if k not in kept))


# -- functions -----------------------------------------------------------------------


def sum(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """Add up elements along axes: ``y = Σ x``.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    dim : int or sequence of int, optional
        Axes to add along; all by default.
    keepdim : bool
        Keep those axes, with size one.

    Returns
    -------
    Tensor, shape of x without the axes `dim`
        With `keepdim` those axes stay, with size one.

    Raises
    ------
    ShapeError
        If an axis does not exist or is named twice.
    DTypeError
        If x is no Tensor.
    OptionError
        If `dim` is no integer.

    Notes
    -----
    ``δ(x) = δ(y)``, repeated along the axes.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.sum(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0).tolist()
    [4.0, 6.0]
    """
    return SumElement(dim, keepdim)(x)


def mean(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """Average the m elements along axes: ``y = Σ x / m``.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    dim : int or sequence of int, optional
        Axes to average along; all by default.
    keepdim : bool
        Keep those axes, with size one.

    Returns
    -------
    Tensor, shape of x without the axes `dim`
        With `keepdim` those axes stay, with size one.
        NaN where m = 0.

    Raises
    ------
    ShapeError
        If an axis does not exist or is named twice.
    DTypeError
        If x is no Tensor, or not of a floating-point type.
    OptionError
        If `dim` is no integer.

    Notes
    -----
    ``δ(x) = δ(y) / m``, repeated along the axes.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.mean(tg.Tensor([1.0, 2.0, 6.0])).item()
    3.0
    """
    return MeanElement(dim, keepdim)(x)


def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """Repeat axes of size one, and add leading axes, until the shape is `shape`.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    shape : sequence of int
        Sizes; read from the right, equal to those of x where these are not one.

    Returns
    -------
    Tensor, shape `shape`
        It shares memory with x.

    Raises
    ------
    ShapeError
        If x does not broadcast to `shape`.
    DTypeError
        If x is no Tensor.
    OptionError
        If a size is negative or no integer.

    Notes
    -----
    ``δ(x) = Σ δ(y)`` over the repeats.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.broadcast_to(tg.Tensor([1.0, 2.0]), (2, 2)).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    sizes = integers("broadcast_to", "sizes", shape)
    if any(size < 0 for size in sizes):
        raise OptionError(f"broadcast_to: sizes are not negative; got {sizes}")
    return BroadcastElement(sizes)(x)


def spread(signal: Variable, shape: Shape, axes: tuple[int, ...]) -> Variable:
    """Undo a reduction over `axes`: put them back with size one and repeat."""
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    if signal.shape != kept:
        signal = reshape(signal, kept)
    return signal if kept == shape else BroadcastElement(shape)(signal)


def sum_to(signal: Variable, shape: Shape) -> Variable:
    """Undo broadcasting: add an error signal up until it has the shape it came from."""
    if signal.shape == shape:
        return signal
    lead = len(signal.shape) - len(shape)
    axes = tuple(range(lead)) + tuple(
        lead + axis
        for axis, size in enumerate(shape)
        if size == 1 and signal.shape[lead + axis] != 1
    )
    total: Variable = SumElement(axes, keepdim=True)(signal) if axes else signal
    return total if total.shape == shape else reshape(total, shape)
