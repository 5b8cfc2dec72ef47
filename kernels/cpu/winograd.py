"""Convolution with 3x3 filters by Winograd's algorithm."""

from typing import NamedTuple, Any

import numba
import numpy as np

from tinygrad_cnn.kernels.cpu.memory import address, clear_run
from tinygrad_cnn.kernels.cpu.vectors import lanes
from tinygrad_cnn.kernels.cpu.winograd_product import (
    ROWS,
    ROWS_OF_ONE,
    ROWS_OF_TWO,
    multiply_one,
    multiply_two,
)
from tinygrad_cnn.kernels.cpu.winograd_transforms import (
    POINTS_OF_4,
    POINTS_OF_6,
    make_guarded_transform,
    make_result_transform,
    make_transform,
    matrices,
)
from tinygrad_cnn.kernels.geometry import Convolution, Window
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements

_LANES = lanes(np.float32)

_RESULT_4, _FILTER_4, _PIECE_4 = matrices(4, 3, POINTS_OF_6)
_result_4 = make_result_transform(_RESULT_4)
_filter_4 = make_transform(_FILTER_4)
_piece_4 = make_guarded_transform(_PIECE_4)
_RESULT_2, _FILTER_2, _PIECE_2 = matrices(2, 3, POINTS_OF_4)
_result_2 = make_result_transform(_RESULT_2)
_filter_2 = make_transform(_FILTER_2)
_piece_2 = make_guarded_transform(_PIECE_2)

# Tuned by measurement, never by the number of threads.
_FORK = 2_000_000
_SCRATCH = 400 * 1024
_MOST = 96
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
    piece_stride: int
    packed_stride: int
    sum_stride: int


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
    per_tile = positions * 4 * (channel_blocks + vectors) * _LANES
    block = max(1, min(_MOST, _SCRATCH // per_tile) // ROWS) * ROWS
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
        (channel_blocks * block + 1) * _LANES,
        (vectors * channel_blocks * _LANES + 1) * _LANES,
        (set_step * block + 1) * _LANES,
    )
    packed = np.empty(positions * plan.packed_stride + 16, np.float32)
    start = np.zeros(vectors * _LANES, np.float32)
    start[: bias.size] = bias
    work = positions * channels * filters
    _share(0, vectors, 8 * work > threshold, plan, weight, x, packed, start, floor, out)
    tasks = -(-blocks // step) * sets
    _share(1, tasks, tiles * work > threshold, plan, weight, x, packed, start, floor, out)


@compiled(parallel=True)
def _share(stage, tasks, fork, plan, weight, x, packed, start, floor, out):
    if fork:
        for task in numba.prange(tasks):
            _one_task(stage, np.intp(task), plan, weight, x, packed, start, floor, out)
    else:
        for task in range(tasks):
            _one_task(stage, task, plan, weight, x, packed, start, floor, out)


@compiled()
def _one_task(stage, task, plan, weight, x, packed, start, floor, out):
    shift = _shift(packed)
    if stage == 0:
        _transform_filters(task, plan, weight, np.empty(9 * _LANES * _LANES, np.float32), packed, shift)
        return
    some, part = task // plan.sets, task % plan.sets
    pieces = np.empty(plan.positions * plan.piece_stride + 16, np.float32)
    sums = np.empty(plan.positions * plan.sum_stride + 16, np.float32)
    zeros = np.zeros(_LANES, np.float32)
    first = part * plan.set_step
    last = min(first + plan.set_step, plan.vectors)
    for block in range(some * plan.step, min(some * plan.step + plan.step, plan.blocks)):
        tiles = min(plan.block, plan.tiles - block * plan.block)
        _transform_pieces(block * plan.block, tiles, plan, x, zeros, pieces, _shift(pieces))
        _multiply(tiles, first, last, plan, pieces, _shift(pieces), packed, shift, sums, _shift(sums))
        _transform_results(block * plan.block, tiles, first, last, plan, sums, _shift(sums), start, floor, out)


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
    for t in range(tiles):
        r, q = i * plan.size - plan.top, j * plan.size - plan.left
        rows = (max(0, -r), min(reach, plan.height - r))
        columns = (max(0, -q), min(reach, plan.width - q))
        at = ((image * plan.height + r) * plan.width + q) * plan.channels
        row = plan.width * plan.channels
        for block in range(plan.channel_blocks):
            source = address(x, at + block * _LANES)
            target = address(pieces, shift + (block * plan.block + t) * _LANES)
            left = plan.channels - block * _LANES
            if plan.size == 4:
                _piece_4(source, row, plan.channels, rows, columns, left, blank, target, plan.piece_stride)
            else:
                _piece_2(source, row, plan.channels, rows, columns, left, blank, target, plan.piece_stride)
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
def _multiply(tiles, first, last, plan, pieces, piece_shift, packed, shift, sums, sum_shift):
    panel = plan.channel_blocks * _LANES * _LANES
    for p in range(plan.positions):
        left = piece_shift + p * plan.piece_stride
        right = shift + p * plan.packed_stride
        below = sum_shift + p * plan.sum_stride
        vector = first
        while vector + 1 < last:
            for t in range(0, tiles, ROWS_OF_TWO):
                multiply_two(
                    plan.channel_blocks, address(pieces, left + t * _LANES), plan.block * _LANES,
                    address(packed, right + vector * panel), panel,
                    address(sums, below + ((vector - first) * plan.block + t) * _LANES), plan.block * _LANES,
                )
            vector += 2
        if vector < last:
            for t in range(0, tiles, ROWS_OF_ONE):
                multiply_one(
                    plan.channel_blocks, address(pieces, left + t * _LANES), plan.block * _LANES,
                    address(packed, right + vector * panel), panel,
                    address(sums, below + ((vector - first) * plan.block + t) * _LANES), plan.block * _LANES,
                )


@compiled()
def _transform_results(begin, tiles, first, last, plan, sums, shift, start, floor, out):
    image, i, j = _place(begin, plan)
    row = plan.out_width * plan.filters
    for t in range(tiles):
        r, q = i * plan.size, j * plan.size
        at = ((image * plan.out_height + r) * plan.out_width + q) * plan.filters
        for vector in range(first, last):
            source = address(sums, shift + ((vector - first) * plan.block + t) * _LANES)
            target = address(out, at + vector * _LANES)
            left = plan.filters - vector * _LANES
            begin_ = address(start, vector * _LANES)
            if plan.size == 4:
                _result_4(source, plan.sum_stride, begin_, floor, target, row, plan.filters, plan.out_height - r, plan.out_width - q, left)
            else:
                _result_2(source, plan.sum_stride, begin_, floor, target, row, plan.filters, plan.out_height - r, plan.out_width - q, left)
        image, i, j = _next(image, i, j, plan)
