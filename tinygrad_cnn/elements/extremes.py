"""The largest and the smallest value along axes, and the way back to where they stood.

Where several values are the largest, the maximum has no derivative; any weights that add up
to 1 over them are a sub-gradient. One winner is the usual choice; the elements whose name ends
in `shared` send the error signal to all of them.
"""

import math
from typing import Any, ClassVar

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.arithmetic import multiply
from tinygrad_cnn.elements.reduce import spread
from tinygrad_cnn.elements.requirements import Axes, normalise_axes
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

TIES = ("first", "last", "split", "all")


def is_shared(operation: str, ties: str) -> bool:
    """Tell whether all winners receive an error signal; refuse an unknown choice."""
    if ties not in TIES:
        raise OptionError(f"{operation}: ties is one of {', '.join(TIES)}; got {ties!r}")
    return ties in ("split", "all")


class _ExtremeElement(ArrayElement):
    """Common part: the axes to search along, and who receives the error signal."""

    winner: ClassVar[str]

    def __init__(self, dim: Axes = None, keepdim: bool = False, ties: str = "first") -> None:
        self.dim, self.keepdim, self.ties = dim, keepdim, ties

    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = {} if self.dim is None else {"dim": self.dim}
        return options | ({} if self.ties == "first" else {"ties": self.ties})

    def check(self, x: Variable) -> None:
        operation = self.name.removesuffix("_shared")
        self.axes = normalise_axes(operation, self.dim, len(x.shape))
        if 0 in (x.shape[axis] for axis in self.axes):
            raise ShapeError(
                f"{operation}: nothing is the {self.winner} of no elements; got shape {x.shape}"
            )


class _WinnerElement(_ExtremeElement):
    """Common part of the functions that pick one element along axes."""

    saves = {"x": ("winners",)}
    sees_everything = True
    differentiable = ("y",)
    convention = "of equal values the first wins, with ties='last' the last"

    def forward(self, x: Any) -> Any:
        xp = self.device.xp
        rows = _rows(xp, x, self.axes)
        search = getattr(xp, f"arg{self.name}")
        if self.ties == "last":
            winners = rows.shape[-1] - 1 - search(rows[..., ::-1], axis=-1)
        else:
            winners = search(rows, axis=-1)
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


class _SharedElement(_ExtremeElement):
    """Common part of the functions whose error signal goes to all winners."""

    saves = {"x": ("x", "y")}
    sees_everything = True
    convention = "equal values share the error signal, with ties='all' each receives all of it"

    def forward(self, x: Any) -> Any:
        search = getattr(self.device.xp, self.name.removesuffix("_shared"))
        return self.device.xp.asarray(search(x, axis=self.axes, keepdims=self.keepdim))

    def backward(self, signal: Variable) -> Variable:
        shape, x = self.inputs[0].shape, self.saved("x")
        values, best = x._value, spread(self.saved("y"), shape, self.axes)._value
        shares = ((values == best) | ((values != values) & (best != best))).astype(x.dtype)
        if self.ties == "split":
            shares = shares / shares.sum(axis=self.axes, keepdims=True)
        return multiply(spread(signal, shape, self.axes), x.lift(shares))


class MaxSharedElement(_SharedElement, name="max_shared"):
    """Take the largest element along axes; equal ones share the error signal."""

    rule = Rule(
        ("x",),
        ("y",),
        "max {x}",
        {"x": "{δy} shared by the winners, 0 elsewhere"},
        r"y = \max x",
        {"x": r"\delta(x)_k = s \, \delta(y) \, [x_k = y]"},
    )
    winner = "largest"


class MinSharedElement(_SharedElement, name="min_shared"):
    """Take the smallest element along axes; equal ones share the error signal."""

    rule = Rule(
        ("x",),
        ("y",),
        "min {x}",
        {"x": "{δy} shared by the winners, 0 elsewhere"},
        r"y = \min x",
        {"x": r"\delta(x)_k = s \, \delta(y) \, [x_k = y]"},
    )
    winner = "smallest"


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


def max(x: Any, dim: Axes = None, keepdim: bool = False, *, ties: str = "first") -> Any:
    """Take the largest element along axes: ``y = max x``.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    dim : int or sequence of int, optional
        Axes to search along; all by default.
    keepdim : bool
        Keep those axes, with size one.
    ties : {"first", "last", "split", "all"}
        Who receives the error signal among equal values, a choice of sub-gradient: the first
        in row order, the last, each an equal share, or each the whole signal.

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
        If `dim` is no integer, or `ties` unknown.

    Notes
    -----
    ``δ(x) = δ(y)`` at the winner and 0 elsewhere. PyTorch takes "first" in `max` along one
    axis, "split" in `amax`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([3.0, 5.0, 5.0], requires_grad=True)
    >>> tg.functional.max(x).backward()
    >>> x.grad.tolist()
    [0.0, 1.0, 0.0]
    >>> x.zero_grad()
    >>> tg.functional.max(x, ties="split").backward()
    >>> x.grad.tolist()
    [0.0, 0.5, 0.5]
    """
    if is_shared("max", ties):
        return MaxSharedElement(dim, keepdim, ties)(x)
    return MaxElement(dim, keepdim, ties)(x)[0]


def min(x: Any, dim: Axes = None, keepdim: bool = False, *, ties: str = "first") -> Any:
    """Take the smallest element along axes: ``y = min x``.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    dim : int or sequence of int, optional
        Axes to search along; all by default.
    keepdim : bool
        Keep those axes, with size one.
    ties : {"first", "last", "split", "all"}
        Who receives the error signal among equal values, a choice of sub-gradient: the first
        in row order, the last, each an equal share, or each the whole signal.

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
        If `dim` is no integer, or `ties` unknown.

    Notes
    -----
    ``δ(x) = δ(y)`` at the winner and 0 elsewhere. PyTorch takes "first" in `min` along one
    axis, "split" in `amin`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.min(tg.Tensor([[3.0, 5.0], [4.0, 2.0]]), dim=1).tolist()
    [3.0, 2.0]
    """
    if is_shared("min", ties):
        return MinSharedElement(dim, keepdim, ties)(x)
    return MinElement(dim, keepdim, ties)(x)[0]
