"""What the poolings compute."""

import numpy as np

from .values import Array, Pair
from .windows import both, windows


def max_pool2d(x: Array, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Array:
    kernel = both(kernel_size)
    step = kernel if stride is None else stride
    return windows(x, kernel, step, padding, -np.inf).max(axis=(4, 5))


def avg_pool2d(x: Array, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Array:
    kernel = both(kernel_size)
    step = kernel if stride is None else stride
    return windows(x, kernel, step, padding, 0.0).mean(axis=(4, 5))
