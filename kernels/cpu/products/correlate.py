"""One driver for every product with fixed weights: convolutions, their adjoint, affine maps.

All of them are a correlation of images with a packed filter::

    out[n,i,j,o] = start[o] + Σ_u,v,c  x[n, r(i,u), q(j,v), c] · w[o,c,u,v]

where r and q step regularly with the taps
(:mod:`~tinygrad_cnn.kernels.cpu.products.taps`), and taps that lie outside of the image are left
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

from tinygrad_cnn.kernels.buffer_pool import empty
from tinygrad_cnn.kernels.cpu.instructions.vectors import TILE_ROWS, lanes
from tinygrad_cnn.kernels.cpu.loops.memory import (
    LINE_BYTES,
    address,
    aligned,
    plan_array,
    read_fields,
    read_only,
)
from tinygrad_cnn.kernels.cpu.products.packing import (
    NOTHING,
    Filter,
    Packing,
    pack_panel,
    pack_places,
)
from tinygrad_cnn.kernels.cpu.products.taps import Axis, Pixels, kinds
from tinygrad_cnn.kernels.cpu.products.tile import best_width, multiply_tile
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

# Tuned by measurement, never by the number of threads.
_BLOCK_VALUES = 48 * 1024  # input values under a block: about 200 KB of float32
_BLOCK_PIXELS = 512  # output pixels of a block, at most
_SMALL = 128  # pixels of an image so small that blocks hold as many images as a tile has rows
_CACHED_VALUES = 6 * 1024  # values in panels that stay in the first-level cache
_TASKS = 16  # fewer blocks than this are cut by panels too
_FORK = 800_000  # multiply-adds that take one thread about 20 µs
_FORK_PACKING = 32 * 1024  # values of a filter that one thread packs in about 10 µs
_LARGE_FILTER = 16 * 1024  # values of a filter that is packed in memory from the pool


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
    packs: int  # whether a task packs its panels itself, one after the other in one place
    panels_inside: int  # whether each tile meets all panels before the next one does
    # where the tables lie in the plan
    ranges: int
    tiles: int
    zeros: int  # as many as a tile has rows
    places: int
    steps: int


_FIELDS = len(BlockPlan._fields)
_PACKED_VALUES = BlockPlan._fields.index("packed_values")
_HEAD = 4  # of a tile: taps down, runs across, values in a run, where they begin in a panel
_RECORD = _HEAD + 2 * TILE_ROWS  # then where its pixels read, and where they write


def correlation_plan(product: Product, dtype: npt.DTypeLike) -> Array:
    """Return what :func:`correlate` runs by: a :class:`BlockPlan`, a Packing and tables.

    The tables are, for the usual number of images in a block and for the last block's, and
    for each band of rows: the first tile, the end, and where the band begins in the source
    and in the target; then the tiles, which bands that are alike share; then what packing
    needs.
    """
    source, target, filters = product.source, product.target, product.filters
    width = best_width(filters.columns, dtype)
    panels = -(-filters.columns // width)
    taps = len(product.down.order) * len(product.across.order)
    depth = taps * product.channels

    image_step, row_step = _block(product, panels, depth * width)
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
    for images in () if empty else (image_step, last):
        known: dict[tuple[bytes, ...], tuple[int, int]] = {}
        for row in range(0, target.height, row_step):
            first, met, start = (each[row : row + row_step] for each in product.down[:3])
            alike = (first.tobytes(), met.tobytes(), (start - start[0]).tobytes())
            if alike not in known:
                begin = sum(map(len, tiles))
                tiles += _tiles(product, images, row, row + row_step, width)
                known[alike] = begin, sum(map(len, tiles))
            ranges += [*known[alike], int(start[0]) * source.row, row * target.row]
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
    inside = depth * width * panel_step < _CACHED_VALUES
    packs = blocks == 1 and depth > 0 and not inside
    packing_tasks = product.groups * panels if depth and not packs else 0
    met_in_all = int(product.down.taps.sum()) * int(product.across.taps.sum())
    work = target.images * met_in_all * product.channels * panels * width * product.groups
    count = sum(map(len, tiles))
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
        packs=int(packs),
        panels_inside=int(inside),
        ranges=at,
        tiles=at + len(ranges),
        zeros=at + len(ranges) + count * _RECORD,
        places=at + len(ranges) + count * _RECORD + TILE_ROWS,
        steps=at + len(ranges) + count * _RECORD + TILE_ROWS + len(places),
    )
    zeros, steps = np.zeros(TILE_ROWS), np.arange(width) * filters.column_step
    return plan_array(plan, packing, ranges, *tiles, zeros, places, steps)


def _block(product: Product, panels: int, panel_values: int) -> tuple[int, int]:
    """Return how many images and how many rows of output a block has.

    The larger a panel, the more pixels have to share the trouble of reading it.
    """
    source, target = product.source, product.target
    pixels = max(1, target.height * target.width)
    values = max(1, source.height * source.width * product.channels)
    fits = max(_BLOCK_VALUES, panel_values // 2)
    blocks = -(-_TASKS // max(1, 2 * panels * product.groups))  # at least, for want of panels
    images = max(1, min(fits // values, _BLOCK_PIXELS // pixels, target.images // blocks))
    if pixels <= _SMALL:  # its kinds have few pixels each: several images fill their tiles
        images = max(TILE_ROWS, images // TILE_ROWS * TILE_ROWS)
        return max(1, min(images, target.images)), max(1, target.height)
    rows = min(fits * target.height // values, _BLOCK_PIXELS // target.width)
    rows = max(1, min(rows, target.height))
    rows = -(-target.height // -(-target.height // rows))  # bands of nearly equal size
    if rows < target.height:
        return 1, rows
    return max(1, -(-target.images // -(-target.images // images))), rows


def _tiles(product: Product, images: int, begin: int, end: int, width: int) -> Iterator[Array]:
    """Yield the tiles of some rows of some images, an array of records for each kind."""
    source, target, down, across = product[:4]
    connected = across.move == product.channel_step == 1 and source.column == product.channels
    for u in kinds(down, begin, end):
        for v in kinds(across):
            runs, run = (1, v.taps * product.channels) if connected else (v.taps, product.channels)
            tap = u.first * len(across.order) + v.first
            head = (u.taps, runs, run, tap * product.channels * width)
            starts = down.start[u.pixels] - down.start[begin]
            reads = _places(source, images, starts, across.start[v.pixels])
            if not (u.taps and v.taps):
                head, reads = (0, 0, 0, 0), np.zeros_like(reads)
            writes = _places(target, images, u.pixels - begin, v.pixels)
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
    values, packed = plan.item(_PACKED_VALUES), NOTHING[out.dtype]
    if values > _LARGE_FILTER:
        packed = empty((values + LINE_BYTES,), out.dtype)
    _correlate(plan, read_only(x), read_only(weight), read_only(bias), packed, out.reshape(-1))


@compiled()
def _correlate(
    table: Array, x: Array, weight: Array, bias: Array, packed: Array, out: Array
) -> None:
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
    if not packed.size:
        packed = np.empty(plan.packed_values + LINE_BYTES, out.dtype)
    packed = aligned(packed)
    forks, tasks = (plan.packing_fork, plan.fork), (plan.packing_tasks, plan.tasks)
    for phase in range(2):
        _share(phase, forks[phase], tasks[phase], table, x, weight, packed, start, out)


@compiled(parallel=True)
def _share(
    phase: int,
    fork: int,
    tasks: int,
    table: Array,
    x: Array,
    weight: Array,
    packed: Array,
    start: Array,
    out: Array,
) -> None:
    """Run all tasks of a phase: first packing, then multiplying.

    One function for both, since each parallel one takes seconds to compile.
    """
    if fork:
        for task in numba.prange(tasks):
            _one_task(phase, np.intp(task), table, x, weight, packed, start, out)
    else:
        for task in range(tasks):
            _one_task(phase, task, table, x, weight, packed, start, out)


@compiled()
def _one_task(
    phase: int,
    task: int,
    table: Array,
    x: Array,
    weight: Array,
    packed: Array,
    start: Array,
    out: Array,
) -> None:
    plan = read_fields(BlockPlan, table, 0)
    if phase == 0:
        _pack(task, task, plan, table, weight, packed)
    else:
        _multiply_block(task, plan, table, x, weight, packed, start, out)


@compiled()
def _pack(
    panel: int, place: int, plan: BlockPlan, table: Array, weight: Array, packed: Array
) -> None:
    """Pack a panel, counted over all groups, where there is place for panels."""
    pack_panel(
        panel, place, read_fields(Packing, table, len(plan)), weight,
        table[plan.places : plan.steps], table[plan.steps :], packed,
    )  # fmt: skip


@compiled()
def _multiply_block(
    task: int,
    plan: BlockPlan,
    table: Array,
    x: Array,
    weight: Array,
    packed: Array,
    start: Array,
    out: Array,
) -> None:
    """Compute one set of panels of one group of channels of one block of output pixels."""
    block, panels = task // plan.panel_sets, task % plan.panel_sets
    block, group = block // plan.groups, block % plan.groups
    image, band = block // plan.bands, block % plan.bands
    ranges = plan.ranges + 4 * band
    if image == plan.image_blocks - 1:
        ranges += 4 * plan.bands  # the last block may have fewer images
    image *= plan.image_step
    source = image * plan.source_image + group * plan.source_group
    a = address(x, source + table[ranges + 2])
    a_strides = (plan.source_down, plan.source_across, plan.source_channel)
    b_strides = (plan.packed_down, plan.packed_across, plan.width)
    place = image * plan.target_image + group * plan.columns + table[ranges + 3]
    first = panels * plan.panel_step
    last = min(first + plan.panel_step, plan.panels)
    tiles = table[ranges + 1] - table[ranges]
    in_use = group * plan.panels + first  # the panel at whose place a task packs all of its own
    outer, inner = (tiles, last - first) if plan.panels_inside else (last - first, tiles)
    for k in range(outer):
        if plan.packs:
            _pack(in_use + k, in_use, plan, table, weight, packed)
        for m in range(inner):
            tile, panel = (k, first + m) if plan.panels_inside else (m, first + k)
            head = plan.tiles + (table[ranges] + tile) * _RECORD
            counts = (table[head], table[head + 1], table[head + 2])
            column = panel * plan.width
            panel += group * plan.panels
            b = (in_use if plan.packs else panel) * plan.panel_values + table[head + 3]
            multiply_tile(
                plan.width, plan.lanes, counts,
                a, address(table, head + _HEAD), a_strides, address(packed, b), b_strides,
                address(start, panel * plan.width), address(table, plan.zeros), start[-1],
                address(out, place + column), address(table, head + _HEAD + TILE_ROWS),
                plan.columns - column,
            )  # fmt: skip
