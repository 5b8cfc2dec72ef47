"""Write formulas as text or LaTeX, with names or with the recorded numbers in their place.

With ``base=1`` indices are counted from 1, axes of size one are left out and a single index
stands behind its name, as on a blackboard: ``δ1·x2 + δ2·x3 + δ3·x4``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tinygrad_cnn.explain.derivation.evaluation import evaluate, letters_of, whole
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
    Plus,
    Power,
    Sum,
    Symbol,
    Times,
    Value,
    is_index,
    substituted,
    walk,
)
from tinygrad_cnn.explain.derivation.shortening import shortened

# How tightly parts are bound; what is bound looser than its place asks for stands in brackets.
SUM, PRODUCT, POWER, ATOM = 1, 2, 3, 4


def number(value: float) -> str:
    """Write a number with four digits; whole ones as they are."""
    if isinstance(value, int):
        return str(value)
    return f"{float(value) + 0.0:.4g}"  # + 0.0: a negative zero is written as 0


@dataclass
class Notation:
    """Formulas as plain text.

    Parameters
    ----------
    base : {0, 1}
        What indices are counted from.
    numbers : bool
        Write recorded numbers in place of names.
    short : int, optional
        Key of the value whose error signal is written as a bare δ.
    beginning : str
        What is left out of names, with … in its place.
    """

    base: int = 0
    numbers: bool = False
    short: int | None = None
    beginning: str = ""

    dot, minus, times_space = "·", "-", ""

    def rest(self, count: int) -> str:
        """Say how many terms are not written."""
        return f"… {count:,} more"

    def figure(self, value: float) -> str:
        """Write a result."""
        return number(value)

    # -- formulas --------------------------------------------------------------------------

    def write(self, formula: Expression, place: int = SUM) -> str:
        """Write a formula for a place that asks for parts bound as tightly as this."""
        text, level = getattr(self, f"_{type(formula).__name__.lower()}")(formula)
        return self.bracketed(text) if level < place else text

    def bracketed(self, text: str) -> str:
        """Put brackets around."""
        return f"({text})"

    def _number(self, formula: Number) -> tuple[str, int]:
        return number(formula.value), ATOM if formula.value >= 0 else SUM

    def _symbol(self, formula: Symbol) -> tuple[str, int]:
        return formula.name, ATOM

    def _value(self, formula: Value) -> tuple[str, int]:
        if self.numbers and not any(isinstance(each, Symbol) for each in walk(formula)):
            index = tuple(int(whole(each, {})) for each in formula.index)
            found = formula.array.data[index].item()
            return number(found), ATOM if found >= 0 else SUM
        return self.reference(formula.array, formula.index), ATOM

    def _plus(self, formula: Plus) -> tuple[str, int]:
        # Outside of indices a number comes first: 1 - a. What a Σ adds up ends where its line
        # ends: it comes last.
        first = not all(map(is_index, formula.terms))
        order = {Number: -int(first), Sum: 1, Largest: 1}
        terms = sorted(formula.terms, key=lambda term: order.get(type(term), 0))
        text = self.write(terms[0], PRODUCT if isinstance(terms[0], Sum) else SUM)
        for position, term in enumerate(terms[1:], 2):
            opposite = _opposite(term)
            last = position == len(terms) and not isinstance(term, Times | Divide)
            level = SUM if last and isinstance(term, Sum) else PRODUCT
            sign, shown = ("+", term) if opposite is None else (self.minus, opposite)
            text += f" {sign} {self.write(shown, level)}"
        return text, SUM

    def _times(self, formula: Times) -> tuple[str, int]:
        opposite = _opposite(formula)
        if opposite is not None:
            return f"{self.minus}{self.write(opposite, PRODUCT)}", SUM
        return self.product([self.write(each, POWER) for each in formula.factors]), PRODUCT

    def product(self, factors: Sequence[str]) -> str:
        """Write factors beside each other."""
        return self.dot.join(factors)

    def _divide(self, formula: Divide) -> tuple[str, int]:
        return f"{self.write(formula.above, PRODUCT)}/{self.write(formula.below, POWER)}", PRODUCT

    def _floordivide(self, formula: FloorDivide) -> tuple[str, int]:
        return f"⌊{self.write(formula.whole, PRODUCT)}/{formula.by}⌋", ATOM

    def _modulo(self, formula: Modulo) -> tuple[str, int]:
        return f"{self.write(formula.whole, PRODUCT)} mod {formula.by}", SUM

    def _power(self, formula: Power) -> tuple[str, int]:
        base = self.write(formula.base, ATOM)
        if formula.exponent == Number(2):
            return f"{base}²", POWER
        return f"{base}^{self.write(formula.exponent, ATOM)}", POWER

    def _apply(self, formula: Apply) -> tuple[str, int]:
        given = ", ".join(map(self.write, formula.arguments))
        if formula.function == "abs":
            return f"|{given}|", ATOM
        if formula.function == "sqrt":
            return f"√({given})", ATOM
        return f"{formula.function}({given})", ATOM

    def _condition(self, formula: Condition) -> tuple[str, int]:
        return f"[{self.comparison(formula)}]", ATOM

    def comparison(self, formula: Condition) -> str:
        """Write both sides of a condition."""
        left, right = (self.write(self.counted(each)) for each in (formula.left, formula.right))
        return f"{left} {formula.relation} {right}"

    def _sum(self, formula: Sum) -> tuple[str, int]:
        if self.numbers and not letters_of(formula):  # inside a term, as the mass of a softmax is
            total = float(evaluate(formula, {}, 0.0).value)
            return self.figure(total), ATOM if total >= 0 else SUM
        return f"Σ_{{{self.ranges(formula)}}} {self.write(formula.body, PRODUCT)}", SUM

    def _largest(self, formula: Largest) -> tuple[str, int]:
        return f"max_{{{self.ranges(formula)}}} {self.write(formula.body, PRODUCT)}", SUM

    def ranges(self, formula: Sum) -> str:
        """Write the letters of a sum with their ranges, and its conditions."""
        over = ", ".join(self.range(letter, size) for letter, size in formula.over)
        where = ", ".join(map(self.comparison, formula.where))
        return " | ".join(filter(None, (over, where)))

    def range(self, letter: Symbol, size: int) -> str:
        """Write which numbers a letter stands for."""
        return f"{letter.name}<{size}" if self.base == 0 else f"{letter.name}=1…{size}"

    # -- indices ---------------------------------------------------------------------------

    def counted(self, formula: Expression, more: int = 0) -> Expression:
        """Return a formula of letters that count from the base; values keep their own."""
        if self.base == 0:
            return formula
        letters = {each for each in walk(formula) if isinstance(each, Symbol)}
        by: dict[Symbol, Expression] = {letter: letter - 1 for letter in letters}
        return _outside_values(formula, by) + more

    def reference(self, array: Array, index: Sequence[Expression]) -> str:
        """Write a name with an index behind it."""
        shown = self.shown(array, index)
        name = self.name(array)
        if not shown:
            return name
        if self.base == 0 or len(shown) > 1:
            return f"{name}[{','.join(self.index(each) for each in shown)}]"
        text = self.index(shown[0])
        if isinstance(shown[0], Number):
            return f"{name}{text}"
        return f"{name}_{text}" if isinstance(shown[0], Symbol) else f"{name}_({text})"

    def shown(self, array: Array, index: Sequence[Expression]) -> list[Expression]:
        """Return the indices that are written, counted from the base."""
        shape = array.data.shape
        if self.base == 0:
            return list(index)
        pairs = zip(index, shape, strict=True)
        return [self.counted(each, 1) for each, size in pairs if size != 1]

    def index(self, formula: Expression) -> str:
        """Write an index, without spaces."""
        return self.write(formula).replace(" + ", "+").replace(" - ", "-")

    def name(self, array: Array) -> str:
        """Write the name of an array."""
        if array.key is not None and array.key == self.short:
            return "δ"
        return array.name if array.parameter else shortened(array.name, self.beginning)


def _opposite(formula: Expression) -> Expression | None:
    """Return what a minus sign stands before, if a formula begins with one."""
    if isinstance(formula, Number) and formula.value < 0:
        return Number(-formula.value)
    if isinstance(formula, Times):
        first = formula.factors[0]
        if isinstance(first, Number) and first.value < 0:
            rest = formula.factors[1:]
            kept = rest if first.value == -1 else (Number(-first.value), *rest)
            return kept[0] if len(kept) == 1 else Times(kept)
    if isinstance(formula, Divide):
        above = _opposite(formula.above)
        return None if above is None else Divide(above, formula.below)
    return None


def _outside_values(formula: Expression, by: dict[Symbol, Expression]) -> Expression:
    if isinstance(formula, Value):
        return formula
    if isinstance(formula, Symbol | Number):
        return substituted(formula, by)
    return formula.rebuilt(lambda part: _outside_values(part, by))


_LATEX_FUNCTIONS = {"sign": r"\operatorname{sign}", "log": r"\ln"}
_LATEX_RELATIONS = {"≠": r"\ne", "≤": r"\le", "≥": r"\ge"}


class LatexNotation(Notation):
    """Formulas in LaTeX."""

    def rest(self, count: int) -> str:
        return rf"\dots \text{{ {count:,} more}}"

    def figure(self, value: float) -> str:
        return _latex_number(value)

    def bracketed(self, text: str) -> str:
        return rf"\left({text}\right)"

    def product(self, factors: Sequence[str]) -> str:
        # Beside a name that begins with dots a thin space would read as something left out.
        sign = r" \cdot " if self.numbers or self.beginning else r" \, "
        return sign.join(factors)

    def _number(self, formula: Number) -> tuple[str, int]:
        return _latex_number(formula.value), ATOM if formula.value >= 0 else SUM

    def _value(self, formula: Value) -> tuple[str, int]:
        text, level = super()._value(formula)
        return (_scientific(text) if self.numbers else text), level

    def _divide(self, formula: Divide) -> tuple[str, int]:
        return rf"\frac{{{self.write(formula.above)}}}{{{self.write(formula.below)}}}", POWER

    def _floordivide(self, formula: FloorDivide) -> tuple[str, int]:
        return rf"\lfloor {self.write(formula.whole, PRODUCT)} / {formula.by} \rfloor", ATOM

    def _modulo(self, formula: Modulo) -> tuple[str, int]:
        return rf"{self.write(formula.whole, PRODUCT)} \bmod {formula.by}", SUM

    def _power(self, formula: Power) -> tuple[str, int]:
        return rf"{{{self.write(formula.base, ATOM)}}}^{{{self.write(formula.exponent)}}}", POWER

    def _apply(self, formula: Apply) -> tuple[str, int]:
        given = ", ".join(map(self.write, formula.arguments))
        if formula.function == "abs":
            return rf"\left|{given}\right|", ATOM
        if formula.function == "sqrt":
            return rf"\sqrt{{{given}}}", ATOM
        name = _LATEX_FUNCTIONS.get(formula.function, rf"\{formula.function}")
        return rf"{name}\left({given}\right)", ATOM

    def comparison(self, formula: Condition) -> str:
        left, right = (self.write(self.counted(each)) for each in (formula.left, formula.right))
        return f"{left} {_LATEX_RELATIONS.get(formula.relation, formula.relation)} {right}"

    def _sum(self, formula: Sum) -> tuple[str, int]:
        if self.numbers and not letters_of(formula):
            return super()._sum(formula)
        return rf"\sum_{{{self.ranges(formula)}}} {self.write(formula.body, PRODUCT)}", SUM

    def _largest(self, formula: Largest) -> tuple[str, int]:
        return rf"\max_{{{self.ranges(formula)}}} {self.write(formula.body, PRODUCT)}", SUM

    def ranges(self, formula: Sum) -> str:
        over = r",\, ".join(self.range(letter, size) for letter, size in formula.over)
        where = r",\, ".join(map(self.comparison, formula.where))
        both = list(filter(None, (over, where)))
        return both[0] if len(both) == 1 else rf"\substack{{{both[0]} \\ {both[1]}}}"

    def range(self, letter: Symbol, size: int) -> str:
        return f"{letter.name}<{size}" if self.base == 0 else rf"{letter.name}=1\dots {size}"

    def reference(self, array: Array, index: Sequence[Expression]) -> str:
        shown = r",\,".join(map(self.index, self.shown(array, index)))
        behind = f"_{{{shown}}}" if shown else ""
        if array.parameter:
            return rf"\frac{{\partial L}}{{\partial {upright(array.of)}{behind}}}"
        return f"{self.name(array)}{behind}"

    def name(self, array: Array) -> str:
        if array.key is not None and array.key == self.short:
            return r"\delta"
        name = shortened(array.of or array.name, self.beginning)
        return rf"\delta({upright(name)})" if array.of else upright(name)


_MARKS = {"_": r"\_", "#": r"\#", "…": r"{\dots}", "←": r" \leftarrow "}


def upright(name: str) -> str:
    r"""Return a name for LaTeX: a single letter is a variable, a word is a text.

    Marks stand between texts, where LaTeX and the browsers' MathJax read them alike.

    Examples
    --------
    >>> print(upright("x"), upright("C3.max_pool2d"))
    x \text{C3.max}\_\text{pool2d}
    """
    if len(name) == 1:
        return name
    pieces = re.split("([_#…←])", name)
    return "".join(_MARKS.get(each, rf"\text{{{each}}}") for each in pieces if each)


def _latex_number(value: float) -> str:
    return _scientific(number(value))


def _scientific(text: str) -> str:
    """Write 1.2e-05 as 1.2 · 10⁻⁵."""
    mantissa, e, exponent = text.partition("e")
    return text if not e or "{" in text else rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
