"""Batch normalisation: statistics, normalisation, and their adjoints; arrays are (..., C).

All four are loops over memory with little arithmetic. Several pixels lie side by side in one
run of *lanes*, so that few channels fill vectors too: lane k belongs to channel k mod C, and
lanes are folded to channels, or channels spread over lanes, by halving and doubling. The runs
are cut into *blocks*, the blocks dealt to *slots*; a slot is what a thread works on, and the
sums of the slots are added up in order. All of these are fixed by the shape, so the result is
the same for every number of threads.

The variance comes from one pass over the deviations from a *shift* that each block finds for
itself: the mean of its first run. Were the shift far from the block's mean, the block's first
run would be too, and its variance would be large: digits are lost only where there are many.
"""

from functools import lru_cache
from typing import NamedTuple

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.memory import read_only
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

# Tuned by measurement, never by the number of threads.
_LANES = 512  # values in a run, at most, where a pixel has fewer
_BLOCK_VALUES = 16 * 1024
_BLOCK_RUNS = 8  # runs of a block, at least
_SLOTS = 32  # slots, at most ...
_SLOT_PIXELS = 64  # ... and pixels in one, at least: each costs a sum over all channels
_FORK = 100_000  # values below which a fork could gain less than 0.05 ms


class Plan(NamedTuple):
    """How the values are dealt out; all sizes but `slots` and `blocks` in values."""

    size: int
    channels: int
    width: int  # lanes: the channels of 1, 2, 4, ... pixels
    block: int
    blocks: int
    slots: int
    slot_blocks: int
    fork: int  # whether threads share the slots


@lru_cache(maxsize=256)
def _plan(size: int, channels: int) -> Plan:
    width = channels
    while 2 * width <= _LANES:
        width *= 2
    block = max(_BLOCK_RUNS, _BLOCK_VALUES // width) * width
    blocks = -(-size // block)
    wanted = min(_SLOTS, blocks, max(1, size // (channels * _SLOT_PIXELS)))
    slot_blocks = -(-blocks // wanted)
    slots = -(-blocks // slot_blocks)
    return Plan(size, channels, width, block, blocks, slots, slot_blocks, int(size > _FORK))


def _inverse_deviation(variance: Array, eps: float) -> Array:
    with np.errstate(all="ignore"):
        return 1 / np.sqrt(variance + eps)


# -- sums over pixels ----------------------------------------------------------------


@implements("batch_norm_statistics", device="cpu", variant="direct")
def batch_norm_statistics(x: Array, mean: Array, variance: Array) -> None:
    """mean[c] = Σ x[...,c] / m, variance[c] = Σ (x[...,c] - mean[c])² / m over m pixels."""
    if x.size == 0:
        mean[...] = variance[...] = np.nan
        return
    plan, flat = _plan(x.size, mean.size), read_only(x)
    means, squares = _partial_sums(plan, 0, flat, flat, flat)
    _combine_statistics(plan, means, squares, mean, variance)


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
    if x.size == 0:
        grad_weight[...] = grad_bias[...] = 0
        return
    plan = _plan(x.size, mean.size)
    products, totals = _partial_sums(plan, 1, read_only(x), read_only(grad), read_only(mean))
    grad_weight[...] = products.sum(0) * _inverse_deviation(variance, eps)
    grad_bias[...] = totals.sum(0)


def _partial_sums(
    plan: Plan, adjoint: int, x: Array, grad: Array, mean: Array
) -> tuple[Array, Array]:
    """Return two float64 sums for each slot and channel."""
    first, second = np.zeros((2, plan.slots, plan.channels))
    _reduce(plan, adjoint, x, grad, mean, first.reshape(-1), second.reshape(-1))
    return first, second


@compiled(parallel=True)
def _reduce(
    plan: Plan, adjoint: int, x: Array, grad: Array, mean: Array, first: Array, second: Array
) -> None:
    if plan.fork:
        for slot in numba.prange(plan.slots):
            _reduce_slot(np.intp(slot), plan, adjoint, x, grad, mean, first, second)
    else:
        for slot in range(plan.slots):
            _reduce_slot(slot, plan, adjoint, x, grad, mean, first, second)


@compiled()
def _reduce_slot(
    slot: int,
    plan: Plan,
    adjoint: int,
    x: Array,
    grad: Array,
    mean: Array,
    first: Array,
    second: Array,
) -> None:
    channels, width = plan.channels, plan.width
    shift = np.empty(width, x.dtype)
    low, high = np.empty(width, x.dtype), np.empty(width, x.dtype)
    own = slot * channels
    firsts, seconds = first[own : own + channels], second[own : own + channels]
    if adjoint:
        _copy_channels(mean, shift)
    start = slot * plan.slot_blocks * plan.block
    for block in range(slot * plan.slot_blocks, min(plan.blocks, (slot + 1) * plan.slot_blocks)):
        begin = block * plan.block
        end = min(plan.size, begin + plan.block)
        low[:] = 0
        high[:] = 0
        if adjoint:
            _add_products(grad, x, begin, end, shift, low, high)
            _fold(low, channels)
            _fold(high, channels)
            for c in range(channels):
                firsts[c] += low[c]
                seconds[c] += high[c]
        else:
            _find_shift(x, begin, end, channels, shift)
            _add_deviations(x, begin, end, shift, low, high)
            _fold(low, channels)
            _fold(high, channels)
            before, count = (begin - start) // channels, (end - begin) // channels
            _join_statistics(before, count, shift, low, high, firsts, seconds)


@compiled()
def _fold(lanes: Array, channels: int) -> None:
    """Add up the lanes of each channel, into the first of them."""
    half = lanes.size // 2
    while half >= channels:
        near, far = lanes[:half], lanes[half : 2 * half]
        for k in range(half):
            near[k] += far[k]
        half //= 2


@compiled()
def _spread(lanes: Array, channels: int) -> None:
    """Copy the first lane of each channel to the others."""
    filled = channels
    while filled < lanes.size:
        near, far = lanes[:filled], lanes[filled : 2 * filled]
        for k in range(filled):
            far[k] = near[k]
        filled *= 2


@compiled()
def _copy_channels(channels: Array, lanes: Array) -> None:
    for c in range(channels.size):  # an assignment of slices takes seconds to compile
        lanes[c] = channels[c]
    _spread(lanes, channels.size)


@compiled()
def _find_shift(x: Array, begin: int, end: int, channels: int, shift: Array) -> None:
    """Set each lane to the mean of its channel in the first run of a block."""
    run = min(shift.size, end - begin)
    shift[:] = 0
    for k in range(run):
        shift[k] = x[begin + k]
    _fold(shift, channels)
    pixels = run // channels
    for c in range(channels):
        shift[c] /= pixels
    _spread(shift, channels)


@compiled()
def _add_deviations(
    x: Array, begin: int, end: int, shift: Array, totals: Array, squares: Array
) -> None:
    width = shift.size
    at = begin
    while at + 2 * width <= end:
        one, two = x[at : at + width], x[at + width : at + 2 * width]
        for k in range(width):
            first, second = one[k] - shift[k], two[k] - shift[k]
            totals[k] += first + second
            squares[k] += first * first + second * second
        at += 2 * width
    while at < end:
        one = x[at : min(end, at + width)]
        for k in range(one.size):
            first = one[k] - shift[k]
            totals[k] += first
            squares[k] += first * first
        at += width


@compiled()
def _add_products(
    grad: Array, x: Array, begin: int, end: int, shift: Array, products: Array, totals: Array
) -> None:
    width = shift.size
    for at in range(begin, end, width):
        signal, value = grad[at : min(end, at + width)], x[at : min(end, at + width)]
        for k in range(value.size):
            products[k] += signal[k] * (value[k] - shift[k])
            totals[k] += signal[k]


@compiled()
def _join_statistics(
    before: int,
    count: int,
    shift: Array,
    totals: Array,
    powers: Array,
    means: Array,
    squares: Array,
) -> None:
    """Join the sums of a block to the mean and the squared deviations of `before` pixels."""
    share = count / (before + count)
    for c in range(means.size):
        total = np.float64(totals[c])
        deviation = powers[c] - total * total / count
        if deviation < 0:  # by rounding, where all values are equal
            deviation = 0.0
        distance = shift[c] + total / count - means[c]
        means[c] += distance * share
        squares[c] += deviation + distance * distance * (before * share)


@compiled()
def _combine_statistics(
    plan: Plan, means: Array, squares: Array, mean: Array, variance: Array
) -> None:
    """Join the slots in order."""
    pixels = plan.size // plan.channels
    for slot in range(1, plan.slots):
        step = plan.slot_blocks * (plan.block // plan.channels)
        before = slot * step
        share = min(step, pixels - before)
        for c in range(plan.channels):
            distance = means[slot, c] - means[0, c]
            part = share / (before + share)
            means[0, c] += distance * part
            squares[0, c] += squares[slot, c] + distance * distance * (before * part)
    for c in range(plan.channels):
        mean[c] = means[0, c]
        variance[c] = squares[0, c] / pixels


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
    scale = _inverse_deviation(variance, eps)
    if weight is not None:
        scale = scale * weight
    shift = np.zeros_like(scale) if bias is None else bias
    flat = read_only(x)
    _run(0, flat, flat, mean, scale, scale, shift, out)


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
    inverse = _inverse_deviation(variance, eps)
    scale = inverse if weight is None else inverse * weight
    pixels = max(1, x.size // max(1, mean.size))
    slope, shift = -scale * inverse * grad_weight / pixels, -scale * grad_bias / pixels
    _run(1, read_only(x), read_only(grad), mean, scale, slope, shift, out)


def _run(
    adjoint: int,
    x: Array,
    grad: Array,
    mean: Array,
    scale: Array,
    slope: Array,
    shift: Array,
    out: Array,
) -> None:
    if out.size:
        factors = (read_only(each) for each in (mean, scale, slope, shift))
        _apply(_plan(x.size, mean.size), adjoint, x, grad, *factors, out.reshape(-1))


@compiled(parallel=True)
def _apply(
    plan: Plan,
    adjoint: int,
    x: Array,
    grad: Array,
    mean: Array,
    scale: Array,
    slope: Array,
    shift: Array,
    out: Array,
) -> None:
    if plan.fork:
        for slot in numba.prange(plan.slots):
            _apply_slot(np.intp(slot), plan, adjoint, x, grad, mean, scale, slope, shift, out)
    else:
        for slot in range(plan.slots):
            _apply_slot(slot, plan, adjoint, x, grad, mean, scale, slope, shift, out)


@compiled()
def _apply_slot(
    slot: int,
    plan: Plan,
    adjoint: int,
    x: Array,
    grad: Array,
    mean: Array,
    scale: Array,
    slope: Array,
    shift: Array,
    out: Array,
) -> None:
    width = plan.width
    centre, factor = _lanes_of(plan, mean), _lanes_of(plan, scale)
    slant, summand = _lanes_of(plan, slope), _lanes_of(plan, shift)
    step = plan.slot_blocks * plan.block
    for at in range(slot * step, min(plan.size, (slot + 1) * step), width):
        end = min(plan.size, at + width)
        values, target = x[at:end], out[at:end]
        if adjoint:
            signal = grad[at:end]
            for k in range(target.size):
                deviation = values[k] - centre[k]
                target[k] = factor[k] * signal[k] + (slant[k] * deviation + summand[k])
        else:
            for k in range(target.size):
                target[k] = factor[k] * (values[k] - centre[k]) + summand[k]


@compiled()
def _lanes_of(plan: Plan, channels: Array) -> Array:
    lanes = np.empty(plan.width, channels.dtype)
    _copy_channels(channels, lanes)
    return lanes
