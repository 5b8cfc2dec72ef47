"""Derive: the chain rule of one recorded run, from its result to a parameter, step by step.

::

    δ(L)  ──▶  δ(output)  ──▶  δ(F6)  ──▶  …  ──▶  ∂L/∂C3.weight

Each arrow is an element, and each line the index sum that its error signal is: with the stride,
padding, dilation and groups of this layer, with the pixels that won their windows in this run,
and with a sum where a value was read by several. Lines are formulas, not words: they are
evaluated with the recorded numbers and compared with what the kernels computed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_cnn.errors import GraphError, KernelMismatchError, OptionError, ShapeError
from tinygrad_cnn.explain.derivation.chain import Chain, Contribution
from tinygrad_cnn.explain.derivation.expression import (
    Array,
    Expression,
    Symbol,
    expression,
    plus,
    substituted,
)
from tinygrad_cnn.explain.derivation.forms import WITHOUT_FORM, letters_for
from tinygrad_cnn.explain.derivation.lines import Check, Line
from tinygrad_cnn.explain.derivation.pages import Page, latex, markdown, text
from tinygrad_cnn.explain.derivation.python_notation import arrays_of, functions, vocabulary
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.recording import Kept
from tinygrad_cnn.explain.rendering.notebook import WithFormulas
from tinygrad_cnn.explain.rendering.saving import Forms
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.variable import Variable

MOST_LINES = 2_000  # of a complete derivation
FOLLOWED = 3  # error signals of one value that are derived further in a collapsed derivation


@dataclass
class Derivation(WithFormulas):
    """The chain rule of one run, line by line; printing it shows the text.

    Attributes
    ----------
    lines : list of Line
        From the result to what it was derived by.
    target : str
    notes : list of str
    """

    target: str
    lines: list[Line]
    notes: list[str]
    numbers: bool = False
    complete: bool = False
    base: int = 0
    short: int | None = None

    @cached_property
    def checks(self) -> "list[Check | None]":
        """How each line compares with what the kernels computed; None where nothing is said."""
        return [line.check() for line in self.lines]

    def disagreements(self) -> list[tuple[Line, Check]]:
        """Return the lines that kernels computed otherwise."""
        pairs = zip(self.lines, self.checks, strict=True)
        return [(line, check) for line, check in pairs if check is not None and not check.agrees]

    def check(self) -> "Derivation":
        """Refuse a derivation that kernels computed otherwise; return it else.

        Raises
        ------
        KernelMismatchError
            It names the first line, the place, and both numbers.
        """
        for line, found in self.disagreements():
            raise KernelMismatchError(
                f"derive: kernels compute what the chain rule says; got {found.computed:.6g} from "
                f"{line.label} where {line.left.name}{list(found.index)} is {found.said:.6g}, "
                f"with rounding to within {found.allowed:.2g}"
            )
        return self

    def page(self) -> Page:
        """Return what renderers print."""
        return Page(
            self.target, self.lines, self.checks, self.notes, self.numbers, self.complete,
            self.base, self.short,
        )  # fmt: skip

    def text(self) -> str:
        """Return plain text."""
        return text(self.page())

    def markdown(self) -> str:
        """Return Markdown with formulas in LaTeX."""
        return markdown(self.page())

    def latex(self) -> str:
        """Return LaTeX: an ``align*`` environment of amsmath."""
        return latex(self.page())

    def python(self) -> str:
        """Return the lines in letters as Python functions, ``line_1(n, k)`` and so on."""
        return functions(self.lines)

    def namespace(self) -> dict[str, Any]:
        """Return what :meth:`python` runs in: the recorded arrays as ``of``, and a few words.

        Examples
        --------
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
        >>> with tg.explain.record(keep="arrays"):
        ...     loss = (x * x).sum()
        ...     loss.backward()
        >>> derivation = tg.explain.derive(loss, "x")
        >>> names = derivation.namespace()
        >>> exec(derivation.python(), names)
        >>> float(names["line_3"](1)), x.grad.tolist()
        (4.0, [2.0, 4.0])
        """
        return {**vocabulary(), "of": arrays_of(self.lines)}

    def forms(self) -> Forms:
        """Return the forms of a file by their endings; .tex is LaTeX."""
        return {**super().forms(), ".tex": self.latex}

    def _repr_latex_(self) -> str:
        return self.latex()


def derive(
    result: Variable | GraphDump,
    of: str | Variable,
    index: int | Sequence[int] | None = None,
    *,
    numbers: bool = False,
    complete: bool = False,
    forward: bool = False,
    base: int = 0,
) -> Derivation:
    """Write out the chain rule of a recorded run from its result to one of its values.

    Parameters
    ----------
    result : Scalar, Tensor or GraphDump
        Usually a loss, computed and walked back inside ``record(keep="arrays")``.
    of : str or Variable
        A parameter (``"C3.weight"``), an input, or the output of a layer or element, whose error
        signal is meant (``"C3"``).
    index : int or sequence of int, optional
        One number of it; all of them, in letters, by default.
    numbers : bool
        Put the recorded numbers in.
    complete : bool
        Write long sums out, and derive every error signal that stands in them. By default a long
        sum shows its largest terms, and the largest is followed.
    forward : bool
        Begin with what the elements computed forward.
    base : {0, 1}
        What indices are counted from. With 1 it is written as on a blackboard: axes of size one
        are left out, and the last error signal is a bare δ.

    Returns
    -------
    Derivation
        ``print`` it, or call its ``text()``, ``markdown()`` or ``latex()``; ``check()`` refuses
        one that the kernels computed otherwise.

    Raises
    ------
    UnknownNameError
        If nothing of that name takes part; the message lists what does.
    ShapeError
        If the index lies outside.
    GraphError
        If no element computed the result, it was not walked back, or no error signal reached the
        value.
    OptionError
        If arrays were not kept, a complete derivation would be too long, or base is neither 0 nor
        1.

    Examples
    --------
    The example of the lectures: three outputs, made of five inputs by a filter of three weights.

    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[[1.0, 2.0, 3.0, 4.0, 5.0]]], requires_grad=True, name="x")
    >>> w = tg.Tensor([[[0.5, 0.0, -1.0]]], requires_grad=True, name="w")
    >>> with tg.explain.record(keep="arrays"):
    ...     loss = tg.functional.squared_error(tg.functional.conv1d(x, w), [[[1.0, 0.0, 2.0]]])
    ...     loss.backward()
    >>> derivation = tg.explain.derive(loss, "w", 2, base=1)
    >>> print(derivation.text().splitlines()[-3].strip())
    ∂L/∂w2 = δ1·x2 + δ2·x3 + δ3·x4
    """
    if base not in (0, 1) or isinstance(base, bool):
        raise OptionError(f"derive: indices are counted from base 0 or 1; got base {base!r}")
    chain = Chain(graph_of("derive", result))
    kept = target_of("derive", chain, of)
    name = chain.names[kept.key]
    place = None if index is None else place_of("derive", name, kept.shape, index, base)
    writer = _Writer(chain, kept.key, complete)
    lines = writer.forward_lines() if forward else []
    lines += writer.general() if place is None else writer.at(place)
    lines = [line for line in lines if line is not None]
    ways = chain.contributions(kept.key)
    short = ways[0].step.outputs[0].key if base == 1 and len(ways) == 1 else None
    options = {"numbers": numbers, "complete": complete, "base": base, "short": short}
    target = name if kept.is_leaf else f"δ({name})"
    return Derivation(target, lines, writer.notes, **options)  # type: ignore


def target_of(operation: str, chain: Chain, of: Any) -> Kept:
    """Return the value that is meant, if an error signal reached it."""
    if isinstance(of, Variable):
        known = [k for k in chain.values.values() if k._node is not None and k._node() is of.node]
        called = of.name or f"{type(of).__name__} of shape {of.shape}"
        kept = known[0] if known else chain.find(operation, called)
    else:
        kept = chain.find(operation, of)
    if chain.signal(kept.key) is None:
        reached = [n for key, n in chain.names.items() if chain.signal(key) is not None]
        raise GraphError(
            f"{operation}: an error signal reached {', '.join(reached)}; got "
            f"{chain.names[kept.key]}, which none did. Set its requires_grad before the run"
        )
    return kept


def place_of(operation: str, name: str, shape: Shape, index: Any, base: int) -> Shape:
    """Return an index counted from 0, or refuse it."""
    given = tuple(index) if isinstance(index, Iterable) else (index,)
    wanted = [size for size in shape if size != 1]
    if base == 1 and len(given) == len(wanted) != len(shape):  # as it is written
        rest = iter(given)
        given = tuple(1 if size == 1 else next(rest) for size in shape)
    fits = len(given) == len(shape) and all(
        isinstance(k, int | np.integer) and not isinstance(k, bool) and base <= k < size + base
        for k, size in zip(given, shape, strict=True)
    )
    if not fits:
        ranges = ", ".join(f"{base} to {size - 1 + base}" for size in shape) or "none"
        raise ShapeError(
            f"{operation}: an index of {name}, shape {shape}, has a number for each axis "
            f"({ranges}); got {index}"
        )
    return tuple(int(k) - base for k in given)


class _Writer:
    """Writes the lines from the result of a chain to one value."""

    def __init__(self, chain: Chain, target: int, complete: bool) -> None:
        self.chain, self.complete = chain, complete
        self.keys = chain.between(target)  # the target first, the result last
        self.notes: list[str] = []

    def forward_lines(self) -> list[Line]:
        """Return what the elements on the way computed."""
        steps = {id(made[0]): made[0] for key in self.keys if (made := self.chain.made.get(key))}
        lines = []
        for step in steps.values():
            form = self.chain.form(step)
            for position, kept in enumerate(step.outputs if form is not None else ()):
                told = form.output(position) if form is not None else None
                if told is not None:
                    array, unit = self.chain.array(kept.key), self.chain.unit(kept.key)
                    lines.append(Line(step.label, array, told.letters, told.right, unit))
            if form is not None and form.chosen is not None:
                array = self.chain.array(step.outputs[0].key)
                facts = form.chosen.letters, form.chosen.right, 0.0
                lines.append(Line(step.label, array, *facts, remark="the winners stand there"))
        return lines

    def general(self) -> list[Line]:
        """Return the lines in letters."""
        return [line for key in reversed(self.keys) for line in self.lines(key)]

    def lines(self, key: int) -> list[Line]:
        """Return the lines of one error signal: what came by each way, and their sum."""
        signal, unit = self.chain.signal(key), self.chain.unit(key)
        if signal is None:
            return []
        ways = self.chain.contributions(key)
        if key == self.chain.result or not ways:
            return [self.start(signal, unit)]
        if len(ways) == 1:
            return [self.way(ways[0], signal, unit)]
        parts = [self.chain.part(key, way) for way in ways]
        lines = [self.way(way, part, unit) for way, part in zip(ways, parts, strict=True)]
        given = letters_for(signal.data.shape)
        total = plus(*(part[given] for part in parts))
        return [*lines, Line("fan-in", signal, given, total, unit)]

    def start(self, signal: Array, unit: float) -> Line:
        """Return the line that a walk begins with."""
        right = expression(1) if (signal.data == 1).all() else None
        remark = "" if right is not None else "given to backward()"
        return Line("start", signal, letters_for(signal.data.shape), right, unit, None, remark)

    def way(self, way: Contribution, left: Array, unit: float) -> Line:
        """Return the line of one element."""
        form = self.chain.form(way.step)
        found = [] if form is None else [form.signals.get(k) for k in way.positions]
        equations = [each for each in found if each is not None]
        if not equations or len(equations) < len(way.positions):
            reason = WITHOUT_FORM.get(way.step.name, "its rule is not written out for this use")
            remark = f"{way.step.name} has no index form: {reason}. Its recorded signal is used"
            given = letters_for(left.data.shape)
            return Line(way.step.label, left, given, None, unit, None, remark)
        given = equations[0].letters
        right: Expression = expression(0)
        for equation in equations:
            by: dict[Symbol, Expression] = dict(zip(equation.letters, given, strict=True))
            right = right + substituted(equation.right, by)
        return Line(way.step.label, left, given, right, unit)

    def at(self, place: Shape) -> list[Line]:
        """Return each line in letters, and behind it the same at the places that count."""
        needed: dict[int, dict[Shape, None]] = {self.keys[0]: {place: None}}
        written: dict[int, list[Line]] = {}
        for key in self.keys:
            places = list(needed.get(key, ()))
            general = self.lines(key)
            self.require_an_end(key, sum(map(len, written.values())) + len(places) * len(general))
            if not places:
                continue
            if not self.complete and len(places) > FOLLOWED:
                self.left_out(key, len(places))
                places = places[:1]
            lines = []
            for line in general:
                lines.append(line)
                if line.letters:
                    lines += [line.at(each) for each in places]
            written[key] = lines
            for way in self.chain.contributions(key) if key != self.chain.result else ():
                self.go_over(way, needed)
            for line in lines:
                if line.index is not None or not line.letters:
                    shown = line if line.index is not None else line.at(())
                    for received, where in self.received(shown):
                        needed.setdefault(received, {})[where] = None
        return [line for key in reversed(self.keys) for line in written.get(key, [])]

    def require_an_end(self, key: int, lines: int) -> None:
        """Refuse a derivation that nobody could read: each number is made of many others."""
        if self.complete and lines > MOST_LINES:
            raise OptionError(
                f"derive: a complete derivation has at most {MOST_LINES:,} lines; got "
                f"{lines:,} and more, those of δ({self.chain.names[key]}) among them. Leave out "
                f"complete=True, which follows the largest terms, or derive a value that is "
                "nearer to the result"
            )

    def go_over(self, way: Contribution, needed: dict[int, dict[Shape, None]]) -> None:
        """Go on behind an element without an index form, with the largest that it received."""
        form = self.chain.form(way.step)
        if form is not None and all(k in form.signals for k in way.positions):
            return
        for kept in way.step.outputs:
            signal = self.chain.signal(kept.key)
            if signal is not None and signal.data.size and kept.key in self.keys:
                largest = np.unravel_index(np.argmax(np.abs(signal.data)), signal.data.shape)
                needed.setdefault(kept.key, {})[tuple(map(int, largest))] = None

    def left_out(self, key: int, count: int) -> None:
        """Say how many error signals of a value are not derived further."""
        self.notes.append(
            f"of {count} error signals of {self.chain.names[key]} the largest contribution is "
            "followed; complete=True derives all"
        )

    def received(self, line: Line) -> list[tuple[int, Shape]]:
        """Return the error signals that a line at one place is made of, the largest first."""
        if line.right is None:
            return []
        terms = line.terms(None if self.complete else 8)
        found = [pair for term in terms.shown for pair in replace(line, right=term).received()]
        if terms.count > len(terms.shown):
            if found:
                name = self.chain.names[found[0][0]]
                self.notes.append(
                    f"of the {terms.count} terms of {line.left.name} the largest is followed, "
                    f"to δ({name}); complete=True derives all"
                )
            return found[:1]
        return found
