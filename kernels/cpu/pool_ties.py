"""Maximum pooling whose error signal goes to every winner; images are (N, H, W, C).

A winner is a pixel that equals the largest value y of its window, or is NaN as y is. These
kernels serve the study of sub-gradients, so they are short rather than fast.
"""

import numpy as np

from tinygrad_cnn.kernels.cpu.loops.memory import read_only
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@implements("max_pool2d_share", device="cpu", variant="direct")
def max_pool2d_share(
    grad: Array, x: Array, y: Array, window: Window, split: bool, out: Array
) -> None:
    """Add each error signal to all winners of its window; divided by their number if `split`."""
    images, largest = read_only(x).reshape(x.shape), read_only(y).reshape(y.shape)
    flat = read_only(grad).reshape(grad.shape)
    _share(flat, images, largest, Window(*window), bool(split), out)


@implements("max_pool2d_collect", device="cpu", variant="direct")
def max_pool2d_collect(
    signal: Array, x: Array, y: Array, window: Window, split: bool, out: Array
) -> None:
    """Add up a signal at all winners of each window: the adjoint of max_pool2d_share."""
    images, largest = read_only(x).reshape(x.shape), read_only(y).reshape(y.shape)
    flat = read_only(signal).reshape(signal.shape)
    _collect(flat, images, largest, Window(*window), bool(split), out)


@compiled()
def _wins(value: float, largest: float) -> bool:
    return value == largest or (value != value and largest != largest)


@compiled()
def _tap(window: Window, i: int, j: int, k: int, x: Array) -> tuple[int, int, bool]:
    """Return row and column of tap k of the window of output (i, j), and if it lies inside."""
    _, kw, sh, sw, ph, pw, dh, dw = window[:8]
    row, column = i * sh - ph + k // kw * dh, j * sw - pw + k % kw * dw
    return row, column, 0 <= row < x.shape[1] and 0 <= column < x.shape[2]


@compiled()
def _divisor(
    x: Array, y: Array, window: Window, place: tuple[int, int, int, int], split: bool
) -> int:
    """Return the number of winners of a window, or 1 where each receives the whole signal."""
    n, i, j, c = place
    count = 0
    for k in range(window[0] * window[1]):
        row, column, inside = _tap(window, i, j, k, x)
        if inside and _wins(x[n, row, column, c], y[place]):
            count += 1
    return count if split else 1


@compiled()
def _share(grad: Array, x: Array, y: Array, window: Window, split: bool, out: Array) -> None:
    out.reshape(-1)[:] = 0
    for place in np.ndindex(grad.shape):
        n, i, j, c = place
        part = grad[place] / out.dtype.type(_divisor(x, y, window, place, split))
        for k in range(window[0] * window[1]):
            row, column, inside = _tap(window, i, j, k, x)
            if inside and _wins(x[n, row, column, c], y[place]):
                out[n, row, column, c] += part


@compiled()
def _collect(signal: Array, x: Array, y: Array, window: Window, split: bool, out: Array) -> None:
    for place in np.ndindex(out.shape):
        n, i, j, c = place
        total = out.dtype.type(0)
        for k in range(window[0] * window[1]):
            row, column, inside = _tap(window, i, j, k, x)
            if inside and _wins(x[n, row, column, c], y[place]):
                total += signal[n, row, column, c]
        out[place] = total / out.dtype.type(_divisor(x, y, window, place, split))
