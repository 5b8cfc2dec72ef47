"""Functions of one and of two numbers."""

import numpy as np


def _slope(y: np.ndarray, amplitude: float, slope: float) -> np.ndarray:
    """Return the derivative of A tanh(S z) where it has the value y."""
    return amplitude * slope * (1 - (y / amplitude) ** 2)


ORACLES = {
    "add": lambda x, y, out: x + y,
    "subtract": lambda x, y, out: x - y,
    "multiply": lambda x, y, out: x * y,
    "divide": lambda x, y, out: x / y,
    "power": lambda x, y, out: np.float_power(x, y),
    "negative": lambda x, out: -x,
    "exp": lambda x, out: np.exp(x),
    "log": lambda x, out: np.log(x),
    "sqrt": lambda x, out: np.sqrt(x),
    "sigmoid": lambda z, out: 0.5 * (1 + np.tanh(z / 2)),
    "sigmoid_grad": lambda grad, a, out: grad * (0.25 - (a - 0.5) ** 2),
    "tanh": lambda z, out: np.tanh(z),
    "tanh_grad": lambda grad, a, out: grad * _slope(a, 1.0, 1.0),
    "scaled_tanh": lambda z, out: 1.7159 * np.tanh(2 * z / 3),
    "scaled_tanh_grad": lambda grad, a, out: grad * _slope(a, 1.7159, 2 / 3),
    "relu": lambda z, out: np.where(z < 0, 0.0, z),
    "relu_grad": lambda grad, a, out: np.where(a <= 0, 0.0, grad),
    "relu_grad_at_zero": lambda grad, z, at_zero, out: np.select(
        [z < 0, z == 0], [0.0, grad * at_zero], grad
    ),
    "leaky_relu": lambda z, slope, out: np.where(z > 0, z, slope * z),
    "leaky_relu_grad": lambda grad, z, slope, out: np.where(z > 0, grad, slope * grad),
    "elu": lambda z, alpha, out: np.where(z > 0, z, alpha * (np.exp(z) - 1)),
    "elu_grad": lambda grad, z, alpha, out: np.where(z > 0, grad, alpha * np.exp(z) * grad),
    "softplus": lambda z, beta, threshold, out: np.where(
        beta * z > threshold, z, np.logaddexp(0, beta * z) / beta
    ),
    "softplus_slope": lambda z, beta, threshold, out: np.where(
        beta * z > threshold, 1.0, 0.5 * (1 + np.tanh(beta * z / 2))
    ),
    "hardsigmoid": lambda z, slope, out: np.clip(slope * z + 0.5, 0, 1),
    "hardsigmoid_grad": lambda grad, a, slope, out: np.where(
        (a <= 0) | (a >= 1), 0.0, slope * grad
    ),
    "abs": lambda x, out: np.sqrt(x * x),
    "abs_grad": lambda grad, x, out: np.select([x < 0, x == 0, x > 0], [-grad, 0.0, grad], np.nan),
}
