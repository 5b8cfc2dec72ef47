"""The gradient of a convolution's weight: a sum over all pixels of the batch.

::

    out[o,c,u,v] = Σ_n,i,j  grad[n,i,j,o] · x[n, i·sh+u·dh-ph, j·sw+v·dw-pw, c]

For one filter row u the values x[n, i·sh+u-ph, j·sw+v-pw, c] of all (v, c) are neighbours in
memory: KW · C of them, starting at column j·sw. So the sum is a product of a matrix with
rows o and columns (v, c), whose inner dimension is the output pixels, and a register tile
reads both operands as they lie: M channels of `grad` and a run of values of `x`. Only the
padding has to be supplied; blocks of the image are copied with it into a scratch buffer.
With dilation across only the C values of one tap are neighbours: each tap is a run of its
own. With groups every group of channels is such a sum, its values of `x` copied by itself.

Every thread adds up, but the result may not depend on who added what. The blocks are
therefore dealt to a number of partial sums ("slots") that the shapes alone decide, every
slot adds its blocks in order, and at the end the slots are added in order.
"""

from functools import lru_cache
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from tinygrad_cnn.kernels.cpu.memory import address, clear_run, copy_run
from tinygrad_cnn.kernels.cpu.tile import best_width, multiply_tile
from tinygrad_cnn.kernels.cpu.vectors import TILE_ROWS, lanes
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

# Tuned by measurement, never by the number of threads.
_BLOCK_VALUES = 48 * 1024  # input values copied for a block: about 200 KB of float32
_SLOTS = 16  # partial sums, at most
_SLOT_VALUES = 4 * 1024 * 1024  # values in all slots together, at most
_TASKS = 8  # fewer slots than this are cut by filters too
_FORK = 4_000_000  # multiply-adds below which a fork could gain less than 0.05 ms


class PixelPlan(NamedTuple):
    """All that :func:`_add_pixels` has to know beside the arrays: plain integers."""

    # the work: tasks are numbered by group of channels, then by slot, then by set of filters
    groups: int
    slots: int
    filter_sets: int
    fork: int  # whether threads share them
    # the shapes
    images: int
    height: int
    image_row: int  # values in a row of x
    out_height: int
    out_width: int
    grad_pixel: int  # values in a pixel of grad
    filters: int  # of one group
    channels: int  # of one group
    kh: int
    kw: int
    sh: int
    ph: int
    dh: int
    # a block: some output rows of one image, or several small images
    blocks: int
    image_step: int  # images in a block ...
    row_step: int  # ... and output rows
    row_blocks: int  # blocks in an image
    # the copy of the pixels under a block
    block_rows: int  # input rows of a block of one image
    row: int  # values in a copied row, slack for the last vectors included
    blank: int  # zeros at the left end of a copied row
    pieces: int  # pieces of an image row copied into it: the row, or one group of each pixel
    piece: int  # values in a piece
    piece_step: int  # values from a piece to the next in the image
    step: int  # sw · C: values from the window of one output pixel to the next
    # tiles: filters by columns (v, c)
    width: int
    lanes: int
    runs: int  # runs of columns in a row of taps: one where they are neighbours ...
    run_step: int  # ... or kw, so far apart in a copied row
    run_columns: int
    panels: int  # of a run
    filter_rows: int  # filters, rounded up to whole tiles
    filter_step: int  # filters in a set
    # partial sums
    slot_blocks: int  # blocks that a slot adds up
    slot_values: int


@lru_cache(maxsize=512)
def _pixel_plan(
    grad_shape: tuple[int, ...], x_shape: tuple[int, ...], window: Window, dtype: npt.DTypeLike
) -> PixelPlan:
    images, height, width, all_channels = x_shape
    _, out_height, out_width, all_filters = grad_shape
    kh, kw, sh, sw, ph, pw, dh, dw, _, _, groups = window
    channels, filters = all_channels // groups, all_filters // groups
    runs = 1 if dw == 1 else kw
    columns = kw * channels // runs
    tile = best_width(columns, dtype)
    panels = -(-columns // tile)
    reach = (out_width - 1) * sw + dw * (kw - 1) + 1
    row = reach * channels + panels * tile - columns

    fits = max(1, _BLOCK_VALUES // row)
    span = dh * (kh - 1) + 1
    row_step = min(out_height, max(1, (fits - span) // sh + 1))
    row_step = -(-out_height // -(-out_height // row_step))
    block_rows = (row_step - 1) * sh + span
    image_step = 1
    if row_step == out_height:
        image_step = max(1, min(fits // block_rows, -(-images // _SLOTS)))
    row_blocks = -(-out_height // row_step)
    blocks = row_blocks * -(-images // image_step)

    filter_rows = -(-filters // TILE_ROWS) * TILE_ROWS
    slot_values = kh * runs * panels * tile * filter_rows
    slots = max(1, min(blocks, _SLOTS, _SLOT_VALUES // (slot_values * groups)))
    slot_blocks = -(-blocks // slots)
    slots = -(-blocks // slot_blocks)
    filter_sets = min(filter_rows // TILE_ROWS, -(-_TASKS // (slots * groups)))
    filter_step = -(-filter_rows // TILE_ROWS // filter_sets) * TILE_ROWS
    filter_sets = -(-filter_rows // filter_step)
    work = images * out_height * out_width * slot_values * groups
    copied = max(0, min(reach, width + pw) - pw)  # pixels of a row
    return PixelPlan(
        images=images,
        height=height,
        image_row=width * all_channels,
        out_height=out_height,
        out_width=out_width,
        grad_pixel=all_filters,
        filters=filters,
        channels=channels,
        kh=kh,
        kw=kw,
        sh=sh,
        ph=ph,
        dh=dh,
        step=sw * channels,
        blank=min(pw, reach) * channels,
        pieces=min(copied, 1) if groups == 1 else copied,
        piece=channels * (copied if groups == 1 else 1),
        piece_step=all_channels,
        row=row,
        image_step=image_step,
        row_step=row_step,
        row_blocks=row_blocks,
        blocks=blocks,
        block_rows=block_rows,
        width=tile,
        lanes=lanes(dtype),
        runs=runs,
        run_step=dw * channels,
        run_columns=columns,
        panels=panels,
        filter_rows=filter_rows,
        filter_step=filter_step,
        filter_sets=filter_sets,
        groups=groups,
        slots=slots,
        slot_blocks=slot_blocks,
        slot_values=slot_values,
        fork=int(work > _FORK),
    )


def correlate_pixels(
    grad: Array,
    grad_shape: tuple[int, ...],
    x: Array,
    x_shape: tuple[int, ...],
    window: Window,
    out: Array,
) -> None:
    """Fill out[o,c,u,v]; `grad` and `x` are flat and read-only, their shapes go beside."""
    if 0 in grad_shape or 0 in x_shape or min(grad_shape) < 0:
        out[...] = 0
        return
    plan = _pixel_plan(grad_shape, x_shape, Window(*window), out.dtype)
    rows = np.minimum(np.arange(plan.filter_rows), plan.filters - 1)
    places = np.arange(plan.filter_rows) * plan.width
    sums = np.empty(plan.groups * plan.slots * plan.slot_values + 1, out.dtype)
    sums[-1] = -np.inf
    _add_pixels(plan, grad, rows, x, places, sums, out.reshape(-1))


@compiled(parallel=True)
def _add_pixels(
    plan: PixelPlan, grad: Array, rows: Array, x: Array, places: Array, sums: Array, out: Array
) -> None:
    if plan.fork:
        for task in numba.prange(plan.groups * plan.slots * plan.filter_sets):
            _one_task(np.intp(task), plan, grad, rows, x, places, sums)
    else:
        for task in range(plan.groups * plan.slots * plan.filter_sets):
            _one_task(task, plan, grad, rows, x, places, sums)
    _combine(plan, sums, out)


@compiled()
def _one_task(
    task: int, plan: PixelPlan, grad: Array, rows: Array, x: Array, places: Array, sums: Array
) -> None:
    """Add the blocks of one slot, for one set of filters of one group of channels.

    Each task allocates its own scratch buffer: threads cannot share one, and how many
    threads there are is nothing that a kernel may know.
    """
    part, filters = task // plan.filter_sets, task % plan.filter_sets
    group, slot = part // plan.slots, part % plan.slots
    first = filters * plan.filter_step
    last = min(first + plan.filter_step, plan.filter_rows)
    _clear(plan, part, first, last, sums)
    scratch = np.empty(plan.image_step * plan.block_rows * plan.row, sums.dtype)
    for block in range(slot * plan.slot_blocks, min((slot + 1) * plan.slot_blocks, plan.blocks)):
        image = block // plan.row_blocks * plan.image_step
        row = block % plan.row_blocks * plan.row_step
        images = min(plan.image_step, plan.images - image)
        for n in range(images):
            _copy_padded(plan, x, image + n, row, group, n, scratch)
        _multiply(
            plan, grad, rows, image, images, row, group, part, first, last, scratch, places, sums
        )


@compiled()
def _clear(plan: PixelPlan, part: int, first: int, last: int, sums: Array) -> None:
    for panel in range(plan.kh * plan.runs * plan.panels):
        at = part * plan.slot_values + (panel * plan.filter_rows + first) * plan.width
        clear_run(address(sums, at), (last - first) * plan.width)


@compiled()
def _copy_padded(
    plan: PixelPlan, x: Array, image: int, out_row: int, group: int, n: int, scratch: Array
) -> None:
    """Copy the rows that a block needs of an image, with zeros around it and as slack."""
    run = plan.pieces * plan.piece
    for r in range(plan.block_rows):
        at = (n * plan.block_rows + r) * plan.row
        row = out_row * plan.sh + r - plan.ph
        if row < 0 or row >= plan.height or run == 0:
            clear_run(address(scratch, at), plan.row)
            continue
        source = (image * plan.height + row) * plan.image_row + group * plan.channels
        clear_run(address(scratch, at), plan.blank)
        at += plan.blank
        for _ in range(plan.pieces):
            copy_run(address(scratch, at), address(x, source), plan.piece)
            at += plan.piece
            source += plan.piece_step
        clear_run(address(scratch, at), plan.row - plan.blank - run)


@compiled()
def _multiply(
    plan: PixelPlan,
    grad: Array,
    rows: Array,
    image: int,
    images: int,
    row: int,
    group: int,
    part: int,
    first: int,
    last: int,
    scratch: Array,
    places: Array,
    sums: Array,
) -> None:
    """Run tiles of filters times columns; each sums over all pixels of the block.

    The part of `sums`, one slot of one group, holds [u][run][panel][filter][column]. Tiles
    start from what it holds.
    """
    grad_row = plan.out_width * plan.grad_pixel
    counts = (images, min(plan.row_step, plan.out_height - row), plan.out_width)
    a_strides = (plan.out_height * grad_row, grad_row, plan.grad_pixel)
    b_strides = (plan.block_rows * plan.row, plan.sh * plan.row, plan.step)
    a = address(grad, (image * plan.out_height + row) * grad_row + group * plan.filters)
    at = part * plan.slot_values
    for u in range(plan.kh):
        for run in range(plan.runs):
            for panel in range(plan.panels):
                b = u * plan.dh * plan.row + run * plan.run_step + panel * plan.width
                for o in range(first, last, TILE_ROWS):
                    total = address(sums, at + o * plan.width)
                    multiply_tile(
                        plan.width, plan.lanes, counts, a, address(rows, o), a_strides,
                        address(scratch, b), b_strides, total, plan.width, sums[-1],
                        address(sums, at), address(places, o), plan.width,
                    )  # fmt: skip
                at += plan.filter_rows * plan.width


@compiled()
def _combine(plan: PixelPlan, sums: Array, out: Array) -> None:
    """Add up the slots in order, into the first, and bring it into the order [o][c][u][v]."""
    for group in range(plan.groups):
        total = group * plan.slots * plan.slot_values
        for slot in range(1, plan.slots):
            at = total + slot * plan.slot_values
            for k in range(plan.slot_values):
                sums[total + k] += sums[at + k]
        _order(plan, total, group * plan.filters, sums, out)


@compiled()
def _order(plan: PixelPlan, total: int, group: int, sums: Array, out: Array) -> None:
    """Write the filters of a group, whose first is `group`, from their sums at `total`."""
    for first in range(0, plan.filters, TILE_ROWS):  # few filters at once stay in the cache
        for u in range(plan.kh):
            for run in range(plan.runs):
                for panel in range(plan.panels):
                    begin = panel * plan.width
                    place = (u * plan.runs + run) * plan.panels + panel
                    for o in range(first, min(first + TILE_ROWS, plan.filters)):
                        at = total + (place * plan.filter_rows + o) * plan.width - begin
                        v, c = run + begin // plan.channels, begin % plan.channels
                        for q in range(begin, min(begin + plan.width, plan.run_columns)):
                            k = ((group + o) * plan.channels + c) * plan.kh + u
                            out[k * plan.kw + v] = sums[at + q]
                            c += 1
                            if c == plan.channels:
                                v, c = v + 1, 0
