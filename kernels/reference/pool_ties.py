"""Maximum pooling whose error signal goes to every winner; images are (N, H, W, C)."""

import numpy as np

from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference
from tinygrad_cnn.kernels.reference.pool_max import pixels


def _winners(
    x: Array, y: Array, window: Window, place: tuple[int, ...]
) -> list[tuple[int, int, int, int]]:
    """Return the pixels that equal the largest value of a window, or are NaN as it is."""
    n, i, j, c = place
    largest = y[place]
    return [
        (n, row, column, c)
        for row, column in pixels(window, i, j, *x.shape[1:3])
        for value in (x[n, row, column, c],)
        if value == largest or (value != value and largest != largest)
    ]


@reference("max_pool2d_share")
def max_pool2d_share(
    grad: Array, x: Array, y: Array, window: Window, split: bool, out: Array
) -> None:
    """Add each error signal to all winners of its window; divided by their number if `split`."""
    out[...] = 0
    for place in np.ndindex(grad.shape):
        winners = _winners(x, y, window, place)
        for winner in winners:
            out[winner] += grad[place] / len(winners) if split else grad[place]


@reference("max_pool2d_collect")
def max_pool2d_collect(
    signal: Array, x: Array, y: Array, window: Window, split: bool, out: Array
) -> None:
    """Add up a signal at all winners of each window: the adjoint of max_pool2d_share."""
    for place in np.ndindex(out.shape):
        winners = _winners(x, y, window, place)
        total = signal.dtype.type(0)
        for winner in winners:
            total += signal[winner]
        out[place] = total / signal.dtype.type(len(winners)) if split else total
