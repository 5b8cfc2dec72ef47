"""The register tile of Winograd's weight gradient: sums of outer products.

At each of the positions that Winograd's transforms lead to, the gradient of the weight is a
product of two tall matrices, error signal times image::

    total[m,n] += Σ_t a[t,m] · b[t,n]          t: tiles of the batch

Both operands were written by a transform, so they can lie as the tile likes them: in
*panels* one vector wide, t after t. A step of the tile then reads the next vectors of its
panels, with no strides and no tables of rows. The totals lie in squares of LANES x LANES,
one after the other: a tile reads and writes them from front to back.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinygrad_cnn.kernels.cpu.instructions.registers import Registers
from tinygrad_cnn.kernels.cpu.instructions.vectors import TILE_ROWS
from tinygrad_cnn.kernels.cpu.winograd_steps.strips import LANES

#: Filters of a tile of several panels: a divisor of LANES, so that no tile straddles panels.
#: Times three panels these are 24 accumulators of 32 registers (AVX-512), or 12 of 16.
ROWS = min(TILE_ROWS - TILE_ROWS % 4, LANES)


def _make_tile(rows: int, panels: int) -> Any:
    """Return the tile of `rows` filters by `panels` vectors of channels."""

    @intrinsic
    def tile(
        typing_context: Any,
        count: Any,
        a: Any,
        b: Any,
        b_panel: Any,
        totals: Any,
        begin: Any,
    ) -> Any:
        """Add `count` outer products.

        ::

            for m in range(rows), v in range(panels), n in range(LANES):
                total = 0
                for t in range(count):
                    total += a[t * LANES + m] * b[v * b_panel + t * LANES + n]
                if not begin:
                    total += totals[(v * LANES + m) * LANES + n]
                totals[(v * LANES + m) * LANES + n] = total

        Sums of blocks that are added up err less than one long sum.
        """
        signature = types.void(types.intp, a, b, types.intp, totals, types.boolean)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            count, a, b, b_panel, totals, begin = arguments
            registers = Registers(builder, a.type.pointee, LANES)
            step = count.type
            cells = [(m, v) for v in range(panels) for m in range(rows)]
            places, sums = {}, {}
            for m, v in cells:
                places[m, v] = builder.gep(totals, [step((v * LANES + m) * LANES)])
                sums[m, v] = cgutils.alloca_once(builder, registers.vector)
                builder.store(registers.zeros, sums[m, v])
            right = [builder.gep(b, [builder.mul(b_panel, step(v))]) for v in range(panels)]
            with cgutils.for_range(builder, count) as loop:
                at = builder.mul(loop.index, step(LANES))
                columns = [registers.load(builder.gep(panel, [at])) for panel in right]
                for m in range(rows):
                    value = builder.load(builder.gep(a, [builder.add(at, step(m))]))
                    spread = registers.spread(value)
                    for v, column in enumerate(columns):
                        total = builder.load(sums[m, v])
                        total = registers.multiply_add(spread, column, total)
                        builder.store(total, sums[m, v])
            with builder.if_else(begin) as (first, later):
                with first:
                    for cell, place in places.items():
                        registers.store(builder.load(sums[cell]), place)
                with later:
                    for cell, place in places.items():
                        total = builder.fadd(registers.load(place), builder.load(sums[cell]))
                        registers.store(total, place)
            return context.get_dummy_value()

        return signature, generate

    return tile


single = _make_tile(LANES, 1)
double = _make_tile(ROWS, 2)
triple = _make_tile(ROWS, 3)


@intrinsic
def add_vectors(typing_context: Any, count: Any, source: Any, step: Any, target: Any) -> Any:
    """Write to `target` the sum of `count` vectors, `step` values apart, in their order."""
    signature = types.void(types.intp, source, types.intp, target)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count, source, step, target = arguments
        registers = Registers(builder, source.type.pointee, LANES)
        total = cgutils.alloca_once_value(builder, registers.load(source))
        one = ir.Constant(count.type, 1)
        with cgutils.for_range(builder, builder.sub(count, one)) as loop:
            offset = builder.mul(builder.add(loop.index, one), step)
            value = registers.load(builder.gep(source, [offset]))
            builder.store(builder.fadd(builder.load(total), value), total)
        registers.store(builder.load(total), target)
        return context.get_dummy_value()

    return signature, generate
