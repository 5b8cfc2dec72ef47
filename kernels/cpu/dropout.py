"""Random masks, and the product of an array with one.

The random number at place k of a mask is a function of the key and of k alone, see
:mod:`~tinygrad_cnn.kernels.cpu.instructions.philox`. One counter yields four words. They go to
places 64 apart, so that the words of 64 neighbouring counters fill 256 neighbouring places in
four straight runs.
"""

from typing import Any

import numpy as np
from numba import types

from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.kernels.cpu.instructions.elementary import choose, like
from tinygrad_cnn.kernels.cpu.instructions.philox import philox
from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import (
    ARRAY_TYPE,
    bytes_at,
    copy_bytes,
    data_of,
    is_ready,
    number_at,
    place_of,
    place_of_values,
    put_word,
    size_of,
    values_at,
    values_from,
    word_at,
)
from tinygrad_cnn.kernels.cpu.loops.tasks import Code, call_task, run_tasks
from tinygrad_cnn.kernels.cpu.loops.values import Addresses
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_PART = 16_384  # values of a task
_GROUP, _RUN = 256, 64  # places of a group, and places between words of one counter
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)

# Words of the table; a mask is drawn with the first five, a product made with the others.
_SIZE, _MASK, _THRESHOLD, _KEY_LOW, _KEY_HIGH, _X, _OUT, _SCALE, _WORDS = range(9)

_TRUTH = np.dtype(np.bool_)


@implements("dropout_mask", device="cpu", variant="direct")
def dropout_mask(key: int, threshold: int, out: Array) -> None:
    """out[k] = whether the 32-bit random number at place k lies below a threshold of 0 … 2^32.

    The key is a whole number of 64 bits.
    """
    table = np.empty(_WORDS, np.intp)
    low, high = key & 0xFFFFFFFF, key >> 32
    code, own = _MASK_TASK.address, (id(_TRUTH), ARRAY_TYPE, tasks._FORK // 2)
    parts = _draw(code, id(out), threshold, low, high, id(table), *own)
    if parts > 0:
        run_tasks(code, table.ctypes.data, parts)
    elif parts < 0:
        raise DTypeError(
            "dropout_mask: a mask is a C-contiguous array of truth values; got "
            f"{out.dtype} of shape {out.shape}"
        )


@compiled()
def _draw(
    code: int,
    out: int,
    threshold: int,
    key_low: int,
    key_high: int,
    table: int,
    truth: int,
    array_type: int,
    fork: int,
) -> int:
    """Draw a small mask and return 0, or return the number of parts of a large one, or -1."""
    if not is_ready(out, array_type, truth):
        return -1
    place = data_of(table)
    put_word(place + 8 * _MASK, data_of(out))
    put_word(place + 8 * _THRESHOLD, threshold)
    put_word(place + 8 * _KEY_LOW, key_low)
    put_word(place + 8 * _KEY_HIGH, key_high)
    return _run_parts(code, place, size_of(out), fork)


@compiled()
def _run_parts(code: int, place: int, size: int, fork: int) -> int:
    put_word(place + 8 * _SIZE, size)
    parts = (size + _PART - 1) // _PART
    if size > fork:
        return parts
    for part in range(parts):
        call_task(code, place, part)
    return 0


@compiled()
def _mask_part(table: int, part: int) -> None:
    """Draw the places of a part, group by group; the last group by way of a buffer."""
    begin, mask = part * _PART, word_at(table + 8 * _MASK)
    end = min(begin + _PART, word_at(table + 8 * _SIZE))
    for first in range(begin, end - _GROUP + 1, _GROUP):
        _draw_group(table, first // _GROUP, mask + first)
    rest = (end - begin) % _GROUP
    if rest:
        _draw_last(table, end - rest, rest, mask, np.empty(_GROUP, np.uint8))


@compiled()
def _draw_last(table: int, first: int, rest: int, mask: int, buffer: Array) -> None:
    _draw_group(table, first // _GROUP, place_of(buffer))
    copy_bytes(mask + first, place_of(buffer), rest)


@compiled()
def _draw_group(table: int, group: int, target: int) -> None:
    """Encipher 64 counters and compare the four words of each with the threshold."""
    out = bytes_at(target)
    threshold = np.uint64(word_at(table + 8 * _THRESHOLD))
    key_low = np.uint64(word_at(table + 8 * _KEY_LOW))
    key_high = np.uint64(word_at(table + 8 * _KEY_HIGH))
    for i in range(_RUN):
        counter = np.uint64(group * _RUN + i)
        low, high, zero = counter & _LOW, counter >> _HALF, np.uint64(0)
        a, b, c, d = philox(low, high, zero, zero, key_low, key_high)
        out[i] = a < threshold
        out[_RUN + i] = b < threshold
        out[2 * _RUN + i] = c < threshold
        out[3 * _RUN + i] = d < threshold


_MASK_TASK = Code(_mask_part)


@implements("dropout", device="cpu", variant="direct")
def dropout(x: Array, mask: Array, scale: float, out: Array) -> None:
    """out = x · scale where mask is set, x · 0 elsewhere: a NaN stays a NaN."""
    table = np.empty(_WORDS, np.intp)
    code, scale = _PRODUCT[out.dtype], float(scale)
    own = (id(table), id(out.dtype), id(_TRUTH), ARRAY_TYPE, tasks._FORK)
    parts = _apply(code, id(x), id(mask), id(out), scale, *own)
    if parts < 0:
        x, mask = np.ascontiguousarray(x, out.dtype), np.ascontiguousarray(mask, np.bool_)
        parts = _apply(code, id(x), id(mask), id(out), scale, *own)
    if parts > 0:
        run_tasks(code, table.ctypes.data, parts)
    elif parts < 0:
        raise DTypeError(
            "dropout: the result is a C-contiguous array of float32 or float64, and as large "
            f"as the mask; got {out.dtype} of shape {out.shape} and a mask of {mask.shape}"
        )


@compiled()
def _apply(
    code: int,
    x: int,
    mask: int,
    out: int,
    scale: float,
    table: int,
    dtype: int,
    truth: int,
    array_type: int,
    fork: int,
) -> int:
    """Make a small product and return 0, or return the number of parts of a large one, or -1."""
    if not (code and is_ready(x, array_type, dtype) and is_ready(mask, array_type, truth)):
        return -1
    size = size_of(x)
    if not is_ready(out, array_type, dtype) or size_of(mask) != size or size_of(out) != size:
        return -1
    place = data_of(table)
    put_word(place + 8 * _X, data_of(x))
    put_word(place + 8 * _MASK, data_of(mask))
    put_word(place + 8 * _OUT, data_of(out))
    put_word(place + 8 * _SCALE, scale)
    return _run_parts(code, place, size, fork)


@compiled()
def _product_part(table: Any, part: int) -> None:
    place, begin = place_of_values(table), part * _PART
    x = values_from(values_at(table, word_at(place + 8 * _X)), begin)
    out = values_from(values_at(table, word_at(place + 8 * _OUT)), begin)
    mask = bytes_at(word_at(place + 8 * _MASK) + begin)
    zero = like(x[0], 0.0)
    scale = like(zero, number_at(place + 8 * _SCALE))
    for k in range(min(_PART, word_at(place + 8 * _SIZE) - begin)):
        out[k] = x[k] * choose(mask[k] != 0, scale, zero)


_PRODUCT = Addresses(_product_part, signature=lambda values: types.void(values, types.intp))
