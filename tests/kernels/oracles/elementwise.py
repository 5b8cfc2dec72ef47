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
}
