"""Changes of an error signal: what was asked, so that it can be listed, undone and made again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError
from tinygrad_cnn.explain.story import number_text
from tinygrad_cnn.graph import Node, Shape
from tinygrad_cnn.variable import Variable

Index = int | Sequence[int] | None  # None for all entries


@dataclass(frozen=True)
class Edit:
    """One change of one error signal.

    Attributes
    ----------
    position : int
        Elements that the walk had done when it was made.
    before : str
        The element that it was made before, with its number.
    name : str
        The value whose error signal it changed.
    kind : {"set", "scale", "replace"}
    index : tuple of int, optional
        The entry that was changed; None for all of them.
    number : float or array, optional
        What was put there, or the factor.
    """

    position: int
    before: str
    name: str
    kind: str
    index: tuple[int, ...] | None
    number: Any
    node: Node

    def apply(self, signal: Variable) -> Variable:
        """Return the changed error signal, in memory of its own."""
        changed = signal._private_copy()
        value: Any = changed._value
        place = ... if self.index is None else self.index
        array = value if isinstance(value, np.ndarray) else np.asarray(value, np.float64)
        with np.errstate(all="ignore"):  # infinities may be what is to be seen
            if self.kind == "scale":
                array[place] = array[place] * array.dtype.type(self.number)
            else:
                array[place] = self.number
        changed._value = array if isinstance(value, np.ndarray) else float(array)
        return changed

    def __str__(self) -> str:
        where = "" if not self.index else f"[{','.join(map(str, self.index))}]"
        what = "replaced" if self.kind == "replace" else f"set to {number_text(self.number)}"
        if self.kind == "scale":
            what = f"times {number_text(self.number)}"
        return f"before {self.before}: δ({self.name}){where} {what}"


def index_of(operation: str, name: str, shape: Shape, index: Index) -> tuple[int, ...] | None:
    """Return an index that picks one entry of a shape, or None for all, or refuse it."""
    if index is None:
        return None
    given = (index,) if isinstance(index, int | np.integer) else tuple(index)
    if any(isinstance(k, bool) or not isinstance(k, int | np.integer) for k in given):
        raise DTypeError(f"{operation}: an index is whole numbers; got {given!r}")
    if len(given) != len(shape):
        raise ShapeError(
            f"{operation}: an index has one number for each axis of δ({name}), whose shape is "
            f"{shape}; got {given}"
        )
    for axis, (k, size) in enumerate(zip(given, shape, strict=True)):
        if not -size <= k < size:
            raise ShapeError(
                f"{operation}: axis {axis} of δ({name}) has indices 0 to {size - 1}, its shape is "
                f"{shape}; got {given}"
            )
    return tuple(int(k) % size for k, size in zip(given, shape, strict=True))


def number_of(operation: str, noun: str, number: Any) -> float:
    """Return a number, NaN and infinities included, or refuse what is none."""
    try:
        return float(number)
    except (TypeError, ValueError):
        raise OptionError(f"{operation}: {noun} is a number; got {number!r}") from None


def array_of(operation: str, name: str, shape: Shape, dtype: Any, values: Any) -> Any:
    """Return a whole error signal of the shape of its value, or refuse it."""
    given = values._value if isinstance(values, Variable) else values
    try:
        array = np.array(given, dtype)
    except (TypeError, ValueError):
        raise DTypeError(
            f"{operation}: an error signal is an array of {dtype}; got {type(values).__name__}"
        ) from None
    if array.shape != shape:
        raise ShapeError(
            f"{operation}: δ({name}) has the shape of the value it belongs to; got "
            f"{array.shape} for {shape}"
        )
    return array
