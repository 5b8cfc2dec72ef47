"""Winograd's matrices, and how to multiply by them in few instructions.

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

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tinygrad_cnn.kernels.cpu.instructions.registers import Registers
from tinygrad_cnn.kernels.cpu.instructions.vectors import TILE_ROWS

Matrix = tuple[tuple[Fraction, ...], ...]

#: Where the polynomials of F(2,3), and those of F(4,3), are multiplied; infinity besides.
#: Usual for F(4,3) are 0, ±1 and ±2. With these, whose powers lie closer together, the
#: largest rounding error was four times smaller; all powers that occur are exact.
POINTS_OF_2 = (Fraction(0), Fraction(1), Fraction(-1))
POINTS_OF_4 = (Fraction(0), Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2))

_MANY_REGISTERS = TILE_ROWS == 8  # 32 of them


def matrices(outputs: int, taps: int, points: Sequence[Fraction]) -> tuple[Matrix, Matrix, Matrix]:
    """Return Aᵀ, G and Bᵀ of F(outputs, taps): y = Aᵀ [(G g) ⊙ (Bᵀ d)].

    With points p_k, of which there are outputs + taps - 2 and infinity:

    - Aᵀ[i,k] = p_k^i, and infinity meets the last output only;
    - G[k,u] = p_k^u / Π_l≠k (p_k - p_l), and infinity the last tap;
    - row k of Bᵀ holds the coefficients of Π_l≠k (x - p_l); infinity has those of the
      product over all points.

    Examples
    --------
    >>> _, _, transform = matrices(2, 3, POINTS_OF_2)
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
            new = not any({k, other} & set(pair) for pair in pairs)
            if new and alike and all(abs(a) == abs(b) for a, b in entries):
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
        total = registers.builder.fmul(registers.constant(float(factor)), total)
    for factor, value in terms[1:]:
        total = _add(registers, total, factor, value)
    return total


def _add(registers: Registers, total: Any, factor: Fraction, value: Any) -> Any:
    """Build total + factor · value."""
    if factor == 1:
        return registers.builder.fadd(total, value)
    if factor == -1:
        return registers.builder.fsub(total, value)
    return registers.multiply_add(registers.constant(float(factor)), value, total)


def apply_on_both_sides(
    registers: Registers, matrix: Matrix, load: Callable[[int, int], Any]
) -> Iterator[tuple[int, list[Any]]]:
    """Build matrix · d · matrixᵀ; yield the number of each row of it, and its registers.

    ``load(r, q)`` builds d[r,q]. A few rows of the result are made at a time, and what they
    need is loaded anew for each such group: a square of 6 x 6 does not fit into registers,
    and reading twice is cheaper than putting aside and fetching back.
    """
    for group in _groups(matrix):
        part = tuple(matrix[i] for i in group)
        needed = [r for r, column in enumerate(zip(*part, strict=True)) if any(column)]
        part = tuple(tuple(row[r] for r in needed) for row in part)
        columns = [
            apply(registers, part, [load(r, q) for r in needed]) for q in range(len(matrix[0]))
        ]
        for i, row in zip(group, zip(*columns, strict=True), strict=True):
            yield i, apply(registers, matrix, row)


def _groups(matrix: Matrix) -> list[list[int]]:
    """Return rows that are made together: so many pairs ±p as registers hold, then the rest."""
    pairs = [list(pair) for pair in _pairs(matrix)]
    if _MANY_REGISTERS:
        pairs = [[i for pair in pairs for i in pair]] if pairs else []
    rest = [i for i in range(len(matrix)) if not any(i in pair for pair in pairs)]
    return [*pairs, rest] if rest else pairs
