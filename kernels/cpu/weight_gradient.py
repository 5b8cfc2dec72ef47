"""The gradient of a convolution's weight: a sum over all pixels of the batch.

::

    out[o,c,u,v] = Σ_n,i,j  grad[n,i,j,o] · x[n, i·sh+u·dh-ph, j·sw+v·dw-pw, c]

It is a product of a matrix with rows (u, v, c) and columns o, whose inner dimension is the
output pixels. A register tile holds some rows by a panel of columns; for each pixel it reads
one value of `x` for each row, wherever that lies, and a run of `grad`.

Each tap meets the image at a rectangle of output pixels: all of them, less those at which
it lies on padding. Rows whose taps meet at the same rectangle share tiles, so padding costs
nothing. With fewer channels than a tile has rows that would leave most rows unused: such
images, which are small, are copied with their padding, and all taps meet them everywhere.

Pixels come in blocks so small that the panel of `grad`, brought together in a scratch
buffer, stays in the first-level cache while tile after tile of rows reads it.

Every thread adds up, but the result may not depend on who added what. The blocks are
therefore dealt to a number of partial sums ("slots") that the shapes alone decide, every
slot adds its blocks in order, and at the end the slots are added in order.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.memory import (
    LINE_BYTES,
    address,
    aligned,
    clear_run,
    copy_run,
    offset,
    plan_array,
    read_fields,
    read_only,
)
from tinygrad_cnn.kernels.cpu.tile import best_width, multiply_tile
from tinygrad_cnn.kernels.cpu.transpose import copy_vector, transpose_square
from tinygrad_cnn.kernels.cpu.vectors import TILE_ROWS, lanes
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

# Tuned by measurement, never by the number of threads.
_BLOCK_PIXELS = 192  # output pixels of a block: 24 KB of a panel of float32
_FEW_CHANNELS = 8  # images of fewer are copied where they are padded
_SLOTS = 16  # partial sums, at most
_SLOT_PIXELS = 1024  # pixels that a slot has at least, lest adding up the slots cost too much
_TASKS = 16  # fewer slots and panels than this are cut by rows too
_FORK = 4_000_000  # multiply-adds below which a fork could gain less than 0.05 ms


class PixelPlan(NamedTuple):
    """All that :func:`_add_pixels` has to know beside the arrays: plain integers."""

    # the work: tasks are numbered by group of channels, then slot, panel and set of rows
    tasks: int
    fork: int  # whether threads share them
    groups: int
    slots: int
    panels: int
    row_sets: int
    # a block: some output rows of one image, or several small images
    images: int
    image_step: int  # images in a block ...
    row_step: int  # ... and output rows
    bands: int  # blocks in an image
    blocks: int
    slot_blocks: int  # blocks that a slot adds up
    out_height: int
    out_width: int
    images_inside: int  # whether the innermost loop runs over images
    # where values lie
    filters: int  # of one group
    grad_pixel: int
    channels: int  # of one group
    x_height: int
    x_image: int
    x_row: int
    # as the tiles read them
    image: int
    row: int
    step_down: int
    step_across: int
    gathered: int  # whether panels of grad are brought together
    # the copy of the images under a block
    copied: int  # whether there is one
    copied_rows: int  # of a block of one image
    step: int  # sh
    top: int
    blank: int  # zeros at the left end of a copied row ...
    run: int  # ... and values of the image after them
    # tiles and sums
    width: int
    lanes: int
    tiles: int
    tile_step: int  # tiles in a set of rows
    panel_values: int
    depth: int  # rows that are used: taps times channels
    # where the tables lie in the plan
    records: int
    places: int
    sources: int
    targets: int


_FIELDS = len(PixelPlan._fields)
_RECORD = 4 + TILE_ROWS  # of a tile: the first and last output row and column, then the rows


@lru_cache(maxsize=256)
def _pixel_plan(
    grad: tuple[int, ...], x: tuple[int, ...], window: Window, dtype: np.dtype[Any]
) -> Array:
    """Return what :func:`correlate_pixels` runs by: a PixelPlan and tables.

    The tables are: the tiles; where their rows lie in a tile of sums; and for the last step
    where the sums of each weight of a filter lie, and where the filters of a panel.
    """
    images, height, across, all_channels = x
    _, out_height, out_width, all_filters = grad
    kh, kw, sh, sw, ph, pw, dh, dw, _, _, groups = window
    channels, filters = all_channels // groups, all_filters // groups
    pixels = out_height * out_width
    rectangles = [
        (
            *_meeting(u * dh - ph, sh, height, out_height),
            *_meeting(v * dw - pw, sw, across, out_width),
        )
        for u in range(kh)
        for v in range(kw)
    ]
    everywhere = (0, out_height, 0, out_width)
    padded = any(each != everywhere for each in rectangles)
    copied = padded and groups == 1 and channels < _FEW_CHANNELS
    pixel, row, image = all_channels, across * all_channels, height * across * all_channels
    top = left = 0

    image_step, row_step = 1, min(out_height, max(1, _BLOCK_PIXELS // out_width))
    row_step = -(-out_height // -(-out_height // row_step))
    if row_step == out_height:
        image_step = max(1, min(_BLOCK_PIXELS // pixels, images))
    copied_rows = (row_step - 1) * sh + dh * (kh - 1) + 1
    reach = (out_width - 1) * sw + dw * (kw - 1) + 1
    if copied:
        top, left, row = ph, pw, reach * channels
        image = copied_rows * row
        rectangles = [everywhere] * len(rectangles)

    records, sums = [], np.zeros((channels, kh * kw), np.intp)
    for rectangle in dict.fromkeys(rectangles):
        taps = np.array([tap for tap, each in enumerate(rectangles) if each == rectangle])
        u, v = np.divmod(taps, kw)
        reads = (u * dh - ph + top) * row + (v * dw - pw + left) * pixel
        reads = (reads[:, None] + np.arange(channels)).reshape(-1)
        sums[:, taps] = len(records) * TILE_ROWS + np.arange(reads.size).reshape(-1, channels).T
        reads = np.pad(reads, (0, -reads.size % TILE_ROWS), mode="edge")
        records += [(*rectangle, *rows) for rows in reads.reshape(-1, TILE_ROWS)]

    width = best_width(filters, dtype)
    panels, tiles = -(-filters // width), len(records)
    bands = -(-out_height // row_step)
    blocks = -(-images // image_step) * bands
    slots = min(blocks, _SLOTS, -(-_TASKS // (groups * panels)), images * pixels // _SLOT_PIXELS)
    slot_blocks = -(-blocks // max(1, slots))
    slots = -(-blocks // slot_blocks)
    row_sets = min(tiles, -(-_TASKS // (groups * panels * slots)))
    tile_step = -(-tiles // row_sets)
    row_sets = -(-tiles // tile_step)
    tasks = groups * slots * panels * row_sets
    work = images * pixels * tiles * TILE_ROWS * panels * width * groups
    at = _FIELDS
    plan = PixelPlan(
        tasks=tasks,
        fork=int(work > _FORK),
        groups=groups,
        slots=slots,
        panels=panels,
        row_sets=row_sets,
        images=images,
        image_step=image_step,
        row_step=row_step,
        bands=bands,
        blocks=blocks,
        slot_blocks=slot_blocks,
        out_height=out_height,
        out_width=out_width,
        images_inside=int(image_step > out_width),
        filters=filters,
        grad_pixel=all_filters,
        channels=channels,
        x_height=height,
        x_image=height * across * all_channels,
        x_row=across * all_channels,
        image=image,
        row=row,
        step_down=sh * row,
        step_across=sw * pixel,
        gathered=int(filters % width > 0 or (panels > 1 and tiles > 4)),
        copied=int(copied),
        copied_rows=copied_rows,
        step=sh,
        top=top,
        blank=min(left, reach) * channels,
        run=max(0, min(reach, across + left) - left) * channels,
        width=width,
        lanes=lanes(dtype),
        tiles=tiles,
        tile_step=tile_step,
        panel_values=tiles * TILE_ROWS * width,
        depth=channels * kh * kw,
        records=at,
        places=at + tiles * _RECORD,
        sources=at + tiles * _RECORD + TILE_ROWS,
        targets=at + tiles * _RECORD + TILE_ROWS + sums.size,
    )
    places, targets = np.arange(TILE_ROWS) * width, np.arange(width) * plan.depth
    return plan_array(plan, records, places, sums * width, targets)


def _meeting(offset: int, stride: int, source: int, target: int) -> tuple[int, int]:
    """Return the first output pixel whose tap at i·stride + offset lies on the image, and the end."""
    first = min(max(0, -(offset // stride)), target)
    end = min(max(first, -((offset - source) // stride)), target)
    return first, end


def correlate_pixels(grad: Array, x: Array, window: Window, out: Array) -> None:
    """Fill out[o,c,u,v]; see the top of this module."""
    if not (grad.size and x.size):
        out[...] = 0
        return
    plan = _pixel_plan(grad.shape, x.shape, window, out.dtype)
    _correlate_pixels(plan, read_only(grad), read_only(x), out.reshape(-1))


@compiled()
def _correlate_pixels(table: Array, grad: Array, x: Array, out: Array) -> None:
    plan = read_fields(PixelPlan, table, 0)
    count = plan.groups * plan.slots * plan.panels * plan.panel_values
    sums = aligned(np.empty(count + LINE_BYTES, out.dtype))
    _share(True, plan.fork, plan.tasks, table, grad, x, sums, out)
    _share(False, plan.fork, plan.groups * plan.panels, table, grad, x, sums, out)


@compiled(parallel=True)
def _share(
    adding: bool,
    fork: int,
    tasks: int,
    table: Array,
    grad: Array,
    x: Array,
    sums: Array,
    out: Array,
) -> None:
    """Run all tasks of one of the two phases; both here, since parallel code compiles slowly."""
    if fork:
        for task in numba.prange(tasks):
            _one_task(adding, np.intp(task), table, grad, x, sums, out)
    else:
        for task in range(tasks):
            _one_task(adding, task, table, grad, x, sums, out)


@compiled()
def _one_task(
    adding: bool, task: int, table: Array, grad: Array, x: Array, sums: Array, out: Array
) -> None:
    plan = read_fields(PixelPlan, table, 0)
    if adding:
        _add_pixels(task, plan, table, grad, x, sums)
    else:
        _combine(task, plan, table, sums, out)


@compiled()
def _add_pixels(
    task: int, plan: PixelPlan, table: Array, grad: Array, x: Array, sums: Array
) -> None:
    """Add the blocks of one slot, for one panel and one set of rows of one group of channels.

    Each task allocates its own scratch buffers: threads cannot share one, and how many
    threads there are is nothing that a kernel may know.
    """
    part, rows = task // plan.row_sets, task % plan.row_sets
    first = rows * plan.tile_step
    last = min(first + plan.tile_step, plan.tiles)
    panel, slot = part % plan.panels, part // plan.panels % plan.slots
    group = part // plan.panels // plan.slots
    at = part * plan.panel_values
    size = TILE_ROWS * plan.width
    clear_run(address(sums, at + first * size), (last - first) * size)
    pixels = plan.image_step * plan.row_step * plan.out_width
    signals = aligned(np.empty(plan.gathered * pixels * plan.width + LINE_BYTES, sums.dtype))
    images = np.empty(plan.copied * plan.image_step * plan.image, sums.dtype)
    for block in range(slot * plan.slot_blocks, min((slot + 1) * plan.slot_blocks, plan.blocks)):
        image = block // plan.bands * plan.image_step
        row = block % plan.bands * plan.row_step
        count = min(plan.image_step, plan.images - image)
        end = min(row + plan.row_step, plan.out_height)
        column = group * plan.filters + panel * plan.width
        if plan.copied:
            _copy_images(plan, x, image, count, row, images)
        if plan.gathered:
            used = min(plan.width, plan.filters - panel * plan.width)
            _gather(plan, grad, image, count, row, end, column, used, signals)
        _multiply(
            plan, table, grad, signals, x, images, image, count, row, end, group, column,
            first, last, at, sums,
        )  # fmt: skip


@compiled()
def _copy_images(
    plan: PixelPlan, x: Array, image: int, count: int, out_row: int, images: Array
) -> None:
    """Copy the rows that a block needs of some images, with zeros around them."""
    for n in range(count):
        for r in range(plan.copied_rows):
            at = n * plan.image + r * plan.row
            row = out_row * plan.step + r - plan.top
            if row < 0 or row >= plan.x_height or plan.run == 0:
                clear_run(address(images, at), plan.row)
                continue
            source = (image + n) * plan.x_image + row * plan.x_row
            clear_run(address(images, at), plan.blank)
            copy_run(address(images, at + plan.blank), address(x, source), plan.run)
            after = plan.blank + plan.run
            clear_run(address(images, at + after), plan.row - after)


@compiled()
def _gather(
    plan: PixelPlan,
    grad: Array,
    image: int,
    count: int,
    row: int,
    end: int,
    column: int,
    used: int,
    signals: Array,
) -> None:
    """Bring a panel of the error signals of a block together, zeros beyond the last filter."""
    at, pixels = 0, (end - row) * plan.out_width
    for n in range(image, image + count):
        source = (n * plan.out_height + row) * plan.out_width * plan.grad_pixel + column
        for _ in range(pixels):
            for v in range(0, plan.width, plan.lanes):
                copy_vector(address(signals, at + v), address(grad, source + v), used - v)
            at += plan.width
            source += plan.grad_pixel


@compiled()
def _multiply(
    plan: PixelPlan,
    table: Array,
    grad: Array,
    signals: Array,
    x: Array,
    images: Array,
    image: int,
    count: int,
    row: int,
    end: int,
    group: int,
    column: int,
    first: int,
    last: int,
    at: int,
    sums: Array,
) -> None:
    """Run tiles of rows (tap, channel) by a panel of filters over the pixels of a block.

    The panel of `sums` at `at` holds [row][filter]; tiles start from what it holds.
    """
    if plan.copied:
        a, begin = address(images, 0), row
    else:
        a, begin = address(x, image * plan.x_image + group * plan.channels), np.intp(0)
    if plan.gathered:
        b, pixel, height, top = address(signals, 0), plan.width, end - row, row
    else:
        b, pixel, height, top = address(grad, column), plan.grad_pixel, plan.out_height, np.intp(0)
    b_row = plan.out_width * pixel
    b_image = height * b_row
    b_first = np.intp(0) if plan.gathered else image * b_image
    for tile in range(first, last):
        head = plan.records + tile * _RECORD
        i, left = max(table[head], row), table[head + 2]
        rows, columns = min(table[head + 1], end) - i, table[head + 3] - left
        a_first = (i - begin) * plan.step_down + left * plan.step_across
        b_at = b_first + (i - top) * b_row + left * pixel
        if plan.images_inside:
            counts = (rows, columns, count)
            a_strides = (plan.step_down, plan.step_across, plan.image)
            b_strides = (b_row, pixel, b_image)
        else:
            counts = (count, rows, columns)
            a_strides = (plan.image, plan.step_down, plan.step_across)
            b_strides = (b_image, b_row, pixel)
        place = address(sums, at + tile * TILE_ROWS * plan.width)
        multiply_tile(
            plan.width, plan.lanes, counts, offset(a, a_first), address(table, head + 4), a_strides,
            offset(b, b_at), b_strides, place, plan.width, sums.dtype.type(-np.inf),
            place, address(table, plan.places), plan.width,
        )  # fmt: skip


@compiled()
def _combine(task: int, plan: PixelPlan, table: Array, sums: Array, out: Array) -> None:
    """Add up the slots of one panel in order, and bring it into the order [o][c][u][v]."""
    group, panel = task // plan.panels, task % plan.panels
    total = (group * plan.slots * plan.panels + panel) * plan.panel_values
    for slot in range(1, plan.slots):
        at = total + slot * plan.panels * plan.panel_values
        for k in range(plan.panel_values):
            sums[total + k] += sums[at + k]
    first = panel * plan.width
    used = min(plan.width, plan.filters - first)
    target = (group * plan.filters + first) * plan.depth
    for k in range(0, plan.depth, plan.lanes):
        for n in range(0, used, plan.lanes):
            transpose_square(
                address(sums, total + n), address(table, plan.sources + k),
                min(plan.lanes, plan.depth - k), min(plan.lanes, used - n),
                address(out, target + n * plan.depth + k), address(table, plan.targets),
            )  # fmt: skip
