"""The gradient of a 3x3 filter with a quarter of the multiplications: Winograd's F(3x3, 4x4).

In the gradient of the weight the error signal plays the filter: over a 4x4 tile of it and the
6x6 pixels of the image that it meets, ::

    out[o,c,u,v] += Σ_i,j<4  grad[i,j,o] · x[i+u, j+v, c]

is a correlation with a 4x4 filter and a 3x3 result: 144 products for a pair of channels.
Toom and Cook's algorithm F(3x3, 4x4) takes 36::

    out[o,c] = Aᵀ [ Σ_tiles (G grad[o] Gᵀ) ⊙ (Bᵀ x[c] B) ] A

The inverse map is linear, so it runs once, behind the sum over all tiles of the batch. (After
Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks"; the matrices come from
:mod:`~tinygrad_cnn.kernels.cpu.winograd_steps.matrices`.)
At each of the 36 positions the sum is a product of matrices, tiles by filters times tiles by
channels, and runs on register tiles (:mod:`~tinygrad_cnn.kernels.cpu.winograd_steps.weight_tile`).

The way through the work::

    _run_tasks     shares tasks among threads: one is a slot of tiles, some filters and channels
    _one_task      takes blocks of its tiles that fit the cache:
      _transform     maps those of grad and of x, from [n,i,j,c] to [position][panel][t]
      _multiply      adds their products to the totals, [position][o][c]
    _finish        adds up the slots, maps back, writes out[o,c,u,v]

As in :mod:`~tinygrad_cnn.kernels.cpu.products.weight_gradient` a slot is a partial sum over certain
tiles; the shapes alone decide how many there are, and they are added in order.

Rounding: with the points of :mod:`~tinygrad_cnn.kernels.cpu.winograd_steps.matrices`, and blocks of
tiles summed before they are added up, errors stay near those of the direct sum: some 1e-6 of
the largest value.
A NaN or an infinity spreads: one in a pixel of `x` can reach all nine taps between its channel
and every filter, one in `grad` those between its filter and every channel.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from tinygrad_cnn.kernels.buffer_pool import empty
from tinygrad_cnn.kernels.cpu.loops.memory import address, clear_run, read_only
from tinygrad_cnn.kernels.cpu.winograd_steps.strips import (
    LANES,
    STRIP,
    STRIP_VALUES,
    transform_back,
    transform_strip,
)
from tinygrad_cnn.kernels.cpu.winograd_steps.weight_plan import POSITIONS, Work, parts, plan_work
from tinygrad_cnn.kernels.cpu.winograd_steps.weight_tile import (
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
_TILE_COST = 48  # products of the direct way that take as long as a tile ...
_FIXED_COST = 8  # ... and the tiles that the way back takes
_FORK = 800_000  # multiply-adds that take one thread about 20 µs

_SQUARE = LANES * LANES

_works: dict[Any, Work] = {}


class _Part(NamedTuple):
    """The filters and channels of a task, and where their tiles and totals lie."""

    filter_panel: int
    filter_panels: int
    channel_panel: int
    channel_panels: int
    strip: int  # scratch of :func:`transform_strip`
    errors: int  # tiles of grad: [position][panel][t]
    error_step: int  # values from a position to the next
    images: int  # tiles of x
    image_step: int
    totals: int  # [position][panel of filters][panel of channels], squares of LANES x LANES
    total_step: int
    total_row: int  # squares from a panel of filters to the next


def _serves(geometry: Any, dtype: Any) -> str:
    """Say why not: the direct way leaves padding out and wins where tiles hold little else.

    It does so for images of up to 3x3 pixels, of 5x5, and for a few tiles only.
    """
    if not isinstance(geometry, Convolution):
        return "it has to know the whole layer"
    window = geometry.window
    if dtype != np.float32:
        return "it is for float32"
    if window[:4] != (3, 3, 1, 1) or window[6:8] != (1, 1) or window.groups != 1:
        return "it is for 3x3 windows of stride 1, without dilation and groups"
    if 2 * min(geometry.channels, geometry.filters) <= LANES:
        return f"it is for more than {LANES // 2} channels and filters"
    rows, columns = window.output_size(geometry.height, geometry.width)
    tiles = geometry.images * parts(rows, 4) * parts(columns, 4)
    products = _meetings(rows, geometry.height, window.ph)
    products *= _meetings(columns, geometry.width, window.pw) * geometry.images
    if products <= _TILE_COST * (tiles + _FIXED_COST):
        return "it is for more pixels"
    return ""


def _meetings(outputs: int, inputs: int, padding: int) -> int:
    """Return how often the three taps of a filter meet a pixel inside, along one axis."""
    return sum(max(0, min(outputs, inputs + padding - u) - max(0, padding - u)) for u in range(3))


@implements("conv2d_grad_weight", device="cpu", variant="winograd", rank=-10, supports=_serves)
def conv2d_grad_weight(grad: Array, x: Array, window: Window, out: Array) -> None:
    """out[o,c,u,v] = Σ_n,i,j grad[n,i,j,o] · x[n, i+u-ph, j+v-pw, c]."""
    key = (grad.shape, x.shape, window[4], window[5])
    work = _works.get(key)
    if work is None:
        work = _works[key] = plan_work(*key)
    plan, tasks, values, finishing_tasks, products = work
    fork = products > _FORK
    grad, x, flat = read_only(grad), read_only(x), out.reshape(-1)
    sums = empty((values + LANES,), np.float32)
    _run_tasks(plan, tasks, False, fork, grad, x, sums, flat)
    if finishing_tasks:
        _run_tasks(plan, finishing_tasks, True, fork, grad, x, sums, flat)


@compiled(parallel=True)
def _run_tasks(
    plan: Array,
    tasks: int,
    finish: bool,
    fork: bool,
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
    """Add up the tiles of one slot for some filters and channels; or finish a panel of filters.

    Each task allocates its own scratch buffer: threads cannot share one, and how many
    threads there are is nothing that a kernel may know.
    """
    p = plan[0]
    slot, rest = task // (p.filter_sets * p.channel_sets), task % (p.filter_sets * p.channel_sets)
    first_o = rest // p.channel_sets * p.filter_step
    first_c = rest % p.channel_sets * p.channel_step
    panels_o = min(p.filter_step, p.filter_panels - first_o)
    panels_c = min(p.channel_step, p.channel_panels - first_c)
    if finish:
        first_o, panels_o, first_c, panels_c, slot = task, 1, 0, p.channel_panels, 0
    # A vector more than needed keeps the positions off each other's place in the cache.
    error_step, image_step = (panels_o * p.block + 1) * LANES, (panels_c * p.block + 1) * LANES
    total_row, total_step = panels_c, (panels_o * panels_c * LANES + 1) * LANES
    values, own_totals = STRIP_VALUES + 2 * LANES, 0
    if not finish:
        values += POSITIONS * (error_step + image_step)
        own_totals = POSITIONS * total_step
    shared = p.slots > 1
    if shared:
        own_totals = 0
        total_row = p.channel_panels
        total_step = (p.filter_panels * total_row * LANES + 1) * LANES
    scratch = np.empty(values + own_totals, sums.dtype)
    strip = _aligned(scratch)
    errors = strip + STRIP_VALUES + LANES
    images = errors + POSITIONS * error_step
    at = images + POSITIONS * image_step
    totals = scratch
    if shared:
        totals = sums
        at = _aligned(sums) + slot * POSITIONS * total_step
        at += (first_o * total_row + first_c) * _SQUARE
    part = _Part(
        first_o, panels_o, first_c, panels_c, strip, errors, error_step, images, image_step,
        at, total_step, total_row,
    )  # fmt: skip
    if not finish:
        first = slot * p.slot_tiles
        last = min(first + p.slot_tiles, p.tiles)
        for tile in range(first, last, p.block):
            count = min(p.block, last - tile)
            for error in range(2):
                _transform(p, error, tile, count, part, grad if error else x, scratch)
            _multiply(p, count, tile == first, part, scratch, totals)
    if finish or not shared:
        _finish(p, part, totals, scratch, out)


@compiled()
def _aligned(array: Array) -> int:
    """Return the index of the first value that begins a vector's place in memory."""
    return -(array.ctypes.data // array.itemsize) % LANES


@compiled()
def _transform(
    p: Any, error: int, tile: int, count: int, part: _Part, array: Array, scratch: Array
) -> None:
    """Map `count` tiles of x, or of the error signal, strip by strip."""
    if error:
        height, width, channels = p.out_height, p.out_width, p.filters
        top, left, more = 0, 0, 0
        panel, panels = part.filter_panel, part.filter_panels
        target, step = part.errors, part.error_step
    else:
        height, width, channels = p.height, p.width, p.channels
        top, left, more = p.top, p.left, 2
        panel, panels = part.channel_panel, part.channel_panels
        target, step = part.images, part.image_step
    clear_run(address(scratch, part.strip), LANES)
    t = 0
    while t < count:
        n, place = (tile + t) // p.of_image, (tile + t) % p.of_image
        i, j = place // p.across, place % p.across
        tiles = min(count - t, p.across - j, STRIP)
        for k in range(panels):
            c = (panel + k) * LANES
            transform_strip(
                more, tiles, array, n * height * width * channels + c, channels,
                channels - c, height, width, i * 4 - top, j * 4 - left,
                scratch, part.strip, target + (k * p.block + t) * LANES, step,
            )  # fmt: skip
        t += tiles


@compiled()
def _multiply(p: Any, count: int, begin: bool, part: _Part, scratch: Array, totals: Array) -> None:
    """Add the products of a block of tiles to the totals, or begin them."""
    panel = p.block * LANES
    for position in range(POSITIONS):
        c = 0
        while c < part.channel_panels:
            left = part.channel_panels - c
            width = left if left == 1 or left == 3 else 2
            b = address(scratch, part.images + position * part.image_step + c * panel)
            for o in range(part.filter_panels):
                at = part.errors + position * part.error_step + o * panel
                goal = part.totals + position * part.total_step
                goal += (o * part.total_row + c) * _SQUARE
                if width == 1:
                    a = address(scratch, at)
                    single(count, a, b, panel, address(totals, goal), begin)
                    continue
                for m in range(0, LANES, ROWS):
                    a, total = address(scratch, at + m), address(totals, goal + m * LANES)
                    if width == 2:
                        double(count, a, b, panel, total, begin)
                    else:
                        triple(count, a, b, panel, total, begin)
            c += width


@compiled()
def _finish(p: Any, part: _Part, totals: Array, scratch: Array, out: Array) -> None:
    """Map the totals of a part back to 3x3 filters; first add up the slots."""
    result, joined = part.strip, part.strip + 9 * LANES
    for o in range(min(part.filter_panels * LANES, p.filters - part.filter_panel * LANES)):
        row = part.totals + o // LANES * part.total_row * _SQUARE + o % LANES * LANES
        for panel in range(part.channel_panels):
            at = row + panel * _SQUARE
            source, step = address(totals, at), part.total_step
            if p.slots > 1:
                step = LANES
                for k in range(POSITIONS):
                    add_vectors(
                        p.slots, address(totals, at + k * part.total_step),
                        POSITIONS * part.total_step, address(scratch, joined + k * LANES),
                    )  # fmt: skip
                source = address(scratch, joined)
            transform_back(source, step, address(scratch, result))
            c = (part.channel_panel + panel) * LANES
            goal = ((part.filter_panel * LANES + o) * p.channels + c) * 9
            for n in range(min(LANES, p.channels - c)):
                for k in range(9):
                    out[goal + n * 9 + k] = scratch[result + k * LANES + n]
