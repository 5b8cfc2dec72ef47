"""A recorded run as one HTML file: the picture, a table, and all figures of a chosen element.

The file asks nothing of the network: style, script and the graph document itself stand in it. A
reader without scripts, and paper, has the picture and the table.
"""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.folding import fold, representatives
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.recording import Step
from tinygrad_cnn.explain.rendering.html_document import html_document, json_element
from tinygrad_cnn.explain.rendering.notebook import PageText
from tinygrad_cnn.explain.rendering.svg import svg
from tinygrad_cnn.explain.story import headline, label_text, number_text, shape_text
from tinygrad_cnn.variable import Variable

__all__ = ["page"]

STYLES, SCRIPTS = (
    [Path(__file__).with_name(f"{name}.{kind}") for name in ("page", "scrubber")]
    for kind in ("css", "js")
)
LOW = 2000.0  # pixels; what is higher would be too small on one page
TITLES = ("#", "times", "element", "shape", "min", "max", "zeros", "‖δ out‖", "forward", "source")
TEXTS = ("element", "shape", "forward", "source")
# Without a script there is nothing to move: it stays hidden.
SCRUBBER = (
    '<section class="scrubber" id="scrubber" aria-label="Step through the run" hidden>',
    '<div class="bar">',
    '<button id="first" aria-label="to the beginning">|◀</button>',
    '<button id="before" aria-label="back">◀</button>',
    '<button id="play" >play</button>',
    '<button id="next" aria-label="on">▶</button>',
    '<button id="last" aria-label="to the end">▶|</button>',
    '<input id="slider" type="range" min="0" value="0" step="1" aria-label="moment of the run">',
    "</div>",
    '<p id="moment" role="status" aria-live="polite"></p>',
    '<ul id="arrivals" aria-label="error signals at fan-ins"></ul>',
    "</section>",
)


def page(
    result: Variable | GraphDump,
    folded: bool = True,
    *,
    before: GraphDump | None = None,
    remarks: Sequence[str] = (),
) -> PageText:
    """Write a page about how a value was computed and what came back.

    A click on an element shows its rules, the figures of its values and error signals, cost,
    kernels, time and source line; of a repeated block, of each in turn. A slider, and the keys ←
    and →, Home, End and space, go through the run forward and backward in execution order: what
    there is by then, and what has arrived at fan-ins from whom.

    Parameters
    ----------
    result : Scalar, Tensor or GraphDump
        Usually a loss.
    folded : bool
        Whether of repeated blocks one is drawn, with ×N.
    before : GraphDump, optional
        The same run before something was changed in its walk backward: norms of its error
        signals stand beside those of `result`.
    remarks : sequence of str
        Lines below the heading.

    Returns
    -------
    str
        An HTML document that needs no other file.

    Raises
    ------
    DTypeError
        If it is no value of a graph.
    GraphError
        If no element computed the value.
    OptionError
        If `before` has other elements.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(0.5, requires_grad=True, name="x")
    >>> page(x.exp()).splitlines()[:2]
    ['<!doctype html>', '<html lang="en">']
    """
    graph = graph_of("page", result)
    title = graph.title or "composite function"
    if before is not None and len(before.steps) != len(graph.steps):
        raise OptionError(
            f"page: before= is the same run before a change; got {len(before.steps)} elements for "
            f"{len(graph.steps)}"
        )
    picture = svg(graph, folded)
    # On paper, one page holds it, or it runs over several.
    low = " low" if float(picture.split('height="')[1].split('"')[0]) < LOW else ""
    lines = [
        f"<header><h1>{escape(title)}</h1>",
        f'<p class="quiet">{escape(headline(graph))}</p>',
        *(f"<p>{escape(remark)}</p>" for remark in remarks),
        '<p class="quiet hint">Choose an element, or go through the run with the keys ← and →, '
        "Home and End; the space bar plays it.</p></header>",
        f'<main><div><div class="picture{low}">\n{picture}</div>',
        *SCRUBBER,
        "</div>",
        '<aside id="details" aria-live="polite"><p class="quiet">No element is chosen.</p></aside>',
        "</main>",
        '<section class="elements"><h2>Elements</h2><div class="wide">',
        *_table(graph, folded),
        "</div></section>",
        json_element("graph", graph.to_json()),
        *([] if before is None else [json_element("unedited", before.to_json())]),
        f"<script>\n{_texts(SCRIPTS)}</script>",
    ]
    return PageText(html_document(title, lines, _texts(STYLES)))


def _texts(paths: Iterable[Path]) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in paths)


def _table(graph: GraphDump, folded: bool) -> Iterable[str]:
    stands_for = representatives(fold(graph, 4 if folded else None))
    members: dict[int, int] = {}
    for place in stands_for:
        members[place] = members.get(place, 0) + 1
    yield "<table><thead><tr>"
    yield from (f"<th{_kind(title)}>{escape(title)}</th>" for title in TITLES)
    yield "</tr></thead><tbody>"
    for place, times in members.items():
        cells = _cells(graph.steps[place], place, times)
        yield (
            f'<tr data-element="{place + 1}">'
            + "".join(
                f"<td{_kind(title)}>{escape(cell)}</td>"
                for title, cell in zip(TITLES, cells, strict=True)
            )
            + "</tr>"
        )
    yield "</tbody></table>"


def _kind(title: str) -> str:
    return "" if title in TEXTS else ' class="number"'


def _cells(step: Step, place: int, times: int) -> Sequence[str]:
    figures = ["", "", ""]
    if step.outputs and step.outputs[0].statistics.zeros == step.outputs[0].statistics.zeros:
        of = step.outputs[0].statistics
        figures = [number_text(of.least), number_text(of.largest), f"{100 * of.zeros:.3g} %"]
    signal = next((signal for signal in step.outgoing or () if signal is not None), None)
    source = step.source
    return (
        str(place + 1),
        f"×{times}" if times > 1 else "",
        label_text(step),
        shape_text(step.outputs[0]) if step.outputs else "",
        *figures,
        "" if signal is None else number_text(signal.statistics.norm),
        step.rule.forward_text(),
        "" if source is None else f"{Path(source.file).name}:{source.line}",
    )
