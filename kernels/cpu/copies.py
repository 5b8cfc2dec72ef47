"""Values brought to another place and left as they are: joined, cut out, put in, exchanged.

A copy costs what it moves, so what counts is to move long runs, on all threads, and every
value once. Channels of a pixel are such a run: to join arrays along channels is to copy the
rows of some matrices side by side into those of a wider one, whatever their elements are.
A *box* is what one slice for each axis picks of an array: the inside of a padded image, each
second pixel. A row of an image in it is a run too, or its pixels are.

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
    bytes_at,
    copy_bytes,
    place_of_values,
    values_at,
    values_from,
    word_at,
)
from tinygrad_cnn.kernels.cpu.loops.memory import address, clear_run
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

# -- boxes -----------------------------------------------------------------------------

# Words of the table. Of the array that holds the box: how long its rows of pixels are in bytes,
# how many make an image; of the box: images, rows, pixels, bytes of a run, runs in a row, and
# bytes from one pixel to the next in the other array, and where it begins there.
(
    _BOX, _WHOLE, _BOX_ROWS, _BOX_RUNS, _RUN, _RUN_STEP, _WHOLE_ROWS, _PITCH, _FIRST_IMAGE,
    _IMAGE_STEP, _FIRST_ROW, _ROW_STEP, _FIRST_BYTE, _BOX_IMAGES, _ALL_ROWS, _PART_ROWS,
) = range(16)  # fmt: skip

Box = tuple[tuple[int, int], ...]


@implements("pick_box", device="cpu", variant="direct")
def pick_box(x: Array, box: Box, out: Array) -> None:
    """out[k0,k1,k2,k3] = x[f0 + k0·s0, …, f3 + k3·s3] with (f, s) the first place and the step."""
    if out.size < _FEW or box[3][1] != 1:
        out[...] = x[_slices(box, out)]
        return
    x = np.ascontiguousarray(x, out.dtype)
    _move_box(_PICK_TASK, out, x, box, len(out) * out.shape[1], out)


@implements("place_box", device="cpu", variant="direct")
def place_box(x: Array, box: Box, out: Array) -> None:
    """out[f0 + k0·s0, …, f3 + k3·s3] = x[k0,k1,k2,k3], and 0 elsewhere: pick_box's adjoint."""
    if out.size < _FEW or box[3][1] != 1 or not x.size:
        out.fill(0)
        out[_slices(box, x)] = x
        return
    x = np.ascontiguousarray(x, out.dtype)
    _move_box(_PLACE_TASK, x, out, box, len(out) * out.shape[1], out)


def _slices(box: Box, inner: Array) -> tuple[slice, ...]:
    return tuple(
        slice(first, first + size * step, step)
        for (first, step), size in zip(box, inner.shape, strict=True)
    )


def _move_box(task: Code, inner: Array, whole: Array, box: Box, rows: int, out: Array) -> None:
    (image, image_step), (row, row_step), (column, column_step), (channel, _) = box
    images, height, width, channels = inner.shape
    pixel = whole.shape[3] * whole.itemsize
    runs, run = width, channels * inner.itemsize
    if column_step == 1 and channels == whole.shape[3]:  # neighbouring pixels, whole
        runs, run = 1, width * run
    pitch = whole.shape[2] * pixel
    part = max(1, _PART_BYTES // (out.shape[2] * out.shape[3] * out.itemsize))
    table = np.array(
        (
            inner.ctypes.data, whole.ctypes.data, height, runs, run, column_step * pixel,
            whole.shape[1], pitch, image, image_step, row, row_step,
            column * pixel + channel * whole.itemsize, images, rows, part,
        ),
        np.intp,
    )  # fmt: skip
    tasks.run(task.address, table, -(-rows // part), out.nbytes // 4)


@compiled()
def _pick_part(table: int, part: int) -> None:
    """Fill some rows of the box."""
    begin = part * word_at(table + 8 * _PART_ROWS)
    end = min(word_at(table + 8 * _ALL_ROWS), begin + word_at(table + 8 * _PART_ROWS))
    height = word_at(table + 8 * _BOX_ROWS)
    for row in range(begin, end):
        inner, outer = _ends_of_row(table, row // height, row % height)
        step = word_at(table + 8 * _RUN)
        for _ in range(word_at(table + 8 * _BOX_RUNS)):
            copy_bytes(inner, outer, step)
            inner += step
            outer += word_at(table + 8 * _RUN_STEP)


@compiled()
def _place_part(table: int, part: int) -> None:
    """Fill some rows of the array around the box: with zeros, then with what is in the box."""
    begin = part * word_at(table + 8 * _PART_ROWS)
    end = min(word_at(table + 8 * _ALL_ROWS), begin + word_at(table + 8 * _PART_ROWS))
    images, height = word_at(table + 8 * _BOX_IMAGES), word_at(table + 8 * _BOX_ROWS)
    whole_height, pitch = word_at(table + 8 * _WHOLE_ROWS), word_at(table + 8 * _PITCH)
    for row in range(begin, end):
        place = word_at(table + 8 * _WHOLE) + row * pitch
        clear_run(bytes_at(place), pitch)
        n = row // whole_height - word_at(table + 8 * _FIRST_IMAGE)
        i = row % whole_height - word_at(table + 8 * _FIRST_ROW)
        image_step, row_step = word_at(table + 8 * _IMAGE_STEP), word_at(table + 8 * _ROW_STEP)
        if n < 0 or i < 0 or n % image_step or i % row_step:
            continue
        n, i = n // image_step, i // row_step
        if n >= images or i >= height:
            continue
        inner, outer = _ends_of_row(table, n, i)
        step = word_at(table + 8 * _RUN)
        for _ in range(word_at(table + 8 * _BOX_RUNS)):
            copy_bytes(outer, inner, step)
            inner += step
            outer += word_at(table + 8 * _RUN_STEP)


@compiled()
def _ends_of_row(table: int, n: int, i: int) -> tuple[int, int]:
    """Return where a row of the box begins, in the box and in the array around it."""
    run = word_at(table + 8 * _RUN) * word_at(table + 8 * _BOX_RUNS)
    inner = word_at(table + 8 * _BOX) + (n * word_at(table + 8 * _BOX_ROWS) + i) * run
    n = word_at(table + 8 * _FIRST_IMAGE) + n * word_at(table + 8 * _IMAGE_STEP)
    i = word_at(table + 8 * _FIRST_ROW) + i * word_at(table + 8 * _ROW_STEP)
    row = n * word_at(table + 8 * _WHOLE_ROWS) + i
    outer = word_at(table + 8 * _WHOLE) + row * word_at(table + 8 * _PITCH)
    return inner, outer + word_at(table + 8 * _FIRST_BYTE)


_PICK_TASK, _PLACE_TASK = Code(_pick_part), Code(_place_part)

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
