"""Means and sums over rectangles of pixels, and their adjoint; images are (N, H, W, C).

A rectangle is a span of rows times a span of columns. `rows` has a line (first, end, size)
for each output row, `columns` one for each output column: output (i, j) is the sum over rows
first ≤ r < end and columns first ≤ q < end, divided by the product of the two sizes. That is
an average, a sum (sizes of one) and an adaptive average alike.

Forward, whole rows of pixels are added up in vectors, however few channels a pixel has, into
*lines* of sums; then each output adds up the pixels of its span of a line. Several lines are
filled before the first is read: what has just been written lies in a queue before the cache,
from where only the very same vectors can be read quickly. The adjoint asks for each pixel the
rectangles over it, once for all rows that lie under the same ones.
"""

from typing import Any

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.instructions.simd import (
    first,
    first_half,
    first_one,
    lanes,
    lanes_half,
    lanes_one,
    load_masked,
    spread_beside,
    spread_one,
    store_masked,
)
from tinygrad_cnn.kernels.cpu.loops.memory import address, copy_run, read_only_view
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_TASK_VALUES = 8 * 1024  # input values of a task, about; never by the number of threads
_FORK = 100_000  # values to add; below, a fork and join cost more than they save


@implements("mean_pool2d_forward", device="cpu", variant="direct")
def mean_pool2d_forward(x: Array, rows: Array, columns: Array, out: Array) -> None:
    """out[n,i,j,c] = Σ x[n,r,q,c] over the rectangle (i, j) / (its two sizes)."""
    if out.size:
        _mean_forward(
            read_only_view(x), read_only_view(rows), read_only_view(columns), x.size > _FORK, out
        )


@compiled(parallel=True)
def _mean_forward(x: Array, rows: Array, columns: Array, fork: bool, out: Array) -> None:
    total = out.shape[0] * out.shape[1]
    together = max(1, _TASK_VALUES * total // max(1, x.size))
    tasks = (total + together - 1) // together
    if fork:
        for task in numba.prange(tasks):
            begin = np.intp(task) * together
            _mean_rows(begin, min(total, begin + together), x, rows, columns, out)
    else:
        for task in range(tasks):
            begin = task * together
            _mean_rows(begin, min(total, begin + together), x, rows, columns, out)


@compiled()
def _mean_rows(begin: int, end: int, x: Array, rows: Array, columns: Array, out: Array) -> None:
    """Fill some rows, counted over all images."""
    _, height, width, channels = x.shape
    out_height, size = out.shape[1], width * channels
    if _are_pairs(rows) and _are_pairs(columns):
        _average_squares(begin, end, x, rows, columns, out)
        return
    lines = np.empty((end - begin, size), x.dtype)
    for row in range(begin, end):
        n, i = row // out_height, row % out_height
        first_pixel = (n * height + rows[i, 0]) * size
        _add_rows(x, first_pixel, rows[i, 1] - rows[i, 0], lines[row - begin])
    for row in range(begin, end):
        _average(lines[row - begin], rows[row % out_height, 2], columns, row, out)


@compiled()
def _are_pairs(spans: Array) -> bool:
    """Tell whether each span has two rows or columns, and all are of one size."""
    for k in range(len(spans)):
        if spans[k, 1] - spans[k, 0] != 2 or spans[k, 2] != spans[0, 2]:
            return False
    return True


@compiled()
def _average_squares(
    begin: int, end: int, x: Array, rows: Array, columns: Array, out: Array
) -> None:
    """Fill some rows with sums over squares of four pixels: the usual case, without lines."""
    channels, image = out.shape[3], address(x, 0)
    if channels <= lanes_half(image):
        inside = first_half(image, channels)
        _average_channels(0, inside, begin, end, x, rows, columns, out)
    else:
        for c in range(0, channels, lanes_one(image)):
            within = first_one(image, channels - c)
            _average_channels(c, within, begin, end, x, rows, columns, out)


@compiled()
def _average_channels(
    c: int, inside: Any, begin: int, end: int, x: Array, rows: Array, columns: Array, out: Array
) -> None:
    """Fill the channels from c on that are inside of a mask."""
    _, out_height, out_width, channels = out.shape
    height, pitch = x.shape[1], x.shape[2] * channels
    image, target, size = address(x, c), address(out, c), rows[0, 2] * columns[0, 2]
    exact = size > 0 and size & (size - 1) == 0  # the inverse of a power of two is exact
    factor = spread_beside(target, 1 / size, inside)
    divisor = spread_beside(target, size, inside)
    for row in range(begin, end):
        n, i = row // out_height, row % out_height
        upper = (n * height + rows[i, 0]) * pitch
        place = row * out_width * channels
        for j in range(out_width):
            at = upper + columns[j, 0] * channels
            left = load_masked(image, at, inside) + load_masked(image, at + pitch, inside)
            at += channels
            right = load_masked(image, at, inside) + load_masked(image, at + pitch, inside)
            total = left + right
            total = total * factor if exact else total / divisor
            store_masked(total, target, place, inside)
            place += channels


@compiled()
def _average(line: Array, rows: int, columns: Array, row: int, out: Array) -> None:
    """Fill a row with the sums over spans of a line, divided by their two sizes."""
    _, _, out_width, channels = out.shape
    sums, target = address(line, 0), address(out, row * out_width * channels)
    step, zeros = lanes_one(sums), spread_one(sums, 0)
    for c in range(0, channels, step):
        inside = first_one(sums, channels - c)
        for j in range(out_width):
            pixel, end = columns[j, 0] * channels + c, columns[j, 1] * channels + c
            total = zeros
            if end - pixel == 2 * channels:  # the usual case, without the cost of a loop
                total = load_masked(sums, pixel, inside)
                total = total + load_masked(sums, pixel + channels, inside)
            else:
                for at in range(pixel, end, channels):
                    total = total + load_masked(sums, at, inside)
            size = columns[j, 2] * rows
            if size > 0 and size & (size - 1) == 0:  # the inverse of a power of two is exact
                total = total * spread_one(sums, 1 / size)
            else:
                total = total / spread_one(sums, size)
            store_masked(total, target, j * channels + c, inside)


@compiled()
def _add_rows(x: Array, begin: int, rows: int, line: Array) -> None:
    """Fill a line with the sum of rows of pixels that begin at an offset."""
    image, sums = address(x, begin), address(line, 0)
    for k in range(0, line.size, lanes(sums)):
        inside = first(sums, line.size - k)
        total = load_masked(image, k, inside)
        for r in range(1, rows):
            total = total + load_masked(image, r * line.size + k, inside)
        store_masked(total, sums, k, inside)


@implements("mean_pool2d_grad_input", device="cpu", variant="direct")
def mean_pool2d_grad_input(grad: Array, rows: Array, columns: Array, out: Array) -> None:
    """Add each error signal, divided by the two sizes, to all pixels of its rectangle."""
    if out.size:
        _mean_grad(
            read_only_view(grad),
            read_only_view(rows),
            read_only_view(columns),
            out.size > _FORK,
            out,
        )


@compiled()
def _mean_grad(grad: Array, rows: Array, columns: Array, fork: bool, out: Array) -> None:
    over = np.empty((2, max(out.shape[1:3]), 2), np.intp)
    for axis in range(2):  # down, then across
        _covering(rows if axis == 0 else columns, out, axis, over[axis])
    size = rows[0, 2] * columns[0, 2]
    for i in range(len(rows)):
        size = size if rows[i, 2] == rows[0, 2] else 0
    for j in range(len(columns)):
        size = size if columns[j, 2] == columns[0, 2] else 0
    _each_task(size, grad, over[0], over[1], rows, columns, fork, out)


@compiled()
def _covering(spans: Array, out: Array, axis: int, table: Array) -> None:
    """Fill in (first, end) of the outputs whose span holds each pixel; spans go up in order."""
    size = out.shape[1 + axis]
    begin = end = 0
    for pixel in range(size):
        while begin < len(spans) and spans[begin, 1] <= pixel:
            begin += 1
        while end < len(spans) and spans[end, 0] <= pixel:
            end += 1
        table[pixel, 0], table[pixel, 1] = begin, end


@compiled(parallel=True)
def _each_task(
    size: int, grad: Array, over_rows: Array, over_columns: Array, rows: Array,
    columns: Array, fork: bool, out: Array,
) -> None:  # fmt: skip
    total = out.shape[0] * out.shape[1]
    together = max(1, _TASK_VALUES * total // out.size)
    tasks = (total + together - 1) // together
    if fork:
        for task in numba.prange(tasks):
            begin = np.intp(task) * together
            end = min(total, begin + together)
            _grad_rows(begin, end, size, grad, over_rows, over_columns, rows, columns, out)
    else:
        for task in range(tasks):
            begin = task * together
            end = min(total, begin + together)
            _grad_rows(begin, end, size, grad, over_rows, over_columns, rows, columns, out)


@compiled()
def _grad_rows(
    begin: int, end: int, size: int, grad: Array, over_rows: Array, over_columns: Array,
    rows: Array, columns: Array, out: Array,
) -> None:  # fmt: skip
    """Fill some rows, counted over all images."""
    height, row = out.shape[1], begin
    if size and _tile(rows, height) and _tile(columns, out.shape[2]):
        _spread_pairs(begin, end, size, grad, out)
        return
    while row < end:
        n, r = row // height, row % height
        alike = 1  # rows of this image under the same rectangles
        while row + alike < end and r + alike < height:
            if over_rows[r + alike, 0] != over_rows[r, 0]:
                break
            if over_rows[r + alike, 1] != over_rows[r, 1]:
                break
            alike += 1
        span = over_rows[r, 0], over_rows[r, 1]
        pitch = out.shape[2] * out.shape[3]
        _fill_row(row, n, span, size, grad, over_columns, rows, columns, out)
        for below in range(row + 1, row + alike):
            copy_run(address(out, below * pitch), address(out, row * pitch), pitch)
        row += alike


@compiled()
def _tile(spans: Array, size: int) -> bool:
    """Tell whether the spans are the pairs (0, 1), (2, 3), … of all rows or columns."""
    pairs = 2 * len(spans) == size
    for k in range(len(spans)):
        pairs = pairs and spans[k, 0] == 2 * k and spans[k, 1] == 2 * k + 2
    return pairs


@compiled()
def _spread_pairs(begin: int, end: int, size: int, grad: Array, out: Array) -> None:
    """Fill some rows where each error signal has four pixels: the usual case, without a search."""
    channels, target = out.shape[3], address(out, 0)
    if channels <= lanes_half(target):
        _spread_channels(0, first_half(target, channels), begin, end, size, grad, out)
    else:
        for c in range(0, channels, lanes_one(target)):
            _spread_channels(c, first_one(target, channels - c), begin, end, size, grad, out)


@compiled()
def _spread_channels(
    c: int, inside: Any, begin: int, end: int, size: int, grad: Array, out: Array
) -> None:
    """Fill the channels from c on that are inside of a mask."""
    _, out_height, out_width, channels = grad.shape
    height, signals, target = out.shape[1], address(grad, c), address(out, c)
    factor = spread_beside(target, 1 / size, inside)
    for row in range(begin, end):
        at = (row // height * out_height + row % height // 2) * out_width * channels
        place = row * 2 * out_width * channels
        for _ in range(out_width):
            total = load_masked(signals, at, inside) * factor
            store_masked(total, target, place, inside)
            store_masked(total, target, place + channels, inside)
            at += channels
            place += 2 * channels


@compiled()
def _fill_row(
    row: int, n: int, span: tuple[int, int], size: int, grad: Array, over: Array, rows: Array,
    columns: Array, out: Array,
) -> None:  # fmt: skip
    """Fill a row of an image with the sums over the rectangles above each pixel.

    `size` is the product of the two sizes of all rectangles, or 0 where these differ.
    """
    _, out_height, out_width, channels = grad.shape
    signals = address(grad, n * out_height * out_width * channels)
    target = address(out, row * out.shape[2] * channels)
    step, zeros = lanes_one(target), spread_one(target, 0)
    top, bottom = span
    for c in range(0, channels, step):
        inside, factor = first_one(target, channels - c), spread_one(target, 1 / size)
        for q in range(out.shape[2]):
            left, right = over[q, 0], over[q, 1]
            at, total = (top * out_width + left) * channels + c, zeros
            if size and bottom - top == 1 and right - left == 1:  # the usual case, without loops
                total = load_masked(signals, at, inside)
            else:
                for i in range(top, bottom):
                    for j in range(left, right):
                        at = (i * out_width + j) * channels + c
                        signal = load_masked(signals, at, inside)
                        if not size:
                            signal = signal / spread_one(target, rows[i, 2] * columns[j, 2])
                        total = total + signal
            if size:
                total = total * factor
            store_masked(total, target, q * channels + c, inside)
