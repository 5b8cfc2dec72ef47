"""One driver for every product with fixed weights: convolutions, their adjoint, affine maps.

All of them are a correlation of images with a packed filter::

    out[n,i,j,o] = start[o] + Σ_u,v,c  x[n, r(i,u), q(j,v), c] · w[o,c,u,v]

where r and q step regularly with the taps
(:mod:`~tinygrad_cnn.kernels.cpu.taps`), and taps that lie outside of the image are left
out. An affine map is the case of one-pixel images and a one-pixel filter. With groups,
channels c of group g meet output channels o of group g only: as many such correlations lie
side by side in the channels of `x` and of `out`.

Nothing is copied but the filter. Output pixels are sorted by the taps that they meet
(inside, left edge, corner, ...), and a register tile takes pixels of one kind, wherever
they lie: a table says where each of them reads and where it writes. So padding costs
nothing: neither a copy of the image nor multiplications by zero.

The work is cut into blocks of output pixels: some rows of one image, or several small
images, so few that their input stays in the second-level cache while one panel of filters
after the other is applied to them. A block writes its own part of `out` and each value is
one sum in one order, so the result does not depend on how many threads share the blocks.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from tinygrad_cnn.kernels.cpu.memory import (
    LINE_BYTES,
    address,
    aligned,
    plan_array,
    read_fields,
    read_only,
)
from tinygrad_cnn.kernels.cpu.packing import Filter, Packing, pack_panel, pack_places
from tinygrad_cnn.kernels.cpu.taps import Axis, kinds
from tinygrad_cnn.kernels.cpu.tile import best_width, multiply_tile
from tinygrad_cnn.kernels.cpu.vectors import TILE_ROWS, lanes
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

# Tuned by measurement, never by the number of threads.
_BLOCK_VALUES = 48 * 1024  # input values under a block: about 200 KB of float32
_BLOCK_PIXELS = 512  # output pixels of a block, at most
_SMALL = 128  # pixels of an image so small that blocks hold as many images as a tile has rows
_TASKS = 16  # fewer blocks than this are cut by panels too
_FORK = 4_000_000  # multiply-adds below which a fork could gain less than 0.05 ms
_FORK_PACKING = 256 * 1024  # values of a filter below which one thread packs it


class Pixels(NamedTuple):
    """Where the pixels of images lie in an array: values from one to the next."""

    images: int
    height: int
    width: int
    image: int
    row: int
    column: int


class Product(NamedTuple):
    """A correlation, as :func:`correlation_plan` takes it."""

    source: Pixels
    target: Pixels
    down: Axis
    across: Axis
    groups: int
    channels: int  # of one group, summed over ...
    channel_step: int  # ... and so far apart in the source
    filters: Filter
    rectified: bool = False  # whether negative results become zero


class BlockPlan(NamedTuple):
    """All that :func:`_multiply_block` has to know beside the arrays: plain integers."""

    # the work: tasks are numbered by block, then by group of channels, then by set of panels
    tasks: int
    fork: int  # whether threads share them
    packing_tasks: int
    packing_fork: int
    packed_values: int
    rectified: int
    # a block: some rows of one output image, or several small images
    image_blocks: int
    image_step: int
    bands: int  # blocks in an image
    # groups of channels
    groups: int
    source_group: int  # values from a group to the next, in a pixel of the source
    # the arrays
    source_image: int
    target_image: int
    # the sum under a pixel: steps in the source, and in a panel
    source_down: int
    source_across: int
    source_channel: int
    packed_down: int
    packed_across: int
    # tiles; a panel is as many output channels as a tile has columns
    width: int
    lanes: int
    columns: int
    panels: int
    panel_values: int
    panel_sets: int
    panel_step: int  # panels in a set
    # where the tables lie in the plan
    ranges: int
    tiles: int
    places: int
    steps: int


_FIELDS = len(BlockPlan._fields)
_HEAD = 4  # of a tile: taps down, runs across, values in a run, where they begin in a panel
_RECORD = _HEAD + 2 * TILE_ROWS  # then where its pixels read, and where they write


def correlation_plan(product: Product, dtype: npt.DTypeLike) -> Array:
    """Return what :func:`correlate` runs by: a :class:`BlockPlan`, a Packing and tables.

    The tables are, for the usual number of images in a block and for the last block's, and
    for each band of rows: the first tile and the last; then the tiles; then those of the
    packing.
    """
    source, target, filters = product.source, product.target, product.filters
    width = best_width(filters.columns, dtype)
    panels = -(-filters.columns // width)
    taps = len(product.down.order) * len(product.across.order)
    depth = taps * product.channels

    image_step, row_step = _block(product)
    image_blocks = -(-target.images // image_step)
    bands = -(-target.height // row_step)
    empty = not (target.images * target.height * target.width * panels)
    blocks = 0 if empty else image_blocks * bands
    panel_sets = min(panels, max(1, -(-_TASKS // max(1, blocks * product.groups))))
    panel_step = -(-panels // max(1, panel_sets))
    panel_sets = -(-panels // max(1, panel_step))

    last = target.images - (image_blocks - 1) * image_step
    ranges: list[int] = []
    tiles: list[Array] = []
    count = 0
    for images in () if empty else (image_step, last):
        for row in range(0, target.height, row_step):
            ranges.append(count)
            for each in _tiles(product, images, row, row + row_step, width):
                tiles.append(each)
                count += len(each)
            ranges.append(count)
    packing = Packing(
        *filters,
        lanes=lanes(dtype),
        width=width,
        panels=panels,
        panel_values=depth * width,
        packed_run=width,
    )
    run_channels = filters.run_length // max(1, taps)
    places = pack_places(
        product.down.order, product.across.order, product.channels, run_channels, width
    )
    packing_tasks = product.groups * panels if depth else 0
    sweeps = sum(int(each[:, :3].prod(axis=1).sum()) for each in tiles) // 2
    work = image_blocks * sweeps * TILE_ROWS * panels * width * product.groups
    at = _FIELDS + len(Packing._fields)
    plan = BlockPlan(
        tasks=blocks * product.groups * panel_sets,
        fork=int(work > _FORK),
        packing_tasks=packing_tasks,
        packing_fork=int(packing_tasks * depth * width > _FORK_PACKING and work > _FORK),
        packed_values=product.groups * panels * depth * width,
        rectified=int(product.rectified),
        image_blocks=image_blocks,
        image_step=image_step,
        bands=bands,
        groups=product.groups,
        source_group=product.channels,
        source_image=source.image,
        target_image=target.image,
        source_down=product.down.move * source.row,
        source_across=product.across.move * source.column,
        source_channel=product.channel_step,
        packed_down=len(product.across.order) * product.channels * width,
        packed_across=product.channels * width,
        width=width,
        lanes=lanes(dtype),
        columns=filters.columns,
        panels=panels,
        panel_values=depth * width,
        panel_sets=panel_sets,
        panel_step=panel_step,
        ranges=at,
        tiles=at + len(ranges),
        places=at + len(ranges) + count * _RECORD,
        steps=at + len(ranges) + count * _RECORD + len(places),
    )
    return plan_array(plan, packing, ranges, *tiles, places, np.arange(width) * filters.column_step)


def _block(product: Product) -> tuple[int, int]:
    """Return how many images and how many rows of output a block has."""
    source, target = product.source, product.target
    pixels = max(1, target.height * target.width)
    values = max(1, source.height * source.width * product.channels)
    rows = min(_BLOCK_VALUES * target.height // values, _BLOCK_PIXELS // max(1, target.width))
    rows = max(1, min(rows, target.height))
    bands = -(-max(1, target.height) // rows)
    rows = -(-target.height // bands)  # bands of nearly equal size
    images = 1
    if bands == 1:
        images = min(_BLOCK_VALUES // values, _BLOCK_PIXELS // pixels, -(-target.images // _TASKS))
        if pixels <= _SMALL:  # its kinds have few pixels each: several images fill their tiles
            images = -(-max(1, images) // TILE_ROWS) * TILE_ROWS
        images = max(1, min(images, target.images))
        images = -(-target.images // -(-target.images // images)) if pixels > _SMALL else images
    return images, max(1, rows)


def _tiles(product: Product, images: int, begin: int, end: int, width: int) -> Iterator[Array]:
    """Yield the tiles of some rows of some images, an array of records for each kind."""
    source, target, down, across = product[:4]
    connected = across.move == product.channel_step == 1 and source.column == product.channels
    for u in kinds(down, begin, end):
        for v in kinds(across):
            runs, run = (1, v.taps * product.channels) if connected else (v.taps, product.channels)
            tap = u.first * len(across.order) + v.first
            head = (u.taps, runs, run, tap * product.channels * width)
            reads = _places(source, images, down.start[u.pixels], across.start[v.pixels])
            if not (u.taps and v.taps):
                head, reads = (0, 0, 0, 0), np.zeros_like(reads)
            writes = _places(target, images, u.pixels, v.pixels)
            spare = (0, -len(reads) % TILE_ROWS)  # the last tile repeats its last pixel
            table = [
                np.pad(each, spare, mode="edge").reshape(-1, TILE_ROWS) for each in (reads, writes)
            ]
            yield np.hstack([np.broadcast_to(head, (len(table[0]), _HEAD)), *table])


def _places(pixels: Pixels, images: int, rows: Array, columns: Array) -> Array:
    image = np.arange(images)[:, None, None] * pixels.image
    return (image + rows[:, None] * pixels.row + columns * pixels.column).reshape(-1)


def correlate(plan: Array, x: Array, weight: Array, bias: Array, out: Array) -> None:
    """Fill `out` by a plan of :func:`correlation_plan`; `bias` may be empty."""
    _correlate(plan, read_only(x), read_only(weight), read_only(bias), out.reshape(-1))


@compiled()
def _correlate(table: Array, x: Array, weight: Array, bias: Array, out: Array) -> None:
    plan = read_fields(BlockPlan, table, 0)
    padded = plan.panels * plan.width
    # What sums start from; the last value is the one that none falls below.
    start = np.zeros(plan.groups * padded + 1, out.dtype)
    if bias.size:
        for group in range(plan.groups):
            for o in range(plan.columns):
                start[group * padded + o] = bias[group * plan.columns + o]
    if not plan.rectified:
        start[-1] = -np.inf
    packed = aligned(np.empty(plan.packed_values + LINE_BYTES, out.dtype))
    _share(True, plan.packing_fork, plan.packing_tasks, table, x, weight, packed, start, out)
    _share(False, plan.fork, plan.tasks, table, x, weight, packed, start, out)


@compiled(parallel=True)
def _share(
    packing: bool,
    fork: int,
    tasks: int,
    table: Array,
    x: Array,
    weight: Array,
    packed: Array,
    start: Array,
    out: Array,
) -> None:
    """Run all tasks of one of the two phases; both here, since parallel code compiles slowly."""
    if fork:
        for task in numba.prange(tasks):
            _one_task(packing, np.intp(task), table, x, weight, packed, start, out)
    else:
        for task in range(tasks):
            _one_task(packing, task, table, x, weight, packed, start, out)


@compiled()
def _one_task(
    packing: bool,
    task: int,
    table: Array,
    x: Array,
    weight: Array,
    packed: Array,
    start: Array,
    out: Array,
) -> None:
    plan = read_fields(BlockPlan, table, 0)
    if packing:
        places = table[plan.places : plan.steps]
        pack_panel(
            task,
            read_fields(Packing, table, len(plan)),
            weight,
            places,
            table[plan.steps :],
            packed,
        )
    else:
        _multiply_block(task, plan, table, x, packed, start, out)


@compiled()
def _multiply_block(
    task: int, plan: BlockPlan, table: Array, x: Array, packed: Array, start: Array, out: Array
) -> None:
    """Compute one set of panels of one group of channels of one block of output pixels."""
    block, panels = task // plan.panel_sets, task % plan.panel_sets
    block, group = block // plan.groups, block % plan.groups
    image, band = block // plan.bands, block % plan.bands
    ranges = plan.ranges + 2 * band
    if image == plan.image_blocks - 1:
        ranges += 2 * plan.bands  # the last block may have fewer images
    image *= plan.image_step
    a = address(x, image * plan.source_image + group * plan.source_group)
    a_strides = (plan.source_down, plan.source_across, plan.source_channel)
    b_strides = (plan.packed_down, plan.packed_across, plan.width)
    place = image * plan.target_image + group * plan.columns
    for panel in range(panels * plan.panel_step, min((panels + 1) * plan.panel_step, plan.panels)):
        column = panel * plan.width
        at = (group * plan.panels + panel) * plan.panel_values
        begin = address(start, (group * plan.panels + panel) * plan.width)
        for tile in range(table[ranges], table[ranges + 1]):
            head = plan.tiles + tile * _RECORD
            counts = (table[head], table[head + 1], table[head + 2])
            multiply_tile(
                plan.width, plan.lanes, counts,
                a, address(table, head + _HEAD), a_strides,
                address(packed, at + table[head + 3]), b_strides,
                begin, np.intp(0), start[-1],
                address(out, place + column), address(table, head + _HEAD + TILE_ROWS),
                plan.columns - column,
            )  # fmt: skip
