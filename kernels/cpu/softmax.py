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
def cross_entropy_forward(
    x: Array,
    labels: Array,
    weight: Array,
    ignored: int,
    smoothing: float,
    out: Array,
    shares: Array,
) -> None:
    """out[n] = -Σ_k t[n,k] · log softmax(x[n])[k], shares[n] = w[labels[n]].

    t[n,k] = (1 - ε) · w[k] · [k = labels[n]] + ε / K · w[k], with w = 1 where `weight` is empty;
    rows labelled `ignored` have no target: 0 in both.
    """
    flat = read_only(labels, np.intp)
    x, weight = read_only(x).reshape(x.shape), read_only(weight)
    _cross_entropy(x, flat, weight, int(ignored), float(smoothing), out, shares)


@compiled()
def _cross_entropy(
    x: Array,
    labels: Array,
    weight: Array,
    ignored: int,
    smoothing: float,
    out: Array,
    shares: Array,
) -> None:
    for n in range(x.shape[0]):
        label = labels[n]
        if label == ignored:
            out[n] = 0.0
            shares[n] = 0.0
            continue
        largest, log_sum = _log_sum(x[n])
        share = weight[label] if weight.size > 0 else 1.0
        loss = (1.0 - smoothing) * share * (log_sum - (x[n, label] - largest))
        if smoothing > 0.0:
            spread = 0.0
            for k in range(x.shape[1]):
                each = weight[k] if weight.size > 0 else 1.0
                spread += each * (log_sum - (x[n, k] - largest))
            loss += smoothing / x.shape[1] * spread
        out[n] = loss
        shares[n] = share


@implements("cross_entropy_grad", device="cpu", variant="direct")
def cross_entropy_grad(
    grad: Array,
    x: Array,
    labels: Array,
    weight: Array,
    ignored: int,
    smoothing: float,
    out: Array,
) -> None:
    """out[n,k] = grad[n] · (Σ_l t[n,l] · softmax(x[n])[k] - t[n,k]), t as in the forward kernel."""
    flat = read_only(labels, np.intp)
    x, weight = read_only(x).reshape(x.shape), read_only(weight)
    _cross_entropy_grad(read_only(grad), x, flat, weight, int(ignored), float(smoothing), out)


@compiled()
def _cross_entropy_grad(
    grad: Array,
    x: Array,
    labels: Array,
    weight: Array,
    ignored: int,
    smoothing: float,
    out: Array,
) -> None:
    classes = x.shape[1]
    spread = smoothing
    if smoothing > 0.0 and weight.size > 0:
        spread = 0.0
        for k in range(classes):
            spread += smoothing / classes * weight[k]
    for n in range(x.shape[0]):
        label = labels[n]
        if label == ignored:
            out[n] = 0.0
            continue
        largest, log_sum = _log_sum(x[n])
        share = (1.0 - smoothing) * (weight[label] if weight.size > 0 else 1.0)
        for k in range(classes):
            target = share if k == label else 0.0
            if smoothing > 0.0:
                target += smoothing / classes * (weight[k] if weight.size > 0 else 1.0)
            probability = math.exp(x[n, k] - largest - log_sum)
            out[n, k] = grad[n] * ((share + spread) * probability - target)
