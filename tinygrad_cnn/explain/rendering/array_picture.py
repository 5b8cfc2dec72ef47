"""Arrays as pictures: which colour stands for which number.

Three kinds of scale:

==========  =======================================  ==========================================
kind        for                                      colours
==========  =======================================  ==========================================
signed      error signals, gradients, filters        blue below 0, white at 0, red above;
                                                     both ends equally far from 0
sequential  magnitudes, shares, activations          dark blue to yellow, from least to largest
grey        images                                   black to white, from least to largest
==========  =======================================  ==========================================

All three can be told apart with any kind of colour vision, and in print. A number that is not
finite has a colour of its own, which the legend names: a NaN must not look like a 0.

A picture is an array of pixels (H, W, 4): red, green, blue, opacity. Gaps between tiles are
transparent, so that they are light on a light page and dark on a dark one.
"""

from collections.abc import Iterable
from functools import cache
from html import escape
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.explain.rendering.png_file import data_uri

__all__ = ["Scale", "legend", "shrunk", "tiled"]

Pixels = npt.NDArray[np.uint8]
Array = npt.NDArray[Any]

# kind -> matplotlib's name of the colours, and what is shown where a number is not finite
_COLOURS = {
    "signed": ("RdBu_r", "black", (0, 0, 0)),
    "sequential": ("cividis", "red", (220, 30, 30)),
    "grey": ("gray", "red", (220, 30, 30)),
}
_CLEAR = 0  # opacity of a gap


class Scale(NamedTuple):
    """Which number has which colour.

    Parameters
    ----------
    kind : str
        signed, sequential or grey.
    low, high : float
        The numbers that have the first and the last colour; what lies beyond has them too.
    not_finite : int
        How many of the numbers that it was made for are NaN or infinite.

    Examples
    --------
    >>> scale = Scale.of("signed", [np.array([-1.0, 0.5]), np.array([2.0])])
    >>> scale.low, scale.high
    (-2.0, 2.0)
    >>> print(scale)
    blue -2 · white 0 · red 2
    >>> scale.pixels(np.array([[-2.0, 0.0, 2.0]])).shape
    (1, 3, 4)
    """

    kind: str
    low: float
    high: float
    not_finite: int = 0

    @classmethod
    def of(cls, kind: str, arrays: Iterable[Array]) -> "Scale":
        """Return the scale that holds all numbers of some arrays.

        Parameters
        ----------
        kind : str
            signed (0 in the middle), sequential or grey.
        arrays : iterable of ndarray

        Raises
        ------
        OptionError
            If there is no such kind.
        """
        if kind not in _COLOURS:
            raise OptionError(f"Scale: the kind is one of {', '.join(_COLOURS)}; got {kind!r}")
        low, high, not_finite = np.inf, -np.inf, 0
        for array in map(np.asarray, arrays):
            finite = array[np.isfinite(array)]
            not_finite += array.size - finite.size
            if finite.size:
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        if low > high:
            low = high = 0.0
        if kind == "signed":
            high = max(abs(low), abs(high))
            low = 0.0 - high
        return cls(kind, low, high, not_finite)

    def pixels(self, array: Array) -> Pixels:
        """Return the colours of the numbers of an array.

        Parameters
        ----------
        array : ndarray, shape (H, W)

        Returns
        -------
        ndarray of uint8, shape (H, W, 4)

        Raises
        ------
        ShapeError
            If the array does not have two axes.
        """
        values = np.asarray(array, np.float64)
        if values.ndim != 2:
            raise ShapeError(f"Scale.pixels: a picture has rows and columns; got {values.shape}")
        finite = np.isfinite(values)
        # Halves, so that the width of the widest scale is still a number.
        width = self.high / 2 - self.low / 2
        middle = 0.5 if self.kind == "signed" else 0.0
        place = np.full(values.shape, middle)
        if width > 0:
            place = (np.where(finite, values, self.low) / 2 - self.low / 2) / width
        table = _table(self.kind)
        chosen = np.rint(place.clip(0, 1) * (len(table) - 1)).astype(np.intp)
        return np.where(
            finite[..., None], table[chosen], np.array([*self._missing()[1], 255], np.uint8)
        )

    def __str__(self) -> str:
        ends = {
            "signed": f"blue {self.low:.3g} · white 0 · red {self.high:.3g}",
            "sequential": f"dark {self.low:.3g} · yellow {self.high:.3g}",
            "grey": f"black {self.low:.3g} · white {self.high:.3g}",
        }
        text = ends[self.kind] if self.low < self.high else f"{self.low:.3g} everywhere"
        if not self.not_finite:
            return text
        return f"{text} · {self._missing()[0]}: not finite ({self.not_finite:,})"

    def _missing(self) -> tuple[str, tuple[int, int, int]]:
        _, name, colour = _COLOURS[self.kind]
        return name, colour


@cache
def _table(kind: str) -> Pixels:
    """Return the colours of a kind of scale from first to last; odd, so that one is the middle."""
    from matplotlib import colormaps

    colours = colormaps[_COLOURS[kind][0]](np.linspace(0, 1, 255))
    return np.rint(colours * 255).astype(np.uint8)


def shrunk(array: Array, longest: int) -> Array:
    """Return maps with at most so many rows and columns: of each block of pixels, the peak.

    The peak is the number of the largest magnitude, with its sign. In a mean, error signals of both
    signs would vanish from the picture.

    Parameters
    ----------
    array : ndarray, shape (..., H, W)
    longest : int
        Rows or columns that may be left.

    Returns
    -------
    ndarray, shape (..., ceil(H / b), ceil(W / b))
        With b the smallest block that is large enough.

    Raises
    ------
    ShapeError
        If the array has less than two axes.
    OptionError
        If no row is to be left.

    Examples
    --------
    >>> shrunk(np.array([[1.0, -3.0, 0.0], [2.0, 0.5, 0.0]]), longest=2)
    array([[-3.,  0.]])
    """
    values = np.asarray(array)
    if values.ndim < 2:
        raise ShapeError(f"shrunk: a map has rows and columns; got {values.shape}")
    if longest < 1:
        raise OptionError(f"shrunk: at least one row is left; got {longest}")
    height, width = values.shape[-2:]
    block = -(-max(height, width) // longest)
    if block <= 1:
        return values
    starts = np.arange(0, height, block), np.arange(0, width, block)

    def reduced(function: np.ufunc, of: Array) -> Array:
        return function.reduceat(function.reduceat(of, starts[0], axis=-2), starts[1], axis=-1)

    most, least = reduced(np.maximum, values), reduced(np.minimum, values)
    return np.where(most >= -least, most, least)


def tiled(tiles: Iterable[Pixels], columns: int, zoom: int = 1, gap: int = 1) -> Pixels:
    """Lay pictures of one size out in rows.

    Parameters
    ----------
    tiles : iterable of ndarray, shape (H, W, 4)
    columns : int
        Pictures in a row.
    zoom : int
        Each pixel becomes a square with so many on a side.
    gap : int
        Transparent pixels between pictures, after the zoom.

    Returns
    -------
    ndarray of uint8, shape (rows (zoom H + gap) - gap, columns (zoom W + gap) - gap, 4)

    Raises
    ------
    ShapeError
        If there is no picture, or they differ in size.
    OptionError
        If there is no column, no pixel left, or less than no gap.

    Examples
    --------
    >>> black = Scale("grey", 0.0, 1.0).pixels(np.zeros((2, 3)))
    >>> tiled([black, black, black], columns=2).shape
    (5, 7, 4)
    """
    given = list(tiles)
    if not given or len({tile.shape for tile in given}) > 1:
        shapes = ", ".join(str(shape) for shape in dict.fromkeys(tile.shape for tile in given))
        raise ShapeError(f"tiled: there are pictures, all of one size; got {shapes or 'none'}")
    if columns < 1 or zoom < 1 or gap < 0:
        raise OptionError(
            f"tiled: columns and zoom are at least 1, the gap at least 0; got {columns}, {zoom} "
            f"and {gap}"
        )
    columns = min(columns, len(given))
    rows = -(-len(given) // columns)
    height, width = (zoom * size + gap for size in given[0].shape[:2])
    sheet = np.full((rows * height, columns * width, 4), _CLEAR, np.uint8)
    for place, tile in enumerate(given):
        top, left = place // columns * height, place % columns * width
        large = tile.repeat(zoom, 0).repeat(zoom, 1)
        sheet[top : top + height - gap, left : left + width - gap] = large
    return sheet[: rows * height - gap, : columns * width - gap]


def legend(scale: Scale) -> str:
    """Return a scale as HTML: a bar of its colours between the numbers at its ends.

    Parameters
    ----------
    scale : Scale

    Examples
    --------
    >>> 'title="dark 0 · yellow 1"' in legend(Scale("sequential", 0.0, 1.0))
    True
    """
    told = escape(str(scale))
    if not scale.low < scale.high:
        return f'<span class="legend">{told}</span>'
    bar = Scale(scale.kind, 0.0, 1.0) if scale.kind != "signed" else Scale("signed", -1.0, 1.0)
    strip = bar.pixels(np.linspace(bar.low, bar.high, 64)[None])
    ends = [f"{scale.low:.3g}", f"{scale.high:.3g}"]
    if scale.not_finite:
        ends[1] += f" · {scale._missing()[0]}: not finite ({scale.not_finite:,})"
    return (
        f'<span class="legend" title="{told}">{ends[0]} '
        f'<img src="{data_uri(strip)}" alt="{told}" width="96" height="10" '
        f'style="vertical-align: middle"> {ends[1]}</span>'
    )
