"""An atlas as one HTML file: curves, a map of each element, and all figures in tables.

Maps are grey pictures that the page colours, so a choice of moment, channel or scale needs no other
file and no network. Elements of a block stand in one frame; blocks of two networks stand side by
side. Without scripts the maps of the first moment are there, each by its own scale.
"""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_cnn.explain.atlas.blocks import blocks_of, caption_of, parents_of
from tinygrad_cnn.explain.atlas.curves import curves_svg
from tinygrad_cnn.explain.atlas.page_tables import figures_told, gates_shown
from tinygrad_cnn.explain.atlas.plates import Plate, Run
from tinygrad_cnn.explain.atlas.text import headline, idle_text, moment_text
from tinygrad_cnn.explain.atlas.tiles import Sheet, sheet_of
from tinygrad_cnn.explain.rendering.html_document import html_document, json_element
from tinygrad_cnn.explain.rendering.png_file import data_uri
from tinygrad_cnn.explain.story import number_text

if TYPE_CHECKING:
    from tinygrad_cnn.explain.atlas.atlas import Atlas

__all__ = ["atlas_page"]

STYLE, SCRIPT = (Path(__file__).with_suffix(suffix) for suffix in (".css", ".js"))
SIDES = (64, 32, 24, 16, 12, 8)  # pixels of a map's side; the first that keeps a page small
PIXELS = 4_000_000  # of all maps of a page, one byte each before they are packed
MANY = 60  # elements of a network, beyond which maps are drawn smaller
# Colours from the most negative to the most positive, as shares of red, green and blue. Blue and
# orange are told apart by all kinds of colour vision; the middle is the colour of the paper.
LIGHT = ("#08306b", "#2a78bd", "#9ecae8", "#fbfbfa", "#f9b982", "#d9601a", "#7a2403")
DARK = ("#b5dcff", "#4da3ea", "#1c5288", "#0d1015", "#8a3d0c", "#ef8a34", "#ffdcb0")
GATES_LIGHT = ("#f4f6f9", "#9fd0c3", "#2f9483", "#00473d")
GATES_DARK = ("#0d1015", "#155e54", "#3bb3a0", "#d5fff5")


def atlas_page(found: "Atlas") -> str:
    """Write the page of an atlas.

    Parameters
    ----------
    found : Atlas

    Returns
    -------
    str
        An HTML document that needs no other file.
    """
    sheets = _sheets(found.runs)
    many = max(len(run.moments[0].plates) for run in found.runs) > MANY
    beside = ' class="side-by-side"' if len(found.runs) > 1 else ""
    lines = [
        _filters(),
        f"<header><h1>{escape(found.title)}</h1>",
        f"<p>{escape(found.remark)}</p>" if found.remark else "",
        f'<p class="quiet">{escape(headline(found).removeprefix(f"{found.title}: "))}</p></header>',
        f'<section class="curves">\n{curves_svg(found, headed=False)}</section>',
        *_controls(found),
        f'<main{beside} style="--runs: {len(found.runs)}">',
    ]
    for number, run in enumerate(found.runs):
        lines += _maps(number, run, sheets[number])
    lines.append("</main>")
    lines += gates_shown(found)
    lines += figures_told(found.runs)
    lines += [
        '<dialog id="enlarged"><div></div></dialog>',
        json_element("atlas", _data(found, sheets)),
        f"<script>\n{SCRIPT.read_text(encoding='utf-8')}</script>",
    ]
    style = STYLE.read_text(encoding="utf-8")
    return html_document(
        found.title, (line for line in lines if line), style, "many" if many else "few"
    )


# -- maps --------------------------------------------------------------------------------


def _sheets(runs: Sequence[Run]) -> list[list[Sheet | None]]:
    """Return the tiles of every element, as large as the page allows."""
    for side in SIDES:
        sheets = [
            [
                sheet_of(plates, side)
                for plates in zip(*(m.plates for m in run.moments), strict=True)
            ]
            for run in runs
        ]
        if sum(s.pixels.size for row in sheets for s in row if s is not None) <= PIXELS:
            break
    return sheets


def _data(found: "Atlas", sheets: Sequence[Sequence[Sheet | None]]) -> dict[str, Any]:
    """Return what the script needs: figures by run, element and moment."""
    runs = []
    for run, row in zip(found.runs, sheets, strict=True):
        plates = []
        for place, sheet in enumerate(row):
            each = [moment.plates[place] for moment in run.moments]
            plates.append(
                {
                    "label": f"{each[0].number} {each[0].label}",
                    "norms": [_norm_text(plate) for plate in each],
                    "hints": [_hint(plate) for plate in each],
                    "channels": [list(plate.excerpt.channels) for plate in each],
                    "largest": None
                    if sheet is None
                    else [
                        [None if v != v else float(f"{v:.6g}") for v in tiles]
                        for tiles in sheet.largest
                    ],
                }
            )
        runs.append({"title": run.title, "plates": plates})
    moments = [moment_text(moment) for moment in found.runs[0].moments]
    return {"moments": moments, "runs": runs}


def _norm_text(plate: Plate) -> str:
    if plate.signal is None:
        return "no δ"
    norm = plate.signal.norm
    return f"{norm:,.0f}" if 1000 <= norm < 1e6 else f"{norm:.3g}"


def _hint(plate: Plate) -> str:
    shape = "x".join(map(str, plate.shape)) or "scalar"
    lines = [
        f"{plate.number} {plate.label}, layer {plate.layer}, depth {plate.depth}",
        f"output {shape}",
    ]
    if plate.signal is not None:
        norm, least, largest = map(number_text, plate.signal[:3])
        lines += [
            f"‖δ‖ {norm}",
            f"δ from {least} to {largest}",
            f"{100 * plate.signal.zeros:.3g} % zeros",
        ]
    if plate.excerpt.idle is not None:
        lines.append(f"{idle_text(plate)} units")
    return "\n".join(lines)


def _maps(number: int, run: Run, sheets: Sequence[Sheet | None]) -> Iterator[str]:
    plates = run.moments[0].plates
    yield f'<section class="run" data-run="{number}"><h2>{escape(run.title)}</h2>'
    parents = parents_of(plates)
    blocks = list(blocks_of(plates))
    for block, places in blocks:
        heading = f"<h3>{escape(block) or '&nbsp;'}</h3>" if len(blocks) > 1 else ""
        yield f'<div class="block">{heading}<div>'
        for place in places:
            yield _card(
                place, plates[place], sheets[place], caption_of(plates[place], block, parents)
            )
        yield "</div></div>"
    yield "</section>"


def _card(place: int, plate: Plate, sheet: Sheet | None, caption: str) -> str:
    kind = "linear" if plate.is_linear else "other" if plate.excerpt.idle is None else "activation"
    shape = "vector" if plate.excerpt.vector else "image" if sheet is not None else "none"
    picture = '<div class="map"></div>'
    if sheet is not None:
        picture = f'<div class="map signed" style="{_style(sheet, len(sheet.largest))}"></div>'
    return (
        f'<figure class="{shape} {kind}" data-plate="{place}" tabindex="0" '
        f'title="{escape(_hint(plate))}"><div class="well">{picture}</div>'
        f"<figcaption><span>{escape(caption)}</span>"
        f"<b>{_norm_text(plate)}</b></figcaption></figure>"
    )


def _style(sheet: Sheet, rows: int) -> str:
    height, width = sheet.pixels.shape[0] // rows, sheet.pixels.shape[1] // sheet.columns
    return (
        f"background-image:url({data_uri(sheet.pixels)});"
        f"background-size:{100 * sheet.columns}% {100 * rows}%;--aspect:{width}/{height}"
    )


def _filters() -> str:
    """Return the filters that colour grey pictures, for light and dark pages."""
    parts = ['<svg width="0" height="0" style="position:absolute" aria-hidden="true">']
    for name, colours in (
        ("signed-light", LIGHT),
        ("signed-dark", DARK),
        ("gates-light", GATES_LIGHT),
        ("gates-dark", GATES_DARK),
    ):
        parts.append(
            f'<filter id="{name}" color-interpolation-filters="sRGB"><feComponentTransfer>'
        )
        for channel, place in (("R", 1), ("G", 3), ("B", 5)):
            shares = (f"{int(colour[place : place + 2], 16) / 255:.3f}" for colour in colours)
            parts.append(f'<feFunc{channel} type="table" tableValues="{" ".join(shares)}"/>')
        parts.append("</feComponentTransfer></filter>")
    return "".join([*parts, "</svg>"])


# -- choices -----------------------------------------------------------------------------


def _controls(found: "Atlas") -> Iterator[str]:
    moments = found.runs[0].moments
    yield '<nav class="choices">'
    if len(moments) > 1:
        yield (
            f'<label>moment <input id="moment" type="range" min="0" max="{len(moments) - 1}" '
            f'value="0"> <output id="when">{moment_text(moments[0])}</output></label>'
        )
    channels = found.selection.channels
    names = ["mean of the channels"]
    if isinstance(channels, tuple):
        names += [f"channel {channel}" for channel in channels]
    else:
        names += [f"{_ordinal(rank)} channel" for rank in range(1, channels + 1)]
    yield from _select("channel", "show", names)
    scales = ["each map its own scale", "one scale for a network"]
    yield from _select("scale", "", scales + ["one scale for all"] * (len(found.runs) > 1))
    yield '<label>amplify <input id="gain" type="range" min="0" max="40" value="0">'
    yield '<output id="times">×1</output></label>'
    yield from _select("kind", "", ["all elements", "convolutions, affine maps", "activations"])
    yield (
        '<span class="legend"><span id="lowest">−max</span><span class="bar signed"></span>'
        '<span id="highest">+max</span> '
        '<span class="quiet" id="told">of each map</span></span></nav>'
    )


def _ordinal(rank: int) -> str:
    return (
        "strongest" if rank == 1 else f"{ {2: '2nd', 3: '3rd'}.get(rank, f'{rank}th') } strongest"
    )


def _select(name: str, label: str, options: Sequence[str]) -> Iterator[str]:
    yield f'<label>{label} <select id="{name}">'
    for number, option in enumerate(options):
        yield f'<option value="{number}">{escape(option)}</option>'
    yield "</select></label>"
