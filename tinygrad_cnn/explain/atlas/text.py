"""An atlas as tables, one line for each element: to grep and to compare."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from tinygrad_cnn.explain.atlas.plates import Moment, Plate, Run
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.explain.story import number_text

if TYPE_CHECKING:
    from tinygrad_cnn.explain.atlas.atlas import Atlas

__all__ = [
    "PLATE_TITLES",
    "atlas_text",
    "headline",
    "idle_text",
    "moment_text",
    "plate_cells",
    "ratio_text",
    "summary",
]


def atlas_text(found: "Atlas", complete: bool) -> str:
    """Write an atlas as text."""
    parts = [
        headline(found),
        _table(_summary_rows(found.runs)),
        _table(_plate_rows(found, complete)),
    ]
    updates = list(_update_rows(found, complete))
    if len(updates) > 1:
        parts.append(_table(updates))
    gates = list(_gate_rows(found, complete))
    if len(gates) > 1:
        parts.append(_table(gates))
    return "\n\n".join(parts)


def headline(found: "Atlas") -> str:
    """Say of what an atlas is."""
    batch = found.runs[0].moments[0].batch
    images = "image" if batch == 1 else "images"
    shown = f"maps of image {found.selection.image}"
    return f"{found.title}: figures over {batch} {images}, {shown}"


def moment_text(moment: Moment) -> str:
    """Say when a moment is."""
    if moment.step == 0:
        return "at initialisation"
    return f"after {moment.step:,} step{'' if moment.step == 1 else 's'}"


def summary(moment: Moment) -> tuple[float, float, float]:
    """Return ‖δ‖ behind the first and the last element with weights, and their ratio."""
    norms = [p.signal.norm for p in moment.plates if p.has_weights and p.signal is not None]
    if not norms:
        return math.nan, math.nan, math.nan
    return norms[0], norms[-1], norms[0] / norms[-1] if norms[-1] > 0 else math.nan


def idle_text(plate: Plate) -> str:
    """Write the share of idle units: ``12 % dead``."""
    idle = plate.excerpt.idle
    return "" if idle is None else f"{100 * idle.share:.3g} % {idle.kind}"


PLATE_TITLES = (
    "#",
    "layer",
    "depth",
    "element",
    "shape",
    "‖δ‖",
    "min",
    "max",
    "zeros",
    "idle units",
)


def plate_cells(plate: Plate) -> Sequence[str]:
    """Write the figures of one element, as `PLATE_TITLES` name them."""
    figures = ("no δ", "", "", "")
    if plate.signal is not None:
        norm, least, largest = map(number_text, plate.signal[:3])
        figures = (norm, least, largest, f"{100 * plate.signal.zeros:.3g} %")
    shape = "x".join(map(str, plate.shape)) or "scalar"
    places = map(str, (plate.number, plate.layer, plate.depth))
    return *places, plate.label, shape, *figures, idle_text(plate)


def ratio_text(value: float) -> str:
    """Write a ratio; nothing where it is not known."""
    return "" if value != value else number_text(value)


def _summary_rows(runs: Sequence[Run]) -> Iterator[Sequence[str]]:
    yield (
        "run",
        "step",
        "loss",
        "‖δ‖ first",
        "‖δ‖ last",
        "first/last",
        "idle units",
        "median ‖Δw‖/‖w‖",
    )
    for run in runs:
        for moment in run.moments:
            first, last, share = summary(moment)
            idle = [p.excerpt.idle.share for p in moment.plates if p.excerpt.idle is not None]
            ratios = sorted(u.ratio for u in moment.updates if u.ratio == u.ratio)
            yield (
                run.title,
                str(moment.step),
                number_text(moment.loss),
                number_text(first),
                number_text(last),
                number_text(share),
                f"{100 * sum(idle) / len(idle):.3g} %" if idle else "",
                number_text(ratios[len(ratios) // 2]) if ratios else "",
            )


def _moments(run: Run, complete: bool) -> Sequence[Moment]:
    return run.moments if complete else run.moments[-1:]


def _plate_rows(found: "Atlas", complete: bool) -> Iterator[Sequence[str]]:
    yield "run", "step", *PLATE_TITLES
    for run in found.runs:
        for moment in _moments(run, complete):
            for plate in moment.plates:
                yield run.title, str(moment.step), *plate_cells(plate)


def _update_rows(found: "Atlas", complete: bool) -> Iterator[Sequence[str]]:
    yield "run", "step", "parameter", "‖w‖", "‖∇w‖", "‖Δw‖", "‖Δw‖/‖w‖"
    for run in found.runs:
        for moment in _moments(run, complete):
            for update in moment.updates:
                figures = map(ratio_text, (*update[1:4], update.ratio))
                yield run.title, str(moment.step), update.name, *figures


def _gate_rows(found: "Atlas", complete: bool) -> Iterator[Sequence[str]]:
    yield (
        "run",
        "step",
        "gates of",
        "channels",
        "least",
        "mean",
        "largest",
        "spread between images",
        "‖δ‖",
    )
    for run in found.runs:
        for moment in _moments(run, complete):
            for plate in moment.plates:
                gates = plate.excerpt.gates
                if gates is not None:
                    figures = (gates.min(), gates.mean(), gates.max(), gates.std(0).mean())
                    texts = (number_text(float(each)) for each in figures)
                    named = run.title, str(moment.step), plate.label, str(gates.shape[1])
                    yield *named, *texts, _norm(plate)


def _norm(plate: Plate) -> str:
    return "no δ" if plate.signal is None else number_text(plate.signal.norm)


def _table(rows: Iterable[Sequence[str]]) -> str:
    """Line up cells; words to the left, numbers to the right."""
    table = list(rows)
    words = {"run", "parameter", "element", "shape", "gates of"}
    numbers = [column for column, title in enumerate(table[0]) if title not in words]
    return "\n".join(text_table(table, numbers, indent=""))
