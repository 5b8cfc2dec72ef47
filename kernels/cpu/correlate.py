"""One driver for every product with fixed weights: convolutions, their adjoint, affine maps.

All of them are a correlation of images with a packed filter::

    out[n,i,j,o] = start[o] + Σ_u,v,c  x[n, i·sh + u - top, j·sw + v - left, c] · w[o,c,u,v]

where pixels outside the image count as zero. An affine map is the case of one-pixel images
and a one-pixel filter. `out` may be a part of a larger array, every second pixel of it say.

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

    # the work: tasks are numbered by block, then by group of panels
    tasks: int
    fork: int  # whether threads share them
    # a block: some rows of one output image, or several small images
    images: int
    image_step: int  # images in a block ...
    row_step: int  # ... and output rows
    row_blocks: int  # blocks in an image
    out_height: int
    out_width: int
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
    run: int  # values copied into it
    skip: int  # values of the image row left out before them
    # where the result goes
    target_offset: int
    target_image: int
    target_row: int
    # the sum under one window
    kh: int
    run_length: int  # kw · C, neighbours in memory ...
    run_stride: int  # ... or so far apart
    # tiles; a panel is as many output channels as a tile has columns
    width: int
    lanes: int
    columns: int  # output channels
    panels: int
    panel_groups: int
    panel_step: int  # panels in a group


def _block_plan(source: Source, target: Target, columns: int, dtype: npt.DTypeLike) -> BlockPlan:
    s, t = source, target
    reach_down = (t.height - 1) * s.sh + s.kh  # rows of padded input that are needed
    reach_right = (t.width - 1) * s.sw + s.kw
    inside = s.top <= 0 and s.left <= 0
    inside = inside and reach_down - s.top <= s.height and reach_right - s.left <= s.width
    row = (s.width if inside else reach_right) * s.channels

    fits = max(1, _BLOCK_VALUES // max(1, row))
    row_step = min(t.height, max(1, (fits - s.kh) // s.sh + 1), -(-_BLOCK_PIXELS // t.width))
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
    groups = min(panels, max(1, -(-_TASKS // max(1, blocks))))
    panel_step = -(-panels // groups)
    groups = -(-panels // panel_step)
    work = s.images * t.height * t.width * s.kh * s.kw * s.channels * panels * width
    first, last = max(0, s.left), min(reach_right, s.width + s.left)
    return BlockPlan(
        tasks=blocks * groups,
        fork=int(work > _FORK),
        images=s.images,
        image_step=image_step,
        row_step=row_step,
        row_blocks=row_blocks,
        out_height=t.height,
        out_width=t.width,
        source_image=s.image_stride,
        source_height=s.height,
        source_row=s.width * s.channels,
        source_offset=-(s.top * s.width + s.left) * s.channels,
        step_down=s.sh,
        top=s.top,
        row=row,
        padded=int(not inside),
        block_rows=(row_step - 1) * s.sh + s.kh,
        blank=min(first, reach_right) * s.channels,
        run=max(0, last - first) * s.channels,
        skip=max(0, -s.left) * s.channels,
        target_offset=t.offset,
        target_image=t.image,
        target_row=t.row,
        kh=s.kh,
        run_length=s.kw * s.channels,
        run_stride=s.channel_stride,
        width=width,
        lanes=lanes(dtype),
        columns=columns,
        panels=panels,
        panel_groups=groups,
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
    reads = image * between + i * (source.sh * plan.row) + j * (source.sw * source.channels)
    writes = image * target.image + i * target.row + j * target.column
    spare = (0, TILE_ROWS - 1)  # a last tile reads entries that it does not use
    return (
        plan,
        reads.reshape(-1).astype(np.intp),
        np.pad(writes.reshape(-1), spare).astype(np.intp),
    )


class Filter(NamedTuple):
    """How a filter w[o,c,u,v] lies in an array: offset of the first value, and strides."""

    offset: int
    o: int
    c: int
    u: int
    v: int


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
    """Fill the target pixels of `out`; the arrays are flat, `x` and `weight` read-only."""
    if not (source.images and target.height > 0 and target.width > 0 and columns):
        return
    plan, reads, writes = _prepared(source, target, columns, out.dtype)
    depth = plan.kh * plan.run_length
    start = np.zeros(plan.panels * plan.width, out.dtype)
    if bias is not None:
        start[:columns] = bias
    packed = np.empty(plan.panels * plan.width * depth, out.dtype)
    sizes = (source.kh, source.kw, source.channels)
    _pack(weight, layout, sizes, columns, plan.width, packed)
    _correlate(plan, x, reads, packed, start, writes, out)


@compiled()
def _pack(
    weight: Array,
    layout: Filter,
    sizes: tuple[int, int, int],
    columns: int,
    width: int,
    packed: Array,
) -> None:
    """packed[panel][u,v,c][n] = w[panel·width + n, c, u, v], zero beyond the last column.

    The loop over c is outside those over u and v, so that a filter is read front to back.
    """
    kh, kw, channels = sizes
    for first in range(0, columns, width):
        used = min(width, columns - first)
        for c in range(channels):
            for u in range(kh):
                for v in range(kw):
                    k = (first * kh * kw) * channels + ((u * kw + v) * channels + c) * width
                    at = layout.offset + u * layout.u + v * layout.v + c * layout.c
                    at += first * layout.o
                    for n in range(used):
                        packed[k + n] = weight[at + n * layout.o]
                    for n in range(used, width):
                        packed[k + n] = 0


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
    """Compute one group of panels of one block of output pixels.

    Each task allocates its own scratch buffer. A buffer made outside of the parallel loop
    would be shared by all threads, and one for each thread would need to know how many there
    are, which no kernel may. The price is one allocation for some 100 KB of copied pixels.
    """
    block, group = task // plan.panel_groups, task % plan.panel_groups
    image = block // plan.row_blocks * plan.image_step
    row = block % plan.row_blocks * plan.row_step
    images = min(plan.image_step, plan.images - image)
    rows = min(plan.row_step, plan.out_height - row)
    scratch = np.empty(plan.padded * images * plan.block_rows * plan.row, out.dtype)
    if plan.padded:
        for n in range(images):
            _copy_padded(plan, x, image + n, row, n, scratch)
    _multiply(
        plan, x, scratch, image, row, images * rows * plan.out_width, group,
        reads, packed, start, writes, np.empty(TILE_ROWS, np.intp), out,
    )  # fmt: skip


@compiled()
def _copy_padded(
    plan: BlockPlan, x: Array, image: int, out_row: int, n: int, scratch: Array
) -> None:
    """Copy the rows that a block needs of an image, with zeros where the window sticks out."""
    for r in range(plan.block_rows):
        at = address(scratch, (n * plan.block_rows + r) * plan.row)
        row = out_row * plan.step_down + r - plan.top
        if row < 0 or row >= plan.source_height or plan.run == 0:
            clear_run(at, plan.row)
            continue
        clear_run(at, plan.blank)
        source = image * plan.source_image + row * plan.source_row + plan.skip
        after = (n * plan.block_rows + r) * plan.row + plan.blank
        copy_run(address(scratch, after), address(x, source), plan.run)
        after += plan.run
        clear_run(address(scratch, after), plan.row - plan.blank - plan.run)


@compiled()
def _multiply(
    plan: BlockPlan,
    x: Array,
    scratch: Array,
    image: int,
    row: int,
    pixels: int,
    group: int,
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
        a = address(x, at + plan.source_offset)
    place = plan.target_offset + image * plan.target_image + row * plan.target_row
    depth = plan.kh * plan.run_length
    # np.intp(...): a literal would have a type, and so a compilation, of its own.
    counts = (np.intp(1), plan.kh, plan.run_length)
    a_strides = (np.intp(0), plan.row, plan.run_stride)
    b_strides = (np.intp(0), plan.run_length * plan.width, plan.width)
    first_panel = group * plan.panel_step
    for panel in range(first_panel, min(first_panel + plan.panel_step, plan.panels)):
        column = panel * plan.width
        b = address(packed, column * depth)
        for p in range(0, pixels, TILE_ROWS):
            a_rows = address(reads, p) if p < whole else address(last_reads, 0)
            multiply_tile(
                plan.width, plan.lanes, counts, a, a_rows, a_strides, b, b_strides,
                address(start, column), np.intp(0), address(out, place + column),
                address(writes, p), pixels - p, plan.columns - column,
            )  # fmt: skip
