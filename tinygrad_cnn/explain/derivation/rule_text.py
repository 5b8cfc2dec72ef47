"""Read the text of a rule as a formula: ``{δa} ∘ {a} ∘ (1 - {a})``.

Elements that work number by number declare all that there is to say in their rule, so that text
is their index form. This reads the notation of the rules: ∘ and · and a space multiply, ² and ^
raise, √, |x|, brackets such as [z > 0], and exp, log, tanh, sign, max and min. It is a descent
by precedence: sums of products of powers.
"""

import re
from collections.abc import Mapping

from tinygrad_cnn.errors import DataError
from tinygrad_cnn.explain.derivation.expression import (
    Condition,
    Expression,
    Number,
    Power,
    apply,
    expression,
    plus,
    times,
)

_TOKEN = re.compile(
    r"\s*(\{[^}]+\}|\d+(?:\.\d+)?(?:e[-+]?\d+)?|½|exp|log|tanh|sign|max|min|[A-Za-z]"
    r"|[-+∘·/^²√|()\[\],<>≤≥=])"
)
_FUNCTIONS = ("exp", "log", "tanh", "sign", "max", "min")
_RELATIONS = ("<", ">", "≤", "≥", "=")


def read_rule(text: str, symbols: Mapping[str, Expression]) -> Expression:
    """Return a rule with formulas in place of its symbols.

    Parameters
    ----------
    text : str
        As an element declares it, symbols in braces; a single letter stands for a size.
    symbols : mapping of str to Expression

    Raises
    ------
    DataError
        If it is no such text.
    """
    return _Reader(text, symbols).formula()


class _Reader:
    def __init__(self, text: str, symbols: Mapping[str, Expression]) -> None:
        self.text, self.symbols = text, symbols
        self.tokens: list[str] = []
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            if found is None:
                raise self.refusal(text[place:])
            self.tokens.append(found[1])
            place = found.end()
        self.at = 0
        self.bars = 0

    def refusal(self, got: str) -> DataError:
        return DataError(f"rule text: it is a formula of sums and products; got {self.text!r}, "
                         f"unclear at {got!r}")  # fmt: skip

    def formula(self) -> Expression:
        result = self.sum()
        if self.at < len(self.tokens):
            raise self.refusal(self.tokens[self.at])
        return result

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        """Go over the next token, which has to be one of those wanted."""
        token = self.next
        if wanted and token not in wanted:
            raise self.refusal(token)
        self.at += 1
        return token

    def sum(self) -> Expression:
        total = self.product()
        while self.next in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            total = plus(total, times(sign, self.product()))
        return total

    def product(self) -> Expression:
        if self.next == "-":
            self.take()
            return times(-1, self.product())
        result = self.power()
        while True:
            if self.next in ("∘", "·"):
                self.take()
                sign = self.sign()
                result = times(result, sign, self.power())
            elif self.next == "/":
                self.take()
                result = result / self.power()
            elif self.begins_factor():
                result = times(result, self.power())
            else:
                return result

    def sign(self) -> int:
        if self.next != "-":
            return 1
        self.take()
        return -1

    def begins_factor(self) -> bool:
        """Tell whether a factor follows without a sign between: ``2 (a + b)``."""
        token = self.next
        if token == "|":
            return self.bars == 0
        return bool(token) and (token[0] in "{([√½" or token[0].isalnum())

    def power(self) -> Expression:
        base = self.atom()
        while self.next in ("²", "^"):
            squared = self.take() == "²"
            base = Power(base, Number(2) if squared else self.atom())
        return base

    def atom(self) -> Expression:
        token = self.take()
        if token == "(":
            return self.closed(")")
        if token == "[":
            return self.condition()
        if token == "|":
            self.bars += 1
            inside = self.sum()
            self.take("|")
            self.bars -= 1
            return apply("abs", inside)
        if token == "√":
            return apply("sqrt", self.atom())
        if token == "½":
            return Number(0.5)
        if token in _FUNCTIONS:
            return self.function(token)
        if token[:1] == "{" or token.isalpha():
            name = token.strip("{}")
            if name not in self.symbols:
                raise self.refusal(token)
            return self.symbols[name]
        if token[:1].isdigit():
            return Number(float(token) if "." in token or "e" in token else int(token))
        raise self.refusal(token)

    def closed(self, end: str) -> Expression:
        inside = self.sum()
        self.take(end)
        return inside

    def function(self, name: str) -> Expression:
        self.take("(")
        arguments = [self.sum()]
        while self.next == ",":
            self.take()
            arguments.append(self.sum())
        self.take(")")
        return apply(name, *arguments)

    def condition(self) -> Expression:
        """Read [a < b], or [a < b < c], which is the product of two."""
        left, result = self.sum(), expression(1)
        while self.next in _RELATIONS:
            relation, right = self.take(), self.sum()
            result = times(result, Condition(left, relation, right))
            left = right
        self.take("]")
        return result
