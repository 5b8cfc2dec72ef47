"""A derivation as plain text, Markdown and LaTeX."""

from dataclasses import dataclass

from tinygrad_cnn.explain.derivation.expression import Value, walk
from tinygrad_cnn.explain.derivation.lines import Check, Line, together
from tinygrad_cnn.explain.derivation.notation import LatexNotation, Notation, number

SHORT = 8  # terms of a sum that is written out in a collapsed derivation


@dataclass
class Page:
    """What renderers print of a derivation; see :class:`.derivation.Derivation`."""

    target: str
    lines: list[Line]
    checks: "list[Check | None]"
    notes: list[str]
    numbers: bool
    complete: bool
    base: int
    short: int | None

    def sides(self, line: Line, names: Notation, values: Notation) -> list[str]:
        """Return what is written behind each equals sign of a line."""
        if line.right is None:
            return [number(line.result())] if line.index is not None else []
        if line.index is None and line.letters:
            return [names.write(line.right)]
        at_one_place = line if line.index is not None else line.at(())
        terms = at_one_place.terms(None if self.complete else SHORT)
        more = terms.count - len(terms.shown)
        behind = f" + {names.rest(more)}" if more else ""
        sides = [names.write(line.right)] if more else []
        sides.append(names.write(together(terms.shown)) + behind)
        if self.numbers:
            sides.append(values.write(together(terms.shown)) + behind)
            sides.append(values.figure(line.result() if line.letters else float(line.left.data)))
            sides = [s for k, s in enumerate(sides) if k == 0 or s != sides[k - 1]]
        return sides

    def remarks(self) -> list[str]:
        """Return what stands below: notes, conventions, and how the lines compare."""
        padded = any(
            isinstance(part, Value) and part.padded
            for line in self.lines
            if line.right is not None
            for part in walk(line.right)
        )
        outside = ["what lies outside its array counts 0"] if padded else []
        notes = list(dict.fromkeys(self.notes))
        return [*outside, *notes[:6], self.verdict()]

    def verdict(self) -> str:
        """Say in one sentence whether the kernels computed what the lines say."""
        known = [check for check in self.checks if check is not None]
        wrong = sum(not check.agrees for check in known)
        numbers = sum(check.checked for check in known)
        silent = len(self.checks) - len(known)
        some = sum(check.places for check in known)
        of = "" if some == numbers else f" of {some:,}"
        rest = f"; {silent} could not be" if silent else ""
        if not wrong:
            return (
                f"checked: {len(known)} lines, {numbers:,}{of} numbers, agree with what the "
                f"kernels computed{rest}"
            )
        return (
            f"checked: {wrong} of {len(known)} lines DISAGREE with what the kernels computed{rest}"
        )


def text(page: Page) -> str:
    """Return plain text."""
    names = Notation(page.base, False, page.short)
    values = Notation(page.base, True, page.short)
    rows = [f"derivation of {page.target}", ""]
    count = 0
    for line, check in zip(page.lines, page.checks, strict=True):
        general = line.index is None
        count += general
        margin = f"{count:3d}  {line.label}: " if general else "     "
        left = names.write(line.left_side)
        sides = page.sides(line, names, values)
        rows.append(margin + " = ".join([left, *sides[:1]]) + _ranges(line, names))
        indent = " " * (5 + len(left) + 1 if not general else 5)
        rows += [f"{indent}= {side}" for side in sides[1:]]
        if line.remark:
            rows.append(f"     ({line.remark})")
        if check is not None and not check.agrees:
            rows.append(f"     ✗ {_difference(line, check)}")
    rows += ["", *page.remarks()]
    return "\n".join(rows)


def _ranges(line: Line, names: Notation) -> str:
    """Return the ranges of the letters on the left, of a line in letters."""
    if line.index is not None or not line.letters:
        return ""
    pairs = zip(line.letters, line.left.data.shape, strict=True)
    shown = [names.range(letter, size) for letter, size in pairs if names.base == 0 or size != 1]
    return f"   for {', '.join(shown)}" if shown else ""


def _difference(line: Line, check: Check) -> str:
    where = f" at {list(check.index)}" if check.index else ""
    return (
        f"the kernel computed {check.computed:.6g}{where} where this says {check.said:.6g} "
        f"(rounding explains {check.allowed:.2g})"
    )


def latex(page: Page) -> str:
    """Return an ``align*`` environment."""
    rows = []
    for row, line in zip(_formulas(page), page.lines, strict=True):
        rows.append(row + (rf" && \text{{{_plain(line.label)}}}" if line.index is None else ""))
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def markdown(page: Page) -> str:
    """Return Markdown with formulas in LaTeX."""
    rows = [f"### Derivation of {page.target}", ""]
    count = 0
    for formula, line, check in zip(_formulas(page), page.lines, page.checks, strict=True):
        if line.index is None:
            count += 1
            rows += [f"{count}. {line.label}" + (f" ({line.remark})" if line.remark else ""), ""]
        rows += [f"$${formula.replace('&', '')}$$", ""]
        if check is not None and not check.agrees:
            rows += [f"**✗ {_difference(line, check)}**", ""]
    return "\n".join([*rows, *(f"- {remark}" for remark in page.remarks())])


def _formulas(page: Page) -> list[str]:
    names = LatexNotation(page.base, False, page.short)
    values = LatexNotation(page.base, True, page.short)
    return [
        " = ".join([names.write(line.left_side) + " &", *page.sides(line, names, values)])
        for line in page.lines
    ]


def _plain(label: str) -> str:
    return label.replace("_", r"\_")
