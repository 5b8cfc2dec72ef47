"""Images brought to another size."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.compose import require_size
from tinygrad_cnn.data.draws import Draws
from tinygrad_cnn.errors import OptionError, ShapeError

__all__ = ["Resize"]


class Resize:
    """Draw images at another size, each axis interpolated linearly.

    ::

        Y = A X Bᵀ        A[i, p] ∝ max(0, 1 - |p + 1/2 - (i + 1/2) s| / max(s, 1))

    with s = height / new height, and B likewise; rows of A and B add up to one. Where images
    become smaller the triangle is as much wider, so that every pixel of X counts: to look at
    single ones would show patterns that are not there. Pillow's BILINEAR does the same, and
    rounds to whole pixels; here they stay floats.

    Parameters
    ----------
    size : int or (int, int), in pixels
        Of the shorter side, the longer one in proportion and rounded down; or height and width.

    Raises
    ------
    OptionError
        If that is no size.
    ShapeError
        On calling, if there are no pixels.

    Examples
    --------
    >>> Resize((1, 2))(np.array([[0.0, 2.0, 4.0, 6.0]]))
    array([[1.42857143, 4.57142857]])
    >>> Resize(2)(np.zeros((1, 3, 4, 6), np.uint8)).shape
    (1, 3, 2, 3)
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.shorter = None if isinstance(size, tuple | list) else size
        self.size = require_size("Resize", size)

    def __call__(self, images: npt.NDArray[Any], draws: Draws | None = None) -> npt.NDArray[Any]:
        """Return images of shape (..., H, W) resized, as float32, or float64 where they are."""
        if images.ndim < 2 or 0 in images.shape[-2:]:
            raise ShapeError(f"Resize: images have shape (..., H, W); got {images.shape}")
        dtype = np.float64 if images.dtype == np.float64 else np.float32
        height, width = self.of(*images.shape[-2:])
        across = _resized(images.astype(dtype, copy=False), width, -1)
        return _resized(across, height, -2).copy()

    def of(self, height: int, width: int) -> tuple[int, int]:
        """Return the size that images of a size get.

        Examples
        --------
        >>> Resize(256).of(480, 640)
        (256, 341)
        """
        if self.shorter is None:
            return self.size
        side = min(height, width)
        size = self.shorter * height // side, self.shorter * width // side
        if max(size) > 2**24:  # of a strip: there float32 no longer counts pixels
            raise OptionError(
                f"Resize: a side has at most 2^24 pixels; got {size[0]}x{size[1]} for an image "
                f"of {height}x{width}"
            )
        return size

    def __repr__(self) -> str:
        return f"Resize({self.size if self.shorter is None else self.shorter})"


def _resized(values: npt.NDArray[Any], size: int, axis: int) -> npt.NDArray[Any]:
    """Resize one axis: a sum over the few pixels that count, in a fixed order."""
    if values.shape[axis] == size:
        return values
    places, weights = _taps(values.shape[axis], size)
    weights = weights.astype(values.dtype)
    if axis == -2:
        weights = weights[..., None]
    total = values.take(places[0], axis) * weights[0]
    for place, weight in zip(places[1:], weights[1:], strict=True):
        total += values.take(place, axis) * weight
    return total


@lru_cache(maxsize=64)
def _taps(before: int, after: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return which pixels count for each of the new ones, and how much: shape (taps, after)."""
    step = before / after
    reach = max(step, 1.0)
    centres = (np.arange(after) + 0.5) * step
    first = np.floor(centres - reach + 0.5).astype(np.intp)
    places = first + np.arange(int(2 * reach) + 2)[:, None]
    weights = np.maximum(0.0, 1.0 - np.abs(places + 0.5 - centres) / reach)
    weights[(places < 0) | (places >= before)] = 0.0
    counts = weights.any(1)  # some of the outer ones never count
    places, weights = np.clip(places, 0, before - 1)[counts], weights[counts]
    return places, weights / weights.sum(0)
