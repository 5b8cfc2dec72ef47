"""Maximum pooling that notes each winner by its place u·KW + v; images are (N, H, W, C)."""

import numpy as np

from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


def _taps(window: Window, i: int, j: int, height: int, width: int) -> list[tuple[int, int, int]]:
    """Return places, rows and columns of the taps of a window that lie inside."""
    found = []
    for place in range(window.kh * window.kw):
        u, v = divmod(place, window.kw)
        row = i * window.sh + u * window.dh - window.ph
        column = j * window.sw + v * window.dw - window.pw
        if 0 <= row < height and 0 <= column < width:
            found.append((place, row, column))
    return found


@reference("max_pool2d_places")
def max_pool2d_places(x: Array, window: Window, last: bool, out: Array, places: Array) -> None:
    """Fill out with the largest value under each window, places with u·KW + v of its tap.

    Of equal values the first in row order wins, or, if asked for, the last. A NaN wins over
    every number. Padding never wins.
    """
    _, height, width, _ = x.shape
    for n, i, j, c in np.ndindex(out.shape):
        best, winner = -np.inf, -1
        for place, row, column in _taps(window, i, j, height, width):
            value = x[n, row, column, c]
            larger = value > best or (value != value and best == best)
            equal = value == best or (value != value and best != best)
            if winner < 0 or larger or (last and equal):
                best, winner = value, place
        out[n, i, j, c], places[n, i, j, c] = best, winner


@reference("max_pool2d_places_grad")
def max_pool2d_places_grad(grad: Array, places: Array, window: Window, out: Array) -> None:
    """Add each error signal to the pixel at its place under the window; the rest are zero."""
    _, height, width, _ = out.shape
    out[...] = 0
    for n, i, j, c in np.ndindex(grad.shape):
        for place, row, column in _taps(window, i, j, height, width):
            if place == places[n, i, j, c]:
                out[n, row, column, c] += grad[n, i, j, c]


@reference("max_pool2d_places_gather")
def max_pool2d_places_gather(x: Array, places: Array, window: Window, out: Array) -> None:
    """Read x at the place that each window notes: the adjoint of max_pool2d_places_grad."""
    _, height, width, _ = x.shape
    for n, i, j, c in np.ndindex(out.shape):
        for place, row, column in _taps(window, i, j, height, width):
            if place == places[n, i, j, c]:
                out[n, i, j, c] = x[n, row, column, c]
