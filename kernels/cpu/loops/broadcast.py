"""Runs a compiled loop over values on operands that broadcast to their result.

Operands nearly always have the shape of the result: then all of them are one long run, and
the loop is called once, or once for each part of 16,384 values where these are shared between
threads. Parts are the same for every number of threads, and multiples of a vector, so each
value is computed by the same instruction.

An operand that is spread (a number, one value for each channel, …) is written out in a small
buffer first, a block of values at a time, so that the loop itself always reads neighbouring
values. The block stays in the first-level cache, which costs far less than reading memory. A
number and a vector along the last axis repeat themselves: their buffer is filled once.

An operand that *is* the result, as in ``x += y``, goes through a buffer too. So a loop may
assume that what it writes is not what it reads.
"""

import numpy as np

from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import (
    axes_of,
    copy_bytes,
    data_of,
    dtype_of,
    is_array,
    is_ready,
    length_of,
    place_of,
    put_word,
    size_of,
    word_at,
)
from tinygrad_cnn.kernels.cpu.loops.tasks import Code, call_loop, run_tasks
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

DONE, DECLINED, UNEVEN, LARGE = range(4)

_PART = 16_384  # values of a task
_BLOCK = 1_024  # values of a buffer
_MOST_AXES = 8

# Words of the table that tells a task what to do.
_LOOP, _OUT, _ITEM, _SIZE, _AXES, _STEP = range(6)
_SHAPE = 6
_OPERANDS = _SHAPE + _MOST_AXES  # of each of three operands:
_PLACE, _PERIOD, _STRIDES, _WORDS = 0, 1, 2, 2 + _MOST_AXES
# Periods of another kind: as many values as the result; they lie where it will; as the first.
_EVEN, _ITSELF, _SAME = -1, -2, -3


@compiled()
def run(loop: int, x: int, y: int, z: int, out: int, array_type: int, fork: int) -> int:
    """Run a loop on operands of the size of `out`; else say why not.

    x to out are ids of arrays; a loop with fewer operands gets one of them again.
    """
    if loop == 0 or not is_array(out, array_type):
        return DECLINED
    dtype = dtype_of(out)
    for array in (x, y, z, out):
        if not is_ready(array, array_type, dtype):
            return DECLINED
    size, target = size_of(out), data_of(out)
    for operand in (x, y, z):
        if size_of(operand) != size or data_of(operand) == target:
            return UNEVEN
    if size > fork:
        return LARGE
    call_loop(loop, data_of(x), data_of(y), data_of(z), target, size)
    return DONE


def run_otherwise(loop: int, cost: int, x: Array, y: Array, z: Array, out: Array) -> bool:
    """Run a loop where `run` returned UNEVEN or LARGE; return whether this was possible."""
    table = np.empty(_OPERANDS + 3 * _WORDS, np.intp)
    parts = _prepare(
        loop, id(x), id(y), id(z), id(out), out.itemsize, id(table), tasks._FORK // cost
    )
    if parts > 0:
        run_tasks(_PART_CODE.address, table.ctypes.data, parts)
    return parts >= 0


@compiled()
def _prepare(loop: int, x: int, y: int, z: int, out: int, item: int, table: int, fork: int) -> int:
    """Run a small call and return 0, or return the number of parts of a large one, or -1."""
    place = data_of(table)
    if not _describe(loop, (x, y, z), out, item, place):
        return -1
    size = size_of(out)
    parts = (size + _PART - 1) // _PART
    if size > fork:
        return parts
    for k in range(parts):
        _part(place, k)
    return 0


@compiled()
def _describe(loop: int, operands: tuple[int, int, int], out: int, item: int, table: int) -> bool:
    """Fill the table of a call."""
    axes, size, target = axes_of(out), size_of(out), data_of(out)
    if axes > _MOST_AXES:
        return False
    step, whole = _PART, 1
    first = own = table + 8 * _OPERANDS
    for operand in operands:
        place, values = data_of(operand), size_of(operand)
        period = _measure(operand, out, own + 8 * _STRIDES)
        if values == size:  # one run; through a buffer if it is the result itself
            apart = abs(place - target)
            if 0 < apart < size * item:
                return False
            period = _EVEN if apart else _ITSELF
        elif target - values * item < place < target + size * item:
            return False  # a part of the result, which is written before all have read it
        if operand == operands[0] and own > first:
            period = _SAME
        if period not in (_EVEN, _SAME):
            step = min(step, _BLOCK)
            if period > step:
                period = 0
            elif period > 1 and whole == 1:
                whole = period  # a block holds whole periods, so that all begin alike
                step -= step % period
            elif period > 1 and whole % period:
                period = 0
        put_word(own + 8 * _PLACE, place)
        put_word(own + 8 * _PERIOD, period)
        own += 8 * _WORDS
    put_word(table + 8 * _LOOP, loop)
    put_word(table + 8 * _OUT, target)
    put_word(table + 8 * _ITEM, item)
    put_word(table + 8 * _SIZE, size)
    put_word(table + 8 * _AXES, axes)
    put_word(table + 8 * _STEP, step)
    for axis in range(axes):
        put_word(table + 8 * (_SHAPE + axis), length_of(out, axis))
    return True


@compiled()
def _measure(operand: int, out: int, strides: int) -> int:
    """Write the strides of an operand along the axes of `out`, 0 where it is spread.

    Return after how many values it repeats itself; 0 where it does not.
    """
    axes = axes_of(out)
    skipped = axes - axes_of(operand)
    period, stride, repeats = 1, 1, False
    for axis in range(axes - 1, -1, -1):
        length = length_of(operand, axis - skipped) if axis >= skipped else 1
        spread = length == 1 and length_of(out, axis) != 1
        if repeats and length != 1:
            period = 0  # it varies along an axis before one along which it is spread
        repeats = repeats or spread
        put_word(strides + 8 * axis, 0 if spread else stride)
        stride *= length
        period *= length
    return period


@compiled()
def _part(table: int, k: int) -> None:
    """Compute part k of the result."""
    values = 0 if word_at(table + 8 * _STEP) == _PART else 3 * _BLOCK + 8
    _run_blocks(table, k * _PART, np.empty(values, np.float64))


_PART_CODE = Code(_part)


@compiled()
def _run_blocks(table: int, first: int, memory: Array) -> None:
    """Compute a part that begins at `first`, block by block where operands need buffers."""
    buffers = place_of(memory)
    buffers += (-buffers) % 64
    loop, item = word_at(table + 8 * _LOOP), word_at(table + 8 * _ITEM)
    step, stop = word_at(table + 8 * _STEP), min(first + _PART, word_at(table + 8 * _SIZE))
    x = table + 8 * _OPERANDS
    y, z = x + 8 * _WORDS, x + 16 * _WORDS
    for start in range(first, stop, step):
        count, begins = min(step, stop - start), start == first
        one = _values(table, x, buffers, start, count, begins, 0)
        two = _values(table, y, buffers + 8 * _BLOCK, start, count, begins, one)
        three = _values(table, z, buffers + 16 * _BLOCK, start, count, begins, one)
        call_loop(loop, one, two, three, word_at(table + 8 * _OUT) + start * item, count)


@compiled()
def _values(
    table: int, own: int, buffer: int, start: int, count: int, begins: bool, first: int
) -> int:
    """Return where the values of an operand that belong to out[start:start+count] lie.

    Those of the first operand lie at `first`.
    """
    item, period = word_at(table + 8 * _ITEM), word_at(own + 8 * _PERIOD)
    if period == _SAME:
        return first
    if period == _EVEN:
        return word_at(own + 8 * _PLACE) + start * item
    if period == _ITSELF:
        copy_bytes(buffer, word_at(own + 8 * _PLACE) + start * item, count * item)
    elif period == 0:
        _spread(table, own, buffer, start, count)
    elif begins:
        _spread(table, own, buffer, start, min(period, count))
        _repeat(buffer, period * item, count * item)
    return buffer


@compiled()
def _spread(table: int, own: int, target: int, start: int, count: int) -> None:
    """Write values of an operand one by one, run by run along the last axis."""
    axes, item = word_at(table + 8 * _AXES), word_at(table + 8 * _ITEM)
    place = word_at(own + 8 * _PLACE)
    if axes == 0:
        copy_bytes(target, place, item)
        return
    last = axes - 1
    length, stride = word_at(table + 8 * (_SHAPE + last)), word_at(own + 8 * (_STRIDES + last))
    stop = start + count
    while start < stop:
        rest = start // length
        within = start - rest * length
        run = min(length - within, stop - start)
        offset = within * stride
        for axis in range(last - 1, -1, -1):
            above = rest // word_at(table + 8 * (_SHAPE + axis))
            index = rest - above * word_at(table + 8 * (_SHAPE + axis))
            offset += index * word_at(own + 8 * (_STRIDES + axis))
            rest = above
        if stride:
            copy_bytes(target, place + offset * item, run * item)
        else:
            copy_bytes(target, place + offset * item, item)
            _repeat(target, item, run * item)
        target += run * item
        start += run


@compiled()
def _repeat(target: int, filled: int, size: int) -> None:
    """Repeat the first bytes at an address until there are `size` of them."""
    while filled < size:
        count = min(filled, size - filled)
        copy_bytes(target + filled, target, count)
        filled += count
