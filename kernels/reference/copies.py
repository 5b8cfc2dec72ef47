"""Values brought to another place and left as they are: channels joined, axes exchanged."""

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference

Box = tuple[tuple[int, int], ...]


@reference("join_channels")
def join_channels(*arrays: Array) -> None:
    """out[..., c] = the channels of all arrays before it, one array's behind another's."""
    *parts, out = arrays
    first = 0
    for part in parts:
        for place in np.ndindex(part.shape):
            out[(*place[:-1], first + place[-1])] = part[place]
        first += part.shape[-1]


@reference("pick_box")
def pick_box(x: Array, box: Box, out: Array) -> None:
    """out[k0,k1,k2,k3] = x[f0 + k0·s0, …, f3 + k3·s3] with (f, s) the first place and the step."""
    for place in np.ndindex(out.shape):
        out[place] = x[_around(box, place)]


@reference("place_box")
def place_box(x: Array, box: Box, out: Array) -> None:
    """out[f0 + k0·s0, …, f3 + k3·s3] = x[k0,k1,k2,k3], and 0 elsewhere: pick_box's adjoint."""
    out[...] = 0
    for place in np.ndindex(x.shape):
        out[_around(box, place)] = x[place]


def _around(box: Box, place: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(first + k * step for (first, step), k in zip(box, place, strict=True))


@reference("transpose_matrices")
def transpose_matrices(x: Array, out: Array) -> None:
    """out[n,k,r] = x[n,r,k]."""
    for n, r, k in np.ndindex(x.shape):
        out[n, k, r] = x[n, r, k]
