"""Images bent by fields of displacements; images and fields are (N, H, W, C)."""

import math

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("smooth_images")
def smooth_images(x: Array, weights: Array, out: Array) -> None:
    """out[n,i,j] = Σ_uv weights[u] weights[v] x[n, i+u-R, j+v-R] over what lies inside.

    There are 2R + 1 weights.
    """
    reach = len(weights) // 2
    _, height, width, _ = x.shape
    for n, i, j, c in np.ndindex(out.shape):
        total = 0.0
        for u, v in np.ndindex(len(weights), len(weights)):
            r, q = i + u - reach, j + v - reach
            if 0 <= r < height and 0 <= q < width:
                total += float(weights[u]) * float(weights[v]) * float(x[n, r, q, c])
        out[n, i, j, c] = total


@reference("warp_images")
def warp_images(x: Array, field: Array, repeat: bool, out: Array) -> None:
    """out[n,i,j] = x[n] at (i, j) + field[n,i,j], between the four pixels around that place.

    What is outside of the image is zero, or, if asked for, equal to the nearest pixel.
    """
    _, height, width, _ = x.shape
    for n, i, j in np.ndindex(out.shape[:3]):
        row, column = i + float(field[n, i, j, 0]), j + float(field[n, i, j, 1])
        if math.isnan(row) or math.isnan(column):
            out[n, i, j] = np.nan
            continue
        if repeat:
            row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
        out[n, i, j] = 0
        if -1 < row < height and -1 < column < width:
            top, left = math.floor(row), math.floor(column)
            for r, q in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
                if 0 <= r < height and 0 <= q < width:
                    share = (1 - abs(row - r)) * (1 - abs(column - q))
                    out[n, i, j] += share * x[n, r, q]
