"""Squares of values transposed in registers.

As many vectors as a vector has lanes are a square matrix. It is transposed in log2(lanes)
rounds: each exchanges the off-diagonal quarters of blocks that are half as large as the
last, so eight rows take 3 · 8 shuffles instead of 64 loads of single values.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tinygrad_cnn.kernels.cpu.instructions.registers import Registers
from tinygrad_cnn.kernels.cpu.instructions.vectors import VECTOR_BYTES


@intrinsic
def transpose_square(
    typing_context: Any,
    source: Any,
    source_rows: Any,
    rows: Any,
    columns: Any,
    target: Any,
    target_rows: Any,
) -> Any:
    """target[target_rows[n] + m] = source[source_rows[m] + n] for m < rows, n < columns.

    Rows and columns are as many as a register has lanes, at most. Nothing else is read or
    written, in the tables neither.
    """
    table = types.CPointer(types.intp)
    signature = types.void(source, table, types.intp, types.intp, target, table)
    width = VECTOR_BYTES // (source.dtype.bitwidth // 8)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, source_rows, rows, columns, target, target_rows = arguments
        registers = Registers(builder, source.type.pointee, width)
        one = rows.type(1)

        def entry(table: Any, count: Any, k: int) -> Any:
            """Return entry k of a table, the last one that is used in place of others."""
            last = builder.sub(count, one)
            inside = builder.icmp_signed("<", rows.type(k), last)
            position = builder.select(inside, rows.type(k), last)
            return builder.load(builder.gep(table, [position]))

        across, down = registers.first(columns), registers.first(rows)
        vectors = [
            registers.load_first(builder.gep(source, [entry(source_rows, rows, m)]), across)
            for m in range(width)
        ]
        half = width // 2
        while half:
            low = [k // half % 2 * width + k - k // half % 2 * half for k in range(width)]
            high = [position + half for position in low]
            for m in range(width):
                if m // half % 2 == 0:
                    upper, lower = vectors[m], vectors[m + half]
                    vectors[m] = registers.shuffle(upper, lower, low)
                    vectors[m + half] = registers.shuffle(upper, lower, high)
            half //= 2
        none = ir.Constant(down.type, None)
        for n, vector in enumerate(vectors):
            used = builder.icmp_signed("<", rows.type(n), columns)
            place = builder.gep(target, [entry(target_rows, columns, n)])
            registers.store_first(vector, place, builder.select(used, down, none))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def copy_vector(typing_context: Any, target: Any, source: Any, count: Any) -> Any:
    """copy_vector(target, source, count): fill a register's worth of values.

    The first `count` are copied, the others become zero; nothing behind them is read.
    """
    signature = types.void(target, source, types.intp)
    width = VECTOR_BYTES // (source.dtype.bitwidth // 8)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, source, count = arguments
        registers = Registers(builder, source.type.pointee, width)
        registers.store(registers.load_first(source, registers.first(count)), target)
        return context.get_dummy_value()

    return signature, generate
