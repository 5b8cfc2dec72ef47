"""What the convolution computes."""

import numpy as np

from .values import Array, Pair
from .windows import windows


def conv2d(
    x: Array, weight: Array, bias: Array = 0.0, stride: Pair = 1, padding: Pair = 0
) -> Array:
    seen = windows(x, weight.shape[2:], stride, padding, 0.0)
    return np.einsum("ncijuv,ocuv->noij", seen, weight) + np.reshape(bias, (-1, 1, 1))
