"""Mean and deviation of each colour channel: what colour photographs are standardised by."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DataError, OptionError, ShapeError
from tinygrad_cnn.kernels.registry import lookup

__all__ = ["StandardiseChannels"]

_IMAGES_AT_A_TIME = 1000


@dataclass(frozen=True)
class StandardiseChannels:
    """Shift and scale the pixels of each channel by its own numbers: (x - mean) / deviation.

    As :class:`Standardise`, with one mean and one deviation for red, one for green, one for
    blue: a blue sky should weigh no more than green grass.

    Parameters
    ----------
    mean : tuple of float, in units of a pixel, one for each channel
    deviation : tuple of float, in units of a pixel, one for each channel
        Above zero.

    Raises
    ------
    OptionError
        If the numbers are not finite, a deviation is not above zero, or the counts differ.

    Examples
    --------
    >>> images = np.zeros((1, 2, 1, 2), np.float32)
    >>> images[0, :, 0] = [[1, 3], [10, 30]]
    >>> standardise = StandardiseChannels.fit(images)
    >>> standardise
    StandardiseChannels(mean=(2.0, 20.0), deviation=(1.0, 10.0))
    >>> standardise(images)[0, :, 0]
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.deviation) or not self.mean:
            raise OptionError(
                "StandardiseChannels: there is a mean and a deviation for each channel; got "
                f"{len(self.mean)} and {len(self.deviation)}"
            )
        if not (np.isfinite([self.mean, self.deviation]).all() and min(self.deviation) > 0.0):
            raise OptionError(
                "StandardiseChannels: means and deviations are finite, deviations above zero; "
                f"got means {self.mean} and deviations {self.deviation}"
            )

    @classmethod
    def fit(cls, images: npt.NDArray[Any]) -> "StandardiseChannels":
        """Measure mean and deviation of each channel over all images, in float64.

        Parameters
        ----------
        images : ndarray, shape (N, C, H, W)

        Returns
        -------
        StandardiseChannels

        Raises
        ------
        ShapeError
            If images do not have four axes.
        DataError
            If there are no pixels, all of a channel are equal, or some are not finite.
        """
        if images.ndim != 4:
            raise ShapeError(
                f"StandardiseChannels.fit: images have shape (N, C, H, W); got {images.shape}"
            )
        if not images.size:
            raise DataError(f"StandardiseChannels.fit: some pixels are needed; got {images.shape}")
        count, axes = images.size // images.shape[1], (0, 2, 3)
        mean = sum(part.sum(axes, np.float64) for part in _parts(images)) / count
        centre = np.asarray(mean)[:, None, None]
        squares = sum(np.square(part - centre).sum(axes) for part in _parts(images))
        deviation = np.sqrt(squares / count)
        if not (np.isfinite(deviation).all() and (deviation > 0.0).all()):
            raise DataError(
                "StandardiseChannels.fit: pixels are finite and not all equal in any channel; "
                f"got means {mean} and deviations {deviation}"
            )
        return cls(tuple(map(float, mean)), tuple(map(float, deviation)))

    def times(self, factor: float) -> "StandardiseChannels":
        """Return the same for pixels that are `factor` times as large.

        Examples
        --------
        >>> StandardiseChannels((0.5,), (0.25,)).times(100)
        StandardiseChannels(mean=(50.0,), deviation=(25.0,))
        """
        return StandardiseChannels(
            tuple(value * factor for value in self.mean),
            tuple(value * factor for value in self.deviation),
        )

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return (x - mean) / deviation as float32; images have shape (..., C, H, W)."""
        self._check(images)
        if images.dtype != np.uint8:
            images = images.astype(np.float32, casting="same_kind", copy=False)
        result = np.empty(images.shape, np.float32)
        pixels = images.shape[-1] * images.shape[-2]
        factors = [
            np.repeat(np.asarray(numbers, np.float32), pixels)
            for numbers in (self.mean, self.deviation)
        ]
        if result.size:
            flat = (-1, len(self.mean) * pixels)  # a row holds the pixels of one image
            lookup("normalise_images").function(
                images.reshape(flat), *factors, result.reshape(flat)
            )
        return result

    def undo(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return x * deviation + mean as float32: the pixels again, to be looked at."""
        self._check(images)
        mean, deviation = (
            np.asarray(numbers, np.float32)[:, None, None]
            for numbers in (self.mean, self.deviation)
        )
        result: npt.NDArray[np.float32] = np.multiply(images, deviation, dtype=np.float32)
        result += mean
        return result

    def _check(self, images: npt.NDArray[Any]) -> None:
        if images.ndim < 3 or images.shape[-3] != len(self.mean):
            raise ShapeError(
                f"StandardiseChannels: images have shape (..., {len(self.mean)}, H, W), as many "
                f"channels as there are means; got {images.shape}"
            )


def _parts(images: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    return [
        images[start : start + _IMAGES_AT_A_TIME]
        for start in range(0, len(images), _IMAGES_AT_A_TIME)
    ]
