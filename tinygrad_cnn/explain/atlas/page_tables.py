"""Figures of an atlas as tables of a page: gates, error signals, updates of parameters."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_cnn.explain.atlas.plates import Plate, Run
from tinygrad_cnn.explain.atlas.text import PLATE_TITLES, plate_cells, ratio_text
from tinygrad_cnn.explain.atlas.tiles import signed_greys
from tinygrad_cnn.explain.rendering.png_file import data_uri
from tinygrad_cnn.explain.story import number_text

if TYPE_CHECKING:
    from tinygrad_cnn.explain.atlas.atlas import Atlas

__all__ = ["figures_told", "gates_shown"]

UPDATE_TITLES = ("parameter", "‖w‖", "‖∇w‖", "‖Δw‖", "‖Δw‖ / ‖w‖")
WORDS = ("element", "shape", "parameter")


def gates_shown(found: "Atlas") -> Iterator[str]:
    """Yield a table of the gates of one image, with the error signals that reach them."""
    if not any(p.excerpt.gates is not None for run in found.runs for p in run.moments[0].plates):
        return
    yield '<section class="figures"><h2>Gates</h2><p class="quiet">One column for each channel, of'
    yield "the image shown above: 0 shuts a channel, 1 lets it pass; δ by its own scale. Figures"
    yield "are of all images."
    yield '<span class="legend">0<span class="bar open"></span>1</span></p>'
    yield '<div class="wide"><table><thead><tr><th>network</th><th>gates of</th><th>gates</th>'
    yield '<th>δ</th><th class="number">‖δ‖</th><th class="number">least</th>'
    yield '<th class="number">mean</th><th class="number">largest</th>'
    yield '<th class="number" title="standard deviation between images, mean over gates">'
    yield "spread</th></tr></thead><tbody>"
    for run in found.runs:
        for number, moment in enumerate(run.moments):
            for plate in moment.plates:
                if plate.excerpt.gates is not None:
                    yield _gate_row(number, run.title, plate, found.selection.image)
    yield "</tbody></table></div></section>"


def _gate_row(moment: int, title: str, plate: Plate, image: int) -> str:
    gates, maps, signal = plate.excerpt.gates, plate.excerpt.maps, plate.signal
    if gates is None:
        return ""
    open_ = np.rint(255 * np.clip(gates[image : image + 1], 0, 1)).astype(np.uint8)
    strips = (
        _strip("open", open_),
        "" if maps is None else _strip("signed", signed_greys(maps[0])[0]),
    )
    shown = (gates.min(), gates.mean(), gates.max(), gates.std(0).mean())
    figures = ["" if signal is None else number_text(signal.norm)]
    figures += [f"{float(value):.3f}" for value in shown]
    return (
        f"<tr{_at(moment)}><td>{escape(title)}</td><td>{escape(plate.label)}</td>"
        + "".join(f"<td>{strip}</td>" for strip in strips)
        + "".join(f'<td class="number">{figure}</td>' for figure in figures)
        + "</tr>"
    )


def _strip(kind: str, greys: Any) -> str:
    address = data_uri(greys)
    return (
        f'<div class="well"><div class="map {kind}" style="background-image:url({address})">'
        "</div></div>"
    )


def figures_told(runs: Sequence[Run]) -> Iterator[str]:
    """Yield tables of the figures of each network, folded away."""
    for run in runs:
        signals = [
            (number, plate_cells(plate))
            for number, moment in enumerate(run.moments)
            for plate in moment.plates
        ]
        updates = [
            (number, (each.name, *map(ratio_text, (*each[1:4], each.ratio))))
            for number, moment in enumerate(run.moments)
            for each in moment.updates
        ]
        for what, titles, rows in (
            ("error signals", PLATE_TITLES, signals),
            ("updates of parameters", UPDATE_TITLES, updates),
        ):
            if rows:
                yield '<section class="figures"><details><summary>'
                yield f"{escape(run.title)}: {what}</summary>"
                yield from _table(titles, rows)
                yield "</details></section>"


def _table(titles: Sequence[str], rows: Iterable[tuple[int, Sequence[str]]]) -> Iterator[str]:
    numbers = ["" if title in WORDS else ' class="number"' for title in titles]
    heads = (f"<th{kind}>{escape(t)}</th>" for kind, t in zip(numbers, titles, strict=True))
    yield f'<div class="wide"><table><thead><tr>{"".join(heads)}</tr></thead><tbody>'
    for moment, row in rows:
        cells = (f"<td{kind}>{escape(c)}</td>" for kind, c in zip(numbers, row, strict=True))
        yield f"<tr{_at(moment)}>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _at(moment: int) -> str:
    return f' data-moment="{moment}"' + (" hidden" if moment else "")
