"""A derivation as plain text, Markdown and LaTeX."""

from collections.abc import Iterator
from dataclasses import dataclass

from tinygrad_cnn.explain.derivation.expression import Value, walk
from tinygrad_cnn.explain.derivation.lines import Check, Line, together
from tinygrad_cnn.explain.derivation.notation import LatexNotation, Notation, number, upright
from tinygrad_cnn.explain.derivation.shortening import WIDTH, beginning_of, broken, unpaired

SHORT = 8  # terms of a sum that is written out in a collapsed derivation
LATEX_WIDTH = 90  # of a row of LaTeX, in letters of the same as text
SHORT_LABEL = 24  # letters in front of a long formula; a longer label has a line of its own


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

    def rows(self) -> "Iterator[tuple[Line, Check | None, str]]":
        """Yield lines, how they compare, and what is left out of their names."""
        beginning = ""
        for line, check in zip(self.lines, self.checks, strict=True):
            if line.index is None:
                beginning = beginning_of(line)
            yield line, check, beginning

    def remarks(self) -> list[str]:
        """Return what stands below: notes, conventions, and how the lines compare."""
        padded = any(
            isinstance(part, Value) and part.padded
            for line in self.lines
            if line.right is not None
            for part in walk(line.right)
        )
        outside = ["what lies outside its array counts 0"] if padded else []
        if any(beginning for _, _, beginning in self.rows()):
            outside.append("… in a name is the beginning of its line's label, up to the … there")
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
    rows = [f"derivation of {page.target}", ""]
    count = 0
    for line, check, beginning in page.rows():
        names = Notation(page.base, False, page.short, beginning)
        values = Notation(page.base, True, page.short, beginning)
        general = line.index is None
        count += general
        margin = f"{count:3d}  {cut(line.label, beginning)}: " if general else "     "
        left = names.write(line.left_side)
        first, *others = [f"{left} ", *page.sides(line, names, values)]
        whole, ranges = " = ".join([first.rstrip(), *others[:1]]), _ranges(line, names)
        if len(margin) + len(whole) > WIDTH and len(margin) > SHORT_LABEL:
            rows.append(margin.rstrip())
            margin = "     "
        begin, *continued = broken(whole, WIDTH - len(margin))
        rows += [margin + begin, *(f"         {part}" for part in continued)]
        if ranges and len(rows[-1]) + len(ranges) <= WIDTH:
            rows[-1] += ranges
        elif ranges:
            rows.append(f"         {ranges.lstrip()}")
        indent = " " * (5 + len(left) + 1 if not general and len(left) < WIDTH // 3 else 5)
        for side in others[1:]:
            begin, *continued = broken(f"= {side}", WIDTH - len(indent))
            rows += [indent + begin, *(f"{indent}    {part}" for part in continued)]
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
    rows, count = [], 0
    for line, _, beginning in page.rows():
        if line.index is None:
            count += 1
            label = upright(cut(line.label, beginning))
            rows.append(rf"& \text{{{count}. }}{label}\text{{:}}")
        rows += _formula(page, line, beginning)
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def markdown(page: Page) -> str:
    """Return Markdown with formulas in LaTeX."""
    rows = [f"### Derivation of {page.target}", ""]
    count = 0
    for line, check, beginning in page.rows():
        formula = _formula(page, line, beginning)
        if line.index is None:
            count += 1
            label = cut(line.label, beginning).replace("_", r"\_")
            rows += [f"{count}. {label}" + (f" ({line.remark})" if line.remark else ""), ""]
        if len(formula) == 1:
            rows += [f"$${formula[0].replace('&', '')}$$", ""]
        else:
            inner = " \\\\\n".join(formula)
            rows += ["$$", "\\begin{aligned}", inner, "\\end{aligned}", "$$", ""]
        if check is not None and not check.agrees:
            rows += [f"**✗ {_difference(line, check)}**", ""]
    return "\n".join([*rows, *(f"- {remark}" for remark in page.remarks())])


def _formula(page: Page, line: Line, beginning: str) -> list[str]:
    """Return one line in LaTeX: in a single row, or if it is long in several."""
    by_kind = []
    for kind in (Notation, LatexNotation):
        names, values = (kind(page.base, filled, page.short, beginning) for filled in (False, True))
        by_kind.append([names.write(line.left_side), *page.sides(line, names, values)])
    plain, (left, *sides) = by_kind
    if sum(len(side) + 3 for side in plain) <= LATEX_WIDTH:
        return [" = ".join([f"{left} &", *sides])]
    rows = [f"{left} &"]
    for position, (side, text) in enumerate(zip(sides, plain[1:], strict=True)):
        room = max(LATEX_WIDTH - len(plain[0]), LATEX_WIDTH // 2)  # in letters that are seen
        room = room * len(side) // max(len(text), 1)  # LaTeX has more
        first, *rest = unpaired(broken(side, room, (" + ", " - ", r" \, ", r" \cdot "), 1))
        rows = rows if position == 0 else [*rows, "&"]
        rows[-1] += f" = {first}"
        rows += [rf"& \qquad {part}" for part in rest]
    return rows


def cut(label: str, beginning: str) -> str:
    """Return a label with … where what its line leaves out ends."""
    if not beginning:
        return label
    if not label.startswith(beginning):
        return f"{label} in {beginning}…"
    return f"{beginning}…{label[len(beginning) :]}"
