"""The end of a residual block: two branches added, and what is negative cut off."""

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("add_relu")
def add_relu(x: Array, y: Array, out: Array) -> None:
    """out = max(0, x + y), where x and y broadcast; NaN stays NaN."""
    x, y = np.broadcast_to(x, out.shape), np.broadcast_to(y, out.shape)
    for place in np.ndindex(out.shape):
        total = x[place] + y[place]
        out[place] = 0 if total < 0 else total
