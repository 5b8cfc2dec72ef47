"""One driver for every product with fixed weights: convolutions, their adjoint, affine maps.

All of them are a correlation of images with a packed filter::

    out[n,i,j,o] = start[o]
                 + Σ_u,v,c  x[n, i·sh + u·dh - top, j·sw + v·dw - left, c] · w[o,c,u,v]

where pixels outside the image count as zero. An affine map is the case of one-pixel images
and a one-pixel filter. `out` may be a part of a larger array, every second pixel of it say.
With groups, channels c of group g meet output channels o of group g only: as many such
correlations lie side by side in the channels of `x` and of `out`.

The work is cut into blocks of output pixels: some rows of one image, or several small
images. For a block the input pixels that it needs are copied, with their padding, into a
scratch buffer small enough for the second-level cache, and register tiles run over it.
Where there is no padding they read the image itself. The filter is *packed* first: its
output channels are cut into panels as wide as a tile, so that a tile reads a panel from
front to back.

A block writes its own part of `out` and each value is one sum in one order, so the result
does not depend on how many threads share the blocks.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from tinygrad_cnn.kernels.cpu.memory import address, clear_run, copy_run
from tinygrad_cnn.kernels.cpu.packing import Filter, pack
from tinygrad_cnn.kernels.cpu.tile import best_width, multiply_tile
from tinygrad_cnn.kernels.cpu.vectors import TILE_ROWS, lanes
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

# Tuned by measurement, never by the number of threads.
_BLOCK_VALUES = 24 * 1024  # input values copied for a block: about 100 KB of float32
_BLOCK_PIXELS = 512  # output pixels of a block, at most
_TILES = 4  # tiles that a block of small images has at least
_TASKS = 16  # fewer blocks than this are cut by panels too
_FORK = 4_000_000  # multiply-adds below which a fork could gain less than 0.05 ms


class Source(NamedTuple):
    """Images, and the window that slides over them; sizes in pixels, strides in values."""

    images: int
    height: int
    width: int
    channels: int
    kh: int
    kw: int
    sh: int
    sw: int
    top: int
    left: int
    image_stride: int
    channel_stride: int = 1
    dh: int = 1
    dw: int = 1
    groups: int = 1  # each of `channels` channels, side by side in a pixel


class Target(NamedTuple):
    """Where output pixel (n, i, j) lies: offset + n·image + i·row + j·column."""

    height: int
    width: int
    offset: int
    image: int
    row: int
    column: int


class BlockPlan(NamedTuple):
    """All that :func:`_correlate` has to know beside the arrays: plain integers.

    Numba hands a tuple to a parallel loop only if it is flat, so the groups are comments.
    """

    # the work: tasks are numbered by block, then by group of channels, then by set of panels
    tasks: int
    fork: int  # whether threads share them
    # a block: some rows of one output image, or several small images
    images: int
    image_step: int  # images in a block ...
    row_step: int  # ... and output rows
    row_blocks: int  # blocks in an image
    out_height: int
    out_width: int
    # groups of channels
    groups: int
    source_group: int  # values from a group to the next, in a pixel of the source ...
    packed_group: int  # ... in the packed filters
    # where the pixels under a block lie
    source_image: int  # values from one image to the next
    source_height: int
    source_row: int
    source_offset: int  # of the first value under the window of output (0, 0)
    step_down: int  # sh
    top: int
    row: int  # values in a row that the tiles read
    # the copy of these pixels
    padded: int  # whether there is one
    block_rows: int  # rows of input of a block of one image
    blank: int  # zeros at the left end of a copied row
    pieces: int  # pieces of an image row copied into it: the row, or one group of each pixel
    piece: int  # values in a piece
    piece_step: int  # values from a piece to the next in the image
    skip: int  # values of the image row left out before them
    # where the result goes
    target_offset: int
    target_image: int
    target_row: int
    # the sum under one window
    kh: int
    tap_down: int  # values from a row of taps to the next
    runs: int  # runs of values in a row of taps: one where they are neighbours ...
    run_step: int  # ... or kw, so far apart
    run_length: int  # values in a run ...
    run_stride: int  # ... from each to the next
    # tiles; a panel is as many output channels as a tile has columns
    width: int
    lanes: int
    columns: int  # output channels
    panels: int
    panel_sets: int
    panel_step: int  # panels in a set


def _block_plan(source: Source, target: Target, columns: int, dtype: npt.DTypeLike) -> BlockPlan:
    s, t = source, target
    span_down, span_right = s.dh * (s.kh - 1) + 1, s.dw * (s.kw - 1) + 1
    reach_down = (t.height - 1) * s.sh + span_down  # rows of padded input that are needed
    reach_right = (t.width - 1) * s.sw + span_right
    inside = s.top <= 0 and s.left <= 0
    inside = inside and reach_down - s.top <= s.height and reach_right - s.left <= s.width
    whole = s.channels * s.groups  # channels of a pixel of the source ...
    pixel = whole if inside else s.channels  # ... and of one that the tiles read
    row = (s.width if inside else reach_right) * pixel
    connected = s.dw == 1 and pixel == s.channels  # whether the taps of a row are neighbours

    fits = max(1, _BLOCK_VALUES // max(1, row))
    row_step = min(t.height, max(1, (fits - span_down) // s.sh + 1), -(-_BLOCK_PIXELS // t.width))
    row_step = -(-t.height // -(-t.height // row_step))  # blocks of nearly equal size
    image_step = 1
    if row_step == t.height:
        image_step = min(fits // reach_down, _BLOCK_PIXELS // (t.height * t.width))
        image_step = min(image_step, -(-s.images // _TASKS))
        least = -(-_TILES * TILE_ROWS // (t.height * t.width))
        image_step = max(1, image_step, min(least, s.images))
    row_blocks = -(-t.height // row_step)
    blocks = row_blocks * -(-s.images // image_step)

    width = best_width(columns, dtype)
    panels = -(-columns // width)
    panel_sets = min(panels, max(1, -(-_TASKS // max(1, blocks * s.groups))))
    panel_step = -(-panels // panel_sets)
    panel_sets = -(-panels // panel_step)
    depth = s.kh * s.kw * s.channels
    work = s.images * t.height * t.width * depth * panels * width * s.groups
    first, last = max(0, s.left), min(reach_right, s.width + s.left)
    copied = max(0, last - first)  # pixels
    return BlockPlan(
        tasks=blocks * s.groups * panel_sets,
        fork=int(work > _FORK),
        images=s.images,
        image_step=image_step,
        row_step=row_step,
        row_blocks=row_blocks,
        out_height=t.height,
        out_width=t.width,
        groups=s.groups,
        source_group=s.channels,
        packed_group=panels * width * depth,
        source_image=s.image_stride,
        source_height=s.height,
        source_row=s.width * whole,
        source_offset=-(s.top * s.width + s.left) * whole,
        step_down=s.sh,
        top=s.top,
        row=row,
        padded=int(not inside),
        block_rows=(row_step - 1) * s.sh + span_down,
        blank=min(first, reach_right) * pixel,
        pieces=min(copied, 1) if s.groups == 1 else copied,
        piece=s.channels * (copied if s.groups == 1 else 1),
        piece_step=whole,
        skip=max(0, -s.left) * whole,
        target_offset=t.offset,
        target_image=t.image,
        target_row=t.row,
        kh=s.kh,
        tap_down=s.dh * row,
        runs=1 if connected else s.kw,
        run_step=0 if connected else s.dw * pixel,
        run_length=s.kw * s.channels if connected else s.channels,
        run_stride=s.channel_stride,
        width=width,
        lanes=lanes(dtype),
        columns=columns,
        panels=panels,
        panel_sets=panel_sets,
        panel_step=panel_step,
    )


@lru_cache(maxsize=512)
def _prepared(
    source: Source, target: Target, columns: int, dtype: np.dtype[Any]
) -> tuple[BlockPlan, Array, Array]:
    """Return the plan, and for each pixel of a block where it reads and where it writes."""
    plan = _block_plan(source, target, columns, dtype)
    image, i, j = np.indices((plan.image_step, plan.row_step, target.width))
    between = plan.block_rows * plan.row if plan.padded else plan.source_image
    pixel = source.channels if plan.padded else source.channels * source.groups
    reads = image * between + i * (source.sh * plan.row) + j * (source.sw * pixel)
    writes = image * target.image + i * target.row + j * target.column
    spare = (0, TILE_ROWS - 1)  # a last tile reads entries that it does not use
    return (
        plan,
        reads.reshape(-1).astype(np.intp),
        np.pad(writes.reshape(-1), spare).astype(np.intp),
    )


def correlate(
    x: Array,
    source: Source,
    weight: Array,
    layout: Filter,
    bias: Array | None,
    target: Target,
    columns: int,
    out: Array,
) -> None:
    """Fill the target pixels of `out`; the arrays are flat, `x` and `weight` read-only.

    `columns` is the number of output channels, of one group where there are several.
    """
    if not (source.images and target.height > 0 and target.width > 0 and columns):
        return
    plan, reads, writes = _prepared(source, target, columns, out.dtype)
    start = np.zeros((plan.groups, plan.panels * plan.width), out.dtype)
    if bias is not None:
        start[:, :columns] = bias.reshape(plan.groups, columns)
    packed = np.empty(plan.groups * plan.packed_group, out.dtype)
    sizes = (plan.groups, source.kh, source.kw, source.channels)
    pack(weight, layout, sizes, columns, plan.width, packed)
    _correlate(plan, x, reads, packed, start.reshape(-1), writes, out)


@compiled(parallel=True)
def _correlate(
    plan: BlockPlan, x: Array, reads: Array, packed: Array, start: Array, writes: Array, out: Array
) -> None:
    if plan.fork:
        for task in numba.prange(plan.tasks):
            _one_task(np.intp(task), plan, x, reads, packed, start, writes, out)
    else:
        for task in range(plan.tasks):
            _one_task(task, plan, x, reads, packed, start, writes, out)


@compiled()
def _one_task(
    task: int,
    plan: BlockPlan,
    x: Array,
    reads: Array,
    packed: Array,
    start: Array,
    writes: Array,
    out: Array,
) -> None:
    """Compute one set of panels of one group of channels of one block of output pixels.

    Each task allocates its own scratch buffer. A buffer made outside of the parallel loop
    would be shared by all threads, and one for each thread would need to know how many there
    are, which no kernel may. The price is one allocation for some 100 KB of copied pixels.
    """
    block, panels = task // plan.panel_sets, task % plan.panel_sets
    block, group = block // plan.groups, block % plan.groups
    image = block // plan.row_blocks * plan.image_step
    row = block % plan.row_blocks * plan.row_step
    images = min(plan.image_step, plan.images - image)
    rows = min(plan.row_step, plan.out_height - row)
    scratch = np.empty(plan.padded * images * plan.block_rows * plan.row, out.dtype)
    if plan.padded:
        for n in range(images):
            _copy_padded(plan, x, image + n, row, group, n, scratch)
    _multiply(
        plan, x, scratch, image, row, images * rows * plan.out_width, group, panels,
        reads, packed, start, writes, np.empty(TILE_ROWS, np.intp), out,
    )  # fmt: skip


@compiled()
def _copy_padded(
    plan: BlockPlan, x: Array, image: int, out_row: int, group: int, n: int, scratch: Array
) -> None:
    """Copy the rows that a block needs of an image, with zeros where the window sticks out."""
    run = plan.pieces * plan.piece
    for r in range(plan.block_rows):
        at = address(scratch, (n * plan.block_rows + r) * plan.row)
        row = out_row * plan.step_down + r - plan.top
        if row < 0 or row >= plan.source_height or run == 0:
            clear_run(at, plan.row)
            continue
        clear_run(at, plan.blank)
        source = image * plan.source_image + row * plan.source_row + plan.skip
        source += group * plan.source_group
        after = (n * plan.block_rows + r) * plan.row + plan.blank
        for _ in range(plan.pieces):
            copy_run(address(scratch, after), address(x, source), plan.piece)
            after += plan.piece
            source += plan.piece_step
        clear_run(address(scratch, after), plan.row - plan.blank - run)


@compiled()
def _multiply(
    plan: BlockPlan,
    x: Array,
    scratch: Array,
    image: int,
    row: int,
    pixels: int,
    group: int,
    panel_set: int,
    reads: Array,
    packed: Array,
    start: Array,
    writes: Array,
    last_reads: Array,
    out: Array,
) -> None:
    """Run tiles over the pixels of a block, panel by panel.

    A tile reads TILE_ROWS entries of both tables. The last tile of a block gets tables that
    repeat the last pixel, because the entries behind it may lie outside of the image.
    """
    whole = pixels // TILE_ROWS * TILE_ROWS
    for m in range(TILE_ROWS):
        last_reads[m] = reads[min(whole + m, pixels - 1)]
    if plan.padded:
        a = address(scratch, 0)
    else:
        at = image * plan.source_image + row * plan.step_down * plan.source_row
        a = address(x, at + plan.source_offset + group * plan.source_group)
    place = plan.target_offset + image * plan.target_image + row * plan.target_row
    place += group * plan.columns
    counts = (plan.kh, plan.runs, plan.run_length)
    a_strides = (plan.tap_down, plan.run_step, plan.run_stride)
    run = plan.run_length * plan.width
    b_strides = (plan.runs * run, run, plan.width)
    depth = plan.kh * plan.runs * plan.run_length
    first_panel = panel_set * plan.panel_step
    for panel in range(first_panel, min(first_panel + plan.panel_step, plan.panels)):
        column = panel * plan.width
        b = address(packed, group * plan.packed_group + column * depth)
        for p in range(0, pixels, TILE_ROWS):
            a_rows = address(reads, p) if p < whole else address(last_reads, 0)
            multiply_tile(
                plan.width, plan.lanes, counts, a, a_rows, a_strides, b, b_strides,
                address(start, (group * plan.panels + panel) * plan.width), np.intp(0),
                address(out, place + column),
                address(writes, p), pixels - p, plan.columns - column,
            )  # fmt: skip
