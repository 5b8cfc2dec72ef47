"""The three transforms of Winograd's convolution as intrinsics, for one vector of channels."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tinygrad_cnn.kernels.cpu.instructions.registers import Registers
from tinygrad_cnn.kernels.cpu.instructions.vectors import VECTOR_BYTES
from tinygrad_cnn.kernels.cpu.winograd_steps.matrices import Matrix, apply_on_both_sides

#: Whether the processor has instructions that read a part of a vector. Without them all
#: channels of a vector are read, so there must be as many.
MASKED = VECTOR_BYTES > 16


def make_piece_transform(matrix: Matrix, target_stride: int) -> Any:
    """Return the intrinsic that maps a square piece of an image, which may lie partly outside.

    ::

        transform(source, row_stride, column_stride, rows, columns, channels, zeros, target)

    reads the vectors d[r,q] at ``source + r·row_stride + q·column_stride`` and writes element
    (i, j) of matrix · d · matrixᵀ, which has k columns, to ``target +
    (i·k + j)·target_stride``. Strides are counted in values.

    Rows from ``rows[0]`` to before ``rows[1]`` lie inside of the image, columns likewise, and
    so do the first `channels` values of a vector. What lies outside counts as zero and is not
    read: a row outside becomes the row of `zeros`, a column outside is masked.
    """

    @intrinsic
    def transform(
        typing_context: Any,
        source: Any,
        row_stride: Any,
        column_stride: Any,
        rows: Any,
        columns: Any,
        channels: Any,
        zeros: Any,
        target: Any,
    ) -> Any:
        pair = types.UniTuple(types.intp, 2)
        signature = types.void(
            source, types.intp, types.intp, pair, pair, types.intp, zeros, target
        )

        def build(builder: Any, *arguments: Any) -> None:
            source, row_stride, column_stride, *limits, channels, zeros, target = arguments
            registers, size = registers_of(builder, source), len(matrix[0])
            inside = [
                builder.and_(
                    builder.icmp_signed(">=", limit.type(k), limit),
                    builder.icmp_signed("<", limit.type(k), limits[2 * axis + 1]),
                )
                for axis, limit in enumerate(limits[::2])
                for k in range(size)
            ]
            steps = [builder.mul(column_stride, column_stride.type(q)) for q in range(size)]
            rows = [
                builder.gep(source, [builder.mul(row_stride, row_stride.type(r))])
                for r in range(size)
            ]
            places = [builder.select(inside[r], row, zeros) for r, row in enumerate(rows)]
            masks = [
                registers.first(builder.select(inside[size + q], channels, channels.type(0)))
                for q in range(size)
            ]

            def load(r: int, q: int) -> Any:
                place = builder.gep(places[r], [steps[q]])
                if MASKED:
                    return registers.load_first(place, masks[q])
                return registers.load(builder.select(inside[size + q], place, zeros))

            results = apply_on_both_sides(registers, matrix, load)
            _store_in_order(registers, results, target, channels.type(target_stride))

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, row_stride, column_stride, rows, columns, *rest = arguments
            limits = [builder.extract_value(pair, k) for pair in (rows, columns) for k in range(2)]
            _call(builder, build, source, row_stride, column_stride, *limits, *rest)
            return context.get_dummy_value()

        return signature, generate

    return transform


def make_filter_transform(matrix: Matrix) -> Any:
    """Return the intrinsic that maps a square filter.

    ::

        transform(source, row_stride, column_stride, target, target_stride)

    As :func:`make_piece_transform`, all of it inside.
    """

    @intrinsic
    def transform(
        typing_context: Any,
        source: Any,
        row_stride: Any,
        column_stride: Any,
        target: Any,
        target_stride: Any,
    ) -> Any:
        signature = types.void(source, types.intp, types.intp, target, types.intp)

        def build(builder: Any, *arguments: Any) -> None:
            source, row_stride, column_stride, target, target_stride = arguments
            registers = registers_of(builder, source)
            places = _square(builder, source, row_stride, column_stride, len(matrix[0]))
            rows = apply_on_both_sides(registers, matrix, lambda r, q: registers.load(places[r][q]))
            _store_in_order(registers, rows, target, target_stride)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _call(builder, build, *arguments)
            return context.get_dummy_value()

        return signature, generate

    return transform


def make_result_transform(matrix: Matrix, source_stride: int) -> Any:
    """Return the intrinsic that maps a square of sums to the pixels of a result.

    ::

        transform(source, start, floor, target, row_stride, column_stride,
                  rows, columns, channels)

    reads a square of sums, whose elements lie `source_stride` values apart row after row,
    adds the vector at `start` to every element of matrix · sums · matrixᵀ, raises what lies
    below `floor` to it, and writes element (i, j) to ``target + i·row_stride +
    j·column_stride`` where i < rows and j < columns: of a vector the first `channels` values.
    A NaN stays one.
    """

    @intrinsic
    def transform(
        typing_context: Any,
        source: Any,
        start: Any,
        floor: Any,
        target: Any,
        row_stride: Any,
        column_stride: Any,
        rows: Any,
        columns: Any,
        channels: Any,
    ) -> Any:
        signature = types.void(source, start, source.dtype, target, *(types.intp,) * 5)

        def build(builder: Any, *arguments: Any) -> None:
            source, start, floor, target, row_stride, column_stride, *used = arguments
            registers = registers_of(builder, source)
            size, stride = len(matrix), row_stride.type(source_stride)
            row = row_stride.type(source_stride * len(matrix[0]))
            places = _square(builder, source, row, stride, len(matrix[0]))
            begin, least = registers.load(start), registers.spread(floor)
            values = [
                [_at_least(builder, least, builder.fadd(value, begin)) for value in row]
                for _, row in apply_on_both_sides(
                    registers, matrix, lambda r, q: registers.load(places[r][q])
                )
            ]
            places = _square(builder, target, row_stride, column_stride, size)
            _store_used(registers, values, places, used)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _call(builder, build, *arguments)
            return context.get_dummy_value()

        return signature, generate

    return transform


def _call(builder: Any, build: Callable[..., None], *arguments: Any) -> None:
    """Call a function of its own that `build` writes.

    Built into the loop of its caller, LLVM would keep dozens of addresses on the stack from
    one vector to the next, which costs more than computing them anew.
    """
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    name = builder.module.get_unique_name("winograd_transform")
    function = ir.Function(builder.module, kind, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    inner = ir.IRBuilder(function.append_basic_block())
    build(inner, *function.args)
    inner.ret_void()
    builder.call(function, arguments)


def _square(
    builder: Any, address: Any, row_stride: Any, column_stride: Any, size: int
) -> list[list[Any]]:
    """Build the addresses of size x size elements, so many values apart."""
    rows = [
        builder.gep(address, [builder.mul(row_stride, row_stride.type(r))]) for r in range(size)
    ]
    steps = [builder.mul(column_stride, column_stride.type(q)) for q in range(size)]
    return [[builder.gep(row, [step]) for step in steps] for row in rows]


def _at_least(builder: Any, floor: Any, value: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", floor, value), floor, value)


def _store_used(
    registers: Registers,
    values: Sequence[Sequence[Any]],
    places: Sequence[Sequence[Any]],
    used: Sequence[Any],
) -> None:
    """Build the stores of the first rows, columns and channels of a square."""
    builder, size = registers.builder, len(values)
    rows, columns, channels = used
    limits = (size, size, registers.vector.count)
    enough = [
        builder.icmp_signed(">=", count, count.type(limit))
        for count, limit in zip(used, limits, strict=True)
    ]
    whole = builder.and_(builder.and_(enough[0], enough[1]), enough[2])
    with builder.if_else(whole) as (inside, at_the_edge):
        with inside:
            for i, j in np.ndindex(size, size):
                registers.store(values[i][j], places[i][j])
        with at_the_edge:
            mask = registers.first(channels)
            for i, j in np.ndindex(size, size):
                is_used = builder.and_(
                    builder.icmp_signed(">", rows, rows.type(i)),
                    builder.icmp_signed(">", columns, columns.type(j)),
                )
                with builder.if_then(is_used):
                    registers.store_first(values[i][j], places[i][j], mask)


def registers_of(builder: Any, address: Any) -> Registers:
    """Return the registers for values at an address."""
    element = address.type.pointee
    width = VECTOR_BYTES // (4 if str(element) == "float" else 8)
    return Registers(builder, element, width)


def _store_in_order(
    registers: Registers, rows: Iterable[tuple[int, list[Any]]], target: Any, stride: Any
) -> None:
    """Build the stores of numbered rows, whose elements lie `stride` values apart."""
    for i, row in rows:
        for j, value in enumerate(row):
            offset = registers.builder.mul(stride, stride.type(i * len(row) + j))
            registers.store(value, registers.builder.gep(target, [offset]))
