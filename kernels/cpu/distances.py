"""Squared distances between the rows of two matrices, and their error signal.

Sums are float64 whatever the type of the values: there are few of them.
"""

from typing import Any

from tinygrad_cnn.kernels.cpu.loops.array_object import values_from
from tinygrad_cnn.kernels.cpu.loops.rows import (
    EXTRA,
    OUT,
    WEIGHT,
    X,
    option_of,
    row_tasks,
    rows_of,
    run_rows,
    values_of,
)
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@implements("squared_distances", device="cpu", variant="direct")
def squared_distances(x: Array, weight: Array, out: Array) -> None:
    """out[n,k] = Σ_j (x[n,j] - weight[k,j])²."""
    run_rows(_DISTANCES, x.shape, x, weight, None, out, option=len(weight))


@compiled()
def _distances_rows(table: Any, part: int) -> None:
    begin, end, length = rows_of(table, part)
    codes = option_of(table)
    for n in range(begin, end):
        x = values_from(values_of(table, X), n * length)
        out = values_from(values_of(table, OUT), n * codes)
        for k in range(codes):
            weight, total = values_from(values_of(table, WEIGHT), k * length), 0.0
            for j in range(length):
                difference = x[j] - weight[j]
                total += difference * difference
            out[k] = total


@implements("squared_distances_grad", device="cpu", variant="direct")
def squared_distances_grad(grad: Array, x: Array, weight: Array, out: Array) -> None:
    """out[n,j] = 2 Σ_k grad[n,k] · (x[n,j] - weight[k,j])."""
    run_rows(_DISTANCES_GRAD, x.shape, x, weight, None, out, grad, len(weight))


@compiled()
def _distances_grad_rows(table: Any, part: int) -> None:
    begin, end, length = rows_of(table, part)
    codes, weight = option_of(table), values_of(table, WEIGHT)
    for n in range(begin, end):
        x = values_from(values_of(table, X), n * length)
        grad = values_from(values_of(table, EXTRA), n * codes)
        out = values_from(values_of(table, OUT), n * length)
        for j in range(length):
            total = 0.0
            for k in range(codes):
                total += grad[k] * (x[j] - weight[k * length + j])
            out[j] = 2.0 * total


_DISTANCES, _DISTANCES_GRAD = row_tasks(_distances_rows), row_tasks(_distances_grad_rows)
