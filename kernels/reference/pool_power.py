"""Lp pooling, the p-norm of each window, and its adjoint; images are (N, H, W, C)."""

import math

import numpy as np

from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference
from tinygrad_cnn.kernels.reference.pool_max import pixels


@reference("lp_pool2d_forward")
def lp_pool2d_forward(x: Array, p: float, window: Window, out: Array) -> None:
    """out[n,i,j,c] = (Σ |x|^p under the window)^(1/p)."""
    for n, i, j, c in np.ndindex(out.shape):
        sizes = [abs(float(x[n, *pixel, c])) for pixel in pixels(window, i, j, *x.shape[1:3])]
        largest, total = max(sizes), sum(sizes)
        if 0 < total < math.inf:
            total = largest * sum((size / largest) ** p for size in sizes) ** (1 / p)
        out[n, i, j, c] = total


@reference("lp_pool2d_grad_input")
def lp_pool2d_grad_input(
    grad: Array, x: Array, y: Array, p: float, window: Window, out: Array
) -> None:
    """Add δ · (|x| / y)^(p-1) sign(x) of each window to its pixels; nothing where y = 0."""
    out[...] = 0
    for n, i, j, c in np.ndindex(grad.shape):
        norm = y[n, i, j, c]
        for row, column in pixels(window, i, j, *x.shape[1:3]):
            value = x[n, row, column, c]
            if norm != 0 and value != 0:
                slope = (abs(value) / norm) ** (p - 1) * np.sign(value)
                out[n, row, column, c] += grad[n, i, j, c] * slope
