"""The matrix products between Winograd's transforms, on register tiles.

Each of the positions p of a transformed piece is a matrix product of its own: tiles by
channels, times channels by filters. The operands are laid out for it, so that a register
tile finds all it needs at constant distances (L is the number of lanes of a vector, G the
number of rows of a register tile)::

    pieces   V[group of G tiles][block of L channels][p][tile][L]
    filters  U[p][vector of L filters][channel][L]
    sums     M[group of G tiles][vector of L filters][p][tile][L]
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinygrad_cnn.kernels.cpu.instructions.vectors import TILE_ROWS
from tinygrad_cnn.kernels.cpu.winograd_steps.transforms import registers_of

_UNROLLED = 4  # channels in the body of the innermost loop


def make_product(positions: int, vectors: int) -> Any:
    """Return the product of a group of tiles by so many vectors of filters, at one position."""
    rows = TILE_ROWS

    @intrinsic
    def product(
        typing_context: Any,
        blocks: Any,
        pieces: Any,
        filters: Any,
        filter_stride: Any,
        sums: Any,
    ) -> Any:
        """sums[v][p][t][n] = Σ_b,k pieces[b][p][t][k] · filters[v][b·L + k][n].

        The addresses are those of p; `filter_stride` leads from v to v + 1.
        """
        signature = types.void(types.intp, pieces, filters, types.intp, sums)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            blocks, pieces, filters, filter_stride, sums = arguments
            registers = registers_of(builder, pieces)
            width, index = registers.vector.count, blocks.type
            stride = index(positions * rows * width)
            totals = [
                [cgutils.alloca_once(builder, registers.vector) for _ in range(vectors)]
                for _ in range(rows)
            ]
            for row in totals:
                for total in row:
                    builder.store(registers.zeros, total)
            panels = [
                builder.gep(filters, [builder.mul(filter_stride, index(v))]) for v in range(vectors)
            ]
            with cgutils.for_range(builder, blocks) as block:
                left = builder.gep(pieces, [builder.mul(block.index, stride)])
                first = builder.mul(block.index, index(width * width))
                with cgutils.for_range(builder, index(width // _UNROLLED)) as group:
                    at = builder.mul(group.index, index(_UNROLLED))
                    channel = builder.gep(left, [at])
                    at = builder.add(first, builder.mul(at, index(width)))
                    right = [builder.gep(panel, [at]) for panel in panels]
                    for k in range(_UNROLLED):
                        factors = [
                            registers.load(builder.gep(place, [index(k * width)]))
                            for place in right
                        ]
                        for t, row in enumerate(totals):
                            value = builder.load(builder.gep(channel, [index(t * width + k)]))
                            value = registers.spread(value)
                            for total, factor in zip(row, factors, strict=True):
                                grown = registers.multiply_add(value, factor, builder.load(total))
                                builder.store(grown, total)
            for v in range(vectors):
                place = builder.gep(sums, [builder.mul(stride, index(v))])
                for t, row in enumerate(totals):
                    target = builder.gep(place, [index(t * width)])
                    registers.store(builder.load(row[v]), target)
            return context.get_dummy_value()

        return signature, generate

    return product


@intrinsic
def fetch_to_write(typing_context: Any, place: Any) -> Any:
    """fetch_to_write(address): have the processor bring a line of memory that will be written."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _fetch(builder, arguments[0], 1)
        return context.get_dummy_value()

    return types.void(place), generate


@intrinsic
def fetch_to_read(typing_context: Any, place: Any) -> Any:
    """fetch_to_read(address): have the processor bring a line of memory that will be read."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _fetch(builder, arguments[0], 0)
        return context.get_dummy_value()

    return types.void(place), generate


def _fetch(builder: Any, place: Any, write: int) -> None:
    number = ir.IntType(32)
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(prefetch, [builder.bitcast(place, byte), number(write), number(3), number(1)])
