"""Scalar: a Python float with a place in the graph."""

from typing import Any, Self

import numpy as np

from tinygrad_cnn.device import SCALAR
from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.graph import Node, Shape
from tinygrad_cnn.operators import Operand
from tinygrad_cnn.variable import Variable

_FLOAT64 = np.dtype(np.float64)


def _number(value: Any) -> float:
    """Return what stands for one number as a Python float."""
    if isinstance(value, Scalar):
        value = value._value
    if type(value) is float:
        return value
    try:
        if isinstance(value, str | bytes) or np.ndim(value):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise DTypeError(f"Scalar: the value is one number; got {value!r}") from None


class Scalar(Operand):
    """A Python float that records what is computed from it.

    Parameters
    ----------
    value : float
        The number.
    requires_grad : bool
        Whether error signals are propagated to it.
    name : str, optional
        Name in printouts.

    Examples
    --------
    >>> w, x = Scalar(2.0, requires_grad=True, name="w"), Scalar(3.0, name="x")
    >>> (w * x + 1.0).backward()
    >>> w.grad
    Scalar(3.0)
    """

    __slots__ = ()
    __array_ufunc__ = None  # ndarray + Scalar asks the Scalar

    def __init__(
        self, value: float, requires_grad: bool = False, *, name: str | None = None
    ) -> None:
        self._start(_number(value), requires_grad, name)

    # -- the number ------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """No axes: ()."""
        return ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of Python's floats: float64."""
        return _FLOAT64

    @property
    def device(self) -> str:
        """Where the value lives: ``scalar``."""
        return "scalar"

    @property
    def data(self) -> float:
        """The number itself; assigning changes it in place."""
        return float(self._value)

    @data.setter
    def data(self, value: "float | Scalar") -> None:
        self._value = _number(value)

    def item(self) -> float:
        """Return the number."""
        return float(self._value)

    def __float__(self) -> float:
        return float(self._value)

    def __repr__(self) -> str:
        return f"Scalar({self._value!r})"

    def __format__(self, spec: str) -> str:
        return format(self._value, spec) if spec else repr(self)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return self._value == (other._value if isinstance(other, Scalar) else other)

    __hash__ = object.__hash__

    def __lt__(self, other: "float | Scalar") -> bool:
        return bool(self._value < _number(other))

    def __le__(self, other: "float | Scalar") -> bool:
        return bool(self._value <= _number(other))

    def __gt__(self, other: "float | Scalar") -> bool:
        return bool(self._value > _number(other))

    def __ge__(self, other: "float | Scalar") -> bool:
        return bool(self._value >= _number(other))

    # -- arithmetic ------------------------------------------------------------------

    def lift(self, other: Any) -> Any:
        """Return a number as a constant Scalar; variables pass through."""
        return other if isinstance(other, Variable) else Scalar(other)

    def constant(self, number: float) -> "Scalar":
        """Return a number as a constant of this kind."""
        return Scalar(number)

    def _take_over(self, other: Self) -> None:
        self._value = other._value  # elements save numbers, not the Scalars that held them

    # -- what the graph asks for -----------------------------------------------------

    def _new_node(self) -> Node:
        return Node((), _FLOAT64, "scalar")

    def _size(self) -> int:
        return 1

    def _ones(self) -> "Scalar":
        return Scalar(1.0)

    def _accumulate(self, other: Self) -> None:
        self._value += other._value

    def _shares_memory(self, value: Any) -> bool:
        return False  # numbers do not change

    def _is_writable(self) -> bool:
        return True

    def _private_copy(self) -> "Scalar":
        return Scalar(self._value)


SCALAR.wraps_in(Scalar)
