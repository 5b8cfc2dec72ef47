"""How the gradient of a convolution's weight is cut into tasks, blocks and tiles.

The plan of :mod:`~tinygrad_cnn.kernels.cpu.products.weight_gradient`, made once for each shape.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.kernels.cpu.instructions.vectors import TALL_ROWS, TILE_ROWS, lanes
from tinygrad_cnn.kernels.cpu.loops.memory import plan_array
from tinygrad_cnn.kernels.cpu.products.tile import best_width
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.layout import Array

# Tuned by measurement, never by the number of threads.
_BLOCK_PIXELS = 192  # output pixels of a block: 24 KB of a panel of float32
_FEW_CHANNELS = 8  # images of fewer are copied where they are padded
_FEW_TILES = 4  # so few read a panel of grad where it lies
_SLOTS = 16  # partial sums, at most
_SLOT_PIXELS = 1024  # pixels that a slot has at least, lest adding up the slots cost too much
_TASKS = 16  # fewer slots and panels than this are cut by rows too


class PixelPlan(NamedTuple):
    """All that the gradient of the weight has to know beside the arrays: plain integers."""

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
    gathered: int  # whether panels of grad are brought together, or else ...
    reaching: int  # ... those behind which a tile would read values that do not exist
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
    rows: int  # of a tile
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
RECORD = 4  # of a tile: the first and last output row and column; then come its rows


@lru_cache(maxsize=256)
def pixel_plan(
    grad: tuple[int, ...], x: tuple[int, ...], window: Window, dtype: np.dtype[Any], fork: int
) -> Array:
    """Return a PixelPlan and tables; from `fork` multiply-adds on threads share the work.

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
    # A stride beyond the filter leaves pixels out, which nobody should copy.
    overlapping = sh <= dh * (kh - 1) + 1 and sw <= dw * (kw - 1) + 1
    copied = padded and overlapping and groups == 1 and channels < _FEW_CHANNELS
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

    met = [rectangles.count(each) * channels for each in dict.fromkeys(rectangles)]
    rows = min(
        TILE_ROWS, TALL_ROWS, key=lambda rows: sum(-(-count // rows) for count in met) * rows
    )
    records: list[tuple[int, ...]] = []
    sums = np.zeros((channels, kh * kw), np.intp)
    for rectangle in dict.fromkeys(rectangles):
        taps = np.array([tap for tap, each in enumerate(rectangles) if each == rectangle])
        u, v = np.divmod(taps, kw)
        reads = (u * dh - ph + top) * row + (v * dw - pw + left) * pixel
        reads = (reads[:, None] + np.arange(channels)).reshape(-1)
        sums[:, taps] = len(records) * rows + np.arange(reads.size).reshape(-1, channels).T
        reads = np.pad(reads, (0, -reads.size % rows), mode="edge")
        records += [(*rectangle, *tile) for tile in reads.reshape(-1, rows)]

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
    work = images * pixels * tiles * rows * panels * width * groups
    at = _FIELDS
    places = at + tiles * (RECORD + rows)
    plan = PixelPlan(
        tasks=tasks,
        fork=int(work > fork),
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
        gathered=int(tiles > _FEW_TILES and (panels > 1 or filters % width > 0)),
        reaching=int(filters % width > 0),
        copied=int(copied),
        copied_rows=copied_rows,
        step=sh,
        top=top,
        blank=min(left, reach) * channels,
        run=max(0, min(reach, across + left) - left) * channels,
        width=width,
        lanes=lanes(dtype),
        rows=rows,
        tiles=tiles,
        tile_step=tile_step,
        panel_values=tiles * rows * width,
        depth=channels * kh * kw,
        records=at,
        places=places,
        sources=places + rows,
        targets=places + rows + sums.size,
    )
    targets = np.arange(width) * plan.depth
    return plan_array(plan, records, np.arange(rows) * width, sums * width, targets)


def _meeting(offset: int, stride: int, source: int, target: int) -> tuple[int, int]:
    """Return the output pixels, first and end, whose tap at i·stride + offset is on the image."""
    first = min(max(0, -(offset // stride)), target)
    end = min(max(first, -((offset - source) // stride)), target)
    return first, end
