"""The gradient of the input where images have few channels: every pixel spreads its share.

Output pixel (i, j) has passed on to the values under its window

::

    share[n,i,j, u,v,c] = Σ_o  grad[n,i,j,o] · w[o,c,u,v]

and the gradient of a pixel of the image is the sum of all shares that fall on it. With one
or three channels :mod:`~tinygrad_cnn.kernels.cpu.products.correlate` would fill one or three
columns of its register tiles. Here a tile's columns are a whole row u of the window: KW · C values
that are neighbours in the image, so a tile adds its shares where they belong. Its rows are
pixels from several image rows and images, and from columns j so far apart that their windows
do not overlap: for one u no two of them meet the same values.

The sums are gathered in a scratch image with its padding, which is left out of the copy to
the result. An image is one task's, so its sums have one order.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from tinygrad_cnn.kernels.cpu.instructions.vectors import TILE_ROWS, lanes
from tinygrad_cnn.kernels.cpu.loops.memory import (
    LINE_BYTES,
    address,
    aligned,
    clear_run,
    copy_run,
    plan_array,
    read_fields,
    read_only,
)
from tinygrad_cnn.kernels.cpu.products.tile import best_width, multiply_tile
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

# Tuned by measurement, never by the number of threads.
_BLOCK_VALUES = 64 * 1024  # values of error signals of a block: about 256 KB of float32
_BLOCK_TILES = 8  # tiles that the rows of a block fill, if there are so many images
_FORK = 800_000  # multiply-adds that take one thread about 20 µs


def spreads(channels: int, window: Window, dtype: npt.DTypeLike) -> bool:
    """Tell whether this is the way for images of so many channels."""
    return window.groups == 1 and window.dw == 1 and channels <= lanes(dtype) // 2 and window.kw > 1


class SpreadPlan(NamedTuple):
    """All that :func:`_spread` has to know beside the arrays: plain integers."""

    blocks: int
    fork: int  # whether threads share them
    images: int
    image_step: int  # images in a block
    height: int
    # the error signals
    grad_image: int
    grad_width: int
    grad_pixel: int
    apart: int  # columns from one to the next whose window does not overlap
    # the image
    out_image: int
    out_row: int
    # the scratch image: taps step down and pixels across
    image: int
    rows: int  # that the pixels of a column of the error signal are
    row: int
    step_down: int
    step_across: int
    top: int  # values before the image in the scratch image: rows of them, and in a row
    left: int
    # tiles
    kh: int
    width: int
    lanes: int
    columns: int
    panels: int
    packed_values: int
    tile_rows: int  # rows of a table, rounded up to tiles
    # where the tables lie in the plan
    reads: int
    writes: int
    weights: int


@lru_cache(maxsize=64)
def _spread_plan(
    grad: tuple[int, ...], out: tuple[int, ...], window: Window, dtype: np.dtype[Any]
) -> Array:
    """Return what :func:`spread` runs by: a SpreadPlan and tables.

    The tables are: where each row of tiles reads, and where it writes; both for a block of
    all images with as many columns as there are, at most, then with one less, then the same
    for the last block; then the weight at each place of the packed filter.
    """
    images, height, width, channels = out
    _, out_height, out_width, filters = grad
    kh, kw, sh, sw, ph, pw, dh, _, _, _, _ = window
    columns = kw * channels
    tile = best_width(columns, dtype)
    panels = -(-columns // tile)
    rows = max((out_height - 1) * sh + dh * (kh - 1) + 1, ph + height)
    row = max((out_width - 1) * sw + kw, pw + width) * channels
    signals = out_height * out_width * filters
    most = max(1, min(out_width // -(-kw // sw), _BLOCK_TILES * TILE_ROWS // out_height))
    apart = -(-out_width // most)
    most = -(-out_width // apart)  # columns at once
    image_step = _BLOCK_TILES * TILE_ROWS // (most * out_height)
    image_step = max(1, min(image_step, _BLOCK_VALUES // signals, images))
    blocks = -(-images // image_step)
    size = -(-image_step * most * out_height // TILE_ROWS) * TILE_ROWS
    reads, writes = [], []
    for count in (image_step, images - (blocks - 1) * image_step):
        for across in (most, max(1, most - 1)):
            column, n, i = np.indices((across, count, out_height)).reshape(3, -1)
            read = n * signals + (i * out_width + column * apart) * filters
            write = (n * rows + i * sh) * row + column * apart * sw * channels
            spare = (0, size - n.size)
            reads.append(np.pad(read, spare, mode="edge"))
            writes.append(np.pad(write, spare, mode="edge"))
    u, panel, o, k = np.ogrid[:kh, :panels, :filters, :tile]
    v, c = np.divmod(panel * tile + k, channels)
    weights = np.where(v < kw, ((o * channels + c) * kh + u) * kw + v, -1)
    at = len(SpreadPlan._fields)
    plan = SpreadPlan(
        blocks=blocks,
        fork=int(images * out_height * out_width * weights.size > _FORK),
        images=images,
        image_step=image_step,
        height=height,
        grad_image=signals,
        grad_width=out_width,
        grad_pixel=filters,
        apart=apart,
        out_image=height * width * channels,
        out_row=width * channels,
        image=rows * row,
        rows=out_height,
        row=row,
        step_down=dh * row,
        step_across=sw * channels,
        top=ph * row,
        left=pw * channels,
        kh=kh,
        width=tile,
        lanes=lanes(dtype),
        columns=columns,
        panels=panels,
        packed_values=weights.size,
        tile_rows=size,
        reads=at,
        writes=at + 4 * size,
        weights=at + 8 * size,
    )
    return plan_array(plan, *reads, *writes, weights)


def spread(grad: Array, weight: Array, window: Window, out: Array) -> None:
    """Fill out[n,r,q,c]; see the top of this module."""
    if not (grad.size and out.size):
        out[...] = 0
        return
    plan = _spread_plan(grad.shape, out.shape, window, out.dtype)
    _spread(plan, read_only(grad), read_only(weight), out.reshape(-1))


@compiled(parallel=True)
def _spread(table: Array, grad: Array, weight: Array, out: Array) -> None:
    plan = read_fields(SpreadPlan, table, 0)
    packed = aligned(np.empty(plan.packed_values + LINE_BYTES, out.dtype))
    for k in range(plan.packed_values):
        source = table[plan.weights + k]
        packed[k] = weight[source] if source >= 0 else 0
    if plan.fork:
        for block in numba.prange(plan.blocks):
            _spread_block(np.intp(block), table, grad, packed, out)
    else:
        for block in range(plan.blocks):
            _spread_block(block, table, grad, packed, out)


@compiled()
def _spread_block(block: int, table: Array, grad: Array, packed: Array, out: Array) -> None:
    """Compute some images; tiles read a vector beyond the sums that they change."""
    plan = read_fields(SpreadPlan, table, 0)
    image = block * plan.image_step
    images = min(plan.image_step, plan.images - image)
    sums = np.empty(images * plan.image + plan.width, out.dtype)
    _add_shares(plan, table, image, images, grad, packed, sums)
    for n in range(images):
        for r in range(plan.height):
            target = (image + n) * plan.out_image + r * plan.out_row
            source = n * plan.image + plan.top + r * plan.row + plan.left
            copy_run(address(out, target), address(sums, source), plan.out_row)


@compiled()
def _add_shares(
    plan: SpreadPlan,
    table: Array,
    image: int,
    images: int,
    grad: Array,
    packed: Array,
    sums: Array,
) -> None:
    clear_run(address(sums, 0), sums.size)
    first = 2 * plan.tile_rows if images < plan.image_step else 0
    most = (plan.grad_width + plan.apart - 1) // plan.apart
    counts = (np.intp(1), np.intp(1), plan.grad_pixel)
    a_strides = (np.intp(0), np.intp(0), np.intp(1))
    b_strides = (np.intp(0), np.intp(0), plan.width)
    size = plan.grad_pixel * plan.width
    for j in range(plan.apart):
        columns = (plan.grad_width - j + plan.apart - 1) // plan.apart
        rows = columns * images * plan.rows
        begin = first if columns == most else first + plan.tile_rows
        a = address(grad, image * plan.grad_image + j * plan.grad_pixel)
        for part in range(plan.kh * plan.panels):
            u, column = part // plan.panels, part % plan.panels * plan.width
            place = address(sums, u * plan.step_down + j * plan.step_across + column)
            for row in range(0, rows, TILE_ROWS):
                writes = address(table, plan.writes + begin + row)
                multiply_tile(
                    plan.width, plan.lanes, counts,
                    a, address(table, plan.reads + begin + row), a_strides,
                    address(packed, part * size), b_strides,
                    place, writes, sums.dtype.type(-np.inf), place, writes,
                    plan.columns - column,
                )  # fmt: skip
