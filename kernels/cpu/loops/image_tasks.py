"""Kernels whose threads share whole images: one task for each.

Where windows overlap, the pixels of an image are summed up by several of them; images never
meet. So a kernel that need not be quick with a single image gives each to a task, and inside
of it works with plain arrays.
"""

from typing import Any

import numpy as np
from numba import carray, types

from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import place_of_values, values_at, word_at
from tinygrad_cnn.kernels.cpu.loops.values import Addresses
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

_AXES = 5  # room for those of an array
_FIRST_ARRAY = 9  # words in front: of a window, and an option


def image_task(function: Any) -> Addresses:
    """Return where ``function(table, n)`` lies, compiled for each type of values."""
    return Addresses(function, signature=lambda values: types.void(values, types.intp))


def run_images(
    task: Addresses, window: Window, option: bool, cost: int, *arrays: Array, out: Array
) -> None:
    """Call a task for each image, on all threads where there is much to do.

    Parameters
    ----------
    task : Addresses
    window : Window
    option : bool
    cost : int
        Of a value of the result, in additions.
    *arrays : ndarray, (N, …), of float32 or float64
    out : ndarray, (N, …)
    """
    if not out.size:
        return
    held = [np.ascontiguousarray(array, out.dtype) for array in arrays]
    table = [*window[:8], int(option)]
    for array in (*held, out):
        table += [array.ctypes.data, *array.shape, *((1,) * (_AXES - array.ndim))]
    words = np.array(table, np.intp)
    tasks.run(task[out.dtype], words, len(out), out.size * cost)


@compiled()
def window_in(table: Any) -> tuple[int, ...]:
    """Return kernel, stride, padding and dilation, each down and across."""
    at = place_of_values(table)
    return (
        word_at(at), word_at(at + 8), word_at(at + 16), word_at(at + 24), word_at(at + 32),
        word_at(at + 40), word_at(at + 48), word_at(at + 56),
    )  # fmt: skip


@compiled()
def option_in(table: Any) -> bool:
    """Return the option."""
    return word_at(place_of_values(table) + 64) != 0


@compiled()
def image_in(table: Any, k: int, n: int) -> Array:
    """Return image n of array k, with the three axes behind the first and what follows as one."""
    entry = place_of_values(table) + 8 * (_FIRST_ARRAY + k * (1 + _AXES))
    height, width = word_at(entry + 16), word_at(entry + 24)
    channels, rest = word_at(entry + 32), word_at(entry + 40)
    values = values_at(table, word_at(entry))
    return carray(values, (word_at(entry + 8), height, width, channels, rest))[n]
