"""The gradient of a 3x3 filter with a quarter of the multiplications: Winograd's F(3x3, 4x4).

In the gradient of the weight the error signal plays the filter: over a 4x4 tile of it and the
6x6 pixels of the image that it meets, ::

    out[o,c,u,v] += Σ_i,j<4  grad[i,j,o] · x[i+u, j+v, c]

is a correlation with a 4x4 filter and a 3x3 result: 144 products for a pair of channels.
Toom and Cook's algorithm F(3x3, 4x4) takes 36::

    out[o,c] = Aᵀ [ Σ_tiles (G grad[o] Gᵀ) ⊙ (Bᵀ x[c] B) ] A

The inverse map is linear, so it runs once, behind the sum over all tiles of the batch
(Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", section 4.1, name
the algorithm; the matrices come from :mod:`~tinygrad_cnn.kernels.cpu.winograd_transforms`).
At each of the 36 positions the sum is a product of matrices, tiles by filters times tiles by
channels, and runs on register tiles (:mod:`~tinygrad_cnn.kernels.cpu.winograd_weight_tile`).
Images of at most 2x2 output pixels take F(3x3, 2x2): 16 positions.

The way through the work::

    _run_tasks         shares tasks among threads: a task is a slot, some filters, some channels
    _add_tiles         for blocks of tiles that fit the cache:
      _transform         maps the tiles of x and of grad, from [n,i,j,c] to [position][panel][t]
      _multiply          adds their products to the totals, [position][o][c]
    _finish            adds up the slots, maps back, writes out[o,c,u,v]

As in :mod:`~tinygrad_cnn.kernels.cpu.weight_gradient` a slot is a partial sum over certain
tiles; the shapes alone decide how many there are, and they are added in order.

Rounding: transforms add pixels with factors up to 5 and divide by 6 and 24, which costs about
one decimal of float32: errors up to 1e-5 of the largest value, where the direct sum has 1e-6.
A NaN or an infinity spreads: one in a pixel of `x` can reach all nine taps between its channel
and every filter, one in `grad` those between its filter and every channel.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.memory import address, clear_run, read_only
from tinygrad_cnn.kernels.cpu.winograd_transforms import (
    POINTS_OF_4,
    POINTS_OF_6,
    make_guarded_transform,
    make_transform,
    matrices,
)
from tinygrad_cnn.kernels.cpu.winograd_weight_tile import (
    LANES,
    ROWS,
    add_vectors,
    double,
    single,
    triple,
)
from tinygrad_cnn.kernels.geometry import Convolution, Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

# Tuned by measurement, never by the number of threads.
_BLOCK_TILES = 64  # tiles of a block, at most
_BLOCK_VALUES = 192 * 1024  # values of its transformed tiles
_SLOTS = 16  # partial sums, at most
_SLOT_VALUES = 2 * 1024 * 1024  # values in all slots together, at most
_TASKS = 8  # fewer slots than this are cut by filters and channels too
_PANELS = 8  # panels of filters, and of channels, that a task has at most
_FORK = 4_000_000  # multiply-adds below which a fork could gain less than 0.05 ms


def _without_fractions(size: int, points: Any) -> tuple[Any, Any, Any]:
    """Return Aᵀ, G and Bᵀ of F(3, size), the factors of G's rows moved to Aᵀ's columns.

    The map with Aᵀ runs once for a pair of channels, that with G for every tile.
    """
    a, g, b = matrices(3, size, points)
    factors = [next(value for value in row if value) for row in g]
    whole = tuple(tuple(v / f for v in row) for row, f in zip(g, factors, strict=True))
    return tuple(tuple(v * f for v, f in zip(row, factors, strict=True)) for row in a), whole, b


_A6, _G6, _B6 = _without_fractions(4, POINTS_OF_6)
_A4, _G4, _B4 = _without_fractions(2, POINTS_OF_4)
_inner_image_6, _image_6, _image_4 = (
    make_transform(_B6),
    make_guarded_transform(_B6),
    make_guarded_transform(_B4),
)
_inner_error_6, _error_6, _error_4 = (
    make_transform(_G6),
    make_guarded_transform(_G6),
    make_guarded_transform(_G4),
)
_inverse_6, _inverse_4 = make_transform(_A6), make_transform(_A4)

# What a compiled function has to know beside the arrays, as a record: one cheap argument.
_PLAN = np.dtype(
    [
        (name, np.intp)
        for name in (
            "height",
            "width",
            "channels",
            "out_height",
            "out_width",
            "filters",
            "top",
            "left",
            "step",  # pixels from a tile to the next: 4 or 2
            "size",  # rows of a transformed tile: step + 2
            "tiles",
            "across",
            "of_image",  # all of them, in a row, in an image
            "block",
            "blocks",  # tiles of a block, number of blocks
            "slots",
            "slot_blocks",
            "filter_panels",
            "channel_panels",
            "filter_step",
            "channel_step",  # panels of a task
            "filter_sets",
            "channel_sets",
            "total_step",  # values from a position to the next in the totals of all channels
        )
    ]
)


class _Work(NamedTuple):
    plan: Array
    tasks: int
    sums: int  # values of all slots
    products: int


_works: dict[Any, _Work] = {}


def _ceil(count: int, step: int) -> int:
    return -(-count // step)


def _plan(grad_shape: tuple[int, ...], x_shape: tuple[int, ...], top: int, left: int) -> _Work:
    images, height, width, channels = x_shape
    _, out_height, out_width, filters = grad_shape
    step = 4 if max(out_height, out_width) > 2 else 2
    size = step + 2
    across, down = _ceil(out_width, step), _ceil(out_height, step)
    tiles = images * down * across
    filter_panels, channel_panels = _ceil(filters, LANES), _ceil(channels, LANES)
    total = size * size * filter_panels * channel_panels * LANES * LANES

    filter_step, channel_step = min(filter_panels, _PANELS), min(channel_panels, _PANELS)
    panels = min(filter_step + channel_step, 2 * _PANELS)
    block = min(_BLOCK_TILES, max(16, _BLOCK_VALUES // (size * size * panels * LANES)))
    blocks = _ceil(tiles, block)
    slots = max(1, min(blocks, _SLOTS, _SLOT_VALUES // total))
    slot_blocks = _ceil(blocks, slots)
    slots = _ceil(blocks, slot_blocks)
    if slots >= _TASKS:
        filter_step, channel_step = filter_panels, channel_panels
    filter_sets, channel_sets = (
        _ceil(filter_panels, filter_step),
        _ceil(channel_panels, channel_step),
    )
    values = dict(
        height=height,
        width=width,
        channels=channels,
        out_height=out_height,
        out_width=out_width,
        filters=filters,
        top=top,
        left=left,
        step=step,
        size=size,
        tiles=tiles,
        across=across,
        of_image=down * across,
        block=min(block, tiles),
        blocks=blocks,
        slots=slots,
        slot_blocks=slot_blocks,
        filter_panels=filter_panels,
        channel_panels=channel_panels,
        filter_step=filter_step,
        channel_step=channel_step,
        filter_sets=filter_sets,
        channel_sets=channel_sets,
        total_step=filter_panels * channel_panels * LANES * LANES + LANES,
    )
    plan = np.array([tuple(values[name] for name in _PLAN.names)], _PLAN)
    return _Work(
        plan,
        slots * filter_sets * channel_sets,
        slots * size * size * int(plan["total_step"][0]) if slots > 1 else 0,
        tiles * size * size * channels * filters,
    )


def _serves(geometry: Any, dtype: Any) -> str:
    if not isinstance(geometry, Convolution):
        return "it has to know the whole layer"
    window = geometry.window
    if dtype != np.float32:
        return "it is for float32"
    if window[:4] != (3, 3, 1, 1) or window[6:8] != (1, 1) or window.groups != 1:
        return "it is for 3x3 windows of stride 1, without dilation and groups"
    if min(geometry.channels, geometry.filters) < LANES:
        return f"it is for {LANES} channels and filters or more"
    if geometry.images == 0 or min(window.output_size(geometry.height, geometry.width)) <= 0:
        return "there is nothing to add up"
    return ""


@implements("conv2d_grad_weight", device="cpu", variant="winograd", rank=-10, supports=_serves)
def conv2d_grad_weight(grad: Array, x: Array, window: Window, out: Array) -> None:
    """out[o,c,u,v] = Σ_n,i,j grad[n,i,j,o] · x[n, i+u-ph, j+v-pw, c]."""
    key = (grad.shape, x.shape, window[4], window[5])
    work = _works.get(key)
    if work is None:
        work = _works[key] = _plan(*key)
    plan, tasks, values, products = work
    sums = np.empty(values + LANES, np.float32)
    grad, x, flat = read_only(grad), read_only(x), out.reshape(-1)
    fork = products > _FORK
    _run_tasks(plan, tasks, fork, False, grad, x, sums, flat)
    if values:
        _run_tasks(plan, -(-out.shape[0] // 4), fork, True, grad, x, sums, flat)


@compiled(parallel=True)
def _run_tasks(
    plan: Array,
    tasks: int,
    fork: bool,
    finish: bool,
    grad: Array,
    x: Array,
    sums: Array,
    out: Array,
) -> None:
    if fork:
        for task in numba.prange(tasks):
            _one_task(np.intp(task), plan, finish, grad, x, sums, out)
    else:
        for task in range(tasks):
            _one_task(task, plan, finish, grad, x, sums, out)


@compiled()
def _one_task(
    task: int, plan: Array, finish: bool, grad: Array, x: Array, sums: Array, out: Array
) -> None:
    p = plan[0]
    if finish:
        scratch = np.empty((p.size * p.size + 9 + 1) * LANES, sums.dtype)
        _finish(
            p,
            sums,
            _aligned(sums),
            p.slots,
            p.total_step,
            p.channel_panels,
            0,
            task * 4,
            min((task + 1) * 4, p.filters),
            0,
            p.channel_panels,
            scratch,
            _aligned(scratch),
            out,
        )
    else:
        _add_tiles(task, p, grad, x, sums, out)


@compiled()
def _aligned(array: Array) -> int:
    """Return the index of the first value that lies at the begin of a line of the cache."""
    return np.intp(-(array.ctypes.data // array.itemsize) % LANES)


@compiled()
def _add_tiles(task: int, p: Any, grad: Array, x: Array, sums: Array, out: Array) -> None:
    """Add up the tiles of one slot, for some filters and some channels.

    Each task allocates its own scratch buffer: threads cannot share one, and how many
    threads there are is nothing that a kernel may know.
    """
    sets = p.filter_sets * p.channel_sets
    slot, part = task // sets, task % sets
    first_o = part // p.channel_sets * p.filter_step
    first_c = part % p.channel_sets * p.channel_step
    o_panels = min(p.filter_step, p.filter_panels - first_o)
    c_panels = min(p.channel_step, p.channel_panels - first_c)
    positions = p.size * p.size
    # A line more than a power of two keeps the positions off each other's place in the cache.
    o_step, c_step = (o_panels * p.block + 1) * LANES, (c_panels * p.block + 1) * LANES
    own = p.slots == 1
    t_step, t_row = p.total_step, p.channel_panels
    if own:
        t_step, t_row = (o_panels * c_panels * LANES + 1) * LANES, c_panels
    errors = (positions + 11) * LANES
    images = errors + positions * o_step
    own_totals = images + positions * c_step
    scratch = np.empty(own_totals + (positions * t_step if own else 0) + LANES, sums.dtype)
    base = _aligned(scratch)
    if own:
        totals, at = scratch, base + own_totals
    else:
        totals = sums
        at = _aligned(sums) + slot * positions * p.total_step
        at += (first_o * p.channel_panels + first_c) * LANES * LANES
    first = slot * p.slot_blocks
    for block in range(first, min(first + p.slot_blocks, p.blocks)):
        tile = block * p.block
        count = min(p.block, p.tiles - tile)
        _transform(p, 1, tile, count, first_o, o_panels, grad, scratch, base, base + errors, o_step)
        _transform(p, 0, tile, count, first_c, c_panels, x, scratch, base, base + images, c_step)
        _multiply(
            p,
            count,
            block == first,
            o_panels,
            c_panels,
            scratch,
            base + errors,
            o_step,
            base + images,
            c_step,
            totals,
            at,
            t_step,
            t_row,
        )
    if own:
        o = first_o * LANES
        _finish(
            p,
            totals,
            at,
            1,
            t_step,
            t_row,
            o,
            o,
            min(o + o_panels * LANES, p.filters),
            first_c,
            c_panels,
            scratch,
            base,
            out,
        )


@compiled()
def _transform(
    p: Any,
    error: int,
    tile: int,
    count: int,
    first: int,
    panels: int,
    array: Array,
    scratch: Array,
    zeros: int,
    target: int,
    step: int,
) -> None:
    """Map `count` tiles of some panels of channels: one position, panel and tile after the other."""
    height, width, channels, top, left, size = p.height, p.width, p.channels, p.top, p.left, p.size
    if error:
        height, width, channels, top, left, size = (
            p.out_height,
            p.out_width,
            p.filters,
            0,
            0,
            p.step,
        )
    clear_run(address(scratch, zeros), LANES)
    row = width * channels
    for t in range(count):
        n, place = (tile + t) // p.of_image, (tile + t) % p.of_image
        i, j = place // p.across * p.step - top, place % p.across * p.step - left
        rows = (max(0, -i), min(size, height - i))
        columns = (max(0, -j), min(size, width - j))
        inside = size > 2 and min(i, j) >= 0 and i + size <= height and j + size <= width
        for panel in range(panels):
            c = (first + panel) * LANES
            source = address(array, ((n * height + i) * width + j) * channels + c)
            goal = address(scratch, target + (panel * p.block + t) * LANES)
            left_over = channels - c
            if p.step == 2:
                if error:
                    _error_4(
                        source,
                        row,
                        channels,
                        rows,
                        columns,
                        left_over,
                        address(scratch, zeros),
                        goal,
                        step,
                    )
                else:
                    _image_4(
                        source,
                        row,
                        channels,
                        rows,
                        columns,
                        left_over,
                        address(scratch, zeros),
                        goal,
                        step,
                    )
            elif inside and left_over >= LANES:
                if error:
                    _inner_error_6(source, row, channels, goal, step)
                else:
                    _inner_image_6(source, row, channels, goal, step)
            elif error:
                _error_6(
                    source,
                    row,
                    channels,
                    rows,
                    columns,
                    left_over,
                    address(scratch, zeros),
                    goal,
                    step,
                )
            else:
                _image_6(
                    source,
                    row,
                    channels,
                    rows,
                    columns,
                    left_over,
                    address(scratch, zeros),
                    goal,
                    step,
                )


@compiled()
def _multiply(
    p: Any,
    count: int,
    begin: bool,
    o_panels: int,
    c_panels: int,
    scratch: Array,
    errors: int,
    o_step: int,
    images: int,
    c_step: int,
    totals: Array,
    at: int,
    t_step: int,
    t_row: int,
) -> None:
    """Add the products of a block of tiles to the totals."""
    panel = p.block * LANES
    for position in range(p.size * p.size):
        c = 0
        while c < c_panels:
            width = min(c_panels - c, 2)
            if c_panels - c == 3:
                width = 3
            b = address(scratch, images + position * c_step + c * panel)
            for o in range(o_panels):
                a = errors + position * o_step + o * panel
                total = at + position * t_step + (o * t_row + c) * LANES * LANES
                if width == 1:
                    single(count, address(scratch, a), b, panel, address(totals, total), begin)
                    continue
                for m in range(0, LANES, ROWS):
                    goal = address(totals, total + m * LANES)
                    if width == 2:
                        double(count, address(scratch, a + m), b, panel, goal, begin)
                    else:
                        triple(count, address(scratch, a + m), b, panel, goal, begin)
            c += width


@compiled()
def _finish(
    p: Any,
    totals: Array,
    at: int,
    slots: int,
    t_step: int,
    t_row: int,
    origin: int,
    first: int,
    last: int,
    first_c: int,
    c_panels: int,
    scratch: Array,
    base: int,
    out: Array,
) -> None:
    """Map totals back to 3x3 filters, for some filters and some panels of channels."""
    positions = p.size * p.size
    result, joined = base + LANES, base + 10 * LANES
    for o in range(first, last):
        row = (o - origin) // LANES * t_row * LANES * LANES + (o - origin) % LANES * LANES
        for panel in range(c_panels):
            source = at + row + panel * LANES * LANES
            if slots > 1:
                for k in range(positions):
                    add_vectors(
                        slots,
                        address(totals, source + k * t_step),
                        positions * t_step,
                        address(scratch, joined + k * LANES),
                    )
                _inverse(p, scratch, joined, LANES, scratch, result)
            else:
                _inverse(p, totals, source, t_step, scratch, result)
            c = (first_c + panel) * LANES
            goal = (o * p.channels + c) * 9
            for n in range(min(LANES, p.channels - c)):
                for k in range(9):
                    out[goal + n * 9 + k] = scratch[result + k * LANES + n]


@compiled()
def _inverse(p: Any, totals: Array, source: int, step: int, scratch: Array, result: int) -> None:
    if p.size == 6:
        _inverse_6(address(totals, source), 6 * step, step, address(scratch, result), LANES)
    else:
        _inverse_4(address(totals, source), 4 * step, step, address(scratch, result), LANES)
