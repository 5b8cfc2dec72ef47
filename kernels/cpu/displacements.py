"""Images bent by fields of displacements; images and fields are (N, H, W, C).

A field is made of noise that a bell-shaped window smooths. The window is a product of one
along the rows and one along the columns, so two passes of 2R + 1 products a value do the work
of one with (2R + 1)². A pass adds whole shifted lines, which vectorises whatever the number of
channels is: seen along an axis, the values behind it are part of the line.
"""

import math
from typing import Any

import numpy as np
from numba import types

from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.kernels.cpu.instructions.elementary import like
from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import (
    place_of_values,
    values_at,
    values_from,
    word_at,
)
from tinygrad_cnn.kernels.cpu.loops.values import Addresses
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_X, _OUT = 0, 1


def _code(addresses: Addresses, operation: str, out: Array) -> int:
    code = addresses[out.dtype]
    if not code or not out.flags.c_contiguous:
        raise DTypeError(
            f"{operation}: the result is a C-contiguous array of float32 or float64; got "
            f"{out.dtype} of shape {out.shape}"
        )
    return code


# -- smoothing -------------------------------------------------------------------------

_WEIGHTS, _REACH, _LENGTH, _STEP = range(2, 6)


@implements("smooth_images", device="cpu", variant="direct")
def smooth_images(x: Array, weights: Array, out: Array) -> None:
    """out[n,i,j] = Σ_uv weights[u] weights[v] x[n, i+u-R, j+v-R] over what lies inside.

    There are 2R + 1 weights.
    """
    code = _code(_SMOOTH_TASK, "smooth_images", out)
    if not out.size:
        return
    images, height, width, channels = out.shape
    x, weights = (np.ascontiguousarray(array, out.dtype) for array in (x, weights))
    rows = np.empty_like(out)  # smoothed along each row
    for source, target, lines, length, step in (
        (x, rows, images * height, width, channels),
        (rows, out, images, height, width * channels),
    ):
        places = (array.ctypes.data for array in (source, target, weights))
        table = np.array((*places, weights.size // 2, length, step), np.intp)
        tasks.run(code, table, lines, out.size * weights.size // 4)


@compiled()
def _smooth_line(table: Any, line: int) -> None:
    """Smooth along an axis of some length, whose neighbours lie a step apart."""
    place = place_of_values(table)
    reach, length = word_at(place + 8 * _REACH), word_at(place + 8 * _LENGTH)
    step = word_at(place + 8 * _STEP)
    weights = values_at(table, word_at(place + 8 * _WEIGHTS))
    x = values_from(values_at(table, word_at(place + 8 * _X)), line * length * step)
    out = values_from(values_at(table, word_at(place + 8 * _OUT)), line * length * step)
    for k in range(length * step):
        out[k] = weights[reach] * x[k]
    for u in range(2 * reach + 1):
        ahead = u - reach
        first, end = max(-ahead, 0) * step, (length - max(ahead, 0)) * step
        if ahead != 0 and first < end:
            weight, source = weights[u], values_from(x, ahead * step)
            for k in range(first, end):
                out[k] += weight * source[k]


_SMOOTH_TASK = Addresses(_smooth_line, signature=lambda values: types.void(values, types.intp))

# -- bending ---------------------------------------------------------------------------

_FIELD, _REPEAT, _HEIGHT, _WIDTH, _CHANNELS = range(2, 7)
_COST = 20  # of a value, in additions


@implements("warp_images", device="cpu", variant="direct")
def warp_images(x: Array, field: Array, repeat: bool, out: Array) -> None:
    """out[n,i,j] = x[n] at (i, j) + field[n,i,j], between the four pixels around that place.

    What is outside of the image is zero, or, if asked for, equal to the nearest pixel.
    """
    code = _code(_WARP_TASK, "warp_images", out)
    if out.size:
        x, field = (np.ascontiguousarray(array, out.dtype) for array in (x, field))
        places = (array.ctypes.data for array in (x, out, field))
        table = np.array((*places, repeat, *out.shape[1:]), np.intp)
        tasks.run(code, table, len(out), out.size * _COST)


@compiled()
def _warp_image(table: Any, n: int) -> None:
    place = place_of_values(table)
    height, width = word_at(place + 8 * _HEIGHT), word_at(place + 8 * _WIDTH)
    channels, repeat = word_at(place + 8 * _CHANNELS), word_at(place + 8 * _REPEAT) != 0
    pixels = height * width
    x = values_from(values_at(table, word_at(place + 8 * _X)), n * pixels * channels)
    out = values_from(values_at(table, word_at(place + 8 * _OUT)), n * pixels * channels)
    field = values_from(values_at(table, word_at(place + 8 * _FIELD)), n * pixels * 2)
    for k in range(pixels):
        row = k // width + np.float64(field[2 * k])
        column = k % width + np.float64(field[2 * k + 1])
        target = values_from(out, k * channels)
        if math.isnan(row) or math.isnan(column):
            for c in range(channels):
                target[c] = like(x[0], math.nan)
            continue
        if repeat:
            row = min(max(row, 0.0), height - 1.0)
            column = min(max(column, 0.0), width - 1.0)
        if not (-1.0 < row < height and -1.0 < column < width):
            for c in range(channels):
                target[c] = like(x[0], 0.0)
            continue
        top, left = math.floor(row), math.floor(column)
        if 0 <= top < height - 1 and 0 <= left < width - 1:  # as most are
            _between_four(
                x,
                target,
                (top * width + left) * channels,
                width * channels,
                channels,
                row - top,
                column - left,
            )
            continue
        for c in range(channels):
            target[c] = like(x[0], 0.0)
        for r in range(max(top, 0), min(top + 2, height)):
            for q in range(max(left, 0), min(left + 2, width)):
                share = like(x[0], (1.0 - abs(row - r)) * (1.0 - abs(column - q)))
                source = values_from(x, (r * width + q) * channels)
                for c in range(channels):
                    target[c] += share * source[c]


@compiled(forceinline=True)
def _between_four(
    x: Any, target: Any, first: int, line: int, channels: int, down: float, across: float
) -> None:
    """Weigh a pixel, the next one, and the two below them by how near the place is."""
    here, right = like(x[0], (1.0 - down) * (1.0 - across)), like(x[0], (1.0 - down) * across)
    below, beyond = like(x[0], down * (1.0 - across)), like(x[0], down * across)
    for k in range(first, first + channels):
        target[k - first] = (
            here * x[k]
            + right * x[k + channels]
            + below * x[k + line]
            + beyond * x[k + line + channels]
        )


_WARP_TASK = Addresses(_warp_image, signature=lambda values: types.void(values, types.intp))
