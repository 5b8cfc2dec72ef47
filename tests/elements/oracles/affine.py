"""What the affine map computes."""

import numpy as np

from .values import Array


def affine(x: Array, weight: Array, bias: Array = 0.0) -> Array:
    return np.einsum("...d,ed->...e", x, weight) + bias
