"""The largest and the smallest value along axes, and the way back to where they stood."""

import math
from typing import Any, ClassVar

from tinygrad_cnn.element import ArrayElement, Rule
from tinygrad_cnn.elements.requirements import Axes, normalise_axes
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.variable import Variable


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


def max(x: Any, dim: Axes = None, keepdim: bool = False) -> Any:
    """Take the largest element along axes: ``y = max x``.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    dim : int or sequence of int, optional
        Axes to search along; all by default.
    keepdim : bool
        Keep those axes, with size one.

    Returns
    -------
    Tensor, shape of x without the axes `dim`
        With `keepdim` those axes stay, with size one.

    Raises
    ------
    ShapeError
        If an axis does not exist or is named twice, or there are no elements.
    DTypeError
        If x is no Tensor.
    OptionError
        If `dim` is no integer.

    Notes
    -----
    ``δ(x) = δ(y)`` at the winner, of equal values the first in row order, and 0 elsewhere.

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
    """Take the smallest element along axes: ``y = min x``.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    dim : int or sequence of int, optional
        Axes to search along; all by default.
    keepdim : bool
        Keep those axes, with size one.

    Returns
    -------
    Tensor, shape of x without the axes `dim`
        With `keepdim` those axes stay, with size one.

    Raises
    ------
    ShapeError
        If an axis does not exist or is named twice, or there are no elements.
    DTypeError
        If x is no Tensor.
    OptionError
        If `dim` is no integer.

    Notes
    -----
    ``δ(x) = δ(y)`` at the winner, of equal values the first in row order, and 0 elsewhere.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.min(tg.Tensor([[3.0, 5.0], [4.0, 2.0]]), dim=1).tolist()
    [3.0, 2.0]
    """
    return MinElement(dim, keepdim)(x)[0]
