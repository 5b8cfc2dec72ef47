"""Convolution with 3x3 filters by Winograd's algorithm: a fourth of the multiplications.

DOC
"""

from functools import lru_cache
from typing import Any

import numpy as np

from tinygrad_cnn.kernels.buffer_pool import empty
from tinygrad_cnn.kernels.cpu.memory import plan_array, read_only
from tinygrad_cnn.kernels.cpu.vectors import VECTOR_BYTES
from tinygrad_cnn.kernels.cpu.winograd_tiles import (
    LANES,
    POSITIONS,
    REACH,
    ROWS,
    SIZE,
    Plan,
    convolve,
)
from tinygrad_cnn.kernels.geometry import Convolution, Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

# Tuned by measurement, never by the number of threads.
_BLOCK = 3 * ROWS  # tiles of a block: V and M of 64 channels fit into the second-level cache ...
_LARGE = 1 << 16  # ... of so many filters times channels U does not; then ...
_LARGE_BLOCK = 9 * ROWS  # ... more tiles meet each filter that is brought
_TASKS = 32  # at most, and at least half of it where ...
_SET = 8  # ... that many vectors of filters are left for each
_FORK = 4_000_000  # multiply-adds below which a fork could gain less than 0.05 ms
_TRANSFORM = 16  # multiply-adds that cost as much as to transform one value of a filter

_ALL, _POSITIVE = np.float32(-np.inf), np.float32(0)
_NO_BIAS = np.empty(0, np.float32)


@lru_cache(maxsize=256)
def _plan(
    source: tuple[int, ...], target: tuple[int, ...], top: int, left: int, backward: bool
) -> tuple[Array, int]:
    """Return the plan of one layer, and how many values of scratch it needs."""
    images, height, width, channels = source
    _, out_height, out_width, filters = target
    channel_vectors, filter_vectors = -(-channels // LANES), -(-filters // LANES)
    down, across = -(-out_height // SIZE), -(-out_width // SIZE)
    tiles = images * down * across
    block = _BLOCK if channels * filters < _LARGE else _LARGE_BLOCK
    block = min(block, -(-tiles // ROWS) * ROWS)
    blocks = -(-tiles // max(1, block))
    blocks_each = -(-blocks // _TASKS)
    parts = -(-blocks // max(1, blocks_each))
    set_vectors = max(_SET, -(-filter_vectors * 2 * parts // _TASKS))
    sets = -(-filter_vectors // set_vectors)
    set_vectors = min(set_vectors, filter_vectors)
    position_values = (filter_vectors * channel_vectors * LANES + 1) * LANES
    start = POSITIONS * position_values
    zeros = start + filter_vectors * LANES
    values = POSITIONS * filters * channels
    plan = Plan(
        height,
        width,
        channels,
        out_height,
        out_width,
        filters,
        top,
        left,
        channel_vectors,
        filter_vectors,
        weight_filter=9 if backward else 9 * channels,
        weight_channel=9 * filters if backward else 9,
        down=down,
        across=across,
        tiles=tiles,
        block=block,
        filter_fork=int(values * _TRANSFORM > _FORK),
        fork=int(values * tiles > _FORK),
        tasks=parts * sets,
        blocks_each=blocks_each,
        blocks=blocks,
        sets=sets,
        set_vectors=set_vectors,
        position_values=position_values,
        start=start,
        zeros=zeros,
        scratch_values=zeros + REACH * channels + LANES,
    )
    taps = np.arange(9)[::-1] if backward else np.arange(9)
    steps = np.arange(LANES) * plan.weight_filter
    return plan_array(plan, steps, taps * LANES * LANES), plan.scratch_values


def _convolve(
    x: Array, weight: Array, bias: Array, top: int, left: int, backward: bool, floor: Any, out: Array
) -> None:
    plan, values = _plan(x.shape, out.shape, top, left, backward)
    if out.size:
        scratch = empty((values,), np.float32)
        convolve(
            plan, read_only(x), read_only(weight), read_only(bias), floor, scratch, out.reshape(-1)
        )


def _supports(geometry: Any, dtype: np.dtype[Any]) -> str:
    return ""


def conv2d_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """As the variant "direct"."""
    _convolve(x, weight, bias, window.ph, window.pw, False, _ALL, out)


def conv2d_relu_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """As `conv2d_forward`, but what is less than 0 becomes 0 before it is stored."""
    _convolve(x, weight, bias, window.ph, window.pw, False, _POSITIVE, out)


def conv2d_grad_input(grad: Array, weight: Array, window: Window, out: Array) -> None:
    """The same convolution by turned filters, channels and filters exchanged, padding 2 - p."""
    _convolve(grad, weight, _NO_BIAS, 2 - window.ph, 2 - window.pw, True, _ALL, out)
