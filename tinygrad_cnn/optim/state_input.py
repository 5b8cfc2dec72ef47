"""What ``load_state_dict`` is handed, brought into the form of the arrays it replaces."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DTypeError, ShapeError

Array = npt.NDArray[Any]


def as_stored(operation: str, path: str, value: Any, like: Array) -> Array:
    """Return a value of a state dictionary as a new array of the shape and type of another.

    Parameters
    ----------
    operation : str
        Who asks, for the message.
    path : str
        Name of the value in the state dictionary.
    value : array_like
        Numbers; counts (where `like` holds integers) stay integers.
    like : ndarray
        The array whose place it will take.

    Raises
    ------
    DTypeError
        If the value is not made of numbers, or a number is too large for the type.
    ShapeError
        If it has another shape.

    Examples
    --------
    >>> as_stored("load_state_dict", "bias", [1, 2], np.zeros(2, np.float32)).dtype
    dtype('float32')
    """
    try:
        array = np.asarray(value)
        fits = array.dtype.kind in ("iu" if like.dtype.kind in "iu" else "fiub")
    except (TypeError, ValueError, RuntimeError):  # ragged lists; foreign tensors that refuse
        fits = False
    if not fits:
        numbers = "whole numbers" if like.dtype.kind in "iu" else "numbers"
        raise DTypeError(f"{operation}: each value holds {numbers}; got {value!r:.60} for {path}")
    if array.shape != like.shape:
        raise ShapeError(
            f"{operation}: a value has the shape of what it replaces; got {array.shape} for "
            f"{path} of shape {like.shape}"
        )
    try:
        with np.errstate(over="raise"):
            return array.astype(like.dtype)
    except FloatingPointError:
        raise DTypeError(
            f"{operation}: values fit the type of what they replace; got numbers too large for "
            f"{path} of {like.dtype}"
        ) from None
