"""Transpose and permute: the same values with their axes in another order."""

from collections.abc import Sequence
from typing import Any

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.requirements import integers, require_variables
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class TransposeElement(ArrayElement, name="transpose"):
    """Put the axes in another order."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x} with axes reordered",
        {"x": "{δy} with axes put back"},
        "y = x^T",
        {"x": r"\delta(x) = \delta(y)^T"},
    )
    shares_memory = True

    def __init__(self, axes: Sequence[int]) -> None:
        self.axes = tuple(axes)

    def options(self) -> dict[str, Any]:
        return {"axes": self.axes}

    def check(self, x: Variable) -> None:
        ndim = len(x.shape)
        named = sorted(axis + ndim if axis < 0 else axis for axis in self.axes)
        if named != list(range(ndim)):
            raise ShapeError(
                f"transpose: every axis is named once; got {self.axes} for shape {x.shape}"
            )
        self.axes = tuple(axis % len(x.shape) for axis in self.axes)

    def forward(self, x: Any) -> Any:
        return x.transpose(self.axes)

    def backward(self, signal: Variable) -> Variable:
        order = sorted(range(len(self.axes)), key=self.axes.__getitem__)
        return TransposeElement(order)(signal)


# -- functions -----------------------------------------------------------------------


def transpose(x: Any, dim0: int, dim1: int) -> Any:
    """Exchange two axes: ``y = xᵀ``; ``δ(x) = δ(y)ᵀ``.

    Parameters
    ----------
    x : Tensor, at least one axis
        Values.
    dim0, dim1 : int
        The axes.

    Returns
    -------
    Tensor, shape of x with two sizes exchanged
        It shares memory with x.

    Raises
    ------
    ShapeError
        If an axis does not exist.
    DTypeError
        If x is no variable.
    OptionError
        If an axis is no integer.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.transpose(tg.Tensor([[1.0, 2.0]]), 0, 1).tolist()
    [[1.0], [2.0]]
    """
    require_variables("transpose", x)
    dim0, dim1 = integers("transpose", "axes", (dim0, dim1))
    ndim = len(x.shape)
    if not (-ndim <= dim0 < ndim and -ndim <= dim1 < ndim):
        raise ShapeError(
            f"transpose: axes lie between {-ndim} and {ndim - 1}; got {dim0} and {dim1} for "
            f"shape {x.shape}"
        )
    axes = list(range(ndim))
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return TransposeElement(axes)(x)


def permute(x: Any, dims: Sequence[int]) -> Any:
    """Put the axes in the order `dims`: axis k of the result is axis ``dims[k]`` of x.

    Parameters
    ----------
    x : Tensor, any shape
        Values.
    dims : sequence of int
        Every axis of x once.

    Returns
    -------
    Tensor, the sizes of x in the order `dims`
        It shares memory with x.

    Raises
    ------
    ShapeError
        If an axis is missing, named twice or does not exist.
    DTypeError
        If x is no Tensor.
    OptionError
        If an axis is no integer.

    Notes
    -----
    ``δ(x)`` is ``δ(y)`` with the axes put back.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.functional.permute(tg.Tensor([[[1.0, 2.0]]]), (2, 0, 1)).shape
    (2, 1, 1)
    """
    return TransposeElement(integers("permute", "axes", dims))(x)
