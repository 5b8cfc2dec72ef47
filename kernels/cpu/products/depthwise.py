"""Convolutions where each channel has one filter of its own, on register tiles by channel.

With groups = C = O no channel meets another: there is no matrix product left, only products
channel by channel. A tile holds CHANNEL_ROWS pixels by one register of channels and adds up
the taps of the filter; in the gradient of the weight
(:mod:`~tinygrad_cnn.kernels.cpu.products.depthwise_weight_gradient`) it holds CHANNEL_ROWS
taps, and adds up pixels.

Nothing is copied. Pixels are sorted by the taps that lie on the image
(:mod:`~tinygrad_cnn.kernels.cpu.products.taps`: inside, left edge, corner, ...), and a tile takes
pixels of one kind, wherever they lie. So padding is left out of the sums, as in the plain
loops.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from tinygrad_cnn.kernels.cpu.instructions.vectors import CHANNEL_ROWS, lanes
from tinygrad_cnn.kernels.cpu.loops.memory import address, read_only
from tinygrad_cnn.kernels.cpu.products.taps import backward_axis, forward_axis, kinds
from tinygrad_cnn.kernels.cpu.products.tile import multiply_channels
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

# Tuned by measurement, never by the number of threads.
_TASKS = 16  # images are cut by channels until there are as many tasks
_FORK = 200_000  # multiply-adds that take one thread about 20 µs


def is_depthwise(weight: Array, window: Window) -> bool:
    """Tell whether each channel has exactly one filter of its own."""
    return window[-1] > 1 and weight.shape[0] == window[-1] and weight.shape[1] == 1


class TapPlan(NamedTuple):
    """All that :func:`_slide` has to know beside the arrays: plain integers."""

    images: int
    fork: int  # whether threads share the tasks
    source_image: int
    target_image: int
    channels: int
    lanes: int
    padded_channels: int  # rounded up to whole registers
    panel: int  # channels of a task
    panels: int
    tiles: int
    move_down: int  # values of the source from a tap to the next ...
    move_right: int
    tap_down: int  # ... and of the packed filter
    tap_right: int


@lru_cache(maxsize=128)
def _tap_plan(
    source: tuple[int, ...],
    target: tuple[int, ...],
    window: Window,
    backward: bool,
    dtype: npt.DTypeLike,
) -> tuple[TapPlan, tuple[Array, ...], Array]:
    """Return the plan, its tables, and the order in which taps are packed.

    The tables are the kinds of tiles (taps down, taps across, first tap in the packed
    filter), where each pixel reads, where it writes, and zeros.
    """
    kh, kw, sh, sw, ph, pw, dh, dw, *_ = window
    images, height, width, channels = source
    axis = backward_axis if backward else forward_axis
    down = axis(height, target[1], kh, sh, ph, dh)
    across = axis(width, target[2], kw, sw, pw, dw)
    full = lanes(dtype)
    padded = -(-channels // full) * full
    records, reads, writes = [], [], []
    for u, v in product(kinds(down), kinds(across)):
        starts = down.start[u.pixels][:, None] * width + across.start[v.pixels]
        places = u.pixels[:, None] * target[2] + v.pixels
        spare = (0, -places.size % CHANNEL_ROWS)  # a last tile repeats its last pixel
        reads.append(np.pad(starts.reshape(-1) * channels, spare, mode="edge"))
        writes.append(np.pad(places.reshape(-1) * channels, spare, mode="edge"))
        record = (u.taps, v.taps, (u.first * kw + v.first) * padded)
        records += [record] * (reads[-1].size // CHANNEL_ROWS)
    vectors = padded // full
    cuts = min(vectors, max(1, -(-_TASKS // max(1, images))))
    panel = -(-vectors // cuts) * full
    work = images * target[1] * target[2] * kh * kw * padded
    plan = TapPlan(
        images=images,
        fork=int(work > _FORK),
        source_image=height * width * channels,
        target_image=target[1] * target[2] * channels,
        channels=channels,
        lanes=full,
        padded_channels=padded,
        panel=panel,
        panels=-(-padded // panel),
        tiles=len(records),
        move_down=down.move * width * channels,
        move_right=across.move * channels,
        tap_down=kw * padded,
        tap_right=padded,
    )
    zeros = np.zeros(CHANNEL_ROWS)
    tables = (np.array(records), np.concatenate(reads), np.concatenate(writes), zeros)
    order = np.add.outer(np.array(down.order) * kw, across.order).reshape(-1)
    return plan, tuple(table.reshape(-1).astype(np.intp) for table in tables), order


def slide_channels(
    x: Array, weight: Array, bias: Array, window: Window, rectified: bool, out: Array
) -> None:
    """out[n,i,j,c] = bias[c] + Σ_u,v x[n, i·sh+u·dh-ph, j·sw+v·dw-pw, c] · weight[c,u,v].

    Where `rectified`, what is less than 0 becomes 0.
    """
    _run(x, weight, bias, window, False, 0 if rectified else -np.inf, out)


def slide_channels_back(grad: Array, weight: Array, window: Window, out: Array) -> None:
    """out[n,r,q,c] = Σ grad[n,i,j,c] · weight[c,u,v] over i·sh+u·dh-ph = r, j·sw+v·dw-pw = q."""
    _run(grad, weight, None, window, True, -np.inf, out)


def _run(
    x: Array,
    weight: Array,
    bias: Array | None,
    window: Window,
    backward: bool,
    floor: float,
    out: Array,
) -> None:
    if not out.size:
        return
    source = x.shape
    plan, tables, order = _tap_plan(source, out.shape, Window(*window), backward, out.dtype)
    channels, _, kh, kw = weight.shape
    packed = np.zeros((kh * kw, plan.padded_channels), out.dtype)
    packed[:, :channels] = weight.reshape(channels, kh * kw).T[order]
    # What sums start from; the last value is the one that none falls below.
    start = np.zeros(plan.padded_channels + 1, out.dtype)
    start[-1] = floor
    if bias is not None:
        start[:channels] = bias
    if not x.size:
        out[...] = np.maximum(start[:channels], start[-1])
        return
    _slide(plan, *tables, read_only(x), packed.reshape(-1), start, out.reshape(-1))


@compiled(parallel=True)
def _slide(
    plan: TapPlan,
    records: Array,
    reads: Array,
    writes: Array,
    zeros: Array,
    x: Array,
    packed: Array,
    start: Array,
    out: Array,
) -> None:
    if plan.fork:
        for task in numba.prange(plan.images * plan.panels):
            _slide_panel(np.intp(task), plan, records, reads, writes, zeros, x, packed, start, out)
    else:
        for task in range(plan.images * plan.panels):
            _slide_panel(task, plan, records, reads, writes, zeros, x, packed, start, out)


@compiled()
def _slide_panel(
    task: int,
    plan: TapPlan,
    records: Array,
    reads: Array,
    writes: Array,
    zeros: Array,
    x: Array,
    packed: Array,
    start: Array,
    out: Array,
) -> None:
    """Fill some channels of one image."""
    image, first = task // plan.panels, task % plan.panels * plan.panel
    source, target = image * plan.source_image, image * plan.target_image
    a_strides = (np.intp(0), plan.move_down, plan.move_right)
    b_strides = (np.intp(0), plan.tap_down, plan.tap_right)
    for tile in range(plan.tiles):
        counts = (np.intp(1), records[3 * tile], records[3 * tile + 1])
        tap = records[3 * tile + 2]
        a_rows = address(reads, tile * CHANNEL_ROWS)
        out_rows = address(writes, tile * CHANNEL_ROWS)
        for c in range(first, min(first + plan.panel, plan.channels), plan.lanes):
            multiply_channels(
                plan.lanes, counts, address(x, source + c), a_rows, a_strides,
                address(packed, tap + c), b_strides, address(start, c), address(zeros, 0),
                start[-1], address(out, target + c), out_rows, plan.channels - c,
            )  # fmt: skip
