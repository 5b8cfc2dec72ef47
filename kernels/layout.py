"""The one place that decides how arrays lie in memory.

Four-dimensional activations and error signals are *channels-last* inside: their logical
shape is (N, C, H, W), their memory runs N, H, W, C, so the channels of a pixel are
neighbours and a register tile reads them with one instruction. Everything else
(parameters, their gradients, optimiser state, arrays of any other rank) is C-contiguous in
the order that the user sees.

Kernels only ever see C-contiguous arrays: a four-dimensional activation reaches them as
(N, H, W, C). Whether an array is channels-last is asked of its transposed view and never
of its strides: with C = 1 or H = W = 1 an array is both.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.kernels.buffer_pool import empty
from tinygrad_cnn.kernels.registry import lookup
from tinygrad_cnn.kernels.stand_in import is_stand_in

Array = npt.NDArray[Any]

_TO_KERNEL = (0, 2, 3, 1)
_TO_USER = (0, 3, 1, 2)
_MANY = 100_000  # values up to which NumPy has rearranged them before a kernel is looked up
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def is_channels_last(array: Array) -> bool:
    """Tell whether a (N, C, H, W) array lies in memory as N, H, W, C."""
    return array.ndim == 4 and array.transpose(_TO_KERNEL).flags.c_contiguous


def contiguous(array: Array) -> Array:
    """Return `array` C-contiguous in the order that the user sees; a copy only if needed.

    A stand-in has no memory to put in order.
    """
    if array.flags.c_contiguous or is_stand_in(array):
        return array
    if array.ndim == 4 and array.size > _MANY and array.dtype in _FLOATS:
        return _rearranged(array)
    return np.ascontiguousarray(array)


def _rearranged(array: Array) -> Array:
    """Return a large image C-contiguous; a kernel does it where channels become last, or first."""
    for order in (_TO_KERNEL, _TO_USER):
        stored = array.transpose(order)
        if stored.flags.c_contiguous:
            pixels_first = order is _TO_KERNEL
            rows = stored.shape[1] * (stored.shape[2] if pixels_first else 1)
            matrices = stored.reshape(len(stored), rows, -1)
            result = empty(array.shape, array.dtype)
            kernel = lookup("transpose_matrices", dtype=array.dtype).function
            kernel(matrices, result.reshape(len(stored), -1, rows))
            return result
    return np.ascontiguousarray(array)


def axis_last(array: Array, axis: int) -> Array:
    """Return a view with one axis moved to the end."""
    ndim = array.ndim
    if axis == -1 or axis == ndim - 1:
        return array
    if ndim == 4 and axis == 1:
        return array.transpose(_TO_KERNEL)
    axes = list(range(ndim))
    axes.append(axes.pop(axis))
    return array.transpose(axes)


def channels_last(array: Array) -> Array:
    """Return a (N, C, H, W) activation as a C-contiguous (N, H, W, C) array.

    It is a view where the memory already lies so, else a copy. Arrays of another rank are
    made C-contiguous.

    Examples
    --------
    >>> channels_last(np.zeros((2, 3, 8, 9))).shape
    (2, 8, 9, 3)
    """
    view = array.transpose(_TO_KERNEL) if array.ndim == 4 else array
    return view if view.flags.c_contiguous else contiguous(view)


def user_view(array: Array) -> Array:
    """Return the (N, C, H, W) view of a (N, H, W, C) array; other ranks pass through."""
    return array.transpose(_TO_USER) if array.ndim == 4 else array


def empty_activation(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Allocate an activation of logical shape (N, C, H, W), channels-last inside."""
    if len(shape) != 4:
        return empty(shape, dtype)
    n, c, h, w = shape
    return user_view(empty((n, h, w, c), dtype))


def alike(arrays: tuple[Array, ...], ndim: int) -> tuple[tuple[Array, ...], bool]:
    """Bring operands of one shape, of `ndim` axes, beside single numbers into one layout.

    Returns
    -------
    ready, last
        As :func:`align` does.
    """
    if ndim == 4:
        views, some, all_ready = [], False, True
        for array in arrays:
            view = array.transpose(_TO_KERNEL) if array.ndim == 4 else array
            ready = view.flags.c_contiguous
            some = some or (ready and array.ndim == 4)
            all_ready = all_ready and ready
            views.append(view)
        if some:
            return tuple(views if all_ready else map(contiguous, views)), True
    for array in arrays:
        if not array.flags.c_contiguous:
            return tuple(map(contiguous, arrays)), False
    return arrays, False


def align(arrays: tuple[Array, ...], shape: tuple[int, ...]) -> tuple[tuple[Array, ...], bool]:
    """Bring the operands of an elementwise operation into one layout.

    Parameters
    ----------
    arrays : tuple of ndarray
        Operands, broadcastable to `shape`.
    shape : tuple of int
        Shape of the result.

    Returns
    -------
    aligned : tuple of ndarray
        C-contiguous operands in the common order. The result takes the layout of the
        largest operand, channels-last on a tie; smaller operands in another layout are
        converted.
    last : bool
        Whether that order is channels-last, so that the result needs :func:`user_view`.
    """
    if len(shape) != 4:
        return tuple(contiguous(array) for array in arrays), False
    largest = max(array.size for array in arrays)
    full = [array for array in arrays if array.ndim == 4 and array.size == largest]
    last = not full or any(is_channels_last(array) for array in full)
    if not last:
        return tuple(contiguous(array) for array in arrays), False
    padded = (array.reshape((1,) * (4 - array.ndim) + array.shape) for array in arrays)
    return tuple(channels_last(array) for array in padded), True
