"""The end of a residual block: two branches added, and what is negative cut off, in one pass."""

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.instructions.simd import (
    first,
    lanes,
    load,
    load_masked,
    select,
    spread,
    store,
    store_masked,
)
from tinygrad_cnn.kernels.cpu.loops.memory import address, read_only
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_TASK_VALUES = 16 * 1024  # values of a task; never by the number of threads
_FORK = 100_000  # values below which a fork could gain less than 0.05 ms


@implements("add_relu", device="cpu", variant="direct")
def add_relu(x: Array, y: Array, out: Array) -> None:
    """out = max(0, x + y), where x and y broadcast; NaN stays NaN."""
    if not x.shape == y.shape == out.shape:
        x, y = (np.ascontiguousarray(np.broadcast_to(each, out.shape)) for each in (x, y))
    _add_relu(out.size > _FORK, read_only(x), read_only(y), out.ravel())


@compiled(parallel=True)
def _add_relu(fork: bool, x: Array, y: Array, out: Array) -> None:
    tasks = (out.size + _TASK_VALUES - 1) // _TASK_VALUES
    if fork:
        for task in numba.prange(tasks):
            _some_values(np.intp(task) * _TASK_VALUES, x, y, out)
    else:
        for task in range(tasks):
            _some_values(task * _TASK_VALUES, x, y, out)


@compiled()
def _some_values(begin: int, x: Array, y: Array, out: Array) -> None:
    left, right, target = address(x, begin), address(y, begin), address(out, begin)
    count, zeros, step = min(_TASK_VALUES, out.size - begin), spread(left, 0), lanes(left)
    whole = count // step * step
    for k in range(0, whole, step):
        total = load(left, k) + load(right, k)
        store(select(total < zeros, zeros, total), target, k)
    inside = first(left, count - whole)
    total = load_masked(left, whole, inside) + load_masked(right, whole, inside)
    store_masked(select(total < zeros, zeros, total), target, whole, inside)
