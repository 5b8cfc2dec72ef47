"""Batch normalisation: what is registered, and the factors of each channel; arrays are (..., C).

Training reads memory twice forward (statistics, then normalisation) and twice backward (sums,
then the error signal), and computes little; the passes stand in :mod:`batch_norm_passes`. Each
kernel is one call of compiled code.

With a rectifier behind it, batch normalisation is one pass too: forward the sign is cut off
before the value is stored, backward the error signal counts where the result was positive.
"""

import math

import numpy as np

from tinygrad_cnn.kernels.cpu.batch_norm_passes import (
    PLAIN,
    RECTIFIED,
    STATISTICS,
    forks,
    lane_rows,
    maps,
    plan,
    spread_channels,
    sums,
)
from tinygrad_cnn.kernels.cpu.loops.memory import read_only
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_NOTHING = {np.dtype(t): read_only(np.empty(0, t)) for t in (np.float32, np.float64)}


def _given(vector: Array | None, dtype: np.dtype[np.floating]) -> Array:
    """Return a vector of factors, an empty one for None."""
    return _NOTHING[dtype] if vector is None else read_only(vector)


# -- statistics ----------------------------------------------------------------------


@implements("batch_norm_statistics", device="cpu", variant="direct")
def batch_norm_statistics(x: Array, mean: Array, variance: Array) -> None:
    """mean[c] = Σ x[...,c] / m, variance[c] = Σ (x[...,c] - mean[c])² / m over m pixels."""
    if x.size == 0:
        mean[...] = variance[...] = np.nan
        return
    _statistics(STATISTICS, forks(x), read_only(x), mean, variance)


@compiled()
def _statistics(mode: int, fork: bool, x: Array, mean: Array, variance: Array) -> None:
    deal = plan(x, mean.size)
    means, squares = np.empty(deal[3] * mean.size), np.empty(deal[3] * mean.size)
    sums(mode, fork, deal, x, x, x, x, means, squares)
    _combine_statistics(deal, x.size, means, squares, mean, variance)


@compiled()
def _combine_statistics(
    deal: tuple[int, ...], size: int, means: Array, squares: Array, mean: Array, variance: Array
) -> None:
    """Join the slots in order."""
    _, block, _, slots, slot_blocks = deal
    channels = mean.size
    pixels, step = size // channels, slot_blocks * block // channels
    for slot in range(1, slots):
        before = slot * step
        share = min(step, pixels - before)
        part = share / (before + share)
        for c in range(channels):
            distance = means[slot * channels + c] - means[c]
            means[c] += distance * part
            squares[c] += squares[slot * channels + c] + distance * distance * (before * part)
    for c in range(channels):
        mean[c] = means[c]
        variance[c] = squares[c] / pixels


@implements("batch_norm_grad_sums", device="cpu", variant="direct")
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
    values = read_only(x)
    _sums(PLAIN, read_only(grad), values, values, mean, variance, eps, grad_weight, grad_bias)


@implements("batch_norm_relu_grad_sums", device="cpu", variant="direct")
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
    signs, values = read_only(a), read_only(x)
    _sums(RECTIFIED, read_only(grad), signs, values, mean, variance, eps, grad_weight, grad_bias)


def _sums(
    mode: int,
    grad: Array,
    a: Array,
    x: Array,
    mean: Array,
    variance: Array,
    eps: float,
    grad_weight: Array,
    grad_bias: Array,
) -> None:
    if x.size == 0:
        grad_weight[...] = grad_bias[...] = 0
        return
    centre, square = read_only(mean), read_only(variance)
    _grad_sums(mode, forks(x), grad, a, x, centre, square, float(eps), grad_weight, grad_bias)


@compiled()
def _grad_sums(
    mode: int,
    fork: bool,
    grad: Array,
    a: Array,
    x: Array,
    mean: Array,
    variance: Array,
    eps: float,
    grad_weight: Array,
    grad_bias: Array,
) -> None:
    deal, channels = plan(x, mean.size), mean.size
    products, totals = np.empty(deal[3] * channels), np.empty(deal[3] * channels)
    sums(mode, fork, deal, x, grad, a, mean, products, totals)
    for c in range(channels):
        product = total = 0.0
        for slot in range(deal[3]):
            product += products[slot * channels + c]
            total += totals[slot * channels + c]
        grad_weight[c] = product / math.sqrt(variance[c] + eps)
        grad_bias[c] = total


# -- each value by itself ------------------------------------------------------------


@implements("batch_norm_forward", device="cpu", variant="direct")
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
    _normalised(PLAIN, x, mean, variance, weight, bias, eps, out)


@implements("batch_norm_relu_forward", device="cpu", variant="direct")
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
    _normalised(RECTIFIED, x, mean, variance, weight, bias, eps, out)


def _normalised(
    mode: int,
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    out: Array,
) -> None:
    if out.size:
        slope, shift = _given(weight, x.dtype), _given(bias, x.dtype)
        centre, square = read_only(mean), read_only(variance)
        factors = centre, square, slope, shift
        _forward(mode, False, forks(x), read_only(x), *factors, float(eps), out.ravel())


@compiled()
def _forward(
    mode: int,
    adjoint: bool,
    fork: bool,
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array,
    bias: Array,
    eps: float,
    out: Array,
) -> None:
    channels = mean.size
    deal = plan(x, channels)
    padded = lane_rows(x, deal[0])
    table = np.empty(3 * padded, x.dtype)
    for c in range(channels):
        scale = 1 / math.sqrt(variance[c] + eps)
        table[c] = mean[c]
        table[padded + c] = scale * weight[c] if weight.size else scale
        table[2 * padded + c] = bias[c] if bias.size else 0.0
    spread_channels(table, padded, channels, deal[0])
    maps(mode, adjoint, fork, deal, x, x, x, table, out)


@implements("batch_norm_grad_input", device="cpu", variant="direct")
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
    values = read_only(x)
    vectors = mean, variance, weight, grad_weight, grad_bias
    _incoming(PLAIN, read_only(grad), values, values, vectors, eps, out)


@implements("batch_norm_relu_grad_input", device="cpu", variant="direct")
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
    vectors = mean, variance, weight, grad_weight, grad_bias
    _incoming(RECTIFIED, read_only(grad), read_only(a), read_only(x), vectors, eps, out)


def _incoming(
    mode: int,
    grad: Array,
    a: Array,
    x: Array,
    vectors: tuple[Array, Array, Array | None, Array, Array],
    eps: float,
    out: Array,
) -> None:
    if out.size:
        mean, variance, weight, to_weight, to_bias = vectors
        statistics, slope = (read_only(mean), read_only(variance)), _given(weight, x.dtype)
        totals = read_only(to_weight), read_only(to_bias)
        fork = forks(x)
        _grad_input(
            mode, True, fork, grad, a, x, *statistics, slope, *totals, float(eps), out.ravel()
        )


@compiled()
def _grad_input(
    mode: int,
    adjoint: bool,
    fork: bool,
    grad: Array,
    a: Array,
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array,
    grad_weight: Array,
    grad_bias: Array,
    eps: float,
    out: Array,
) -> None:
    channels = mean.size
    deal, pixels = plan(x, channels), x.size // channels
    padded = lane_rows(x, deal[0])
    table = np.empty(4 * padded, x.dtype)
    for c in range(channels):
        inverse = 1 / math.sqrt(variance[c] + eps)
        scale = inverse * weight[c] if weight.size else inverse
        table[c] = mean[c]
        table[padded + c] = scale
        table[2 * padded + c] = -scale * grad_bias[c] / pixels
        table[3 * padded + c] = -scale * inverse * grad_weight[c] / pixels
    spread_channels(table, padded, channels, deal[0])
    maps(mode, adjoint, fork, deal, x, grad, a, table, out)
