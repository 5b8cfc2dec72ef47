"""Formulas as Python: each line of a derivation as a function that anybody can run.

``Σ_{j<3} δ(y)[0,0,j]·x[0,0,j+v]`` becomes::

    sum(of["δ(y)"][0,0,j] * of["x"][0,0,j+v] for j in range(3))

Nothing of this package is needed to run it but the recorded arrays, by their names, and the few
words of :func:`vocabulary`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_cnn.explain.derivation.expression import (
    Apply,
    Array,
    Condition,
    Divide,
    Expression,
    FloorDivide,
    Largest,
    Modulo,
    Number,
    Power,
    Sum,
    Symbol,
    Value,
    walk,
)
from tinygrad_cnn.explain.derivation.lines import Line
from tinygrad_cnn.explain.derivation.notation import ATOM, POWER, PRODUCT, SUM, Notation

_RELATIONS = {"=": "==", "≠": "!=", "≤": "<=", "≥": ">="}


def _at(array: Any, *index: int, outside: float = 0.0) -> float:
    """Return a number of an array, or another one where the index lies outside."""
    inside = all(0 <= k < size for k, size in zip(index, array.shape, strict=True))
    return float(array[index]) if inside else outside


def _ratio(above: float, below: float) -> float:
    """Divide as arrays do: by zero too."""
    with np.errstate(all="ignore"):
        return float(np.float64(above) / np.float64(below))


def vocabulary() -> dict[str, Any]:
    """Return the words that the functions of a derivation use beside Python's own."""
    words: dict[str, Callable[..., Any]] = {"at": _at, "ratio": _ratio, "sign": np.sign}
    words |= {"exp": np.exp, "log": math.log, "sqrt": math.sqrt, "tanh": math.tanh}
    return {**words, "inf": math.inf}


class PythonNotation(Notation):
    """Formulas in Python."""

    def product(self, factors: Sequence[str]) -> str:
        return " * ".join(factors)

    def _number(self, formula: Number) -> tuple[str, int]:
        return repr(formula.value), ATOM if formula.value >= 0 else SUM

    def _symbol(self, formula: Symbol) -> tuple[str, int]:
        return formula.name.replace("'", "_"), ATOM

    def _value(self, formula: Value) -> tuple[str, int]:
        name = f"of[{self.name(formula.array)!r}]"
        index = ",".join(map(self.index, formula.index))
        if formula.padded and index:
            return f"at({name}, {index}{self.outside})", ATOM
        return f"{name}[{index or '()'}]", ATOM

    outside = ""  # what lies outside counts, if not 0

    def _divide(self, formula: Divide) -> tuple[str, int]:
        return f"ratio({self.write(formula.above)}, {self.write(formula.below)})", ATOM

    def _floordivide(self, formula: FloorDivide) -> tuple[str, int]:
        return f"({self.write(formula.whole, PRODUCT)})//{formula.by}", PRODUCT

    def _modulo(self, formula: Modulo) -> tuple[str, int]:
        return f"{self.write(formula.whole, POWER)} % {formula.by}", PRODUCT

    def _power(self, formula: Power) -> tuple[str, int]:
        base, exponent = self.write(formula.base, ATOM), self.write(formula.exponent, ATOM)
        return f"{base}**{exponent}", POWER

    def _apply(self, formula: Apply) -> tuple[str, int]:
        return f"{formula.function}({', '.join(map(self.write, formula.arguments))})", ATOM

    def comparison(self, formula: Condition) -> str:
        left, right = self.write(formula.left), self.write(formula.right)
        return f"{left} {_RELATIONS.get(formula.relation, formula.relation)} {right}"

    def _condition(self, formula: Condition) -> tuple[str, int]:
        return f"({self.comparison(formula)})", ATOM

    def _sum(self, formula: Sum) -> tuple[str, int]:
        return f"sum({self.terms(formula)})", ATOM

    def _largest(self, formula: Largest) -> tuple[str, int]:
        inner = PythonNotation()
        inner.outside = ", outside=-inf"
        return f"max({inner.terms(formula)})", ATOM

    def terms(self, formula: Sum) -> str:
        """Write the terms of a sum as a generator."""
        loops = " ".join(f"for {self.write(k)} in range({size})" for k, size in formula.over)
        where = " and ".join(map(self.comparison, formula.where))
        condition = f" if {where}" if where else ""
        return f"{self.write(formula.body)} {loops or 'for _ in (0,)'}{condition}"

    def name(self, array: Array) -> str:
        return array.name


def functions(lines: Sequence[Line]) -> str:
    """Return lines in letters as Python functions ``line_1``, ``line_2`` … of their letters."""
    python, text = PythonNotation(), Notation()
    parts, count = [], 0
    for line in lines:
        if line.index is not None:
            continue
        count += 1
        comment = f"# {line.label}: {text.write(line.left_side)}"
        if line.right is None:
            parts.append(f"{comment} is as it was recorded")
            continue
        given = ", ".join(python.write(letter) for letter in line.letters)
        parts.append(
            f"{comment}\ndef line_{count}({given}):\n    return {python.write(line.right)}"
        )
    return "\n\n".join(parts) + "\n"


def arrays_of(lines: Sequence[Line]) -> dict[str, Any]:
    """Return the recorded arrays that lines speak of, by their names."""
    found: dict[str, Any] = {}
    for line in lines:
        found[line.left.name] = line.left.data
        sides: list[Expression] = [] if line.right is None else list(walk(line.right))
        for part in sides:
            if isinstance(part, Value):
                found[part.array.name] = part.array.data
    return found
