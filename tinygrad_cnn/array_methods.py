"""Methods that arrays have and single numbers do not: each calls one element."""

import operator
from typing import Any, NamedTuple, Self

from tinygrad_cnn.array_input import unpacked
from tinygrad_cnn.elements import affine, extremes, reduce, shape, softmax, transpose, variance
from tinygrad_cnn.elements.requirements import Axes
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.operators import Operand


class Winners(NamedTuple):
    """Largest or smallest values along an axis, and where they stand."""

    values: Any
    indices: Any


class ArrayOperand(Operand):
    """A variable with axes."""

    __slots__ = ()

    # -- shape -----------------------------------------------------------------------

    def reshape(self, *sizes: Any) -> Self:
        """Read the values, in (N, C, H, W) order, under another shape."""
        return shape.reshape(self, unpacked(sizes))

    def view(self, *sizes: Any) -> Self:
        """Reshape, in (N, C, H, W) order; copies where the layout in memory requires it."""
        return self.reshape(*sizes)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """Join axes to one."""
        return shape.flatten(self, start_dim, end_dim)

    def squeeze(self, dim: Axes = None) -> Self:
        """Drop axes of size one: all of them, or those of `dim` that have it."""
        return shape.squeeze(self, dim)

    def unsqueeze(self, dim: int) -> Self:
        """Add an axis of size one, the axis `dim` of the result."""
        return shape.unsqueeze(self, dim)

    def transpose(self, dim0: int, dim1: int) -> Self:
        """Exchange two axes."""
        return transpose.transpose(self, dim0, dim1)

    def permute(self, *dims: Any) -> Self:
        """Put the axes in another order."""
        return transpose.permute(self, unpacked(dims))

    @property
    def T(self) -> Self:  # noqa: N802  # the name everyone knows
        """The tensor with its axes reversed."""
        return self.permute(*range(len(self.shape))[::-1])

    def t(self) -> Self:
        """Transpose a matrix; a vector stays as it is."""
        if len(self.shape) > 2:
            raise ShapeError(
                f"t: a matrix is transposed; got shape {self.shape}. Use transpose(dim0, dim1)"
            )
        return self.T

    def clone(self) -> Self:
        """Copy to memory of its own; error signals pass through."""
        return shape.clone(self)

    # -- products and rows -----------------------------------------------------------

    def matmul(self, other: Any) -> Self:
        """Multiply matrices, or stacks of matrices, as ``@`` does."""
        return affine.matmul(self, self.lift(other))

    def __matmul__(self, other: Any) -> Self:
        return self.matmul(other)

    def __rmatmul__(self, other: Any) -> Self:
        return affine.matmul(self.lift(other), self)

    def __imatmul__(self, other: Any) -> Self:
        return self._in_place(operator.matmul, other)

    def softmax(self, dim: int) -> Self:
        """Return softmax along an axis."""
        return softmax.softmax(self, dim)

    def log_softmax(self, dim: int) -> Self:
        """Return the logarithm of softmax along an axis."""
        return softmax.log_softmax(self, dim)

    # -- reductions ------------------------------------------------------------------

    def sum(self, dim: Axes = None, keepdim: bool = False) -> Self:
        """Add up elements, along `dim` or all."""
        return reduce.sum(self, dim, keepdim)

    def mean(self, dim: Axes = None, keepdim: bool = False) -> Self:
        """Average elements, along `dim` or all."""
        return reduce.mean(self, dim, keepdim)

    def var(
        self,
        dim: Axes = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Self:
        """Average the squared distances from the mean, along `dim` or all."""
        return variance.var(self, dim, unbiased, keepdim, correction=correction)

    def std(
        self,
        dim: Axes = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Self:
        """Return the square root of the variance, along `dim` or all."""
        return variance.std(self, dim, unbiased, keepdim, correction=correction)

    def amax(self, dim: Axes = None, keepdim: bool = False) -> Self:
        """Return the largest elements along `dim` or all."""
        return extremes.max(self, dim, keepdim)

    def amin(self, dim: Axes = None, keepdim: bool = False) -> Self:
        """Return the smallest elements along `dim` or all."""
        return extremes.min(self, dim, keepdim)

    def max(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the largest element; with `dim`, (values, indices) along it."""
        if dim is None:
            return self.amax()
        return Winners(*extremes.MaxElement(dim, keepdim)(self))

    def min(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the smallest element; with `dim`, (values, indices) along it."""
        if dim is None:
            return self.amin()
        return Winners(*extremes.MinElement(dim, keepdim)(self))
