"""Runs tasks over the rows of a matrix (N, K): softmax, losses, distances.

A task computes some rows; how many depends on K alone, so the number of threads changes
no bit. It is written once, and compiled for float32 and for float64: its first argument is the
address of a table, given the type of the values, which NumPy's arrays of that type then get by
``values_at``.
"""

from typing import Any

import numpy as np
from numba import types

from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import (
    ARRAY_TYPE,
    data_of,
    is_ready,
    number_at,
    place_of_values,
    put_word,
    size_of,
    values_at,
    word_at,
)
from tinygrad_cnn.kernels.cpu.loops.tasks import call_task, run_tasks
from tinygrad_cnn.kernels.cpu.loops.values import Addresses
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

_PART = 8_192  # values of a task
_COST = 4  # a value of a row costs as much as four of an addition

# Words of the table: first five arrays, 0 where there is none, then numbers.
# (Not Python's integers: of those Numba would compile a specialisation for each.)
X, WEIGHT, LABELS, OUT, EXTRA = (np.intp(word) for word in range(5))
_ROWS, _CLASSES, _PER_PART, _WEIGHTS, _OPTION, _NUMBER, _WORDS = range(5, 12)

_LABEL_TYPE_ID, _NONE_ID = id(np.dtype(np.intp)), id(None)


def row_tasks(function: Any) -> Addresses:
    """Return the addresses of ``task(table, part)`` for float32 and float64 rows."""
    return Addresses(function, signature=lambda values: types.void(values, types.intp))


def run_rows(
    codes: Addresses,
    shape: tuple[int, ...],
    x: Array | None,
    weight: Array | None,
    labels: Array | None,
    out: Array,
    extra: Array | None = None,
    option: int = 0,
    number: float = 0.0,
    fork: int | None = None,
) -> None:
    """Run a task on all rows of a matrix of a shape.

    Threads share it from `fork` values on, or as if each cost what _COST additions do. What
    is not C-contiguous, or of another type than `out` (labels: than intp), is copied.
    """
    table, dtype, (rows, classes) = np.empty(_WORDS, np.intp), out.dtype, shape
    code, fork = codes[dtype], tasks._FORK // _COST if fork is None else fork
    number = float(number)  # whole ones would be a specialisation of their own
    parts = _run(
        code, id(x), id(weight), id(labels), id(out), id(extra), rows, classes, option, number,
        id(table), id(dtype), _LABEL_TYPE_ID, _NONE_ID, ARRAY_TYPE, fork,
    )  # fmt: skip
    if parts == 0:
        return
    if parts < 0:
        x, weight, extra = (
            None if array is None else np.ascontiguousarray(array, dtype)
            for array in (x, weight, extra)
        )
        labels = None if labels is None else np.ascontiguousarray(labels, np.intp)
        parts = _run(
            code, id(x), id(weight), id(labels), id(out), id(extra), rows, classes, option, number,
            id(table), id(dtype), _LABEL_TYPE_ID, _NONE_ID, ARRAY_TYPE, fork,
        )  # fmt: skip
    if parts > 0:
        run_tasks(code, table.ctypes.data, parts)
    elif parts < 0:
        raise DTypeError(
            "run_rows: the result is a C-contiguous array of float32 or float64; got "
            f"{out.dtype} of shape {out.shape}"
        )


@compiled()
def _run(
    code: int,
    x: int,
    weight: int,
    labels: int,
    out: int,
    extra: int,
    rows: int,
    classes: int,
    option: int,
    number: float,
    table: int,
    dtype: int,
    label_type: int,
    none: int,
    array_type: int,
    fork: int,
) -> int:
    """Run a small task and return 0, or return the number of parts of a large one, or -1."""
    if code == 0:
        return -1
    place = data_of(table)
    for k, array in enumerate((x, weight, labels, out, extra)):
        if array == none:
            put_word(place + 8 * k, 0)
        elif is_ready(array, array_type, label_type if k == LABELS else dtype):
            put_word(place + 8 * k, data_of(array))
        else:
            return -1
    per_part = max(1, _PART // max(1, classes))
    put_word(place + 8 * _ROWS, rows)
    put_word(place + 8 * _CLASSES, classes)
    put_word(place + 8 * _PER_PART, per_part)
    put_word(place + 8 * _WEIGHTS, size_of(weight) if weight != none else 0)
    put_word(place + 8 * _OPTION, option)
    put_word(place + 8 * _NUMBER, number)
    parts = (rows + per_part - 1) // per_part
    if rows * classes > fork:
        return parts
    for part in range(parts):
        call_task(code, place, part)
    return 0


@compiled(forceinline=True)
def rows_of(table: Any, part: int) -> Any:
    """Return the first row of a part, the row behind its last, and the number of classes."""
    place = place_of_values(table)
    per_part = word_at(place + 8 * _PER_PART)
    rows, classes = word_at(place + 8 * _ROWS), word_at(place + 8 * _CLASSES)
    return part * per_part, min((part + 1) * per_part, rows), classes


@compiled(forceinline=True)
def number_of_rows(table: Any) -> int:
    """Return how many rows all parts have together."""
    return word_at(place_of_values(table) + 8 * _ROWS)


@compiled(forceinline=True)
def values_of(table: Any, array: int) -> Any:
    """Return the values of one of the arrays of a table."""
    return values_at(table, word_at(place_of_values(table) + 8 * array))


@compiled(forceinline=True)
def label_of(table: Any, n: int) -> int:
    """Return the label of row n."""
    return word_at(word_at(place_of_values(table) + 8 * LABELS) + 8 * n)


@compiled(forceinline=True)
def option_of(table: Any) -> int:
    """Return the whole number that the wrapper handed over."""
    return word_at(place_of_values(table) + 8 * _OPTION)


@compiled(forceinline=True)
def number_of(table: Any) -> float:
    """Return the number that the wrapper handed over."""
    return number_at(place_of_values(table) + 8 * _NUMBER)


@compiled(forceinline=True)
def weight_of(table: Any, k: int) -> float:
    """Return the weight of class k: 1 where there are no weights."""
    place = place_of_values(table)
    if word_at(place + 8 * _WEIGHTS) == 0:
        return 1.0
    return float(values_of(table, WEIGHT)[k])
