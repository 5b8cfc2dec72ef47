"""Random masks, and the product of an array with one."""

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference
from tinygrad_cnn.kernels.reference.random_words import philox


@reference("dropout")
def dropout(x: Array, mask: Array, scale: float, out: Array) -> None:
    """out = x · scale where mask is set, x · 0 elsewhere: a NaN stays a NaN."""
    for k in np.ndindex(out.shape):
        out[k] = float(x[k]) * (scale if mask[k] else 0.0)


@reference("dropout_mask")
def dropout_mask(key: int, threshold: int, out: Array) -> None:
    """out[k] = whether the 32-bit random number at place k lies below a threshold of 0 … 2^32.

    Places k, k + 64, k + 128 and k + 192 of a group of 256 share a counter.
    """
    flat = out.reshape(-1)
    for k in range(flat.size):
        group, place = divmod(k, 256)
        flat[k] = philox(group * 64 + place % 64, key)[place // 64] < threshold
