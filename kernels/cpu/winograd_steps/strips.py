"""Winograd's transforms for strips of tiles: neighbours in a row of an image.

The map of a tile d, T d Tᵀ, is first T on its columns, then T on the rows of what came out.
The tiles of an image overlap by two columns, so in a strip the first half is done once for
each column of pixels and serves both neighbours::

    image    [r, q]  ──columns──▶  strip [q][a]  ──rows──▶  target [a, b][panel][t]

Each half works in registers on one vector of channels, and the strip stays in the cache next
to the processor. Pixels outside of the image count as zero.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinygrad_cnn.kernels.cpu.instructions.registers import Registers
from tinygrad_cnn.kernels.cpu.instructions.vectors import lanes
from tinygrad_cnn.kernels.cpu.loops.memory import address, clear_run
from tinygrad_cnn.kernels.cpu.winograd_steps.matrices import POINTS_OF_4, Matrix, apply, matrices
from tinygrad_cnn.kernels.jit import compiled
from tinygrad_cnn.kernels.layout import Array

#: Values of a vector, in float32.
LANES = lanes("float32")

#: Tiles of a strip, at most: its 34 columns take 13 KB with vectors of 64 bytes.
STRIP = 8
STRIP_VALUES = (4 * STRIP + 2) * 6 * LANES


def _without_fractions() -> tuple[Matrix, Matrix, Matrix]:
    """Return Aᵀ, G and Bᵀ of F(3, 4), the factors of G's rows moved to Aᵀ's columns.

    The map with Aᵀ runs once for a pair of channels, that with G for every tile.
    """
    a, g, b = matrices(3, 4, POINTS_OF_4)
    factors = [next(value for value in row if value) for row in g]
    whole = tuple(tuple(v / f for v in row) for row, f in zip(g, factors, strict=True))
    return tuple(tuple(v * f for v, f in zip(row, factors, strict=True)) for row in a), whole, b


_BACK, _ERROR, _IMAGE = _without_fractions()


def _make_column(matrix: Matrix, guarded: bool) -> Any:
    """Return an intrinsic that maps a column of pixels, `row` values apart, to neighbours.

    The guarded one reads the rows from `first` to before `last` and the first `channels`
    values of a vector; `zeros`, a vector of them, stand for the rest.
    """

    @intrinsic
    def column(
        typing_context: Any,
        source: Any,
        row: Any,
        first: Any,
        last: Any,
        channels: Any,
        zeros: Any,
        target: Any,
    ) -> Any:
        whole = types.intp
        signature = types.void(source, whole, whole, whole, whole, zeros, target)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, row, first, last, channels, zeros, target = arguments
            registers = Registers(builder, target.type.pointee, LANES)
            step, size = row.type, len(matrix[0])
            places = [builder.gep(source, [builder.mul(row, step(r))]) for r in range(size + 4)]
            for place in places[size:]:  # of the tiles below
                _prefetch(builder, place)
            if guarded:
                mask = registers.first(channels)
                values = []
                for r, place in enumerate(places[:size]):
                    inside = builder.and_(
                        builder.icmp_signed("<=", first, step(r)),
                        builder.icmp_signed(">", last, step(r)),
                    )
                    chosen = builder.select(inside, place, zeros)
                    values.append(registers.load_first(chosen, mask))
            else:
                values = [registers.load(place) for place in places[:size]]
            for k, value in enumerate(apply(registers, matrix, values)):
                registers.store(value, builder.gep(target, [step(k * LANES)]))
            return context.get_dummy_value()

        return signature, generate

    return column


def _make_row(matrix: Matrix) -> Any:
    """Return an intrinsic that maps a row of mapped columns, to places `step` values apart."""

    @intrinsic
    def row(typing_context: Any, source: Any, target: Any, step: Any) -> Any:
        signature = types.void(source, target, types.intp)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, target, step = arguments
            registers = Registers(builder, target.type.pointee, LANES)
            places = [
                builder.gep(source, [step.type(q * len(matrix) * LANES)])
                for q in range(len(matrix[0]))
            ]
            values = [registers.load(place) for place in places]
            for k, value in enumerate(apply(registers, matrix, values)):
                registers.store(value, builder.gep(target, [builder.mul(step, step.type(k))]))
            return context.get_dummy_value()

        return signature, generate

    return row


@intrinsic
def transform_back(typing_context: Any, source: Any, step: Any, target: Any) -> Any:
    """Map the vectors at ``source + (6 a + b) · step`` to ``target + (3 u + v) · LANES``."""
    signature = types.void(source, types.intp, target)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, step, target = arguments
        registers = Registers(builder, target.type.pointee, LANES)
        places = [builder.gep(source, [builder.mul(step, step.type(k))]) for k in range(36)]
        columns = [
            apply(registers, _BACK, [registers.load(place) for place in places[b::6]])
            for b in range(6)
        ]
        taps = [tap for row in zip(*columns, strict=True) for tap in apply(registers, _BACK, row)]
        for k, tap in enumerate(taps):
            registers.store(tap, builder.gep(target, [step.type(k * LANES)]))
        return context.get_dummy_value()

    return signature, generate


def _prefetch(builder: Any, place: Any) -> None:
    """Ask for the line of an address; the processor ignores one where nothing lies."""
    whole = ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [place.type, whole, whole, whole])
    ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(ask, [place, whole(0), whole(3), whole(1)])


_image_column, _guarded_image_column = (_make_column(_IMAGE, guarded) for guarded in (False, True))
_error_column, _guarded_error_column = (_make_column(_ERROR, guarded) for guarded in (False, True))
_image_row, _error_row = _make_row(_IMAGE), _make_row(_ERROR)


@compiled()
def transform_strip(
    more: int,
    tiles: int,
    array: Array,
    pixel: int,
    pixel_step: int,
    channels: int,
    height: int,
    width: int,
    row: int,
    left: int,
    scratch: Array,
    strip: int,
    target: int,
    step: int,
) -> None:
    """Write vector (a, b) of tile t to ``target + (6 a + b) · step + t · LANES``.

    The tiles are four pixels apart and `more` pixels larger than that: 2 of an image, 0 of an
    error signal. The first begins in `row` and column `left` of an image of `height` times
    `width` pixels, `pixel_step` values apart, whose first one is at `pixel`; `channels` of
    its values or a whole vector are used. In `scratch` there are zeros at `strip`, one vector
    of them, and room for STRIP_VALUES behind.
    """
    columns = 4 * tiles + more
    begin = min(columns, max(0, -left))
    end = max(begin, min(columns, width - left))
    first, last = max(0, -row), min(4 + more, height - row)
    inside = first == 0 and last == 4 + more and channels >= LANES
    line, column = width * pixel_step, 6 * LANES
    at = pixel + (row * width + left) * pixel_step
    zeros, goal = address(scratch, strip), strip + LANES
    clear_run(address(scratch, goal), begin * column)
    clear_run(address(scratch, goal + end * column), (columns - end) * column)
    for q in range(begin, end):
        source, mapped = address(array, at + q * pixel_step), address(scratch, goal + q * column)
        if more:
            if inside:
                _image_column(source, line, first, last, channels, zeros, mapped)
            else:
                _guarded_image_column(source, line, first, last, channels, zeros, mapped)
        elif inside:
            _error_column(source, line, first, last, channels, zeros, mapped)
        else:
            _guarded_error_column(source, line, first, last, channels, zeros, mapped)
    for t in range(tiles):
        for a in range(6):
            mapped = address(scratch, goal + 4 * t * column + a * LANES)
            place = address(scratch, target + 6 * a * step + t * LANES)
            if more:
                _image_row(mapped, place, step)
            else:
                _error_row(mapped, place, step)
