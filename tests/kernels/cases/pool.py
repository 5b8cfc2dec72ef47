"""Maxima and means under windows, and their adjoints."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_cnn.kernels.geometry import Window

from .case import Case

# N, H, W, C, window; padding never exceeds half of the kernel
POOL = (
    (2, 6, 8, 3, Window(2, 2, 2, 2)),
    (1, 5, 5, 16, Window(5, 5)),
    (2, 7, 9, 1, Window(3, 3, 2, 2, 1, 1)),  # overlapping windows
    (1, 6, 7, 4, Window(3, 2, 1, 2, 1, 0)),
    (3, 5, 4, 5, Window(1, 1, 2, 2)),
    (0, 4, 4, 2, Window(2, 2, 2, 2)),
)


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, h, w, c, window in POOL:
        oh, ow = window.output_size(h, w)
        label = f"N{n} {h}x{w} C{c} {tuple(window)}"
        x, grad = values(n, h, w, c).round(), values(n, oh, ow, c)  # rounded: there are ties
        winners = _winners(rng, h, w, window, grad.shape)
        taps = window.kh * window.kw
        small, large = ((grad.shape, dtype),), ((x.shape, dtype),)
        both = (*small, (grad.shape, np.intp))
        yield Case("max_pool2d_forward", label, (x, window), both)
        arguments = (grad, winners, window)
        yield Case("max_pool2d_grad_input", label, arguments, large, terms=taps)
        yield Case("max_pool2d_gather", label, (x, winners), small)
        yield Case("avg_pool2d_forward", label, (x, window), small, terms=taps)
        yield Case("avg_pool2d_grad_input", label, (grad, window), large, terms=taps)


def _winners(rng: Any, h: int, w: int, window: Window, shape: tuple[int, ...]) -> np.ndarray:
    """Draw for each output any pixel under its window."""
    winners = np.empty(shape, np.intp)
    for n, i, j, c in np.ndindex(shape):
        top, left = i * window.sh - window.ph, j * window.sw - window.pw
        row = rng.integers(max(0, top), min(h, top + window.kh))
        winners[n, i, j, c] = row * w + rng.integers(max(0, left), min(w, left + window.kw))
    return winners
