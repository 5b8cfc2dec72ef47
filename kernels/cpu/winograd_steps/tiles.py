"""Winograd's convolution, block by block of tiles: what runs between image and result.

The result is cut into tiles of 4x4 pixels, each of which sees a piece of 6x6 pixels. A task
takes blocks of some tiles through three steps, whose scratch stays in the cache::

    pieces of x ──transform──▶ V ──┐
                                   ├─ 36 matrix products ──▶ M ──transform──▶ + bias ──▶ out
    filters ─────transform───▶ U ──┘

(:mod:`~tinygrad_cnn.kernels.cpu.winograd_steps.product` says how V, U and M lie in memory.) The
filters are transformed once, before, by tasks of their own. Pieces that reach beyond the
image are read with zeros there, so nothing is copied and padded; a tile that reaches beyond
the result is not written there.

While the processor multiplies, its memory would have nothing to do. So the lines that a block
is going to write, and those that the next block reads, are fetched between the products.
"""

from typing import NamedTuple

import numpy as np

from tinygrad_cnn.kernels.cpu.instructions.transpose import transpose_square
from tinygrad_cnn.kernels.cpu.instructions.vectors import TILE_ROWS, lanes
from tinygrad_cnn.kernels.cpu.loops.memory import LINE_BYTES, address, clear_run
from tinygrad_cnn.kernels.cpu.winograd_steps.matrices import POINTS_OF_4, matrices
from tinygrad_cnn.kernels.cpu.winograd_steps.product import (
    fetch_to_read,
    fetch_to_write,
    make_product,
)
from tinygrad_cnn.kernels.cpu.winograd_steps.transforms import (
    make_filter_transform,
    make_piece_transform,
    make_result_transform,
)
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

SIZE = 4  # of a tile
REACH = SIZE + 2  # of the piece that it sees
POSITIONS = REACH * REACH
LANES = lanes(np.float32)
ROWS = TILE_ROWS  # tiles in a group
_CELL = ROWS * LANES  # values of a group at one position
_STACK = POSITIONS * _CELL  # ... at all of them
SQUARE = LANES * LANES
_LINE = LINE_BYTES // 4

RESULT, FILTER, PIECE = matrices(SIZE, 3, POINTS_OF_4)
_transform_piece = make_piece_transform(PIECE, _CELL)
_transform_filter = make_filter_transform(FILTER)
_transform_result = make_result_transform(RESULT, _CELL)
_multiply_one = make_product(POSITIONS, 1)
_multiply_two = make_product(POSITIONS, 2)


class Plan(NamedTuple):
    """All that the tasks have to know beside the arrays: plain integers."""

    # the images
    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    filters: int
    top: int  # rows of padding, which may be negative
    left: int
    channel_vectors: int
    filter_vectors: int
    # how far apart the taps of neighbouring filters lie, and those of neighbouring channels
    weight_filter: int
    weight_channel: int
    # the tiles
    down: int
    across: int
    tiles: int
    block: int  # tiles of a block
    # the tasks: tasks are numbered by blocks, then by set of vectors of filters
    filter_fork: int  # whether threads share the transforms of the filters ...
    fork: int  # ... and the blocks
    tasks: int
    blocks_each: int
    blocks: int
    sets: int
    set_vectors: int
    # scratch: filters, then what sums start from, then a row of zeros; then the floor
    position_values: int  # filters at one position
    start: int
    zeros: int
    scratch_values: int


# Behind the fields of a plan there are two tables: the first multiples of weight_filter, and
# where each tap of a filter goes.
STEPS = len(Plan._fields)
TAPS = STEPS + LANES


@compiled()
def transform_filters(
    vector: int, plan: Plan, table: Array, weight: Array, values: Array, scratch: Array
) -> None:
    """Transform a vector of filters, first turned so that they lie side by side."""
    filters = min(LANES, plan.filters - vector * LANES)
    for block in range(plan.channel_vectors):
        channels = min(LANES, plan.channels - block * LANES)
        if filters < LANES or channels < LANES:
            values[:] = 0
        for c in range(channels):
            at = vector * LANES * plan.weight_filter
            at += (block * LANES + c) * plan.weight_channel
            for k in range(0, 9, LANES):
                transpose_square(
                    address(weight, at + k),
                    address(table, STEPS),
                    filters,
                    min(LANES, 9 - k),
                    address(values, c * LANES),
                    address(table, TAPS + k),
                )
        row = (vector * plan.channel_vectors + block) * LANES
        for c in range(LANES):
            source = address(values, c * LANES)
            target = address(scratch, (row + c) * LANES)
            _transform_filter(source, 3 * SQUARE, SQUARE, target, plan.position_values)


@compiled()
def _place(tile: int, plan: Plan) -> tuple[int, int, int]:
    """Return image, row and column of a tile, the latter counted in tiles."""
    row, j = tile // plan.across, tile % plan.across
    return row // plan.down, row % plan.down, j


@compiled()
def _next(place: tuple[int, int, int], plan: Plan) -> tuple[int, int, int]:
    n, i, j = place
    if j + 1 < plan.across:
        return n, i, j + 1
    if i + 1 < plan.down:
        return n, i + 1, 0
    return n + 1, 0, 0


@compiled()
def transform_pieces(
    begin: int, tiles: int, plan: Plan, x: Array, scratch: Array, pieces: Array
) -> None:
    place = _place(begin, plan)
    zeros = address(scratch, plan.zeros)
    row = plan.width * plan.channels
    for t in range(tiles):
        n, i, j = place
        r, q = i * SIZE - plan.top, j * SIZE - plan.left
        rows = (-r, plan.height - r)
        columns = (-q, plan.width - q)
        at = ((n * plan.height + r) * plan.width + q) * plan.channels
        cell = t // ROWS * plan.channel_vectors * _STACK + t % ROWS * LANES
        for block in range(plan.channel_vectors):
            source = address(x, at + block * LANES)
            target = address(pieces, cell + block * _STACK)
            left = plan.channels - block * LANES
            _transform_piece(source, row, plan.channels, rows, columns, left, zeros, target)
        place = _next(place, plan)
    for t in range(tiles, -(-tiles // ROWS) * ROWS):  # the last group is multiplied as a whole
        cell = t // ROWS * plan.channel_vectors * _STACK + t % ROWS * LANES
        for k in range(plan.channel_vectors * POSITIONS):
            clear_run(address(pieces, cell + k * _CELL), LANES)


@compiled()
def multiply(
    begin: int,
    tiles: int,
    first: int,
    last: int,
    plan: Plan,
    x: Array,
    pieces: Array,
    scratch: Array,
    sums: Array,
    out: Array,
) -> None:
    """Multiply a block at all positions, by two vectors of filters at a time."""
    panel = plan.channel_vectors * SQUARE
    fetched, rows = 0, tiles * SIZE
    here, there = _place(begin, plan), _place(begin + plan.block, plan)
    for p in range(POSITIONS):
        while fetched * POSITIONS < p * rows:
            row = fetched % SIZE
            _fetch(here, there, row, plan, x, out)
            if row == SIZE - 1:
                here, there = _next(here, plan), _next(there, plan)
            fetched += 1
        for vector in range(first, last, 2):
            factors = address(scratch, p * plan.position_values + vector * panel)
            for group in range(-(-tiles // ROWS)):
                source = address(pieces, group * plan.channel_vectors * _STACK + p * _CELL)
                stack = group * plan.set_vectors + vector - first
                target = address(sums, stack * _STACK + p * _CELL)
                if vector + 1 < last:
                    _multiply_two(plan.channel_vectors, source, factors, panel, target)
                else:
                    _multiply_one(plan.channel_vectors, source, factors, panel, target)


@compiled()
def _fetch(
    here: tuple[int, int, int],
    there: tuple[int, int, int],
    row: int,
    plan: Plan,
    x: Array,
    out: Array,
) -> None:
    """Fetch a row of a tile that will be written, and of the middle of a piece to be read."""
    n, i, j = here
    at = (n * plan.out_height + i * SIZE + row) * plan.out_width + j * SIZE
    for k in range(0, SIZE * plan.filters, _LINE):
        fetch_to_write(address(out, at * plan.filters + k))
    n, i, j = there
    at = (n * plan.height + i * SIZE + row + 2 - plan.top) * plan.width + j * SIZE + 2 - plan.left
    for k in range(0, SIZE * plan.channels, _LINE):
        fetch_to_read(address(x, at * plan.channels + k))


@compiled()
def transform_results(
    begin: int,
    tiles: int,
    first: int,
    last: int,
    plan: Plan,
    sums: Array,
    scratch: Array,
    floor: float,
    out: Array,
) -> None:
    place = _place(begin, plan)
    row = plan.out_width * plan.filters
    for t in range(tiles):
        n, i, j = place
        rows, columns = plan.out_height - i * SIZE, plan.out_width - j * SIZE
        at = (n * plan.out_height + i * SIZE) * plan.out_width + j * SIZE
        cell = t // ROWS * plan.set_vectors * _STACK + t % ROWS * LANES
        for vector in range(first, last):
            _transform_result(
                address(sums, cell + (vector - first) * _STACK),
                address(scratch, plan.start + vector * LANES),
                floor,
                address(out, at * plan.filters + vector * LANES),
                row,
                plan.filters,
                rows,
                columns,
                plan.filters - vector * LANES,
            )
        place = _next(place, plan)
