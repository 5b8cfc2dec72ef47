"""Parameter updates in place; every array is flat and of one length."""

import math

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("sgd_update")
def sgd_update(
    grad: Array,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    nesterov: bool,
    parameter: Array,
    velocity: Array,
) -> None:
    """g = grad + decay·θ;  v ← momentum·v + g;  θ ← θ - lr·v  (Nesterov: g + momentum·v)."""
    for k in range(parameter.size):
        g = grad[k] + weight_decay * parameter[k]
        velocity[k] = momentum * velocity[k] + g
        step = g + momentum * velocity[k] if nesterov else velocity[k]
        parameter[k] -= learning_rate * step


@reference("adam_update")
def adam_update(
    grad: Array,
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,
    step: int,
    parameter: Array,
    mean: Array,
    square: Array,
) -> None:
    """θ ← θ - lr · m̂ / (√v̂ + ε) with bias-corrected running means m̂ of g and v̂ of g²."""
    for k in range(parameter.size):
        g = grad[k] + weight_decay * parameter[k]
        mean[k] = beta1 * mean[k] + (1 - beta1) * g
        square[k] = beta2 * square[k] + (1 - beta2) * g * g
        corrected = mean[k] / (1 - beta1**step)
        parameter[k] -= (
            learning_rate * corrected / (math.sqrt(square[k] / (1 - beta2**step)) + epsilon)
        )
