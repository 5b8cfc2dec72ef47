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

Pixels come in blocks so small that the panel of `grad` stays in the first-level cache while
tile after tile of rows reads it. Where there are many tiles it is brought together in a
scratch buffer.

Every thread adds up, but the result may not depend on who added what. The blocks are
therefore dealt to a number of partial sums ("slots") that the shapes alone decide, every
slot adds its blocks in order, and at the end the slots are added in order.
"""

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.instructions.transpose import copy_vector, transpose_square
from tinygrad_cnn.kernels.cpu.instructions.vectors import TILE_ROWS
from tinygrad_cnn.kernels.cpu.loops.memory import (
    LINE_BYTES,
    address,
    aligned,
    clear_run,
    copy_run,
    offset,
    read_fields,
    read_only,
)
from tinygrad_cnn.kernels.cpu.products.tile import multiply_tall_tile, multiply_tile
from tinygrad_cnn.kernels.cpu.products.weight_gradient_plan import RECORD, PixelPlan, pixel_plan
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

_FORK = 800_000  # multiply-adds that take one thread about 20 µs


def correlate_pixels(grad: Array, x: Array, window: Window, out: Array) -> None:
    """Fill out[o,c,u,v]; see the top of this module."""
    if not (grad.size and x.size):
        out[...] = 0
        return
    plan = pixel_plan(grad.shape, x.shape, window, out.dtype, _FORK)
    _correlate_pixels(plan, read_only(grad), read_only(x), out.reshape(-1))


@compiled()
def _correlate_pixels(table: Array, grad: Array, x: Array, out: Array) -> None:
    plan = read_fields(PixelPlan, table, 0)
    count = plan.groups * plan.slots * plan.panels * plan.panel_values
    sums = aligned(np.empty(count + LINE_BYTES, out.dtype))
    tasks = (plan.tasks, plan.groups * plan.panels)
    for phase in range(2):
        _share(phase, plan.fork, tasks[phase], table, grad, x, sums, out)


@compiled(parallel=True)
def _share(
    phase: int, fork: int, tasks: int, table: Array, grad: Array, x: Array, sums: Array, out: Array
) -> None:
    """Run all tasks of a phase: first adding up pixels, then combining the sums.

    One function for both, since each parallel one takes seconds to compile.
    """
    if fork:
        for task in numba.prange(tasks):
            _one_task(phase, np.intp(task), table, grad, x, sums, out)
    else:
        for task in range(tasks):
            _one_task(phase, task, table, grad, x, sums, out)


@compiled()
def _one_task(
    phase: int, task: int, table: Array, grad: Array, x: Array, sums: Array, out: Array
) -> None:
    plan = read_fields(PixelPlan, table, 0)
    if phase == 0:
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
    size = plan.rows * plan.width
    clear_run(address(sums, at + first * size), (last - first) * size)
    pixels = plan.image_step * plan.row_step * plan.out_width
    size = pixels * plan.width if plan.gathered or plan.reaching else 0
    signals = aligned(np.empty(size + LINE_BYTES, sums.dtype))
    images = np.empty(plan.copied * plan.image_step * plan.image, sums.dtype)
    for block in range(slot * plan.slot_blocks, min((slot + 1) * plan.slot_blocks, plan.blocks)):
        image = block // plan.bands * plan.image_step
        row = block % plan.bands * plan.row_step
        count = min(plan.image_step, plan.images - image)
        end = min(row + plan.row_step, plan.out_height)
        column = group * plan.filters + panel * plan.width
        if plan.copied:
            _copy_images(plan, x, image, count, row, images)
        # Columns beyond the last filter are read, and left out at the end; but they have to exist.
        behind = ((image + count - 1) * plan.out_height + end) * plan.out_width - 1
        behind = behind * plan.grad_pixel + column + plan.width
        gathered = plan.gathered or behind > grad.size
        if gathered:
            used = min(plan.width, plan.filters - panel * plan.width)
            _gather(plan, grad, image, count, row, end, column, used, signals)
        _multiply(
            plan, table, grad, gathered, signals, x, images, image, count, row, end, group, column,
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
    gathered: bool,
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
        a, begin = address(x, image * plan.x_image + group * plan.channels), 0
    if gathered:
        b, pixel, height, top = address(signals, 0), plan.width, end - row, row
    else:
        b, pixel, height, top = address(grad, column), plan.grad_pixel, plan.out_height, 0
    b_row = plan.out_width * pixel
    b_image = height * b_row
    b_first = 0 if gathered else image * b_image
    for tile in range(first, last):
        head = plan.records + tile * (RECORD + plan.rows)
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
        place = address(sums, at + tile * plan.rows * plan.width)
        if plan.rows == TILE_ROWS:
            multiply_tile(
                plan.width, plan.lanes, counts, offset(a, a_first), address(table, head + RECORD),
                a_strides, offset(b, b_at), b_strides, place, address(table, plan.places),
                sums.dtype.type(-np.inf), place, address(table, plan.places), plan.width,
            )  # fmt: skip
        else:
            multiply_tall_tile(
                plan.width, plan.lanes, counts, offset(a, a_first), address(table, head + RECORD),
                a_strides, offset(b, b_at), b_strides, place, address(table, plan.places),
                sums.dtype.type(-np.inf), place, address(table, plan.places), plan.width,
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
