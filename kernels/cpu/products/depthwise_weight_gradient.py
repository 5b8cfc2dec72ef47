"""The gradient of the weight where each channel has one filter of its own.

::

    out[c,u,v] = Σ_n,i,j  grad[n,i,j,c] · x[n, i·sh+u·dh-ph, j·sw+v·dw-pw, c]

A tile holds CHANNEL_ROWS taps by one register of channels and adds up a rectangle of output
pixels, all of which have these taps on the image. Images are dealt to partial sums
("slots") whose number the shapes alone decide, so that the result does not depend on how
many threads add up.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from tinygrad_cnn.kernels.cpu.instructions.vectors import CHANNEL_ROWS, lanes
from tinygrad_cnn.kernels.cpu.loops.memory import address, read_only
from tinygrad_cnn.kernels.cpu.products.taps import forward_axis, kinds
from tinygrad_cnn.kernels.cpu.products.tile import multiply_channels
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

# Tuned by measurement, never by the number of threads.
_TASKS = 16  # slots are cut by channels until there are as many tasks
_SLOTS = 16  # partial sums, at most
_FORK = 200_000  # multiply-adds that take one thread about 20 µs


class SumPlan(NamedTuple):
    """All that :func:`_add_pixels` has to know beside the arrays: plain integers."""

    images: int
    fork: int
    slots: int
    slot_images: int  # images that a slot adds up
    x_image: int
    grad_image: int
    channels: int
    lanes: int
    padded_channels: int
    panel: int
    panels: int
    taps: int
    tiles: int
    x_down: int  # values of x from an output pixel to the next ...
    x_right: int
    grad_down: int  # ... and of grad
    grad_right: int


@lru_cache(maxsize=128)
def _sum_plan(
    x_shape: tuple[int, ...], grad_shape: tuple[int, ...], window: Window, dtype: npt.DTypeLike
) -> tuple[SumPlan, Array, Array, Array]:
    """Return the plan, the kinds of tiles, and where each tap reads and which one it is.

    A kind is (rows, columns, first pixel in x, in grad, taps in the tile): output pixels that
    meet the same taps are neighbours, a rectangle of them.
    """
    kh, kw, sh, sw, ph, pw, dh, dw, *_ = window
    images, height, width, channels = x_shape
    _, out_height, out_width, _ = grad_shape
    down = forward_axis(height, out_height, kh, sh, ph, dh)
    across = forward_axis(width, out_width, kw, sw, pw, dw)
    records, reads, taps = [], [], []
    for u, v in product(kinds(down), kinds(across)):
        i, j = u.pixels[0], v.pixels[0]  # the first of as many neighbours as meet these taps
        tap = np.add.outer(np.arange(u.taps) * kw, np.arange(v.taps)).reshape(-1)
        read = np.add.outer(np.arange(u.taps) * dh * width, np.arange(v.taps) * dw).reshape(-1)
        for k in range(0, len(tap), CHANNEL_ROWS):
            used = min(CHANNEL_ROWS, len(tap) - k)
            spare = (0, CHANNEL_ROWS - used)
            first_x = (down.start[i] * width + across.start[j]) * channels
            first_grad = (i * out_width + j) * channels
            records.append((u.pixels.size, v.pixels.size, first_x, first_grad, used))
            reads.append(np.pad(read[k : k + used] * channels, spare, mode="edge"))
            taps.append(np.pad(tap[k : k + used] + u.first * kw + v.first, spare, mode="edge"))
    full = lanes(dtype)
    padded = -(-channels // full) * full
    slot_images = -(-images // min(images, _SLOTS))
    slots = -(-images // slot_images)
    vectors = padded // full
    cuts = min(vectors, -(-_TASKS // slots))
    panel = -(-vectors // cuts) * full
    work = images * out_height * out_width * kh * kw * padded
    plan = SumPlan(
        images=images,
        fork=int(work > _FORK),
        slots=slots,
        slot_images=slot_images,
        x_image=height * width * channels,
        grad_image=out_height * out_width * channels,
        channels=channels,
        lanes=full,
        padded_channels=padded,
        panel=panel,
        panels=-(-padded // panel),
        taps=kh * kw,
        tiles=len(records),
        x_down=sh * width * channels,
        x_right=sw * channels,
        grad_down=out_width * channels,
        grad_right=channels,
    )
    tables = [np.array(table, np.intp).reshape(-1) for table in (records, reads, taps)]
    return plan, tables[0], tables[1], tables[2]


def correlate_channels(grad: Array, x: Array, window: Window, out: Array) -> None:
    """out[c,u,v] = Σ_n,i,j grad[n,i,j,c] · x[n, i·sh+u·dh-ph, j·sw+v·dw-pw, c]."""
    if not (grad.size and x.size):
        out[...] = 0
        return
    plan, *tables = _sum_plan(x.shape, grad.shape, Window(*window), out.dtype)
    sums = np.zeros((plan.slots, plan.taps, plan.padded_channels), out.dtype)
    _add_channels(plan, *tables, read_only(grad), read_only(x), sums.reshape(-1))
    for slot in range(1, plan.slots):
        sums[0] += sums[slot]
    out.reshape(plan.channels, plan.taps)[...] = sums[0, :, : plan.channels].T


@compiled(parallel=True)
def _add_channels(
    plan: SumPlan, records: Array, reads: Array, taps: Array, grad: Array, x: Array, sums: Array
) -> None:
    if plan.fork:
        for task in numba.prange(plan.slots * plan.panels):
            _add_panel(np.intp(task), plan, records, reads, taps, grad, x, sums)
    else:
        for task in range(plan.slots * plan.panels):
            _add_panel(task, plan, records, reads, taps, grad, x, sums)


@compiled()
def _add_panel(
    task: int,
    plan: SumPlan,
    records: Array,
    reads: Array,
    taps: Array,
    grad: Array,
    x: Array,
    sums: Array,
) -> None:
    """Add up the images of one slot, for some channels."""
    slot, first = task // plan.panels, task % plan.panels * plan.panel
    none = np.zeros(plan.lanes + 1, sums.dtype)
    none[-1] = -np.inf  # no sum falls below it
    products = np.empty(CHANNEL_ROWS * plan.lanes, sums.dtype)
    places = np.arange(CHANNEL_ROWS) * plan.lanes
    zeros = np.zeros(CHANNEL_ROWS, np.intp)
    for image in range(slot * plan.slot_images, min((slot + 1) * plan.slot_images, plan.images)):
        for c in range(first, min(first + plan.panel, plan.channels), plan.lanes):
            _add_image(
                plan, records, reads, taps, grad, x, image, c, none, zeros, products, places,
                (slot * plan.taps) * plan.padded_channels + c, sums,
            )  # fmt: skip


@compiled()
def _add_image(
    plan: SumPlan,
    records: Array,
    reads: Array,
    taps: Array,
    grad: Array,
    x: Array,
    image: int,
    c: int,
    none: Array,
    zeros: Array,
    products: Array,
    places: Array,
    total: int,
    sums: Array,
) -> None:
    """Add one image to the sums that begin at `total`, for one register of channels."""
    a_strides = (np.intp(0), plan.x_down, plan.x_right)
    b_strides = (np.intp(0), plan.grad_down, plan.grad_right)
    used_columns = min(plan.lanes, plan.channels - c)
    for tile in range(plan.tiles):
        counts = (np.intp(1), records[5 * tile], records[5 * tile + 1])
        first_x, first_grad = records[5 * tile + 2], records[5 * tile + 3]
        used = records[5 * tile + 4]
        multiply_channels(
            plan.lanes, counts, address(x, image * plan.x_image + first_x + c),
            address(reads, tile * CHANNEL_ROWS), a_strides,
            address(grad, image * plan.grad_image + first_grad + c), b_strides,
            address(none, 0), address(zeros, 0), none[-1],
            address(products, 0), address(places, 0), used_columns,
        )  # fmt: skip
        for m in range(used):
            at = total + taps[tile * CHANNEL_ROWS + m] * plan.padded_channels
            for n in range(used_columns):
                sums[at + n] += products[m * plan.lanes + n]
