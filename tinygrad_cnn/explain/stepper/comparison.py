"""An edited walk beside the one that nobody touched: error signals and gradients that differ."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.explain.rendering.notebook import Printed
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.explain.stepper.paused_walk import PausedWalk, Visit
from tinygrad_cnn.explain.stepper.places import Places
from tinygrad_cnn.explain.story import number_text
from tinygrad_cnn.variable import Variable

SHOWN = 40  # rows of a printout


class Row(NamedTuple):
    """One error signal or gradient: norms without and with the edits, norm of the difference."""

    name: str
    before: float
    after: float
    difference: float  # NaN where one of the two is not finite

    @property
    def relative(self) -> float:
        """‖after − before‖ / ‖before‖."""
        return self.difference / self.before if self.before > 0 else math.nan

    @property
    def same(self) -> bool:
        """Whether they are equal, number by number."""
        return self.difference == 0.0


@dataclass
class Comparison(Printed):
    """What edits changed; printing it shows the text.

    Attributes
    ----------
    signals : list of Row
        Of each element done so far, the error signal of its output, in the order of the walk.
    gradients : list of Row
        Of the leaves, once all elements are done.
    edits : list of str
    """

    signals: list[Row]
    gradients: list[Row]
    edits: list[str]

    def __str__(self) -> str:
        if not self.edits:
            return "nothing was edited: gradients are those of backward()"
        lines = ["edited", *(f"  {edit}" for edit in self.edits)]
        lines += _table("error signals that differ", "δ(", ")", self.signals)
        if self.gradients:
            lines += _table("gradients that differ", "∇", "", self.gradients)
        else:
            lines.append("gradients: the walk is not at its end yet")
        return "\n".join(lines)


def _table(title: str, sign: str, end: str, rows: list[Row]) -> list[str]:
    changed = [row for row in rows if not row.same]
    lines = [f"{title}: {len(changed)} of {len(rows)}"]
    if not changed:
        return lines
    cells = [("", "unedited", "edited", "difference", "relative")]
    for row in changed[:SHOWN]:
        relative = f"{row.relative:.2%}" if math.isfinite(row.relative) else ""
        numbers = (number_text(each) for each in row[1:])
        cells.append((f"{sign}{row.name}{end}", *numbers, relative))  # type: ignore[arg-type]
    lines += text_table(cells, right=range(1, 5))
    if len(changed) > SHOWN:
        lines.append(f"  … {len(changed) - SHOWN:,} more")
    return lines


def compare(
    edited: PausedWalk, unedited: PausedWalk, places: Places, edits: list[str]
) -> Comparison:
    """Compare two walks over the same elements, as far as the first one got."""
    signals = []
    for position, visit in enumerate(edited.visits):
        for name, before, after in _pairs(position, unedited.visits[position], visit, places):
            signals.append(_row(name, before, after))
    gradients = []
    if edited.at_end:
        for node, signal in edited.signals.items():
            if node.creator is None:
                gradients.append(_row(places.name(node), unedited.signals[node], signal))
    return Comparison(signals, gradients, edits)


def _pairs(position: int, unedited: Visit, edited: Visit, places: Places) -> Any:
    element = places.order[position]
    for reference, before, after in zip(
        element.outputs, unedited.outgoing, edited.outgoing, strict=True
    ):
        node = reference()
        if node is not None and before is not None and after is not None:
            yield places.name(node), before, after


def _row(name: str, before: Variable, after: Variable) -> Row:
    one, other = (np.asarray(each._value, np.float64) for each in (before, after))
    with np.errstate(all="ignore"):
        norms = [float(np.sqrt(np.square(each).sum())) for each in (one, other, other - one)]
    if np.array_equal(one, other, equal_nan=True):
        norms[2] = 0.0
    return Row(name, *norms)
