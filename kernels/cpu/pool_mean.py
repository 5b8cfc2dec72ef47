"""Means and sums over rectangles of pixels, and their adjoint; images are (N, H, W, C).

A rectangle is a span of rows times a span of columns. `rows` has a line (first, end, size)
for each output row, `columns` one for each output column: output (i, j) is the sum over rows
first ≤ r < end and columns first ≤ q < end, divided by the product of the two sizes. That is
an average, a sum (sizes of one) and an adaptive average alike.
"""

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.memory import read_only
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_FORK = 100_000  # values to add; below, a fork and join cost more than they save


@implements("mean_pool2d_forward", device="cpu", variant="direct")
def mean_pool2d_forward(x: Array, rows: Array, columns: Array, out: Array) -> None:
    """out[n,i,j,c] = Σ x[n,r,q,c] over the rectangle (i, j) / (its two sizes)."""
    spans = read_only(rows).reshape(rows.shape), read_only(columns).reshape(columns.shape)
    _mean_forward(read_only(x).reshape(x.shape), *spans, x.size > _FORK, out)


@compiled(parallel=True)
def _mean_forward(x: Array, rows: Array, columns: Array, fork: bool, out: Array) -> None:
    tasks = out.shape[0] * out.shape[1]
    if fork:
        for task in numba.prange(tasks):
            _mean_row(np.intp(task), x, rows, columns, out)
    else:
        for task in range(tasks):
            _mean_row(task, x, rows, columns, out)


@compiled()
def _mean_row(task: int, x: Array, rows: Array, columns: Array, out: Array) -> None:
    """Fill one row of one image."""
    _, out_height, out_width, channels = out.shape
    n, i = task // out_height, task % out_height
    for j in range(out_width):
        total = out[n, i, j]
        for c in range(channels):
            total[c] = 0
        for r in range(rows[i, 0], rows[i, 1]):
            for q in range(columns[j, 0], columns[j, 1]):
                pixel = x[n, r, q]
                for c in range(channels):
                    total[c] += pixel[c]
        size = out.dtype.type(rows[i, 2] * columns[j, 2])
        for c in range(channels):
            total[c] = total[c] / size


@implements("mean_pool2d_grad_input", device="cpu", variant="direct")
def mean_pool2d_grad_input(grad: Array, rows: Array, columns: Array, out: Array) -> None:
    """Add each error signal, divided by the two sizes, to all pixels of its rectangle."""
    spans = read_only(rows).reshape(rows.shape), read_only(columns).reshape(columns.shape)
    covers = _covering(rows, out.shape[1]), _covering(columns, out.shape[2])
    flat = read_only(grad).reshape(grad.shape)
    _mean_grad_input(flat, *spans, *covers, out.size > _FORK, out)


def _covering(spans: Array, size: int) -> Array:
    """Return (first, end) of the outputs whose span holds each pixel; spans go up in order."""
    pixels = np.arange(size)
    first = np.searchsorted(spans[:, 1], pixels, side="right")
    return read_only(np.stack([first, np.searchsorted(spans[:, 0], pixels, "right")], 1), np.intp)


@compiled(parallel=True)
def _mean_grad_input(
    grad: Array,
    rows: Array,
    columns: Array,
    over_rows: Array,
    over_columns: Array,
    fork: bool,
    out: Array,
) -> None:
    tasks = out.shape[0] * out.shape[1]
    if fork:
        for task in numba.prange(tasks):
            _mean_grad_row(np.intp(task), grad, rows, columns, over_rows, over_columns, out)
    else:
        for task in range(tasks):
            _mean_grad_row(task, grad, rows, columns, over_rows, over_columns, out)


@compiled()
def _mean_grad_row(
    task: int,
    grad: Array,
    rows: Array,
    columns: Array,
    over_rows: Array,
    over_columns: Array,
    out: Array,
) -> None:
    """Fill one row of the error signals of one image: each pixel asks the rectangles over it."""
    _, height, width, channels = out.shape
    n, r = task // height, task % height
    for q in range(width):
        pixel = out[n, r, q]
        for c in range(channels):
            pixel[c] = 0
        for i in range(over_rows[2 * r], over_rows[2 * r + 1]):
            for j in range(over_columns[2 * q], over_columns[2 * q + 1]):
                signal = grad[n, i, j]
                size = out.dtype.type(rows[i, 2] * columns[j, 2])
                for c in range(channels):
                    pixel[c] += signal[c] / size
