"""A difference of two runs as text: where they part, and a table with a block for each element."""

import math
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from tinygrad_cnn.explain.story import number_text

if TYPE_CHECKING:
    from tinygrad_cnn.explain.difference import Change, Difference

__all__ = ["written"]

MANY, MOST = 12, 3  # figures that moved: from so many on, so many are named at the top
KINDS = (
    ("added", "+", "added"),
    ("removed", "-", "removed"),
    ("changed", "!", "facts changed"),
    ("moved", "~", "figures moved"),
)


def written(found: "Difference") -> str:
    """Write a difference down."""
    table = ["", *_table(found.changes)] if found.changes else []
    return "\n".join([*heading(found), *table])


def heading(found: "Difference") -> list[str]:
    """Return what is compared, how much differs, and where the runs part first."""
    lines = [f"{mark} {run}" for mark, run in zip("-+", found.runs, strict=True)]
    if len(set(found.runs)) == 1:
        lines = []
    counts = ", ".join(f"{len(found.of(kind))} {words}" for kind, _, words in KINDS)
    plural = "" if found.paired == 1 else "s"
    least = f"{100 * (found.least_ratio - 1):.3g} %"
    if found.least_ratio >= 2:
        least = f"a factor of {found.least_ratio:.3g}"
    lines.append(f"{found.paired} element{plural} in both; {counts} by {least} or more")
    if (fact := found.first_fact) is not None:
        where = {"added": "the second alone has ", "removed": "the first alone has "}
        lines.append(
            f"elements part at {fact.number}: {where.get(fact.kind, '')}{fact.element} "
            f"{' '.join(filter(None, (fact.what, _moved(fact))))}".rstrip()
        )
    for way, first in (("forward", found.first_forward), ("backward", found.first_backward)):
        if first is not None:
            place = f"{first.number} {first.element}: {first.what} {_moved(first)}"
            lines.append(f"{way}, figures part at {place}")
    moved = [change for change in found.of("moved") if change.apart < math.inf]
    if len(moved) >= MANY:
        most = sorted(moved, key=lambda change: -change.apart)[:MOST]
        lines.append(f"moved most: {'; '.join(map(_ratio, most))}")
    if small := [change for change in found.figures if change.apart < found.least_ratio]:
        worst = max(small, key=lambda change: change.apart)
        whose = "all other figures" if found.of("moved") else "all figures"
        within = f"agree to {worst.apart - 1:.1e}"
        if worst.apart > 1.001:
            within = f"lie within a factor of {worst.apart:.4g}"
        lines.append(f"{whose} {within}, the worst: {worst.number} {worst.element} {worst.what}")
    return lines


def _ratio(change: "Change") -> str:
    return f"{change.number} {change.element} {change.what} x{number_text(change.ratio)}"


def _moved(change: "Change") -> str:
    both = " → ".join(filter(None, (change.before, change.after)))
    return both + (f"  x{number_text(change.ratio)}" if change.ratio == change.ratio else "")


def _table(changes: Iterable["Change"]) -> list[str]:
    """Return a row for each change; an element is named at the first of its rows."""
    marks = {kind: mark for kind, mark, _ in KINDS}
    rows: list[tuple[tuple[str, str, str], Change]] = []
    for named, block in groupby(changes, lambda c: (marks[c.kind], str(c.number), c.element)):
        rows += [(("", "", "") if k else named, change) for k, change in enumerate(block)]
    widths = [max(len(named[k]) for named, _ in rows) for k in range(3)]
    what = max(len(change.what) for _, change in rows)
    moved = [change for _, change in rows if change.kind == "moved"]
    before, after = (
        max((len(getattr(change, side)) for change in moved), default=0)
        for side in ("before", "after")
    )
    lines = []
    for named, change in rows:
        told = _moved(change)
        if change.kind == "moved":
            told = f"{change.before:<{before}} → {change.after:<{after}}"
            told += f"  x{number_text(change.ratio)}" if change.ratio == change.ratio else ""
        cells = [*map(str.ljust, named, widths), change.what.ljust(what), told]
        lines.append("  ".join(cells).rstrip())
    return lines
