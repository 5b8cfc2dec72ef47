"""Affine maps of a few rows: products that read the weight as it lies.

A register tile wants the weight in panels, and to pack it costs as much as to multiply a dozen
rows by it. For fewer rows nothing is packed. What is a sum over the weight's columns becomes
lane by lane sums of products, added up at the end; what is a sum over its rows, or an outer
product, fills vectors of neighbouring columns::

    forward      out[n,e] = Σ_d x[n,d] · w[e,d]       eight rows e at once share x
    grad_input   out[n,:] = Σ_e grad[n,e] · w[e,:]    sums stay in registers
    grad_weight  out[e,:] = Σ_n grad[n,e] · x[n,:]    as does each piece of a row

A task owns some rows of the weight, or some of its columns.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinygrad_cnn.kernels.cpu.instructions.registers import Registers
from tinygrad_cnn.kernels.cpu.instructions.simd import (
    first,
    lanes,
    load,
    load_masked,
    multiply_add,
    spread,
    store,
    store_masked,
)
from tinygrad_cnn.kernels.cpu.instructions.vectors import VECTOR_BYTES
from tinygrad_cnn.kernels.cpu.instructions.vectors import lanes as register_lanes
from tinygrad_cnn.kernels.cpu.loops import tasks
from tinygrad_cnn.kernels.cpu.loops.array_object import place_of_values, values_from
from tinygrad_cnn.kernels.cpu.loops.rows import (
    EXTRA,
    OUT,
    WEIGHT,
    X,
    number_of,
    number_of_rows,
    option_of,
    row_tasks,
    rows_of,
    run_rows,
    values_of,
)
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

#: Up to so many rows this is faster than a register tile; tuned by measurement.
FEW_ROWS = 6

_TOGETHER = 8  # sums under way at once
_CHEAP = 3  # multiply-adds that cost what an addition of two arrays does
_COLUMN_REGISTERS = 4  # of a vector of :mod:`~tinygrad_cnn.kernels.cpu.instructions.simd`


def forward(x: Array, weight: Array, bias: Array, floor: float, out: Array) -> None:
    """out[n,e] = max(floor, bias[e] + Σ_d weight[e,d] · x[n,d]); `bias` may be empty."""
    extra = bias if bias.size else None
    run_rows(_FORWARD, weight.shape, x, weight, None, out, extra, len(x), floor, _fork(x))


def grad_input(grad: Array, weight: Array, out: Array) -> None:
    """out[n,d] = Σ_e weight[e,d] · grad[n,e]."""
    count = _COLUMN_REGISTERS * register_lanes(out.dtype)
    filters, depth = weight.shape
    pieces = -(-depth // count), filters * count
    run_rows(_GRAD_INPUT, pieces, grad, weight, None, out, None, len(grad), depth, _fork(grad))


def grad_weight(grad: Array, x: Array, out: Array) -> None:
    """out[e,d] = Σ_n grad[n,e] · x[n,d]."""
    run_rows(_GRAD_WEIGHT, out.shape, x, None, None, out, grad, len(x), fork=_fork(x))


def _fork(rows: Array) -> int:
    """Return from how many values of the weight on threads share the work."""
    return _CHEAP * tasks._FORK // max(1, len(rows))


@intrinsic
def _dot_rows(typing_context: Any, x: Any, rows: Any, row_step: Any, used: Any, length: Any) -> Any:
    """_dot_rows(x, rows, row_step, used, length): Σ_k x[k] · rows[m · row_step + k], as a tuple.

    It has _TOGETHER sums; those for m >= used repeat the last one.
    """
    result = types.UniTuple(x.dtype, _TOGETHER)
    width = VECTOR_BYTES // (x.dtype.bitwidth // 8)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, rows, row_step, used, length = arguments
        word = length.type
        registers = Registers(builder, x.type.pointee, width)
        starts, totals = [], []
        for m in range(_TOGETHER):
            last = builder.sub(used, word(1))
            row = builder.select(builder.icmp_signed("<", word(m), used), word(m), last)
            starts.append(builder.gep(rows, [builder.mul(row, row_step)]))
            totals.append(cgutils.alloca_once_value(builder, registers.zeros))

        def add(at: Any, fetch: Any) -> None:
            right = fetch(builder.gep(x, [at]))
            for start, total in zip(starts, totals, strict=True):
                left = fetch(builder.gep(start, [at]))
                builder.store(registers.multiply_add(left, right, builder.load(total)), total)

        whole = builder.and_(length, word(-width))
        with cgutils.for_range_slice(builder, word(0), whole, word(width)) as (at, _):
            add(at, registers.load)
        with builder.if_then(builder.icmp_signed("<", whole, length)):
            mask = registers.first(builder.sub(length, whole))
            add(whole, lambda address: registers.load_first(address, mask))

        sums = []
        for total in totals:
            vector, half = builder.load(total), width // 2
            while half:  # fold the upper half of the lanes onto the lower one
                order = [(lane + half) % width for lane in range(width)]
                vector = builder.fadd(vector, registers.shuffle(vector, vector, order))
                half //= 2
            sums.append(builder.extract_element(vector, ir.IntType(32)(0)))
        return context.make_tuple(builder, result, sums)

    return result(x, rows, types.intp, types.intp, types.intp), generate


@compiled()
def _forward_rows(table: Any, part: int) -> None:
    begin, end, depth = rows_of(table, part)
    filters, images, floor = number_of_rows(table), option_of(table), number_of(table)
    bias, out = values_of(table, EXTRA), values_of(table, OUT)
    x, weight = values_of(table, X), values_of(table, WEIGHT)
    for e in range(begin, end, _TOGETHER):
        used = min(_TOGETHER, end - e)
        for n in range(images):
            row, rows = values_from(x, n * depth), values_from(weight, e * depth)
            sums = _dot_rows(row, rows, depth, used, depth)
            for m in range(used):
                total = sums[m]
                if place_of_values(bias) != 0:
                    total += bias[e + m]
                out[n * filters + e + m] = floor if total < floor else total


@compiled()
def _grad_input_pieces(table: Any, part: int) -> None:
    begin, end, values = rows_of(table, part)
    images, depth = option_of(table), np.intp(number_of(table))
    grad, weight, out = values_of(table, X), values_of(table, WEIGHT), values_of(table, OUT)
    count = lanes(out)
    filters = values // count
    for d in range(begin * count, min(end * count, depth), count):
        mask = first(out, depth - d)
        for n in range(0, images, 2):  # two share what is read of the weight
            m = min(n + 1, images - 1)
            one, other = spread(out, 0), spread(out, 0)
            for e in range(filters):
                at = e * depth + d
                right = load(weight, at) if d + count <= depth else load_masked(weight, at, mask)
                one = multiply_add(spread(out, grad[n * filters + e]), right, one)
                other = multiply_add(spread(out, grad[m * filters + e]), right, other)
            store_masked(one, out, n * depth + d, mask)
            store_masked(other, out, m * depth + d, mask)


@compiled()
def _grad_weight_rows(table: Any, part: int) -> None:
    begin, end, depth = rows_of(table, part)
    filters, images = number_of_rows(table), option_of(table)
    x, grad, out = values_of(table, X), values_of(table, EXTRA), values_of(table, OUT)
    count = lanes(out)
    whole = depth // count * count
    mask = first(out, depth - whole)
    for e in range(begin, end):
        for d in range(0, whole, count):
            total = spread(out, 0)
            for n in range(images):
                left = spread(out, grad[n * filters + e])
                total = multiply_add(left, load(x, n * depth + d), total)
            store(total, out, e * depth + d)
        if whole < depth:
            total = spread(out, 0)
            for n in range(images):
                left = spread(out, grad[n * filters + e])
                total = multiply_add(left, load_masked(x, n * depth + whole, mask), total)
            store_masked(total, out, e * depth + whole, mask)


_FORWARD, _GRAD_INPUT, _GRAD_WEIGHT = map(
    row_tasks, (_forward_rows, _grad_input_pieces, _grad_weight_rows)
)
