"""The three small linear maps of Winograd's convolution, one vector of channels at a time.

A 3x3 filter g slides over a 6x6 piece d of an image; the 4x4 results y take 144
multiplications for each pair of channels. Winograd's algorithm F(4x4,3x3) takes 36::

    y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A          ⊙ multiplies element by element

(Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", section 4.1,
equation 12). The idea behind it is Toom and Cook's: g and y are coefficients of
polynomials, a product of polynomials is known by its values at enough points, and at a
point it is one multiplication. :func:`matrices` makes Aᵀ, G and Bᵀ for any set of points.

Channels do not mix in the maps, so they run on vectors of channels: a 6x6 piece is 36
registers, and a map of it is a fixed list of additions and multiplications by constants.
:func:`apply` writes that list; points that come in pairs ±p save it half of the work.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from tinygrad_cnn.kernels.cpu.registers import Registers
from tinygrad_cnn.kernels.cpu.vectors import VECTOR_BYTES

Matrix = tuple[tuple[Fraction, ...], ...]

# The points where polynomials are multiplied, infinity besides.
POINTS_OF_4 = (Fraction(0), Fraction(1), Fraction(-1))
POINTS_OF_6 = (Fraction(0), Fraction(1), Fraction(-1), Fraction(2), Fraction(-2))


def matrices(outputs: int, taps: int, points: Sequence[Fraction]) -> tuple[Matrix, Matrix, Matrix]:
    """Return Aᵀ, G and Bᵀ of F(outputs, taps): y = Aᵀ [(G g) ⊙ (Bᵀ d)].

    With points p_k, of which there are outputs + taps - 2 and infinity:

    - Aᵀ[i,k] = p_k^i, and infinity meets the last output only;
    - G[k,u] = p_k^u / Π_l≠k (p_k - p_l), and infinity the last tap;
    - row k of Bᵀ holds the coefficients of Π_l≠k (x - p_l); infinity has those of the
      product over all points.

    Examples
    --------
    >>> _, _, transform = matrices(2, 3, POINTS_OF_4)
    >>> [[int(value) for value in row] for row in transform]
    [[-1, 0, 1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]]
    """
    last = (Fraction(0),)
    a = [[p**i for p in points] + [Fraction(i == outputs - 1)] for i in range(outputs)]
    g, b = [], []
    for k, p in enumerate(points):
        others = [q for j, q in enumerate(points) if j != k]
        product = Fraction(1)
        for q in others:
            product *= p - q
        g.append(tuple(p**u / product for u in range(taps)))
        b.append(_polynomial(others) + last)
    g.append(tuple(Fraction(u == taps - 1) for u in range(taps)))
    b.append(_polynomial(points))
    return tuple(map(tuple, a)), tuple(g), tuple(b)


def _polynomial(roots: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Return the coefficients of Π (x - root), that of x⁰ first."""
    product = np.array([Fraction(1)])
    for root in roots:
        product = np.convolve(product, np.array([-root, Fraction(1)]))
    return tuple(product)


def apply(registers: Registers, matrix: Matrix, values: Sequence[Any]) -> list[Any]:
    """Build `matrix` · `values` for a list of registers, in few instructions.

    Two rows that differ in some signs only, as the points p and -p make them, are the sum
    and the difference of an even and of an odd part. Two columns that do are met by the sum
    and the difference of their values. Both halve the multiplications.
    """
    rows, values = [list(row) for row in matrix], list(values)
    for left, right in _pairs(list(zip(*rows, strict=True))):
        total = registers.builder.fadd(values[left], values[right])
        difference = registers.builder.fsub(values[left], values[right])
        values[left], values[right] = total, difference
        for row in rows:
            same = row[left] == row[right]
            row[left], row[right] = (row[left], Fraction(0)) if same else (Fraction(0), row[left])
    results: dict[int, Any] = {}
    for k, opposite in _pairs(rows):
        even = [(a + b) / 2 for a, b in zip(rows[k], rows[opposite], strict=True)]
        odd = [(a - b) / 2 for a, b in zip(rows[k], rows[opposite], strict=True)]
        scale = abs(next(c for c in reversed(odd) if c))
        common = _sum(registers, even, values)
        differing = _sum(registers, [c / scale for c in odd], values)
        results[k] = _add(registers, common, scale, differing)
        results[opposite] = _add(registers, common, -scale, differing)
    return [
        results[k] if k in results else _sum(registers, row, values) for k, row in enumerate(rows)
    ]


def _pairs(rows: Sequence[Sequence[Fraction]]) -> list[tuple[int, int]]:
    """Return disjoint pairs of rows with the same magnitudes, some signs equal and some not."""
    pairs: list[tuple[int, int]] = []
    for k, row in enumerate(rows):
        for other in range(k + 1, len(rows)):
            entries = [(a, b) for a, b in zip(row, rows[other], strict=True) if a or b]
            alike = {a == b for a, b in entries} == {True, False}
            if alike and all(abs(a) == abs(b) for a, b in entries):
                pairs.append((k, other))
    return pairs


def _sum(registers: Registers, row: Sequence[Fraction], values: Sequence[Any]) -> Any:
    """Build Σ row[k] · values[k], begun at a value that need not be multiplied."""
    terms = sorted(
        ((c, value) for c, value in zip(row, values, strict=True) if c),
        key=lambda term: term[0] != 1,
    )
    factor, total = terms[0]
    if factor != 1:
        total = registers.builder.fmul(registers.constant(factor), total)
    for factor, value in terms[1:]:
        total = _add(registers, total, factor, value)
    return total


def _add(registers: Registers, total: Any, factor: Fraction, value: Any) -> Any:
    """Build total + factor · value."""
    if factor == 1:
        return registers.builder.fadd(total, value)
    if factor == -1:
        return registers.builder.fsub(total, value)
    return registers.multiply_add(registers.constant(factor), value, total)


def apply_on_both_sides(
    registers: Registers, matrix: Matrix, piece: Sequence[Sequence[Any]]
) -> list[list[Any]]:
    """Build matrix · piece · matrixᵀ for a square of registers."""
    columns = [apply(registers, matrix, column) for column in zip(*piece, strict=True)]
    return [apply(registers, matrix, row) for row in zip(*columns, strict=True)]


def square_of(
    builder: Any, address: Any, row_stride: Any, column_stride: Any, size: int
) -> list[list[Any]]:
    """Build the addresses of size x size elements, so many values apart."""
    rows = [
        builder.gep(address, [builder.mul(row_stride, row_stride.type(r))]) for r in range(size)
    ]
    steps = [builder.mul(column_stride, column_stride.type(q)) for q in range(size)]
    return [[builder.gep(row, [step]) for step in steps] for row in rows]


def make_transform(matrix: Matrix) -> Any:
    """Return an intrinsic that maps a square piece of one vector of channels.

    ::

        transform(source, row_stride, column_stride, target, target_stride)

    reads the vectors ``d[r,q]`` at ``source + r·row_stride + q·column_stride`` and writes
    element (i, j) of matrix · d · matrixᵀ, which has k columns, to ``target +
    (i·k + j)·target_stride``. Strides are counted in values.
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

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, row_stride, column_stride, target, target_stride = arguments
            registers = registers_of(builder, source)
            places = square_of(builder, source, row_stride, column_stride, len(matrix[0]))
            piece = [[registers.load(place) for place in row] for row in places]
            store_in_order(
                registers, apply_on_both_sides(registers, matrix, piece), target, target_stride
            )
            return context.get_dummy_value()

        return signature, generate

    return transform


def make_guarded_transform(matrix: Matrix) -> Any:
    """Return the intrinsic of :func:`make_transform` for a piece that is partly outside.

    ::

        transform(source, row_stride, column_stride, rows, columns, channels, zeros,
                  target, target_stride)

    Rows from ``rows[0]`` to before ``rows[1]``, and columns likewise, lie inside of the image,
    and so do the first `channels` values of a vector. What lies outside counts as zero and is
    never read: an address of it becomes that of `zeros`, which are one vector of them.
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
        target_stride: Any,
    ) -> Any:
        pair = types.UniTuple(types.intp, 2)
        signature = types.void(
            source, types.intp, types.intp, pair, pair, types.intp, zeros, target, types.intp
        )

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, row_stride, column_stride, rows, columns, channels, zeros, *rest = arguments
            registers = registers_of(builder, source)
            size = len(matrix[0])
            mask = registers.first(channels)
            down, across = (_inside(builder, limits, size) for limits in (rows, columns))
            places = square_of(builder, source, row_stride, column_stride, size)
            piece = [
                [
                    registers.load_first(
                        builder.select(builder.and_(down[r], across[q]), place, zeros), mask
                    )
                    for q, place in enumerate(row)
                ]
                for r, row in enumerate(places)
            ]
            store_in_order(registers, apply_on_both_sides(registers, matrix, piece), *rest)
            return context.get_dummy_value()

        return signature, generate

    return transform


def make_result_transform(matrix: Matrix) -> Any:
    """Return an intrinsic that maps a square of sums to the pixels of a result.

    ::

        transform(source, source_stride, start, floor, target, row_stride, column_stride,
                  rows, columns, channels)

    reads the n x n sums that :func:`make_transform` would write in that order, adds the
    vector at `start` to every element of matrix · sums · matrixᵀ, raises what lies below
    `floor` to it, and writes element (i, j) to ``target + i·row_stride + j·column_stride``
    where i < rows and j < columns: of a vector the first `channels` values. A NaN stays.
    """

    @intrinsic
    def transform(
        typing_context: Any,
        source: Any,
        source_stride: Any,
        start: Any,
        floor: Any,
        target: Any,
        row_stride: Any,
        column_stride: Any,
        rows: Any,
        columns: Any,
        channels: Any,
    ) -> Any:
        signature = types.void(
            source, types.intp, start, source.dtype, target, *(types.intp,) * 5
        )  # fmt: skip

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, source_stride, start, floor, target, row_stride, column_stride, *used = (
                arguments
            )
            registers = registers_of(builder, source)
            size, count = len(matrix), len(matrix[0])
            row = builder.mul(source_stride, source_stride.type(count))
            places = square_of(builder, source, row, source_stride, count)
            sums = [[registers.load(place) for place in row] for row in places]
            begin, least = registers.load(start), registers.spread(floor)
            values = [
                [_at_least(builder, least, builder.fadd(value, begin)) for value in row]
                for row in apply_on_both_sides(registers, matrix, sums)
            ]
            places = square_of(builder, target, row_stride, column_stride, size)
            _store_used(registers, values, places, used)
            return context.get_dummy_value()

        return signature, generate

    return transform


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


def store_in_order(
    registers: Registers, square: Sequence[Sequence[Any]], target: Any, stride: Any
) -> None:
    """Build the stores of a square of registers, row by row, `stride` values apart."""
    for k, value in enumerate(value for row in square for value in row):
        offset = registers.builder.mul(stride, stride.type(k))
        registers.store(value, registers.builder.gep(target, [offset]))


def _inside(builder: Any, limits: Any, size: int) -> list[Any]:
    """Build the tests whether k = 0 ... size - 1 lie between two limits."""
    first, last = (builder.extract_value(limits, k) for k in range(2))
    return [
        builder.and_(
            builder.icmp_signed(">=", first.type(k), first),
            builder.icmp_signed("<", first.type(k), last),
        )
        for k in range(size)
    ]
