"""From stored pixels to what a network is fed with; images are (N, H, W, C)."""

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("normalise_images")
def normalise_images(x: Array, mean: Array, deviation: Array, out: Array) -> None:
    """out[..., c] = (x[..., c] - mean[c]) / deviation[c], where x is uint8 or as out is."""
    number = out.dtype.type
    for place in np.ndindex(out.shape):
        c = place[-1]
        out[place] = (number(x[place]) - number(mean[c])) / number(deviation[c])


@reference("crop_images")
def crop_images(x: Array, corners: Array, flips: Array, repeat: bool, out: Array) -> None:
    """out[n,i,j] = x[n, corners[n,0] + i, corners[n,1] + j], mirrored in j where flips[n].

    A corner may lie outside, as the others may. What is outside of the image is zero, or, if
    asked for, equal to the nearest pixel.
    """
    _, height, width, _ = x.shape
    columns = out.shape[2]
    for n, i, j, c in np.ndindex(out.shape):
        r, q = corners[n, 0] + i, corners[n, 1] + (columns - 1 - j if flips[n] else j)
        if repeat and x.size:
            r, q = min(max(r, 0), height - 1), min(max(q, 0), width - 1)
        out[n, i, j, c] = x[n, r, q, c] if 0 <= r < height and 0 <= q < width else 0


@reference("cutout_images")
def cutout_images(x: Array, corners: Array, size: int, out: Array) -> None:
    """out = x with zeros in a square of each image, its upper left pixel at corners[n].

    The square may lie outside, in part or altogether.
    """
    for n, i, j, c in np.ndindex(out.shape):
        down, across = i - corners[n, 0], j - corners[n, 1]
        out[n, i, j, c] = 0 if 0 <= down < size and 0 <= across < size else x[n, i, j, c]
