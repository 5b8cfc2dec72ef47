"""Convolutions of one channel with few filters: neighbouring pixels share a vector.

A register tile (:mod:`~tinygrad_cnn.kernels.cpu.products.tile`) has output channels for its
columns. Six filters leave most lanes of a wide vector empty. Where an image has one channel
its pixels are neighbours in memory, so here the lanes are *pixels* of a row, and each weight is
spread over a vector::

                               x[r, q : q + L]   x[r, q + s : q + s + L]
                                 ┌──────────┐        ┌──────────┐
                                 │  vector  │        │  vector  │
                                 └──────────┘        └──────────┘
        w[0, u, v] ──▶           ┌──────────┐        ┌──────────┐
             ⋮                   │   acc    │        │   acc    │     six filters at once
        w[5, u, v] ──▶           └──────────┘        └──────────┘

No filter is packed. The sums hold a vector of pixels for each filter, and the result wants the
channels of each pixel side by side: blocks of sums are transposed in registers before they
are stored.

Nothing is read beyond a row: the last tile begins earlier, so that it ends where the row
does, and computes some pixels a second time, by the same sums in the same order.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinygrad_cnn.kernels.cpu.instructions.registers import Registers
from tinygrad_cnn.kernels.cpu.instructions.vectors import VECTOR_BYTES, lanes
from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import (
    ARRAY_TYPE,
    data_of,
    is_ready,
    length_of,
    number_at,
    place_of_values,
    put_word,
    size_of,
    values_at,
    values_from,
    word_at,
)
from tinygrad_cnn.kernels.cpu.loops.rows import row_tasks
from tinygrad_cnn.kernels.cpu.loops.tasks import call_task, run_tasks
from tinygrad_cnn.kernels.cpu.products.tile import best_width, nest
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

# Tuned by measurement, never by the number of threads.
_CHEAP = 10  # multiply-adds that cost what an addition of two arrays does
_PART = 100_000  # multiply-adds of a task, about

_FILTERS = 6  # of a tile
_SQUARE = 8  # pixels and filters of a block that is transposed, at most

# Words of the table: four arrays, then numbers.
(
    _X, _WEIGHT, _BIAS, _OUT, _NOTHING, _FLOOR, _ROWS, _PER_PART, _HEIGHT, _OUT_HEIGHT, _WIDTH,
    _OUT_WIDTH, _ALL_FILTERS, _KH, _KW, _SH, _DH, _DW, _WORDS,
) = (np.intp(word) for word in range(19))  # fmt: skip


def fills_lanes(
    weight: tuple[int, ...], window: Window, out: tuple[int, ...], dtype: np.dtype[Any]
) -> bool:
    """Tell whether pixels fill vectors better than filters do; images have no padding here."""
    if weight[1] != 1 or window.groups != 1 or window.sw != 1 or window.ph or window.pw:
        return False
    return _fewer_sums(weight[0], out[2], dtype)


@lru_cache(maxsize=256)
def _fewer_sums(filters: int, width: int, dtype: np.dtype[Any]) -> bool:
    full, columns = lanes(dtype), best_width(filters, dtype)
    if width < full:
        return False
    covered = -(-width // (2 * full)) * 2 * full
    return -(-filters // _FILTERS) * _FILTERS * covered < -(-filters // columns) * columns * width


def multiply_pixels(
    x: Array, weight: Array, bias: Array, window: Window, floor: float, out: Array
) -> bool:
    """Fill out[n,i,j,o] = max(floor, bias[o] + Σ …), or return False: arrays not contiguous."""
    table = np.empty(_WORDS, np.intp)
    code, arrays = _CODE[out.dtype], (id(x), id(weight), id(bias), id(out))
    parts = _run(
        code, *arrays, window.sh, window.dh, window.dw, floor, id(table), id(out.dtype),
        ARRAY_TYPE, _CHEAP * tasks._FORK,
    )  # fmt: skip
    if parts > 0:
        run_tasks(code, table.ctypes.data, parts)
    return bool(parts >= 0)


@compiled()
def _run(
    code: int,
    x: int,
    weight: int,
    bias: int,
    out: int,
    sh: int,
    dh: int,
    dw: int,
    floor: float,
    table: int,
    dtype: int,
    array_type: int,
    fork: int,
) -> int:
    """Run a small task and return 0, or return the number of parts of a large one, or -1."""
    place = data_of(table)
    for k, array in enumerate((x, weight, bias, out)):
        if code == 0 or not is_ready(array, array_type, dtype):
            return -1
        put_word(place + 8 * k, data_of(array))
    put_word(place + 8 * _NOTHING, 0)
    if size_of(bias) == 0:
        put_word(place + 8 * _BIAS, 0)
    put_word(place + 8 * _FLOOR, floor)
    rows, width, filters = (
        length_of(out, 0) * length_of(out, 1),
        length_of(out, 2),
        length_of(out, 3),
    )
    taps = length_of(weight, 2) * length_of(weight, 3)
    work = max(1, width * filters * taps)
    per_part = max(1, _PART // work)
    put_word(place + 8 * _ROWS, rows)
    put_word(place + 8 * _PER_PART, per_part)
    put_word(place + 8 * _HEIGHT, length_of(x, 1))
    put_word(place + 8 * _OUT_HEIGHT, length_of(out, 1))
    put_word(place + 8 * _WIDTH, length_of(x, 2))
    put_word(place + 8 * _OUT_WIDTH, width)
    put_word(place + 8 * _ALL_FILTERS, filters)
    put_word(place + 8 * _KH, length_of(weight, 2))
    put_word(place + 8 * _KW, length_of(weight, 3))
    put_word(place + 8 * _SH, sh)
    put_word(place + 8 * _DH, dh)
    put_word(place + 8 * _DW, dw)
    parts = (rows + per_part - 1) // per_part
    if rows * work > fork:
        return parts
    for part in range(parts):
        call_task(code, place, part)
    return 0


@compiled()
def _multiply_rows(table: Any, part: int) -> None:
    """Compute some rows, counted over all images."""
    place = place_of_values(table)
    x, weight = values_at(table, word_at(place)), values_at(table, word_at(place + 8 * _WEIGHT))
    out, bias = values_at(table, word_at(place + 8 * _OUT)), word_at(place + 8 * _BIAS)
    bias_step = np.intp(1)
    if bias == 0:  # then sums start from a zero in the table
        bias, bias_step = place + 8 * _NOTHING, np.intp(0)
    start, floor = values_at(table, bias), number_at(place + 8 * _FLOOR)
    height, out_height = word_at(place + 8 * _HEIGHT), word_at(place + 8 * _OUT_HEIGHT)
    width, out_width = word_at(place + 8 * _WIDTH), word_at(place + 8 * _OUT_WIDTH)
    kh, kw = word_at(place + 8 * _KH), word_at(place + 8 * _KW)
    filters, taps = word_at(place + 8 * _ALL_FILTERS), kh * kw
    sh, dh, dw = word_at(place + 8 * _SH), word_at(place + 8 * _DH), word_at(place + 8 * _DW)
    counts, x_strides = (np.intp(1), kh, kw), (np.intp(0), dh * width, dw)
    weight_strides = (np.intp(0), kw, np.intp(1))
    full = _lanes_of(table)
    second = min(full, out_width - full)
    last = out_width - second - full
    per_part = word_at(place + 8 * _PER_PART)
    for row in range(part * per_part, min((part + 1) * per_part, word_at(place + 8 * _ROWS))):
        n, i = row // out_height, row % out_height
        source, target = (n * height + i * sh) * width, row * out_width
        for begin in range(0, last + 2 * full, 2 * full):
            j = min(begin, last)
            for o in range(0, filters, _FILTERS):
                _pixel_tile(
                    counts, values_from(x, source + j), second, x_strides,
                    values_from(weight, o * taps), taps, weight_strides,
                    values_from(start, o * bias_step), bias_step, floor,
                    values_from(out, (target + j) * filters + o), filters,
                    min(_FILTERS, filters - o),
                )  # fmt: skip
            if j == last:
                break


@intrinsic
def _lanes_of(typing_context: Any, values: Any) -> Any:
    """_lanes_of(values): how many of them a register holds."""
    width = VECTOR_BYTES // (values.dtype.bitwidth // 8)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.intp, width)

    return types.intp(values), generate


@intrinsic
def _pixel_tile(
    typing_context: Any,
    counts: Any,
    x: Any,
    second: Any,
    x_strides: Any,
    weight: Any,
    filter_step: Any,
    weight_strides: Any,
    start: Any,
    start_step: Any,
    floor: Any,
    out: Any,
    pixel_step: Any,
    used: Any,
) -> Any:
    """Fill two vectors of pixels j, from 0 and from `second` on, for the `used` first filters o.

    ::

        out[j · pixel_step + o] = max(floor, start[o · start_step] + Σ_k
            x[j + k · x_strides] · weight[o · filter_step + k · weight_strides])
    """
    triple = types.UniTuple(types.intp, 3)
    signature = types.void(
        triple, x, types.intp, triple, weight, types.intp, triple, start, types.intp,
        types.float64, out, types.intp, types.intp,
    )  # fmt: skip
    width = VECTOR_BYTES // (x.dtype.bitwidth // 8)
    block = min(_SQUARE, width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        counts, x, second, x_strides, weight, filter_step, weight_strides = arguments[:7]
        start, start_step, floor, out, pixel_step, used = arguments[7:]
        word, element = used.type, x.type.pointee
        registers, pixels = Registers(builder, element, width), Registers(builder, element, block)
        totals, filters = {}, []
        last = builder.sub(used, word(1))
        for m in range(_FILTERS):  # those too many repeat the last filter
            o = builder.select(builder.icmp_signed("<", word(m), used), word(m), last)
            filters.append(builder.gep(weight, [builder.mul(o, filter_step)]))
            first = builder.load(builder.gep(start, [builder.mul(o, start_step)]))
            for v in range(2):
                totals[m, v] = cgutils.alloca_once(builder, registers.vector)
                builder.store(registers.spread(first), totals[m, v])
        with nest(builder, counts, x_strides, weight_strides) as (at_x, at_weight):
            here = builder.gep(x, [at_x])
            right = [registers.load(here), registers.load(builder.gep(here, [second]))]
            for m, row in enumerate(filters):
                left = registers.spread(builder.load(builder.gep(row, [at_weight])))
                for v in range(2):
                    total = registers.multiply_add(left, right[v], builder.load(totals[m, v]))
                    builder.store(total, totals[m, v])
        floor = context.cast(builder, floor, types.float64, signature.args[1].dtype)
        least = registers.spread(floor)
        masks = [pixels.first(builder.sub(used, word(m))) for m in range(0, _FILTERS, block)]
        whole = builder.and_(
            builder.icmp_signed("==", used, word(_FILTERS)),
            builder.icmp_signed("==", pixel_step, word(_FILTERS)),
        )
        for v, begin in enumerate((word(0), second)):
            sums = []
            for m in range(_FILTERS):
                value = builder.load(totals[m, v])
                below = builder.fcmp_ordered("<", value, least)  # never true of a NaN
                sums.append(builder.select(below, least, value))
            squares = []
            for m in range(0, _FILTERS, block):
                square = sums[m : m + block]
                square += [registers.zeros] * (block - len(square))
                _turn(registers, square)
                squares.append(square)
            parts = [(j, k) for j in range(width) for k in range(len(squares))]
            values, places = {}, {}
            for j, k in parts:
                row, order = (
                    squares[k][j % block],
                    range(j // block * block, (j // block + 1) * block),
                )
                values[j, k] = pixels.shuffle(row, row, list(order))
                at = builder.mul(builder.add(begin, word(j)), pixel_step)
                places[j, k] = builder.gep(out, [builder.add(at, word(k * block))])
            with builder.if_else(whole) as (alone, beside_others):
                with alone:  # what is stored behind a pixel is replaced by the next one
                    for j, k in parts:
                        if j == width - 1:
                            pixels.store_first(values[j, k], places[j, k], masks[k])
                        else:
                            pixels.store(values[j, k], places[j, k])
                with beside_others:
                    for j, k in parts:
                        pixels.store_first(values[j, k], places[j, k], masks[k])
        return context.get_dummy_value()

    return signature, generate


def _turn(registers: Registers, rows: list[Any]) -> None:
    """Transpose the squares that lie side by side in as many vectors as they have rows."""
    width, half = registers.vector.count, len(rows) // 2
    while half:
        low = [k // half % 2 * width + k - k // half % 2 * half for k in range(width)]
        high = [position + half for position in low]
        for m in range(len(rows)):
            if m // half % 2 == 0:
                upper, lower = rows[m], rows[m + half]
                rows[m] = registers.shuffle(upper, lower, low)
                rows[m + half] = registers.shuffle(upper, lower, high)
        half //= 2


_CODE = row_tasks(_multiply_rows)
