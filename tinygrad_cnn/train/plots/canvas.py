"""A figure without a window, tiles side by side, and pixels as they are looked at."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.atomic import write_atomically
from tinygrad_cnn.data import Normalise, Standardise
from tinygrad_cnn.errors import ShapeError

__all__ = ["as_shown", "mosaic", "new_figure", "write_figure"]

_DOTS_PER_INCH = 100


def new_figure(width: float, height: float) -> Any:
    """Return a figure of so many inches, of 100 pixels each.

    It is made without pyplot: no window system is asked for, no global state left behind.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_figure(path: Path, figure: Any) -> None:
    """Write a figure as PNG, whole or not at all.

    Raises
    ------
    RunDirectoryError
        If the file cannot be written.
    """
    stream = io.BytesIO()
    # No date and no version of the program inside: the same run gives the same file.
    figure.savefig(stream, format="png", metadata={"Software": None})
    write_atomically(path, stream.getvalue())


def as_shown(
    images: npt.NDArray[Any], standardise: Standardise | Normalise | None = None
) -> npt.NDArray[np.float32]:
    """Return images as matplotlib draws them: 0 to 1, colours last.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
        C is 1 or 3.
    standardise : Standardise or Normalise, optional
        What was applied to them and is undone; without it the darkest and the lightest pixel
        of all become 0 and 1.

    Returns
    -------
    ndarray of float32, shape (N, H, W) or (N, H, W, 3)

    Raises
    ------
    ShapeError
        If these are no images.

    Examples
    --------
    >>> as_shown(np.array([[[[-2, 0, 2]]]], np.float32))
    array([[[0. , 0.5, 1. ]]], dtype=float32)
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ShapeError(
            f"plots: images of one or three channels can be shown, (N, C, H, W); got {images.shape}"
        )
    pixels = images.astype(np.float32)
    if standardise is not None:
        pixels = standardise.undo(pixels)
    elif pixels.size:
        darkest, lightest = float(pixels.min()), float(pixels.max())
        pixels = (pixels - np.float32(darkest)) / np.float32((lightest - darkest) or 1.0)
    pixels = pixels.clip(0, 1)
    return pixels[:, 0] if images.shape[1] == 1 else np.moveaxis(pixels, 1, -1)


def mosaic(tiles: npt.NDArray[Any], columns: int, gap: int = 1) -> npt.NDArray[np.float32]:
    """Lay tiles side by side, row by row; what is between them is NaN, which is not drawn.

    Parameters
    ----------
    tiles : ndarray, shape (N, H, W) or (N, H, W, 3)
    columns : int
    gap : int, in pixels

    Returns
    -------
    ndarray of float32
        With the axes of one tile.

    Examples
    --------
    >>> mosaic(np.arange(3.0).reshape(3, 1, 1), columns=2)
    array([[ 0., nan,  1.],
           [nan, nan, nan],
           [ 2., nan, nan]], dtype=float32)
    """
    count, height, width = tiles.shape[:3]
    rows = -(-count // columns)
    size = rows * (height + gap) - gap, columns * (width + gap) - gap
    field = np.full((*size, *tiles.shape[3:]), np.nan, np.float32)
    for number, tile in enumerate(tiles):
        top, left = (number // columns) * (height + gap), (number % columns) * (width + gap)
        field[top : top + height, left : left + width] = tile
    return field
