"""Means and sums over rectangles of pixels, and their adjoint; images are (N, H, W, C).

A line (first, end, size) of `rows` or `columns` says where a rectangle begins and ends, and
what its sum is divided by.
"""

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("mean_pool2d_forward")
def mean_pool2d_forward(x: Array, rows: Array, columns: Array, out: Array) -> None:
    """out[n,i,j,c] = Σ x[n,r,q,c] over the rectangle (i, j) / (its two sizes)."""
    for n, i, j, c in np.ndindex(out.shape):
        total = x.dtype.type(0)
        for r in range(*rows[i, :2]):
            for q in range(*columns[j, :2]):
                total += x[n, r, q, c]
        out[n, i, j, c] = total / x.dtype.type(rows[i, 2] * columns[j, 2])


@reference("mean_pool2d_grad_input")
def mean_pool2d_grad_input(grad: Array, rows: Array, columns: Array, out: Array) -> None:
    """Add each error signal, divided by the two sizes, to all pixels of its rectangle."""
    out[...] = 0
    for n, i, j, c in np.ndindex(grad.shape):
        share = grad[n, i, j, c] / grad.dtype.type(rows[i, 2] * columns[j, 2])
        for r in range(*rows[i, :2]):
            for q in range(*columns[j, :2]):
                out[n, r, q, c] += share
