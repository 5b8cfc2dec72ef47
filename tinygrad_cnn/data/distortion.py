"""Elastic distortion: handwriting wavers, and so may its images."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.compose import require_images
from tinygrad_cnn.data.draws import Draws
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.kernels.registry import lookup

__all__ = ["ElasticDistortion"]

_REACH = 3.0  # of the Gaussian, in deviations; what lies beyond weighs 0.3 % on an axis


class ElasticDistortion:
    """Move each pixel by a field of small displacements that changes slowly over the image [1]_.

    ::

        Y(i, j) = X((i, j) + D(i, j)),   D = scale · (G * U),   U uniform from -1 to 1

    G is a Gaussian whose weights add up to one. Y lies between four pixels of X and is
    interpolated linearly along both axes. With `deviation` small the pixels are scattered, with
    it large all move alike; in between the strokes waver. Far from the edges a displacement
    deviates by about ``scale / (√3 · 2 √π · deviation)``: 1.4 pixels as it stands.

    Parameters
    ----------
    scale : float, in pixels
        α of the paper.
    deviation : float, in pixels
        Of the Gaussian, σ of the paper.
    repeat : bool
        Outside of the image repeat the nearest pixel, where else there are zeros.

    Raises
    ------
    OptionError
        If `scale` is negative, `deviation` not above zero, or one of them not finite.

    References
    ----------
    .. [1] P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural
       networks applied to visual document analysis", ICDAR 2003, section 2: σ = 4 and α = 34
       for digits of MNIST.

    Examples
    --------
    >>> from tinygrad_cnn.data import Draws
    >>> image = np.arange(36.0).reshape(1, 1, 6, 6)
    >>> ElasticDistortion(scale=8.0)(image, Draws(0, 0, [0]))[0, 0, 2].round(1)
    array([13.8, 14.9, 15.9, 16.8, 17.6, 18.3])
    """

    def __init__(self, scale: float = 34.0, deviation: float = 4.0, repeat: bool = True) -> None:
        if not (0.0 <= scale < math.inf and 0.0 < deviation < math.inf):
            raise OptionError(
                "ElasticDistortion: scale is 0 or more, deviation above 0, both in pixels; got "
                f"scale {scale} and deviation {deviation}"
            )
        self.scale, self.deviation, self.repeat = float(scale), float(deviation), repeat
        reach = math.ceil(_REACH * deviation)
        bell = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / deviation))
        self._weights = (bell / bell.sum()).astype(np.float32)

    def fields(self, draws: Draws, height: int, width: int) -> npt.NDArray[np.float32]:
        """Return the displacements of each image, down and right.

        Returns
        -------
        ndarray of float32, shape (N, height, width, 2), in pixels
        """
        noise = draws.uniform(height, width, 2, dtype=np.float32)
        noise *= np.float32(2 * self.scale)
        noise -= np.float32(self.scale)
        smooth: npt.NDArray[np.float32] = np.empty_like(noise)
        lookup("smooth_images").function(noise, self._weights, smooth)
        return smooth

    def __call__(self, images: npt.NDArray[Any], draws: Draws) -> npt.NDArray[Any]:
        """Return the images distorted, as float32, or float64 where they are."""
        require_images("ElasticDistortion", images, draws)
        dtype = np.dtype(np.float64 if images.dtype == np.float64 else np.float32)
        fields = self.fields(draws, *images.shape[2:])
        pixels = np.ascontiguousarray(images.transpose(0, 2, 3, 1), dtype)
        bent = np.empty_like(pixels)
        lookup("warp_images", dtype=dtype).function(pixels, fields, self.repeat, bent)
        return np.ascontiguousarray(bent.transpose(0, 3, 1, 2))

    def __repr__(self) -> str:
        return (
            f"ElasticDistortion(scale={self.scale}, deviation={self.deviation}, "
            f"repeat={self.repeat})"
        )
