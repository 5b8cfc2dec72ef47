"""Parameter updates in place; every array is flat and of one length.

One pass over memory each: NumPy would make a pass, and a temporary array, per operation.
"""

import math

from tinygrad_cnn.kernels.cpu.memory import read_only
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@implements("sgd_update", device="cpu", variant="direct")
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
    number = parameter.dtype.type
    _sgd(
        read_only(grad),
        number(learning_rate),
        number(momentum),
        number(weight_decay),
        bool(nesterov),
        parameter,
        velocity,
    )


@compiled()
def _sgd(
    grad: Array,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    nesterov: bool,
    parameter: Array,
    velocity: Array,
) -> None:
    for k in range(parameter.size):
        g = grad[k] + weight_decay * parameter[k]
        v = momentum * velocity[k] + g
        velocity[k] = v
        parameter[k] -= learning_rate * (g + momentum * v if nesterov else v)


@implements("adam_update", device="cpu", variant="direct")
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
    number = parameter.dtype.type
    _adam(
        read_only(grad),
        number(learning_rate),
        (number(beta1), number(1 - beta1), number(1 - beta1**step)),
        (number(beta2), number(1 - beta2), number(1 - beta2**step)),
        number(epsilon),
        number(weight_decay),
        parameter,
        mean,
        square,
    )


@compiled()
def _adam(
    grad: Array,
    learning_rate: float,
    first: tuple[float, float, float],
    second: tuple[float, float, float],
    epsilon: float,
    weight_decay: float,
    parameter: Array,
    mean: Array,
    square: Array,
) -> None:
    """`first` and `second` are (β, 1 - β, 1 - β^step), worked out in float64."""
    keep1, take1, correct1 = first
    keep2, take2, correct2 = second
    for k in range(parameter.size):
        g = grad[k] + weight_decay * parameter[k]
        m = keep1 * mean[k] + take1 * g
        v = keep2 * square[k] + take2 * g * g
        mean[k], square[k] = m, v
        parameter[k] -= learning_rate * (m / correct1) / (math.sqrt(v / correct2) + epsilon)
