"""The values of pixels: brought to mean 0 and deviation 1 by channel, and their colours varied."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.compose import require_images
from tinygrad_cnn.data.draws import Draws
from tinygrad_cnn.errors import DataError, OptionError, ShapeError
from tinygrad_cnn.kernels.registry import lookup

__all__ = ["Normalise", "PCAColourJitter"]

_Images = npt.NDArray[Any]
# Sums run over this many images at a time, so that the float64 copies which make them exact
# stay small beside the images themselves.
_IMAGES_AT_A_TIME = 500


class Normalise:
    """Shift and scale each channel: (x - mean) / deviation.

    Parameters
    ----------
    mean, deviation : float, or sequence of floats, in units of a pixel
        One number for all channels, or one for each.

    Raises
    ------
    OptionError
        If the numbers are not finite, a deviation is not above zero, or there are not as many
        means as deviations.
    ShapeError
        On calling, if images do not have as many channels, or not four axes.

    Examples
    --------
    >>> normalise = Normalise([1.0, 2.0], [0.5, 4.0])
    >>> normalise(np.full((1, 2, 1, 1), 2, np.uint8)).ravel()
    array([2., 0.], dtype=float32)
    """

    def __init__(self, mean: float | Sequence[float], deviation: float | Sequence[float]) -> None:
        self.mean, self.deviation = (
            tuple(float(number) for number in np.atleast_1d(np.asarray(given, np.float64)))
            for given in (mean, deviation)
        )
        numbers = np.array([*self.mean, *self.deviation])
        same = len(self.mean) == len(self.deviation)
        if not (same and np.isfinite(numbers).all() and min(self.deviation) > 0.0):
            raise OptionError(
                "Normalise: each channel has a finite mean and a deviation above zero; "
                f"got mean {mean} and deviation {deviation}"
            )

    @classmethod
    def fit(cls, images: _Images) -> "Normalise":
        """Measure mean and deviation of each channel over all pixels of all images.

        Parameters
        ----------
        images : ndarray, shape (N, C, H, W)

        Returns
        -------
        Normalise

        Raises
        ------
        ShapeError
            If images do not have four axes.
        DataError
            If there are no pixels, all of a channel are equal, or some are not finite.
        """
        mean, covariance = _moments("Normalise.fit", images)
        deviation = np.sqrt(np.diagonal(covariance))
        if not (np.isfinite(deviation).all() and deviation.min() > 0.0):
            raise DataError(
                "Normalise.fit: pixels are finite, and those of a channel not all equal; got "
                f"mean {mean.tolist()} and deviation {deviation.tolist()}"
            )
        return cls(mean.tolist(), deviation.tolist())

    def __call__(self, images: _Images, draws: Draws | None = None) -> npt.NDArray[np.float32]:
        """Return (x - mean) / deviation as float32, in one pass over the images."""
        require_images("Normalise", images)
        _, channels, height, width = images.shape
        if len(self.mean) not in (1, channels):
            raise ShapeError(
                f"Normalise: there is a mean for each channel; got {len(self.mean)} means and "
                f"images of {channels} channels"
            )
        if images.dtype != np.uint8:
            images = images.astype(np.float32, casting="same_kind", copy=False)
        result = np.empty(images.shape, np.float32)
        if result.size:
            # To the kernel a value of an image is a channel: there, these lie side by side.
            values = channels * height * width
            mean, deviation = (
                np.repeat(np.asarray(numbers, np.float32), values // len(numbers))
                for numbers in (self.mean, self.deviation)
            )
            kernel = lookup("normalise_images").function
            kernel(images.reshape(-1, values), mean, deviation, result.reshape(-1, values))
        return result

    def undo(self, images: _Images) -> npt.NDArray[np.float32]:
        """Return x * deviation + mean as float32: the pixels again, to be looked at."""
        require_images("Normalise.undo", images)
        deviation, mean = (
            np.asarray(numbers, np.float32).reshape(-1, 1, 1)
            for numbers in (self.deviation, self.mean)
        )
        result: npt.NDArray[np.float32] = images * deviation + mean
        return result

    def __repr__(self) -> str:
        return f"Normalise(mean={list(self.mean)}, deviation={list(self.deviation)})"


class PCAColourJitter:
    """Vary colours along the directions in which those of the training images vary [1]_.

    To all pixels of an image one colour is added ::

        largest_pixel · Σ_k  p_k α_k λ_k        α_k normal, of mean 0 and deviation `strength`

    where p_k and λ_k are the eigenvectors and eigenvalues of the covariance of red, green and
    blue, with pixels from 0 to 1. Objects stay what they are when the light changes. The result
    may leave the range of the pixels a little, and is not cut off.

    The unit matters: covariances are squares, and of pixels from 0 to 255 they would be 255²
    times as large, but the colours only 255 times.

    Parameters
    ----------
    eigenvalues : array of float, shape (C,)
        Of pixels from 0 to 1.
    eigenvectors : array of float, shape (C, C)
        One in each column.
    strength : float
        Deviation of α; 0.1 in the paper.
    largest_pixel : float
        Value of a full pixel: 255 as published, 1 of scaled ones.

    Raises
    ------
    OptionError
        If numbers are not finite, or shapes do not fit together.

    References
    ----------
    .. [1] A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep
       convolutional neural networks", NIPS 2012, section 4.1.

    Examples
    --------
    >>> from tinygrad_cnn.data import Draws
    >>> grey = np.full((1, 3, 1, 1), 100, np.uint8)
    >>> jitter = PCAColourJitter([0.2, 0.0, 0.0], np.eye(3))
    >>> jitter(grey, Draws(seed=0, epoch=0, examples=[0])).ravel().round(1)  # less red
    array([ 97.1, 100. , 100. ], dtype=float32)
    """

    def __init__(
        self,
        eigenvalues: npt.ArrayLike,
        eigenvectors: npt.ArrayLike,
        strength: float = 0.1,
        largest_pixel: float = 255.0,
    ) -> None:
        self.eigenvalues = np.asarray(eigenvalues, np.float64)
        self.eigenvectors = np.asarray(eigenvectors, np.float64)
        self.strength, self.largest_pixel = float(strength), float(largest_pixel)
        channels = self.eigenvalues.size
        fits = self.eigenvalues.ndim == 1 and self.eigenvectors.shape == (channels, channels)
        numbers = (*self.eigenvalues.flat, *self.eigenvectors.flat, strength, largest_pixel)
        if not (fits and all(map(math.isfinite, numbers)) and largest_pixel > 0 <= strength):
            raise OptionError(
                "PCAColourJitter: there is an eigenvector in a column for each eigenvalue, all "
                "numbers are finite, strength is 0 or more and largest_pixel above 0; got shapes "
                f"{self.eigenvalues.shape} and {self.eigenvectors.shape}, strength {strength} "
                f"and largest_pixel {largest_pixel}"
            )

    @classmethod
    def fit(
        cls, images: _Images, strength: float = 0.1, largest_pixel: float = 255.0
    ) -> "PCAColourJitter":
        """Measure in which directions the colours of the training images vary, and how much.

        Parameters
        ----------
        images : ndarray, shape (N, C, H, W)
        strength, largest_pixel : float
            As of the class.

        Returns
        -------
        PCAColourJitter

        Raises
        ------
        ShapeError
            If images do not have four axes.
        DataError
            If there are no pixels, or some are not finite.
        """
        _, covariance = _moments("PCAColourJitter.fit", images)
        if not np.isfinite(covariance).all():
            raise DataError("PCAColourJitter.fit: pixels are finite; got some that are not")
        values, vectors = np.linalg.eigh(covariance / largest_pixel**2)
        largest = np.abs(vectors).argmax(0)  # an eigenvector has no sign; we choose one
        vectors = vectors * np.sign(vectors[largest, np.arange(len(values))])
        return cls(values[::-1], vectors[:, ::-1], strength, largest_pixel)

    def __call__(self, images: _Images, draws: Draws) -> npt.NDArray[np.float32]:
        """Return the images in other colours, as float32."""
        require_images("PCAColourJitter", images, draws)
        channels = len(self.eigenvalues)
        if images.shape[1] != channels:
            raise ShapeError(
                f"PCAColourJitter: images have {channels} channels, as those it was measured "
                f"on; got {images.shape}"
            )
        shares = draws.normal(channels) * (self.strength * self.largest_pixel * self.eigenvalues)
        colours = (shares[:, None, :] * self.eigenvectors).sum(2).astype(np.float32)
        result: npt.NDArray[np.float32]
        result = np.add(images, colours[:, :, None, None], dtype=np.float32)
        return result

    def __repr__(self) -> str:
        return (
            f"PCAColourJitter(eigenvalues={self.eigenvalues.round(4).tolist()}, "
            f"strength={self.strength}, largest_pixel={self.largest_pixel})"
        )


def _moments(
    operation: str, images: _Images
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean and covariance of the channels over all pixels."""
    require_images(operation, images)
    if not images.size:
        raise DataError(f"{operation}: some pixels are needed; got {images.shape}")
    pixels = images.size // images.shape[1]
    mean = sum(part.sum(1) for part in _parts(images)) / pixels
    centred = (part - mean[:, None] for part in _parts(images))
    return mean, sum(part @ part.T for part in centred) / pixels


def _parts(images: _Images) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the pixels of some images at a time, shape (C, pixels)."""
    for start in range(0, len(images), _IMAGES_AT_A_TIME):
        part = images[start : start + _IMAGES_AT_A_TIME].astype(np.float64)
        yield part.transpose(1, 0, 2, 3).reshape(images.shape[1], -1)
