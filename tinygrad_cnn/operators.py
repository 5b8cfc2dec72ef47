"""Operators and methods that scalars and tensors share: each calls one element."""

import operator
from collections.abc import Callable
from typing import Any, Self

from tinygrad_cnn.elements import absolute, activation, activation_rectifiers, arithmetic, powers
from tinygrad_cnn.errors import GraphError
from tinygrad_cnn.graph import is_recording
from tinygrad_cnn.variable import Variable


class Operand(Variable):
    """A variable that can be calculated with: the common base of Scalar and Tensor."""

    __slots__ = ()

    def lift(self, other: Any) -> Any:
        """Return a number or an array as a constant of this kind; variables pass through."""
        raise NotImplementedError  # abstract

    def constant(self, number: float) -> Self:
        """Return a number as a constant of this kind and type."""
        raise NotImplementedError  # abstract

    def _fractional(self) -> Self:
        """Return this value in a type that can hold a quotient."""
        return self

    def _take_over(self, other: Self) -> None:
        """Change this value in place to another of the same shape and type."""
        raise NotImplementedError  # abstract

    def _in_place(self, operation: Callable[[Any, Any], Any], other: Any) -> Self:
        """Change this value where nothing is recorded; else give the name a new value."""
        if is_recording() and self.requires_grad and self.is_leaf:
            raise GraphError(
                "in-place arithmetic: a leaf that requires a gradient is not changed while its "
                f"graph is recorded; got {self.name or 'one'} of shape {self.shape}. "
                "Use with no_grad(): ..., or write x = x + y"
            )
        result: Self = operation(self, other)
        recorded = is_recording() and (self.requires_grad or result.requires_grad)
        if recorded or result.shape != self.shape or result.dtype != self.dtype:
            return result
        self._take_over(result)
        return self

    def __add__(self, other: Any) -> Self:
        return arithmetic.add(self, self.lift(other))

    def __radd__(self, other: Any) -> Self:
        return arithmetic.add(self.lift(other), self)

    def __sub__(self, other: Any) -> Self:
        return arithmetic.subtract(self, self.lift(other))

    def __rsub__(self, other: Any) -> Self:
        return arithmetic.subtract(self.lift(other), self)

    def __mul__(self, other: Any) -> Self:
        return arithmetic.multiply(self, self.lift(other))

    def __rmul__(self, other: Any) -> Self:
        return arithmetic.multiply(self.lift(other), self)

    def __truediv__(self, other: Any) -> Self:
        return arithmetic.divide(self._fractional(), self.lift(other)._fractional())

    def __rtruediv__(self, other: Any) -> Self:
        return arithmetic.divide(self.lift(other)._fractional(), self._fractional())

    def __pow__(self, other: Any) -> Self:
        return powers.power(self, self.lift(other))

    def __rpow__(self, other: Any) -> Self:
        return powers.power(self.lift(other), self)

    def __neg__(self) -> Self:
        return arithmetic.negative(self)

    def __abs__(self) -> Self:
        return absolute.abs(self)

    def __iadd__(self, other: Any) -> Self:
        return self._in_place(operator.add, other)

    def __isub__(self, other: Any) -> Self:
        return self._in_place(operator.sub, other)

    def __imul__(self, other: Any) -> Self:
        return self._in_place(operator.mul, other)

    def __itruediv__(self, other: Any) -> Self:
        return self._in_place(operator.truediv, other)

    def __ipow__(self, other: Any) -> Self:
        return self._in_place(operator.pow, other)

    def exp(self) -> Self:
        """Return e to this power."""
        return powers.exp(self)

    def log(self) -> Self:
        """Return the natural logarithm."""
        return powers.log(self)

    def sqrt(self) -> Self:
        """Return the square root."""
        return powers.sqrt(self)

    def abs(self) -> Self:
        """Return the value without its sign."""
        return absolute.abs(self)

    def sigmoid(self) -> Self:
        """Return 1 / (1 + exp(-z))."""
        return activation.sigmoid(self)

    def tanh(self) -> Self:
        """Return the hyperbolic tangent."""
        return activation.tanh(self)

    def relu(self) -> Self:
        """Return max(0, z)."""
        return activation_rectifiers.relu(self)
