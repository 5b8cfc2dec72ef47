"""The product of an array with a scaled mask of truth values."""

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("dropout")
def dropout(x: Array, mask: Array, scale: float, out: Array) -> None:
    """out = x · scale where mask is set, x · 0 elsewhere: a NaN stays a NaN."""
    for k in np.ndindex(out.shape):
        out[k] = float(x[k]) * (scale if mask[k] else 0.0)
