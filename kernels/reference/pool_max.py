"""Maximum pooling over windows, and its adjoints; images are (N, H, W, C)."""

from collections.abc import Iterator

import numpy as np

from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


def pixels(window: Window, i: int, j: int, height: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield the pixels under the window of output (i, j), row by row, padding left out."""
    for u in range(window.kh):
        for v in range(window.kw):
            row = i * window.sh + u * window.dh - window.ph
            column = j * window.sw + v * window.dw - window.pw
            if 0 <= row < height and 0 <= column < width:
                yield row, column


@reference("max_pool2d_forward")
def max_pool2d_forward(x: Array, window: Window, last: bool, out: Array, winners: Array) -> None:
    """Fill out with the largest value under each window, winners with its index row·W + column.

    Of equal values the first in row order wins, or, if asked for, the last. A NaN wins over
    every number. Padding never wins.
    """
    _, height, width, _ = x.shape
    for n, i, j, c in np.ndindex(out.shape):
        best, winner = -np.inf, -1
        for row, column in pixels(window, i, j, height, width):
            value = x[n, row, column, c]
            larger = value > best or (value != value and best == best)
            equal = value == best or (value != value and best != best)
            if winner < 0 or larger or (last and equal):
                best, winner = value, row * width + column
        out[n, i, j, c], winners[n, i, j, c] = best, winner


@reference("max_pool2d_scatter")
def max_pool2d_scatter(values: Array, winners: Array, out: Array) -> None:
    """Add each value to the pixel that its index row·W + column names; the rest are zero."""
    width = out.shape[2]
    out[...] = 0
    for n, i, j, c in np.ndindex(values.shape):
        row, column = divmod(int(winners[n, i, j, c]), width)
        out[n, row, column, c] += values[n, i, j, c]


@reference("max_pool2d_gather")
def max_pool2d_gather(x: Array, winners: Array, out: Array) -> None:
    """Read x at the winners: the adjoint of max_pool2d_scatter."""
    width = x.shape[2]
    for n, i, j, c in np.ndindex(out.shape):
        row, column = divmod(int(winners[n, i, j, c]), width)
        out[n, i, j, c] = x[n, row, column, c]
