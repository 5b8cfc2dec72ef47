"""Maximum and average pooling over windows, and their adjoints; images are (N, H, W, C)."""

from collections.abc import Iterator

import numpy as np

from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


def _pixels(window: Window, i: int, j: int, height: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield the pixels under the window of output (i, j), row by row, padding left out."""
    for u in range(window.kh):
        for v in range(window.kw):
            row, column = i * window.sh + u - window.ph, j * window.sw + v - window.pw
            if 0 <= row < height and 0 <= column < width:
                yield row, column


@reference("max_pool2d_forward")
def max_pool2d_forward(x: Array, window: Window, out: Array, winners: Array) -> None:
    """Fill out with the largest value under each window, winners with its index row·W + column.

    Of equal values the first in row order wins. A NaN wins over every number. Padding never
    wins.
    """
    _, height, width, _ = x.shape
    for n, i, j, c in np.ndindex(out.shape):
        best, winner = -np.inf, -1
        for row, column in _pixels(window, i, j, height, width):
            value = x[n, row, column, c]
            if winner < 0 or value > best or (value != value and best == best):
                best, winner = value, row * width + column
        out[n, i, j, c], winners[n, i, j, c] = best, winner


@reference("max_pool2d_grad_input")
def max_pool2d_grad_input(grad: Array, winners: Array, window: Window, out: Array) -> None:
    """Add each error signal to the pixel that won its window; all other pixels get zero."""
    width = out.shape[2]
    out[...] = 0
    for n, i, j, c in np.ndindex(grad.shape):
        row, column = divmod(int(winners[n, i, j, c]), width)
        out[n, row, column, c] += grad[n, i, j, c]


@reference("max_pool2d_gather")
def max_pool2d_gather(x: Array, winners: Array, out: Array) -> None:
    """Read x at the winners: the adjoint of max_pool2d_grad_input."""
    width = x.shape[2]
    for n, i, j, c in np.ndindex(out.shape):
        row, column = divmod(int(winners[n, i, j, c]), width)
        out[n, i, j, c] = x[n, row, column, c]


@reference("avg_pool2d_forward")
def avg_pool2d_forward(x: Array, window: Window, out: Array) -> None:
    """out[n,i,j,c] = the sum under the window / (KH·KW): padding counts as zeros."""
    _, height, width, _ = x.shape
    for n, i, j, c in np.ndindex(out.shape):
        total = x.dtype.type(0)
        for row, column in _pixels(window, i, j, height, width):
            total += x[n, row, column, c]
        out[n, i, j, c] = total / (window.kh * window.kw)


@reference("avg_pool2d_grad_input")
def avg_pool2d_grad_input(grad: Array, window: Window, out: Array) -> None:
    """Spread each error signal evenly, divided by KH·KW, over the pixels of its window."""
    _, height, width, _ = out.shape
    out[...] = 0
    for n, i, j, c in np.ndindex(grad.shape):
        share = grad[n, i, j, c] / (window.kh * window.kw)
        for row, column in _pixels(window, i, j, height, width):
            out[n, row, column, c] += share
