"""Register tiles: the small matrix products that all convolutions and affine maps run on.

A processor multiplies far faster than it reads memory. A *register tile* therefore keeps a
small block of the result in registers for the whole sum, and per step reads one column of
`a` and one row of `b`, whose outer product it adds::

                                   b[k, 0:W]
                             ┌────────┬────────┐
                             │ vector │ vector │    W = 2 vectors
                             └────────┴────────┘
              a[0, k] ──▶    ┌────────┬────────┐
              a[1, k] ──▶    │  acc   │  acc   │    each a[m, k] is spread over a vector,
                 ⋮           ├────────┼────────┤    then acc[m, :] += a[m, k] · b[k, :]
              a[M-1, k] ──▶  │  acc   │  acc   │
                             └────────┴────────┘    M rows: 2 M accumulators

One step reads M + W values and does M · W multiply-adds. How large a tile the registers
hold depends on the processor (:mod:`~tinygrad_cnn.kernels.cpu.instructions.vectors`); in float32:

===========  =====  ===================  ============  ==========================
processor    M      W                    accumulators  reads for multiply-adds
===========  =====  ===================  ============  ==========================
AVX-512      8      2 vectors of 16      16 of 32      40 for 256: 6.4 for a read
AVX2         6      2 vectors of 8       12 of 16      22 for 96: 4.4 for a read
ARM          8      2 vectors of 4       16 of 32      16 for 64: 4 for a read
other x86    6      2 vectors of 4       12 of 16      14 for 48: 3.4 for a read
===========  =====  ===================  ============  ==========================

There are enough independent accumulators to keep every multiplier busy while earlier sums
are under way, and none of them touches memory before the sum is complete.

The sum runs over three nested loops, because the pixels under a filter lie in memory as
rows of columns of channels. The rows of `a` and of the result lie anywhere: tables give
their offsets. So one tile serves output pixels from several image rows, strided outputs,
and transposed operands.

A result of few columns would waste most of a wide tile, so there are three: two vectors,
one vector, and half a vector. Each is a module-level global, because Numba's cache never
finds an intrinsic that is a closure cell.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinygrad_cnn.kernels.cpu.instructions.registers import Registers
from tinygrad_cnn.kernels.cpu.instructions.vectors import (
    CHANNEL_ROWS,
    TALL_ROWS,
    TILE_ROWS,
    VECTOR_BYTES,
    lanes,
)
from tinygrad_cnn.kernels.jit import compiled

Widths = tuple[int, int, int]


def tile_widths(dtype: npt.DTypeLike) -> Widths:
    """Return the columns of the double, single and half tile for a dtype."""
    full = lanes(dtype)
    return 2 * full, full, full // 2


def best_width(columns: int, dtype: npt.DTypeLike) -> int:
    """Return the width of tile to cut `columns` columns into.

    A double tile reads the fewest values for its arithmetic. A narrower one is taken where
    the double one would spend more than a fifth of its work beyond the last column.

    Examples
    --------
    With vectors of 16 lanes 64 columns are two double tiles, 6 columns half a vector.
    """
    double, *narrower = tile_widths(dtype)
    best, least = double, -(-columns // double) * double
    for width in narrower:
        padded = -(-columns // width) * width
        if padded * 5 < least * 4:
            best, least = width, padded
    return best


def _make_tile(
    vectors: int, part: int, rows: int = TILE_ROWS, by_channel: bool = False, masked: bool = False
) -> Any:
    """Return the tile of `rows` rows by `vectors` vectors of ``1 / part`` register each.

    By channel there is a value of `a` for each column: a[m, k, n] in place of a[m, k]. Masked
    it reads no more columns of `a` and `b` than are used.
    """

    @intrinsic
    def tile(
        typing_context: Any,
        counts: Any,
        a: Any,
        a_rows: Any,
        a_strides: Any,
        b: Any,
        b_strides: Any,
        start: Any,
        start_rows: Any,
        floor: Any,
        out: Any,
        out_rows: Any,
        used_columns: Any,
    ) -> Any:
        """Fill one tile.

        ::

            for m in range(M), n in range(W):
                acc = start[start_rows[m] + n]
                for k0, k1, k2 in ndindex(counts):
                    acc += a[a_rows[m] + (k0, k1, k2) · a_strides (+ n by channel)]
                         * b[(k0, k1, k2) · b_strides + n]
                if n < used_columns:
                    out[out_rows[m] + n] = floor if acc < floor else acc
        """
        triple, table = types.UniTuple(types.intp, 3), types.CPointer(types.intp)
        signature = types.void(
            triple, a, table, triple, b, triple, start, table, a.dtype, out, table,
            types.intp,
        )  # fmt: skip
        width = VECTOR_BYTES // (a.dtype.bitwidth // 8) // part

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            counts, a, a_rows, a_strides, b, b_strides, start, start_rows, *target = arguments
            floor, out, out_rows, used_columns = target
            step = used_columns.type
            registers = Registers(builder, a.type.pointee, width)
            cells = [(m, v) for m in range(rows) for v in range(vectors)]
            totals = {}
            load = registers.load
            if masked:
                used = registers.first(used_columns)
                load = partial(registers.load_first, mask=used)
            for m, v in cells:
                totals[m, v] = cgutils.alloca_once(builder, registers.vector)
                row = builder.add(_entry(builder, start_rows, m), step(v * width))
                origin = builder.gep(start, [row])
                builder.store(registers.load(origin), totals[m, v])
            left_rows = [builder.gep(a, [_entry(builder, a_rows, m)]) for m in range(rows)]

            with nest(builder, counts, a_strides, b_strides) as (at_a, at_b):
                right = [
                    load(builder.gep(b, [builder.add(at_b, step(v * width))]))
                    for v in range(vectors)
                ]
                for m, row in enumerate(left_rows):
                    at = builder.gep(row, [at_a])
                    left = load(at) if by_channel else registers.spread(builder.load(at))
                    for v in range(vectors):
                        total = builder.load(totals[m, v])
                        total = registers.multiply_add(left, right[v], total)
                        builder.store(total, totals[m, v])

            least = registers.spread(floor)
            results, places = {}, {}
            for m, v in cells:
                value = builder.load(totals[m, v])
                below = builder.fcmp_ordered("<", value, least)  # never true of a NaN
                results[m, v] = builder.select(below, least, value)
                row = builder.add(_entry(builder, out_rows, m), step(v * width))
                places[m, v] = builder.gep(out, [row])
            whole = builder.icmp_signed(">=", used_columns, step(vectors * width))
            with builder.if_else(whole) as (inside, at_the_edge):
                with inside:
                    for cell, place in places.items():
                        registers.store(results[cell], place)
                with at_the_edge:
                    limits = [builder.sub(used_columns, step(v * width)) for v in range(vectors)]
                    masks = [registers.first(limit) for limit in limits]
                    for (m, v), place in places.items():
                        registers.store_first(results[m, v], place, masks[v])
            return context.get_dummy_value()

        return signature, generate

    return tile


def _entry(builder: Any, table: Any, m: int) -> Any:
    return builder.load(cgutils.gep_inbounds(builder, table, m))


@contextmanager
def nest(builder: Any, counts: Any, *strides: Any) -> Iterator[list[Any]]:
    """Open three nested loops, and yield the offsets that the strides add up to in them.

    What is built inside the ``with`` block becomes the body of the innermost.
    """
    with ExitStack() as loops:
        offsets = [counts.type.elements[0](0)] * len(strides)
        for d in range(3):
            steps = [builder.extract_value(stride, d) for stride in strides]
            count = builder.extract_value(counts, d)
            offsets = loops.enter_context(_loop(builder, count, offsets, steps))
        yield offsets


@contextmanager
def _loop(
    builder: Any, count: Any, offsets: Sequence[Any], steps: Sequence[Any]
) -> Iterator[list[Any]]:
    """Open a loop in which each offset grows by a step.

    LLVM would keep a pointer to the next value of each row beside that to the present one,
    twice as many as there are registers. Passing the offsets through an instruction that it
    cannot see into (an empty one) keeps it from that.
    """
    before, integer = builder.block, count.type
    head, body, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    left, *here = [builder.phi(integer) for _ in (count, *offsets)]
    for phi, value in zip((left, *here), (count, *offsets), strict=True):
        phi.add_incoming(value, before)
    builder.cbranch(builder.icmp_signed(">", left, integer(0)), body, after)
    builder.position_at_end(body)
    opaque = ir.InlineAsm(ir.FunctionType(integer, [integer]), "", "=r,0")
    here = [builder.call(opaque, [offset]) for offset in here]
    yield here
    following = [builder.add(offset, step) for offset, step in zip(here, steps, strict=True)]
    phis = head.instructions[: 1 + len(offsets)]
    for phi, value in zip(phis, (builder.sub(left, integer(1)), *following), strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)


_double = _make_tile(vectors=2, part=1)
_single = _make_tile(vectors=1, part=1)
_half = _make_tile(vectors=1, part=2)
_tall_double = _make_tile(vectors=2, part=1, rows=TALL_ROWS)
_tall_single = _make_tile(vectors=1, part=1, rows=TALL_ROWS)
_tall_half = _make_tile(vectors=1, part=2, rows=TALL_ROWS)
_channels = _make_tile(vectors=1, part=1, rows=CHANNEL_ROWS, by_channel=True)
_last_channels = _make_tile(vectors=1, part=1, rows=CHANNEL_ROWS, by_channel=True, masked=True)


@compiled(forceinline=True)
def multiply_tile(
    width: int,
    lanes: int,
    counts: Any,
    a: Any,
    a_rows: Any,
    a_strides: Any,
    b: Any,
    b_strides: Any,
    start: Any,
    start_rows: Any,
    floor: Any,
    out: Any,
    out_rows: Any,
    used_columns: int,
) -> None:
    """out[m,n] = max(floor, start[m,n] + Σ_k a[m,k] · b[k,n]) for n < used_columns.

    `width` names one of the :func:`tile_widths`; `lanes` is the number of columns in one
    register. The arrays are given by address
    (:func:`~tinygrad_cnn.kernels.cpu.loops.memory.address`). k = (k0, k1, k2) runs over `counts`;
    a[m,k] lies ``a_rows[m] + k·a_strides`` behind `a`, b[k,n] lies ``k·b_strides + n``
    behind `b`, start[m,n] ``start_rows[m] + n`` behind `start`, out[m,n]
    ``out_rows[m] + n`` behind `out`.

    All TILE_ROWS rows of the tables and all `width` columns of `b` and `start` are read and
    have to exist; where there are fewer rows to compute, the tables repeat the last one. A
    NaN stays a NaN; with minus infinity for `floor` so does every sum. The sum runs in the
    order of the loops, whatever the width: cutting a result into other tiles does not
    change it.
    """
    if width > lanes:
        _double(
            counts, a, a_rows, a_strides, b, b_strides, start, start_rows,
            floor, out, out_rows, used_columns,
        )  # fmt: skip
    elif width == lanes:
        _single(
            counts, a, a_rows, a_strides, b, b_strides, start, start_rows,
            floor, out, out_rows, used_columns,
        )  # fmt: skip
    else:
        _half(
            counts, a, a_rows, a_strides, b, b_strides, start, start_rows,
            floor, out, out_rows, used_columns,
        )  # fmt: skip


@compiled(forceinline=True)
def multiply_tall_tile(
    width: int,
    lanes: int,
    counts: Any,
    a: Any,
    a_rows: Any,
    a_strides: Any,
    b: Any,
    b_strides: Any,
    start: Any,
    start_rows: Any,
    floor: Any,
    out: Any,
    out_rows: Any,
    used_columns: int,
) -> None:
    """Do what :func:`multiply_tile` does, for TALL_ROWS rows."""
    if width > lanes:
        _tall_double(
            counts, a, a_rows, a_strides, b, b_strides, start, start_rows,
            floor, out, out_rows, used_columns,
        )  # fmt: skip
    elif width == lanes:
        _tall_single(
            counts, a, a_rows, a_strides, b, b_strides, start, start_rows,
            floor, out, out_rows, used_columns,
        )  # fmt: skip
    else:
        _tall_half(
            counts, a, a_rows, a_strides, b, b_strides, start, start_rows,
            floor, out, out_rows, used_columns,
        )  # fmt: skip


@compiled()
def multiply_channels(
    lanes: int,
    counts: Any,
    a: Any,
    a_rows: Any,
    a_strides: Any,
    b: Any,
    b_strides: Any,
    start: Any,
    start_rows: Any,
    floor: Any,
    out: Any,
    out_rows: Any,
    used_columns: int,
) -> None:
    """out[m,n] = max(floor, start[m,n] + Σ_k a[m,k,n] · b[k,n]) for n < used_columns.

    As :func:`multiply_tile`, but each of the columns, one register of them, has values of
    its own in `a`; a[m,k,n] lies ``a_rows[m] + k·a_strides + n`` behind `a`. There are
    CHANNEL_ROWS rows. No more columns of `a` and `b` are read than are used.
    """
    if used_columns >= lanes:
        _channels(
            counts, a, a_rows, a_strides, b, b_strides, start, start_rows,
            floor, out, out_rows, used_columns,
        )  # fmt: skip
    else:
        _last_channels(
            counts, a, a_rows, a_strides, b, b_strides, start, start_rows,
            floor, out, out_rows, used_columns,
        )  # fmt: skip
