"""Values brought to another place and left as they are: channels joined, axes exchanged.

A copy costs what it moves, so what counts is to move long runs, on all threads, and every
value once. Channels of a pixel are such a run: to join arrays along channels is to copy the
rows of some matrices side by side into those of a wider one, whatever their elements are.

An exchange of two axes has no runs. It goes by small squares that are transposed in registers
(:mod:`~tinygrad_cnn.kernels.cpu.instructions.transpose`), within tiles that fit into the
first-level cache. Where one of the axes is shorter than such a square, as three colours are,
single values are moved.
"""

from typing import Any

import numpy as np
from numba import types

from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.kernels.cpu.instructions.simd import lanes_one
from tinygrad_cnn.kernels.cpu.instructions.transpose import transpose_square
from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import (
    copy_bytes,
    place_of_values,
    values_at,
    values_from,
    word_at,
)
from tinygrad_cnn.kernels.cpu.loops.memory import address
from tinygrad_cnn.kernels.cpu.loops.tasks import Code
from tinygrad_cnn.kernels.cpu.loops.values import Addresses
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_PART_BYTES = 64 * 1024  # that a task copies, about; never by the number of threads
_FEW = 8_192  # values up to which NumPy has copied them before a table is filled in
_TILE = 128  # rows, and columns, that a task exchanges at most: 64 KiB of float32
_SHORT = 8  # an axis up to which single values are moved

# -- runs of channels ------------------------------------------------------------------

# Words of the table; behind them four for each run that a row consists of: where it begins
# in the first row, bytes to the next row, the same of the target, and its length in bytes.
_ROWS, _ROWS_PER_PART, _TARGET_PITCH, _RUNS, _FIRST = range(5)
_SOURCE, _SOURCE_PITCH, _TARGET, _LENGTH, _RUN_WORDS = range(5)


@implements("join_channels", device="cpu", variant="direct")
def join_channels(*arrays: Array) -> None:
    """out[..., c] = the channels of all arrays before it, one array's behind another's."""
    *parts, out = arrays
    if out.size < _FEW:
        np.concatenate(parts, -1, out)
        return
    parts = [np.ascontiguousarray(part, out.dtype) for part in parts]
    width, begin, runs = out.shape[-1] * out.itemsize, out.ctypes.data, []
    for part in parts:
        length = part.shape[-1] * part.itemsize
        runs.append((part.ctypes.data, length, begin, length))
        begin += length
    _copy_runs(out, width, runs)


@implements("slice_channels", device="cpu", variant="direct")
def slice_channels(x: Array, first: int, out: Array) -> None:
    """out[..., c] = x[..., first + c]."""
    if out.size < _FEW:
        out[...] = x[..., first : first + out.shape[-1]]
        return
    x = np.ascontiguousarray(x, out.dtype)
    length, source = out.shape[-1] * out.itemsize, x.ctypes.data + first * x.itemsize
    _copy_runs(out, length, [(source, x.shape[-1] * x.itemsize, out.ctypes.data, length)])


def _copy_runs(out: Array, width: int, runs: list[tuple[int, int, int, int]]) -> None:
    rows, per_part = out.nbytes // width, max(1, _PART_BYTES // width)
    head = (rows, per_part, width, len(runs))
    table = np.array([*head, *(word for run in runs for word in run)], np.intp)
    tasks.run(_COPY_TASK.address, table, -(-rows // per_part), out.nbytes // 4)


@compiled()
def _copy_part(table: int, part: int) -> None:
    begin = part * word_at(table + 8 * _ROWS_PER_PART)
    end = min(word_at(table + 8 * _ROWS), begin + word_at(table + 8 * _ROWS_PER_PART))
    pitch = word_at(table + 8 * _TARGET_PITCH)
    for run in range(word_at(table + 8 * _RUNS)):
        entry = table + 8 * (_FIRST + run * _RUN_WORDS)
        source_pitch, length = word_at(entry + 8 * _SOURCE_PITCH), word_at(entry + 8 * _LENGTH)
        source = word_at(entry + 8 * _SOURCE) + begin * source_pitch
        target = word_at(entry + 8 * _TARGET) + begin * pitch
        for _ in range(begin, end):
            copy_bytes(target, source, length)
            source += source_pitch
            target += pitch


_COPY_TASK = Code(_copy_part)

# -- axes exchanged --------------------------------------------------------------------

_X, _OUT, _HEIGHT, _WIDTH = range(4)


@implements("transpose_matrices", device="cpu", variant="direct")
def transpose_matrices(x: Array, out: Array) -> None:
    """out[n,k,r] = x[n,r,k]."""
    code = _TRANSPOSE_TASK[out.dtype]
    if not code or not out.flags.c_contiguous:
        raise DTypeError(
            "transpose_matrices: the result is a C-contiguous array of float32 or float64; got "
            f"{out.dtype} of shape {out.shape}"
        )
    if out.size:
        x = np.ascontiguousarray(x, out.dtype)
        count, height, width = x.shape
        table = np.array((x.ctypes.data, out.ctypes.data, height, width), np.intp)
        parts = count * -(-height // _TILE) * -(-width // _TILE)
        tasks.run(code, table, parts, out.size)


@compiled()
def _transpose_part(table: Any, part: int) -> None:
    """Exchange the axes of one tile of one matrix."""
    place = place_of_values(table)
    height, width = word_at(place + 8 * _HEIGHT), word_at(place + 8 * _WIDTH)
    across, down = (width + _TILE - 1) // _TILE, (height + _TILE - 1) // _TILE
    n, r, k = part // (across * down), part // across % down * _TILE, part % across * _TILE
    rows, columns = min(_TILE, height - r), min(_TILE, width - k)
    whole = n * height * width
    source = values_from(values_at(table, word_at(place + 8 * _X)), whole + r * width + k)
    target = values_from(values_at(table, word_at(place + 8 * _OUT)), whole + k * height + r)
    if rows <= _SHORT or columns <= _SHORT:
        _exchange_values(source, width, rows, columns, target, height)
    else:
        offsets = np.empty((2, lanes_one(source)), np.intp)
        for lane in range(lanes_one(source)):
            offsets[0, lane], offsets[1, lane] = lane * width, lane * height
        _exchange_squares(source, width, rows, columns, target, height, offsets)


@compiled()
def _exchange_values(
    source: Any, width: int, rows: int, columns: int, target: Any, height: int
) -> None:
    if rows < columns:
        for i in range(rows):
            for j in range(columns):
                target[j * height + i] = source[i * width + j]
    else:
        for j in range(columns):
            for i in range(rows):
                target[j * height + i] = source[i * width + j]


@compiled()
def _exchange_squares(
    source: Any, width: int, rows: int, columns: int, target: Any, height: int, offsets: Array
) -> None:
    side = lanes_one(source)
    for i in range(0, rows, side):
        for j in range(0, columns, side):
            transpose_square(
                values_from(source, i * width + j), address(offsets, 0), min(side, rows - i),
                min(side, columns - j), values_from(target, j * height + i),
                address(offsets, side),
            )  # fmt: skip


_TRANSPOSE_TASK = Addresses(
    _transpose_part, signature=lambda values: types.void(values, types.intp)
)
