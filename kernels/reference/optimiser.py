"""Parameter updates in place; `arrays` are all gradients, all parameters, all averages."""

import math
from collections.abc import Iterator

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


def _parameters(arrays: tuple[Array, ...], kinds: int) -> Iterator[tuple[Array, ...]]:
    """Yield the arrays of each parameter."""
    count = len(arrays) // kinds
    for position in range(count):
        yield arrays[position::count]


@reference("sgd_update")
def sgd_update(
    learning_rate: float, momentum: float, weight_decay: float, nesterov: bool, *arrays: Array
) -> None:
    """g = ∇θ + decay·θ;  v ← momentum·v + g;  θ ← θ - lr·v  (Nesterov: g + momentum·v)."""
    for grad, parameter, velocity in _parameters(arrays, 3):
        for k in np.ndindex(parameter.shape):
            g = grad[k] + weight_decay * parameter[k]
            velocity[k] = momentum * velocity[k] + g
            step = g + momentum * velocity[k] if nesterov else velocity[k]
            parameter[k] -= learning_rate * step


@reference("adam_update")
def adam_update(
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,
    step: int,
    *arrays: Array,
) -> None:
    """θ ← θ - lr · m̂ / (√v̂ + ε) with bias-corrected running means m̂ of g and v̂ of g²."""
    for grad, parameter, mean, square in _parameters(arrays, 4):
        for k in np.ndindex(parameter.shape):
            g = grad[k] + weight_decay * parameter[k]
            mean[k] = beta1 * mean[k] + (1 - beta1) * g
            square[k] = beta2 * square[k] + (1 - beta2) * g * g
            corrected = mean[k] / (1 - beta1**step)
            parameter[k] -= (
                learning_rate * corrected / (math.sqrt(square[k] / (1 - beta2**step)) + epsilon)
            )
