"""What the activations compute."""

import numpy as np

from .values import Array


def sigmoid(z: Array) -> Array:
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def scaled_tanh(z: Array) -> Array:
    return 1.7159 * (1.0 - 2.0 / (np.exp(4.0 * z / 3.0) + 1.0))


def tanh(z: Array) -> Array:
    return 1.0 - 2.0 / (np.exp(2.0 * z) + 1.0)


def relu(z: Array) -> Array:
    return np.maximum(z, 0.0)
