"""What elements ask of their inputs before any arithmetic: kinds, element types, axes, sizes."""

import math
import operator
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from tinygrad_cnn.device import require_variables as require_variables
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.variable import Variable

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

Axes = int | Sequence[int] | None


def lifted(operation: str, x: Any, other: Any) -> Any:
    """Return `other` as a variable of the kind of x, which has to be a variable itself."""
    require_variables(operation, x)
    return x.lift(other)


# -- element types -------------------------------------------------------------------


def any_float_type(operation: str, dtype: np.dtype[Any]) -> None:
    """Refuse integers and truth values."""
    if dtype.kind != "f":
        raise DTypeError(
            f"{operation}: it needs floating-point values; got {dtype}. Convert with .float()"
        )


def one_float_type(operation: str, *inputs: Variable) -> None:
    """Refuse inputs of several types, or of a type that has no kernels."""
    try:  # the usual case, asked at every step: arrays, all of one type
        first = inputs[0]._value.dtype
        if first is _FLOAT32 or first is _FLOAT64:
            for variable in inputs:
                if variable._value.dtype is not first:
                    break
            else:
                return
    except AttributeError:  # a Scalar
        pass
    for variable in inputs:
        if variable.dtype.kind != "f" or variable.dtype.itemsize not in (4, 8):
            raise DTypeError(
                f"{operation}: values are float32 or float64; got {variable.dtype}. "
                "Convert with .float()"
            )
    types = [variable.dtype for variable in inputs]
    if len(set(types)) > 1:
        raise DTypeError(
            f"{operation}: all inputs have one type; got {', '.join(map(str, types))}. "
            "Convert with .float() or .double()"
        )


# -- axes and sizes ------------------------------------------------------------------


def integers(operation: str, noun: str, given: Any) -> tuple[int, ...]:
    """Return sizes, axes or widths as Python integers; a single one may stand alone."""
    if type(given) is tuple and set(map(type, given)) <= {int}:
        return given
    several = given if isinstance(given, Iterable) else (given,)
    try:
        return tuple(operator.index(number) for number in several)
    except TypeError:
        raise OptionError(f"{operation}: {noun} are integers; got {given!r}") from None


def normalise_axes(operation: str, dim: Axes, ndim: int) -> tuple[int, ...]:
    """Return axes as sorted non-negative integers; None means all of them."""
    if dim is None:
        return tuple(range(ndim))
    given = tuple(dim) if isinstance(dim, Sequence) else (dim,)
    for axis in given:
        if not isinstance(axis, int | np.integer):
            raise OptionError(f"{operation}: dim is an integer, or several; got {dim!r}")
        if not -ndim <= axis < ndim:
            place = f"lies between {-ndim} and {ndim - 1}" if ndim else "of a single number is None"
            raise ShapeError(f"{operation}: dim {place}; got {axis}")
    axes = tuple(sorted(axis % ndim for axis in given))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{operation}: each dim is named once; got {given}")
    return axes


def normalise_axis(operation: str, dim: int, ndim: int) -> int:
    """Return one axis as a non-negative integer."""
    if not isinstance(dim, int | np.integer):
        raise OptionError(f"{operation}: dim is an integer; got {dim!r}")
    (axis,) = normalise_axes(operation, dim, ndim)
    return axis


def broadcast_shape(operation: str, *shapes: Shape) -> Shape:
    """Return the shape that shapes broadcast to, or refuse them."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(
            f"{operation}: shapes broadcast when, read from the right, sizes are equal "
            f"or one of them is 1; got {' and '.join(map(str, shapes))}"
        ) from None


# -- numbers -------------------------------------------------------------------------


def is_integer(given: Any, least: float) -> bool:
    """Tell whether an option is an integer of at least `least`; truth values are none."""
    if type(given) is int:
        return given >= least
    return isinstance(given, Integral) and not isinstance(given, bool) and int(given) >= least


def _is_finite(given: Any) -> bool:
    return isinstance(given, Real) and not isinstance(given, bool) and math.isfinite(given)


def finite_number(
    operation: str, option: str, given: Any, least: float = -math.inf, most: float = math.inf
) -> float:
    """Return an option that is a finite number, from `least` to `most`, as a float."""
    if type(given) is float and least <= given <= most and -math.inf < given < math.inf:
        return given
    if not _is_finite(given) or not least <= given <= most:
        bounds = f" of at least {least:g}" if math.isfinite(least) else ""
        bounds = f" from {least:g} to {most:g}" if math.isfinite(most) else bounds
        raise OptionError(f"{operation}: {option} is a finite number{bounds}; got {given!r}")
    return float(given)


def positive_number(operation: str, option: str, given: Any) -> float:
    """Return an option that is a finite number above 0 as a float."""
    if not _is_finite(given) or not given > 0:
        raise OptionError(f"{operation}: {option} is a finite number above 0; got {given!r}")
    return float(given)


def constants(value: Any, numbers: Sequence[float]) -> tuple[Any, ...]:
    """Return options of an element as operands beside a value: of its kind and type."""
    if not numbers:
        return ()
    if isinstance(value, float):
        return tuple(numbers)
    return tuple(np.asarray(number, value.dtype) for number in numbers)
