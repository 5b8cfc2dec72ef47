"""Batch normalisation and its adjoints on arrays (..., C), channel by channel."""

import math

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


def _channels(*arrays: Array) -> list[tuple[list[float], ...]]:
    """Return for each channel the values that each array has in it."""
    count = arrays[0].shape[-1]
    flat = [array.reshape(-1, count) for array in arrays]
    return [tuple([float(v) for v in array[:, c]] for array in flat) for c in range(count)]


def _deviation(variance: float, eps: float) -> float:
    root = math.sqrt(variance + eps) if variance + eps >= 0 else math.nan
    return root or math.nan


@reference("batch_norm_statistics")
def batch_norm_statistics(x: Array, mean: Array, variance: Array) -> None:
    """mean[c] = Σ x[...,c] / m, variance[c] = Σ (x[...,c] - mean[c])² / m over m pixels."""
    for c, (values,) in enumerate(_channels(x)):
        m = len(values)
        centre = sum(values) / m if m else math.nan
        mean[c] = centre
        variance[c] = sum((v - centre) ** 2 for v in values) / m if m else math.nan


@reference("batch_norm_forward")
def batch_norm_forward(
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    out: Array,
) -> None:
    """out = weight[c] · (x - mean[c]) / √(variance[c] + eps) + bias[c]; None is 1 and 0."""
    rows = out.reshape(-1, out.shape[-1])
    for c, (values,) in enumerate(_channels(x)):
        scale = (1.0 if weight is None else float(weight[c])) / _deviation(float(variance[c]), eps)
        shift = 0.0 if bias is None else float(bias[c])
        for row, value in enumerate(values):
            rows[row, c] = scale * (value - float(mean[c])) + shift


@reference("batch_norm_grad_sums")
def batch_norm_grad_sums(
    grad: Array,
    x: Array,
    mean: Array,
    variance: Array,
    eps: float,
    grad_weight: Array,
    grad_bias: Array,
) -> None:
    """grad_weight[c] = Σ grad · x̂, grad_bias[c] = Σ grad, where x̂ = (x - mean) / √(var + eps)."""
    for c, (signals, values) in enumerate(_channels(grad, x)):
        centre, deviation = float(mean[c]), _deviation(float(variance[c]), eps)
        pairs = zip(signals, values, strict=True)
        grad_weight[c] = sum(signal * (value - centre) / deviation for signal, value in pairs)
        grad_bias[c] = sum(signals)


@reference("batch_norm_grad_input")
def batch_norm_grad_input(
    grad: Array,
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array | None,
    grad_weight: Array,
    grad_bias: Array,
    eps: float,
    out: Array,
) -> None:
    """out = weight / √(variance + eps) · (grad - grad_bias / m - x̂ · grad_weight / m)."""
    rows = out.reshape(-1, out.shape[-1])
    for c, (signals, values) in enumerate(_channels(grad, x)):
        deviation, m = _deviation(float(variance[c]), eps), len(values)
        scale = (1.0 if weight is None else float(weight[c])) / deviation
        for row, (signal, value) in enumerate(zip(signals, values, strict=True)):
            normalised = (value - float(mean[c])) / deviation
            rest = signal - float(grad_bias[c]) / m - normalised * float(grad_weight[c]) / m
            rows[row, c] = scale * rest


# -- with a rectifier behind it ------------------------------------------------------


def _through(grad: Array, a: Array) -> Array:
    """Return the error signal where relu has let the value pass; a NaN passes."""
    return np.where(a <= 0, np.zeros_like(grad), grad)


@reference("batch_norm_relu_forward")
def batch_norm_relu_forward(
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    out: Array,
) -> None:
    """out = max(0, batch_norm_forward(x)); NaN stays NaN."""
    batch_norm_forward(x, mean, variance, weight, bias, eps, out)
    out[out < 0] = 0


@reference("batch_norm_relu_grad_sums")
def batch_norm_relu_grad_sums(
    grad: Array,
    a: Array,
    x: Array,
    mean: Array,
    variance: Array,
    eps: float,
    grad_weight: Array,
    grad_bias: Array,
) -> None:
    """As batch_norm_grad_sums; grad counts where a > 0, a = relu(batch norm), or a is NaN."""
    batch_norm_grad_sums(_through(grad, a), x, mean, variance, eps, grad_weight, grad_bias)


@reference("batch_norm_relu_grad_input")
def batch_norm_relu_grad_input(
    grad: Array,
    a: Array,
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array | None,
    grad_weight: Array,
    grad_bias: Array,
    eps: float,
    out: Array,
) -> None:
    """As batch_norm_grad_input; grad counts where a > 0, a = relu(batch norm), or a is NaN."""
    batch_norm_grad_input(
        _through(grad, a), x, mean, variance, weight, grad_weight, grad_bias, eps, out
    )
