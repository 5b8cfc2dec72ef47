"""Pictures of receptive fields and error fields."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.explain.rendering.array_picture import Scale
from tinygrad_cnn.explain.sight.error_field import ErrorField, Reached
from tinygrad_cnn.explain.sight.picture_sheet import Box, Panel, Sheet
from tinygrad_cnn.explain.sight.receptive_field import ReceptiveField

__all__ = ["error_field_sheet", "receptive_field_sheet"]

_SIDE = 300  # pixels of a panel, about
_IMAGES = 4  # of a batch
_STAGES = 48  # of a deep network


def receptive_field_sheet(
    field: ReceptiveField, image: npt.NDArray[np.floating] | None = None
) -> Sheet:
    """Return what an output sees: by geometry, and as measured.

    Parameters
    ----------
    field : ReceptiveField
    image : ndarray, shape (C, H, W), optional
        Drawn beside them.
    """
    geometry = field.geometry()
    zoom = _zoom(geometry.shape)
    box = _around(geometry)
    panels = []
    if image is not None:
        grey = image.mean(0)
        scale = Scale.of("grey", [grey])
        told = ("framed: what geometry allows",)
        panels.append(Panel(field.image, scale.pixels(grey), scale, told, zoom, box))
    mask = geometry.astype(np.float64)
    inside = int(geometry.sum())
    panels.append(
        Panel(
            "geometry",
            Scale("sequential", 0.0, 1.0).pixels(mask),
            None,
            (f"{inside:,} of {geometry.size:,} pixels (yellow)",),
            zoom,
            box,
        )
    )
    if field.gradient is not None:
        shares = field.map()
        scale = Scale.of("sequential", [np.zeros(1), shares])
        notes = (
            f"half of it is at {field.pixels_that_hold(0.5):,} pixels, "
            f"95 % at {field.pixels_that_hold(0.95):,}",
        )
        title = f"measured: share of |∂{field.name}/∂{field.image}|"
        panels.append(Panel(title, scale.pixels(shares), scale, notes, zoom, box))
    why = [f"not measured: {field.not_measured}"] if field.not_measured else []
    return Sheet(f"receptive field of {field.name}", panels, why)


def error_field_sheet(field: ErrorField) -> Sheet:
    """Return where the errors came from, element by element.

    Contributions are added up over channels; of a batch the first images are drawn.
    """
    stages = [each for each in field.reached if each.mask.ndim > 1]
    chosen = np.linspace(0, len(stages) - 1, min(len(stages), _STAGES)).round().astype(int)
    panels = [_stage(stages[place], field.gradient) for place in chosen]
    title = f"error field of {field.name}"
    notes = []
    if field.gradient is not None:
        title += f": ∂L/∂{field.name} = {field.gradient:.4g}"
        notes.append(
            "contributions δ(y)·∂y/∂w of each place, added up over channels; red adds to the "
            "gradient, blue takes away; framed: what geometry allows"
        )
    if len(stages) > len(panels):
        notes.append(f"{len(panels)} of {len(stages)} elements are drawn, evenly to the loss")
    if field.not_measured:
        notes.append(f"not measured: {field.not_measured}; yellow: what geometry allows")
    return Sheet(title, panels, notes)


def _stage(each: Reached, gradient: float | None) -> Panel:
    mask = each.mask
    reached = [n for n in range(len(mask)) if mask[n].any()]  # of a pixel, often its own image
    images = reached[:_IMAGES]
    if each.contributions is None:
        values, scale = mask.astype(np.float64), Scale("sequential", 0.0, 1.0)
        notes = [f"{each.seen.numbers:,} of {mask.size:,} numbers"]
    else:
        values = each.contributions
        part = f"{100 * each.total / gradient:.4g} % of ∂L" if gradient else "∂L is 0"
        notes = [part, f"{100 * each.kept:.3g} % left when added up"]
    if values.ndim == 4 and images:
        maps = [values[n].sum(0) for n in images]
        boxes = [mask[n].any(0) for n in images]
    else:
        maps, boxes = [_as_rows(values)], [_as_rows(mask)]
    if each.contributions is not None:
        scale = Scale.of("signed", maps)
    zoom = max(1, _zoom(maps[0].shape) // (2 if len(maps) > 1 else 1))
    rows, columns = maps[0].shape
    sheet = np.zeros((rows, len(maps) * (columns + 1) - 1, 4), np.uint8)
    frames = []
    for n, (values_of_one, allowed) in enumerate(zip(maps, boxes, strict=True)):
        left = n * (columns + 1)
        sheet[:, left : left + columns] = scale.pixels(values_of_one)
        frames += [
            Box(b.top, b.left + left, b.height, b.width) for b in _around(allowed) if b.height
        ]
    if mask.ndim == 4 and len(mask) > len(images):
        notes.append(f"images {', '.join(map(str, images))} of {len(mask)}")
    measured = None if each.contributions is None else scale
    return Panel(each.seen.name, sheet, measured, notes, zoom, frames)


def _as_rows(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return vectors as rows of pixels, as thick as it takes to be seen."""
    rows = values.reshape(len(values), -1)
    thick = max(1, 12 * rows.shape[1] // (_SIDE * 2))
    return rows.repeat(thick, 0)


def _zoom(shape: tuple[int, ...]) -> int:
    return max(1, min(16, _SIDE // max(shape)))


def _around(mask: npt.NDArray[np.bool_]) -> list[Box]:
    """Return the frame around what is true; none where nothing is, or everything."""
    rows, columns = np.nonzero(mask)
    if not rows.size or mask.all():
        return []
    top, left = int(rows.min()), int(columns.min())
    return [Box(top, left, int(rows.max()) - top + 1, int(columns.max()) - left + 1)]
