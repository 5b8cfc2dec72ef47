"""The matrix products between Winograd's transforms, on register tiles.

Each of the positions p of a transformed piece is a matrix product of its own: tiles by
channels, times channels by filters. The operands are laid out for it, so that a register
tile finds all it needs at constant distances (L is the number of lanes of a vector)::

    pieces   V[p][block of L channels][tile][L]
    filters  U[p][vector of L filters][channel][L]
    sums     M[p][vector of L filters][tile][L]
"""

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinygrad_cnn.kernels.cpu.vectors import TILE_ROWS
from tinygrad_cnn.kernels.cpu.winograd_transforms import registers_of

#: Tiles of an image that one register tile multiplies: by two vectors of filters, by one.
ROWS_OF_TWO, ROWS_OF_ONE = TILE_ROWS, 12

#: A number of tiles that both divide.
ROWS = 24

_UNROLLED = 4  # channels in the body of the innermost loop


def _make_product(rows: int, vectors: int) -> Any:
    """Return the product of `rows` tiles of an image by so many vectors of filters."""

    @intrinsic
    def product(
        typing_context: Any,
        blocks: Any,
        pieces: Any,
        block_stride: Any,
        filters: Any,
        filter_stride: Any,
        sums: Any,
        sum_stride: Any,
    ) -> Any:
        """sums[v][t][n] = Σ_b,k pieces[b][t][k] · filters[v][b·L + k][n].

        The strides lead from b to b + 1, and from v to v + 1.
        """
        signature = types.void(
            types.intp, pieces, types.intp, filters, types.intp, sums, types.intp
        )

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            blocks, pieces, block_stride, filters, filter_stride, sums, sum_stride = arguments
            registers = registers_of(builder, pieces)
            width, index = registers.vector.count, blocks.type
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
                left = builder.gep(pieces, [builder.mul(block.index, block_stride)])
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
                place = builder.gep(sums, [builder.mul(sum_stride, index(v))])
                for t, row in enumerate(totals):
                    target = builder.gep(place, [index(t * width)])
                    registers.store(builder.load(row[v]), target)
            return context.get_dummy_value()

        return signature, generate

    return product


multiply_two = _make_product(ROWS_OF_TWO, 2)
multiply_one = _make_product(ROWS_OF_ONE, 1)
