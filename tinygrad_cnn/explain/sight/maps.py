"""What a network makes of an image, and what it looks for: feature maps and filters."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError, unknown_name
from tinygrad_cnn.explain.recording import Kept
from tinygrad_cnn.explain.rendering.array_picture import Scale, tiled
from tinygrad_cnn.explain.sight.picture_sheet import Panel, Pictured, Sheet, maps_panel
from tinygrad_cnn.explain.sight.run_values import Run, RunValues, is_maps
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.variable import Variable

__all__ = ["FeatureMaps", "Filters", "feature_maps", "filters"]

Array = npt.NDArray[Any]

_ELEMENTS = 24  # on one sheet
_FILTERS, _CHANNELS = 16, 16  # of a parameter


@dataclass
class FeatureMaps(Pictured):
    """What elements computed of one image.

    Attributes
    ----------
    image : int
        Of the batch.
    maps : dict of str to ndarray, shape (C, H, W)
        By the name of the element, in the order they ran.
    left_out : int
        Elements with maps that are not among them.
    """

    image: int
    maps: dict[str, Array]
    left_out: int = 0

    def sheet(self) -> Sheet:
        """Return them as pictures: a panel and a scale for each element."""
        panels = []
        for name, maps in self.maps.items():
            dead = int((~maps.any((1, 2))).sum())
            notes = [f"{maps.shape[0]} of {maps.shape[1]}x{maps.shape[2]}"]
            if dead:
                notes.append(f"{dead} of them are 0 everywhere")
            panels.append(maps_panel(name, maps, notes=notes))
        notes = ["each element has a scale of its own, for all of its maps"]
        if self.left_out:
            notes.append(f"{self.left_out} more elements have maps: ask for one by its name")
        return Sheet(f"feature maps of image {self.image}", panels, notes)

    def text(self) -> str:
        """Return plain text: the range of each element's maps."""
        rows = [
            f"{name}: {len(maps)} maps {maps.shape[1]}x{maps.shape[2]}, from {maps.min():.4g} to "
            f"{maps.max():.4g}, {100 * np.mean(maps == 0):.3g} % are 0"
            for name, maps in self.maps.items()
        ]
        return "\n".join([f"feature maps of image {self.image}", *rows])


def feature_maps(run: Run, element: str | Variable | None = None, image: int = 0) -> FeatureMaps:
    """Return the maps that the elements of a run computed of one image.

    Parameters
    ----------
    run : Scalar, Tensor, Recording or GraphDump
        Recorded with ``keep="arrays"``.
    element : str or Variable, optional
        A layer or element, such as ``"C1"``; by default all that have maps, of many some, evenly
        from first to last.
    image : int
        Of the batch.

    Returns
    -------
    FeatureMaps

    Raises
    ------
    UnknownNameError
        If there is no such element; the message lists those there are.
    OptionError
        If the element has no maps, or the run kept no arrays.
    ShapeError
        If there is no such image.
    GraphError, DTypeError
        If nothing was recorded, or it is no run.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> with tg.explain.record(keep="arrays") as recording:
    ...     y = tg.functional.relu(tg.Tensor(np.array([[[[1.0, -1.0]]]])))
    >>> print(tg.explain.feature_maps(recording))
    feature maps of image 0
    relu: 1 maps 1x2, from 0 to 1, 50 % are 0
    """
    values = RunValues("feature_maps", run)
    with_maps = {
        values.names[key]: kept
        for key, kept in values.values.items()
        if key in values.made and is_maps(kept)
    }
    if element is not None:
        kept = values.computed(element)
        if not is_maps(kept):
            raise OptionError(
                f"feature_maps: elements with maps, shape (N, C, H, W), are "
                f"{', '.join(with_maps) or 'none'}; got {values.names[kept.key]}, of shape "
                f"{kept.shape}"
            )
        with_maps = {values.names[kept.key]: kept}
    if not with_maps:
        raise OptionError(
            "feature_maps: maps have shape (N, C, H, W); got a run of "
            f"{', '.join(values.names[key] for key in values.made)}, without any"
        )
    names = list(with_maps)
    if len(names) > _ELEMENTS:
        chosen = np.linspace(0, len(names) - 1, _ELEMENTS).round().astype(int)
        names = [names[place] for place in chosen]
    maps = {name: _of_image(with_maps[name], name, image) for name in names}
    return FeatureMaps(image, maps, len(with_maps) - len(names))


def _of_image(kept: Kept, name: str, image: int) -> Array:
    if kept.value is None:
        raise OptionError(
            f"feature_maps: maps are shown as they were computed; got {name}, of which figures "
            'alone were kept. Record the run with tg.explain.record(keep="arrays")'
        )
    count = kept.shape[0]
    if isinstance(image, bool) or not isinstance(image, int) or not 0 <= image < count:
        raise ShapeError(
            f"feature_maps: the images of this batch are 0 to {count - 1}; got {image}"
        )
    maps: Array = np.asarray(kept.value)[image]
    return maps


@dataclass
class Filters(Pictured):
    """The weights of convolutions.

    Attributes
    ----------
    weights : dict of str to ndarray, shape (O, C, KH, KW)
        By the name of the parameter.
    """

    weights: dict[str, Array]

    def sheet(self) -> Sheet:
        """Return them as pictures.

        Filters over colour images are colour images; others are a row of channels each.
        """
        panels = [_filter_panel(name, weight) for name, weight in self.weights.items()]
        return Sheet("filters", panels, ("each parameter has a scale of its own",))

    def text(self) -> str:
        """Return plain text: shape and range of each parameter."""
        return "\n".join(
            f"{name}: {w.shape[0]} filters {'x'.join(map(str, w.shape[1:]))}, from {w.min():.4g} "
            f"to {w.max():.4g}"
            for name, w in self.weights.items()
        )


def _filter_panel(name: str, weight: Array) -> Panel:
    count, channels, height, width = weight.shape
    note = f"{count} filters {channels}x{height}x{width}"
    zoom = max(2, min(12, 44 // max(height, width)))
    most = float(np.abs(weight).max())
    if channels == 3:
        colour = np.rint(255 * (weight / (2 * (most or 1.0)) + 0.5)).astype(np.uint8)
        opaque = np.full((count, 1, height, width), 255, np.uint8)
        tiles = np.moveaxis(np.concatenate([colour, opaque], 1), 1, -1)
        notes = [note, f"red, green, blue: grey 0, none {-most:.3g}, full {most:.3g}"]
        return Panel(name, tiled(tiles[:64], 8, zoom, gap=3), None, notes)
    shown = weight[:_FILTERS, :_CHANNELS]
    if channels == 1:
        shown, columns, rows = weight[:64], 8, ""
        hidden = "" if count <= 64 else f"; 64 of {count} are shown"
    else:
        columns, rows = shown.shape[1], "; one in each row, by channels"
        few = len(shown) < count or columns < channels
        hidden = f"; {len(shown)} filters and {columns} channels are shown" if few else ""
    scale = Scale.of("signed", [weight])
    tiles_of = [scale.pixels(each) for each in shown.reshape(-1, height, width)]
    zoom = max(1, min(zoom, (520 // columns - 3) // width))
    return Panel(name, tiled(tiles_of, columns, zoom, gap=3), scale, [note + rows + hidden])


def filters(network: Module | Variable, name: str | None = None) -> Filters:
    """Return the filters of the convolutions of a network, or one parameter as filters.

    Parameters
    ----------
    network : Module or Tensor
        A network, or weights of shape (O, C, KH, KW).
    name : str, optional
        One parameter of the network, such as ``"C1.weight"``.

    Returns
    -------
    Filters

    Raises
    ------
    UnknownNameError
        If the network has no such parameter; the message lists those with filters.
    OptionError
        If a network has no filters.
    ShapeError
        If weights have other axes.
    DTypeError
        If it is neither.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> print(tg.explain.filters(tg.Tensor(np.ones((2, 1, 3, 3)), name="w")))
    w: 2 filters 1x3x3, from 1 to 1
    """
    if isinstance(network, Tensor):
        if len(network.shape) != 4 or 0 in network.shape:
            raise ShapeError(
                f"filters: weights of filters have shape (O, C, KH, KW); got {network.shape}"
            )
        return Filters({network.name or "weight": network.numpy().copy()})
    if not isinstance(network, Module):
        raise DTypeError(
            f"filters: they are those of a Module or Tensor; got {type(network).__name__}"
        )
    with_filters = {
        each: parameter
        for each, parameter in network.named_parameters()
        if len(parameter.shape) == 4 and 0 not in parameter.shape
    }
    if not with_filters:
        raise OptionError(
            f"filters: they have four axes (O, C, KH, KW); got {type(network).__name__} without any"
        )
    if name is not None:
        if name not in list(with_filters):  # whatever it is, a list too
            raise unknown_name("filters", name, with_filters)
        with_filters = {name: with_filters[name]}
    return Filters({each: parameter.numpy().copy() for each, parameter in with_filters.items()})
