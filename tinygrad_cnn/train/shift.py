"""Small shifts of training images: a digit stays what it is a little to the left."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.transforms import cut_out

__all__ = ["shifted"]


def shifted(
    images: npt.NDArray[Any], most: int, generator: np.random.Generator
) -> npt.NDArray[Any]:
    """Move each image by a random whole number of pixels, down or up and right or left.

    ``Y[n, c, i, j] = X[n, c, clip(i - dy(n)), clip(j - dx(n))]`` with dy and dx drawn
    uniformly from -most to most: what leaves at one edge is lost, at the other edge the
    outermost row or column is repeated.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
    most : int, in pixels
        With 0 the images are returned as they are, and nothing is drawn.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray, shape (N, C, H, W)

    References
    ----------
    .. [1] P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural
       networks applied to visual document analysis", ICDAR 2003, section 2.

    Examples
    --------
    >>> image = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> shifted(image, 1, np.random.default_rng(0))[0, 0]  # this one moved down
    array([[0., 1., 2.],
           [0., 1., 2.],
           [3., 4., 5.]])
    """
    if most == 0:
        return images
    down, right = generator.integers(-most, most + 1, (2, len(images)))
    return cut_out(images, np.stack([-down, -right], 1), np.zeros(len(images), np.bool_), True)
