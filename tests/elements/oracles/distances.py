"""What the squared distances are."""

import numpy as np

from .values import Array


def squared_distances(x: Array, weight: Array) -> Array:
    difference = x[:, None, :] - weight[None, :, :]
    return np.einsum("nkj,nkj->nk", difference, difference)
