"""What the activations compute."""

import numpy as np

from .values import Array


def sigmoid(z: Array) -> Array:
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def scaled_tanh(z: Array) -> Array:
    return 1.7159 * (1.0 - 2.0 / (np.exp(4.0 * z / 3.0) + 1.0))


def tanh(z: Array) -> Array:
    return 1.0 - 2.0 / (np.exp(2.0 * z) + 1.0)


def relu(z: Array, at_zero: float = 0.0) -> Array:
    return np.maximum(z, 0.0)


def leaky_relu(z: Array, negative_slope: float = 0.01) -> Array:
    return np.where(z < 0.0, negative_slope * z, z)


def elu(z: Array, alpha: float = 1.0) -> Array:
    return np.where(z < 0.0, alpha * (np.exp(z) - 1.0), z)


def softplus(z: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    return np.where(beta * z > threshold, z, np.log(1.0 + np.exp(beta * z)) / beta)


def hardsigmoid(z: Array, slope: float = 1 / 6) -> Array:
    return np.clip(slope * z + 0.5, 0.0, 1.0)


def clamp(z: Array, min: float = -np.inf, max: float = np.inf) -> Array:
    return np.where(z < min, min, np.where(z > max, max, z))
