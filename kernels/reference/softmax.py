"""Softmax and cross entropy of the rows of a matrix (N, K); labels are (N,) integers."""

import math

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


def _row(row: Array) -> tuple[list[float], float]:
    """Return the row less its largest value, and log Σ exp of that."""
    values = [float(value) for value in row]
    largest = math.nan if any(value != value for value in values) else max(values)
    shifted = [value - largest for value in values]
    if largest != largest or math.isinf(largest):
        return [math.nan] * len(values), math.nan
    return shifted, math.log(sum(math.exp(value) for value in shifted))


@reference("softmax")
def softmax(x: Array, out: Array) -> None:
    """out[n,k] = exp(x[n,k]) / Σ_l exp(x[n,l])."""
    for n in range(x.shape[0]):
        shifted, log_sum = _row(x[n])
        for k, value in enumerate(shifted):
            out[n, k] = math.exp(value - log_sum)


@reference("log_softmax")
def log_softmax(x: Array, out: Array) -> None:
    """out[n,k] = x[n,k] - log Σ_l exp(x[n,l])."""
    for n in range(x.shape[0]):
        shifted, log_sum = _row(x[n])
        for k, value in enumerate(shifted):
            out[n, k] = value - log_sum


@reference("cross_entropy_forward")
def cross_entropy_forward(x: Array, labels: Array, out: Array) -> None:
    """out[n] = -log softmax(x[n])[labels[n]]."""
    for n in range(x.shape[0]):
        shifted, log_sum = _row(x[n])
        out[n] = log_sum - shifted[int(labels[n])]


@reference("cross_entropy_grad")
def cross_entropy_grad(grad: Array, x: Array, labels: Array, out: Array) -> None:
    """out[n,k] = grad[n] · (softmax(x[n])[k] - [k = labels[n]])."""
    for n in range(x.shape[0]):
        shifted, log_sum = _row(x[n])
        for k, value in enumerate(shifted):
            out[n, k] = float(grad[n]) * (math.exp(value - log_sum) - (k == int(labels[n])))
