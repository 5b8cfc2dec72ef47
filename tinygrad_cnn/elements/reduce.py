"""Sums, means and largest values over axes, and the broadcasting that runs the other way."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from tinygrad_cnn.element import ArrayElement, FunctionElement, Rule
from tinygrad_cnn.elements.requirements import (
    Axes,
    any_float_type,
    integers,
    normalise_axes,
)
from tinygrad_cnn.elements.shape import reshape
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.graph import Shape
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


class _WinnerElement(ArrayElement):
    """Common part of the functions that pick one element along axes."""

    saves = {"x": ("winners",)}
    differentiable = ("y",)
    convention = "of equal values the first wins"
    winner: ClassVar[str]

    def __init__(self, dim: Axes = None, keepdim: bool = False) -> None:
        self.dim, self.keepdim = dim, keepdim

    def options(self) -> dict[str, Any]:
        return {} if self.dim is None else {"dim": self.dim}

    def check(self, x: Variable) -> None:
        self.axes = normalise_axes(self.name, self.dim, len(x.shape))
        if 0 in (x.shape[axis] for axis in self.axes):
            raise ShapeError(
                f"{self.name}: nothing is the {self.winner} of no elements; got shape {x.shape}"
            )

    def forward(self, x: Any) -> Any:
        xp = self.device.xp
        rows = _rows(xp, x, self.axes)
        winners = getattr(rows, f"arg{self.name}")(axis=-1)
        values = xp.take_along_axis(rows, winners[..., None], axis=-1)[..., 0]
        if self.keepdim:
            values = xp.expand_dims(values, self.axes)
            winners = xp.expand_dims(winners, self.axes)
        return xp.asarray(values), xp.asarray(winners)

    def backward(self, signal: Variable, _: Any) -> Variable:
        element = MaxGradElement(self.inputs[0].shape, self.axes)
        return element(signal, self.saved("winners"))


class MaxElement(_WinnerElement, name="max"):
    """Take the largest element along axes."""

    rule = Rule(
        ("x",),
        ("y", "winners"),
        "max {x}",
        {"x": "{δy} at the winner, 0 elsewhere"},
        r"y = \max x",
        {"x": r"\delta(x)_k = \delta(y) \, [k = \operatorname{argmax} x]"},
    )
    winner = "largest"


class MinElement(_WinnerElement, name="min"):
    """Take the smallest element along axes."""

    rule = Rule(
        ("x",),
        ("y", "winners"),
        "min {x}",
        {"x": "{δy} at the winner, 0 elsewhere"},
        r"y = \min x",
        {"x": r"\delta(x)_k = \delta(y) \, [k = \operatorname{argmin} x]"},
    )
    winner = "smallest"


def _rows(xp: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """Return x with `axes` moved to the end and joined to one."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    shape = [x.shape[axis] for axis in kept]
    return x.transpose(*kept, *axes).reshape(*shape, math.prod(x.shape[axis] for axis in axes))


class MaxGradElement(ArrayElement, name="max_grad"):
    """Send the error signal of a largest or smallest value back to where it came from."""

    rule = Rule(
        ("δ", "winners"),
        ("y",),
        "{δ} at the winners, 0 elsewhere",
        {"δ": "{δy} read at the winners"},
        r"y_k = \delta \, [k = \text{winner}]",
        {"δ": r"\delta(\delta) = \delta(y)_{\text{winner}}"},
    )
    saves = {"δ": ("winners",)}

    def __init__(self, shape: Shape, axes: tuple[int, ...]) -> None:
        self.shape, self.axes = shape, axes

    def forward(self, signal: Any, winners: Any) -> Any:
        xp = self.device.xp
        kept = [axis for axis in range(len(self.shape)) if axis not in self.axes]
        outer = tuple(self.shape[axis] for axis in kept)
        inner = tuple(self.shape[axis] for axis in self.axes)
        rows = xp.zeros((*outer, math.prod(inner)), signal.dtype)
        positions = winners.reshape(outer)[..., None]
        xp.put_along_axis(rows, positions, signal.reshape(outer)[..., None], axis=-1)
        order = sorted(range(len(self.shape)), key=[*kept, *self.axes].__getitem__)
        return xp.asarray(rows.reshape((*outer, *inner)).transpose(order), order="C")

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        winners = self.saved("winners")
        return MaxGatherElement(self.axes)(signal, winners), None


class MaxGatherElement(ArrayElement, name="max_gather"):
    """Read a value where the largest or smallest elements of another were."""

    rule = Rule(
        ("x", "winners"),
        ("y",),
        "{x} read at the winners",
        {"x": "{δy} at the winners, 0 elsewhere"},
        r"y = x_{\text{winner}}",
        {"x": r"\delta(x)_k = \delta(y) \, [k = \text{winner}]"},
    )
    saves = {"x": ("winners",)}

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, x: Any, winners: Any) -> Any:
        xp = self.device.xp
        rows = _rows(xp, x, self.axes)
        picked = xp.take_along_axis(rows, winners.reshape(rows.shape[:-1])[..., None], axis=-1)
        return xp.asarray(picked[..., 0].reshape(winners.shape))

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        element = MaxGradElement(self.inputs[0].shape, self.axes)
        return element(signal, self.saved("winners")), None


# -- functions -----------------------------------------------------------------------


def sum(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """Add up elements.

    Parameters
    ----------
    x : Tensor
        Values.
    dim : int or sequence of int, optional
        Axes to add along; all by default.
    keepdim : bool
        Keep those axes, with size one.

    Returns
    -------
    Tensor
        ``y = Σ x``.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.sum(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0).tolist()
    [4.0, 6.0]
    """
    return SumElement(dim, keepdim)(x)


def mean(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """Average elements: ``y = Σ x / m`` over the m elements along `dim` (default all).

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.mean(tg.Tensor([1.0, 2.0, 6.0])).item()
    3.0
    """
    return MeanElement(dim, keepdim)(x)


def max(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """Take the largest element along `dim` (default all).

    Of equal values the first, in row order, is the winner: it alone gets the error signal.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([3.0, 5.0, 5.0], requires_grad=True)
    >>> tg.functional.max(x).backward()
    >>> x.grad.tolist()
    [0.0, 1.0, 0.0]
    """
    return MaxElement(dim, keepdim)(x)[0]


def min(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """Take the smallest element along `dim` (default all); of equal values the first.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.min(tg.Tensor([[3.0, 5.0], [4.0, 2.0]]), dim=1).tolist()
    [3.0, 2.0]
    """
    return MinElement(dim, keepdim)(x)[0]


def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """Repeat axes of size one, and add leading axes, until the shape is `shape`.

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
