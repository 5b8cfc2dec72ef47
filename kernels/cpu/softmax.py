"""Softmax and cross entropy of the rows of a matrix (N, K); labels are (N,) integers.

A row is shifted by its largest value, so that no exponential overflows, and summed in
float64 whatever its dtype: K is small, and the logarithm of a sum deserves the digits. A
row whose largest value is NaN or infinite has no softmax: all of it becomes NaN.
"""

import math

import numpy as np

from tinygrad_cnn.kernels.cpu.memory import read_only
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements


@compiled()
def _log_sum(row: Array) -> tuple[float, float]:
    """Return the largest value m of a row, and log Σ_k exp(x[k] - m); NaN if there is none."""
    largest = -math.inf
    for k in range(row.size):
        if row[k] > largest or row[k] != row[k]:
            largest = row[k]
        if largest != largest:
            break
    if largest != largest or math.isinf(largest):
        return math.nan, math.nan
    total = 0.0
    for k in range(row.size):
        total += math.exp(row[k] - largest)
    return largest, math.log(total)


@implements("softmax", device="cpu", variant="direct")
def softmax(x: Array, out: Array) -> None:
    """out[n,k] = exp(x[n,k]) / Σ_l exp(x[n,l])."""
    _softmax(read_only(x).reshape(x.shape), out)


@compiled()
def _softmax(x: Array, out: Array) -> None:
    for n in range(x.shape[0]):
        largest, log_sum = _log_sum(x[n])
        for k in range(x.shape[1]):
            out[n, k] = math.exp(x[n, k] - largest - log_sum)


@implements("log_softmax", device="cpu", variant="direct")
def log_softmax(x: Array, out: Array) -> None:
    """out[n,k] = x[n,k] - log Σ_l exp(x[n,l])."""
    _log_softmax(read_only(x).reshape(x.shape), out)


@compiled()
def _log_softmax(x: Array, out: Array) -> None:
    for n in range(x.shape[0]):
        largest, log_sum = _log_sum(x[n])
        for k in range(x.shape[1]):
            out[n, k] = x[n, k] - largest - log_sum


@implements("cross_entropy_forward", device="cpu", variant="direct")
def cross_entropy_forward(x: Array, labels: Array, out: Array) -> None:
    """out[n] = -log softmax(x[n])[labels[n]]."""
    _cross_entropy(read_only(x).reshape(x.shape), read_only(labels, np.intp), out)


@compiled()
def _cross_entropy(x: Array, labels: Array, out: Array) -> None:
    for n in range(x.shape[0]):
        largest, log_sum = _log_sum(x[n])
        out[n] = log_sum - (x[n, labels[n]] - largest)


@implements("cross_entropy_grad", device="cpu", variant="direct")
def cross_entropy_grad(grad: Array, x: Array, labels: Array, out: Array) -> None:
    """out[n,k] = grad[n] · (softmax(x[n])[k] - [k = labels[n]])."""
    x, labels = read_only(x).reshape(x.shape), read_only(labels, np.intp)
    _cross_entropy_grad(read_only(grad), x, labels, out)


@compiled()
def _cross_entropy_grad(grad: Array, x: Array, labels: Array, out: Array) -> None:
    for n in range(x.shape[0]):
        largest, log_sum = _log_sum(x[n])
        for k in range(x.shape[1]):
            hit = 1.0 if k == labels[n] else 0.0
            out[n, k] = grad[n] * (math.exp(x[n, k] - largest - log_sum) - hit)
