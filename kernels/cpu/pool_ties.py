"""Maximum pooling whose error signal goes to every winner; images are (N, H, W, C).

A winner is a pixel that equals the largest value y of its window, or is NaN as y is. These
kernels serve the study of sub-gradients: they are short, and leave each image to one thread.
"""

from typing import Any

import numpy as np

from tinygrad_cnn.kernels.cpu.loops.image_tasks import (
    image_in,
    image_task,
    option_in,
    run_images,
    window_in,
)
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_COST = 4  # of looking at a tap, in additions


@implements("max_pool2d_share", device="cpu", variant="direct")
def max_pool2d_share(
    grad: Array, x: Array, y: Array, window: Window, split: bool, out: Array
) -> None:
    """Add each error signal to all winners of its window; divided by their number if `split`."""
    run_images(_SHARE, window, split, _COST, grad, x, y, out=out)


@implements("max_pool2d_collect", device="cpu", variant="direct")
def max_pool2d_collect(
    signal: Array, x: Array, y: Array, window: Window, split: bool, out: Array
) -> None:
    """Add up a signal at all winners of each window: the adjoint of max_pool2d_share."""
    taps = window.kh * window.kw
    run_images(_COLLECT, window, split, _COST * taps, signal, x, y, out=out)


@compiled()
def _wins(value: float, largest: float) -> bool:
    return (value == largest) | ((value != value) & (largest != largest))


@compiled()
def _taps_inside(kernel: int, dilation: int, start: int, size: int) -> tuple[int, int]:
    """Return the first tap inside the image, and the one behind the last."""
    begin, end = 0, kernel
    while begin < end and start + begin * dilation < 0:
        begin += 1
    while begin < end and start + (end - 1) * dilation >= size:
        end -= 1
    return begin, end


@compiled()
def _winners(
    window: tuple[int, ...], i: int, j: int, x: Array, y: Array, split: bool, counts: Array
) -> tuple[int, int, int, int]:
    """Count the winners of a window in each channel, or put 1; return which taps are inside."""
    kh, kw, sh, sw, ph, pw, dh, dw = window
    u0, u1 = _taps_inside(kh, dh, i * sh - ph, x.shape[0])
    v0, v1 = _taps_inside(kw, dw, j * sw - pw, x.shape[1])
    counts[:] = 0 if split else 1
    if split:
        for u in range(u0, u1):
            for v in range(v0, v1):
                pixel = x[i * sh - ph + u * dh, j * sw - pw + v * dw]
                for c in range(len(counts)):
                    counts[c] += _wins(pixel[c, 0], y[i, j, c, 0])
    return u0, u1, v0, v1


@compiled()
def _share_image(table: Any, n: int) -> None:
    window, split = window_in(table), option_in(table)
    grad, x, y = image_in(table, 0, n), image_in(table, 1, n), image_in(table, 2, n)
    out = image_in(table, 3, n)
    _, _, sh, sw, ph, pw, dh, dw = window
    out_height, out_width, channels, _ = grad.shape
    counts = np.empty(channels, out.dtype)
    out[...] = 0
    for i in range(out_height):
        for j in range(out_width):
            u0, u1, v0, v1 = _winners(window, i, j, x, y, split, counts)
            for c in range(channels):
                counts[c] = grad[i, j, c, 0] / counts[c]  # the share of each
            for u in range(u0, u1):
                for v in range(v0, v1):
                    row, column = i * sh - ph + u * dh, j * sw - pw + v * dw
                    for c in range(channels):
                        if _wins(x[row, column, c, 0], y[i, j, c, 0]):
                            out[row, column, c, 0] += counts[c]


@compiled()
def _collect_image(table: Any, n: int) -> None:
    window, split = window_in(table), option_in(table)
    signal, x, y = image_in(table, 0, n), image_in(table, 1, n), image_in(table, 2, n)
    out = image_in(table, 3, n)
    _, _, sh, sw, ph, pw, dh, dw = window
    out_height, out_width, channels, _ = out.shape
    counts = np.empty(channels, out.dtype)
    out[...] = 0
    for i in range(out_height):
        for j in range(out_width):
            u0, u1, v0, v1 = _winners(window, i, j, x, y, split, counts)
            for u in range(u0, u1):
                for v in range(v0, v1):
                    row, column = i * sh - ph + u * dh, j * sw - pw + v * dw
                    for c in range(channels):
                        if _wins(x[row, column, c, 0], y[i, j, c, 0]):
                            out[i, j, c, 0] += signal[row, column, c, 0]
            for c in range(channels):
                out[i, j, c, 0] /= counts[c]


_SHARE, _COLLECT = image_task(_share_image), image_task(_collect_image)
