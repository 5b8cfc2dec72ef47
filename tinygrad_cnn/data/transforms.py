"""From pixels as published to the numbers a network is fed with.

All of it takes arrays and returns new ones. Only :func:`crop_and_flip` draws, from the generator
that it is given; the transforms of :mod:`~tinygrad_cnn.data.crops` do the same with numbers that
do not depend on the batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DataError, DTypeError, OptionError, ShapeError
from tinygrad_cnn.kernels.registry import lookup

__all__ = ["Standardise", "crop_and_flip", "pad", "to_float"]

# Sums run over this many images at a time, so that the float64 copies which make them
# exact stay small beside the images themselves.
_IMAGES_AT_A_TIME = 1000


def to_float(images: npt.NDArray[np.uint8], maximum: int = 255) -> npt.NDArray[np.float32]:
    """Scale integer pixels to 0..1: x / maximum.

    Parameters
    ----------
    images : ndarray of uint8, any shape, pixel values 0..maximum
    maximum : int
        The value of a full pixel.

    Returns
    -------
    ndarray of float32, the same shape

    Raises
    ------
    DTypeError
        If the pixels are not uint8: floats may have been scaled already.
    OptionError
        If `maximum` is not in 1..255.
    DataError
        If a pixel exceeds `maximum`.

    Examples
    --------
    >>> to_float(np.array([0, 51, 255], np.uint8))
    array([0. , 0.2, 1. ], dtype=float32)
    """
    if images.dtype != np.uint8:
        raise DTypeError(
            f"to_float: pixels are uint8, as published; got {images.dtype}, "
            "which may have been scaled already"
        )
    if not 1 <= maximum <= 255:
        raise OptionError(f"to_float: maximum is a pixel value, 1 to 255; got {maximum}")
    if maximum < 255 and images.size and int(images.max()) > maximum:
        raise DataError(
            f"to_float: pixels are at most maximum; got maximum {maximum} and a pixel of "
            f"{int(images.max())}"
        )
    return _normalised(images, 0.0, maximum)


def pad(images: npt.NDArray[Any], size: int = 32) -> npt.NDArray[Any]:
    """Put a border of zeros around images, equally wide on opposite sides.

    LeCun et al. 1998, section II.B, feed LeNet-5 with 28x28 images centred in 32x32
    pixels, two more on each side, so that the end of a stroke near the edge can lie in the
    middle of what a filter sees. Pad before standardising: zero is the background then.

    Parameters
    ----------
    images : ndarray, shape (..., H, W)
    size : int, in pixels
        Height and width of the result.

    Returns
    -------
    ndarray, shape (..., size, size), the same dtype

    Raises
    ------
    ShapeError
        If there are no two pixel axes.
    OptionError
        If the images are larger, or the border cannot be equal on both sides.

    Examples
    --------
    >>> pad(np.ones((1, 1, 28, 28), np.uint8)).shape
    (1, 1, 32, 32)
    >>> pad(np.ones((1, 1), np.uint8), size=3)
    array([[0, 0, 0],
           [0, 1, 0],
           [0, 0, 0]], dtype=uint8)
    """
    if images.ndim < 2:
        raise ShapeError(f"pad: images have shape (..., H, W); got {images.shape}")
    height, width = images.shape[-2:]
    rows, columns = size - height, size - width
    if rows < 0 or columns < 0 or rows % 2 or columns % 2:
        raise OptionError(
            "pad: the border is equally wide on opposite sides, a whole number of pixels; "
            f"got images of {height}x{width} and size {size}"
        )
    borders = [(0, 0)] * (images.ndim - 2) + [(rows // 2,) * 2, (columns // 2,) * 2]
    return np.pad(images, borders)


def crop_and_flip(
    images: npt.NDArray[Any], border: int, generator: np.random.Generator
) -> npt.NDArray[Any]:
    """Cut each image out of itself with a border of zeros, at a random place, or its mirror image.

    The augmentation that CIFAR-10 is trained with, border 4: what is shown a little higher, or
    looks to the other side, is of the same class. Not for digits, which have no mirror image.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
    border : int, in pixels
        On each side; an image moves by up to so many pixels down, up, right and left.
    generator : numpy.random.Generator
        Draws the places, all equally likely, and then with probability 1/2 the mirror images.

    Returns
    -------
    ndarray, shape (N, C, H, W), the same dtype

    Raises
    ------
    ShapeError
        If images do not have four axes.
    OptionError
        If the border is negative.

    References
    ----------
    .. [1] K. He et al., "Deep residual learning for image recognition", CVPR 2016, section 4.2.

    Examples
    --------
    >>> image = np.arange(9).reshape(1, 1, 3, 3)
    >>> crop_and_flip(image, 1, np.random.default_rng(3))[0, 0]  # up, right, and mirrored
    array([[4, 3, 0],
           [7, 6, 0],
           [0, 0, 0]])
    """
    if images.ndim != 4:
        raise ShapeError(f"crop_and_flip: images have shape (N, C, H, W); got {images.shape}")
    if border < 0:
        raise OptionError(f"crop_and_flip: border is a number of pixels, 0 or more; got {border}")
    corners = generator.integers(-border, border + 1, (len(images), 2))
    return cut_out(images, corners, generator.random(len(images)) < 0.5)


def cut_out(
    images: npt.NDArray[Any],
    corners: npt.NDArray[Any],
    flips: npt.NDArray[np.bool_],
    repeat: bool = False,
    size: tuple[int, int] | None = None,
) -> npt.NDArray[Any]:
    """Cut a window out of each image.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
    corners : array of int, shape (N, 2)
        Row and column of the pixel that becomes the upper left one; it may lie outside.
    flips : array of bool, shape (N,)
        Which windows are mirrored, left and right exchanged.
    repeat : bool
        Repeat the nearest pixel outside of an image, where else there are zeros.
    size : (int, int), optional, in pixels
        Height and width of a window; by default those of the image.

    Returns
    -------
    ndarray, shape (N, C, height, width), C-contiguous
    """
    count, channels, height, width = images.shape
    rows, columns = (height, width) if size is None else size
    planes = np.ascontiguousarray(images).reshape(count * channels, height, width, 1)
    windows = np.empty((count, channels, rows, columns), images.dtype)
    corners, flips = (np.repeat(each, channels, 0) for each in (corners, flips))
    kernel = lookup("crop_images", dtype=images.dtype).function
    kernel(planes, corners, flips, repeat, windows.reshape(count * channels, rows, columns, 1))
    return windows


@dataclass(frozen=True)
class Standardise:
    """Shift and scale all pixels by two numbers: (x - mean) / deviation.

    LeCun et al. 1998, section II.B, scale the pixels to a mean of about 0 and a variance of
    about 1, because that speeds up learning. The two numbers come from the training images
    alone and are applied to the test images unchanged.

    Parameters
    ----------
    mean : float, in units of a pixel
    deviation : float, in units of a pixel
        Above zero.

    Raises
    ------
    OptionError
        If the numbers are not finite, or `deviation` is not above zero.

    Examples
    --------
    >>> standardise = Standardise.fit(np.array([[1.0, 3.0]], np.float32))
    >>> standardise
    Standardise(mean=2.0, deviation=1.0)
    >>> standardise(np.array([1.0, 3.0, 4.0], np.float32))
    array([-1.,  1.,  2.], dtype=float32)
    >>> standardise.undo(np.array([-1.0, 1.0], np.float32))
    array([1., 3.], dtype=float32)
    """

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.mean, self.deviation]).all() and self.deviation > 0.0):
            raise OptionError(
                "Standardise: mean and deviation are finite, deviation above zero; "
                f"got mean {self.mean} and deviation {self.deviation}"
            )

    @classmethod
    def fit(cls, images: npt.NDArray[Any]) -> "Standardise":
        """Measure mean and deviation over all pixels of all images.

        The deviation is the root of the mean squared distance from the mean (divided by
        the number of pixels, not by one less). Sums are kept in float64.

        Parameters
        ----------
        images : ndarray, shape (N, ...)

        Returns
        -------
        Standardise

        Raises
        ------
        DataError
            If there are no pixels, all are equal, or some are not finite.
        """
        if not images.size:
            raise DataError(f"Standardise.fit: some pixels are needed; got {images.shape}")
        mean = sum(float(part.sum()) for part in _parts(images)) / images.size
        squares = sum(float(np.square(part - mean).sum()) for part in _parts(images))
        deviation = float(np.sqrt(squares / images.size))
        if not (np.isfinite(deviation) and deviation > 0.0):
            raise DataError(
                "Standardise.fit: pixels are finite and not all equal; "
                f"got mean {mean} and deviation {deviation}"
            )
        return cls(mean, deviation)

    def __call__(self, images: npt.NDArray[Any], draws: object = None) -> npt.NDArray[np.float32]:
        """Return (x - mean) / deviation as float32; nothing is drawn for it."""
        return _normalised(images, self.mean, self.deviation)

    def undo(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return x * deviation + mean as float32: the pixels again, to be looked at."""
        result: npt.NDArray[np.float32]
        result = np.multiply(images, np.float32(self.deviation), dtype=np.float32)
        result += np.float32(self.mean)
        return result


def _normalised(images: npt.NDArray[Any], mean: float, deviation: float) -> npt.NDArray[np.float32]:
    """Return (x - mean) / deviation as float32, in one pass over the images."""
    if images.dtype != np.uint8:
        images = images.astype(np.float32, casting="same_kind", copy=False)
    result = np.empty(images.shape, np.float32)
    factors = (np.array([number], np.float32) for number in (mean, deviation))
    kernel = lookup("normalise_images").function
    kernel(images.reshape(-1, 1), *factors, result.reshape(-1, 1))
    return result


def _parts(images: npt.NDArray[Any]) -> Iterator[npt.NDArray[np.float64]]:
    return (
        images[start : start + _IMAGES_AT_A_TIME].astype(np.float64)
        for start in range(0, len(images), _IMAGES_AT_A_TIME)
    )
