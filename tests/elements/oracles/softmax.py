"""What the softmax and its logarithm compute."""

import numpy as np

from .values import Array


def softmax(x: Array, dim: int = -1) -> Array:
    powers = np.exp(x)
    return powers / powers.sum(axis=dim, keepdims=True)


def log_softmax(x: Array, dim: int = -1) -> Array:
    return x - np.log(np.exp(x).sum(axis=dim, keepdims=True))
