"""A recorded run as a picture, in SVG: no other program draws it, and it needs no other file.

Boxes are elements, coloured by family; frames are layers and blocks; small chips are parameters.
The thicker an edge, the larger the error signal that came back along it (logarithmic; a legend
stands below). Colours follow the reader's light or dark setting, and are light on paper.
"""

import math
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.rendering.boxes import Point
from tinygrad_cnn.explain.rendering.drawing import Edge, Frame, Picture, picture
from tinygrad_cnn.explain.rendering.notebook import SvgText
from tinygrad_cnn.explain.rendering.plan import LETTER, LINE, PADDING, SMALL, TITLE, Card
from tinygrad_cnn.explain.story import number_text
from tinygrad_cnn.variable import Variable

__all__ = ["svg"]

STYLE = Path(__file__).with_suffix(".css")
MARGIN, HEADING, LEGEND = 20.0, 34.0, 46.0
THINNEST, THICKEST = 1.0, 6.0
FAMILIES = {  # by what the names of elements contain; the first that fits
    "linear": ("conv", "affine", "linear", "matmul"),
    "pooling": ("pool",),
    "normalisation": ("norm",),
    "loss": ("cross_entropy", "loss", "error", "likelihood"),
    "activation": ("relu", "sigmoid", "tanh", "softmax", "elu", "swish", "silu", "softplus"),
}


def svg(result: Variable | GraphDump, folded: bool = True) -> SvgText:
    """Draw how a value was computed and which error signals came back.

    Parameters
    ----------
    result : Scalar, Tensor or GraphDump
        Usually a loss.
    folded : bool
        Whether of repeated blocks one is drawn, with ×N.

    Returns
    -------
    str
        An SVG document, which a notebook shows as a picture.

    Raises
    ------
    DTypeError
        If it is no value of a graph.
    GraphError
        If no element computed the value.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(0.5, requires_grad=True, name="x")
    >>> svg(x.exp())[:49]
    '<svg xmlns="http://www.w3.org/2000/svg" class="ti'
    """
    graph = graph_of("svg", result)
    drawn = picture(graph, folded)
    families = [name for name in FAMILIES if any(_family(c.name) == name for c in drawn.cards)]
    scale = _Scale(drawn.edges)
    heading = _heading(graph)
    legend, legend_width = _legend(families, scale)
    texts = max(LETTER * 1.3 * len(heading[0]), SMALL * len(heading[1]))
    width = max(drawn.width, legend_width, texts) + 2 * MARGIN
    height = HEADING + MARGIN + drawn.height + LEGEND + MARGIN
    x, y = (width - drawn.width) / 2, MARGIN + HEADING
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tinygrad-graph" role="img" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="--width: {width:.0f}">',
        f"<title>{escape(heading[0])}</title>",
        f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>",
        f'<rect class="paper" width="{width:.0f}" height="{height:.0f}"/>',
        f'<text class="heading" x="{MARGIN:.0f}" y="{MARGIN + 8:.0f}">{escape(heading[0])}</text>',
        f'<text class="quiet" x="{MARGIN:.0f}" y="{MARGIN + 24:.0f}">{escape(heading[1])}</text>',
        f'<g transform="translate({x:.1f} {y:.1f})">',
        *_body(drawn, scale),
        "</g>",
        f'<g transform="translate({MARGIN:.1f} {height - MARGIN - 12:.1f})">',
        *legend,
        "</g>",
        "</svg>",
    ]
    return SvgText("\n".join(lines) + "\n")


def _body(drawn: Picture, scale: "_Scale") -> Iterable[str]:
    yield from (line for frame in drawn.frames for line in _frame(frame))
    # Large signals on top: of edges that share a way the thickest is seen.
    yield from (_edge(edge, scale) for edge in sorted(drawn.edges, key=scale.width))
    yield from (line for card in drawn.cards for line in _card(card))


def _heading(graph: GraphDump) -> tuple[str, str]:
    count = len(graph.steps)
    facts = f"{count} element{'' if count == 1 else 's'}"
    if graph.recorded and math.prod(graph.result.shape) == 1:
        value = graph.result.statistics.least
        if value == value:
            facts += f", result {number_text(value)}"
    return graph.title or "composite function", facts


# -- parts -----------------------------------------------------------------------------


def _frame(frame: Frame) -> Iterable[str]:
    repeats = " repeats" if frame.times > 1 else ""
    where = f'x="{frame.x:.1f}" y="{frame.y:.1f}"'
    size = f'width="{frame.width:.1f}" height="{frame.height:.1f}"'
    if repeats:  # the edge of a sheet behind it
        yield (
            f'<path class="sheet repeats" d="M{frame.x + frame.width:.1f} {frame.y + 6:.1f}h5'
            f'v{frame.height - 1:.1f}h{-frame.width + 1:.1f}v-5"/>'
        )
    yield f'<rect class="frame{repeats}" {where} {size} rx="7"/>'
    x, y = frame.x + frame.width - PADDING, frame.y + 15
    title = f"{frame.title} ×{frame.times}" if repeats else frame.title
    yield (
        f'<text class="title quiet" x="{x:.1f}" y="{y:.1f}" text-anchor="end">'
        f"{escape(title)}</text>"
    )


def _card(card: Card) -> Iterable[str]:
    kinds = ["leaf" if card.place is None else "element", _family(card.name)]
    kinds += ["wanted"] * card.wanted + ["result"] * card.result
    data = ""
    if card.place is not None:
        members = " ".join(str(place + 1) for place in card.members)
        data = f' tabindex="0" data-element="{card.place + 1}" data-members="{members}"'
    yield f'<g class="{" ".join(filter(None, kinds))}"{data}><title>{escape(card.hint)}</title>'
    radius = 4 if card.place is not None else 10
    yield (
        f'<rect class="box" x="{card.x:.1f}" y="{card.y:.1f}" width="{card.width:.1f}" '
        f'height="{card.height:.1f}" rx="{radius}"/>'
    )
    middle = card.x + card.width / 2
    text = TITLE + LINE * (len(card.lines) - 1)
    y = card.y + (card.height - text) / 2 + 12
    for k, line in enumerate(card.lines):
        kind = "title" if not k else "quiet"
        where = f'x="{middle:.1f}" y="{y:.1f}" text-anchor="middle"'
        yield f'<text class="{kind}" {where}>{escape(line)}</text>'
        y += TITLE - 2 if not k else LINE
    left, top = card.x + card.width, card.y + (card.height - LINE * len(card.chips)) / 2
    for k, chip in enumerate(card.chips):
        y = top + LINE * k
        wanted = " wanted" if chip.wanted else ""
        yield (
            f'<path class="edge" d="M{left:.1f} {y + LINE / 2:.1f}h8"/>'
            f'<rect class="chip{wanted}" x="{left + 8:.1f}" y="{y + 0.5:.1f}" '
            f'width="{SMALL * len(chip.text) + 10:.1f}" height="{LINE - 1:.1f}" rx="5">'
            f"<title>{escape(chip.hint)}</title></rect>"
            f'<text x="{left + 13:.1f}" y="{y + 9.5:.1f}">{escape(chip.text)}</text>'
        )
    yield "</g>"


def _edge(edge: Edge, scale: "_Scale") -> str:
    width = scale.width(edge)
    signal = " signal" if edge.norm is not None else ""
    hint = edge.hint + (f", ‖δ‖ {number_text(edge.norm)}" if edge.norm is not None else "")
    points = _without_repeats(edge.points)
    head = ""
    if edge.reader is not None:
        x, y = points[-1]
        size = 5 + width / 2
        points = [*points[:-1], (x, y - size)]
        head = (
            f'<path class="point{signal}" d="M{x:.1f} {y:.1f}l{-size * 0.6:.1f} {-size:.1f}'
            f'h{size * 1.2:.1f}z"/>'
        )
    made = "" if edge.made is None else f' data-made="{edge.made + 1}"'
    reader = "" if edge.reader is None else f' data-reader="{edge.reader + 1}"'
    return (
        f'<g{made}{reader}><title>{escape(hint)}</title><path class="edge{signal}" '
        f'stroke-width="{width:.1f}" d="{_way(points)}"/>{head}</g>'
    )


def _without_repeats(points: Sequence[Point]) -> list[Point]:
    """Return the corners of a way: no point twice, none in the middle of a straight line."""
    kept: list[Point] = []
    for point in points:
        if kept and math.dist(point, kept[-1]) < 0.05:
            continue
        if len(kept) > 1 and abs(kept[-2][0] - kept[-1][0]) + abs(kept[-1][0] - point[0]) < 0.05:
            kept.pop()
        kept.append(point)
    return kept


def _way(points: Sequence[Point]) -> str:
    """Write a way: straight down or across, and in a curve from one column to another."""
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x, y), (u, v) in pairwise(points):
        if abs(x - u) < 0.05 or abs(y - v) < 0.05:
            parts.append(f"L{u:.1f} {v:.1f}")
        else:
            middle = (y + v) / 2
            parts.append(f"C{x:.1f} {middle:.1f} {u:.1f} {middle:.1f} {u:.1f} {v:.1f}")
    return "".join(parts)


def _family(name: str) -> str:
    for family, parts in FAMILIES.items():
        if any(part in name for part in parts):
            return family
    return ""


# -- legend ----------------------------------------------------------------------------


class _Scale:
    """Widths of edges by the norm of their error signal, logarithmic between the extremes."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        norms = [edge.norm for edge in edges if edge.norm and math.isfinite(edge.norm)]
        self.known = bool(norms)
        self.least, self.largest = (min(norms), max(norms)) if norms else (1.0, 1.0)

    def width(self, edge: Edge) -> float:
        return THINNEST if edge.norm is None else self.of(edge.norm)

    def of(self, norm: float) -> float:
        if not norm > 0:
            return THINNEST / 2
        if not math.isfinite(norm):
            return THICKEST
        span = math.log(self.largest / self.least)
        share = math.log(norm / self.least) / span if span else 0.5
        return THINNEST + (THICKEST - THINNEST) * share

    def samples(self) -> list[float]:
        if not self.known:
            return []
        middle = math.exp((math.log(self.least) + math.log(self.largest)) / 2)
        return list(dict.fromkeys((self.least, middle, self.largest)))


def _legend(families: Sequence[str], scale: _Scale) -> tuple[list[str], float]:
    """Return two rows, of colours and of widths, and how wide they are."""
    lines = []
    x = 0.0
    for family in families:
        lines.append(
            f'<g class="{family}"><rect class="box" x="{x:.1f}" y="-9" width="14" height="11" '
            f'rx="2"/></g><text class="quiet" x="{x + 18:.1f}" y="0">{family}</text>'
        )
        x += SMALL * len(family) + 34
    width, x = x, 0.0
    for norm in scale.samples():
        text = f"‖δ‖ {number_text(norm)}"
        lines.append(
            f'<path class="edge signal" stroke-width="{scale.of(norm):.1f}" '
            f'd="M{x:.1f} 17h30"/><text class="quiet" x="{x + 36:.1f}" y="20">{text}</text>'
        )
        x += 36 + SMALL * len(text) + 20
    if scale.known:
        told = "the error signal that came back"
        lines.append(f'<text class="quiet" x="{x:.1f}" y="20">{told}</text>')
        x += SMALL * len(told)
    return lines, max(width, x)
