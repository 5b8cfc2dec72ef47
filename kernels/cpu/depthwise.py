"""Convolutions where each channel has one filter of its own, on register tiles by channel.

With groups = C = O no channel meets another: there is no matrix product left, only products
channel by channel. A tile holds CHANNEL_ROWS pixels by one register of channels and adds up
the taps of the filter; in the gradient of the weight
(:mod:`~tinygrad_cnn.kernels.cpu.depthwise_weight_gradient`) it holds CHANNEL_ROWS taps, and
adds up pixels.

Nothing is copied. Along each axis a pixel has some taps that lie on the image, an arithmetic
progression; pixels are sorted by theirs (inside, left edge, corner, ...), and a tile takes
pixels of one kind, wherever they lie. So padding is left out of the sums, as in the plain
loops. The same holds for the gradient of the input, whose progressions step by the stride
and fall where the others rise.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from math import gcd
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from tinygrad_cnn.kernels.cpu.memory import address, read_only
from tinygrad_cnn.kernels.cpu.tile import multiply_channels
from tinygrad_cnn.kernels.cpu.vectors import CHANNEL_ROWS, lanes
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

# Tuned by measurement, never by the number of threads.
_TASKS = 16  # images are cut by channels until there are as many tasks
_FORK = 1_000_000  # multiply-adds below which a fork could gain less than 0.05 ms


def is_depthwise(weight: Array, window: Window) -> bool:
    """Tell whether each channel has exactly one filter of its own."""
    return window[-1] > 1 and weight.shape[0] == window[-1] and weight.shape[1] == 1


class Meeting(NamedTuple):
    """The taps that lie on the source, for one pixel of the target, along one axis."""

    first: int  # tap
    taps: int
    start: int  # where the first tap lies


class Axis(NamedTuple):
    """An axis of the target: what each pixel meets, and the steps of all progressions."""

    meetings: tuple[Meeting, ...]
    step: int  # from a tap to the next
    move: int  # of its place in the source, meanwhile


def forward_axis(
    source: int, target: int, kernel: int, stride: int, padding: int, dilation: int
) -> Axis:
    """Tap u of target pixel i lies at i·s + u·d - p."""
    meetings = []
    for i in range(target):
        origin = i * stride - padding
        taps = [u for u in range(kernel) if 0 <= origin + u * dilation < source]
        first = taps[0] if taps else 0
        meetings.append(Meeting(first, len(taps), origin + first * dilation if taps else 0))
    return Axis(tuple(meetings), 1, dilation)


def _backward_axis(
    source: int, target: int, kernel: int, stride: int, padding: int, dilation: int
) -> Axis:
    """Tap u of target pixel r lies at (r + p - u·d) / s, where that is a whole number."""
    common = gcd(stride, dilation)
    meetings = []
    for r in range(target):
        places = {
            u: (r + padding - u * dilation) // stride
            for u in range(kernel)
            if (r + padding - u * dilation) % stride == 0
        }
        taps = [u for u, place in places.items() if 0 <= place < source]
        first = taps[0] if taps else 0
        meetings.append(Meeting(first, len(taps), places[first] if taps else 0))
    return Axis(tuple(meetings), stride // common, -dilation // common)


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
) -> tuple[TapPlan, Array, Array, Array]:
    """Return the plan, the kinds of tiles, and where each pixel reads and where it writes.

    A kind is (taps down, taps across, first tap in the packed filter, pixels in the tile).
    """
    kh, kw, sh, sw, ph, pw, dh, dw, *_ = window
    images, height, width, channels = source
    axis = _backward_axis if backward else forward_axis
    down = axis(height, target[1], kh, sh, ph, dh)
    across = axis(width, target[2], kw, sw, pw, dw)
    full = lanes(dtype)
    padded = -(-channels // full) * full
    kinds, reads, writes = [], [], []
    for (u, rows), (v, columns) in pairs(down, across):
        r, q = np.array(rows)[:, None], np.array(columns)
        starts_down = np.array([down.meetings[i].start for i in rows])[:, None]
        starts_right = np.array([across.meetings[j].start for j in columns])
        read = ((starts_down * width + starts_right) * channels).reshape(-1)
        write = ((r * target[2] + q) * channels).reshape(-1)
        for p in range(0, len(read), CHANNEL_ROWS):
            used = min(CHANNEL_ROWS, len(read) - p)
            # A last tile reads its last pixel again, and writes it once.
            spare = (0, CHANNEL_ROWS - used)
            kinds.append((u.taps, v.taps, (u.first * kw + v.first) * padded, used))
            reads.append(np.pad(read[p : p + used], spare, mode="edge"))
            writes.append(np.pad(write[p : p + used], spare, mode="edge"))
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
        tiles=len(kinds),
        move_down=down.move * width * channels,
        move_right=across.move * channels,
        tap_down=down.step * kw * padded,
        tap_right=across.step * padded,
    )
    tables = [np.array(table, np.intp).reshape(-1) for table in (kinds, reads, writes)]
    return plan, tables[0], tables[1], tables[2]


Kind = tuple[int, int]


def pairs(down: Axis, across: Axis) -> Iterator[tuple[Any, Any]]:
    """Yield ((meeting, rows), (meeting, columns)): pixels that meet the same taps."""
    for u in _by_kind(down):
        for v in _by_kind(across):
            yield u, v


def _by_kind(axis: Axis) -> list[tuple[Meeting, list[int]]]:
    """Return the kinds of pixels along an axis, each with its pixels."""

    def kind(pixel: int) -> Kind:
        return axis.meetings[pixel][:2]

    pixels = sorted(range(len(axis.meetings)), key=kind)
    groups = (list(group) for _, group in groupby(pixels, key=kind))
    return [(axis.meetings[group[0]], group) for group in groups]


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
    plan, *tables = _tap_plan(source, out.shape, Window(*window), backward, out.dtype)
    channels, _, kh, kw = weight.shape
    packed = np.zeros((kh * kw, plan.padded_channels), out.dtype)
    packed[:, :channels] = weight.reshape(channels, kh * kw).T
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
    kinds: Array,
    reads: Array,
    writes: Array,
    x: Array,
    packed: Array,
    start: Array,
    out: Array,
) -> None:
    if plan.fork:
        for task in numba.prange(plan.images * plan.panels):
            _slide_panel(np.intp(task), plan, kinds, reads, writes, x, packed, start, out)
    else:
        for task in range(plan.images * plan.panels):
            _slide_panel(task, plan, kinds, reads, writes, x, packed, start, out)


@compiled()
def _slide_panel(
    task: int,
    plan: TapPlan,
    kinds: Array,
    reads: Array,
    writes: Array,
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
        counts = (np.intp(1), kinds[4 * tile], kinds[4 * tile + 1])
        tap, used = kinds[4 * tile + 2], kinds[4 * tile + 3]
        a_rows = address(reads, tile * CHANNEL_ROWS)
        out_rows = address(writes, tile * CHANNEL_ROWS)
        for c in range(first, min(first + plan.panel, plan.channels), plan.lanes):
            multiply_channels(
                plan.lanes, counts, address(x, source + c), a_rows, a_strides,
                address(packed, tap + c), b_strides, address(start, c), start[-1],
                address(out, target + c), out_rows, plan.channels - c,
            )  # fmt: skip
