"""Convolution with 3x3 filters by Winograd's algorithm, in a fourth of the multiplications.

A filter that slides over a piece of 6x6 pixels gives a tile of 4x4 results. Directly that
takes 16 · 9 = 144 multiplications for each pair of channels. Transformed by small constant
matrices (:mod:`~tinygrad_cnn.kernels.cpu.winograd_steps.matrices`), piece and filter are multiplied
position by position: 36 multiplications, and another small transform gives the tile. Over
all channels and tiles the products at one position are a matrix product, so nearly all of
the work runs on register tiles (Lavin and Gray 2016, "Fast Algorithms for Convolutional
Neural Networks", algorithm 1). The gradient of the input is the same convolution, of the
error signal by the filters turned by 180°.

What it costs:

- **Rounding.** The transforms add values of different size, so the result differs from the
  exact one by up to about 5 · 10⁻⁶ of the largest value, two or three times the direct sum's.
- **NaN and infinity spread over a tile.** The pixels 1 to 4 of a piece enter all 16 results,
  also those whose 3x3 window does not hold them; and since infinities of both signs meet,
  an infinity becomes a NaN. One in a filter reaches all pixels of its output channel. With
  ``kernels.use(conv2d_forward="direct")`` they stay in place.
- **Transforms.** They are worth it where each transformed value is used often: where there
  are several channels and filters, and tiles enough for the filters' own transform. Small
  layers are left to the variant "direct"; :func:`_objection` is the rule.

F(2x2,3x3), with 16 multiplications for 4 results, is not here: images of two pixels need just
as many directly, as the variant "direct" leaves padding out, and on larger ones F(4x4,3x3)
needs fewer or as many.
"""

from functools import lru_cache, partial
from typing import Any

import numba
import numpy as np

from tinygrad_cnn.kernels.buffer_pool import empty
from tinygrad_cnn.kernels.cpu.loops.memory import (
    LINE_BYTES,
    aligned,
    plan_array,
    read_fields,
    read_only,
)
from tinygrad_cnn.kernels.cpu.winograd_steps.tiles import (
    LANES,
    POSITIONS,
    REACH,
    ROWS,
    SIZE,
    SQUARE,
    Plan,
    multiply,
    transform_filters,
    transform_pieces,
    transform_results,
)
from tinygrad_cnn.kernels.cpu.winograd_steps.transforms import MASKED
from tinygrad_cnn.kernels.geometry import Convolution, Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

# Tuned by measurement, never by the number of threads.
_BLOCK = 3 * ROWS  # tiles of a block: V and M of 64 channels fit into the second-level cache ...
_LARGE = 1 << 16  # ... of so many filters times channels U does not; then ...
_LARGE_BLOCK = 9 * ROWS  # ... more tiles meet each filter that is brought
_TASKS = 32  # at most, and at least half of it where ...
_SET = 8  # ... that many vectors of filters are left for each
_FORK = 800_000  # multiply-adds that take one thread about 20 µs
# Multiply-adds that cost as much as to transform one value: of a filter, of a piece or a tile.
_FILTER_TRANSFORM, _TILE_TRANSFORM = 20, 6

_ALL, _POSITIVE = np.float32(-np.inf), np.float32(0)
_NO_BIAS = np.empty(0, np.float32)


@lru_cache(maxsize=256)
def _plan(
    source: tuple[int, ...], target: tuple[int, ...], padding: tuple[int, int], backward: bool
) -> tuple[Array, int]:
    """Return the plan of one layer, and how many values of scratch it needs."""
    images, height, width, channels = source
    _, out_height, out_width, filters = target
    channel_vectors, filter_vectors = -(-channels // LANES), -(-filters // LANES)
    down, across = -(-out_height // SIZE), -(-out_width // SIZE)
    tiles = images * down * across
    block = _BLOCK if channels * filters < _LARGE else _LARGE_BLOCK
    block = min(block, -(-tiles // ROWS) * ROWS)
    blocks = -(-tiles // max(1, block))
    blocks_each = -(-blocks // _TASKS)
    parts = -(-blocks // max(1, blocks_each))
    set_vectors = max(_SET, -(-filter_vectors * 2 * parts // _TASKS))
    sets = -(-filter_vectors // set_vectors)
    set_vectors = min(set_vectors, filter_vectors)
    position_values = (filter_vectors * channel_vectors * LANES + 1) * LANES
    start = POSITIONS * position_values
    zeros = start + filter_vectors * LANES
    values = POSITIONS * filters * channels
    plan = Plan(
        height,
        width,
        channels,
        out_height,
        out_width,
        filters,
        *padding,
        channel_vectors,
        filter_vectors,
        weight_filter=9 if backward else 9 * channels,
        weight_channel=9 * filters if backward else 9,
        down=down,
        across=across,
        tiles=tiles,
        block=block,
        filter_fork=int(values * _FILTER_TRANSFORM > _FORK),
        fork=int(values * tiles > _FORK),
        tasks=parts * sets,
        blocks_each=blocks_each,
        blocks=blocks,
        sets=sets,
        set_vectors=set_vectors,
        position_values=position_values,
        start=start,
        zeros=zeros,
        scratch_values=zeros + REACH * channels + LANES,
    )
    taps = np.arange(9)[::-1] if backward else np.arange(9)
    steps = np.arange(LANES) * plan.weight_filter
    return plan_array(plan, steps, taps * LANES * LANES), plan.scratch_values


def _run(
    x: Array,
    weight: Array,
    bias: Array,
    padding: tuple[int, int],
    backward: bool,
    floor: Any,
    out: Array,
) -> None:
    plan, values = _plan(x.shape, out.shape, padding, backward)
    if out.size:
        scratch = empty((values,), np.float32)
        _convolve(
            plan, read_only(x), read_only(weight), read_only(bias), floor, scratch, out.reshape(-1)
        )


@compiled()
def _convolve(
    table: Array, x: Array, weight: Array, bias: Array, floor: float, scratch: Array, out: Array
) -> None:
    """Fill `out` by a plan; the arrays are flat, `bias` may be empty.

    Sums below `floor` become it. `scratch` is aligned and has the size that the plan says.
    """
    plan = read_fields(Plan, table, 0)
    for k in range(plan.start, plan.scratch_values):
        scratch[k] = 0
    for o in range(bias.size):
        scratch[plan.start + o] = bias[o]
    for stage in range(2):
        tasks = plan.tasks if stage else plan.filter_vectors
        fork = plan.fork if stage else plan.filter_fork
        _share(stage, fork, tasks, table, x, weight, floor, scratch, out)


@compiled(parallel=True)
def _share(
    stage: int,
    fork: int,
    tasks: int,
    table: Array,
    x: Array,
    weight: Array,
    floor: float,
    scratch: Array,
    out: Array,
) -> None:
    """Run the tasks of one of the two stages; both here, since parallel code compiles slowly."""
    if fork:
        for task in numba.prange(tasks):
            _one_task(stage, np.intp(task), table, x, weight, floor, scratch, out)
    else:
        for task in range(tasks):
            _one_task(stage, task, table, x, weight, floor, scratch, out)


@compiled()
def _one_task(
    stage: int,
    task: int,
    table: Array,
    x: Array,
    weight: Array,
    floor: float,
    scratch: Array,
    out: Array,
) -> None:
    plan = read_fields(Plan, table, 0)
    if stage == 0:
        values = aligned(np.empty(9 * SQUARE + LINE_BYTES, np.float32))
        transform_filters(task, plan, table, weight, values, scratch)
        return
    size = POSITIONS * plan.block * LANES
    pieces = aligned(np.empty(size * plan.channel_vectors + LINE_BYTES, np.float32))
    sums = aligned(np.empty(size * plan.set_vectors + LINE_BYTES, np.float32))
    some, part = task // plan.sets, task % plan.sets
    first = part * plan.set_vectors
    last = min(first + plan.set_vectors, plan.filter_vectors)
    for block in range(some * plan.blocks_each, min((some + 1) * plan.blocks_each, plan.blocks)):
        begin = block * plan.block
        tiles = min(plan.block, plan.tiles - begin)
        transform_pieces(begin, tiles, plan, x, scratch, pieces)
        multiply(begin, tiles, first, last, plan, x, pieces, scratch, sums, out)
        transform_results(begin, tiles, first, last, plan, sums, scratch, floor, out)


def _objection(backward: bool, layer: Any, dtype: np.dtype[Any]) -> str:
    """Return "" where this variant serves and wins, else why not.

    It counts multiply-adds, with those that a transform costs by the processor's measure.
    """
    if dtype != np.float32:
        return "it serves float32"
    if not isinstance(layer, Convolution):
        return "it has to know the whole layer"
    if layer.window[:4] != (3, 3, 1, 1) or layer.window[6:8] != (1, 1) or layer.window.groups > 1:
        return "it serves 3x3 filters with stride, dilation and groups of 1"
    channels, filters = -(-layer.channels // LANES) * LANES, -(-layer.filters // LANES) * LANES
    if min(layer.channels, layer.filters) < LANES:
        return f"it serves {LANES} channels and filters or more"
    if not MASKED and (channels, filters) != (layer.channels, layer.filters):
        return f"it serves multiples of {LANES} channels and filters on this processor"
    outputs = layer.window.output_size(layer.height, layer.width)
    height, width = (layer.height, layer.width) if backward else outputs
    tiles = layer.images * -(-height // SIZE) * -(-width // SIZE)
    multiplied = (-(-tiles // ROWS) * ROWS + _FILTER_TRANSFORM) * channels * filters
    transformed = tiles * _TILE_TRANSFORM * (channels + filters)
    direct = layer.images * layer.channels * filters
    for size, count, padding in zip(
        (layer.height, layer.width), outputs, layer.window[4:6], strict=True
    ):
        direct *= _pairs(size, count, padding)
    if direct <= POSITIONS * (multiplied + transformed):
        return "its transforms would cost more than they save"
    return ""


def _pairs(size: int, outputs: int, padding: int) -> int:
    """Return how often a tap of three meets a pixel, along one axis."""
    return sum(max(0, min(outputs, size + padding - u) - max(0, padding - u)) for u in range(3))


@implements(
    "conv2d_forward",
    device="cpu",
    variant="winograd",
    rank=-10,
    supports=partial(_objection, False),
)
def conv2d_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """out[n,i,j,o] = bias[o] + Σ_u,v,c x[n, i+u-ph, j+v-pw, c] · weight[o,c,u,v]."""
    _run(x, weight, bias, window[4:6], False, _ALL, out)


@implements(
    "conv2d_relu_forward",
    device="cpu",
    variant="winograd",
    rank=-10,
    supports=partial(_objection, False),
)
def conv2d_relu_forward(x: Array, weight: Array, bias: Array, window: Window, out: Array) -> None:
    """As `conv2d_forward`, but what is less than 0 becomes 0 before it is stored."""
    _run(x, weight, bias, window[4:6], False, _POSITIVE, out)


@implements(
    "conv2d_grad_input",
    device="cpu",
    variant="winograd",
    rank=-10,
    supports=partial(_objection, True),
)
def conv2d_grad_input(grad: Array, weight: Array, window: Window, out: Array) -> None:
    """Convolve with turned filters, channels and filters exchanged, and padding 2 - p."""
    _run(grad, weight, _NO_BIAS, (2 - window.ph, 2 - window.pw), True, _ALL, out)
