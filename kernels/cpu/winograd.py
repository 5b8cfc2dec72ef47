"""Convolution with 3x3 filters by Winograd's algorithm."""

from typing import NamedTuple, Any

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.memory import address, clear_run
from tinygrad_cnn.kernels.cpu.vectors import TILE_ROWS, lanes
from tinygrad_cnn.kernels.cpu.winograd_product import make_product
from tinygrad_cnn.kernels.cpu.winograd_transforms import (
    POINTS_OF_4,
    POINTS_OF_6,
    fetch_to_read,
    fetch_to_write,
    make_filter_transform,
    make_piece_transform,
    make_result_transform,
    matrices,
)
from tinygrad_cnn.kernels.geometry import Convolution, Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_LANES = lanes(np.float32)
_ROWS = TILE_ROWS
_CELL = _ROWS * _LANES  # values of a group of tiles at one position

_RESULT_4, _FILTER_4, _PIECE_4 = matrices(4, 3, POINTS_OF_6)
_result_4 = make_result_transform(_RESULT_4, _CELL)
_filter_4 = make_filter_transform(_FILTER_4)
_piece_4 = make_piece_transform(_PIECE_4, _CELL)
_one_4, _two_4 = make_product(36, 1), make_product(36, 2)
_RESULT_2, _FILTER_2, _PIECE_2 = matrices(2, 3, POINTS_OF_4)
_result_2 = make_result_transform(_RESULT_2, _CELL)
_filter_2 = make_filter_transform(_FILTER_2)
_piece_2 = make_piece_transform(_PIECE_2, _CELL)
_one_2, _two_2 = make_product(16, 1), make_product(16, 2)

# Tuned by measurement, never by the number of threads.
_FORK = 2_000_000
_BLOCK = 24
_LARGE = 1 << 16
_TASKS = 16
_SET = 8


class Plan(NamedTuple):
    """What the tasks have to know beside the arrays."""

    size: int
    positions: int
    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    filters: int
    top: int
    left: int
    # blocks of L channels and vectors of L filters
    channel_blocks: int
    vectors: int
    # weight strides
    offset: int
    filter_stride: int
    channel_stride: int
    tap_stride: int
    # tiles
    down: int
    across: int
    tiles: int
    block: int
    blocks: int
    step: int  # blocks in a task
    sets: int
    set_step: int
    packed_stride: int


@compiled()
def _convolve(x, weight, bias, size, top, left, backward, floor, threshold, out):
    images, height, width, channels = x.shape
    _, out_height, out_width, filters = out.shape
    positions = (size + 2) * (size + 2)
    channel_blocks = -(-channels // _LANES)
    vectors = -(-filters // _LANES)
    down, across = -(-out_height // size), -(-out_width // size)
    tiles = images * down * across
    if tiles == 0 or filters == 0:
        return
    block = _BLOCK if channels * filters < _LARGE else 3 * _BLOCK
    block = min(block, -(-tiles // _ROWS) * _ROWS)
    blocks = -(-tiles // block)
    step = max(1, blocks // (2 * _TASKS))
    set_step = vectors
    if blocks < _TASKS:
        set_step = min(vectors, max(_SET, -(-vectors * blocks // _TASKS)))
    sets = -(-vectors // set_step)
    if backward:
        offset, filter_stride, channel_stride, tap_stride = 8, 9, filters * 9, -1
    else:
        offset, filter_stride, channel_stride, tap_stride = 0, channels * 9, 9, 1
    plan = Plan(
        size, positions, height, width, channels, out_height, out_width, filters, top, left,
        channel_blocks, vectors, offset, filter_stride, channel_stride, tap_stride,
        down, across, tiles, block, blocks, step, sets, set_step,
        (vectors * channel_blocks * _LANES + 1) * _LANES,
    )
    packed = np.empty(positions * plan.packed_stride + 16, np.float32)
    start = np.zeros(vectors * _LANES, np.float32)
    start[: bias.size] = bias
    work = positions * channels * filters
    zeros = np.zeros((size + 2) * channels + _LANES, np.float32)
    _share(0, vectors, 8 * work > threshold, plan, weight, x, zeros, packed, start, floor, out)
    tasks = -(-blocks // step) * sets
    _share(1, tasks, tiles * work > threshold, plan, weight, x, zeros, packed, start, floor, out)


@compiled(parallel=True)
def _share(stage, tasks, fork, plan, weight, x, zeros, packed, start, floor, out):
    if fork:
        for task in numba.prange(tasks):
            _one_task(stage, np.intp(task), plan, weight, x, zeros, packed, start, floor, out)
    else:
        for task in range(tasks):
            _one_task(stage, task, plan, weight, x, zeros, packed, start, floor, out)


@compiled()
def _one_task(stage, task, plan, weight, x, zeros, packed, start, floor, out):
    shift = _shift(packed)
    if stage == 0:
        _transform_filters(task, plan, weight, np.empty(9 * _LANES * _LANES, np.float32), packed, shift)
        return
    some, part = task // plan.sets, task % plan.sets
    pieces = np.empty(plan.positions * plan.block * plan.channel_blocks * _LANES + 16, np.float32)
    sums = np.empty(plan.positions * plan.block * plan.set_step * _LANES + 16, np.float32)
    first = part * plan.set_step
    last = min(first + plan.set_step, plan.vectors)
    for block in range(some * plan.step, min(some * plan.step + plan.step, plan.blocks)):
        begin = block * plan.block
        tiles = min(plan.block, plan.tiles - begin)
        _transform_pieces(begin, tiles, plan, x, zeros, pieces, _shift(pieces))
        _multiply(begin, tiles, first, last, plan, x, pieces, _shift(pieces), packed, shift, sums, _shift(sums), out)
        _transform_results(begin, tiles, first, last, plan, sums, _shift(sums), start, floor, out)


@compiled()
def _shift(array):
    return np.intp((-(array.ctypes.data // 4)) % 16)


@compiled()
def _transform_filters(vector, plan, weight, scratch, packed, shift):
    used = min(_LANES, plan.filters - vector * _LANES)
    for block in range(plan.channel_blocks):
        there = min(_LANES, plan.channels - block * _LANES)
        if used < _LANES or there < _LANES:
            scratch[:] = 0
        for n in range(used):
            for k in range(there):
                at = plan.offset + (vector * _LANES + n) * plan.filter_stride
                at += (block * _LANES + k) * plan.channel_stride
                for tap in range(9):
                    scratch[(tap * _LANES + k) * _LANES + n] = weight[at + tap * plan.tap_stride]
        for k in range(_LANES):
            row = (vector * plan.channel_blocks + block) * _LANES + k
            source, target = address(scratch, k * _LANES), address(packed, shift + row * _LANES)
            across = _LANES * _LANES
            if plan.size == 4:
                _filter_4(source, 3 * across, across, target, plan.packed_stride)
            else:
                _filter_2(source, 3 * across, across, target, plan.packed_stride)


@compiled()
def _transform_pieces(first, tiles, plan, x, zeros, pieces, shift):
    image, i, j = _place(first, plan)
    reach = plan.size + 2
    blank = address(zeros, 0)
    panel = plan.positions * _CELL
    for t in range(tiles):
        r, q = i * plan.size - plan.top, j * plan.size - plan.left
        rows = (max(0, -r), min(reach, plan.height - r))
        columns = (max(0, -q), min(reach, plan.width - q))
        at = ((image * plan.height + r) * plan.width + q) * plan.channels
        row = plan.width * plan.channels
        cell = shift + t // _ROWS * plan.channel_blocks * panel + t % _ROWS * _LANES
        for block in range(plan.channel_blocks):
            source = address(x, at + block * _LANES)
            target = address(pieces, cell + block * panel)
            left = plan.channels - block * _LANES
            if plan.size == 4:
                _piece_4(source, row, plan.channels, rows, columns, left, blank, target)
            else:
                _piece_2(source, row, plan.channels, rows, columns, left, blank, target)
        image, i, j = _next(image, i, j, plan)


@compiled()
def _place(tile, plan):
    row, j = tile // plan.across, tile % plan.across
    return row // plan.down, row % plan.down, j


@compiled()
def _next(image, i, j, plan):
    j += 1
    if j == plan.across:
        j = 0
        i += 1
        if i == plan.down:
            i = 0
            image += 1
    return image, i, j


@compiled()
def _multiply(begin, tiles, first, last, plan, x, pieces, piece_shift, packed, shift, sums, sum_shift, out):
    panel = plan.channel_blocks * _LANES * _LANES
    groups = -(-tiles // _ROWS)
    done, units = 0, tiles * plan.size
    here, there = _place(begin, plan), _place(begin + plan.block, plan)
    for p in range(plan.positions):
        while done * plan.positions < p * units:
            row = done % plan.size
            _fetch(here, there, row, plan, x, out)
            done += 1
            if row + 1 == plan.size:
                here, there = _next(here[0], here[1], here[2], plan), _next(there[0], there[1], there[2], plan)
        right = shift + p * plan.packed_stride
        vector = first
        while vector < last:
            for group in range(groups):
                source = address(pieces, piece_shift + (group * plan.channel_blocks * plan.positions + p) * _CELL)
                factors = address(packed, right + vector * panel)
                target = address(sums, sum_shift + ((group * plan.set_step + vector - first) * plan.positions + p) * _CELL)
                if vector + 1 < last:
                    if plan.size == 4:
                        _two_4(plan.channel_blocks, source, factors, panel, target)
                    else:
                        _two_2(plan.channel_blocks, source, factors, panel, target)
                else:
                    if plan.size == 4:
                        _one_4(plan.channel_blocks, source, factors, panel, target)
                    else:
                        _one_2(plan.channel_blocks, source, factors, panel, target)
            vector += 2


@compiled()
def _fetch(here, there, row, plan, x, out):
    image, i, j = here
    at = ((image * plan.out_height + i * plan.size + row) * plan.out_width + j * plan.size) * plan.filters
    for k in range(0, plan.size * plan.filters, 16):
        fetch_to_write(address(out, at + k))
    image, i, j = there
    at = ((image * plan.height + i * plan.size - plan.top + 2 + row) * plan.width + j * plan.size - plan.left + 2) * plan.channels
    for k in range(0, plan.size * plan.channels, 16):
        fetch_to_read(address(x, at + k))


@compiled()
def _transform_results(begin, tiles, first, last, plan, sums, shift, start, floor, out):
    image, i, j = _place(begin, plan)
    row = plan.out_width * plan.filters
    panel = plan.positions * _CELL
    for t in range(tiles):
        r, q = i * plan.size, j * plan.size
        at = ((image * plan.out_height + r) * plan.out_width + q) * plan.filters
        cell = shift + t // _ROWS * plan.set_step * panel + t % _ROWS * _LANES
        for vector in range(first, last):
            source = address(sums, cell + (vector - first) * panel)
            target = address(out, at + vector * _LANES)
            left = plan.filters - vector * _LANES
            begin_ = address(start, vector * _LANES)
            if plan.size == 4:
                _result_4(source, begin_, floor, target, row, plan.filters, plan.out_height - r, plan.out_width - q, left)
            else:
                _result_2(source, begin_, floor, target, row, plan.filters, plan.out_height - r, plan.out_width - q, left)
        image, i, j = _next(image, i, j, plan)
