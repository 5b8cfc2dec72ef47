"""What a network looks for, and what it sees: first filters, feature maps of one image."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data import Normalise, Standardise
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train.plots.canvas import as_shown, mosaic, new_figure, write_figure

__all__ = ["draw_feature_maps", "draw_filters"]

_FILTERS = 64
_LAYERS = 8
_MAPS = 16


def draw_filters(path: Path, model: Module, title: str = "") -> str:
    """Draw the filters of the first convolution of a network.

    Filters over grey images: red where light adds to the score, blue where it takes away, white
    at 0, on one scale for all. Over colour images each filter is a colour image itself, grey
    at 0. Filters over other numbers of channels are drawn channel by channel.

    Parameters
    ----------
    path : Path
        PNG file.
    model : Module
    title : str

    Returns
    -------
    str
        The name of the weights that were drawn.

    Raises
    ------
    OptionError
        If the network has no filters.
    RunDirectoryError
        If the file cannot be written.
    """
    found = next(
        ((name, weight) for name, weight in model.named_parameters() if len(weight.shape) == 4),
        None,
    )
    if found is None:
        raise OptionError(
            "draw_filters: a network has filters of four axes; got "
            f"{type(model).__name__} without any"
        )
    name, weights = found[0], found[1].numpy()
    most = float(np.abs(weights).max()) or 1.0
    count, channels, height, width = weights.shape
    if channels == 3:
        tiles = np.moveaxis(weights[:_FILTERS], 1, -1) / (2 * most) + 0.5
    else:
        tiles = weights.reshape(-1, height, width)[:_FILTERS]
    columns = min(len(tiles), 8)
    rows = -(-len(tiles) // columns)
    figure = new_figure(1.2 + 0.8 * columns + (channels != 3), 0.9 + 0.8 * rows)
    axes = figure.subplots()
    picture = mosaic(tiles, columns)
    if channels == 3:
        picture = np.nan_to_num(picture, nan=1.0)
    drawn = axes.imshow(picture, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
    if channels != 3:
        figure.colorbar(drawn, ax=axes, shrink=0.9)
    axes.set_axis_off()
    shown = (
        f", {len(tiles)} shown" if len(tiles) < count * (1 if channels == 3 else channels) else ""
    )
    line = f"{name}: {count} filters {channels}x{height}x{width}{shown}"
    axes.set_title(f"{title}\n{line}" if title else line, fontsize=9)
    write_figure(path, figure)
    return name


def draw_feature_maps(
    path: Path,
    model: Module,
    image: npt.NDArray[Any],
    standardise: Standardise | Normalise | None = None,
    title: str = "",
) -> list[str]:
    """Draw what the layers of a network make of one image.

    Each line is a layer, with up to 16 of its maps, on one scale for the layer: black is its
    smallest value, white its largest. Of many layers some are chosen, evenly from first to last.

    Parameters
    ----------
    path : Path
        PNG file.
    model : Module
        In evaluation mode meanwhile.
    image : ndarray, shape (C, H, W)
    standardise : Standardise or Normalise, optional
        What was applied to the image; undone where it is shown.
    title : str

    Returns
    -------
    list of str
        The names of the layers that were drawn.

    Raises
    ------
    ShapeError
        If that is no image.
    OptionError
        If no layer has maps of more than one pixel.
    RunDirectoryError
        If the file cannot be written.
    """
    if image.ndim != 3:
        raise ShapeError(f"draw_feature_maps: an image has shape (C, H, W); got {image.shape}")
    maps = _maps(model, image)
    if not maps:
        raise OptionError(
            "draw_feature_maps: layers have maps of some pixels; got "
            f"{type(model).__name__} without any"
        )
    if len(maps) > _LAYERS:
        chosen = np.linspace(0, len(maps) - 1, _LAYERS).round().astype(int)
        maps = [maps[place] for place in chosen]
    figure = new_figure(12, 0.7 + 0.98 * (len(maps) + 1))
    lines = figure.subplots(len(maps) + 1, 1)
    _draw_line(lines[0], as_shown(image[None], standardise), 0.0, 1.0)
    lines[0].set_title(title or "image", fontsize=9, loc="left")
    for axes, (name, values) in zip(lines[1:], maps, strict=True):
        low, high = float(values.min()), float(values.max())
        _draw_line(axes, values[:_MAPS], low, high)
        count, height, width = values.shape
        shown = f"{_MAPS} of " if count > _MAPS else ""
        text = f"{name}: {shown}{count} maps {height}x{width}, from {low:.3g} to {high:.3g}"
        axes.set_title(text, fontsize=9, loc="left")
    write_figure(path, figure)
    return [name for name, _ in maps]


def _maps(model: Module, image: npt.NDArray[Any]) -> list[tuple[str, npt.NDArray[Any]]]:
    """Return the outputs of all innermost layers that are maps, in the order they ran."""
    maps: list[tuple[str, npt.NDArray[Any]]] = []
    handles = []

    def keep(name: str) -> Any:
        def hook(module: Module, inputs: tuple[Any, ...], output: Any) -> None:
            if inputs and output is inputs[0]:
                return  # dropout, for one, does nothing in evaluation
            if isinstance(output, Tensor) and len(output.shape) == 4 and max(output.shape[2:]) > 1:
                maps.append((name, output.numpy()[0].copy()))

        return hook

    for name, module in model.named_modules():
        if not any(True for _ in module.children()):
            handles.append(module.register_forward_hook(keep(name)))
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            model(Tensor(image[None]))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return maps


def _draw_line(axes: Any, tiles: npt.NDArray[Any], low: float, high: float) -> None:
    """Draw tiles in one line of 16 places, to the left."""
    gap = max(1, tiles.shape[1] // 10)
    picture = mosaic(tiles, _MAPS, gap)
    if picture.ndim == 3:
        picture = np.nan_to_num(picture, nan=1.0)
    axes.imshow(picture, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    axes.set_anchor("W")
    axes.set_axis_off()
