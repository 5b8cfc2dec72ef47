"""Reshape and clone: elements that leave all values as they are.

Logical order is always (N, C, H, W): flattening a batch of images gives, for each image,
channel by channel, row by row, whatever the layout in memory.
"""

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.requirements import (
    Axes,
    integers,
    normalise_axes,
    normalise_axis,
    require_variables,
)
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class ReshapeElement(ArrayElement, name="reshape"):
    """Read the same values, in (N, C, H, W) order, under another shape."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x} reshaped",
        {"x": "{δy} reshaped back"},
        r"y = \operatorname{reshape}(x)",
        {"x": r"\delta(x) = \operatorname{reshape}(\delta(y))"},
    )
    shares_memory = True

    def __init__(self, shape: Sequence[int]) -> None:
        self.asked = tuple(shape)

    def check(self, x: Variable) -> None:
        size, known = math.prod(x.shape), math.prod(self.asked)
        if size == known and min(self.asked, default=0) >= 0:
            self.shape = self.asked
            return
        known = math.prod(s for s in self.asked if s != -1)
        unknown = self.asked.count(-1)
        fits = size == known if unknown == 0 else known > 0 and size % known == 0
        if unknown > 1 or min(self.asked, default=0) < -1 or not fits:
            raise ShapeError(
                f"reshape: the number of elements stays, and one size may be -1; got {x.shape} "
                f"({size} elements) for {self.asked}"
            )
        self.shape = tuple(size // known if s == -1 else s for s in self.asked)

    def forward(self, x: Any) -> Any:
        return x.reshape(self.shape)

    def backward(self, signal: Variable) -> Variable:
        return reshape(signal, self.inputs[0].shape)


class CloneElement(ArrayElement, name="clone"):
    """Copy to memory of its own."""

    rule = Rule(("x",), ("y",), "{x}", {"x": "{δy}"}, "y = x", {"x": r"\delta(x) = \delta(y)"})

    def forward(self, x: Any) -> Any:
        return self.device.xp.array(x, order="K")

    def backward(self, signal: Variable) -> Variable:
        return signal


# -- functions -----------------------------------------------------------------------


def reshape(x: Any, shape: Sequence[int]) -> Any:
    """Read the values of x, in (N, C, H, W) order, under another shape.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    shape : sequence of int
        Sizes; one of them may be -1, and follows from the others.

    Returns
    -------
    Tensor, shape `shape`
        It shares memory with x where the layout allows it.

    Raises
    ------
    ShapeError
        If the number of elements would change.
    DTypeError
        If x is no Tensor.
    OptionError
        If a size is no integer.

    Notes
    -----
    ``δ(x)`` is ``δ(y)`` in the shape of x.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.reshape(tg.Tensor([1.0, 2.0, 3.0, 4.0]), (2, -1)).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    return ReshapeElement(integers("reshape", "sizes", shape))(x)


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Join the axes from `start_dim` to `end_dim` to one.

    Parameters
    ----------
    x : Tensor, any shape but ()
        Values.
    start_dim, end_dim : int
        First and last axis to join; all by default.

    Returns
    -------
    Tensor, shape (..., product of the joined sizes, ...)

    Raises
    ------
    ShapeError
        If x is a single number, an axis does not exist, or the first comes after the last.
    DTypeError
        If x is no variable.
    OptionError
        If an axis is no integer.

    Notes
    -----
    ``δ(x)`` is ``δ(y)`` in the shape of x.

    Examples
    --------
    >>> import numpy as np, tinygrad_cnn as tg
    >>> tg.functional.flatten(tg.Tensor(np.zeros((2, 16, 5, 5))), start_dim=1).shape
    (2, 400)
    """
    require_variables("flatten", x)
    start_dim, end_dim = integers("flatten", "axes", (start_dim, end_dim))
    shape = x.shape
    ndim = len(shape)
    first, last = start_dim % max(ndim, 1), end_dim % max(ndim, 1)
    if not -ndim <= start_dim < ndim or not -ndim <= end_dim < ndim or first > last:
        raise ShapeError(
            f"flatten: start_dim does not come after end_dim; got {start_dim} and {end_dim} "
            f"for shape {shape}"
        )
    joined = math.prod(shape[first : last + 1])
    return ReshapeElement((*shape[:first], joined, *shape[last + 1 :]))(x)


def squeeze(x: Any, dim: Axes = None) -> Any:
    """Drop axes of size one: all of them, or those of `dim` that have it.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    dim : int or sequence of int, optional
        Axes to drop where their size is one; all by default.

    Returns
    -------
    Tensor, shape of x without those axes

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
    ``δ(x)`` is ``δ(y)`` in the shape of x.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.squeeze(tg.Tensor([[[1.0], [2.0]]]), dim=0).tolist()
    [[1.0], [2.0]]
    """
    require_variables("squeeze", x)
    axes = normalise_axes("squeeze", dim, len(x.shape))
    return reshape(x, [size for k, size in enumerate(x.shape) if size != 1 or k not in axes])


def unsqueeze(x: Any, dim: int) -> Any:
    """Add an axis of size one, the axis `dim` of the result.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    dim : int
        Place of the new axis.

    Returns
    -------
    Tensor, shape of x with a 1 at `dim`

    Raises
    ------
    ShapeError
        If the result has no such axis.
    DTypeError
        If x is no Tensor.
    OptionError
        If `dim` is no integer.

    Notes
    -----
    ``δ(x)`` is ``δ(y)`` in the shape of x.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.unsqueeze(tg.Tensor([1.0, 2.0]), dim=-1).tolist()
    [[1.0], [2.0]]
    """
    require_variables("unsqueeze", x)
    axis = normalise_axis("unsqueeze", dim, len(x.shape) + 1)
    return reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def clone(x: Any) -> Any:
    """Copy to memory of its own: ``y = x``; ``δ(x) = δ(y)``.

    Parameters
    ----------
    x : Tensor, any shape
        Values.

    Returns
    -------
    Tensor, the shape of x

    Raises
    ------
    DTypeError
        If x is no Tensor.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> repeats = tg.functional.broadcast_to(tg.Tensor([1.0]), (3,))
    >>> single = tg.functional.clone(repeats)
    >>> single[0] = 5.0
    >>> single.tolist()
    [5.0, 1.0, 1.0]
    """
    return CloneElement()(x)
