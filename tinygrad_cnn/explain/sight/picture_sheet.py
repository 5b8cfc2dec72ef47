"""Sheets of pictures: panels with a title and a legend, as SVG, as an HTML page and as PNG.

All three are drawn from the same panels. Pixels stay squares, however large they are shown, and
the text follows the light or dark of the page.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.explain.rendering.array_picture import Scale, tiled
from tinygrad_cnn.explain.rendering.html_document import html_document
from tinygrad_cnn.explain.rendering.png_file import data_uri
from tinygrad_cnn.explain.rendering.saving import require_ending, save_by_ending

__all__ = ["Box", "Panel", "Pictured", "Sheet", "maps_panel", "require_picture_file"]

Pixels = npt.NDArray[np.uint8]
Array = npt.NDArray[Any]

WIDEST = 1120  # pixels of a sheet
_LETTER, _LINE, _GAP = 6.4, 15, 22  # of text at 11 pixels; between panels
_names = count()
_ENDINGS = (".html", ".svg", ".png")

_STYLE = """
svg.sight { font-family: system-ui, "DejaVu Sans", sans-serif; }
svg.sight text { font-size: 11px; fill: #1d2733; }
svg.sight .heading { font-size: 15px; font-weight: 600; }
svg.sight .title { font-weight: 600; }
svg.sight .quiet { fill: #5b6776; }
svg.sight .paper { fill: #ffffff; }
svg.sight .frame { fill: none; stroke: #8793a1; }
svg.sight .box { fill: none; stroke: #0b7a3b; stroke-width: 2; }
svg.sight image { image-rendering: pixelated; }
@media screen and (prefers-color-scheme: dark) {
  svg.sight text { fill: #e6ebf2; }
  svg.sight .quiet { fill: #a3afbf; }
  svg.sight .paper { fill: #12161c; }
  svg.sight .box { stroke: #4ade80; }
}
""".strip()


class Box(NamedTuple):
    """A frame around some pixels of a panel: rows from top, columns from left, in its pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass
class Panel:
    """One picture with what it says.

    Attributes
    ----------
    title : str
    pixels : ndarray of uint8, shape (H, W, 4)
    scale : Scale or None
        What the colours mean; drawn as a bar below the picture.
    notes : sequence of str
        Lines below the title.
    zoom : int
        Side of a pixel as it is shown.
    boxes : sequence of Box
    """

    title: str
    pixels: Pixels
    scale: Scale | None = None
    notes: Sequence[str] = ()
    zoom: int = 1
    boxes: Sequence[Box] = ()

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Class and text of the lines above the picture."""
        return [("title", self.title), *(("quiet", note) for note in self.notes)]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height with text and legend."""
        height, width = (self.zoom * size for size in self.pixels.shape[:2])
        texts = [len(text) for _, text in self.lines]
        if self.scale is not None:
            texts.append(len(str(self.scale)))
        below = 0 if self.scale is None else 30
        return max(width, _LETTER * max(texts)), _LINE * len(self.lines) + 6 + height + below

    def svg(self, x: float, y: float) -> Iterable[str]:
        """Yield the panel with its left top corner at a place."""
        for kind, text in self.lines:
            y += _LINE
            yield f'<text x="{x:g}" y="{y - 4:g}" class="{kind}">{escape(text)}</text>'
        y += 2
        height, width = (self.zoom * size for size in self.pixels.shape[:2])
        yield (
            f'<image x="{x:g}" y="{y:g}" width="{width}" height="{height}" '
            f'preserveAspectRatio="none" href="{data_uri(self.pixels)}"/>'
        )
        for box in self.boxes:
            yield (
                f'<rect class="box" x="{x + self.zoom * box.left:g}" '
                f'y="{y + self.zoom * box.top:g}" width="{self.zoom * box.width}" '
                f'height="{self.zoom * box.height}"/>'
            )
        if self.scale is not None:
            y += height + 6
            told = escape(str(self.scale))
            if self.scale.low < self.scale.high:
                bar = self.scale.pixels(np.linspace(self.scale.low, self.scale.high, 64)[None])
                yield (
                    f'<image x="{x:g}" y="{y:g}" width="128" height="8" '
                    f'preserveAspectRatio="none" href="{data_uri(bar)}"/>'
                )
                yield f'<rect class="frame" x="{x:g}" y="{y:g}" width="128" height="8"/>'
            yield f'<text x="{x:g}" y="{y + 20:g}" class="quiet">{told}</text>'


@dataclass
class Sheet:
    """Panels under one heading.

    Attributes
    ----------
    title : str
    panels : list of Panel
    notes : sequence of str
        Lines below the heading.
    columns : int or None
        Panels in a row; as many as fit by default.
    """

    title: str
    panels: list[Panel]
    notes: Sequence[str] = ()
    columns: int | None = None
    _name: int = field(default_factory=lambda: next(_names), repr=False)

    def _places(self) -> tuple[list[tuple[float, float]], float, float]:
        """Return where panels stand, and the size of the sheet."""
        texts = [len(self.title) * 1.35, *(len(note) for note in self.notes)]
        wide = _LETTER * max(texts)
        x, y = 0.0, 24.0 + _LINE * len(self.notes) + 10
        row, low, places = 0, y, []
        for panel in self.panels:
            width, height = panel.size
            if row and (row == self.columns or (self.columns is None and x + width > WIDEST)):
                x, y, row = 0.0, low + _GAP, 0
            places.append((x, y))
            low, wide = max(low, y + height), max(wide, x + width)
            x, row = x + width + _GAP, row + 1
        return places, wide, low

    def svg(self) -> str:
        """Return an SVG document."""
        places, width, height = self._places()
        margin = 12
        lines = [
            f'<svg class="sight" xmlns="http://www.w3.org/2000/svg" '
            f'width="{width + 2 * margin:.0f}" height="{height + 2 * margin:.0f}" '
            f'viewBox="{-margin} {-margin} {width + 2 * margin:.0f} {height + 2 * margin:.0f}" '
            f'role="img" aria-label="{escape(self.title)}">',
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" x="{-margin}" y="{-margin}" width="100%" height="100%"/>',
            f'<text class="heading" x="0" y="16">{escape(self.title)}</text>',
        ]
        for number, note in enumerate(self.notes, 1):
            lines.append(
                f'<text class="quiet" x="0" y="{20 + _LINE * number}">{escape(note)}</text>'
            )
        for panel, place in zip(self.panels, places, strict=True):
            lines += panel.svg(*place)
        return "\n".join([*lines, "</svg>"])

    def html(self) -> str:
        """Return a page that needs no other file."""
        return html_document(self.title, ('<div class="picture">', self.svg(), "</div>"))

    def png(self, zoom: float = 1.5) -> bytes:
        """Return a PNG file, on white."""
        # Without pyplot: no window system is asked for, no global state is left behind.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle

        places, width, height = self._places()
        margin, dpi = 12, 72 * zoom
        full = width + 2 * margin, height + 2 * margin
        figure = Figure(figsize=(full[0] / 72, full[1] / 72), dpi=dpi)
        FigureCanvasAgg(figure)

        def write(x: float, y: float, text: str, **style: Any) -> None:
            at = (x + margin) / full[0], 1 - (y + margin) / full[1]
            style = {"fontsize": 8.2, "parse_math": False, **style}
            figure.text(*at, text, va="baseline", **style)

        def show(x: float, y: float, pixels: Pixels, size: tuple[float, float]) -> Any:
            box = (
                (x + margin) / full[0],
                1 - (y + margin + size[0]) / full[1],
                size[1] / full[0],
                size[0] / full[1],
            )
            axes = figure.add_axes(box)
            axes.imshow(pixels, interpolation="nearest", aspect="auto")
            axes.set_axis_off()
            return axes

        write(0, 16, self.title, fontsize=11, fontweight="bold")
        for number, note in enumerate(self.notes, 1):
            write(0, 20 + _LINE * number, note, color="#5b6776")
        for panel, (x, y) in zip(self.panels, places, strict=True):
            for kind, text in panel.lines:
                y += _LINE
                style = {"fontweight": "bold"} if kind == "title" else {"color": "#5b6776"}
                write(x, y - 4, text, **style)
            y += 2
            rows, columns = panel.pixels.shape[:2]
            axes = show(x, y, panel.pixels, (panel.zoom * rows, panel.zoom * columns))
            for box in panel.boxes:
                corner = box.left - 0.5, box.top - 0.5
                axes.add_patch(
                    Rectangle(corner, box.width, box.height, fill=False, ec="#0b7a3b", lw=2)
                )
            if panel.scale is not None:
                y += panel.zoom * rows + 6
                if panel.scale.low < panel.scale.high:
                    ends = np.linspace(panel.scale.low, panel.scale.high, 64)[None]
                    show(x, y, panel.scale.pixels(ends), (8, 128))
                write(x, y + 20, str(panel.scale), color="#5b6776")
        file = BytesIO()
        figure.savefig(file, format="png", dpi=dpi)
        return file.getvalue()

    def save(self, path: str | Path) -> None:
        """Write the sheet to a file, as its ending says: .html, .svg or .png.

        Raises
        ------
        OptionError
            If it has another ending.
        """
        forms = (self.html, self.svg, self.png)
        save_by_ending(path, dict(zip(_ENDINGS, forms, strict=True)), "picture sheet")

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self.svg()}</div>'


class Pictured(ABC):
    """A result with a text and pictures: a terminal prints the one, a notebook shows the others."""

    @abstractmethod
    def text(self) -> str:
        """Return plain text."""

    @abstractmethod
    def sheet(self) -> Sheet:
        """Return it as pictures."""

    def save(self, path: str | Path) -> None:
        """Write the pictures to a file, as its ending says: .html, .svg or .png.

        Raises
        ------
        OptionError
            If it has another ending.
        """
        require_picture_file(path)
        self.sheet().save(path)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.sheet()._repr_html_()


def require_picture_file(path: str | Path) -> Path:
    """Return the path of a file that a sheet can be written to, or refuse its ending."""
    return require_ending(path, _ENDINGS, "picture sheet")


def maps_panel(
    title: str,
    maps: Array,
    kind: str = "",
    shown: int = 64,
    width: int = 520,
    scale: Scale | None = None,
    notes: Sequence[str] = (),
) -> Panel:
    """Return a panel of several maps on one scale.

    Parameters
    ----------
    title : str
    maps : ndarray, shape (K, H, W)
    kind : str
        Of the scale; by default signed where numbers below 0 are among them.
    shown : int
        Maps at most.
    width : int
        In pixels, about.
    scale : Scale, optional
        In place of their own.
    notes : sequence of str
    """
    if scale is None:
        kind = kind or ("signed" if np.nanmin(maps, initial=0.0) < 0 else "sequential")
        scale = Scale.of(kind, [maps])
    chosen = maps[:shown]
    side = maps.shape[2]
    columns = min(len(chosen), max(1, round(width / max(side * 2, 34))), 16)
    if len(chosen) > columns:  # rows of the same length
        columns = -(-len(chosen) // -(-len(chosen) // columns))
    zoom = max(1, min(24, (width // columns - 3) // side))
    tiles = [scale.pixels(each) for each in chosen]
    hidden = [f"{shown} of {len(maps)} are shown"] if len(maps) > shown else []
    return Panel(title, tiled(tiles, columns, zoom, gap=3), scale, [*notes, *hidden])
