"""Maximum pooling and its adjoints; images are (N, H, W, C).

Pooling moves much memory for little arithmetic, so the loops are plain. The channel loop is
innermost: channels are neighbours in memory, and a loop that treats all of them alike is
one that the compiler turns into vector instructions. Rows of the result go to several
threads; where windows overlap and add up, whole images do.
"""

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.loops.memory import read_only_view
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_FORK = 100_000  # values to touch; below, a fork and join cost more than they save


@implements("max_pool2d_forward", device="cpu", variant="direct")
def max_pool2d_forward(x: Array, window: Window, last: bool, out: Array, winners: Array) -> None:
    """Fill out with the largest value under each window, winners with its index row·W + column.

    Of equal values the first in row order wins, or, if asked for, the last. A NaN wins over
    every number. Padding never wins.
    """
    fork = out.size * window.kh * window.kw > _FORK
    flat = read_only_view(x)
    _max_forward(flat, Window(*window), bool(last), fork, out, winners)


@compiled(parallel=True)
def _max_forward(
    x: Array, window: Window, last: bool, fork: bool, out: Array, winners: Array
) -> None:
    rows = out.shape[0] * out.shape[1]
    if fork:
        for row in numba.prange(rows):
            _max_row(np.intp(row), x, window, last, out, winners)
    else:
        for row in range(rows):
            _max_row(row, x, window, last, out, winners)


@compiled()
def _max_row(task: int, x: Array, window: Window, last: bool, out: Array, winners: Array) -> None:
    """Fill one row of one image.

    While a window is searched, the winner is noted as a narrow integer, the number of its tap:
    the compiler then treats as many of these at once as it treats values. (Its distance from
    the first tap would be as good a note, but need not fit where a window is widely dilated.)
    """
    kh, kw, sh, sw, ph, pw, dh, dw = window[:8]
    _, height, width, channels = x.shape
    n, i = task // out.shape[1], task % out.shape[1]
    noted, distances = np.empty(channels, np.int32), np.empty(kh * kw, np.intp)
    for tap in range(kh * kw):
        distances[tap] = tap // kw * dh * width + tap % kw * dw
    for j in range(out.shape[2]):
        best, winner = out[n, i, j], winners[n, i, j]
        top, left, empty = i * sh - ph, j * sw - pw, True
        for u in range(kh):
            if top + u * dh < 0 or top + u * dh >= height:
                continue
            for v in range(kw):
                if left + v * dw < 0 or left + v * dw >= width:
                    continue
                pixel = x[n, top + u * dh, left + v * dw]
                place = np.int32(u * kw + v)
                if empty:
                    for c in range(channels):
                        best[c], noted[c] = pixel[c], place
                    empty = False
                elif last:
                    for c in range(channels):
                        value, old = pixel[c], best[c]
                        wins = (value >= old) | (value != value)
                        best[c] = value if wins else old
                        noted[c] = place if wins else noted[c]
                else:
                    for c in range(channels):
                        value, old = pixel[c], best[c]
                        wins = (value > old) | ((value != value) & (old == old))
                        best[c] = value if wins else old
                        noted[c] = place if wins else noted[c]
        first = top * width + left
        for c in range(channels):
            winner[c] = first + distances[noted[c]]


@implements("max_pool2d_scatter", device="cpu", variant="direct")
def max_pool2d_scatter(values: Array, winners: Array, out: Array) -> None:
    """Add each value to the pixel that its index row·W + column names; the rest are zero."""
    winners = read_only_view(winners)
    fork = values.size > _FORK
    _max_scatter(read_only_view(values), winners, fork, out)


@compiled(parallel=True)
def _max_scatter(values: Array, winners: Array, fork: bool, out: Array) -> None:
    if fork:
        for n in numba.prange(len(values)):
            _scatter_image(values[n], winners[n], out[n])
    else:
        for n in range(len(values)):
            _scatter_image(values[n], winners[n], out[n])


@compiled()
def _scatter_image(values: Array, winners: Array, out: Array) -> None:
    height, width, channels = values.shape
    image = out.reshape(-1)
    image[:] = 0
    for i in range(height):
        for j in range(width):
            value, winner = values[i, j], winners[i, j]
            for c in range(channels):
                image[winner[c] * channels + c] += value[c]


@implements("max_pool2d_gather", device="cpu", variant="direct")
def max_pool2d_gather(x: Array, winners: Array, out: Array) -> None:
    """Read x at the winners: the adjoint of max_pool2d_scatter."""
    winners = read_only_view(winners)
    _max_gather(read_only_view(x), winners, out)


@compiled()
def _max_gather(x: Array, winners: Array, out: Array) -> None:
    images, out_height, out_width, channels = out.shape
    for n in range(images):
        image = x[n].reshape(-1)
        for i in range(out_height):
            for j in range(out_width):
                found, winner = out[n, i, j], winners[n, i, j]
                for c in range(channels):
                    found[c] = image[winner[c] * channels + c]
