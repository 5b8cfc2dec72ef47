"""Pictures of saliency and Grad-CAM."""

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.explain.rendering.array_picture import Scale
from tinygrad_cnn.explain.sight.picture_sheet import Panel, Sheet
from tinygrad_cnn.explain.sight.saliency import GradCAM, Saliency

__all__ = ["grad_cam_sheet", "saliency_sheet"]

Array = npt.NDArray[np.floating]
_SIDE = 250  # pixels of a panel, about


def saliency_sheet(found: Saliency) -> Sheet:
    """Return the image beside its three maps."""
    zoom = _zoom(found.image)
    several = len(found.image) > 1
    titles = ("max_c |∂s/∂x_c|", "Σ_c ∂s/∂x_c", "Σ_c x_c ∂s/∂x_c")
    first, second, third = titles if several else ("|∂s/∂x|", "∂s/∂x", "x ∂s/∂x")
    maps = [
        (first, "sequential", found.magnitude, "how sensitive the score is"),
        (second, "signed", found.signed, "red: brighter adds to the score"),
        (third, "signed", found.times_input, "what a pixel adds, were the net linear"),
    ]
    if found.guided:
        maps = [
            (f"guided: {title}", kind, values, "no derivative of anything")
            for title, kind, values, _ in maps
        ]
    panels = [_image_panel(found.image, zoom)]
    for title, kind, values, note in maps:
        scale = Scale.of(kind, [values] if kind == "signed" else [np.zeros(1), values])
        panels.append(Panel(title, scale.pixels(values), scale, (note,), zoom))
    return Sheet(_headline("saliency", found), panels, (_answer(found),))


def grad_cam_sheet(found: GradCAM) -> Sheet:
    """Return the image beside the weighed maps of the layer."""
    zoom = _zoom(found.image)
    _, height, width = found.image.shape
    own = Scale.of("sequential", [np.zeros(1), found.map])
    over = found.over_image()
    rows, columns = found.summed.shape
    signed = Scale.of("signed", [found.summed])
    grid = max(1, zoom * max(height, width) // max(rows, columns))
    laid = _laid_over(found.image, over)
    panels = [
        _image_panel(found.image, zoom),
        Panel("Grad-CAM over the image", laid, None, ("tinted where the map is high",), zoom),
        Panel("max(0, Σₖ αₖ Aₖ)", own.pixels(over), own, ("at the image's size",), zoom),
        Panel(
            "Σₖ αₖ Aₖ",
            signed.pixels(found.summed),
            signed,
            (f"as it is: {rows}x{columns} places",),
            grid,
        ),
    ]
    return Sheet(_headline(f"Grad-CAM of {found.layer}", found), panels, (_answer(found),))


def _headline(what: str, found: Saliency | GradCAM) -> str:
    return f"{what}, class {found.label}"


def _answer(found: Saliency | GradCAM) -> str:
    answer = f"the network answers {found.predicted}"
    return f"score {found.score:.4g} before any softmax; {answer}"


def _zoom(image: Array) -> int:
    return max(1, _SIDE // max(image.shape[1:]))


def _image_panel(image: Array, zoom: int) -> Panel:
    scale = Scale.of("grey", [image])
    return Panel("image", _as_picture(image), scale, ("as the network gets it",), zoom)


def _as_picture(image: Array) -> npt.NDArray[np.uint8]:
    """Return an image in grey, or in colour where it has three channels."""
    if len(image) != 3:
        grey = image.mean(0)
        return Scale.of("grey", [grey]).pixels(grey)
    scale = Scale.of("grey", [image])
    red, green, blue = (scale.pixels(channel)[..., 0] for channel in image)
    return np.stack([red, green, blue, np.full_like(red, 255)], -1)


def _laid_over(image: Array, values: Array) -> npt.NDArray[np.uint8]:
    """Return the image, tinted where a map is high."""
    grey = image.mean(0)
    below = Scale.of("grey", [grey]).pixels(grey)[..., :3].astype(float)
    peak = float(values.max()) or 1.0
    share = (values / peak).clip(0, 1)[..., None]
    tint = Scale("sequential", 0.0, 1.0).pixels(share[..., 0])[..., :3].astype(float)
    mixed = below * (0.7 - 0.45 * share) + tint * (0.75 * share)
    return np.concatenate([mixed, np.full((*values.shape, 1), 255.0)], -1).round().astype(np.uint8)
