"""All maps of one element as one grey picture: a row for each moment, a column for each channel.

Grey 128 is zero, 255 the largest |δ| of a tile, 1 its negative. A page colours greys, and weakens
the contrast of a tile by the share of its largest value in that of a common scale. So a choice of
scale, moment or channel needs no other picture.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.explain.atlas.plates import Plate
from tinygrad_cnn.explain.rendering.array_picture import shrunk

__all__ = ["Sheet", "sheet_of", "signed_greys"]

Array = npt.NDArray[Any]
ZERO = 128


class Sheet(NamedTuple):
    """The tiles of one element.

    ``largest`` is the largest |δ| of each tile, by moment and channel; NaN of a tile with numbers
    that are not finite, which is left blank.
    """

    pixels: Array  # uint8, shape (moments · H, columns · W)
    columns: int
    largest: list[list[float]]


def signed_greys(tile: Array) -> tuple[Array, float]:
    """Return a map as greys, and its largest |value|.

    Examples
    --------
    >>> greys, largest = signed_greys(np.array([[-2.0, 0.0, 1.0, 4.0]]))
    >>> greys.tolist(), largest
    ([[64, 128, 160, 255]], 4.0)
    """
    if not np.isfinite(tile).all():
        return np.full(tile.shape, ZERO, np.uint8), float("nan")
    largest = float(np.abs(tile).max(initial=0.0))
    shares = tile / largest if largest > 0 else np.zeros(tile.shape)
    return np.rint(ZERO + 127 * shares).astype(np.uint8), largest


def sheet_of(plates: Sequence[Plate], side: int) -> Sheet | None:
    """Return the tiles of one element at all moments; None where it has no maps.

    Parameters
    ----------
    plates : sequence of Plate
        Of one element, one for each moment.
    side : int
        The most pixels of a tile's side; a vector's strip has as many as its excerpt.
    """
    rows, largest = [], []
    for plate in plates:
        maps = plate.excerpt.maps
        if maps is None:
            return None
        stack = maps if plate.excerpt.vector else shrunk(maps, side)
        tiles = [signed_greys(tile) for tile in stack]
        rows.append(np.concatenate([greys for greys, _ in tiles], 1))
        largest.append([scale for _, scale in tiles])
    return Sheet(np.concatenate(rows), len(largest[0]), largest)
