"""How Winograd's weight gradient cuts its work into tasks: by tiles, by filters, by channels.

Tiles are dealt to slots, each of which has totals of its own that somebody has to add up in
the end. Many channels have large totals and so few slots; then filters and channels are cut
into sets, and every task transforms the tiles of its sets anew. A task works on its tiles in
blocks that stay in the cache while all filters meet all channels.
"""

from typing import NamedTuple

import numpy as np

from tinygrad_cnn.kernels.cpu.winograd_steps.strips import LANES
from tinygrad_cnn.kernels.layout import Array

#: Positions of a transformed tile, each a product of matrices of its own.
POSITIONS = 36

# Tuned by measurement, never by the number of threads.
_BLOCK_TILES = 128  # tiles of a block, at most ...
_LEAST_TILES = 16  # ... and at least
_BLOCK_VALUES = 384 * 1024  # values of its transformed tiles, about 1.5 MB
_SLOTS = 16  # partial sums, at most: a power of two, so that threads share them evenly
_SLOT_TILES = 64  # tiles of a slot, at least
_SLOT_VALUES = 2 * 1024 * 1024  # values in all slots together, at most
_PART = 128  # filters, and channels, of a task, at most
_TASKS = 4  # fewer tasks than this have a smaller part ...
_LEAST_PART = 64  # ... but not of less than this


class Plan(NamedTuple):
    """All that the compiled functions have to know beside the arrays.

    They get it as a record: an array is one argument of a call, a tuple as many as it is long.
    """

    # the shapes
    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    filters: int
    top: int
    left: int
    # tiles, numbered by image, row, column
    tiles: int
    across: int  # in a row of an image
    of_image: int
    block: int  # tiles of a block
    # tasks: numbered by slot, then by set of filters, then by set of channels
    slots: int
    slot_tiles: int
    filter_panels: int  # vectors of filters
    filter_step: int  # panels of a set
    filter_sets: int
    channel_panels: int
    channel_step: int
    channel_sets: int


_RECORD = np.dtype([(name, np.intp) for name in Plan._fields])


class Work(NamedTuple):
    """What the Python side of a call has to know."""

    plan: Array
    tasks: int
    sums: int  # values in all slots
    finishing_tasks: int
    products: int  # multiply-adds


def plan_work(grad_shape: tuple[int, ...], x_shape: tuple[int, ...], top: int, left: int) -> Work:
    """Plan the gradient for arrays of these shapes, padded by `top` rows and `left` columns."""
    images, height, width, channels = x_shape
    _, out_height, out_width, filters = grad_shape
    across = parts(out_width, 4)
    of_image = parts(out_height, 4) * across
    tiles = images * of_image
    filter_panels, channel_panels = parts(filters, LANES), parts(channels, LANES)
    total = POSITIONS * (filter_panels * channel_panels * LANES + 1) * LANES

    slots = 1
    while slots < _SLOTS and 2 * slots <= min(_SLOT_VALUES // total, tiles // _SLOT_TILES):
        slots *= 2
    slot_tiles = parts(parts(tiles, across), slots) * across
    slots = parts(tiles, slot_tiles)
    filter_step, channel_step = _even(filter_panels), _even(channel_panels)
    while slots * parts(filter_panels, filter_step) * parts(channel_panels, channel_step) < _TASKS:
        if max(filter_step, channel_step) * LANES <= _LEAST_PART:
            break
        if filter_step >= channel_step:
            filter_step = parts(filter_step, 2)
        else:
            channel_step = parts(channel_step, 2)
    block = min(_BLOCK_TILES, _BLOCK_VALUES // (POSITIONS * (filter_step + channel_step) * LANES))
    block = parts(slot_tiles, parts(slot_tiles, max(block, _LEAST_TILES)))
    plan = Plan(
        height=height,
        width=width,
        channels=channels,
        out_height=out_height,
        out_width=out_width,
        filters=filters,
        top=top,
        left=left,
        tiles=tiles,
        across=across,
        of_image=of_image,
        block=block,
        slots=slots,
        slot_tiles=slot_tiles,
        filter_panels=filter_panels,
        filter_step=filter_step,
        filter_sets=parts(filter_panels, filter_step),
        channel_panels=channel_panels,
        channel_step=channel_step,
        channel_sets=parts(channel_panels, channel_step),
    )
    return Work(
        plan=np.array([plan], _RECORD),
        tasks=slots * plan.filter_sets * plan.channel_sets,
        sums=slots * total if slots > 1 else 0,
        finishing_tasks=filter_panels if slots > 1 else 0,
        products=tiles * POSITIONS * channels * filters,
    )


def parts(count: int, size: int) -> int:
    """Return how many parts of at most `size` make up `count`."""
    return -(-count // size)


def _even(panels: int) -> int:
    """Return the panels of a set, all sets being as large."""
    return parts(panels, parts(panels * LANES, _PART))
