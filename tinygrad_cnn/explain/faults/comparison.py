"""Two trainings side by side, in text, as a picture and as a page."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from tinygrad_cnn.explain.faults.fault import Fault
from tinygrad_cnn.explain.rendering.html_document import html_document
from tinygrad_cnn.explain.rendering.saving import save_by_ending

__all__ = ["Curve", "FaultComparison"]

BARS = "▁▂▃▄▅▆▇█"
COLUMNS = 60  # of a curve in text
SMOOTH = 8  # steps that a drawn loss is averaged over
MUCH_WORSE, NOTHING = 0.03, 0.2  # of accuracy: a difference that one sees; near guessing

STYLE = """
.tinygrad-fault { color-scheme: light dark; --ink: #1d2733; --quiet: #5b6776; --paper: #ffffff;
  --line: #d5dbe2; --right: #0b6bb3; --wrong: #c2410c; }
@media screen and (prefers-color-scheme: dark) { .tinygrad-fault { --ink: #e6ebf2;
  --quiet: #a3afbf; --paper: #12161c; --line: #333d49; --right: #60a5fa; --wrong: #fb923c; } }
.tinygrad-fault { background: var(--paper); color: var(--ink); padding: 1rem;
  font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; max-width: 62rem; }
.tinygrad-fault svg { max-width: 100%; height: auto; }
.tinygrad-fault svg text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
.tinygrad-fault svg .quiet { fill: var(--quiet); }
.tinygrad-fault svg .axis { stroke: var(--line); fill: none; }
.tinygrad-fault svg .right { stroke: var(--right); fill: none; stroke-width: 2; }
.tinygrad-fault svg .wrong { stroke: var(--wrong); fill: none; stroke-width: 2;
  stroke-dasharray: 6 3; }
.tinygrad-fault svg text.right { fill: var(--right); stroke: none; }
.tinygrad-fault svg text.wrong { fill: var(--wrong); stroke: none; }
.tinygrad-fault code { font: 13px ui-monospace, "DejaVu Sans Mono", monospace; }
.tinygrad-fault h2 { font-size: 1.1rem; margin: 0; }
.tinygrad-fault h2 code { font-size: 1.1rem; }
.tinygrad-fault td { padding: .1rem .8rem .1rem 0; vertical-align: top; }
"""


@dataclass(frozen=True)
class Curve:
    """One training.

    Attributes
    ----------
    losses : tuple of float
        Of each step.
    accuracies : tuple of float
        On the test images, before the first epoch and after each.
    """

    losses: tuple[float, ...]
    accuracies: tuple[float, ...]

    @property
    def broke_at(self) -> int | None:
        """The step, counted from 1, whose loss was no number; None where all were."""
        for step, loss in enumerate(self.losses, 1):
            if not math.isfinite(loss):
                return step
        return None

    def smooth(self) -> list[float]:
        """Return the loss averaged over the last steps."""
        sums = np.cumsum([0.0, *self.losses])
        return [
            float((sums[k] - sums[max(0, k - SMOOTH)]) / min(k, SMOOTH))
            for k in range(1, len(sums))
        ]


@dataclass(frozen=True)
class FaultComparison:
    """A training with a fault beside the same one without."""

    fault: Fault
    right: Curve
    wrong: Curve

    @property
    def learns(self) -> bool:
        """Whether the network with the fault is far from guessing at the end."""
        return self.wrong.broke_at is None and self.wrong.accuracies[-1] > NOTHING

    @property
    def says(self) -> str:
        """What one sees, in a sentence."""
        ours, theirs = self.right.accuracies[-1], self.wrong.accuracies[-1]
        figures = f"{theirs:.1%} of the test images right, against {ours:.1%} without the fault"
        if self.wrong.broke_at is not None:
            return f"The loss is no number any more after step {self.wrong.broke_at}: {figures}."
        if not self.learns:
            return f"It learns nothing: {figures}."
        if theirs >= ours - MUCH_WORSE:
            return (
                f"It learns all the same: {figures}. Nothing in the curve gives the mistake away."
            )
        return f"It learns, but worse: {figures}. Without the other curve one would not know."

    def __str__(self) -> str:
        lines = [str(self.fault), ""]
        top = max((x for x in self.right.losses + self.wrong.losses if math.isfinite(x)), default=1)
        top = min(top, 2 * max(self.right.losses))
        for label, curve in (("right", self.right), ("wrong", self.wrong)):
            lines.append(f"  loss, {label}  {_bars(curve.smooth(), top)}  0 to {top:.3g}")
        lines += ["", "  epoch        loss       loss   accuracy   accuracy"]
        lines.append("               right      wrong      right      wrong")
        for epoch in range(len(self.right.accuracies)):
            cells = [
                *(_cell(_at_epoch(curve, epoch), ".4f") for curve in (self.right, self.wrong)),
                *(_cell(c.accuracies[epoch], ".1%") for c in (self.right, self.wrong)),
            ]
            lines.append(f"  {epoch:5d}  " + " ".join(cells))
        return "\n".join([*lines, "", self.says])

    def svg(self) -> str:
        """Draw both curves: the loss by step, and the accuracy by epoch."""
        finite = [x for c in (self.right, self.wrong) for x in c.smooth() if math.isfinite(x)]
        top = min(max(finite), 2 * max(self.right.smooth()))
        cut = ", cut off above" if max(finite) > top else ""
        steps = len(self.right.losses)
        epochs = len(self.right.accuracies) - 1
        parts = [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 940 320" width="940" '
            f'height="320" role="img" aria-label="{escape(self.fault.name)}: {escape(self.says)}">',
            *_panel(
                60, f"loss, averaged over {SMOOTH} steps{cut}", "step", steps, top, f"{top:.2g}"
            ),
            *_panel(530, "share of test images right", "epoch", epochs, 1.0, "100 %"),
        ]
        for label, curve in (("right", self.right), ("wrong", self.wrong)):
            loss = [(k, x) for k, x in enumerate(curve.smooth(), 1) if math.isfinite(x)]
            parts.append(_line(60, loss, steps, top, label))
            accuracy = list(enumerate(curve.accuracies))
            parts.append(_line(530, accuracy, epochs, 1.0, label))
        parts += _legend()
        return "".join([*parts, "</svg>"])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{word}</td><td><code>{escape(text)}</code></td></tr>"
            for word, text in (
                ("right", self.fault.right),
                ("wrong", self.fault.wrong),
                ("the mistake", self.fault.mistake),
            )
        )
        return (
            f'<div class="tinygrad-fault"><style>{STYLE}</style>'
            f"<h2><code>{escape(self.fault.name)}</code></h2><p>{escape(self.fault.says)}</p>"
            f"<table>{rows}</table>{self.svg()}<p><b>{escape(self.says)}</b></p></div>"
        )

    def text(self) -> str:
        """Return plain text: both curves, a table of epochs, and what one sees."""
        return str(self)

    def html(self) -> str:
        """Return a page that needs no other file."""
        return html_document(self.fault.name, [self._repr_html_()])

    def save(self, path: str | Path) -> None:
        """Write the page (.html), the curves (.svg) or the text (.txt) to a file.

        Raises
        ------
        OptionError
            If the file has another ending.
        RunDirectoryError
            If it cannot be written.
        """
        forms = {".html": self.html, ".svg": self.svg, ".txt": self.text}
        save_by_ending(path, forms, "fault comparison")


def _at_epoch(curve: Curve, epoch: int) -> float:
    """Return the mean loss of an epoch; of the first step, for epoch 0."""
    if epoch == 0:
        return curve.losses[0]
    each = len(curve.losses) // (len(curve.accuracies) - 1)
    if curve.broke_at is not None:
        return math.nan
    return float(np.mean(curve.losses[(epoch - 1) * each : epoch * each]))


def _cell(number: float, form: str) -> str:
    return f"{number:>10{form}}" if math.isfinite(number) else f"{'no number':>10}"


def _bars(values: Sequence[float], top: float) -> str:
    chosen = np.array_split(np.array(values), min(COLUMNS, len(values)))
    words = ""
    for part in chosen:
        level = float(part.mean())
        if not math.isfinite(level):
            words += "×"
        else:
            words += BARS[min(len(BARS) - 1, int(level / top * len(BARS)))]
    return words


# -- the picture ---------------------------------------------------------------------

WIDE, HIGH, UP = 380.0, 220.0, 50.0


def _panel(
    left: float, title: str, below: str, last: int, top: float, highest: str
) -> Iterator[str]:
    bottom = UP + HIGH
    yield f'<text x="{left}" y="{UP - 28}">{title}</text>'
    yield f'<path class="axis" d="M{left} {UP}V{bottom}H{left + WIDE}"/>'
    yield f'<text class="quiet" x="{left - 6}" y="{UP + 4}" text-anchor="end">{highest}</text>'
    yield f'<text class="quiet" x="{left - 6}" y="{bottom}" text-anchor="end">0</text>'
    yield f'<text class="quiet" x="{left}" y="{bottom + 18}">0</text>'
    yield (
        f'<text class="quiet" x="{left + WIDE}" y="{bottom + 18}" text-anchor="end">'
        f"{below} {last}</text>"
    )


def _line(
    left: float, points: Sequence[tuple[float, float]], last: int, top: float, label: str
) -> str:
    places = " ".join(
        f"{left + WIDE * x / last:.1f},{UP + HIGH * (1 - min(max(y, 0.0), top) / top):.1f}"
        for x, y in points
    )
    return f'<polyline class="{label}" points="{places}"/>'


def _legend() -> Iterator[str]:
    for k, (label, words) in enumerate((("right", "without the fault"), ("wrong", "with it"))):
        x = 60 + 180 * k
        yield f'<path class="{label}" d="M{x} 306h28"/>'
        yield f'<text class="{label}" x="{x + 36}" y="310">{words}</text>'
