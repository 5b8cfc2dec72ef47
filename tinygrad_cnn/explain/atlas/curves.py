"""Curves of an atlas as a picture, in SVG: ‖δ‖ by depth, updates by parameter, idle units, gates.

Columns are moments, rows are what is measured; all panels of a row have one scale, so that
moments and networks can be compared. Colours (after Okabe and Ito), markers and strokes tell
networks apart; each point says its figures when a mouse rests on it. Light or dark as the reader's
setting is.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_cnn.explain.atlas.plates import Moment, Plate
from tinygrad_cnn.explain.atlas.text import headline, moment_text
from tinygrad_cnn.explain.story import number_text

if TYPE_CHECKING:
    from tinygrad_cnn.explain.atlas.atlas import Atlas

__all__ = ["curves_svg"]

STYLE = Path(__file__).with_suffix(".css")
WIDTH = 1360.0  # of all panels together
LEFT, TOP, BELOW, GAP = 62.0, 84.0, 46.0, 16.0
HEIGHTS = {"signal": 260.0, "update": 200.0, "idle": 150.0, "gate": 150.0}
USUAL_RATIO = 1e-3  # see tinygrad_cnn.explain.atlas.updates
_UPPER = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Point(NamedTuple):
    """A place in a panel; ``joined`` points are joined by a line."""

    x: float
    y: float
    joined: bool
    hint: str


@dataclass(frozen=True)
class Kind:
    """What a row of panels shows."""

    name: str
    title: str
    across: str
    points: Callable[[Moment, bool], list[Point]]  # the flag: lines run through activations
    logarithmic: bool
    whole: tuple[float, float] | None = None  # the scale, where it does not depend on figures


def is_activation(plate: Plate) -> bool:
    """Whether an element is a rectifier or a squashing function."""
    return plate.excerpt.idle is not None


def _is_linear(plate: Plate) -> bool:
    return plate.is_linear


def _is_any(plate: Plate) -> bool:
    return True


def curves_svg(found: "Atlas", headed: bool = True) -> str:
    """Draw the curves of an atlas.

    Parameters
    ----------
    found : Atlas
    headed : bool
        Whether the title stands above.

    Returns
    -------
    str
        An SVG document.
    """
    moments = len(found.runs[0].moments)
    smooth = _normalises(found)
    every = [moment for run in found.runs for moment in run.moments]
    kinds = [kind for kind in KINDS if any(kind.points(moment, smooth) for moment in every)]
    layers = max((p.x for moment in every for p in _signal_points(moment, smooth)), default=1.0)
    beside = moments == 1  # one moment: kinds side by side, as columns
    columns = len(kinds) if beside else moments
    width = (WIDTH - LEFT + (LEFT - GAP if beside else 0.0)) / max(columns, 2)
    body: list[str] = []
    top = TOP
    for row, kind in enumerate(kinds):
        height = HEIGHTS["signal"] if beside else HEIGHTS[kind.name]
        scale = _scale(kind, [p for moment in every for p in kind.points(moment, smooth)], layers)
        for column in range(moments):
            place = row if beside else column
            panel = _Panel(
                kind,
                scale,
                LEFT + place * width,
                top,
                width - (LEFT - GAP / 2 if beside else GAP),
                height,
            )
            title = "" if row and not beside else moment_text(found.runs[0].moments[column])
            body += panel.drawn(
                [kind.points(run.moments[column], smooth) for run in found.runs],
                kind.title if beside else title,
                labelled=beside or column == 0,
                moment=column,
            )
        if not beside:
            body.append(
                f'<text class="axis" transform="rotate(-90)" x="{-(top + height / 2):.0f}" y="13">'
                f"{escape(kind.title)}</text>"
            )
            top += height + BELOW + GAP
    begin = 0 if headed else 28
    bottom = TOP + HEIGHTS["signal"] + BELOW + GAP if beside else top
    return "\n".join(
        [
            f'<svg class="tinygrad-atlas" xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}" '
            f'height="{bottom - begin:.0f}" viewBox="0 {begin} {WIDTH:.0f} {bottom - begin:.0f}" '
            'role="img">',
            f"<title>{escape(found.title)}</title>",
            f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>",
            f'<rect class="paper" width="{WIDTH:.0f}" height="{bottom:.0f}"/>',
            f'<text class="heading" x="{LEFT:.0f}" y="22">{escape(headline(found))}</text>',
            *_legend([run.title for run in found.runs], smooth),
            *body,
            "</svg>",
        ]
    )


def _normalises(found: "Atlas") -> bool:
    """Whether a network normalises batches.

    That takes out the scale of each convolution, and so δ in front of it is as arbitrary as the
    scale: lines run through activations then.
    """
    return any("norm" in plate.element for run in found.runs for plate in run.moments[0].plates)


# -- what is shown -----------------------------------------------------------------------


def _signal_points(moment: Moment, smooth: bool) -> list[Point]:
    through = is_activation if smooth else _is_linear
    if not any(map(through, moment.plates)):
        through = _is_any
    layered = _has_layers(moment)
    return [
        Point(
            _across(plate, layered),
            plate.signal.norm,
            plate.on_longest_path and through(plate),
            f"{plate.number} {plate.label}: ‖δ‖ {number_text(plate.signal.norm)}",
        )
        for plate in moment.plates
        if plate.signal is not None
    ]


def _update_points(moment: Moment, smooth: bool) -> list[Point]:
    layers = {plate.scope: plate.layer for plate in moment.plates}
    scopes = [update.name.rpartition(".")[0] for update in moment.updates]
    branches = {plate.scope for plate in moment.plates if not plate.on_longest_path}
    known = all(layers.get(scope) for scope in scopes)  # else parameters are counted
    return [
        Point(
            layers[scope] if known else place,
            update.ratio,
            update.dimensions > 1 and scope not in branches,
            f"{update.name}: ‖Δw‖ {number_text(update.step)} / ‖w‖ {number_text(update.weight)} = "
            f"{number_text(update.ratio)}",
        )
        for place, (scope, update) in enumerate(zip(scopes, moment.updates, strict=True), 1)
        if update.ratio == update.ratio
    ]


def _idle_points(moment: Moment, smooth: bool) -> list[Point]:
    layered = _has_layers(moment)
    return [
        Point(
            _across(plate, layered),
            100 * plate.excerpt.idle.share,
            plate.on_longest_path,
            f"{plate.number} {plate.label}: {100 * plate.excerpt.idle.share:.3g} % "
            f"{plate.excerpt.idle.kind}",
        )
        for plate in moment.plates
        if plate.excerpt.idle is not None
    ]


def _gate_points(moment: Moment, smooth: bool) -> list[Point]:
    points = []
    for plate in moment.plates:
        gates = plate.excerpt.gates
        if gates is not None:
            means, x = gates.mean(0), _across(plate, True)
            hint = f"{plate.number} {plate.label}: mean {float(means.mean()):.3f}"
            points.append(Point(x, float(means.mean()), True, hint))
            points += [
                Point(x, float(edge), False, f"{plate.label}: {word} {float(edge):.3f}")
                for word, edge in (("least", means.min()), ("largest", means.max()))
            ]
    return points


def _has_layers(moment: Moment) -> bool:
    return any(plate.layer for plate in moment.plates)


def _across(plate: Plate, layered: bool) -> float:
    """Return the place of an element across a panel: without layers, elements are counted."""
    return float(plate.layer if layered else plate.depth)


KINDS = (
    Kind("signal", "‖δ‖ of the output", "layer, from the input", _signal_points, True),
    Kind("update", "update / weight, ‖Δw‖ / ‖w‖", "layer of the weight", _update_points, True),
    Kind(
        "idle",
        "dead or saturated, %",
        "layer, from the input",
        _idle_points,
        False,
        (0.0, 100.0),
    ),
    Kind("gate", "gates", "layer, from the input", _gate_points, False, (0.0, 1.0)),
)


# -- panels ------------------------------------------------------------------------------


class _Scale(NamedTuple):
    most: float  # largest x
    low: float
    high: float


def _scale(kind: Kind, points: Sequence[Point], layers: float) -> _Scale:
    most = max(layers, *(point.x for point in points))
    if kind.whole is not None:
        return _Scale(most, *kind.whole)
    logarithms = [math.log10(p.y) for p in points if 0 < p.y < math.inf]
    if not logarithms:
        return _Scale(most, -1.0, 1.0)
    low, high = math.floor(min(logarithms)), math.ceil(max(logarithms))
    return _Scale(most, low, max(high, low + 1))


@dataclass(frozen=True)
class _Panel:
    kind: Kind
    scale: _Scale
    x: float
    y: float
    width: float
    height: float

    def drawn(
        self, curves: Sequence[Sequence[Point]], title: str, *, labelled: bool, moment: int
    ) -> list[str]:
        """Return one panel: its frame, its grid and a curve for each network."""
        left, bottom = self.x, self.y + self.height
        lines = [
            f'<g class="panel" data-moment="{moment}">',
            f'<rect class="frame" x="{left:.1f}" y="{self.y:.1f}" width="{self.width:.1f}" '
            f'height="{self.height:.1f}"/>',
            f'<text class="title" x="{left:.1f}" y="{self.y - 7:.1f}">{escape(title)}</text>',
            f'<text class="across" x="{left + self.width / 2:.1f}" y="{bottom + 33:.1f}">'
            f"{escape(self.kind.across)}</text>",
        ]
        for value, text in self._ticks():
            y = self._y_of(value)
            lines.append(f'<path class="grid" d="M{left:.1f} {y:.1f}h{self.width:.1f}"/>')
            if labelled:
                lines.append(f'<text class="tick" x="{left - 6:.1f}" y="{y + 4:.1f}">{text}</text>')
        for step in _round_numbers(self.scale.most):
            lines.append(
                f'<text class="across" x="{self._x(step):.1f}" y="{bottom + 16:.1f}">{step}</text>'
            )
        if self.kind.name == "update" and self.scale.low <= -3 <= self.scale.high:
            y = self._y_of(math.log10(USUAL_RATIO))
            lines.append(f'<path class="usual" d="M{left:.1f} {y:.1f}h{self.width:.1f}"/>')
        for number, points in enumerate(curves):
            lines += self._curve(points, number)
        lines.append("</g>")
        return lines

    def _x(self, x: float) -> float:
        inner = self.width - 16.0
        return self.x + 8.0 + inner * (x - 1.0) / max(self.scale.most - 1.0, 1.0)

    def _y_of(self, value: float) -> float:
        share = (value - self.scale.low) / (self.scale.high - self.scale.low)
        return self.y + self.height * (1.0 - share)

    def _y(self, y: float) -> float:
        """Return a height; what has no logarithm lies at the edge."""
        if not self.kind.logarithmic:
            return self._y_of(y)
        low, high = self.scale.low, self.scale.high
        if not 0 < y < math.inf:
            return self._y_of(high if y > 0 else low)
        return self._y_of(math.log10(y))

    def _ticks(self) -> Iterable[tuple[float, str]]:
        low, high = self.scale.low, self.scale.high
        if not self.kind.logarithmic:
            for share in (0.0, 0.25, 0.5, 0.75, 1.0):
                value = low + share * (high - low)
                yield value, f"{value:g}"
            return
        stride = max(1, math.ceil((high - low) / 8))
        for power in range(int(low), int(high) + 1):
            if power % stride == 0:
                yield float(power), f"10{str(power).translate(_UPPER)}"

    def _curve(self, points: Sequence[Point], number: int) -> list[str]:
        finite = [point for point in points if point.y == point.y]
        joined = " ".join(f"{self._x(p.x):.1f},{self._y(p.y):.1f}" for p in finite if p.joined)
        lines = [f'<g class="run run{number % 4}">']
        if joined:
            lines.append(f'<polyline points="{joined}"/>')
        small = self.width < 8 * self.scale.most
        for point in finite:
            size = (1.8 if small else 3.4) if point.joined else (1.2 if small else 2.2)
            faint = "" if point.joined else ' class="faint"'
            lines.append(
                f'<path{faint} d="{_marker(number, self._x(point.x), self._y(point.y), size)}">'
                f"<title>{escape(point.hint)}</title></path>"
            )
        lines.append("</g>")
        return lines


def _marker(number: int, x: float, y: float, size: float) -> str:
    """Return a circle, a square, a triangle or a diamond."""
    if number % 4 == 0:
        arc = f"a{size} {size} 0 1 0"
        return f"M{x - size:.1f} {y:.1f}{arc} {2 * size} 0{arc} -{2 * size} 0"
    if number % 4 == 1:
        return f"M{x - size:.1f} {y - size:.1f}h{2 * size}v{2 * size}h-{2 * size}z"
    if number % 4 == 2:
        return f"M{x:.1f} {y - 1.2 * size:.1f}l{1.2 * size:.1f} {2 * size:.1f}h-{2.4 * size:.1f}z"
    r = 1.3 * size
    return f"M{x:.1f} {y - r:.1f}l{r:.1f} {r:.1f}l-{r:.1f} {r:.1f}l-{r:.1f} -{r:.1f}z"


def _round_numbers(most: float) -> list[int]:
    """Return some places on an axis from 1 to `most`."""
    for stride in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if most / stride <= 7:
            return (
                [1, *range(stride, int(most) + 1, stride)]
                if stride > 1
                else list(range(1, int(most) + 1))
            )
    return [1, int(most)]


def _legend(titles: Sequence[str], smooth: bool) -> list[str]:
    lines, x = [], LEFT
    for number, title in enumerate(titles):
        lines.append(
            f'<g class="run run{number % 4}"><polyline points="{x:.0f},44 {x + 30:.0f},44"/>'
            f'<path d="{_marker(number, x + 15, 44.0, 4.0)}"/></g>'
            f'<text class="legend" x="{x + 38:.0f}" y="48">{escape(title)}</text>'
        )
        x += 62 + 7.4 * len(title)
    through = "activations" if smooth else "convolutions and affine maps"
    lines.append(
        f'<text class="quiet" x="{x:.0f}" y="48">lines: {through}, weights of two axes and more; '
        "faint points: all others; dashed: 10⁻³, a rule of thumb for updates</text>"
    )
    return lines
