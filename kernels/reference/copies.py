"""Values brought to another place and left as they are: channels joined, axes exchanged."""

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("join_channels")
def join_channels(*arrays: Array) -> None:
    """out[..., c] = the channels of all arrays before it, one array's behind another's."""
    *parts, out = arrays
    first = 0
    for part in parts:
        for place in np.ndindex(part.shape):
            out[(*place[:-1], first + place[-1])] = part[place]
        first += part.shape[-1]


@reference("slice_channels")
def slice_channels(x: Array, first: int, out: Array) -> None:
    """out[..., c] = x[..., first + c]."""
    for place in np.ndindex(out.shape):
        out[place] = x[(*place[:-1], first + place[-1])]


@reference("transpose_matrices")
def transpose_matrices(x: Array, out: Array) -> None:
    """out[n,k,r] = x[n,r,k]."""
    for n, r, k in np.ndindex(x.shape):
        out[n, k, r] = x[n, r, k]
