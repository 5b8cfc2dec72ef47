"""Parameter updates in place; `arrays` are all gradients, all parameters, all averages."""

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
    learning_rate: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    *arrays: Array,
) -> None:
    """g = ∇θ + decay·θ;  v ← momentum·v + (1 - dampening)·g;  θ ← θ - lr·v.

    With Nesterov's form θ ← θ - lr·(g + momentum·v); without momentum θ ← θ - lr·g.
    """
    for grad, parameter, *velocity in _parameters(arrays, 3 if momentum else 2):
        for k in np.ndindex(parameter.shape):
            step = g = grad[k] + weight_decay * parameter[k]
            if momentum:
                v = velocity[0][k] = momentum * velocity[0][k] + (1 - dampening) * g
                step = g + momentum * v if nesterov else v
            parameter[k] -= learning_rate * step


@reference("adam_update")
def adam_update(
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,
    decoupled: bool,
    amsgrad: bool,
    step: int,
    *arrays: Array,
) -> None:
    """θ ← θ - lr · m̂ / (√v̂ + ε) with bias-corrected running means m̂ of g and v̂ of g².

    g = ∇θ + decay·θ; decoupled, g = ∇θ and θ shrinks to (1 - lr·decay)·θ beforehand. With
    amsgrad the largest v so far stands in the root.
    """
    for grad, parameter, mean, square, *largest in _parameters(arrays, 5 if amsgrad else 4):
        for k in np.ndindex(parameter.shape):
            if decoupled:
                g = grad[k]
                parameter[k] *= 1 - learning_rate * weight_decay
            else:
                g = grad[k] + weight_decay * parameter[k]
            mean[k] = beta1 * mean[k] + (1 - beta1) * g
            v = square[k] = beta2 * square[k] + (1 - beta2) * g * g
            if amsgrad:
                v = largest[0][k] = np.maximum(largest[0][k], v)
            corrected = mean[k] / (1 - beta1**step)
            parameter[k] -= learning_rate * corrected / (np.sqrt(v / (1 - beta2**step)) + epsilon)


@reference("adagrad_update")
def adagrad_update(
    learning_rate: float, epsilon: float, weight_decay: float, *arrays: Array
) -> None:
    """g = ∇θ + decay·θ;  s ← s + g²;  θ ← θ - lr · g / (√s + ε)."""
    for grad, parameter, total in _parameters(arrays, 3):
        for k in np.ndindex(parameter.shape):
            g = grad[k] + weight_decay * parameter[k]
            total[k] += g * g
            parameter[k] -= learning_rate * g / (np.sqrt(total[k]) + epsilon)


@reference("adadelta_update")
def adadelta_update(
    learning_rate: float, rho: float, epsilon: float, weight_decay: float, *arrays: Array
) -> None:
    """s ← ρ·s + (1-ρ)·g²;  Δ = √(u+ε)/√(s+ε)·g;  u ← ρ·u + (1-ρ)·Δ²;  θ ← θ - lr·Δ."""
    for grad, parameter, square, change in _parameters(arrays, 4):
        for k in np.ndindex(parameter.shape):
            g = grad[k] + weight_decay * parameter[k]
            square[k] = rho * square[k] + (1 - rho) * g * g
            delta = np.sqrt(change[k] + epsilon) / np.sqrt(square[k] + epsilon) * g
            change[k] = rho * change[k] + (1 - rho) * delta * delta
            parameter[k] -= learning_rate * delta


@reference("rmsprop_update")
def rmsprop_update(
    learning_rate: float,
    alpha: float,
    epsilon: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
    *arrays: Array,
) -> None:
    """s ← α·s + (1-α)·g²;  v ← momentum·v + g / (√s + ε);  θ ← θ - lr·v.

    Centred, m ← α·m + (1-α)·g and the root is that of the variance s - m².
    """
    kinds = 3 + bool(centered) + bool(momentum)
    for grad, parameter, square, *others in _parameters(arrays, kinds):
        for k in np.ndindex(parameter.shape):
            g = grad[k] + weight_decay * parameter[k]
            variance = square[k] = alpha * square[k] + (1 - alpha) * g * g
            if centered:
                m = others[0][k] = alpha * others[0][k] + (1 - alpha) * g
                variance = np.maximum(variance - m * m, 0)
            step = g / (np.sqrt(variance) + epsilon)
            if momentum:
                step = others[-1][k] = momentum * others[-1][k] + step
            parameter[k] -= learning_rate * step


@reference("average_update")
def average_update(decay: float, *arrays: Array) -> None:
    """Average: a ← decay·a + (1 - decay)·θ."""
    for value, average in _parameters(arrays, 2):
        for k in np.ndindex(value.shape):
            average[k] = decay * average[k] + (1 - decay) * value[k]
