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


def _targets(label: int, weight: Array, smoothing: float, classes: int) -> list[float]:
    """Return what softmax is compared with: most of it at the label, the rest spread evenly."""
    w = [float(value) for value in weight] or [1.0] * classes
    spread = [smoothing / classes * w[k] if smoothing else 0.0 for k in range(classes)]
    return [spread[k] + ((1.0 - smoothing) * w[k] if k == label else 0.0) for k in range(classes)]


@reference("cross_entropy_forward")
def cross_entropy_forward(
    x: Array,
    labels: Array,
    weight: Array,
    ignored: int,
    smoothing: float,
    out: Array,
    shares: Array,
) -> None:
    """out[n] = -Σ_k t[n,k] · log softmax(x[n])[k], shares[n] = w[labels[n]]."""
    for n in range(x.shape[0]):
        label = int(labels[n])
        out[n] = shares[n] = 0.0
        if label == ignored:
            continue
        shifted, log_sum = _row(x[n])
        targets = _targets(label, weight, smoothing, x.shape[1])
        places = range(x.shape[1]) if smoothing else [label]
        out[n] = sum(targets[k] * (log_sum - shifted[k]) for k in places)
        shares[n] = weight[label] if weight.size else 1.0


@reference("cross_entropy_grad")
def cross_entropy_grad(
    grad: Array,
    x: Array,
    labels: Array,
    weight: Array,
    ignored: int,
    smoothing: float,
    out: Array,
) -> None:
    """out[n,k] = grad[n] · (Σ_l t[n,l] · softmax(x[n])[k] - t[n,k])."""
    for n in range(x.shape[0]):
        label = int(labels[n])
        out[n] = 0.0
        if label == ignored:
            continue
        shifted, log_sum = _row(x[n])
        targets = _targets(label, weight, smoothing, x.shape[1])
        for k, value in enumerate(shifted):
            difference = sum(targets) * math.exp(value - log_sum) - targets[k]
            out[n, k] = float(grad[n]) * difference
