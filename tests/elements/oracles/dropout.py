"""What dropout computes, with the masks that it draws."""

import numpy as np

from .values import Array


def mask(shape: tuple[int, ...], p: float, seed: int) -> Array:
    """Draw a byte for each value, and a fraction for those that the byte leaves open."""
    generator = np.random.default_rng(seed)
    size = int(np.prod(shape))
    numbers = np.array(list(generator.bytes(size)), float)
    edge = np.floor(256 * (1 - p))
    open_ones = numbers == edge
    if edge != 256 * (1 - p):
        numbers[open_ones] += generator.random(int(open_ones.sum()))
    return (numbers < 256 * (1 - p)).reshape(shape).astype(float)


def dropout(x: Array, p: float, seed: int) -> Array:
    return x * mask(x.shape, p, seed) / (1 - p)


def dropout2d(x: Array, p: float, seed: int) -> Array:
    return x * mask((*x.shape[:2], 1, 1), p, seed) / (1 - p)
