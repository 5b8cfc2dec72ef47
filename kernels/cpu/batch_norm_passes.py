"""The passes over memory that batch normalisation consists of: sums, and maps of each value.

Several pixels lie side by side in one *run* of lanes, so that few channels fill vectors too:
lane k belongs to channel k mod C. Runs are cut into *strips* of one vector; a strip keeps its
factors, or its sums, in registers while it goes down the runs of a *block*. Blocks are dealt to
*slots*, which threads share; sums of slots are added up in order. All of these are fixed by the
shape and the width of vectors, so the result is the same for every number of threads.

The variance comes from one pass over the deviations from a *shift*: in the first block of a slot
the mean of its first run, then the mean of that block. Were the shift far from the mean of what
follows, the slot's variance would be large: digits are lost only where there are many.

The maps go through the slots from the last to the first: what the sums read last is still in
the cache.
"""

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.instructions.simd import (
    first,
    lanes,
    load,
    load_masked,
    multiply_add,
    select,
    spread,
    store,
    store_masked,
)
from tinygrad_cnn.kernels.cpu.loops.memory import address
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

# What the passes compute: statistics, or with an error signal, or one that a rectifier cut.
STATISTICS, PLAIN, RECTIFIED = range(3)

# Tuned by measurement, never by the number of threads.
_LANES = 64  # values in a run, at most, where a pixel has fewer
_BLOCK_VALUES = 32 * 1024  # values in a block, about ...
_BLOCK_RUNS = 64  # ... and runs, at least
_PARTIAL_RUNS = 32  # runs that are added up before their sum is added to that of the block
_SLOTS = 32  # slots, at most
_FORK = 100_000  # values below which a fork could gain less than 0.05 ms

Deal = tuple[int, int, int, int, int]


def forks(x: Array) -> bool:
    """Tell whether threads share the slots."""
    return x.size > _FORK


@compiled()
def plan(x: Array, channels: int) -> Deal:
    """Return values in a run and in a block, blocks, slots, and blocks in a slot."""
    width, most = channels, max(_LANES, lanes(address(x, 0)))
    while 2 * width <= most:
        width *= 2
    block = max(_BLOCK_RUNS, _BLOCK_VALUES // width) * width
    blocks = (x.size + block - 1) // block
    slot_blocks = (blocks + _SLOTS - 1) // _SLOTS
    return width, block, blocks, (blocks + slot_blocks - 1) // slot_blocks, slot_blocks


@compiled()
def lane_rows(like: Array, width: int) -> int:
    """Return the length of a row of factors: a run, and lanes up to a whole vector."""
    step = lanes(address(like, 0))
    return (width + step - 1) // step * step


@compiled()
def spread_channels(table: Array, padded: int, channels: int, width: int) -> None:
    """Copy the first lanes of each row, one for each channel, to the lanes behind them."""
    for row in range(0, table.size, padded):
        for k in range(channels, width):
            table[row + k] = table[row + k - channels]
        for k in range(width, padded):
            table[row + k] = 0


# -- sums ----------------------------------------------------------------------------


@compiled(parallel=True)
def sums(
    mode: int, fork: bool, deal: Deal, x: Array, grad: Array, a: Array, mean: Array,
    first_sums: Array, second_sums: Array,
) -> None:  # fmt: skip
    """Fill two numbers for each slot and channel, slots first.

    For statistics the mean and the squared deviations from it, else the sum of error signals
    times deviations from the mean, and the sum of error signals.
    """
    if fork:
        for slot in numba.prange(deal[3]):
            _sum_slot(np.intp(slot), mode, deal, x, grad, a, mean, first_sums, second_sums)
    else:
        for slot in range(deal[3]):
            _sum_slot(slot, mode, deal, x, grad, a, mean, first_sums, second_sums)


@compiled()
def _sum_slot(
    slot: int, mode: int, deal: Deal, x: Array, grad: Array, a: Array, mean: Array,
    first_sums: Array, second_sums: Array,
) -> None:  # fmt: skip
    width, size, blocks, slots, slot_blocks = deal
    channels = first_sums.size // slots
    padded = lane_rows(x, width)
    table = np.empty(3 * padded, x.dtype)  # shift, and the sums of a block by lanes
    low, high = np.empty(channels), np.empty(channels)  # and by channels
    firsts = first_sums[slot * channels : (slot + 1) * channels]
    seconds = second_sums[slot * channels : (slot + 1) * channels]
    for c in range(channels):
        firsts[c] = seconds[c] = 0.0
        table[c] = mean[c]  # which statistics do not have yet
    start = slot * slot_blocks
    for block in range(start, min(blocks, start + slot_blocks)):
        begin, end = block * size, min(x.size, (block + 1) * size)
        if mode == STATISTICS:
            if block == start:
                _mean_of_run(x, begin, min(end, begin + width), table, channels)
            elif block == start + 1:
                for c in range(channels):
                    table[c] = firsts[c]
        if block <= start + 1:
            spread_channels(table[:padded], padded, channels, width)
        for k in range(padded, table.size):
            table[k] = 0
        at, runs, used = begin, (end - begin) // width, width
        for _ in range(2):  # whole runs, then what is left of one
            if mode == STATISTICS:
                _add_deviations(x, at, runs, used, width, table, padded)
            else:
                _add_products(x, grad, a, at, runs, used, width, mode == RECTIFIED, table, padded)
            at += runs * width
            runs, used = 1, end - at
        _fold(table[padded : padded + width], low)
        _fold(table[2 * padded : 2 * padded + width], high)
        if mode == STATISTICS:
            before, count = (begin - start * size) // channels, (end - begin) // channels
            _join(before, count, table, low, high, firsts, seconds)
        else:
            for c in range(channels):
                firsts[c] += low[c]
                seconds[c] += high[c]


@compiled()
def _mean_of_run(x: Array, begin: int, end: int, shift: Array, channels: int) -> None:
    pixels = (end - begin) // channels
    for c in range(channels):
        total = 0.0
        for k in range(begin + c, end, channels):
            total += x[k]
        shift[c] = total / pixels


@compiled()
def _fold(by_lane: Array, totals: Array) -> None:
    """Add up the lanes of each channel, exactly: about a distant shift their sums are large."""
    totals[:] = 0
    for pixel in range(0, by_lane.size, totals.size):
        for c in range(totals.size):
            totals[c] += by_lane[pixel + c]


@compiled()
def _join(
    before: int, count: int, shift: Array, totals: Array, powers: Array, means: Array,
    squares: Array,
) -> None:  # fmt: skip
    """Join the sums of a block to the mean and the squared deviations of `before` pixels."""
    share, inverse = count / (before + count), 1.0 / count
    for c in range(means.size):
        total = totals[c]
        deviation = powers[c] - total * total * inverse
        deviation = 0.0 if deviation < 0 else deviation  # by rounding, where all are equal
        distance = shift[c] + total * inverse - means[c]
        means[c] += distance * share
        squares[c] += deviation + distance * distance * (before * share)


@compiled()
def _add_deviations(
    x: Array, begin: int, runs: int, used: int, width: int, table: Array, padded: int
) -> None:
    """Add up deviations from the shift and their squares, over the `used` lanes of some runs."""
    values, rows = address(x, begin), address(table, 0)
    zeros = spread(values, 0)
    for strip in range(0, used, lanes(values)):
        shift, inside = load(rows, strip), first(values, used - strip)
        totals, squares = load(rows, padded + strip), load(rows, 2 * padded + strip)
        for part in range(0, runs, _PARTIAL_RUNS):
            total = square = zeros
            for run in range(part, min(runs, part + _PARTIAL_RUNS)):
                deviation = load_masked(values, run * width + strip, inside) - shift
                deviation = select(inside, deviation, zeros)
                total = total + deviation
                square = multiply_add(deviation, deviation, square)
            totals, squares = totals + total, squares + square
        store(totals, rows, padded + strip)
        store(squares, rows, 2 * padded + strip)


@compiled()
def _add_products(
    x: Array, grad: Array, a: Array, begin: int, runs: int, used: int, width: int,
    rectified: bool, table: Array, padded: int,
) -> None:  # fmt: skip
    """Add up error signals times deviations from the shift, and error signals."""
    values, signals, signs = address(x, begin), address(grad, begin), address(a, begin)
    rows, zeros = address(table, 0), spread(values, 0)
    for strip in range(0, used, lanes(values)):
        shift, inside = load(rows, strip), first(values, used - strip)
        products, totals = load(rows, padded + strip), load(rows, 2 * padded + strip)
        for part in range(0, runs, _PARTIAL_RUNS):
            product = total = zeros
            for run in range(part, min(runs, part + _PARTIAL_RUNS)):
                at = run * width + strip
                signal = load_masked(signals, at, inside)
                if rectified:
                    signal = select(load_masked(signs, at, inside) <= zeros, zeros, signal)
                deviation = load_masked(values, at, inside) - shift
                product = multiply_add(signal, deviation, product)
                total = total + signal
            products, totals = products + product, totals + total
        store(products, rows, padded + strip)
        store(totals, rows, 2 * padded + strip)


# -- maps ----------------------------------------------------------------------------


@compiled(parallel=True)
def maps(
    mode: int, adjoint: bool, fork: bool, deal: Deal, x: Array, grad: Array, a: Array,
    table: Array, out: Array,
) -> None:  # fmt: skip
    """Fill out from rows of factors: mean m, scale s, summand b, and for the adjoint slope t.

    out = s (x - m) + b, forward; the adjoint is s grad + t (x - m) + b.
    """
    slots = deal[3]
    if fork:
        for slot in numba.prange(slots):
            _map_slot(slots - 1 - np.intp(slot), mode, adjoint, deal, x, grad, a, table, out)
    else:
        for slot in range(slots - 1, -1, -1):
            _map_slot(slot, mode, adjoint, deal, x, grad, a, table, out)


@compiled()
def _map_slot(
    slot: int, mode: int, adjoint: bool, deal: Deal, x: Array, grad: Array, a: Array,
    table: Array, out: Array,
) -> None:  # fmt: skip
    width, size, blocks, _, slot_blocks = deal
    rectified = mode == RECTIFIED
    for block in range(slot * slot_blocks, min(blocks, (slot + 1) * slot_blocks)):
        at, end = block * size, min(x.size, (block + 1) * size)
        runs, used = (end - at) // width, width
        for _ in range(2):  # whole runs, then what is left of one
            if adjoint:
                _incoming(x, grad, a, at, runs, used, width, rectified, table, out)
            else:
                _normalised(x, at, runs, used, width, rectified, table, out)
            at += runs * width
            runs, used = 1, end - at


@compiled()
def _normalised(
    x: Array, begin: int, runs: int, used: int, width: int, rectified: bool, table: Array,
    out: Array,
) -> None:  # fmt: skip
    values, target, rows = address(x, begin), address(out, begin), address(table, 0)
    padded, zeros = table.size // 3, spread(values, 0)
    for strip in range(0, used, lanes(values)):
        inside = first(values, used - strip)
        mean, scale = load(rows, strip), load(rows, padded + strip)
        summand = load(rows, 2 * padded + strip)
        for run in range(runs):
            at = run * width + strip
            deviation = load_masked(values, at, inside) - mean
            value = multiply_add(deviation, scale, summand)
            if rectified:
                value = select(value <= zeros, zeros, value)
            store_masked(value, target, at, inside)


@compiled()
def _incoming(
    x: Array, grad: Array, a: Array, begin: int, runs: int, used: int, width: int,
    rectified: bool, table: Array, out: Array,
) -> None:  # fmt: skip
    values, signals, signs = address(x, begin), address(grad, begin), address(a, begin)
    target, rows = address(out, begin), address(table, 0)
    padded, zeros = table.size // 4, spread(values, 0)
    for strip in range(0, used, lanes(values)):
        inside = first(values, used - strip)
        mean, scale = load(rows, strip), load(rows, padded + strip)
        summand, slope = load(rows, 2 * padded + strip), load(rows, 3 * padded + strip)
        for run in range(runs):
            at = run * width + strip
            signal = load_masked(signals, at, inside)
            if rectified:
                signal = select(load_masked(signs, at, inside) <= zeros, zeros, signal)
            deviation = load_masked(values, at, inside) - mean
            value = multiply_add(deviation, slope, summand)
            store_masked(multiply_add(signal, scale, value), target, at, inside)
